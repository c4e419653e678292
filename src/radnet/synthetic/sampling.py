"""Read slices of any position and orientation out of a body.

A pixel is the mean over the slice's thickness; edges are softened to the map's own resolution, since a scan
never shows voxels with corners. Positions and directions are LPS, mm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.anatomy import Body

Image = NDArray[np.float32]
Vector = NDArray[np.float64]
Index = tuple[slice | NDArray[np.intp], slice | NDArray[np.intp], slice | NDArray[np.intp]]

SOFTEN_VOXELS: Final = 0.55
"""Standard deviation of the blur that hides the map's voxels."""
ALONG_AXIS: Final = 1 - 1e-6
"""Cosine above which a slice's normal counts as one of the body's axes."""


@dataclass(frozen=True)
class Prescription:
    """Where slices lie: what the technologist sets at the scanner.

    Attributes:
        positions: (n, 3) centres of the first voxel of each slice, mm; any order, repeats allowed.
        row: Direction in which the column index grows.
        column: Direction in which the row index grows.
        shape: Rows, columns.
        pixel_mm: Size of a pixel.
        thickness_mm: Of a slice.
    """

    positions: Vector
    row: Vector
    column: Vector
    shape: tuple[int, int]
    pixel_mm: float
    thickness_mm: float

    @property
    def normal(self) -> Vector:
        """Row direction x column direction."""
        return np.cross(self.row, self.column)

    def corners(self) -> NDArray[np.float64]:
        """Return lowest and highest corner of the box of all voxel edges, (2, 3) mm."""
        rows, columns = self.shape
        points = [
            self.positions + (c * self.row + r * self.column) * self.pixel_mm + t * self.normal
            for c in (-0.5, columns - 0.5)
            for r in (-0.5, rows - 0.5)
            for t in (-self.thickness_mm / 2, self.thickness_mm / 2)
        ]
        return np.array([np.min(points, (0, 1)), np.max(points, (0, 1))])


@dataclass(frozen=True)
class Appearance:
    """What a scanner would measure in each structure.

    Attributes:
        values: One a structure number.
        texture: Standard deviation inside each structure.
    """

    values: Image
    texture: Image

    def of(self, body: Body, index: Index) -> Image:
        """Return the values of voxels, given by z, y and x indices within the map."""
        labels = body.labels[index]
        values = np.take(self.texture, labels)
        values *= _grain(body.labels.shape)[index]
        values += np.take(self.values, labels)
        return values


@cache
def _grain(shape: tuple[int, int, int]) -> Image:
    """Return the noise behind all texture: one field for all bodies."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def sample(body: Body, appearance: Appearance, plan: Prescription) -> Iterator[Image]:
    """Yield the slices of a prescription, (rows, columns) each, without noise."""
    axis = int(np.argmax(np.abs(plan.normal)))
    straight = abs(plan.normal[axis]) > ALONG_AXIS
    for position in plan.positions:
        if straight:
            yield _straight_slice(body, appearance, plan, position, axis)
        else:
            yield _tilted_slice(body, appearance, plan, position)


def _depths(plan: Prescription, voxel_mm: float) -> Vector:
    """Return the offsets along the normal at which a slice is probed, mm."""
    count = max(1, round(plan.thickness_mm / voxel_mm))
    return ((np.arange(count) + 0.5) / count - 0.5) * plan.thickness_mm


def _straight_slice(
    body: Body, appearance: Appearance, plan: Prescription, position: Vector, axis: int
) -> Image:
    """Mix the planes of the map that the slice touches, then resample the mixture in plane."""
    place = (position - body.origin_mm) / body.voxel_mm
    step = _depths(plan, body.voxel_mm[axis]) / body.voxel_mm[axis]
    depth = place[axis] + step
    below = np.floor(depth).astype(int)
    planes = np.arange(below[0], below[-1] + 2)
    weights = np.zeros(len(planes), np.float32)
    np.add.at(weights, below - below[0], 1 - (depth - below))
    np.add.at(weights, below - below[0] + 1, depth - below)
    planes = np.clip(planes, 0, body.labels.shape[2 - axis] - 1)
    z, y, x = (planes if i == axis else slice(None) for i in (2, 1, 0))
    slab = appearance.of(body, (z, y, x))
    plane = np.zeros(np.delete(slab.shape, 2 - axis), np.float32)
    for weight, values in zip(weights / len(depth), np.moveaxis(slab, 2 - axis, 0), strict=True):
        plane += weight * values
    vertical, horizontal = (i for i in (2, 1, 0) if i != axis)
    by_column = plan.row * plan.pixel_mm / body.voxel_mm
    by_row = plan.column * plan.pixel_mm / body.voxel_mm
    inverse = np.array([[by_column[i], by_row[i], place[i]] for i in (horizontal, vertical)])
    softness = SOFTEN_VOXELS * max(1.0, plan.pixel_mm / float(body.voxel_mm.mean()))
    soft = cv2.GaussianBlur(plane, (0, 0), softness)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = plan.shape[1], plan.shape[0]
    return np.asarray(cv2.warpAffine(soft, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _tilted_slice(body: Body, appearance: Appearance, plan: Prescription, position: Vector) -> Image:
    """Interpolate between the eight voxels around every pixel, at every depth."""
    rows, columns = (np.arange(n)[:, None] * plan.pixel_mm for n in plan.shape)
    grid = position + rows[:, None] * plan.column + columns[None] * plan.row
    depths = _depths(plan, float(body.voxel_mm.mean()))
    last = np.array(body.labels.shape[::-1]) - 1
    total = np.zeros(plan.shape, np.float32)
    for depth in depths:
        place = (grid + depth * plan.normal - body.origin_mm) / body.voxel_mm
        below = np.floor(place).astype(int)
        share = (place - below).astype(np.float32)
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, share, 1 - share), axis=-1)
            x, y, z = np.moveaxis(np.clip(below + corner, 0, last), -1, 0)
            total += weight * appearance.of(body, (z, y, x))
    return np.asarray(cv2.GaussianBlur(total / len(depths), (0, 0), SOFTEN_VOXELS))
