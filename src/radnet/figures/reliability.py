"""Reliability: how often what is said with a confidence is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from radnet.figures.drawing import Drawing
from radnet.metrics import Calibration

SIDE: Final = 200
LEFT, TOP, RIGHT, BOTTOM = 46, 54, 16, 44
"""Margins around a panel."""
GAP: Final = 1.0
TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)

Panel = tuple[str, Calibration, float | None, Calibration | None]
"""Name, calibration as it is, temperature, calibration with it."""


def reliability(panels: Sequence[Panel]) -> Drawing:
    """Draw one panel a label: bars as it is, a line with the temperature; the diagonal is perfect."""
    pitch = LEFT + SIDE + RIGHT
    gaps = "; ".join(f"{name} {before.error:.3f}" for name, before, _, _ in panels)
    drawing = Drawing(
        max(len(panels), 1) * pitch, TOP + SIDE + BOTTOM, f"Reliability; calibration error: {gaps}."
    )
    for number, panel in enumerate(panels):
        _draw_panel(drawing, panel, number * pitch + LEFT)
    return drawing


def _draw_panel(drawing: Drawing, panel: Panel, left: float) -> None:
    name, before, temperature, after = panel
    base = TOP + SIDE
    drawing.text(left, 20, name, bold=True)
    told = f"ECE {before.error:.3f}"
    if temperature is not None and after is not None:
        told += f"; {after.error:.3f} at temperature {temperature:.2f}"
    drawing.text(left, 38, told, "muted", 11)
    for tick in TICKS:
        y = base - SIDE * tick
        drawing.line([(left, y), (left + SIDE, y)], "line")
        drawing.text(left - 6, y + 4, f"{tick:g}", "muted", 10, "end")
        drawing.text(left + SIDE * tick, base + 15, f"{tick:g}", "muted", 10, "middle")
    width = SIDE / len(before.counts)
    for place, (count, accuracy) in enumerate(zip(before.counts, before.accuracy, strict=True)):
        if count:
            height = max(SIDE * float(accuracy), 1)
            drawing.rectangle(left + place * width + GAP / 2, base - height, width - GAP, height, "soft")
    drawing.line([(left, base), (left + SIDE, TOP)], "muted")
    if after is not None:
        shown = after.counts > 0
        points = np.stack([left + SIDE * after.confidence, base - SIDE * after.accuracy], 1)[shown]
        if len(points) > 1:
            drawing.line(points, "accent", 2.0)
        for x, y in points:
            drawing.rectangle(x - 2, y - 2, 4, 4, "accent")
    drawing.text(left + SIDE / 2, base + 34, "confidence", "muted", 11, "middle")
