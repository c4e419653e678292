"""NIfTI files as scans in the canonical axes of their view of acquisition, and masks back into such files.

NIfTI does not name the view. The header's slice axis says it where it is filled in; else an axis much coarser
than the others is the slice axis; else the last one stored, as converters from DICOM write it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from radnet.errors import CaseError
from radnet.masks.nifti import NiftiVolume, read_nifti
from radnet.transfer.cases import Scan
from radnet.transfer.grid import Grid, Mask, same_place

COARSER: Final = 1.2
"""An axis is the slice axis when its voxels are so many times longer than those of any other."""
MAX_TILT_DEG: Final = 20.0
"""Of an axis against the body's; beyond it there is no view, as at the label stage."""
MAX_SHEAR_DEG: Final = 1.0
"""Largest departure of two axes from a right angle."""
CT_BELOW: Final = -100.0
"""Only Hounsfield units go so far below 0 (fat is near -100, air -1000); MR is not negative."""
SAME_PLACE: Final = 0.5
"""Most that corners of image and mask may be apart, as a share of the shortest side of a voxel."""

_VIEW_OF_AXIS: Final = {0: "sagittal", 1: "coronal", 2: "axial"}
_TURNS: Final = {
    "axial": ((0, 1, 2), ()),
    "coronal": ((1, 0, 2), (1,)),
    "sagittal": ((2, 0, 1), (0, 1)),
}
"""From axial axes: the order of axes, then those that are reversed (see `radnet.geometry`)."""


@dataclass(frozen=True)
class NiftiScan:
    """A NIfTI volume in the canonical axes of its view.

    Attributes:
        values: (slices, rows, columns).
        grid: Where they lie.
        view: axial, coronal or sagittal.
        path: Where it was read.
    """

    values: NDArray[Any]
    grid: Grid
    view: str
    path: Path


def read_scan(path: Path | str) -> NiftiScan:
    """Read a NIfTI file in the axes of its view.

    Raises:
        MaskError: If it is no three-dimensional NIfTI that says where it lies.
        CaseError: If its axes are sheared or oblique.
    """
    volume = read_nifti(path)
    _refuse_askew(volume)
    view = _view(Path(path))
    return _turned(volume, view)


def read_label_map(path: Path | str, scan: NiftiScan) -> NDArray[np.int64]:
    """Read a label map that lies on the grid of a scan.

    Returns:
        Numbers, of the scan's shape and axes.

    Raises:
        MaskError: If it is no three-dimensional NIfTI that says where it lies.
        CaseError: If it does not fit the scan, or holds other than whole numbers.
    """
    label_map = _turned(read_nifti(path), scan.view)
    if label_map.values.shape != scan.values.shape:
        raise CaseError(
            f"mask {path} is {form(label_map.values.shape)} and image {scan.path} {form(scan.values.shape)} "
            "(slices, rows, columns); take the mask that was drawn on this image"
        )
    tolerance_mm = SAME_PLACE * float(scan.grid.spacing_mm.min())
    if not same_place(label_map.grid.affine, scan.grid.affine, scan.grid.shape, tolerance_mm):
        raise CaseError(
            f"mask {path} lies elsewhere in the patient than image {scan.path} (their affines differ by more "
            f"than {tolerance_mm:.2g} mm); write the mask with the image's header"
        )
    numbers = np.asarray(np.rint(np.nan_to_num(label_map.values, nan=-1)), np.int64)
    if not np.array_equal(numbers, label_map.values):
        raise CaseError(
            f"mask {path} holds other than whole numbers; export the label map, not probabilities"
        )
    return numbers


def modality_of(values: NDArray[Any]) -> str:
    """Say whether values are Hounsfield units (CT) or not (MR)."""
    lowest = float(np.nanmin(values)) if values.size else 0.0
    return "CT" if lowest <= CT_BELOW else "MR"


def as_scan(nifti: NiftiScan, modality: str | None = None, mask: NDArray[Any] | None = None) -> Scan:
    """Make a scan of what was read."""
    return Scan(nifti.values.__getitem__, nifti.grid, modality or modality_of(nifti.values), mask)


def write_mask(mask: Mask, scan: NiftiScan, path: Path) -> None:
    """Write a mask with the shape and affine of the file that a scan was read from, whole or not at all.

    Args:
        mask: 0 or 1, on the scan's grid.
        scan: As `read_scan` gave it.
        path: A .nii or .nii.gz file.
    """
    source: Any = nib.load(scan.path)
    order, reversed_axes = _TURNS[scan.view]
    axial = np.flip(mask, reversed_axes).transpose(np.argsort(order))
    ras = np.flip(axial.transpose(2, 1, 0), (0, 1))
    orientation = io_orientation(source.affine)
    stored = ras.transpose(orientation[:, 0].astype(int))
    stored = np.flip(stored, tuple(np.flatnonzero(orientation[:, 1] < 0).tolist()))
    write_volume(np.ascontiguousarray(stored, np.uint8), source.affine, path, source)


def write_volume(stored: NDArray[np.uint8], affine: NDArray[Any], path: Path, source: Any = None) -> None:
    """Write a mask as NIfTI, whole or not at all.

    Args:
        stored: 0 or 1, in the order of axes of the file.
        affine: (4, 4) to RAS mm.
        path: A .nii or .nii.gz file.
        source: A NIfTI image whose codes of sform and qform are taken over.
    """
    image: Any = nib.Nifti1Image(stored, affine)
    if source is None:
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
    else:
        image.set_sform(source.get_sform(), int(source.header["sform_code"]))
        image.set_qform(source.get_qform(), int(source.header["qform_code"]))
    image.header.set_xyzt_units("mm")
    suffix = "nii.gz" if path.name.endswith(".gz") else "nii"
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial.{suffix}")
    try:
        nib.save(image, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def form(shape: tuple[int, ...]) -> str:
    """Write a shape."""
    return " x ".join(map(str, shape))


def _view(path: Path) -> str:
    image: Any = nib.load(path)
    zooms = np.asarray(image.header.get_zooms()[:3], float)
    axis = image.header.get_dim_info()[2]
    if axis is None:
        order = np.argsort(zooms)
        axis = int(order[-1]) if zooms[order[-1]] >= COARSER * zooms[order[-2]] else 2
    return _VIEW_OF_AXIS[int(io_orientation(image.affine)[axis, 0])]


def _turned(volume: NiftiVolume, view: str) -> NiftiScan:
    """Turn axial axes to those of a view."""
    order, reversed_axes = _TURNS[view]
    values = volume.values.transpose(order)
    affine = volume.affine[:, [*order, 3]]
    for axis in reversed_axes:
        affine[:3, 3] += affine[:3, axis] * (values.shape[axis] - 1)
        affine[:3, axis] *= -1
    values = np.flip(values, reversed_axes)
    slices, rows, columns = values.shape
    return NiftiScan(values, Grid((slices, rows, columns), affine), view, volume.path)


def _refuse_askew(volume: NiftiVolume) -> None:
    unit = volume.affine[:3, :3] / volume.spacing_mm
    cosines = np.abs((unit.T @ unit)[np.triu_indices(3, 1)])
    shear = float(np.degrees(np.arcsin(min(1.0, float(cosines.max())))))
    if shear > MAX_SHEAR_DEG:
        raise CaseError(
            f"image {volume.path} is sheared by {shear:.1f} degrees (gantry tilt); resample it to axes at "
            "right angles"
        )
    if volume.tilt_deg > MAX_TILT_DEG:
        raise CaseError(
            f"image {volume.path} is oblique ({volume.tilt_deg:.0f} degrees off the body's axes; at most "
            f"{MAX_TILT_DEG:g}); resample it to an axial, coronal or sagittal grid"
        )
