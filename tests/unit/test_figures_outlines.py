"""Outlines lie where the masks are, in the proportions of the body, and pictures stand in drawings."""

from __future__ import annotations

import base64
import re

import cv2
import numpy as np
import pytest

from radnet.figures.drawing import Drawing, to_png, to_svg
from radnet.figures.outlines import (
    FINE,
    MASK_COLOUR,
    PANEL,
    TRUTH_COLOUR,
    OutlinedCase,
    case_panels,
    outlined_cases,
    panel,
)

AFFINE = np.array([[0, 0, 2.0, 0], [0, 2.0, 0, 0], [8.0, 0, 0, 0], [0, 0, 0, 1.0]])
"""Axial: slices to the head 8 mm apart, 2 mm pixels."""


def case(**fields: np.ndarray) -> OutlinedCase:
    image = np.full((20, 60, 80), 90, np.uint8)
    truth, mask = np.zeros((2, 20, 60, 80), np.uint8)
    truth[4:12, 20:40, 10:30] = 1
    mask[5:13, 20:40, 12:32] = 1
    return OutlinedCase(
        "best", "Dice 0.9", **{"image": image, "truth": truth, "mask": mask, "affine": AFFINE} | fields
    )


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((picture == colour).all(axis=-1))


def test_the_outline_is_where_the_mask_is() -> None:
    flags = np.zeros((50, 50), np.uint8)
    flags[10:20, 30:45] = 1
    picture = panel(np.zeros((50, 50), np.uint8), flags, np.zeros_like(flags), (100.0, 100.0), 4.0)
    places = coloured(picture, TRUTH_COLOUR)
    assert (places.min(0), places.max(0)) == (pytest.approx([80, 240]), pytest.approx([159, 359]))
    assert not coloured(picture, MASK_COLOUR).size


def test_panels_keep_the_proportions_of_the_body() -> None:
    axial, *_, coronal = case_panels(case())
    side = FINE * PANEL
    assert axial.shape == coronal.shape == (side, side, 3)
    shown = [np.ptp(np.argwhere(picture.any(-1)), axis=0) + 1 for picture in (axial, coronal)]
    # 160 mm, the longest side, or 160 mm of slices, fill the panel; rows are 120 mm
    np.testing.assert_array_equal(shown, [[side * 3 // 4, side], [side, side]])


def test_the_head_is_on_top_of_the_coronal_picture() -> None:
    places = coloured(case_panels(case())[-1], TRUTH_COLOUR)
    # slices 4 to 11 of 20 towards the head are 8 to 15 from the top
    assert places[:, 0].min() == pytest.approx(FINE * PANEL * 8 / 20, abs=1)


@pytest.mark.parametrize("empty", ["truth", "mask", "both"])
def test_empty_masks_are_drawn_too(empty: str) -> None:
    nothing = np.zeros((20, 60, 80), np.uint8)
    fields = {name: nothing for name in ("truth", "mask") if empty in (name, "both")}
    assert len(case_panels(case(**fields))) == 4


def test_a_drawing_of_cases_has_their_words_and_pictures() -> None:
    svg = to_svg(outlined_cases([case(), case()], "Two cases."))
    assert svg.count("<image ") == 2 * 4 + 2
    assert "Dice 0.9" in svg
    decoded = cv2.imdecode(
        np.frombuffer(to_png(outlined_cases([case()], "One.")), np.uint8), cv2.IMREAD_COLOR
    )
    assert decoded.shape[1] == 2 * (4 * PANEL + 3 * 4)


def test_pictures_keep_their_colours_and_place() -> None:
    drawing = Drawing(60, 40, "A square.")
    drawing.picture(10, 20, 20, 10, np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8))
    drawing.picture(40, 0, 10, 10, np.full((1, 1), 77, np.uint8))
    painted = cv2.imdecode(np.frombuffer(to_png(drawing), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert painted[44, 40].tolist() == [255, 0, 0]
    assert painted[56, 40].tolist() == [0, 0, 255]
    assert painted[10, 90].tolist() == [77, 77, 77]
    assert painted[70, 100].tolist() == [255, 255, 255]
    encoded = re.findall(r"base64,([^\"]+)", to_svg(drawing))[0]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
    assert pixels[..., ::-1].tolist() == [[[255, 0, 0]], [[0, 0, 255]]]
