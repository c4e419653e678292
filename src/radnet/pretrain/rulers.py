"""The network's figures beside those of simpler means, on the same rows.

What needs no network: the commonest answer, a logistic regression on grey-level histograms, and for the
spacing the blank slices around a thin stack, by which a network could cheat. What its frozen features tell:
nearest neighbours and a linear probe for each label, and for the collection, which it should not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.labels.splits import TRAINING, drawn_side
from radnet.metrics import Measure, Measuring, mean_absolute, measure, patient_draws, share, shown
from radnet.pretrain.losses import CLASS_HEADS
from radnet.pretrain.predictions import Predictions, Reals
from radnet.pretrain.probes import logistic, nearest, ridge, vote
from radnet.pretrain.runs import TITLES
from radnet.pretrain.table1 import true_and_said

Answers = NDArray[Any]

LEAST_ROWS: Final = 10
"""Training rows with a label below which nothing is fitted."""
PROBE_SHARE: Final = 0.3
"""Of the patients on whom the probe for the collection is measured."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """One figure of one means.

    Attributes:
        head: The label, or `collection`.
        means: What told it: `network`, `majority`, `histogram`, `padding`, `neighbours` or `linear probe`.
        unit: `%` (top-1, or exact set of the coverage), or `mm` (mean absolute error).
        samples: Volumes it was measured on.
        value: The figure.
    """

    head: str
    means: str
    unit: str
    samples: int
    value: Measure


def compare(training: Predictions, tested: Predictions, heads: Sequence[str]) -> list[Ruler]:
    """Fit the simpler means on training rows and measure all on the tested ones.

    Args:
        training: Of volumes that trained the network.
        tested: Of volumes that did not.
        heads: Those that were trained.
    """
    draws = patient_draws(tested.patients)
    rulers: list[Ruler] = []
    for head in heads:
        known, own = tested.truths[head].known, training.truths[head].known
        if not known.any() or own.sum() < LEAST_ROWS:
            continue
        truth, said = true_and_said(tested, head)
        for means, answer in [("network", said), *_answers(training, tested, head)]:
            value = measure(_figure(head, truth, answer), draws[:, known])
            rulers.append(Ruler(head, means, "mm" if head == "spacing" else "%", int(known.sum()), value))
    return rulers


def rulers_markdown(rulers: Sequence[Ruler]) -> str:
    """Write the figures as Markdown: a line a label, a column a means."""
    means = list(dict.fromkeys(ruler.means for ruler in rulers))
    lines = [f"| | Samples | {' | '.join(means)} |", "|---" * (len(means) + 2) + "|"]
    for head in dict.fromkeys(ruler.head for ruler in rulers):
        own = {ruler.means: ruler for ruler in rulers if ruler.head == head}
        cells = [shown(own[name].value, own[name].unit) if name in own else "" for name in means]
        samples = next(iter(own.values())).samples
        lines.append(f"| {TITLES.get(head, head).capitalize()} | {samples} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figure(head: str, truth: Answers, answer: Answers) -> Measuring:
    if head == "spacing":
        return partial(mean_absolute, answer - truth)
    return partial(share, (truth == answer).reshape(len(truth), -1).all(1))


def _answers(training: Predictions, tested: Predictions, head: str) -> Iterator[tuple[str, Answers]]:
    """Yield what each of the simpler means says of the rows with a known label."""
    own, known = training.truths[head].known, tested.truths[head].known
    truth = training.truths[head].value[own]
    n = int(known.sum())
    histograms = training.histograms[own], tested.histograms[known]
    features = training.features[own], tested.features[known]
    if head == "spacing":
        yield "majority", np.full(n, np.median(truth))
        yield "padding", _by_padding(training, tested)
        yield "histogram", ridge(histograms[0], truth, histograms[1])
        yield "neighbours", nearest(features[0], truth, features[1]).mean(1)
        yield "linear probe", ridge(features[0], truth, features[1])
    elif head in CLASS_HEADS:
        yield "majority", np.full(n, np.bincount(truth.astype(int)).argmax())
        yield "histogram", logistic(histograms[0], truth, histograms[1]).argmax(1)
        yield "neighbours", vote(nearest(features[0], truth, features[1]))
        yield "linear probe", logistic(features[0], truth, features[1]).argmax(1)
    else:
        sets, counts = np.unique(truth > 0, axis=0, return_counts=True)
        yield "majority", np.repeat(sets[counts.argmax()][None], n, 0)
        yield "histogram", logistic(histograms[0], truth, histograms[1]) > 0
        yield "neighbours", nearest(features[0], truth, features[1]).mean(1) > 0.5
        yield "linear probe", logistic(features[0], truth, features[1]) > 0


def _by_padding(training: Predictions, tested: Predictions) -> Reals:
    """Say the median spacing of the training volumes whose number of blank slices is nearest."""
    blank = (pl.col("pad_before").fill_null(0) + pl.col("pad_after").fill_null(0)).alias("blank")
    table = training.samples.select(blank, "effective_spacing_mm").group_by("blank").median().sort("blank")
    known, medians = table["blank"].to_numpy(), table["effective_spacing_mm"].to_numpy()
    asked = tested.samples.select(blank)["blank"].to_numpy()
    return np.asarray(medians[np.abs(asked[:, None] - known[None]).argmin(1)])


def collection_probe(training: Predictions) -> list[Ruler]:
    """Measure how well frozen features tell the collection, beside its commonest one: a shortcut measure.

    Fitted on some training patients and measured on others; empty when there is one collection alone.
    """
    names = training.samples["collection_id"].fill_null("")
    sides = [drawn_side(patient, 0.0, PROBE_SHARE) for patient in training.patients]
    fitted = np.array([side == TRAINING for side in sides])
    words = sorted(set(names.filter(pl.Series(fitted)).to_list()) - {""})
    number = {name: place for place, name in enumerate(words)}
    truth = np.array([number.get(name, -1) for name in names])
    own, known = fitted & (truth >= 0), ~fitted & (truth >= 0)
    if len(words) < 2 or own.sum() < LEAST_ROWS or not known.any():
        return []
    draws = patient_draws(np.array(training.patients)[known])
    commonest = np.bincount(truth[own]).argmax()
    told = logistic(training.features[own], truth[own].astype(float), training.features[known]).argmax(1)
    return [
        Ruler(
            "collection",
            means,
            "%",
            int(known.sum()),
            measure(partial(share, answer == truth[known]), draws),
        )
        for means, answer in (("majority", commonest), ("linear probe", told))
    ]
