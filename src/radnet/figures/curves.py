"""Training and validation over epochs, one panel a measure (the paper's figure A1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from radnet.figures.drawing import Drawing
from radnet.figures.palette import Role

PANEL_WIDTH: Final = 300
PANEL_HEIGHT: Final = 190
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 34, 34
"""Margins around the lines of a panel."""
COLUMNS: Final = 3
LEGEND: Final = 30
"""Height of the legend above the panels."""
SIDES: Final[tuple[tuple[str, Role], ...]] = (("training", "soft"), ("validation", "accent"))
GRID_LINES: Final = 4

Row = Mapping[str, float]


def training_curves(history: Sequence[Row], best_epoch: int | None = None) -> Drawing:
    """Draw the curves of a training.

    Args:
        history: A row an epoch; columns `training_X` and `validation_X` make the panel X.
        best_epoch: Marked by a line; None takes the epoch of the least validation loss.

    Returns:
        The drawing.
    """
    names = [key.removeprefix("validation_") for key in history[0] if key.startswith("validation_")]
    losses = [row["validation_loss"] for row in history]
    best = int(np.nanargmin(losses)) if best_epoch is None else best_epoch
    lines = -(-len(names) // COLUMNS)
    alt = f"Curves of training and validation over {len(history)} epochs: {', '.join(map(_title, names))}."
    drawing = Drawing(COLUMNS * PANEL_WIDTH, LEGEND + lines * PANEL_HEIGHT, alt)
    for place, (side, role) in enumerate(SIDES):
        drawing.line([(LEFT + 110 * place, 16), (LEFT + 24 + 110 * place, 16)], role, 2.5)
        drawing.text(LEFT + 30 + 110 * place, 20, side, "muted", 12)
    drawing.text(LEFT + 250, 20, f"| kept: epoch {best + 1}", "warn", 12)
    for number, name in enumerate(names):
        line, column = divmod(number, COLUMNS)
        _panel(drawing, history, name, best, column * PANEL_WIDTH, LEGEND + line * PANEL_HEIGHT)
    return drawing


def _title(name: str) -> str:
    return name.replace("mae_mm", "mean absolute error, mm").replace("_", " ")


def _panel(drawing: Drawing, history: Sequence[Row], name: str, best: int, left: float, top: float) -> None:
    curves = {side: np.array([row[f"{side}_{name}"] for row in history]) for side, _ in SIDES}
    known = np.concatenate(list(curves.values()))
    known = known[np.isfinite(known)]
    low, high = axis_limits(known, GRID_LINES)
    width, height = PANEL_WIDTH - LEFT - RIGHT, PANEL_HEIGHT - TOP - BOTTOM
    x = left + LEFT + width * (np.arange(len(history)) / max(len(history) - 1, 1))
    base = top + TOP + height
    drawing.text(left + LEFT, top + 22, _title(name), bold=True)
    for value in np.linspace(low, high, GRID_LINES + 1):
        y = base - height * (value - low) / (high - low)
        drawing.line([(left + LEFT, y), (left + LEFT + width, y)], "muted" if value == low else "line")
        drawing.text(left + LEFT - 6, y + 4, f"{value:.3g}", "muted", 11, "end")
    drawing.line([(x[best], top + TOP), (x[best], base)], "warn", 1.0)
    for side, role in SIDES:
        values = curves[side]
        shown = np.isfinite(values)
        points = np.stack([x, base - height * (values - low) / (high - low)], 1)[shown]
        if len(points) == 1:
            drawing.rectangle(points[0, 0] - 2, points[0, 1] - 2, 4, 4, role)
        elif len(points):
            drawing.line(points, role, 2.0)
    drawing.text(left + LEFT, base + 17, "1", "muted", 11, "middle")
    drawing.text(left + LEFT + width, base + 17, f"{len(history)}", "muted", 11, "middle")
    drawing.text(left + LEFT + width / 2, base + 17, "epoch", "muted", 11, "middle")


def axis_limits(values: np.ndarray, grid_lines: int) -> tuple[float, float]:
    """Return limits around values and zero between which so many grid lines lie at round numbers."""
    if not values.size:
        return 0.0, 1.0
    low, high = min(float(values.min()), 0.0), float(values.max())
    least = max(high - low, 1e-6) / grid_lines
    power = 10.0 ** math.floor(math.log10(least))
    for step in (power, 2 * power, 2.5 * power, 5 * power, 10 * power, 20 * power):
        start = math.floor(low / step) * step
        if start + grid_lines * step >= high:
            return start, start + grid_lines * step
    raise AssertionError("one of these steps holds any span")
