"""Make the network's volume of a NIfTI file, which has no header that tells plane or modality.

The plane of the slices is the one across the largest spacing; without a clear one, the file's third axis,
where converters from DICOM put the slices. Values far below zero are Hounsfield units. A file of few whole
numbers is a label map and no scan.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from radnet.config import VolumesConfig
from radnet.errors import MaskError
from radnet.geometry import effective_spacing, padded_affine, resized_affine
from radnet.masks.nifti import NiftiVolume, read_nifti
from radnet.sources.blob import Blob
from radnet.sources.opening import open_blob
from radnet.volumes.build import BuiltVolume
from radnet.volumes.intensity import choose_window, grey_levels
from radnet.volumes.pixels import SliceError
from radnet.volumes.resize import blank_slices, pad_slices, resize_stack

SUFFIXES: Final = (".nii", ".nii.gz")
THICK: Final = 1.3
"""Times that one spacing must be larger than both others to tell the plane of the slices."""
HOUNSFIELD_BELOW: Final = -200.0
"""CT has air or fat below it; MR has no values of that size below zero."""
LABEL_VALUES: Final = 64
"""A file of fewer whole numbers is a label map."""
LARGEST_BYTES: Final = 4 << 30
"""A file in an archive is not unpacked beyond this."""
_BLOCK: Final = 1 << 20
_AXES: Final = ("sagittal", "coronal", "axial")
"""The view whose slices follow each other along x, y and z."""

# of a (z, y, x) array in LPS to (slice, row, column) of each view: order of axes, then those turned round
_TURNS: Final = {"axial": ((0, 1, 2), ()), "coronal": ((1, 0, 2), (1,)), "sagittal": ((2, 0, 1), (0, 1))}


@dataclass(frozen=True, slots=True)
class NiftiTask:
    """A NIfTI file to predict.

    Attributes:
        stack_id: 16 hex digits of its path.
        path: Where it lies; archive.zip!member inside an archive.
        inputs: Digest of path, size and time of change.
    """

    stack_id: str
    path: str
    inputs: str


@dataclass(frozen=True, slots=True)
class BuiltNifti:
    """A volume and what the file tells of it.

    Attributes:
        volume: As of a DICOM series.
        view: Plane of the slices.
        modality: CT or MR, by the values.
        n_slices: In the file.
        effective_spacing_mm: Between slices of the volume.
    """

    volume: BuiltVolume
    view: str
    modality: str
    n_slices: int
    effective_spacing_mm: float


def is_nifti(path: str) -> bool:
    """Tell by its name whether a file is NIfTI."""
    return path.lower().endswith(SUFFIXES)


def nifti_task(path: str, size: int | None, mtime_ns: int | None) -> NiftiTask:
    """Name a NIfTI file."""
    name = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return NiftiTask(name, path, f"nifti {size} {mtime_ns}")


def build_nifti(path: str, config: VolumesConfig, min_slices: int) -> BuiltNifti:
    """Build the volume of a file.

    Args:
        path: As in a `NiftiTask`.
        config: Shape and intensity.
        min_slices: Fewest slices.

    Raises:
        MaskError: If the file is no NIfTI, has no spacing or orientation, or is not three-dimensional.
        SliceError: If it has too few slices or is a label map.
        OSError: If it cannot be read.
        SourceError: If the archive that holds it is damaged.
    """
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what it mends is refused here
    with _on_disk(path) as file:
        try:
            found = read_nifti(file)
        except MaskError as error:  # a copy that is gone is no place to name
            raise MaskError(str(error).replace(str(file), path)) from error
        view = _plane(found, file)
    if found.values.dtype.kind not in "biuf":
        raise SliceError("colour", "its values are colours or complex numbers")
    _refuse_label_map(found.values)
    order, turned = _TURNS[view]
    values = np.flip(found.values.transpose(order), turned)
    affine = _turned_affine(found.affine, found.values.shape, view)
    n_slices = len(values)
    if n_slices < min_slices:
        raise SliceError("too_few_slices", f"has {n_slices} slices")
    modality = "CT" if float(np.nanmin(values)) < HOUNSFIELD_BELOW else "MR"
    resized = resize_stack(lambda number: _finite(values[number]), n_slices, config.shape)
    grey = grey_levels(resized, window := choose_window(resized, modality, config))
    blank = blank_slices(n_slices, config.shape[0])
    placed = resized_affine(affine, values.shape, (min(n_slices, config.shape[0]), *config.shape[1:]))
    volume = BuiltVolume(pad_slices(grey, config.shape[0]), padded_affine(placed, blank[0]), window, *blank)
    spacing_mm = float(np.linalg.norm(affine[:3, 0]))
    return BuiltNifti(
        volume, view, modality, n_slices, effective_spacing(n_slices, spacing_mm, config.shape[0])
    )


@contextmanager
def _on_disk(path: str) -> Iterator[Path]:
    """Give a file of its own to what lies in an archive."""
    if Path(path).is_file():
        yield Path(path)
        return
    suffix = next(end for end in reversed(SUFFIXES) if path.lower().endswith(end))
    with open_blob(path) as blob, tempfile.NamedTemporaryFile(suffix=suffix) as copy:
        _unpack(blob, copy)
        copy.flush()
        yield Path(copy.name)


def _unpack(blob: Blob, copy: Any) -> None:
    if blob.size > LARGEST_BYTES:
        raise SliceError("too_large", f"has {blob.size:,} bytes")
    for offset in range(0, blob.size, _BLOCK):
        copy.write(blob.pread(offset, _BLOCK))


def _plane(found: NiftiVolume, path: Path) -> str:
    """Say which plane the slices lie in."""
    x_mm, y_mm, z_mm = found.spacing_mm[::-1]
    ordered = sorted(((x_mm, 0), (y_mm, 1), (z_mm, 2)), reverse=True)
    if ordered[0][0] > THICK * ordered[1][0]:
        return _AXES[ordered[0][1]]
    image: Any = nib.load(path)
    return _AXES[int(io_orientation(image.affine)[2][0])]


def _turned_affine(affine: NDArray[np.float64], shape: tuple[int, ...], view: str) -> NDArray[np.float64]:
    order, turned = _TURNS[view]
    columns = affine[:, [*order, 3]].copy()
    for axis in turned:
        columns[:, 3] += columns[:, axis] * (shape[order[axis]] - 1)
        columns[:, axis] *= -1
    return columns


def _refuse_label_map(values: NDArray[Any]) -> None:
    sample = values[:: max(1, len(values) // 24)]
    whole = np.issubdtype(sample.dtype, np.integer) or bool(np.all(np.mod(sample, 1) == 0))
    if whole and len(np.unique(sample)) < LABEL_VALUES:
        raise SliceError("label_map", "holds few whole numbers")


def _finite(plane: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(plane, np.float32)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
