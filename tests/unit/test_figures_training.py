"""Curves, confusion and reliability show the numbers that they are given."""

from __future__ import annotations

import numpy as np
import pytest

from radnet.figures.confusion import confusion_matrix
from radnet.figures.curves import training_curves
from radnet.figures.drawing import Drawing, Shape, Text, to_svg
from radnet.figures.reliability import reliability
from radnet.metrics import calibration


def words(drawing: Drawing) -> list[str]:
    return [mark.words for mark in drawing.marks if isinstance(mark, Text)]


def lines(drawing: Drawing, role: str) -> list[np.ndarray]:
    return [m.points for m in drawing.marks if isinstance(m, Shape) and m.stroke == role and not m.closed]


def history(losses: list[float]) -> list[dict[str, float]]:
    return [
        {"epoch": n, "training_loss": 2.0, "validation_loss": loss, "training_x": 0.5, "validation_x": 0.5}
        for n, loss in enumerate(losses)
    ]


def test_curves_fall_where_the_loss_falls_and_mark_the_best() -> None:
    drawing = training_curves(history([4.0, 1.0, 3.0]))
    loss = next(points for points in lines(drawing, "accent") if len(points) == 3)
    assert loss[1, 1] == max(loss[:, 1])  # y runs down
    assert "| kept: epoch 2" in words(drawing)
    marks = [points for points in lines(drawing, "warn") if len(points) == 2]
    assert marks[0][0, 0] == pytest.approx(loss[1, 0])


@pytest.mark.parametrize("losses", [[1.0], [float("nan"), 1.0], [0.0, 0.0], [-3.0, 250.0]])
def test_odd_histories_are_drawn_inside_their_panel(losses: list[float]) -> None:
    drawing = training_curves(history(losses), best_epoch=len(losses) - 1)
    assert to_svg(drawing).count("NaN") == 0
    for mark in drawing.marks:
        if isinstance(mark, Shape):
            assert np.isfinite(mark.points).all()
            assert (mark.points[:, 1] >= 0).all()
            assert (mark.points[:, 1] <= drawing.height).all()


def test_a_confusion_matrix_has_a_cell_for_each_pair() -> None:
    drawing = confusion_matrix(np.array([[7, 2], [0, 1234]]), ["t1_se", "ct"], "Sequence")
    shown = words(drawing)
    assert [word for word in shown if word.replace(",", "").isdecimal()] == ["7", "2", "0", "1,234"]
    assert shown.count("t1 se") == 2
    assert "1241 of 1243 on the diagonal" in drawing.alt


def test_reliability_bars_are_as_high_as_what_is_right() -> None:
    found = calibration([0.9] * 10, [True] * 5 + [False] * 5)
    drawing = reliability([("View", found, None, None)])
    bar = next(m for m in drawing.marks if isinstance(m, Shape) and m.fill == "soft")
    assert np.ptp(bar.points[:, 1]) == pytest.approx(100)  # half of the panel's 200
    assert "ECE 0.400" in words(drawing)
    assert "ECE 0.400; 0.400 at temperature 1.50" in words(reliability([("View", found, 1.5, found)]))
