"""How a scan becomes windows, which of them are chosen, and the mask that comes of it (the paper's figure 2).

The scan is shown from the front when its slices lie across the body, so that windows slide along the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from radnet.figures.drawing import Drawing
from radnet.figures.outlines import (
    MASK_COLOUR,
    PANEL,
    TRUTH_COLOUR,
    Colour,
    OutlinedCase,
    case_panels,
    draw_outline,
)

HEIGHT: Final = 300
"""Of the scan in the drawing."""
WIDEST: Final = 300
TOP: Final = 64
BOTTOM: Final = 46
GAP: Final = 26
BAR: Final = 22
BAR_GAP: Final = 5
FEWEST_BARS: Final = 8
"""Room for so many windows is kept, so that the words above them fit."""
FINE: Final = 2


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """A window along the slices.

    Attributes:
        start: First slice; may be negative.
        score: Of the coverage head, 0 to 1.
        chosen: Whether the segmenter sees it.
    """

    start: int
    score: float
    chosen: bool


def window_figure(
    case: OutlinedCase, windows: Sequence[ShownWindow], length: int, threshold: float, organ: str
) -> Drawing:
    """Draw the way from a scan to a mask.

    Args:
        case: The scan with its masks; the words are not used.
        windows: All of the scan.
        length: Slices of each.
        threshold: Score from which a window is chosen.
        organ: What is looked for.

    Returns:
        The drawing.
    """
    spacing = np.linalg.norm(case.affine[:3, :3], axis=0)
    n_slices = len(case.image)
    height_mm, width_mm = n_slices * spacing[0], case.image.shape[2] * spacing[2]
    scale = min(HEIGHT / height_mm, WIDEST / width_mm)
    height, width = height_mm * scale, width_mm * scale
    bars = width + GAP
    masks = bars + max(len(windows), FEWEST_BARS) * (BAR + BAR_GAP) + GAP
    chosen = sum(window.chosen for window in windows)
    alt = (
        f"{len(windows)} windows of {length} slices along a scan of {n_slices}; "
        f"{chosen} are chosen for {organ}."
    )
    drawing = Drawing(masks + PANEL, TOP + max(height, PANEL) + BOTTOM, alt)
    up = case.affine[2, 0] > 0
    drawing.picture(0, TOP, width, height, _along(case, height, width, up))
    _head(drawing, 0, "Scan", f"{n_slices} slices, {spacing[0]:.3g} mm apart")
    _head(drawing, bars, "Windows and their scores", f"chosen from {threshold:g}, else the best")
    _head(drawing, masks, "Mask", "through the middle of the organ")
    for number, window in enumerate(windows):
        _bar(drawing, bars + number * (BAR + BAR_GAP), window, length, (n_slices, height, up))
    drawing.picture(masks, TOP, PANEL, PANEL, case_panels(case)[1])
    _legend(drawing, TOP + max(height, PANEL) + 24)
    return drawing


def _head(drawing: Drawing, left: float, words: str, note: str) -> None:
    drawing.text(left, 18, words, bold=True)
    drawing.text(left, 36, note, "muted", 11)


def _along(case: OutlinedCase, height: float, width: float, up: bool) -> np.ndarray:
    """Draw the plane in which slices are lines, through the most of the organ, with both outlines."""
    inside = (np.asarray(case.truth) != 0) | (np.asarray(case.mask) != 0)
    areas = inside.sum(axis=(0, 2))
    row = int(np.argmax(areas)) if areas.any() else inside.shape[1] // 2
    planes = [np.asarray(array)[:, row][:: -1 if up else 1] for array in (case.image, case.truth, case.mask)]
    size = (max(1, round(width * FINE)), max(1, round(height * FINE)))
    grey = cv2.resize(np.ascontiguousarray(planes[0]), size, interpolation=cv2.INTER_LINEAR)
    picture = np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
    draw_outline(picture, planes[1], TRUTH_COLOUR)
    draw_outline(picture, planes[2], MASK_COLOUR)
    return picture


def _bar(
    drawing: Drawing, left: float, window: ShownWindow, length: int, scan: tuple[int, float, bool]
) -> None:
    n_slices, height, up = scan
    first, end = max(window.start, 0), min(window.start + length, n_slices)
    top, bottom = (n_slices - end, n_slices - first) if up else (first, end)
    y, step = TOP + top * height / n_slices, height / n_slices
    drawing.rectangle(left, y, BAR, (bottom - top) * step, "accent" if window.chosen else "line")
    drawing.text(left + BAR / 2, TOP - 8, f"{window.score:.2f}".lstrip("0") or "0", "ink", 10, "middle")


def _legend(drawing: Drawing, y: float) -> None:
    marks: tuple[tuple[str, Colour], ...] = (("drawn by hand", TRUTH_COLOUR), ("segmenter", MASK_COLOUR))
    for place, (words, colour) in enumerate(marks):
        drawing.picture(130 * place, y - 6, 22, 4, np.full((1, 1, 3), colour, np.uint8))
        drawing.text(130 * place + 28, y, words, "muted", 12)
    for place, (words, role) in enumerate((("chosen", "accent"), ("not chosen", "line"))):
        left = 260 + 100 * place
        drawing.rectangle(left, y - 10, 12, 12, "accent" if role == "accent" else "line")
        drawing.text(left + 18, y, words, "muted", 12)
