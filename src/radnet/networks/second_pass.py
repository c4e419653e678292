"""Look again at the box around a first mask, enlarged so that it fills the planes of the network's window.

The paper's outlook (section 4) proposes it. Within the box both passes count equally; along the slices the
box says which windows are looked at, and the slices beside it stay in sight.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from radnet.masks.components import largest_component
from radnet.networks.inference import Floats, Grey
from radnet.networks.windows import Predict, Triple, cover_windows, slide

LEAST_SHARE: Final = 0.35
"""Least rows and columns of a box, as a share of the plane's: training enlarges no further."""
LEAST_VOXELS: Final = 8
"""A first mask of fewer is none that could be looked at again."""


class Box(NamedTuple):
    """Slices, rows and columns, each from its first to before its end."""

    slices: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def cut(self) -> tuple[slice, slice, slice]:
        """What cuts the box out of an array."""
        return slice(*self.slices), slice(*self.rows), slice(*self.columns)


def box_around(probability: Floats, threshold: float, margin: float) -> Box | None:
    """Return the box around the largest part of a mask, with a margin.

    Args:
        probability: (slices, rows, columns).
        threshold: From which a voxel belongs to the mask.
        margin: On each side, as a share of the box's size.

    Returns:
        The box, inside the image, or None when there is no mask to speak of.
    """
    mask = largest_component(probability >= threshold)
    if np.count_nonzero(mask) < LEAST_VOXELS:
        return None
    sides = []
    for axis, size in enumerate(mask.shape):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(mask.any(axis=others))
        least = 1 if axis == 0 else round(LEAST_SHARE * size)
        sides.append(_widened(int(places[0]), int(places[-1]) + 1, margin, least, size))
    return Box(*sides)


def _widened(first: int, end: int, margin: float, least: int, size: int) -> tuple[int, int]:
    wanted = min(max(round((end - first) * (1 + 2 * margin)), least, end - first + 2), size)
    start = min(max((first + end - wanted) // 2, 0), size - wanted)
    return start, start + wanted


def look_again(
    predict: Predict,
    image: Grey,
    first: Floats,
    window: Triple,
    threshold: float,
    margin: float,
    overlap: float,
) -> Floats:
    """Segment the box around a first mask and mix both passes.

    Args:
        predict: As of `slide`.
        image: (slices, rows, columns) uint8, at its full resolution.
        first: Probabilities of the first pass, of the same shape.
        window: Slices, rows and columns that the network sees.
        threshold: From which a voxel belongs to the mask.
        margin: As of `box_around`.
        overlap: As of `cover`.

    Returns:
        Probabilities; those of the first pass where there is no mask.
    """
    box = box_around(first, threshold, margin)
    if box is None:
        return first
    first_slice, end = box.slices
    starts = cover_windows([first_slice], end - first_slice, len(image), window[0], overlap)
    inside = np.ascontiguousarray(image[:, slice(*box.rows), slice(*box.columns)])
    again = slide(predict, inside, window, starts)
    mixed = first.copy()
    mixed[box.cut] = (first[box.cut] + again[slice(*box.slices)]) / 2
    return mixed
