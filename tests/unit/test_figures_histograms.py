"""Histograms: nothing is lost, and the scale is readable."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.figures.drawing import to_svg
from radnet.figures.histograms import Scale, bin_counts, histogram, nice_ceiling

SCALE = Scale(step=0.5, bins=30, tick_every=4)


@given(st.lists(st.floats(0, 1e6)))
def test_every_value_is_in_one_bin(values):
    assert bin_counts(values, SCALE).sum() == len(values)


@pytest.mark.parametrize(
    ("value", "place"),
    [(0.0, 0), (0.49, 0), (0.5, 1), (2.4999999, 5), (14.9, 29), (15.0, 30), (400.0, 30)],
    ids=lambda value: str(value),
)
def test_a_bin_holds_its_lower_edge_and_the_last_what_lies_beyond(value, place):
    assert np.flatnonzero(bin_counts([value], SCALE)).tolist() == [place]


def test_values_that_were_not_measured_are_left_out():
    assert bin_counts([1.0, float("nan")], SCALE).sum() == 1


@given(st.integers(0, 10**9))
def test_the_top_of_the_scale_holds_the_count_in_four_whole_steps(count):
    top = nice_ceiling(count)
    assert max(count, 4) <= top <= max(4, 2 * count + 3)
    assert top % 4 == 0


def test_alt_text_tells_count_range_and_median():
    drawing = histogram([1.0, 2.0, 6.0, float("nan")], SCALE, "Spacing", "mm")
    assert drawing.alt == "Histogram. Spacing: 3 values, 1 to 6 mm, median 2."


def test_a_histogram_of_nothing_is_drawn_and_says_so():
    drawing = histogram([], SCALE, "Spacing", "mm")
    assert "no values" in drawing.alt
    ET.fromstring(to_svg(drawing))


def test_the_whole_sets_the_scale_when_it_stands_behind_a_part():
    texts = "".join(ET.fromstring(to_svg(histogram([1.0], SCALE, "Spacing", "mm", [1.0] * 11))).itertext())
    assert "12" in texts
