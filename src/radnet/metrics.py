"""How well predictions hold truths, with intervals by bootstrap over patients.

Every measure takes weights of shape (..., n), one a row, drawn as many ways as one likes: a bootstrap draws
patients with replacement and gives each row as weight how often its patient was drawn, so that all draws are
measured at once. A measure that has nothing to measure (no positives, no rows) is NaN.

Intervals are over patients because the series of one patient are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]
Measuring = Callable[[Reals], Reals]
"""Takes (..., n) weights, returns (...) values."""

DRAWS: Final = 1000
"""Bootstrap draws; their 2.5 and 97.5 percentiles are the interval."""
CALIBRATION_BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Measure:
    """A measured value with its 95 % interval; None where there is nothing to measure."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence against truth, in bins of equal width from 0 to 1.

    Attributes:
        counts: (bins,) predictions.
        confidence: (bins,) their mean confidence; NaN in an empty bin.
        accuracy: (bins,) share of them that is right; NaN in an empty bin.
        error: Expected calibration error: the mean distance between the two, by count.
    """

    counts: NDArray[np.int64]
    confidence: Reals
    accuracy: Reals
    error: float


def share(hits: ArrayLike, weights: Reals) -> Reals:
    """Return the weighted share of (n,) hits; the mean when they are numbers."""
    return _ratio(weights @ np.asarray(hits, float), weights.sum(-1))


def recall(truth: ArrayLike, said: ArrayLike, weights: Reals) -> Reals:
    """Return the share of (n,) true rows that were said to be."""
    true = np.asarray(truth, bool)
    return _ratio(weights @ (true & np.asarray(said, bool)), weights @ true)


def precision(truth: ArrayLike, said: ArrayLike, weights: Reals) -> Reals:
    """Return the share of (n,) rows said to be that are true."""
    return recall(said, truth, weights)


def mean_absolute(errors: ArrayLike, weights: Reals) -> Reals:
    """Return the mean size of (n,) errors, in their unit."""
    return share(np.abs(np.asarray(errors, float)), weights)


def median(values: ArrayLike, weights: Reals) -> Reals:
    """Return the weighted median of (n,) values.

    Args:
        values: (n,) numbers.
        weights: (..., n) whole numbers: how often each value counts.

    Returns:
        (...) the median of the values so repeated; the mean of the middle two when they are an even number.
    """
    numbers = np.asarray(values, float)
    if not numbers.size:
        return np.full(weights.shape[:-1], np.nan)
    order = np.argsort(numbers, kind="stable")
    reached = np.cumsum(weights[..., order], axis=-1)
    whole = reached[..., -1:]
    lower = np.argmax(reached > (whole - 1) // 2, axis=-1)
    upper = np.argmax(reached > whole // 2, axis=-1)
    middle = (numbers[order][lower] + numbers[order][upper]) / 2
    return np.where(whole[..., 0] > 0, middle, np.nan)


def root_mean_square(errors: ArrayLike, weights: Reals) -> Reals:
    """Return the root of the mean square of (n,) errors, in their unit."""
    return np.asarray(np.sqrt(share(np.square(np.asarray(errors, float)), weights)))


def roc_auc(truth: ArrayLike, scores: ArrayLike, weights: Reals) -> Reals:
    """Return the area under the receiver operating characteristic.

    Args:
        truth: (n,) whether a row is positive.
        scores: (n,) higher says positive.
        weights: (..., n).

    Returns:
        (...) the chance that a positive has the higher score than a negative; ties count half.
    """
    _, level = np.unique(np.asarray(scores, float), return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    positive = np.asarray(truth, bool)[order]
    ordered = weights[..., order]
    if not starts.size:
        return np.full(weights.shape[:-1], np.nan)
    positives = np.add.reduceat(ordered * positive, starts, axis=-1)
    negatives = np.add.reduceat(ordered * ~positive, starts, axis=-1)
    below = np.cumsum(negatives, axis=-1) - negatives
    wins = (positives * (below + negatives / 2)).sum(-1)
    return _ratio(wins, positives.sum(-1) * negatives.sum(-1))


def _ratio(part: ArrayLike, whole: ArrayLike) -> Reals:
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def patient_draws(patients: ArrayLike, draws: int = DRAWS, seed: int = 0) -> Reals:
    """Draw patients with replacement.

    Args:
        patients: (n,) patient of each row, any hashable words.
        draws: How often.
        seed: Equal seeds give equal draws.

    Returns:
        (draws, n) how often the patient of each row was drawn.
    """
    names, place = np.unique(np.asarray(patients), return_inverse=True)
    if not names.size:
        return np.ones((draws, 0))
    even = np.full(names.size, 1 / names.size)
    counts = np.random.default_rng(seed).multinomial(names.size, even, size=draws)
    return counts[:, place].astype(float)


def measure(measuring: Measuring, draws: Reals) -> Measure:
    """Measure once with equal weights, and once a draw for the 95 % interval.

    Args:
        measuring: What to measure.
        draws: (draws, n) as `patient_draws` returns them.
    """
    value = float(measuring(np.ones(draws.shape[-1])))
    if np.isnan(value):
        return Measure(None, None, None)
    drawn = measuring(draws)
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return Measure(value, None, None)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Measure(value, float(low), float(high))


def confusion(truth: ArrayLike, said: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Count (n,) class numbers by truth (rows) and prediction (columns)."""
    pairs = np.asarray(truth, int) * n_classes + np.asarray(said, int)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def calibration(confidence: ArrayLike, right: ArrayLike, bins: int = CALIBRATION_BINS) -> Calibration:
    """Hold confidences against truth.

    Args:
        confidence: (n,) 0 to 1.
        right: (n,) whether the prediction is right.
        bins: Of equal width.

    Source: Naeini et al., AAAI 2015; equal-width bins as in Guo et al., ICML 2017.
    """
    sure, hits = np.asarray(confidence, float), np.asarray(right, float)
    place = np.clip((sure * bins).astype(int), 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    mean_sure = _ratio(np.bincount(place, sure, bins), counts)
    mean_hits = _ratio(np.bincount(place, hits, bins), counts)
    gaps = np.abs(np.nan_to_num(mean_sure - mean_hits))
    error = float((counts * gaps).sum() / counts.sum()) if counts.sum() else float("nan")
    return Calibration(counts, mean_sure, mean_hits, error)


def softmax(logits: ArrayLike) -> Reals:
    """Return (n, classes) probabilities of (n, classes) logits."""
    values = np.asarray(logits, float)
    powers = np.exp(values - values.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def sigmoid(logits: ArrayLike) -> Reals:
    """Return probabilities of logits of any shape."""
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(logits, float) / 2)))


def fit_temperature(log_likelihood: Callable[[float], float], low: float = 0.05, high: float = 20.0) -> float:
    """Find the temperature by which logits are divided so that probabilities hold best.

    Args:
        log_likelihood: Of the truths at a temperature; has one maximum between the limits.
        low: Least temperature.
        high: Largest.

    Returns:
        The best temperature, to about 1 in 1000.

    Source: Guo et al., ICML 2017; golden section search on the logarithm.
    """
    golden = (np.sqrt(5) - 1) / 2
    left, right = np.log(low), np.log(high)
    while right - left > 1e-3:
        inner, outer = right - golden * (right - left), left + golden * (right - left)
        if log_likelihood(float(np.exp(inner))) >= log_likelihood(float(np.exp(outer))):
            right = outer
        else:
            left = inner
    return float(np.exp((left + right) / 2))


def shown(value: Measure, unit: str) -> str:
    """Write a figure with its interval: percent with one decimal, millilitres with none, others with two."""
    if value.value is None:
        return "-"
    digits, factor = {"%": (1, 100), "ml": (0, 1)}.get(unit, (2, 1))
    text = f"{factor * value.value:.{digits}f}{'%' if unit == '%' else f' {unit}'}"
    if value.low is None or value.high is None:
        return text
    return f"{text} [{factor * value.low:.{digits}f}, {factor * value.high:.{digits}f}]"


def plain(value: Any) -> Any:
    """Return numbers and arrays as JSON can hold them: NaN becomes null."""
    if isinstance(value, np.ndarray):
        return [plain(part) for part in value.tolist()]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
