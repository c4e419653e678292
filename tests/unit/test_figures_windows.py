"""Figure 2 shows each window where it lies, and figure A1 each run."""

from __future__ import annotations

import numpy as np
import pytest

from radnet.figures.drawing import Shape, Text, to_png, to_svg
from radnet.figures.learning import learning_panels
from radnet.figures.outlines import OutlinedCase
from radnet.figures.windows import TOP, ShownWindow, window_figure

AFFINE = np.array([[0, 0, 2.0, 0], [0, 2.0, 0, 0], [5.0, 0, 0, 0], [0, 0, 0, 1.0]])
IMAGE = np.full((60, 80, 100), 90, np.uint8)
MASK = np.zeros_like(IMAGE)
MASK[30:50, 20:40, 10:30] = 1
WINDOWS = [ShownWindow(start, 0.1 * start / 8, start == 24) for start in (-4, 0, 8, 16, 24, 30)]


def bars(affine: np.ndarray) -> list[Shape]:
    drawing = window_figure(OutlinedCase("", "", IMAGE, MASK, MASK, affine), WINDOWS, 24, 0.9, "liver")
    return [
        mark for mark in drawing.marks if isinstance(mark, Shape) and mark.fill and len(mark.points) == 4
    ][:6]


def test_windows_stand_where_they_lie_with_the_head_on_top() -> None:
    top = [shape.points[:, 1].min() - TOP for shape in bars(AFFINE)]
    bottom = [shape.points[:, 1].max() - TOP for shape in bars(AFFINE)]
    height = bottom[1]  # the first slice is at the feet
    step = height / 60
    assert [round(value / step) for value in top] == [40, 36, 28, 20, 12, 6]
    assert [round(value / step) for value in bottom] == [60, 60, 52, 44, 36, 30]


def test_a_scan_whose_slices_run_to_the_feet_is_not_turned() -> None:
    down = AFFINE.copy()
    down[2, 0] = -5.0
    first = bars(down)[1].points[:, 1] - TOP
    assert first.min() == 0


def test_chosen_windows_are_marked_and_scores_written() -> None:
    drawing = window_figure(OutlinedCase("", "", IMAGE, MASK, MASK, AFFINE), WINDOWS, 24, 0.9, "liver")
    fills = [shape.fill for shape in bars(AFFINE)]
    assert fills == ["line", "line", "line", "line", "accent", "line"]
    words = [mark.words for mark in drawing.marks if isinstance(mark, Text)]
    assert {".30", "chosen from 0.9, else the best", "60 slices, 5 mm apart"} <= set(words)
    assert "6 windows of 24 slices along a scan of 60; 1 are chosen for liver" in drawing.alt
    assert to_png(drawing).startswith(b"\x89PNG")


HISTORY = [{"step": 50.0 * n, "training_loss": 1 / n, "validation_loss": 2 / n} for n in (1, 2, 4)]


def test_each_run_has_its_two_lines_on_common_axes() -> None:
    shorter = [dict(row, step=row["step"] / 2) for row in HISTORY]
    drawing = learning_panels([("frozen", [HISTORY, shorter]), ("scratch", [HISTORY])])
    lines = [
        mark.points
        for mark in drawing.marks
        if isinstance(mark, Shape) and mark.stroke in ("warn", "accent") and len(mark.points) == 3
    ]
    assert len(lines) == 6
    assert lines[0][-1, 0] - lines[0][0, 0] == pytest.approx(2 * (lines[1][-1, 0] - lines[1][0, 0]))
    assert lines[0][0, 1] == lines[4][0, 1]  # equal losses at equal heights


def test_runs_without_a_row_and_losses_that_are_none_leave_no_line() -> None:
    odd = [*HISTORY[:1], dict(HISTORY[1], validation_loss=float("nan"))]
    svg = to_svg(learning_panels([("frozen", [[], odd]), ("nothing", [])], "in training"))
    assert "nan" not in svg
    assert "in training" in svg
