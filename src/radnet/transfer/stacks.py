"""DICOM stacks as scans to be prepared: found in a folder, or taken from the tables of a workspace.

Headers are read as `radnet scan` reads them and grouped as `radnet group` does. Patients are known by a hash
of their study's UID, so that nothing of a header gets into a split's file.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.config import LabelsConfig, SeriesConfig
from radnet.errors import CaseError, PixelError, SourceError
from radnet.geometry import canonical_affine, canonical_axes, nearest_view, slice_normal
from radnet.scan.reading import read_chunk
from radnet.scan.skipped import NOT_DICOM
from radnet.series.order import Ordered, order_stack
from radnet.series.split import read_headers, split_series, with_hard_keys
from radnet.sources import Entry, list_entries
from radnet.tables import read_table
from radnet.transfer.cases import Scan
from radnet.transfer.grid import Grid
from radnet.volumes.build import turn
from radnet.volumes.decode import PixelReader
from radnet.volumes.pixels import SliceSource, check_header

UNIFORM: Final = "uniform"
LEAST_SLICES: Final = 4
"""Fewer make no volume in which an organ could be outlined."""
MAX_TILT_DEG: Final = LabelsConfig().max_tilt_deg
"""Of the normal against the body's axis; beyond it there is no view."""
CHUNK_FILES: Final = 500
_SOURCE: Final = tuple(entry.name for entry in fields(SliceSource))
_NEEDED: Final = (
    *_SOURCE,
    "patient",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
)


@dataclass(frozen=True)
class Stack:
    """The slices of one volume.

    Attributes:
        sources: Where their pixels lie, in canonical order, one a position.
        instances: SOPInstanceUID of each.
        positions: (n, 3) mm.
        orientation: (6,) cosines as stored.
        pixel_spacing: (2,) mm between rows and between columns.
        geometry: The verdict, a word of `terms.GEOMETRIES`.
        patient: Hash that is equal for stacks of one patient within one call alone; None when unnamed.
        study: StudyInstanceUID.
        series: SeriesInstanceUID.
        frame_of_reference: FrameOfReferenceUID.
        stack_id: Of the workspace's table; empty for a stack found in a folder.
    """

    sources: tuple[SliceSource, ...]
    instances: tuple[str, ...]
    positions: NDArray[np.float64]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    geometry: str
    patient: str | None
    study: str
    series: str
    frame_of_reference: str | None
    stack_id: str = ""

    @property
    def modality(self) -> str:
        """CT, MR ..."""
        return self.sources[0].Modality or ""

    @property
    def stored_shape(self) -> tuple[int, int]:
        """Rows and columns as stored."""
        return self.sources[0].Rows, self.sources[0].Columns

    @property
    def grid(self) -> Grid:
        """Where its voxels lie once they are turned to the canonical axes."""
        axes = canonical_axes(self.orientation)
        step = (self.positions[-1] - self.positions[0]) / (len(self.positions) - 1)
        affine = canonical_affine(
            self.positions[0], self.orientation, self.pixel_spacing, self.stored_shape, step
        )
        rows, columns = self.stored_shape[::-1] if axes.transpose else self.stored_shape
        return Grid((len(self.sources), rows, columns), affine)

    @property
    def refusal(self) -> str | None:
        """Why it cannot be outlined, as a code, or None."""
        if len(self.sources) < LEAST_SLICES:
            return "too_few_slices"
        if self.geometry != UNIFORM:
            return self.geometry
        if nearest_view(slice_normal(self.orientation))[1] > MAX_TILT_DEG:
            return "oblique"
        try:
            check_header(self.sources[0])
        except PixelError as error:
            return str(getattr(error, "reason", "bad_header"))
        return None


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        stacks: All of them, whatever their geometry.
        others: DICOM files that are no images of CT or MR, by path.
        n_skipped: Files that are neither, by reason.
    """

    stacks: tuple[Stack, ...]
    others: tuple[str, ...]
    n_skipped: dict[str, int] = field(default_factory=dict)


def find_stacks(data: Path | str | Sequence[Path | str], config: SeriesConfig | None = None) -> Found:
    """Read the headers below a folder and group them.

    Args:
        data: Folders, archives or files.
        config: Tolerances of the grouping; the usual ones without it.

    Raises:
        SourceError: If a source does not exist.
    """
    sources = [data] if isinstance(data, str | Path) else data
    entries = (entry for entry in list_entries(sources) if isinstance(entry, Entry))
    secret = secrets.token_bytes(32)
    rows = [read_chunk(chunk, secret) for chunk in _chunks(entries)]
    if not rows:
        return Found((), ())
    table = pl.concat(rows)
    skipped = table.drop_nulls("reason").filter(pl.col("reason") != NOT_DICOM)
    others = skipped.filter(pl.col("reason") == "unsupported_object")["path"].sort()
    images = table.filter(pl.col("reason").is_null()).sort("path", "frame")
    nameless = pl.col("SOPInstanceUID").fill_null("") == ""  # two of these are no copies of each other
    key = pl.when(nameless).then(pl.col("path")).otherwise(pl.col("SOPInstanceUID"))
    images = images.filter(pl.struct(key.alias("instance"), "frame").is_first_distinct())
    counts = dict(skipped["reason"].value_counts().sort("reason").iter_rows())
    return Found(tuple(_grouped(images, config or SeriesConfig())), tuple(others), counts)


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(entries, CHUNK_FILES)):
        yield chunk


def _grouped(images: pl.DataFrame, config: SeriesConfig) -> Iterator[Stack]:
    """Group instances as the stage of series does."""
    if images.is_empty():
        return
    keyed = with_hard_keys(images)
    headers = read_headers(keyed)
    times = keyed.select(pl.struct("TemporalPositionIdentifier", "TriggerTime").rank("dense"))
    ties = keyed.select(pl.struct("InstanceNumber", "SOPInstanceUID", "frame", "path").rank("ordinal"))
    moments, ranks = (frame.to_series().to_numpy().astype(np.int64) for frame in (times, ties))
    for series in np.unique(headers.series):
        rows = np.flatnonzero(headers.series == series)
        for stack in split_series(headers, rows, config.orientation_tolerance):
            ordered = order_stack(headers, stack, moments, ranks, config)
            if ordered.orientation is not None and keyed["PixelSpacing"][int(ordered.rows[0])] is not None:
                yield _stack(keyed, ordered)


def _stack(keyed: pl.DataFrame, ordered: Ordered) -> Stack:
    _, firsts = np.unique(ordered.slices, return_index=True)
    table = keyed[ordered.rows[firsts]].select(_NEEDED)
    assert ordered.orientation is not None
    return _made(table, ordered.orientation.tolist(), ordered.geometry)


def _made(table: pl.DataFrame, orientation: Sequence[float], geometry: str, stack_id: str = "") -> Stack:
    """Make a stack of the rows of its slices, in order."""
    first = table.row(0, named=True)
    return Stack(
        sources=tuple(SliceSource(**row) for row in table.select(_SOURCE).to_dicts()),
        instances=tuple(table["SOPInstanceUID"]),
        positions=np.array(table["ImagePositionPatient"].to_list(), float),
        orientation=tuple(orientation),
        pixel_spacing=tuple(first["PixelSpacing"]),
        geometry=geometry,
        patient=first["patient"] or None,
        study=first["StudyInstanceUID"] or "",
        series=first["SeriesInstanceUID"] or "",
        frame_of_reference=first["FrameOfReferenceUID"],
        stack_id=stack_id,
    )


def workspace_stacks(work: Path | str, stack_ids: Sequence[str] | None = None) -> Iterator[Stack]:
    """Yield the stacks of a workspace that have positions and spacing.

    Args:
        work: With 1-scan and 2-series.
        stack_ids: Those wanted; all without it.

    Raises:
        WorkspaceError: If a table is missing or damaged.
    """
    root = Path(work)
    stacks = read_table(root / "2-series/series.parquet", "group")
    if stack_ids is not None:
        stacks = stacks.filter(pl.col("stack_id").is_in(list(stack_ids)))
    stacks = stacks.drop_nulls(["orientation", "PixelSpacing"]).sort("stack_id")
    slices = read_table(root / "2-series/slices.parquet", "group", ["stack_id", "slice", "path", "frame"])
    slices = slices.join(stacks, on="stack_id", how="semi").sort("stack_id", "slice", "path", "frame")
    slices = slices.unique(["stack_id", "slice"], keep="first", maintain_order=True)
    images = read_table(root / "1-scan/instances.parquet", "scan", sorted({*_NEEDED}))
    table = slices.join(images, on=["path", "frame"], nulls_equal=True, maintain_order="left")
    parts = table.partition_by("stack_id", as_dict=True)
    for row in stacks.iter_rows(named=True):
        yield _made(parts[(row["stack_id"],)], row["orientation"], row["geometry"], row["stack_id"])


def read_stack(stack: Stack, reader: PixelReader) -> Scan:
    """Make a scan whose slices are read when they are asked for.

    Args:
        stack: Uniform, with at least two slices.
        reader: Must stay open while the scan is used.

    Raises:
        CaseError: If the stack cannot be a volume; the sentence says why.
    """
    if stack.refusal is not None:
        raise CaseError(f"series {short(stack.series)}: {stack.refusal}, so it is no volume of even slices")
    axes = canonical_axes(stack.orientation)
    read: Callable[[int], Any] = partial(_read, stack, reader, axes)
    return Scan(read, stack.grid, stack.modality)


def _read(stack: Stack, reader: PixelReader, axes: Any, number: int) -> NDArray[Any]:
    try:
        return turn(reader.read(stack.sources[number]), axes)
    except (PixelError, SourceError, OSError) as error:
        raise CaseError(
            f"slice {number + 1} of series {short(stack.series)} cannot be read "
            f"({getattr(error, 'reason', type(error).__name__)})"
        ) from error


def unturned(mask: NDArray[Any], stack: Stack) -> NDArray[Any]:
    """Bring a mask of a stack's canonical axes to its (n, rows, columns) planes as stored."""
    axes = canonical_axes(stack.orientation)
    flips = ((1,) if axes.flip_rows else ()) + ((2,) if axes.flip_columns else ())
    planes = np.flip(mask, flips)
    return np.ascontiguousarray(planes.swapaxes(1, 2) if axes.transpose else planes)


def turned_mask(stored: NDArray[Any], stack: Stack) -> NDArray[Any]:
    """Bring (n, rows, columns) planes as stored, in the order of the stack, to its canonical axes."""
    axes = canonical_axes(stack.orientation)
    return np.stack([turn(plane, axes) for plane in stored])


def short(uid: str) -> str:
    """Return digits by which a UID can be recognised in a message and that say nothing else."""
    return hashlib.sha256(uid.encode()).hexdigest()[:12]


def patients_of(stacks: Sequence[Stack]) -> list[Stack]:
    """Give each stack a patient that is the same at every call.

    Stacks of one PatientID, or where there is none of one study, get the hash of their least
    StudyInstanceUID; without that, of their series.
    """
    owners = [stack.patient or f"study {stack.study or stack.series}" for stack in stacks]
    studies: dict[str, str] = {}
    for stack, owner in zip(stacks, owners, strict=True):
        study = stack.study or stack.series
        studies[owner] = min(study, studies.get(owner, study))
    return [
        replace(stack, patient=short(studies[owner])) for stack, owner in zip(stacks, owners, strict=True)
    ]
