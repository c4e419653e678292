"""Bring scans and masks from the grid they were scanned on to the one a network sees, and masks back.

Slices lie exactly `slice_mm` apart on the network's grid, centred in the scan, and the plane becomes a square
matrix as in pretraining, whatever its millimetres: the centre of the scan stays the centre, half-pixel
centres hold in plane. Nothing is averaged along slices. A mask is averaged in plane, so that its volume
survives a coarse matrix; an image is not, since the backbone never saw averaged ones
(`radnet.volumes.resize`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from radnet.volumes.resize import SliceWeights, resize_plane

Affine = NDArray[np.float64]
Shape = tuple[int, int, int]
Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

HALF: Final = 0.5
"""Share of a voxel from which it counts as inside."""
MM3_PER_ML: Final = 1000.0


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an array lie.

    Attributes:
        shape: Slices, rows, columns.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm at voxel centres.
    """

    shape: Shape
    affine: Affine

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """(3,) distance between slices, rows and columns."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / MM3_PER_ML

    def resampled(self, slice_mm: float, matrix: int) -> Grid:
        """Return the network's grid over the same scan.

        Args:
            slice_mm: Distance of its slices.
            matrix: Its rows and columns.
        """
        n_slices, rows, columns = self.shape
        step = slice_mm / float(self.spacing_mm[0])
        n_new = max(1, round(n_slices / step))
        index = np.diag([step, rows / matrix, columns / matrix, 1.0])
        index[0, 3] = (n_slices - 1) / 2 - step * (n_new - 1) / 2
        index[1:3, 3] = np.array([rows, columns]) / matrix / 2 - 0.5
        return Grid((n_new, matrix, matrix), self.affine @ index)


def slice_sources(there: Grid, wanted: Grid) -> SliceWeights:
    """Say how each slice of one grid is mixed of two of another over the same scan.

    Beyond the outermost slices, half a slice on each side, the outermost is repeated.
    """
    index = np.linalg.solve(there.affine, wanted.affine)
    centres = np.clip(index[0, 3] + index[0, 0] * np.arange(wanted.shape[0]), 0, there.shape[0] - 1)
    centres = np.where(np.abs(centres - np.rint(centres)) < 1e-6, np.rint(centres), centres)
    lower = np.floor(centres).astype(np.int64)
    weight = (centres - lower).astype(np.float32)
    return SliceWeights(lower, lower + (weight > 0), weight)


def resample_image(read_slice: Callable[[int], NDArray[Any]], there: Grid, wanted: Grid) -> Floats:
    """Resample a scan linearly, reading only the slices that this needs, each once.

    Args:
        read_slice: Returns slice i of the scan as (rows, columns).
        there: The scan's grid.
        wanted: From `Grid.resampled` of it.

    Returns:
        Values of the shape of `wanted`.
    """
    rows, columns = wanted.shape[1:]
    return _mixed(lambda number: resize_plane(read_slice(number), rows, columns), there, wanted)


def resample_mask(mask: NDArray[Any], there: Grid, wanted: Grid) -> Mask:
    """Bring a mask of the scan's grid to the network's.

    Args:
        mask: (slices, rows, columns), zero outside.
        there: Its grid.
        wanted: From `Grid.resampled` of it.

    Returns:
        0 or 1; 1 where at least half of the voxel is inside.
    """
    shares = _mixed(lambda number: _averaged(mask[number], *wanted.shape[1:]), there, wanted)
    return (shares >= HALF).astype(np.uint8)


def restore_slices(inside: NDArray[Any], there: Grid, scan: Grid) -> Iterator[Mask]:
    """Yield a mask slice by slice on the grid of the scan.

    Args:
        inside: Probability, or 0 and 1, on the network's grid.
        there: The network's grid.
        scan: The grid that it was resampled from.
    """
    lower, upper, weight = slice_sources(there, scan)
    rows, columns = scan.shape[1:]
    for first, second, share in zip(lower.tolist(), upper.tolist(), weight, strict=True):
        plane = np.asarray(inside[first], np.float32)
        if second != first:
            plane = plane + share * (np.asarray(inside[second], np.float32) - plane)
        if plane.max() < HALF:
            yield np.zeros((rows, columns), np.uint8)
        else:
            yield (resize_plane(plane, rows, columns) >= HALF).astype(np.uint8)


def restore_mask(inside: NDArray[Any], there: Grid, scan: Grid) -> Mask:
    """Bring a mask or probabilities of the network's grid back to the scan's.

    Args:
        inside: Probability, or 0 and 1, on the network's grid.
        there: The network's grid.
        scan: The grid that it was resampled from.

    Returns:
        0 or 1, of the scan's shape.
    """
    return np.stack(list(restore_slices(inside, there, scan)))


def volume_ml(mask: NDArray[Any], grid: Grid) -> float:
    """Return the volume of what is not zero."""
    return float(np.count_nonzero(mask)) * grid.voxel_ml


def same_place(first: ArrayLike, second: ArrayLike, shape: Shape, tolerance_mm: float) -> bool:
    """Say whether two affines put all corners of an array within a tolerance of each other."""
    corners = np.array([[*corner, 1.0] for corner in np.ndindex(2, 2, 2)])
    corners[:, :3] *= np.array(shape) - 1
    apart = corners @ (np.asarray(first, float) - np.asarray(second, float)).T
    return bool(np.abs(apart).max() <= tolerance_mm)


def _mixed(plane_of: Callable[[int], Floats], there: Grid, wanted: Grid) -> Floats:
    lower, upper, weight = slice_sources(there, wanted)
    result = np.empty(wanted.shape, np.float32)
    planes: dict[int, Floats] = {}
    for plane, first, second, share in zip(result, lower.tolist(), upper.tolist(), weight, strict=True):
        planes = {
            number: planes[number] if number in planes else plane_of(number)
            for number in dict.fromkeys((first, second))
        }
        plane[:] = planes[first]
        if second != first:
            plane += share * (planes[second] - planes[first])
    return result


def _averaged(plane: NDArray[Any], rows: int, columns: int) -> Floats:
    values = np.ascontiguousarray(plane != 0, np.float32)
    shrinks = rows < plane.shape[0] or columns < plane.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (columns, rows), interpolation=how), np.float32)
