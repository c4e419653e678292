"""Find scans with masks in any of the usual layouts, and prepare them.

    data -> find_cases -> CaseFiles -> prepare_cases -> Case

Known layouts: LiTS (volume-N.nii, segmentation-N.nii), Medical Segmentation Decathlon and nnU-Net
(dataset.json), pairs of NIfTI files by suffix or in two folders, a table cases.csv, and DICOM series with
DICOM SEG, with a mask series or with PNG masks (CHAOS). Whatever is left out has a name and a reason.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.errors import CaseError, RadnetError
from radnet.executors import Progress, silent
from radnet.sources import open_blob
from radnet.transfer.cases import (
    PAPER,
    Case,
    CaseFiles,
    Preparation,
    Scan,
    files_digest,
    on_disk,
    prepare_scan,
)
from radnet.transfer.dicom_cases import headers_of, survey_dicom
from radnet.transfer.grid import Grid
from radnet.transfer.layouts import Survey, organ_labels, pair_case, survey_nifti
from radnet.transfer.nifti_scans import as_scan, form, read_label_map, read_scan
from radnet.transfer.stacks import Stack, find_stacks, read_stack, turned_mask
from radnet.volumes.decode import PixelReader
from radnet.volumes.intensity import Window

__all__ = ["Prepared", "find_cases", "pair_case", "prepare_case", "prepare_cases", "survey"]

CHAOS_GREYS: Final = {
    "liver": (55, 70),
    "right_kidney": (110, 135),
    "left_kidney": (175, 200),
    "kidney": (110, 200),
    "spleen": (240, 255),
}
"""Grey levels of organs in CHAOS's PNG masks of MR, from and to (its evaluation code)."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Prepared cases, and those that could not be.

    Attributes:
        cases: Sorted as asked.
        left_out: Case and the sentence why.
        n_cached: Of the cases, those taken from the cache.
    """

    cases: tuple[Case, ...]
    left_out: tuple[tuple[str, str], ...]
    n_cached: int = 0


def survey(
    data: Path | str, organ: str, labels: Sequence[int] | None = None, modality: str | None = None
) -> Survey:
    """Recognise a folder's layout and list its cases.

    Args:
        data: The folder.
        organ: A word, e.g. `liver`; it picks the labels where the data names them.
        labels: Numbers in the masks that are the organ, where the data does not name them or you know better.
        modality: CT or MR, where values alone would mislead; of DICOM series, those wanted.

    Raises:
        CaseError: If the folder is not there, no layout is recognised, or no scan has a mask.
    """
    folder = Path(data)
    if not folder.is_dir():
        raise CaseError(f"{folder}: there is no such folder; name one that holds scans and masks")
    if labels is not None and (not labels or any(number < 1 for number in labels)):
        raise CaseError("labels must be whole numbers above 0, at least one")
    if modality not in (None, "CT", "MR"):
        raise CaseError(f"modality '{modality}' is neither CT nor MR")
    found = survey_nifti(folder, organ, labels, modality) or survey_dicom(folder, organ, labels, modality)
    if found is None:
        raise CaseError(
            f"{folder}: holds neither NIfTI files nor DICOM images; expected LiTS, Decathlon, nnU-Net, pairs "
            "of NIfTI files, a table cases.csv, or DICOM series with masks"
        )
    return found


def find_cases(data: Path | str, organ: str, labels: Sequence[int] | None = None) -> list[CaseFiles]:
    """Return the cases of a folder; as `survey`, which also tells what was left out."""
    found = survey(data, organ, labels)
    _LOG.info(
        "%s: layout %s, %d cases, %d left out", data, found.layout, len(found.cases), len(found.left_out)
    )
    return list(found.cases)


def prepare_case(files: CaseFiles, wanted: Preparation = PAPER) -> Case:
    """Read a scan and its mask and bring them to the network's grid.

    Raises:
        CaseError: If the mask does not fit the scan or lacks the organ, or the scan is no volume.
        MaskError: If a NIfTI file or DICOM SEG cannot be read.
    """
    with PixelReader() as reader:
        scan = _read_nifti(files) if files.stack is None else _read_dicom(files, reader)
        return prepare_scan(scan, files, wanted)


def prepare_cases(
    cases: Sequence[CaseFiles],
    wanted: Preparation = PAPER,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Prepared:
    """Prepare cases; one that fails is left out by name.

    Args:
        cases: From `find_cases`.
        wanted: Grid and grey levels.
        cache: A folder that keeps prepared cases; they are made again when files or settings change.
        progress: Called with cases done.

    Raises:
        CaseError: If no case is left.
    """
    done: list[Case] = []
    left_out: list[tuple[str, str]] = []
    n_cached = 0
    progress(0, len(cases))
    for number, files in enumerate(cases, 1):
        try:
            case, cached = _cached(files, wanted, cache)
            done.append(case)
            n_cached += cached
        except (RadnetError, OSError) as error:
            left_out.append((files.case_id, str(error)))
        progress(number, len(cases))
    if not done:
        raise CaseError(
            f"none of {len(cases)} cases can be used; the first: {left_out[0][1]}" if cases else "no case"
        )
    return Prepared(tuple(done), tuple(left_out), n_cached)


def organ_mask(numbers: NDArray[Any], files: CaseFiles) -> NDArray[np.bool_]:
    """Return where an organ is in a label map.

    Raises:
        CaseError: If it is not there, or several labels could be it.
    """
    present = [int(number) for number in np.unique(numbers) if number]
    if files.labels:
        mask: NDArray[np.bool_] = np.isin(numbers, files.labels)
    elif len(present) <= 1:
        mask = numbers != 0
    elif files.layout == "dicom_png" and files.modality != "CT" and files.organ in CHAOS_GREYS:
        low, high = CHAOS_GREYS[files.organ]
        mask = (numbers >= low) & (numbers <= high)
    else:
        known = ", ".join(map(str, present[:12]))
        raise CaseError(
            f"case {files.case_id}: its mask holds the labels {known}; say which are {files.organ}"
        )
    if not mask.any():
        wanted = ", ".join(map(str, files.labels)) or files.organ
        held = ", ".join(map(str, present[:12])) or "nothing"
        raise CaseError(f"case {files.case_id}: no voxel of its mask is {wanted}; it holds {held}")
    return mask


def _read_nifti(files: CaseFiles) -> Scan:
    image = read_scan(files.image[0])
    numbers = read_label_map(files.mask[0], image)
    return as_scan(image, files.modality, organ_mask(numbers, files))


def _read_dicom(files: CaseFiles, reader: PixelReader) -> Scan:
    stack: Stack = files.stack
    scan = read_stack(stack, reader)
    read = {"dicom_seg": _seg_planes, "dicom_series": _series_planes, "dicom_png": _png_planes}[files.layout]
    mask = turned_mask(read(files), stack)
    return Scan(scan.read_slice, scan.grid, scan.modality, mask)


def _seg_planes(files: CaseFiles) -> NDArray[Any]:
    """Read segments from a DICOM SEG, in the order of the stack."""
    from radnet.masks.seg_reading import read_seg

    headers, frames = headers_of(files.stack)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they may quote header values
        found = read_seg(_unpacked(files.mask[0], Path(folder)), headers, frames)
    names = list(found.masks)
    numbers = {name: (number,) for number, name in enumerate(names, 1)}
    chosen = organ_labels(numbers, files.organ, f"case {files.case_id}")
    return np.asarray(np.any([found.masks[names[number - 1]] for number in chosen], axis=0))


def _unpacked(path: str, folder: Path) -> Path:
    """Return a file on disk, copied there if it lies in an archive."""
    if Path(path).is_file():
        return Path(path)
    with open_blob(path) as blob:
        (folder / "mask.dcm").write_bytes(blob.pread(0, blob.size))
    return folder / "mask.dcm"


def _series_planes(files: CaseFiles) -> NDArray[Any]:
    """Read a mask series, whose slices were matched when it was found."""
    slices = set(files.mask)
    held = find_stacks(sorted({on_disk(path) for path in files.mask})).stacks
    found = [stack for stack in held if stack.sources[0].path in slices and not stack.refusal]
    if len(found) != 1:
        raise CaseError(
            f"case {files.case_id}: its mask series is not one volume any more; list the data again"
        )
    with PixelReader() as reader:
        planes = np.stack([reader.read(source) for source in found[0].sources])
    return organ_mask(planes.astype(np.int64), files)


def _png_planes(files: CaseFiles) -> NDArray[Any]:
    planes = [_read_png(Path(path)) for path in files.mask]
    expected = files.stack.stored_shape
    for path, plane in zip(files.mask, planes, strict=True):
        if plane.shape != expected:
            raise CaseError(
                f"case {files.case_id}: {Path(path).name} is {form(plane.shape)}, its slice {form(expected)}"
            )
    return organ_mask(np.stack(planes), files)


def _read_png(path: Path) -> NDArray[Any]:
    try:
        plane = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise CaseError(f"{path} cannot be read as PNG ({type(error).__name__})") from error
    if plane is None:
        raise CaseError(f"{path} is no PNG file; export it again")
    if plane.ndim == 3:
        if not (plane[..., :3] == plane[..., :1]).all():
            raise CaseError(f"{path} is coloured; a mask needs one grey level for each organ")
        plane = plane[..., 0]
    return np.asarray(plane)


def _cached(files: CaseFiles, wanted: Preparation, cache: Path | None) -> tuple[Case, bool]:
    if cache is None:
        return prepare_case(files, wanted), False
    digest = files_digest(files, wanted)
    path = cache / f"{files.case_id}.npz"
    found = _load(path, digest, files)
    if found is not None:
        return found, True
    case = prepare_case(files, wanted)
    cache.mkdir(parents=True, exist_ok=True)
    _save(case, path, digest)
    return case, False


def _save(case: Case, path: Path, digest: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as handle:
        np.savez(
            handle,
            digest=digest,
            image=case.image,
            mask=case.mask,
            affine=case.affine,
            scan_shape=case.scan.shape,
            scan_affine=case.scan.affine,
            packed_mask=np.frombuffer(case.packed_mask, np.uint8),
            window=case.window,
            modality=case.modality,
        )
    partial.replace(path)


def _load(path: Path, digest: str, files: CaseFiles) -> Case | None:
    """Return a kept case, or None when there is none of these files and settings."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["digest"]) != digest:
                return None
            affine = kept["affine"]
            slices, rows, columns = map(int, kept["scan_shape"])
            return Case(
                case_id=files.case_id,
                patient_id=files.patient_id,
                image=kept["image"],
                mask=kept["mask"],
                affine=affine,
                spacing_mm=np.linalg.norm(affine[:3, :3], axis=0),
                scan=Grid((slices, rows, columns), kept["scan_affine"]),
                packed_mask=kept["packed_mask"].tobytes(),
                window=Window(*map(float, kept["window"])),
                modality=str(kept["modality"]),
                organ=files.organ,
            )
    except (OSError, ValueError, KeyError, EOFError):
        return None
