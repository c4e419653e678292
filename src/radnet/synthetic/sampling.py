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

SOFTEN_VOXELS: Final = 0.55
"""Standard deviation of the blur that hides the map's voxels."""
TILE: Final = 64
"""Voxels after which the texture repeats."""
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

    def of(self, body: Body, index: tuple[NDArray[np.intp], ...]) -> Image:
        """Return the values of voxels, given by z, y and x indices that broadcast; beyond the map is air."""
        index = tuple(np.clip(at, 0, n - 1) for at, n in zip(index, body.labels.shape, strict=True))
        labels = body.labels[index]
        grain = _texture_tile()[tuple(at % TILE for at in index)]
        return np.asarray(self.values[labels] + self.texture[labels] * grain, np.float32)


@cache
def _texture_tile() -> Image:
    return np.random.default_rng(TILE).standard_normal((TILE, TILE, TILE), np.float32)


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
    sizes = body.labels.shape[::-1]
    at = [planes if i == axis else np.arange(sizes[i]) for i in range(3)]
    slab = appearance.of(body, np.ix_(at[2], at[1], at[0]))
    plane = np.tensordot(weights / len(depth), slab, (0, 2 - axis))
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
    total = np.zeros(plan.shape, np.float32)
    for depth in depths:
        place = (grid + depth * plan.normal - body.origin_mm) / body.voxel_mm
        below = np.floor(place).astype(int)
        share = (place - below).astype(np.float32)
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, share, 1 - share), axis=-1)
            x, y, z = np.moveaxis(below + corner, -1, 0)
            total += weight * appearance.of(body, (z, y, x))
    return np.asarray(cv2.GaussianBlur(total / len(depths), (0, 0), SOFTEN_VOXELS))
