from __future__ import annotations

import numpy as np
import pytest

from radnet.errors import BodyError
from radnet.synthetic.build import CHANCES, LIMITS, SPREAD, Build, Organ, draw_build
from radnet.synthetic.frame import Frame


def test_equal_seeds_draw_equal_builds():
    assert draw_build(3) == draw_build(3)
    assert draw_build(3) != draw_build(4)


def test_what_is_given_is_kept_and_the_rest_is_drawn():
    drawn, given = draw_build(3, sex="F"), draw_build(3, sex="F", weight_kg=61.0, arms="down")
    assert (given.weight_kg, given.arms, given.sex) == (61.0, "down", "F")
    assert given.organs == drawn.organs
    assert given.height_mm == drawn.height_mm


def test_drawn_adults_span_what_hospitals_see():
    builds = [draw_build(seed) for seed in range(300)]
    bmi = np.array([build.bmi for build in builds])
    assert 24 < np.median(bmi) < 28
    assert np.percentile(bmi, 3) < 20
    assert np.percentile(bmi, 97) > 34
    assert {build.sex for build in builds} == {"F", "M"}
    assert {build.arms for build in builds} == {"up", "down"}
    ages = [build.age_years for build in builds]
    assert min(ages) < 30 < 80 < max(ages)
    assert all(set(build.organs) == set(SPREAD) for build in builds)
    found = set().union(*(build.findings for build in builds))
    assert found == set(CHANCES)


@pytest.mark.parametrize(("name", "bounds"), LIMITS.items())
def test_impossible_numbers_are_refused(name, bounds):
    for wrong in (bounds[0] - 1, bounds[1] + 1, float("nan")):
        with pytest.raises(
            BodyError, match=f"a body's {name} is .*; expected {bounds[0]:g} to {bounds[1]:g}"
        ):
            Build(**{name: wrong})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sex": "X"}, "unknown sex 'X' of a body; known are F, M"),
        ({"arms": "folded"}, "unknown arms 'folded' of a body; known are down, up"),
        ({"organs": {"appendix": Organ()}}, "unknown organ 'appendix' of a body"),
        ({"findings": frozenset({"cold"})}, "unknown finding 'cold' of a body"),
    ],
)
def test_unknown_words_are_refused(given, message):
    with pytest.raises(BodyError, match=message):
        Build(**given)


def test_an_unknown_field_is_refused():
    with pytest.raises(BodyError, match="unknown field 'mass' of a body; known are age_years"):
        draw_build(1, mass=80)


def test_fat_grows_with_weight_and_age_and_is_more_in_women():
    def fat(**given: object) -> float:
        return Frame(Build(**given)).fat_mm  # type: ignore[arg-type]

    assert fat(weight_kg=60) < fat(weight_kg=75) < fat(weight_kg=110)
    assert fat(age_years=25) < fat(age_years=75)
    assert fat(sex="M") < fat(sex="F")


@pytest.mark.parametrize("weight_kg", [35.0, 60.0, 100.0, 180.0])
@pytest.mark.parametrize("height_mm", [1400.0, 1750.0, 2100.0])
def test_layers_lie_within_each_other_in_every_build(height_mm, weight_kg):
    for sex in ("F", "M"):
        frame = Frame(Build(sex, height_mm, weight_kg))
        for height in (60.0, 150.0, 250.0, 340.0):
            skin, inner, belly = (loft.at(height) for loft in (frame.skin, frame.inner, frame.abdomen))
            assert skin[0] > inner[0] > belly[0]
            assert skin[1] < inner[1] < belly[1]
            assert skin[2] > inner[2]
        for height in (360.0, 450.0, 540.0):
            inner, chest = frame.inner.at(height), frame.chest.at(height)
            assert inner[0] > chest[0] + 8
            assert inner[1] < chest[1] - 6
