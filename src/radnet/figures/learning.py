"""Training and validation of several ways of learning side by side (the paper's figure A1).

A panel is one way, its lines are its runs; all panels share their axes, so that heights can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from radnet.figures.curves import axis_limits
from radnet.figures.drawing import Drawing
from radnet.figures.palette import Role

History = Sequence[Mapping[str, float]]
"""A row a validation, with `step`, `training_loss` and `validation_loss`."""

PANEL_WIDTH: Final = 270
PANEL_HEIGHT: Final = 180
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 30, 34
COLUMNS: Final = 4
LEGEND: Final = 30
GRID_LINES: Final = 4
SIDES: Final[tuple[tuple[str, Role], ...]] = (("training_loss", "warn"), ("validation_loss", "accent"))


def learning_panels(ways: Sequence[tuple[str, Sequence[History]]], validation: str = "validation") -> Drawing:
    """Draw the losses of all runs, one panel a way of learning.

    Args:
        ways: Name and histories of each; runs without a row are left out.
        validation: What the second line is called.

    Returns:
        The drawing.
    """
    rows = -(-len(ways) // COLUMNS)
    columns = min(COLUMNS, max(len(ways), 2))
    spoken = ", ".join(f"{name} ({len(runs)} runs)" for name, runs in ways)
    drawing = Drawing(columns * PANEL_WIDTH, LEGEND + rows * PANEL_HEIGHT, f"Loss over steps: {spoken}.")
    for place, (side, role) in enumerate(SIDES):
        left = LEFT + 110 * place
        drawing.line([(left, 16), (left + 24, 16)], role, 2.5)
        drawing.text(left + 30, 20, validation if side.startswith("validation") else "training", "muted", 12)
    known = [row for _, runs in ways for run in runs for row in run]
    values = np.array([row[side] for row in known for side, _ in SIDES if np.isfinite(row[side])])
    limits = axis_limits(values, GRID_LINES)
    last = max((row["step"] for row in known), default=1.0)
    for number, (name, runs) in enumerate(ways):
        line, column = divmod(number, COLUMNS)
        place_at = (column * PANEL_WIDTH, LEGEND + line * PANEL_HEIGHT)
        _panel(drawing, name, [run for run in runs if run], place_at, limits, last)
    return drawing


def _panel(
    drawing: Drawing,
    name: str,
    runs: Sequence[History],
    place: tuple[float, float],
    limits: tuple[float, float],
    last: float,
) -> None:
    left, top = place[0] + LEFT, place[1] + TOP
    width, height = PANEL_WIDTH - LEFT - RIGHT, PANEL_HEIGHT - TOP - BOTTOM
    low, high = limits
    base = top + height
    drawing.text(left, top - 10, name, bold=True, size=12)
    for value in np.linspace(low, high, GRID_LINES + 1):
        y = base - height * (value - low) / (high - low)
        drawing.line([(left, y), (left + width, y)], "muted" if value == low else "line")
        drawing.text(left - 6, y + 4, f"{value:.3g}", "muted", 11, "end")
    for side, role in SIDES:
        for run in runs:
            points = [
                (left + width * row["step"] / last, base - height * (row[side] - low) / (high - low))
                for row in run
                if np.isfinite(row[side])
            ]
            if len(points) == 1:
                drawing.rectangle(points[0][0] - 2, points[0][1] - 2, 4, 4, role)
            elif points:
                drawing.line(points, role, 1.2)
    drawing.text(left, base + 16, "0", "muted", 11, "middle")
    drawing.text(left + width, base + 16, f"{last:,.0f}", "muted", 11, "end")
    drawing.text(left + width / 2, base + 16, "step", "muted", 11, "middle")
