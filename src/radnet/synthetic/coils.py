"""The shading of receive coils over a field of view.

Each coil sees a bell around its own centre; several are combined as the root of the sum of squares. Bells are
products of one curve an axis, so that all coils together cost one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.prescription import Prescription, Resize
from radnet.synthetic.profiles import Vector
from radnet.synthetic.randomness import host_generator

SPINE_WIDTH_MM: Final = 127.0
"""Standard deviation of the bell of a coil behind the back."""
BACKWARDS: Final = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class Coils:
    """A receiver.

    Attributes:
        count: Coils around the patient; 0 for one that sees all alike.
        width: Standard deviation of a coil's bell, as a share of the field of view's diagonal.
        uniformity: Share of the shading that the scanner takes away, 0 to 1.
        seed: Of the coils' places.
    """

    count: int = 0
    width: float = 0.5
    uniformity: float = 0.0
    seed: int = 0


ONE_COIL: Final = Coils()
"""A receiver that sees all alike."""


def coil_gain(arrays: Arrays, coils: Coils, plan: Prescription, resize: Resize, behind: bool) -> Array:
    """Return the sensitivity for every voxel of a scan, 1 in the middle.

    Args:
        arrays: Where it is made.
        coils: The receiver.
        plan: The scan.
        resize: Of its slices, rows and columns.
        behind: Whether a coil behind the back is used instead.

    Returns:
        Broadcasts against (slices, rows, columns).
    """
    places = _places(plan, resize)
    middles = [float(place.mean()) for place in places]
    centres, width = _centres(coils, plan, places, behind)
    if not len(centres):
        return arrays.put(np.ones((1, 1, 1), np.float32))
    bells = [
        np.exp(-np.square(place - centres[:, axis, None]) / width**2) for axis, place in enumerate(places)
    ]
    middle = np.prod(
        [np.exp(-np.square(m - centres[:, axis]) / width**2) for axis, m in enumerate(middles)], axis=0
    ).sum()
    planes = (bells[0][:, :, None] * bells[1][:, None, :]).reshape(len(centres), -1) / middle
    squared = arrays.put(np.ascontiguousarray(planes.T)) @ arrays.put(bells[2])
    gain = arrays.xp.sqrt(squared).reshape([len(place) for place in places])
    return gain if not coils.uniformity else gain * (1 - coils.uniformity) + coils.uniformity


def _places(plan: Prescription, resize: Resize) -> list[Vector]:
    """Return the offsets of slices, rows and columns from the first voxel along the scan's axes, mm."""
    own = (resize.slices, resize.rows, resize.columns)
    return [
        place if matrix is None else matrix @ place
        for matrix, place in zip(own, plan.offsets_mm(), strict=True)
    ]


def _centres(coils: Coils, plan: Prescription, places: list[Vector], behind: bool) -> tuple[Vector, float]:
    """Return the coils' centres along the scan's axes, (n, 3) mm, and the width of their bells."""
    low = np.array([place.min() for place in places])
    high = np.array([place.max() for place in places])
    size = np.maximum(high - low, plan.pixel_mm)
    diagonal = float(np.linalg.norm(np.sort(size)[1:]))
    if behind:
        axes = np.array([plan.step, plan.column, plan.row])
        back = np.sign(axes @ BACKWARDS) * (np.abs(axes @ BACKWARDS) > 0.5)
        return ((low + high) / 2 + back * size / 2)[None], SPINE_WIDTH_MM
    rng = host_generator("coils", coils.seed)
    turns = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(coils.count) / max(coils.count, 1)
    heights = rng.uniform(-0.6, 0.6, coils.count)
    strength = rng.uniform(0.45, 0.65, coils.count)
    long_axes = np.argsort(size)[1:]
    centres = np.tile((low + high) / 2, (coils.count, 1))
    centres[:, long_axes[0]] += strength * np.cos(turns) * size[long_axes[0]]
    centres[:, long_axes[1]] += strength * np.sin(turns) * size[long_axes[1]]
    centres[:, np.argsort(size)[0]] += heights * size.min()
    return centres, coils.width * diagonal
