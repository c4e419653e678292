"""Three orthogonal mid-slices of a volume side by side, in the proportions of the body.

Shown as on a workstation: the patient's right is on the left of axial and coronal pictures, the front on the
left of sagittal ones. The letters (R L, A P, H F) are those of the patient directions along which the axes of
the volume run most.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.errors import GeometryError

PANEL: Final = 208
"""Side of a panel in pixels."""
SEAM: Final = 2
SEAM_GREY: Final = 72
"""Between two panels; dark, so that it stays quiet on light and on dark pages."""
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE: Final = 0.42
MARGIN: Final = 5
"""From the edge of a panel to a letter."""

Grey = NDArray[np.uint8]

LETTERS: Final = (("H", "F"), ("A", "P"), ("R", "L"))
"""Where each axis of a canonical volume comes from and goes to."""


class Canonical(NamedTuple):
    """A volume turned so that its axes run to the feet, to the back and to the left.

    Attributes:
        voxels: (z, y, x) grey levels.
        spacing_mm: Along each axis.
    """

    voxels: Grey
    spacing_mm: tuple[float, float, float]


def canonical(volume: Grey, affine: NDArray[np.float64]) -> Canonical:
    """Turn a volume by whole axes to feet, back and left.

    Args:
        volume: (slice, row, column) grey levels.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm.

    Raises:
        GeometryError: If the affine does not span three dimensions.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.all(np.isfinite(affine)) or np.abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise GeometryError("the affine of a volume spans no three dimensions; build the volumes again")
    towards = _assign(affine[:3, :3] / spacing)
    axes = [towards.index(direction) for direction in (2, 1, 0)]
    turned = volume.transpose(axes)
    # +z is the head, and pictures run to the feet; +y the back and +x the left already
    wanted = (-1.0, 1.0, 1.0)
    flips = tuple(
        position
        for position, (axis, sign) in enumerate(zip(axes, wanted, strict=True))
        if affine[2 - position, axis] * sign < 0
    )
    z, y, x = (float(spacing[axis]) for axis in axes)
    return Canonical(np.flip(turned, flips), (z, y, x))


def _assign(cosines: NDArray[np.float64]) -> list[int]:
    """Give each array axis the patient axis (0 x, 1 y, 2 z) it runs along most, each only once."""
    left = np.abs(cosines).copy()
    towards = [0, 0, 0]
    for _ in range(3):
        direction, axis = divmod(int(np.argmax(left)), 3)
        towards[axis] = direction
        left[direction, :] = -1
        left[:, axis] = -1
    return towards


def orthogonal_panels(volume: Grey, affine: NDArray[np.float64]) -> Grey:
    """Draw the axial, coronal and sagittal mid-slice side by side, on one scale.

    Args:
        volume: (slice, row, column) grey levels, without padding.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm.

    Returns:
        (208, 628) grey levels.

    Raises:
        GeometryError: If the affine does not span three dimensions.
    """
    voxels, spacing = canonical(volume, affine)
    extent = np.array(voxels.shape) * spacing
    pixels_per_mm = PANEL / float(extent.max())
    panels = []
    for across in range(3):
        down, right = (axis for axis in range(3) if axis != across)
        plane = np.take(voxels, voxels.shape[across] // 2, axis=across)
        height, width = (max(1, round(extent[axis] * pixels_per_mm)) for axis in (down, right))
        picture = cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_LINEAR)
        panels.append(_panel(np.asarray(picture, np.uint8), LETTERS[down], LETTERS[right]))
        panels.append(np.full((PANEL, SEAM), SEAM_GREY, np.uint8))
    return np.hstack(panels[:-1])


def _panel(picture: Grey, down: tuple[str, str], right: tuple[str, str]) -> Grey:
    """Centre a picture on black and write the letters at the four edges."""
    panel = np.zeros((PANEL, PANEL), np.uint8)
    height, width = picture.shape
    top, left = (PANEL - height) // 2, (PANEL - width) // 2
    panel[top : top + height, left : left + width] = picture
    (letter_width, letter_height), _ = cv2.getTextSize("H", FONT, FONT_SCALE, 1)
    centre_x, centre_y = (PANEL - letter_width) // 2, (PANEL + letter_height) // 2
    for letter, place in (
        (down[0], (centre_x, MARGIN + letter_height)),
        (down[1], (centre_x, PANEL - MARGIN)),
        (right[0], (MARGIN, centre_y)),
        (right[1], (PANEL - MARGIN - letter_width, centre_y)),
    ):
        cv2.putText(panel, letter, place, FONT, FONT_SCALE, 0, 3, cv2.LINE_AA)
        cv2.putText(panel, letter, place, FONT, FONT_SCALE, 255, 1, cv2.LINE_AA)
    return panel


def grey_png(picture: Grey) -> bytes:
    """Encode an (height, width) picture as PNG; equal pictures give equal bytes."""
    _, encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return encoded.tobytes()
