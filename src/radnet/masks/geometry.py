"""Where the stored slices of a series lie, and masks brought onto them.

Networks see canonical arrays (`radnet.geometry`), resized; a viewer wants the mask on the slices as they are
stored: in their own order, transposed, flipped, unevenly spaced or sheared as they may be. Positions and
directions are LPS, mm. Nothing here reads pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset

from radnet.errors import MaskError

Array = NDArray[np.float64]

HALF: Final = 0.5
"""A voxel belongs to a mask from this value on; a voxel also reaches this far around its centre."""
EDGE: Final = 1e-6
"""Rounding, in voxels, that does not put a voxel outside."""
STRAIGHT_VOXELS: Final = 0.01
"""Way across a whole slice below which an axis of the mask counts as standing still."""
SAME_COSINES: Final = 1e-3
"""Slices of one series have directions that differ by less."""


@dataclass(frozen=True)
class Frames:
    """Stored slices of a series, in the order given.

    Attributes:
        positions: (n, 3) centre of the first voxel of each.
        orientation: (6,) cosines along a row and along a column.
        pixel_spacing: (2,) mm between rows and between columns.
        shape: Rows and columns.
    """

    positions: Array
    orientation: Array
    pixel_spacing: Array
    shape: tuple[int, int]

    @property
    def row_step(self) -> Array:
        """(3,) from a row to the next, mm: the row index grows along a column."""
        return np.asarray(self.orientation[3:] * self.pixel_spacing[0])

    @property
    def column_step(self) -> Array:
        """(3,) from a column to the next, mm."""
        return np.asarray(self.orientation[:3] * self.pixel_spacing[1])

    @property
    def normal(self) -> Array:
        """(3,) unit vector, row x column cosines."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        return np.asarray(normal / np.linalg.norm(normal))


def frames_of(sources: Sequence[Dataset], numbers: Sequence[int] | None = None) -> Frames:
    """Read where the slices of a series lie.

    Args:
        sources: Headers of the slices, or of one multi-frame object.
        numbers: Frames of the multi-frame object that count, from 1, in order; all without it.

    Raises:
        MaskError: If a header lacks position, direction or pixel spacing, or the slices do not share
            directions, spacing or shape.
    """
    if not sources:
        raise MaskError("no slice of the series was given; name at least one")
    if is_multi_frame(sources[0]):
        places = _frame_places(sources, numbers)
    else:
        places = [_place(source, f"slice {index}") for index, source in enumerate(sources, 1)]
    positions, orientations, spacings = (np.array(values, float) for values in zip(*places, strict=True))
    shapes = {(int(source.Rows), int(source.Columns)) for source in sources}
    if len(shapes) > 1:
        raise MaskError("the slices differ in rows and columns; give those of one stack")
    if np.abs(orientations - orientations[0]).max() > SAME_COSINES:
        raise MaskError("the slices are not parallel (ImageOrientationPatient); give those of one stack")
    if not np.allclose(spacings, spacings[0], rtol=1e-3):
        raise MaskError("the slices differ in PixelSpacing; give those of one stack")
    return Frames(positions, orientations[0], spacings[0], shapes.pop())


def is_multi_frame(source: Dataset) -> bool:
    """Say whether a header is that of an enhanced multi-frame object."""
    return "PerFrameFunctionalGroupsSequence" in source


def to_series(
    mask: NDArray[Any],
    affine: ArrayLike,
    frames: Frames,
    interpolation: Literal["linear", "nearest"] = "linear",
) -> NDArray[np.uint8]:
    """Bring a mask onto the stored slices of a series.

    Args:
        mask: (slices, rows, columns); binary, or the share or probability of the organ in 0..1.
        affine: (4, 4) from (slice, row, column, 1) of the mask to LPS mm at voxel centres.
        frames: The slices.
        interpolation: `linear` cuts the interpolated mask at 0.5, `nearest` takes the voxel that is there.

    Returns:
        (n, rows, columns) uint8 of 0 and 1; 0 wherever the mask does not reach.

    Raises:
        MaskError: If the mask has not three dimensions or its affine does not span a volume.
    """
    if mask.ndim != 3:
        raise MaskError(f"a mask has {mask.ndim} dimensions; expected slices, rows and columns")
    try:
        into = np.linalg.inv(np.asarray(affine, float))
    except np.linalg.LinAlgError as error:
        raise MaskError("the affine of a mask does not span a volume; write it again") from error
    starts = frames.positions @ into[:3, :3].T + into[:3, 3]
    down, across = into[:3, :3] @ frames.row_step, into[:3, :3] @ frames.column_step
    result = np.zeros((len(starts), *frames.shape), np.uint8)
    axes = _straight_axes(down * frames.shape[0], across * frames.shape[1])
    values: Array | None
    for index, start in enumerate(starts):
        if axes is None:
            values = _turned(mask, start, down, across, frames.shape, interpolation)
        else:
            values = _straight(mask, start, (down, across), axes, frames.shape, interpolation)
        if values is not None:
            result[index] = values >= HALF
    return result


def _place(source: Dataset, where: str) -> tuple[Any, Any, Any]:
    """Return position, orientation and pixel spacing of a classic slice."""
    keywords = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    return tuple(_numbers(source, keyword, where) for keyword in keywords)  # type: ignore[return-value]


def _frame_places(sources: Sequence[Dataset], numbers: Sequence[int] | None) -> list[tuple[Any, Any, Any]]:
    if len(sources) > 1:
        raise MaskError(f"{len(sources)} multi-frame objects were given; write a mask for each")
    source = sources[0]
    groups = source.PerFrameFunctionalGroupsSequence
    shared = (source.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    numbers = range(1, len(groups) + 1) if numbers is None else numbers
    wrong = [number for number in numbers if not 1 <= number <= len(groups)]
    if wrong or not numbers:
        raise MaskError(
            f"frame {wrong[0] if wrong else 'none'} was asked for; the object has 1 to {len(groups)}"
        )
    wanted = (
        ("PlanePositionSequence", "ImagePositionPatient"),
        ("PlaneOrientationSequence", "ImageOrientationPatient"),
        ("PixelMeasuresSequence", "PixelSpacing"),
    )
    return [
        tuple(_grouped(groups[number - 1], shared, *names, f"frame {number}") for names in wanted)  # type: ignore[misc]
        for number in numbers
    ]


def _grouped(own: Dataset, shared: Dataset, sequence: str, keyword: str, where: str) -> list[float]:
    """Return the numbers of a functional group: of the frame itself, or of all."""
    for group in (own, shared):
        items = group.get(sequence)
        if items:
            return _numbers(items[0], keyword, where)
    raise MaskError(f"{where} has no {keyword}, so a mask cannot be laid on it; leave it out")


_COUNTS: Final = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}


def _numbers(source: Dataset, keyword: str, where: str) -> list[float]:
    values = [float(value) for value in source.get(keyword) or ()]
    if len(values) != _COUNTS[keyword] or not np.isfinite(values).all():
        raise MaskError(f"{where} has no {keyword}, so a mask cannot be laid on it; leave it out")
    return values


def _straight_axes(down: Array, across: Array) -> tuple[int, int, int] | None:
    """Return the axes of a mask along which slices, rows and columns of a series run; None if turned."""
    rows, columns = int(np.argmax(np.abs(down))), int(np.argmax(np.abs(across)))
    if rows == columns:
        return None
    strays = max(np.abs(np.delete(down, rows)).max(), np.abs(np.delete(across, columns)).max())
    return None if strays > STRAIGHT_VOXELS else (3 - rows - columns, rows, columns)


def _straight(
    mask: NDArray[Any],
    start: Array,
    steps: tuple[Array, Array],
    axes: tuple[int, int, int],
    shape: tuple[int, int],
    interpolation: str,
) -> Array | None:
    """Sample a slice along the mask's own axes; None where it lies beyond the mask."""
    turned = mask.transpose(axes)
    places = [np.array([start[axes[0]]])]
    places += [
        start[axis] + np.arange(n) * step[axis] for axis, step, n in zip(axes[1:], steps, shape, strict=True)
    ]
    ways = [_weights(place, size, interpolation) for place, size in zip(places, turned.shape, strict=True)]
    (lower, upper, weight, inside), rows, columns = ways
    if not inside[0]:
        return None
    plane = turned[lower[0]].astype(np.float64)
    if weight[0] > 0:
        plane = plane * (1 - weight[0]) + turned[upper[0]] * weight[0]
    plane = plane[rows[0]] * (1 - rows[2])[:, None] + plane[rows[1]] * rows[2][:, None]
    plane = plane[:, columns[0]] * (1 - columns[2]) + plane[:, columns[1]] * columns[2]
    return np.asarray(plane * (rows[3][:, None] & columns[3]))


def _turned(
    mask: NDArray[Any], start: Array, down: Array, across: Array, shape: tuple[int, int], interpolation: str
) -> Array:
    """Sample a slice that lies aslant in the mask."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    ways = [
        _weights(start[axis] + rows * down[axis] + columns * across[axis], size, interpolation)
        for axis, size in enumerate(mask.shape)
    ]
    total = np.zeros(shape)
    for corner in np.ndindex(2, 2, 2):
        share = np.ones(shape)
        for upper, (_, _, weight, _) in zip(corner, ways, strict=True):
            share = share * (weight if upper else 1 - weight)
        total += share * mask[tuple(way[upper] for upper, way in zip(corner, ways, strict=True))]
    return np.asarray(total * np.logical_and.reduce([inside for *_, inside in ways]))


def _weights(places: Array, size: int, interpolation: str) -> tuple[Any, Any, Array, NDArray[np.bool_]]:
    """Return the voxels on either side of each place, the weight of the upper, and whether it is inside."""
    inside = (places >= -HALF - EDGE) & (places <= size - HALF + EDGE)
    kept = np.clip(places, 0, size - 1)
    if interpolation == "nearest":
        kept = np.clip(np.floor(kept + HALF), 0, size - 1)
    else:
        whole = np.rint(kept)
        kept = np.where(np.abs(kept - whole) < EDGE, whole, kept)
    lower = np.floor(kept).astype(np.int64)
    return lower, np.minimum(lower + 1, size - 1), kept - lower, inside
