"""Confusion matrices: what was said of what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.figures.drawing import Drawing
from radnet.figures.palette import Role

CELL: Final = 62
LEFT, TOP, RIGHT, BOTTOM = 110, 66, 14, 14
"""Margins around the cells."""
DARK_SHARE: Final = 0.55
"""Share of a row above which the number is written light on dark."""


def confusion_matrix(counts: NDArray[np.int64], words: Sequence[str], title: str) -> Drawing:
    """Draw a matrix; the darkness of a cell is its share of the row.

    Args:
        counts: (classes, classes), truth by row and prediction by column.
        words: Name of each class.
        title: Said above it.
    """
    names = [word.replace("_", " ") for word in words]
    side = len(names) * CELL
    right = int(np.trace(counts))
    alt = f"Confusion matrix. {title}: {right} of {int(counts.sum())} on the diagonal."
    drawing = Drawing(LEFT + side + RIGHT, TOP + side + BOTTOM, alt)
    drawing.text(LEFT, 20, title, bold=True)
    drawing.text(LEFT + side / 2, 40, "said", "muted", 12, "middle")
    drawing.text(10, TOP - 10, "true", "muted", 12)
    for number, name in enumerate(names):
        middle = number * CELL + CELL / 2
        drawing.text(LEFT + middle, TOP - 8, name, "muted", 11, "middle")
        drawing.text(LEFT - 8, TOP + middle + 4, name, "muted", 11, "end")
    for row, column in np.ndindex(*counts.shape):
        _cell(drawing, int(counts[row, column]), int(counts[row].sum()), row, column)
    return drawing


def _cell(drawing: Drawing, count: int, whole: int, row: int, column: int) -> None:
    left, top = LEFT + column * CELL, TOP + row * CELL
    share = count / whole if whole else 0.0
    corners = [(left, top), (left + CELL, top), (left + CELL, top + CELL), (left, top + CELL)]
    if share:
        drawing.polygon(corners, "accent" if row == column else "warn", opacity=share)
    drawing.polygon(corners, stroke="line")
    role: Role = "surface" if share > DARK_SHARE else "ink" if count else "muted"
    drawing.text(left + CELL / 2, top + CELL / 2 + 5, f"{count:,}", role, 13, "middle")
