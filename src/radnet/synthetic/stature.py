"""How a body's size differs from the reference adult's: the trunk grows with the height, the head hardly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NECK_MM: Final = 640.0
"""Height in the reference adult above which the head's scale counts."""
HEAD_MM: Final = 715.0
"""Height above which width and depth are the head's."""


@dataclass(frozen=True, slots=True)
class Stature:
    """Sizes against the reference adult.

    Attributes:
        scale: Of trunk and limbs along x, y and z.
        head: Of the head, along all three.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    head: float = 1.0

    def across(self, height: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return the size along x and y at a height of the reference adult, mm."""
        return np.asarray(np.interp(height, [NECK_MM, HEAD_MM], [self.scale[0], self.head]))

    def reference_height(self, z_mm: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the heights in the reference adult of planes of the body, mm."""
        neck = NECK_MM * self.scale[2]
        above = NECK_MM + (z_mm - neck) / self.head
        return np.asarray(np.where(z_mm < neck, z_mm / self.scale[2], above))

    def world(self, point: tuple[float, float, float]) -> NDArray[np.float64]:
        """Turn a point of the reference adult into one of the body, mm."""
        x, y, z = point
        size = float(self.across(z))
        height = min(z, NECK_MM) * self.scale[2] + max(z - NECK_MM, 0.0) * self.head
        return np.array([x * size, y * size, height])
