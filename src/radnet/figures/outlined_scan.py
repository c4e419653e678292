"""The outline that a network drew, on the middle slice of the organ and on the one that holds most of it.

Planes come in the canonical axes of their view (`radnet.geometry`), which is how a workstation shows them.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.figures.outlines import MASK_COLOUR, draw_outline

LONGEST_SIDE: Final = 512
"""Of a slice in the picture, in pixels."""
GAP: Final = 4

Grey = NDArray[np.uint8]


def middle_and_largest(areas: NDArray[Any]) -> tuple[int, int]:
    """Return the middle one of the slices that hold something, and that which holds most.

    Args:
        areas: (slices,) voxels of the mask in each; at least one is above 0.
    """
    held = np.flatnonzero(areas)
    return int(held[len(held) // 2]), int(np.argmax(areas))


def outlined_slices(planes: list[Grey], masks: list[NDArray[Any]], pixel_mm: tuple[float, float]) -> bytes:
    """Draw slices side by side with the border of a mask, as PNG; equal input gives equal bytes.

    Args:
        planes: (rows, columns) grey levels each.
        masks: Of the same shapes, not zero inside.
        pixel_mm: Distance of rows and of columns.
    """
    pictures = []
    for plane, mask in zip(planes, masks, strict=True):
        height_mm, width_mm = plane.shape[0] * pixel_mm[0], plane.shape[1] * pixel_mm[1]
        scale = LONGEST_SIDE / max(height_mm, width_mm)
        size = max(1, round(width_mm * scale)), max(1, round(height_mm * scale))
        grey = cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_LINEAR)
        picture = np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
        draw_outline(picture, mask, MASK_COLOUR)
        pictures += [picture, np.zeros((picture.shape[0], GAP, 3), np.uint8)]
    row = np.hstack(pictures[:-1])
    _, encoded = cv2.imencode(".png", row[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return encoded.tobytes()
