"""Whether the network is as sure as it may be: calibration, before and after a temperature.

The temperature is fitted on validation volumes and measured on the tested ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.metrics import Calibration, Reals, calibration, fit_temperature
from radnet.pretrain.losses import CLASS_HEADS
from radnet.pretrain.predictions import Predictions
from radnet.pretrain.runs import TITLES

LEAST_PROBABILITY: Final = 1e-12
"""Below which a probability counts as this, so that one sure mistake does not weigh infinitely."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Calibration of one head; a region of the coverage counts as a prediction of its own.

    Attributes:
        head: The label.
        temperature: By which logits are to be divided; None without validation volumes.
        before: With the logits as they are.
        after: With the logits divided; None without a temperature.
    """

    head: str
    temperature: float | None
    before: Calibration
    after: Calibration | None


def reliabilities(
    tested: Predictions, validation: Predictions | None, heads: Sequence[str]
) -> list[Reliability]:
    """Measure the calibration of the heads that have probabilities.

    Args:
        tested: What is measured.
        validation: On which temperatures are fitted; None fits none.
        heads: Those that were trained.
    """
    found = []
    for head in heads:
        if head == "spacing" or not tested.truths[head].known.any():
            continue
        temperature = None if validation is None else _temperature(validation, head)
        after = None if temperature is None else _calibration(tested, head, temperature)
        found.append(Reliability(head, temperature, _calibration(tested, head, 1.0), after))
    return found


def reliabilities_markdown(found: Sequence[Reliability]) -> str:
    """Write calibration errors as Markdown, a line a label."""
    lines = ["| | ECE | Temperature | ECE with it |", "|---|---|---|---|"]
    for one in found:
        with_it = "| - | - |" if one.after is None else f"| {one.temperature:.2f} | {one.after.error:.3f} |"
        lines.append(f"| {TITLES[one.head]} | {one.before.error:.3f} {with_it}")
    return "\n".join(lines) + "\n"


def _temperature(predictions: Predictions, head: str) -> float | None:
    if not predictions.truths[head].known.any():
        return None
    return fit_temperature(lambda temperature: _log_likelihood(predictions, head, temperature))


def _log_likelihood(predictions: Predictions, head: str, temperature: float) -> float:
    return float(np.log(np.maximum(_of_truth(predictions, head, temperature), LEAST_PROBABILITY)).mean())


def _of_truth(predictions: Predictions, head: str, temperature: float) -> Reals:
    """Return the probability of each truth: of the class, or of each region being as it is."""
    known = predictions.truths[head].known
    probability = predictions.probabilities(head, temperature)[known]
    truth = predictions.truths[head].value[known]
    if head in CLASS_HEADS:
        return np.take_along_axis(probability, truth.astype(int)[:, None], 1)[:, 0]
    return np.where(truth > 0, probability, 1 - probability).ravel()


def _calibration(predictions: Predictions, head: str, temperature: float) -> Calibration:
    known = predictions.truths[head].known
    probability = predictions.probabilities(head, temperature)[known]
    truth = predictions.truths[head].value[known]
    if head in CLASS_HEADS:
        return calibration(probability.max(1), probability.argmax(1) == truth)
    sure = np.maximum(probability, 1 - probability)
    return calibration(sure.ravel(), ((probability > 0.5) == (truth > 0)).ravel())
