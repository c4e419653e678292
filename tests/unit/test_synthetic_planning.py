from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from radnet.synthetic import protocols
from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.planning import prescribe
from radnet.synthetic.protocols import Protocol

PLAIN = Protocol("ct", "test", protocols.ABDOMEN, "axial", protocols.NATIVE, 5.0, matrix=64)


@cache
def body() -> Body:
    return make_body(2)


def gaps(trap: str) -> np.ndarray:
    (plan,) = prescribe(body(), replace(PLAIN, trap=trap))
    return np.diff(np.sort(plan.positions @ np.cross(plan.row, plan.column)))


@pytest.mark.parametrize("view", ["axial", "coronal", "sagittal"])
def test_slices_of_a_plain_series_are_evenly_spaced_along_their_normal(view):
    (plan,) = prescribe(body(), replace(PLAIN, view=view))
    steps = np.diff(plan.positions, axis=0)
    np.testing.assert_allclose(np.abs(steps @ plan.normal), 5.0, atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 5.0, atol=2e-4)


@pytest.mark.parametrize("view", ["axial", "coronal", "sagittal"])
def test_a_plan_holds_its_field(view):
    (plan,) = prescribe(body(), replace(PLAIN, view=view))
    low, high = plan.corners()
    assert (low <= body().world(PLAIN.field.low) + 0.1).all()
    assert (high >= body().world(PLAIN.field.high) - 0.1).all()


def test_a_missing_slice_leaves_one_double_gap():
    found = np.round(gaps("missing_slice"), 3)
    assert sorted(set(found)) == [5.0, 10.0]
    assert (found == 10.0).sum() == 1


def test_a_duplicate_position_leaves_one_empty_gap():
    found = np.round(gaps("duplicate_position"), 3)
    assert sorted(set(found)) == [0.0, 5.0]
    assert (found == 0.0).sum() == 1


def test_variable_spacing_is_no_multiple_of_a_gap():
    found = set(np.round(gaps("variable_spacing"), 3))
    assert found == {3.0, 5.0, 7.0}


def test_a_single_position_is_taken_several_times():
    assert (gaps("single_position") == 0).all()
    assert len(gaps("single_position")) > 1


def test_a_time_series_repeats_every_position_equally_often():
    (plan,) = prescribe(body(), replace(PLAIN, trap="time_series"))
    _, counts = np.unique(plan.positions, axis=0, return_counts=True)
    assert set(counts) == {4}


def test_a_tilted_gantry_shears_the_stack():
    (plan,) = prescribe(body(), replace(PLAIN, trap="gantry_tilt"))
    step = plan.positions[1] - plan.positions[0]
    angle = np.degrees(np.arccos(abs(step @ plan.normal) / np.linalg.norm(step)))
    assert angle == pytest.approx(14, abs=0.1)


def test_an_oblique_stack_is_even_but_far_from_every_axis():
    (plan,) = prescribe(body(), replace(PLAIN, trap="oblique"))
    assert np.degrees(np.arccos(np.abs(plan.normal).max())) == pytest.approx(35, abs=0.1)
    step = plan.positions[1] - plan.positions[0]
    np.testing.assert_allclose(np.abs(step @ plan.normal), np.linalg.norm(step), rtol=1e-4)


def test_a_localizer_has_slices_in_three_planes():
    plans = prescribe(body(), replace(PLAIN, trap="localizer"))
    assert {int(np.abs(plan.normal).argmax()) for plan in plans} == {0, 1, 2}
    assert len({plan.pixel_mm for plan in plans}) == 1
