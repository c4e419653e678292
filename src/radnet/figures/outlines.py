"""Masks as outlines on a scan: what was drawn by hand beside what a segmenter drew.

Pictures lie as on a workstation (`radnet.figures.montage`), in the proportions of the body. The two colours
are told apart by all kinds of colour vision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.figures.drawing import Drawing
from radnet.figures.montage import Canonical, canonical

Grey = NDArray[np.uint8]
Flags = NDArray[Any]
Colour = tuple[int, int, int]

TRUTH_COLOUR: Final[Colour] = (86, 190, 255)
MASK_COLOUR: Final[Colour] = (255, 150, 40)
PANEL: Final = 200
"""Side of a panel in the drawing."""
FINE: Final = 2
"""Pixels of a picture for one of the drawing."""
GAP: Final = 4
TITLE: Final = 44
"""Height of the words above a row."""
LEGEND: Final = 26
AXIAL_PLACES: Final = (0.2, 0.5, 0.8)
"""Of the axial panels, between the organ's upper and lower end."""


@dataclass(frozen=True)
class OutlinedCase:
    """A scan with its masks, and what is said of it.

    Attributes:
        words: Stands above its pictures.
        note: Smaller, below the words.
        image: (slices, rows, columns) grey levels.
        truth: Of the same shape, not zero inside.
        mask: Likewise.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm.
    """

    words: str
    note: str
    image: Grey
    truth: Flags
    mask: Flags
    affine: NDArray[np.float64]


def outlined_cases(cases: Sequence[OutlinedCase], alt: str) -> Drawing:
    """Draw cases one below the other: three axial slices through the organ, and a coronal one.

    Args:
        cases: From top to bottom.
        alt: What the picture says.

    Returns:
        The drawing.
    """
    columns = len(AXIAL_PLACES) + 1
    width = columns * PANEL + (columns - 1) * GAP
    drawing = Drawing(width, LEGEND + len(cases) * (TITLE + PANEL + GAP), alt)
    _legend(drawing)
    for number, case in enumerate(cases):
        top = LEGEND + number * (TITLE + PANEL + GAP)
        drawing.text(0, top + 16, case.words, bold=True)
        drawing.text(0, top + 34, case.note, "muted", 12)
        for column, panel in enumerate(case_panels(case)):
            drawing.picture(column * (PANEL + GAP), top + TITLE, PANEL, PANEL, panel)
    return drawing


def _legend(drawing: Drawing) -> None:
    for place, (words, colour) in enumerate((("drawn by hand", TRUTH_COLOUR), ("segmenter", MASK_COLOUR))):
        left = 140 * place
        drawing.picture(left, 6, 22, 4, np.full((1, 1, 3), colour, np.uint8))
        drawing.text(left + 30, 14, words, "muted", 12)


def case_panels(case: OutlinedCase) -> list[NDArray[np.uint8]]:
    """Draw the panels of a case, (400, 400, 3) each, all on one scale."""
    image, truth, mask = (
        canonical(np.asarray(array != 0 if number else array, np.uint8), case.affine)
        for number, array in enumerate((case.image, case.truth, case.mask))
    )
    inside = (truth.voxels != 0) | (mask.voxels != 0)
    chosen = [(0, place) for place in _axial_places(inside)] + [(1, _widest(inside, 1))]
    return [
        panel(
            np.take(image.voxels, place, axis),
            np.take(truth.voxels, place, axis),
            np.take(mask.voxels, place, axis),
            _millimetres(image, axis),
            _pixels_per_mm(image),
        )
        for axis, place in chosen
    ]


def _axial_places(inside: Flags) -> list[int]:
    there = np.flatnonzero(inside.any(axis=(1, 2)))
    first, last = (int(there[0]), int(there[-1])) if there.size else (0, len(inside) - 1)
    return [round(first + share * (last - first)) for share in AXIAL_PLACES]


def _widest(inside: Flags, axis: int) -> int:
    rest = tuple(other for other in range(3) if other != axis)
    areas = inside.sum(axis=rest)
    return int(np.argmax(areas)) if areas.any() else inside.shape[axis] // 2


def _millimetres(volume: Canonical, across: int) -> tuple[float, float]:
    """Return the height and width of a plane in mm."""
    down, right = (axis for axis in range(3) if axis != across)
    extent = np.array(volume.voxels.shape) * volume.spacing_mm
    return float(extent[down]), float(extent[right])


def _pixels_per_mm(volume: Canonical) -> float:
    return FINE * PANEL / float((np.array(volume.voxels.shape) * volume.spacing_mm).max())


def panel(
    plane: Grey, truth: Flags, mask: Flags, size_mm: tuple[float, float], pixels_per_mm: float
) -> NDArray[np.uint8]:
    """Draw one plane with the outlines of two masks, centred on black.

    Args:
        plane: (rows, columns) grey levels.
        truth: Of the same shape, not zero inside.
        mask: Likewise.
        size_mm: Height and width of the plane.
        pixels_per_mm: Scale of the picture.

    Returns:
        (400, 400, 3) red, green, blue.
    """
    side = FINE * PANEL
    height, width = (min(side, max(1, round(length * pixels_per_mm))) for length in size_mm)
    grey = cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_LINEAR)
    picture = np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
    for flags, colour in ((truth, TRUTH_COLOUR), (mask, MASK_COLOUR)):
        draw_outline(picture, flags, colour)
    framed = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    framed[top : top + height, left : left + width] = picture
    return framed


def draw_outline(picture: NDArray[np.uint8], flags: Flags, colour: Colour) -> None:
    """Draw the border of a mask, enlarged to the picture, into it."""
    height, width = picture.shape[:2]
    inside = np.ascontiguousarray(flags != 0, np.uint8)
    enlarged = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(enlarged, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, colour, 1)
