"""Logistic regression on features without torch, so that a series is judged by what its like are called.

For series that trained the network its own answer is worth little: it learnt their labels, the wrong ones
too. A linear probe on its frozen features, fitted on other patients, has at least not seen the label that it
judges.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.metrics import sigmoid, softmax

Reals = NDArray[np.float64]

FOLDS: Final = 5
PENALTY: Final = 1e-2
"""Of the squared weights, beside the mean loss; features are standardised."""
STEPS: Final = 300
LARGEST_FIT: Final = 20_000
"""Rows that a probe is fitted on; more change it no further."""


def fold_of(patients: Sequence[str], folds: int = FOLDS) -> NDArray[np.int64]:
    """Put patients into folds; the same patient always into the same."""
    return np.array([zlib.crc32(name.encode()) % folds for name in patients], np.int64)


def out_of_fold(
    features: NDArray[Any], truth: NDArray[Any], patients: Sequence[str], independent: bool
) -> Reals:
    """Return the probabilities that a probe gives each row when fitted on the other folds' patients.

    Args:
        features: (n, d).
        truth: (n, k) of 0 and 1: the class of each row, or the answers to k questions.
        patients: Of each row.
        independent: Whether the k are questions on their own.

    Returns:
        (n, k); NaN where the other folds have no row.
    """
    folds = fold_of(patients)
    found = np.full(truth.shape, np.nan)
    for number in range(FOLDS):
        own, other = folds == number, folds != number
        if own.any() and other.any():
            found[own] = fit(features[other], truth[other], independent)(features[own])
    return found


def fit(features: NDArray[Any], truth: NDArray[Any], independent: bool) -> Callable[[NDArray[Any]], Reals]:
    """Fit logistic regression by accelerated gradient descent.

    Args:
        features: (n, d).
        truth: (n, k) of 0 and 1, as in `out_of_fold`.
        independent: Whether the k are questions on their own.

    Returns:
        A function from (m, d) features to (m, k) probabilities.

    Source: step and momentum as in Nesterov 1983 for a smooth convex function.
    """
    step = max(1, len(truth) // LARGEST_FIT)
    x, y = np.asarray(features[::step], float), np.asarray(truth[::step], float)
    chances = sigmoid if independent else softmax
    mean, deviation = x.mean(0), x.std(0)
    deviation = np.where(deviation > 0, deviation, np.inf)
    x = np.hstack([(x - mean) / deviation, np.ones((len(x), 1))])
    # the softmax's second derivative is at most half that of the squared features
    rate = 1.0 / (0.5 * np.linalg.norm(x, 2) ** 2 / len(x) + PENALTY)
    weights = ahead = np.zeros((x.shape[1], y.shape[1]))
    penalty = np.full((x.shape[1], 1), PENALTY)
    penalty[-1] = 0
    for number in range(STEPS):
        slope = x.T @ (chances(x @ ahead) - y) / len(x) + penalty * ahead
        following = ahead - rate * slope
        ahead = following + number / (number + 3) * (following - weights)
        weights = following

    def predict(asked: NDArray[Any]) -> Reals:
        scaled = (np.asarray(asked, float) - mean) / deviation
        return chances(scaled @ weights[:-1] + weights[-1])

    return predict
