"""The tables that stages hand to each other: their columns, and how they are read and written.

Column names are DICOM keywords where one exists (PS3.6) and snake_case otherwise. Text keeps DICOM's
backslash between values. A header attribute that is absent is null; one that is present and empty is ""
(text) or null (numbers) and named in ``empty_attributes``; one whose value cannot be read is null and named
in ``unreadable_attributes``.

Every file is written beside its final name and renamed, so that a reader never sees half a table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import WorkspaceError
from radnet.terms import LABELS

TEXT: Final = pl.String()
REAL: Final = pl.Float64()
INTEGER: Final = pl.Int64()
REALS: Final = pl.List(pl.Float64())
TEXTS: Final = pl.List(pl.String())

ROW_GROUP: Final = 50_000
"""Rows in a row group of a table written by ranges."""

ORIGIN_COLUMNS: Final[dict[str, pl.DataType]] = {
    "source": TEXT,  # as the user named it, made absolute
    "path": TEXT,  # absolute; archive.zip!member inside an archive
    "frame": INTEGER,  # 1-based frame of an enhanced file, null for a file of one frame
    "size": INTEGER,  # bytes of the file or member
    "mtime_ns": INTEGER,  # of the file, or of the archive that holds it
    "pixel_offset": INTEGER,  # of the value of Pixel Data in the file; null when deflated or absent
    "pixel_length": INTEGER,  # bytes; null when encapsulated
    "patient": TEXT,  # keyed hash of PatientID, 16 hex digits; null when there is none
}
"""Where an instance lies; ``path`` and ``frame`` are the key."""

IDENTITY_COLUMNS: Final[dict[str, pl.DataType]] = {
    "SOPClassUID": TEXT,
    "SOPInstanceUID": TEXT,
    "SeriesInstanceUID": TEXT,
    "StudyInstanceUID": TEXT,
    "FrameOfReferenceUID": TEXT,
    "TransferSyntaxUID": TEXT,
}

SERIES_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "Modality": TEXT,
    "Manufacturer": TEXT,
    "ManufacturerModelName": TEXT,
    "MagneticFieldStrength": REAL,
    "StudyDescription": TEXT,
    "SeriesDescription": TEXT,
    "ProtocolName": TEXT,
    "RequestedProcedureDescription": TEXT,
    "PerformedProcedureStepDescription": TEXT,
    "BodyPartExamined": TEXT,
    "AnatomicRegion": TEXT,  # code meaning in AnatomicRegionSequence
    "SeriesNumber": INTEGER,
    "SeriesTime": TEXT,
    "PatientPosition": TEXT,
    "ImageType": TEXT,
    "DerivationDescription": TEXT,
    "BurnedInAnnotation": TEXT,
    "PatientIdentityRemoved": TEXT,
    "DeidentificationMethod": TEXT,
    "LossyImageCompression": TEXT,
    "SliceThickness": REAL,
    "SpacingBetweenSlices": REAL,
    "GantryDetectorTilt": REAL,
    "ReconstructionDiameter": REAL,
    "KVP": REAL,
    "ConvolutionKernel": TEXT,
    "ScanOptions": TEXT,
    "ScanningSequence": TEXT,
    "SequenceVariant": TEXT,
    "SequenceName": TEXT,
    "PulseSequenceName": TEXT,
    "MRAcquisitionType": TEXT,
    "AcquisitionContrast": TEXT,
    "EchoPulseSequence": TEXT,
    "InversionRecovery": TEXT,
    "ComplexImageComponent": TEXT,
    "AngioFlag": TEXT,
    "RepetitionTime": REAL,  # ms
    "EchoTime": REAL,  # ms; EffectiveEchoTime of an enhanced file
    "InversionTime": REAL,  # ms; first of InversionTimes of an enhanced file
    "FlipAngle": REAL,  # degrees
    "EchoTrainLength": INTEGER,
    "EchoNumbers": INTEGER,
    "NumberOfAverages": REAL,
    "DiffusionBValue": REAL,  # s/mm2; standard, else Siemens (0019,xx0C), GE (0043,xx39), Philips (2001,xx03)
    "NumberOfTemporalPositions": INTEGER,
    "ContrastBolusAgent": TEXT,
    "ContrastBolusRoute": TEXT,
    "ContrastBolusVolume": REAL,
    "ContrastBolusStartTime": TEXT,
    "ContrastBolusTotalDose": REAL,
    "ContrastBolusIngredient": TEXT,
    "ContrastBolusIngredientConcentration": REAL,
    "ContrastBolusAgentCode": TEXT,  # code meanings in ContrastBolusAgentSequence
    "ContrastBolusRouteCode": TEXT,  # code meanings in ContrastBolusAdministrationRouteSequence
    "ContrastBolusAgentAdministered": TEXT,  # YES or NO, any item of ContrastBolusUsageSequence
    "ContrastBolusAgentDetected": TEXT,
}
"""Attributes that describe a series; copied from instances to stacks, and what rules may read."""

INSTANCE_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "InstanceNumber": INTEGER,
    "AcquisitionNumber": INTEGER,
    "AcquisitionTime": TEXT,
    "ContentTime": TEXT,
    "TemporalPositionIdentifier": INTEGER,  # TemporalPositionIndex of an enhanced file
    "TriggerTime": REAL,  # ms
    "ImagePositionPatient": REALS,  # 3, mm, LPS
    "ImageOrientationPatient": REALS,  # 6, row then column cosines
    "SliceLocation": REAL,
    "PixelSpacing": REALS,  # between rows, between columns; mm
    "Rows": INTEGER,
    "Columns": INTEGER,
    "NumberOfFrames": INTEGER,
    "SamplesPerPixel": INTEGER,
    "PhotometricInterpretation": TEXT,
    "BitsAllocated": INTEGER,
    "BitsStored": INTEGER,
    "HighBit": INTEGER,
    "PixelRepresentation": INTEGER,
    "RescaleSlope": REAL,
    "RescaleIntercept": REAL,
    "PixelPaddingValue": INTEGER,
    "empty_attributes": TEXTS,
    "unreadable_attributes": TEXTS,
}
"""Attributes that may differ from slice to slice."""

INSTANCE_COLUMNS: Final = {**ORIGIN_COLUMNS, **IDENTITY_COLUMNS, **SERIES_ATTRIBUTES, **INSTANCE_ATTRIBUTES}

SKIPPED_COLUMNS: Final[dict[str, pl.DataType]] = {
    "source": TEXT,
    "path": TEXT,
    "size": INTEGER,
    "mtime_ns": INTEGER,
    "reason": TEXT,  # a code, as in radnet.scan.skipped
    "error": TEXT,  # class of the error, never a header value
}

STACK_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,  # 16 hex digits
    "split_key": TEXT,  # what sets this stack apart within its series
    "patient": TEXT,
    "StudyInstanceUID": TEXT,
    "SeriesInstanceUID": TEXT,
    "FrameOfReferenceUID": TEXT,
    "SOPClassUID": TEXT,
    "acquisition_group": TEXT,  # one for all reconstructions of one acquisition
    "source": TEXT,  # of the first slice
    "path": TEXT,  # of the first slice
    "n_files": INTEGER,
    "n_instances": INTEGER,
    "n_slices": INTEGER,  # distinct positions
    "n_times": INTEGER,  # instances at each position
    "geometry": TEXT,
    "slice_spacing_mm": REAL,
    "extent_mm": REAL,  # along the normal, from first to last position and one spacing more
    "orientation": REALS,  # 6 cosines, the median of the slices'
    "nearest_view": TEXT,  # axis of the largest component of the normal
    "tilt_deg": REAL,  # of the normal against that axis
    "shear_deg": REAL,  # between the line of positions and the normal
    "Rows": INTEGER,
    "Columns": INTEGER,
    "PixelSpacing": REALS,
    "AcquisitionTime": TEXT,
    **SERIES_ATTRIBUTES,
    "SamplesPerPixel": INTEGER,
    "PhotometricInterpretation": TEXT,
    "TransferSyntaxUID": TEXT,
    "empty_attributes": TEXTS,
    "unreadable_attributes": TEXTS,
}

SLICE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "slice": INTEGER,  # from 0, along the slice axis of the stack's view (FACTS: table of axes)
    "position_mm": REAL,  # along the normal
    "path": TEXT,
    "frame": INTEGER,
}
"""Which instance is which slice of a stack; joins with instances on (path, frame)."""

LABEL_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "patient": TEXT,
    "StudyInstanceUID": TEXT,
    "SeriesInstanceUID": TEXT,
    "acquisition_group": TEXT,
    "geometry": TEXT,
    "n_slices": INTEGER,
    "decision": TEXT,  # keep or exclude
    "reason": TEXT,  # first of the reasons, null when kept
    "reasons": TEXTS,
    "sequence": TEXT,
    "form": TEXT,
    "view": TEXT,
    "contrast": TEXT,
    "coverage": TEXTS,
    "slice_spacing_mm": REAL,
    "effective_spacing_mm": REAL,
    **{f"{label}_{part}": TEXT for label in LABELS for part in ("status", "rule", "evidence")},
    # at least this share of the rule's labels are right, by rules/confidence.csv
    **{f"{label}_confidence": REAL for label in LABELS},
}

VOTE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "label": TEXT,
    "value": TEXT,
    "rule": TEXT,
    "attribute": TEXT,
    "text": TEXT,  # what the rule matched
}

VOLUME_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "shard": TEXT,  # file name within 4-volumes
    "offset": INTEGER,  # bytes from the start of the shard
    "length": INTEGER,  # bytes; less than the array's when compressed
    "affine": REALS,  # 16, row by row: (slice, row, column, 1) to LPS mm at voxel centres
    "effective_spacing_mm": REAL,
    "window_low": REAL,  # value that became grey level 0
    "window_high": REAL,  # value that became grey level 255
    "pad_before": INTEGER,  # blank slices before the first
    "pad_after": INTEGER,
    "digest": TEXT,  # SHA-256 of the uncompressed array
    "inputs": TEXT,  # SHA-256 of what it was made from: slices, geometry, configuration
}


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file (zstd) so that it appears whole or not at all.

    Args:
        frame: The table.
        path: Final name; its folder must exist.

    Raises:
        WorkspaceError: If the disk is full.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as handle:  # opened here, so that a refusal names the file and its cause
            frame.write_parquet(handle, compression="zstd")
        partial.replace(path)
    except pl.exceptions.ComputeError as error:
        raise WorkspaceError(
            f"{path} could not be written to its end; free some room on the disk and run again"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def write_ranges(frame: pl.LazyFrame, ranges: Sequence[tuple[str, str]], path: Path) -> None:
    """Write a table that may be larger than memory, range by range of its `path` column, whole or not at all.

    Args:
        frame: Rows in their final order within every range.
        ranges: First and last path of each range, in order; they hold all rows.
        path: Final name; its folder must exist.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    pieces = [partial.with_name(f"{partial.name}.{number}") for number in range(max(1, len(ranges)))]
    try:
        if not ranges:
            frame.clear().collect().write_parquet(pieces[0], compression="zstd")
        for (first, last), piece in zip(ranges, pieces, strict=False):
            within = frame.filter(pl.col("path").is_between(pl.lit(first), pl.lit(last))).collect()
            within.write_parquet(piece, compression="zstd", row_group_size=ROW_GROUP)
        if len(pieces) == 1:
            pieces[0].replace(path)
            return
        whole = pl.concat([pl.scan_parquet(piece) for piece in pieces])
        whole.sink_parquet(partial, compression="zstd", row_group_size=ROW_GROUP, maintain_order=True)
        partial.replace(path)
    finally:
        for piece in pieces:
            piece.unlink(missing_ok=True)


def conform(frame: pl.DataFrame, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """Give a frame exactly the columns of a contract: order, types, and null where one is missing."""
    if frame.is_empty():
        return pl.DataFrame(schema=columns)
    missing = [
        pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in frame.columns
    ]
    return frame.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in columns.items())


def read_table(
    path: Path, verb: str, columns: Sequence[str] | None = None, those: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Read a table that an earlier stage wrote.

    Args:
        path: The Parquet file.
        verb: The command that writes it, for the error.
        columns: Those to read; None reads all.
        those: Rows wanted: values of its first column, which the table has too. Only they need memory.

    Raises:
        WorkspaceError: If it is not there or not a Parquet file.
    """
    if not path.exists():
        raise WorkspaceError(
            f"{path} is not there yet; run `radnet {verb}` first (`radnet status` shows the rest)"
        )
    try:
        if those is not None:
            key = those.columns[0]
            found = pl.scan_parquet(path).select(pl.all() if columns is None else list(columns))
            return found.join(those.lazy().select(key), on=key, how="semi").collect(engine="streaming")
        return pl.read_parquet(path, columns=None if columns is None else list(columns))
    except pl.exceptions.PolarsError as error:
        raise WorkspaceError(
            f"{path} is not a readable Parquet file; delete it and run `radnet {verb}` again"
        ) from error
