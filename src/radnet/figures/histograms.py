"""Histograms on one scale, with the values beyond the scale in a last bin of their own.

Bars stand for [edge, next edge); the last one gathers everything from the end of the scale on, so that a few
outliers do not flatten the rest and are still counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radnet.figures.drawing import Drawing
from radnet.figures.palette import Role

WIDTH: Final = 440
HEIGHT: Final = 250
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 40, 46
"""Margins around the bars."""
GAP: Final = 1.5
"""Between neighbouring bars."""
GRID_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """Bins of equal width from zero.

    Attributes:
        step: Width of a bin.
        bins: How many; one more holds what lies beyond.
        tick_every: A number is written under every so many bins.
    """

    step: float
    bins: int
    tick_every: int

    @property
    def end(self) -> float:
        """Where the last bin begins."""
        return self.step * self.bins


def bin_counts(values: ArrayLike, scale: Scale) -> NDArray[np.int64]:
    """Count values by bin.

    Args:
        values: (n,) not negative; NaN is left out.
        scale: The bins.

    Returns:
        (bins + 1,) counts, the last one of the values at the end of the scale and beyond.
    """
    array = np.asarray(values, float)
    # 2.4999999 is 2.5: spacings come out of differences of positions
    index = np.floor(array[~np.isnan(array)] / scale.step + 1e-6).astype(int)
    return np.bincount(np.clip(index, 0, scale.bins), minlength=scale.bins + 1)


def histogram(
    values: ArrayLike, scale: Scale, title: str, unit: str, behind: ArrayLike | None = None
) -> Drawing:
    """Draw a histogram.

    Args:
        values: (n,) values of the dark bars.
        scale: The bins.
        title: Said above it.
        unit: Said below it, e.g. `mm`.
        behind: (m,) values of pale bars behind the dark ones, for a whole of which `values` is a part.

    Returns:
        The drawing.
    """
    front = bin_counts(values, scale)
    back = front if behind is None else bin_counts(behind, scale)
    top = nice_ceiling(int(back.max()))
    drawing = Drawing(WIDTH, HEIGHT, _alt(title, values, unit))
    drawing.text(LEFT, 20, title, bold=True)
    _draw_grid(drawing, top)
    if behind is not None:
        _draw_bars(drawing, back, top, "soft")
    _draw_bars(drawing, front, top, "accent")
    _draw_axis(drawing, scale, unit)
    return drawing


def nice_ceiling(count: int) -> int:
    """Return the least of 4, 8, 12, 20, 40, 80, 120, 200, ... that is not below the count.

    Each divides into four whole steps.
    """
    power = 1
    while True:
        for factor in (4, 8, 12, 20):
            if count <= factor * power:
                return factor * power
        power *= 10


def _alt(title: str, values: ArrayLike, unit: str) -> str:
    array = np.asarray(values, float)
    array = array[~np.isnan(array)]
    if not array.size:
        return f"Histogram. {title}: no values."
    low, middle, high = np.min(array), np.median(array), np.max(array)
    return f"Histogram. {title}: {array.size:,} values, {low:g} to {high:g} {unit}, median {middle:g}."


def _height(count: float, top: int) -> float:
    return (HEIGHT - TOP - BOTTOM) * count / top


def _draw_grid(drawing: Drawing, top: int) -> None:
    for count in np.linspace(0, top, GRID_LINES + 1):
        y = HEIGHT - BOTTOM - _height(count, top)
        drawing.line([(LEFT, y), (WIDTH - RIGHT, y)], "muted" if count == 0 else "line")
        drawing.text(LEFT - 8, y + 4, f"{count:,.0f}", "muted", 11, "end")


def _draw_bars(drawing: Drawing, counts: NDArray[np.int64], top: int, role: Role) -> None:
    pitch = (WIDTH - LEFT - RIGHT) / len(counts)
    for index, count in enumerate(counts):
        if count:
            height = _height(count, top)
            left = LEFT + index * pitch + GAP / 2
            drawing.rectangle(left, HEIGHT - BOTTOM - height, pitch - GAP, height, role)


def _draw_axis(drawing: Drawing, scale: Scale, unit: str) -> None:
    pitch = (WIDTH - LEFT - RIGHT) / (scale.bins + 1)
    base = HEIGHT - BOTTOM
    for index in range(0, scale.bins, scale.tick_every):
        x = LEFT + index * pitch
        drawing.line([(x, base), (x, base + 4)], "muted")
        drawing.text(x, base + 17, f"{index * scale.step:g}", "muted", 11, "middle")
    drawing.text(LEFT + (scale.bins + 0.5) * pitch, base + 17, f"≥{scale.end:g}", "muted", 11, "middle")
    drawing.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, unit, "muted", 12, "middle")
