"""Resize a stack linearly, reading only the slices that this needs.

Centres of pixels lie at half-integers on both sides, as in torch's trilinear `align_corners=False`: corners
stay corners. Linear means linear: nothing is averaged away before (3D-RADNet section 2.1.5), so 300 slices
become 48 by looking at no more than 96. Fewer slices than wanted are not stretched: blank ones are put around
them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


class SliceWeights(NamedTuple):
    """How each slice of the result is mixed of two.

    Attributes:
        lower: (m,) index of the first.
        upper: (m,) index of the second; the first again where it has all the weight.
        weight: (m,) share of the second.
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: NDArray[np.float32]


def slice_weights(n_slices: int, target: int) -> SliceWeights:
    """Say which slices are mixed, and how, to make `target` of `n_slices`.

    Args:
        n_slices: Slices there are, at least 1.
        target: Slices wanted; when there are fewer, each stays itself.
    """
    n_results = min(n_slices, target)
    centres = (np.arange(n_results) + 0.5) * (n_slices / n_results) - 0.5
    centres = np.clip(centres, 0, n_slices - 1)
    lower = np.floor(centres).astype(np.int64)
    weight = (centres - lower).astype(np.float32)
    return SliceWeights(lower, lower + (weight > 0), weight)


def needed_slices(n_slices: int, target: int) -> list[int]:
    """List the slices that the result depends on, ascending; at most twice the target."""
    weights = slice_weights(n_slices, target)
    needed: list[int] = np.union1d(weights.lower, weights.upper).tolist()
    return needed


def blank_slices(n_slices: int, target: int) -> tuple[int, int]:
    """Return how many blank slices go before and after to centre the others."""
    missing = max(target - n_slices, 0)
    return missing // 2, missing - missing // 2


def resize_stack(
    read_slice: Callable[[int], NDArray[Any]], n_slices: int, shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Resize slices that are read when they are needed.

    Args:
        read_slice: Returns slice i as (rows, columns); called once for each of `needed_slices`, ascending.
        n_slices: Slices there are.
        shape: Slices, rows and columns wanted.

    Returns:
        (m, rows, columns) float32; m is the wanted number, or `n_slices` when that is less.
    """
    target, rows, columns = shape
    lower, upper, weight = slice_weights(n_slices, target)
    result = np.empty((len(lower), rows, columns), np.float32)
    resized: dict[int, Plane] = {}
    for plane, first, second, share in zip(result, lower.tolist(), upper.tolist(), weight, strict=True):
        resized = {
            index: resized[index] if index in resized else resize_plane(read_slice(index), rows, columns)
            for index in dict.fromkeys((first, second))
        }
        plane[:] = resized[first]
        if second != first:
            plane += share * (resized[second] - resized[first])
    return result


def resize_plane(plane: NDArray[Any], rows: int, columns: int) -> Plane:
    """Resize one slice linearly to (rows, columns) float32."""
    values = np.ascontiguousarray(plane, np.float32)
    return np.asarray(cv2.resize(values, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def average_volume(volume: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Make a volume smaller by averaging: each voxel is the mean of those that it covers.

    Linear interpolation looks at two voxels along an axis however many there are, and keeps their noise.

    Args:
        volume: (slices, rows, columns), none fewer than wanted.
        shape: Slices, rows and columns wanted.
    """
    slices, rows, columns = shape
    values = volume.astype(np.float32)
    if volume.shape[1:] != (rows, columns):
        values = np.stack([_averaged(plane, rows, columns) for plane in values])
    if len(values) != slices:
        values = _averaged(values.reshape(len(values), -1), slices, rows * columns).reshape(shape)
    return np.rint(values).astype(np.uint8)


def _averaged(plane: Plane, rows: int, columns: int) -> Plane:
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


@lru_cache
def averaging_shares(given: int, wanted: int) -> NDArray[np.float32]:
    """Return (wanted, given) shares that the voxels of an axis have in those of a shorter one."""
    edges = np.linspace(0, given, wanted + 1)
    voxels = np.arange(given)
    covered = np.minimum(edges[1:, None], voxels + 1) - np.maximum(edges[:-1, None], voxels)
    return np.asarray(np.clip(covered, 0, 1) * (wanted / given), np.float32)


def pad_slices(volume: NDArray[Any], target: int) -> NDArray[Any]:
    """Put slices of zeros around a (m, rows, columns) volume so that it is centred among `target`."""
    before, after = blank_slices(len(volume), target)
    return np.pad(volume, ((before, after), (0, 0), (0, 0))) if before or after else volume
