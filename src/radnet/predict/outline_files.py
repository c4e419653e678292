"""Outline one DICOM stack or NIfTI file and write what was found beside the others.

A stack's mask is written on its stored slices, in the order of the stack: as NIfTI whose affine says where
they lie, and as DICOM SEG that names them. Reasons are codes; sentences hold no text of a header.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.errors import CaseError, MaskError, RadnetError
from radnet.figures.outlined_scan import middle_and_largest, outlined_slices
from radnet.masks.nifti import RAS_TO_LPS
from radnet.masks.seg import write_seg
from radnet.predict.outline_scan import Outline, Tools, outline_scan
from radnet.sources import open_blob
from radnet.transfer.cases import Scan
from radnet.transfer.dicom_cases import headers_of
from radnet.transfer.grid import Mask, volume_ml
from radnet.transfer.nifti_scans import as_scan, read_scan, write_mask, write_volume
from radnet.transfer.stacks import LEAST_SLICES, Stack, read_stack, unturned
from radnet.volumes.decode import PixelReader
from radnet.volumes.intensity import Window, grey_levels
from radnet.volumes.pixels import SliceError

LABEL_VALUES: Final = 32
"""A NIfTI file of no more distinct whole numbers is a label map."""
LARGEST_BYTES: Final = 4 << 30
"""A file in an archive is not unpacked beyond this."""
CT_SHOWN: Final = Window(-160.0, 240.0)
"""HU of a picture: soft tissue, whatever window the segmenter takes."""
Row = dict[str, Any]


def outline_stack(stack: Stack, tools: Tools, folder: Path, name: str, picture: bool) -> Row:
    """Outline a stack and write its files.

    Args:
        stack: Uniform, of grey-level slices.
        tools: What outlines.
        folder: Where files go.
        name: Their names begin with it.
        picture: Whether to draw one.

    Returns:
        Columns of the table of outlines.

    Raises:
        CaseError: If a slice cannot be read.
        NetworkError: If a network cannot run.
        OSError: If a file cannot be written.
    """
    with PixelReader() as reader:
        scan = read_stack(stack, reader)
        found = outline_scan(scan, tools)
        row = _row(found, scan, tools)
        if row["reason"] is not None:
            return row
        began, stem = time.perf_counter(), f"{name}-{tools.segmenter.spec.organ}"
        stored = unturned(found.mask, stack)
        row["nifti"] = f"{stem}.nii.gz"
        write_volume(
            np.ascontiguousarray(stored.transpose(2, 1, 0)), stored_affine(stack), folder / row["nifti"]
        )
        row.update(_write_seg(stored, stack, tools, folder, f"{stem}.dcm"))
        if picture:
            row["picture"] = _write_picture(found, scan, folder / f"{stem}.png")
    return {**row, "write_seconds": time.perf_counter() - began}


def outline_nifti(path: str, tools: Tools, folder: Path, name: str, picture: bool) -> Row:
    """Outline a NIfTI file and write its mask with the same shape and affine; as `outline_stack`.

    Raises:
        SliceError: If it has too few slices or is a label map.
        CaseError: If it is sheared or oblique.
        MaskError: If it is no NIfTI that says where it lies.
    """
    with _on_disk(path) as file:
        try:
            nifti = read_scan(file)
        except (CaseError, MaskError) as error:
            raise type(error)(str(error).replace(str(file), path)) from error
        _refuse_no_scan(nifti.values, path)
        scan = as_scan(nifti)
        found = outline_scan(scan, tools)
        row = _row(found, scan, tools)
        if row["reason"] is None:
            began, stem = time.perf_counter(), f"{name}-{tools.segmenter.spec.organ}"
            row["nifti"] = f"{stem}.nii.gz"
            write_mask(found.mask, nifti, folder / row["nifti"])
            if picture:
                row["picture"] = _write_picture(found, scan, folder / f"{stem}.png")
            row["write_seconds"] = time.perf_counter() - began
    return row


def stored_affine(stack: Stack) -> NDArray[np.float64]:
    """Return the (4, 4) affine of NIfTI, from (column, row, slice, 1) of the stored slices to RAS mm."""
    row, column = np.reshape(np.asarray(stack.orientation, float), (2, 3))
    between_rows, between_columns = stack.pixel_spacing
    step = (stack.positions[-1] - stack.positions[0]) / (len(stack.positions) - 1)
    lps = np.eye(4)
    lps[:3] = np.column_stack([row * between_columns, column * between_rows, step, stack.positions[0]])
    return np.asarray(RAS_TO_LPS @ lps)


def _row(found: Outline, scan: Scan, tools: Tools) -> Row:
    organ = tools.segmenter.spec.organ
    areas = np.count_nonzero(found.mask, axis=(1, 2))
    held = np.flatnonzero(areas)
    proposal = found.proposal
    row: Row = {
        "Modality": scan.modality,
        "n_slices": len(areas),
        "read_seconds": found.read_seconds,
        "network_seconds": found.network_seconds,
        "region_score": max(proposal.scores) if proposal else None,
        "region_found": not proposal.fallback if proposal else None,
        "n_windows": len(proposal.chosen) if proposal else None,
        "reason": None,
    }
    if not held.size:
        return {**row, "reason": "no_organ", "explanation": f"the segmenter finds no {organ} in it"}
    return {
        **row,
        "volume_ml": volume_ml(found.mask, scan.grid),
        "n_voxels": int(areas.sum()),
        "first_slice": int(held[0]),
        "last_slice": int(held[-1]),
        "cut_off": bool(held[0] == 0 or held[-1] == len(areas) - 1),
    }


def _write_seg(stored: Mask, stack: Stack, tools: Tools, folder: Path, name: str) -> Row:
    """Write DICOM SEG; where a header lacks what it must refer to, the row says so."""
    segmenter = tools.segmenter
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they may quote header values
            headers, frames = headers_of(stack)
            write_seg(
                folder / name,
                {segmenter.spec.organ: stored},
                headers,
                frames=frames,
                description=f"{segmenter.spec.organ} outlined by RADNet",
                algorithm=segmenter.folder.name or "segmenter",
            )
    except RadnetError as error:
        return {"seg": None, "seg_refused": str(error)}
    return {"seg": name, "seg_refused": None}


def _write_picture(found: Outline, scan: Scan, path: Path) -> str:
    chosen = middle_and_largest(np.count_nonzero(found.mask, axis=(1, 2)))
    shown = CT_SHOWN if scan.modality == "CT" else found.window
    planes = [grey_levels(np.nan_to_num(scan.read_slice(number)), shown) for number in chosen]
    masks = [found.mask[number] for number in chosen]
    _, row_mm, column_mm = (float(length) for length in scan.grid.spacing_mm)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(outlined_slices(planes, masks, (row_mm, column_mm)))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.name


def _refuse_no_scan(values: NDArray[Any], path: str) -> None:
    if values.dtype.kind not in "biuf":
        raise SliceError("colour", f"{path}: its values are colours or complex numbers")
    if len(values) < LEAST_SLICES:
        raise SliceError(
            "too_few_slices", f"{path}: has {len(values)} slices; a volume has {LEAST_SLICES} or more"
        )
    distinct = np.unique(values[:: max(1, len(values) // 24)])
    if len(distinct) <= LABEL_VALUES and np.array_equal(distinct, np.rint(distinct)):
        raise SliceError("label_map", f"{path}: holds few whole numbers: a label map, no scan")


@contextmanager
def _on_disk(path: str) -> Iterator[Path]:
    """Give a file of its own to what lies in an archive."""
    if Path(path).is_file():
        yield Path(path)
        return
    suffix = ".nii.gz" if path.lower().endswith(".gz") else ".nii"
    with open_blob(path) as blob, tempfile.NamedTemporaryFile(suffix=suffix) as copy:
        if blob.size > LARGEST_BYTES:
            raise SliceError("too_large", f"{path}: is larger than {LARGEST_BYTES >> 30} GiB")
        copy.write(blob.pread(0, blob.size))
        copy.flush()
        yield Path(copy.name)
