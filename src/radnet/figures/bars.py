"""Horizontal bars that show how a whole shrinks step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from radnet.figures.drawing import Drawing

WIDTH: Final = 920
LEFT: Final = 250
RIGHT: Final = 190
ROW: Final = 27
BAR: Final = 15
TOP: Final = 34


def shrinking_bars(steps: Sequence[tuple[str, int, int]], unit: str) -> Drawing:
    """Draw what each step leaves and what it takes away.

    Args:
        steps: Name, removed and remaining count of each step; the first row is the whole.
        unit: What is counted, in the plural.

    Returns:
        The drawing, one row a step.
    """
    whole = max((remaining for _, _, remaining in steps), default=0)
    spoken = "; ".join(f"{name} removes {gone:,}, leaves {left:,}" for name, gone, left in steps[1:])
    drawing = Drawing(WIDTH, TOP + ROW * len(steps) + 8, f"From {whole:,} {unit}: {spoken or 'no steps'}.")
    _draw_legend(drawing, unit)
    for index, (name, gone, left_over) in enumerate(steps):
        _draw_row(drawing, TOP + index * ROW, name, (gone, left_over), whole)
    return drawing


def _draw_legend(drawing: Drawing, unit: str) -> None:
    drawing.rectangle(LEFT, 6, 12, 12, "accent")
    drawing.text(LEFT + 18, 16, "remaining", "muted", 12)
    drawing.rectangle(LEFT + 110, 6, 12, 12, "warn")
    drawing.text(LEFT + 128, 16, f"removed ({unit})", "muted", 12)


def _draw_row(drawing: Drawing, top: float, name: str, counts: tuple[int, int], whole: int) -> None:
    removed, remaining = counts
    unit_width = (WIDTH - LEFT - RIGHT) / whole if whole else 0.0
    baseline = top + BAR - 3
    drawing.text(LEFT - 12, baseline, name, size=13, anchor="end")
    drawing.rectangle(LEFT, top, remaining * unit_width, BAR, "accent")
    drawing.rectangle(LEFT + remaining * unit_width, top, removed * unit_width, BAR, "warn")
    drawing.line([(LEFT, top - 4), (LEFT, top + BAR + 4)], "muted")
    drawing.text(WIDTH - RIGHT + 90, baseline, f"{remaining:,}", size=13, anchor="end")
    if removed:
        drawing.text(WIDTH - 8, baseline, f"−{removed:,}", "warn", 13, "end")
