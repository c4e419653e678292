"""The coverage scheme: nine regions, their landmarks, and the counts given."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from radnet.figures.coverage import (
    LABELS,
    LANDMARKS,
    MIDLINE,
    ORGANS,
    PAINTING_ORDER,
    TOP,
    coverage_scheme,
    title,
)
from radnet.figures.drawing import PNG_SCALE, to_png, to_svg
from radnet.terms import REGIONS

COUNTS = {region: 1_000 + index for index, region in enumerate(REGIONS)}


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]


@pytest.mark.parametrize("table", [ORGANS, LABELS, LANDMARKS], ids=["outlines", "labels", "landmarks"])
def test_every_region_is_drawn_and_no_other(table):
    assert set(table) == set(REGIONS) == set(PAINTING_ORDER)


@pytest.mark.parametrize("region", REGIONS)
def test_each_region_is_named_with_its_count_share_and_landmarks(region):
    words = texts(to_svg(coverage_scheme(COUNTS, 2_000)))
    place = words.index(title(region))
    assert words[place + 1] == f"{COUNTS[region]:,} stacks ({COUNTS[region] / 2_000:.1%})"
    assert words[place + 2] == LANDMARKS[region]


def test_head_and_neck_name_the_landmarks_of_the_paper():
    assert LANDMARKS["upper_head_neck"] == "sphenoid sinus, nasopharynx, oropharynx"
    assert "larynx" in LANDMARKS["lower_head_neck"]


def test_stacks_without_a_region_and_unknown_ones_are_told_apart():
    words = texts(to_svg(coverage_scheme({"none": 3, "unknown": 5}, 8)))
    assert words[words.index("None of the nine") + 1] == "3 stacks (37.5%)"
    assert words[words.index("Coverage unknown") + 1] == "5 stacks (62.5%)"


def test_a_region_with_more_stacks_is_darker():
    def brightness(count: int) -> float:
        png = to_png(coverage_scheme({"brain": count, "liver": 100}, 200))
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        return float(picture[PNG_SCALE * (TOP + 25), round(PNG_SCALE * MIDLINE)])

    assert brightness(90) < brightness(10) < brightness(0)


def test_an_empty_archive_has_no_shares():
    drawing = coverage_scheme({}, 0)
    assert "%" not in to_svg(drawing)
    assert "Brain 0" in drawing.alt
