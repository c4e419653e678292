"""Read and write NIfTI files in our conventions.

NIfTI counts voxels along its own axes and measures in RAS (x to the right, y to the front); everything here
is LPS, and arrays are (slice, row, column) of an axial stack as `radnet.geometry` has it: slices to the head,
rows to the back, columns to the left. Axes are turned and mirrored as a whole, nothing is interpolated.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.openers import ImageOpener
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from radnet.errors import MaskError

RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
LEAST_SPACING_MM: Final = 1e-3
"""A smaller distance between voxels is no distance."""
COMPRESSION: Final = 6
"""Of gzip."""


@dataclass(frozen=True)
class NiftiVolume:
    """A volume in the patient's frame.

    Attributes:
        values: (slice, row, column), as stored, scaled if the file says so.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm at voxel centres.
        path: Where it was read.
    """

    values: NDArray[Any]
    affine: NDArray[np.float64]
    path: Path

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance between slices, rows and columns."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def tilt_deg(self) -> float:
        """Largest angle between an axis of the array and that of the body it runs along."""
        cosines = self.affine[:3, :3] / self.spacing_mm
        along = np.clip(np.abs(cosines[[2, 1, 0], [0, 1, 2]]), 0, 1)
        return float(np.degrees(np.arccos(along.min())))


def read_nifti(path: Path | str) -> NiftiVolume:
    """Read a volume of three dimensions.

    Args:
        path: A .nii or .nii.gz file.

    Raises:
        MaskError: If the file is missing, no NIfTI, not three-dimensional, or does not say where it lies.
    """
    path = Path(path)
    if not path.is_file():
        raise MaskError(f"{path} is not there; name a NIfTI file (.nii, .nii.gz)")
    try:
        image: Any = nib.load(path)
        if not isinstance(image, nib.Nifti1Pair):
            raise MaskError(f"{path} is a {type(image).__name__}; expected a NIfTI file (.nii, .nii.gz)")
        affine = _checked_affine(image, path)
        values = np.asanyarray(image.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise MaskError(
            f"{path} cannot be read as NIfTI ({type(error).__name__}); export it again"
        ) from error
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3 or min(values.shape) < 1:
        shape = " x ".join(map(str, values.shape))
        raise MaskError(f"{path} has the shape {shape}; expected three dimensions: split it into volumes")
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    turned = affine @ inv_ornt_aff(turn, values.shape)
    # nibabel counts x first, we count slices first
    values = apply_orientation(values, turn).transpose(2, 1, 0)
    ours = RAS_TO_LPS @ turned
    return NiftiVolume(values, ours[:, [2, 1, 0, 3]], path)


def _checked_affine(image: Any, path: Path) -> NDArray[np.float64]:
    """Return the affine to RAS mm, once it is sure that there is one."""
    with ImageOpener(str(path)) as stored:  # as it is written: nibabel mends a missing spacing to 1 mm
        header = type(image.header).from_fileobj(stored, check=False)
    zooms = np.asarray(header["pixdim"][1 : 1 + min(3, int(header["dim"][0]))], float)
    if len(zooms) < 3:
        raise MaskError(f"{path} has {len(zooms)} dimensions; expected three")
    if not (np.isfinite(zooms).all() and (np.abs(zooms) > LEAST_SPACING_MM).all()):
        raise MaskError(f"{path} does not say how far its voxels are apart (pixdim); write it with a spacing")
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        raise MaskError(
            f"{path} has neither sform nor qform, so left and right are unknown; write one of them"
        )
    affine = np.asarray(image.affine, float)
    if not np.isfinite(affine).all():
        raise MaskError(f"{path} has an affine with numbers that are not finite; write it again")
    if not (np.linalg.norm(affine[:3, :3], axis=0) > LEAST_SPACING_MM).all() or _flat(affine):
        raise MaskError(f"{path} has an affine that does not span a volume; write it again")
    return affine


def _flat(affine: NDArray[np.float64]) -> bool:
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(abs(np.linalg.det(unit)) < 0.1)


def write_nifti_mask(path: Path | str, mask: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write a mask or label map; equal arguments give equal bytes.

    Args:
        path: Final name, .nii or .nii.gz; the file appears whole or not at all.
        mask: (slices, rows, columns) of whole numbers from 0 to 32767 or truth values.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm; the file gets it in RAS, both as sform and as
            qform where the axes are at right angles.

    Raises:
        MaskError: If the name, the shape, the numbers or the affine cannot be a mask's.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise MaskError(f"{path} is no name of a NIfTI file; end it in .nii or .nii.gz")
    if mask.ndim != 3 or mask.size == 0:
        raise MaskError(f"{path}: a mask has {mask.ndim} dimensions; expected slices, rows and columns")
    if mask.dtype.kind not in "bui" or mask.min() < 0 or mask.max() > np.iinfo(np.int16).max:
        raise MaskError(f"{path}: a mask holds whole numbers from 0 to {np.iinfo(np.int16).max}")
    affine = np.asarray(affine, float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or _collapsed(affine):
        raise MaskError(f"{path}: the affine does not span a volume")
    kind = np.uint8 if mask.max() <= np.iinfo(np.uint8).max else np.int16
    image = nib.Nifti1Image(
        np.ascontiguousarray(mask.transpose(2, 1, 0)).astype(kind), RAS_TO_LPS @ affine[:, [2, 1, 0, 3]]
    )
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, COMPRESSION, mtime=0)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _collapsed(affine: NDArray[np.float64]) -> bool:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return bool((spacing <= LEAST_SPACING_MM).any()) or _flat(affine)
