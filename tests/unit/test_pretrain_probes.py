"""Simple learners learn what is simple."""

from __future__ import annotations

import numpy as np
import pytest

from radnet.pretrain.probes import Scaler, logistic, nearest, ridge, vote

RNG = np.random.default_rng(5)
TRAIN, TEST = RNG.normal(size=(400, 6)), RNG.normal(size=(200, 6))
WEIGHTS = RNG.normal(size=(6, 3))


def test_logistic_regression_finds_linear_classes() -> None:
    found = logistic(TRAIN, (TRAIN @ WEIGHTS).argmax(1).astype(float), TEST).argmax(1)
    assert (found == (TEST @ WEIGHTS).argmax(1)).mean() > 0.95


def test_logistic_regression_answers_several_questions() -> None:
    found = logistic(TRAIN, (TRAIN @ WEIGHTS > 0).astype(float), TEST) > 0
    assert (found == (TEST @ WEIGHTS > 0)).mean() > 0.95


def test_ridge_regression_finds_a_plane() -> None:
    truth = TRAIN @ WEIGHTS[:, 0] + 7
    np.testing.assert_allclose(ridge(TRAIN, truth, TEST), TEST @ WEIGHTS[:, 0] + 7, atol=0.05)


def test_neighbours_are_those_of_the_same_direction() -> None:
    train = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0], [0.1, 1.0], [0.0, 1.0]])
    answers = nearest(train, np.array([4.0, 4.0, 2.0, 2.0, 9.0]), np.array([[9.0, 0.0], [0.0, 0.5]]), 2)
    assert answers[0].tolist() == [4, 4]
    assert sorted(answers[1].tolist()) == [2, 9]


def test_a_vote_goes_to_the_commonest() -> None:
    assert vote(np.array([[2.0, 1.0, 2.0], [0.0, 1.0, 3.0]])).tolist() == [2, 0]


def test_more_neighbours_than_rows_are_all_rows() -> None:
    assert nearest(TRAIN[:3], np.arange(3.0), TEST, 10).shape == (200, 3)


def test_a_feature_that_never_changes_is_no_feature() -> None:
    constant = np.hstack([TRAIN, np.ones((400, 1))])
    assert Scaler.of(constant).scale(constant)[:, -1].max() == 0
    assert np.isfinite(ridge(constant, TRAIN[:, 0], constant)).all()


def test_a_class_that_none_has_is_never_said() -> None:
    truth = np.where(TRAIN[:, 0] > 0, 2.0, 0.0)
    assert set(logistic(TRAIN, truth, TEST).argmax(1)) == {0, 2}
    assert logistic(TRAIN, truth, TEST).shape == (200, 3)


def test_equal_data_give_equal_fits() -> None:
    truth = (TRAIN @ WEIGHTS).argmax(1).astype(float)
    assert logistic(TRAIN, truth, TEST) == pytest.approx(logistic(TRAIN, truth, TEST))
