"""Drawings: one set of marks, as SVG in the page's colours and as PNG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import product

import cv2
import numpy as np
import pytest

from radnet.figures.bars import shrinking_bars
from radnet.figures.drawing import Drawing, smooth, to_png, to_svg
from radnet.figures.palette import DARK, LIGHT

SQUARE = [(10, 10), (30, 10), (30, 30), (10, 30)]


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_svg_is_well_formed_and_escapes_text_and_alt():
    drawing = Drawing(50, 40, 'a "quoted" <alt> & more')
    drawing.text(5, 5, "<script>alert(1)</script> & co")
    root = ET.fromstring(to_svg(drawing))
    assert root.get("aria-label") == 'a "quoted" <alt> & more'
    assert "".join(root.itertext()) == "<script>alert(1)</script> & co"


def test_svg_takes_colours_from_the_page_alone():
    drawing = Drawing(50, 40, "square")
    drawing.polygon(SQUARE, "accent", "ink")
    assert "var(--accent)" in to_svg(drawing)
    assert "#" not in to_svg(drawing)


def test_png_has_the_light_colours_where_the_marks_are():
    drawing = Drawing(50, 40, "square")
    drawing.polygon(SQUARE, "accent")
    picture = decoded(to_png(drawing))
    assert picture.shape == (80, 100, 3)
    blue, green, red = picture[40, 40]
    assert f"#{red:02x}{green:02x}{blue:02x}" == LIGHT["accent"]
    assert (picture[5, 5] == 255).all()


def test_png_is_the_same_every_time():
    drawing = shrinking_bars([("input", 0, 10), ("too few slices", 4, 6)], "stacks")
    assert to_png(drawing) == to_png(drawing)


def test_a_smoothed_polygon_still_passes_through_its_corners():
    curve = smooth(SQUARE, per_segment=4)
    assert curve.shape == (16, 2)
    np.testing.assert_allclose(curve[::4], SQUARE)


def test_bars_say_every_count_with_separators():
    drawing = shrinking_bars([("input", 0, 63_276), ("too few slices", 3_768, 59_508)], "stacks")
    words = "".join(ET.fromstring(to_svg(drawing)).itertext())
    assert "63,276" in words
    assert "59,508" in words
    assert "−3,768" in words


@pytest.mark.parametrize("steps", [[], [("input", 0, 0)]], ids=["no steps", "nothing"])
def test_bars_of_an_empty_archive_are_still_a_drawing(steps):
    ET.fromstring(to_svg(shrinking_bars(steps, "stacks")))


def luminance(colour: str) -> float:
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize(
    ("palette", "text", "ground"),
    [
        pytest.param(palette, text, ground, id=f"{name} {text} on {ground}")
        for (name, palette), text, ground in product(
            (("light", LIGHT), ("dark", DARK)), ("ink", "muted", "accent", "warn"), ("ground", "surface")
        )
    ],
)
def test_text_has_the_contrast_that_wcag_asks_for(palette, text, ground):
    low, high = sorted((luminance(palette[text]), luminance(palette[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
