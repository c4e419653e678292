"""Measures agree with a library's, and intervals hold what they promise."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_precision,
    binary_recall,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

from radnet.metrics import (
    Measure,
    calibration,
    confusion,
    fit_temperature,
    mean_absolute,
    measure,
    median,
    patient_draws,
    plain,
    precision,
    recall,
    roc_auc,
    root_mean_square,
    share,
    sigmoid,
    softmax,
)

RNG = np.random.default_rng(3)
TRUTH = RNG.random(200) < 0.3
SCORES = np.round(RNG.random(200) * 0.6 + 0.4 * TRUTH, 2)  # two decimals make ties
SAID = SCORES > 0.5
ONES = np.ones(200)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (roc_auc(TRUTH, SCORES, ONES), binary_auroc),
        (precision(TRUTH, SAID, ONES), binary_precision),
        (recall(TRUTH, SAID, ONES), binary_recall),
    ],
    ids=["auc", "precision", "recall"],
)
def test_binary_measures_are_those_of_torchmetrics(ours: np.ndarray, theirs: object) -> None:
    expected = theirs(torch.from_numpy(SCORES), torch.from_numpy(TRUTH).long())  # type: ignore[operator]
    assert float(ours) == pytest.approx(float(expected), abs=1e-6)


def test_calibration_is_that_of_torchmetrics() -> None:
    logits = RNG.normal(size=(300, 4))
    truth = RNG.integers(0, 4, 300)
    probability = softmax(logits)
    ours = calibration(probability.max(1), probability.argmax(1) == truth, bins=15)
    expected = multiclass_calibration_error(
        torch.from_numpy(probability), torch.from_numpy(truth), num_classes=4, n_bins=15
    )
    assert ours.error == pytest.approx(float(expected), abs=1e-6)
    assert ours.counts.sum() == 300


def test_confusion_has_truth_by_row() -> None:
    truth, said = RNG.integers(0, 3, 50), RNG.integers(0, 3, 50)
    expected = multiclass_confusion_matrix(torch.from_numpy(said), torch.from_numpy(truth), num_classes=3)
    np.testing.assert_array_equal(confusion(truth, said, 3), expected.numpy())


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=12))
@settings(deadline=None)
def test_auc_is_the_share_of_won_pairs(rows: list[tuple[bool, int]]) -> None:
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    pairs = [(p > q) + (p == q) / 2 for p in scores[truth] for q in scores[~truth]]
    found = float(roc_auc(truth, scores, np.ones(len(rows))))
    assert np.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))


def test_a_weight_is_a_repetition() -> None:
    weights = RNG.integers(0, 4, 200).astype(float)
    repeated = np.repeat(np.arange(200), weights.astype(int))
    ones = np.ones(len(repeated))
    for measuring in (roc_auc, recall, precision):
        second = SCORES if measuring is roc_auc else SAID
        weighed = measuring(TRUTH, second, weights)
        assert float(weighed) == pytest.approx(float(measuring(TRUTH[repeated], second[repeated], ones)))


def test_errors_are_measured_in_their_unit() -> None:
    assert float(mean_absolute([3.0, -1.0], np.ones(2))) == 2
    assert float(root_mean_square([3.0, -1.0], np.ones(2))) == pytest.approx(np.sqrt(5))


def test_patients_are_drawn_whole() -> None:
    draws = patient_draws(["a", "b", "a", "c"], draws=50)
    assert draws.shape == (50, 4)
    np.testing.assert_array_equal(draws[:, 0], draws[:, 2])
    np.testing.assert_array_equal(draws[:, 0] + draws[:, 1] + draws[:, 3], 3)


def test_many_scans_of_a_patient_do_not_narrow_the_interval() -> None:
    hits = RNG.random(30) < 0.7
    single = measure(partial(share, hits), patient_draws(np.arange(30)))
    tenfold = measure(partial(share, np.repeat(hits, 10)), patient_draws(np.repeat(np.arange(30), 10)))
    assert tenfold == single


def test_an_interval_holds_the_true_share_about_95_times_of_100() -> None:
    held = 0
    for seed in range(200):
        hits = np.random.default_rng(seed).random(80) < 0.7
        found = measure(partial(share, hits), patient_draws(np.arange(80), draws=300, seed=seed))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.7 <= found.high
    assert 0.89 <= held / 200 <= 0.99


def test_nothing_to_measure_is_none() -> None:
    assert measure(partial(recall, np.zeros(3, bool), np.ones(3, bool)), np.ones((5, 3))) == Measure(
        None, None, None
    )
    assert plain(float("nan")) is None
    assert plain(np.array([1.5, np.nan])) == [1.5, None]


def test_temperature_takes_back_what_logits_were_multiplied_by() -> None:
    logits = RNG.normal(size=(4000, 3))
    truth = np.array([RNG.choice(3, p=row) for row in softmax(logits)])

    def likelihood(temperature: float) -> float:
        return float(np.log(softmax(3 * logits / temperature)[np.arange(4000), truth]).mean())

    assert fit_temperature(likelihood) == pytest.approx(3, rel=0.1)


def test_sigmoid_stays_finite_far_out() -> None:
    np.testing.assert_allclose(sigmoid([-1000.0, 0.0, 1000.0]), [0, 0.5, 1])


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1, max_size=12))
def test_the_weighted_median_is_that_of_repeated_values(rows: list[tuple[int, int]]) -> None:
    values, counts = map(np.array, zip(*rows, strict=True))
    expected = np.median(np.repeat(values, counts)) if counts.sum() else np.nan
    found = median(values, np.stack([counts, np.ones(len(counts))]).astype(float))
    np.testing.assert_equal(found, [expected, np.median(values)])


def test_the_median_of_nothing_is_nan() -> None:
    assert np.isnan(median([], np.ones((2, 0)))).all()
