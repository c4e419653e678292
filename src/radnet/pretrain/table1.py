"""The paper's table 1: how well each class is told, with 95 % intervals by bootstrap over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from radnet.metrics import (
    Measure,
    mean_absolute,
    measure,
    patient_draws,
    precision,
    recall,
    roc_auc,
    root_mean_square,
    share,
    shown,
)
from radnet.metrics import Reals as Weights
from radnet.pretrain.losses import CLASS_HEADS
from radnet.pretrain.predictions import Predictions
from radnet.pretrain.runs import TITLES

COLUMNS: Final = ("accuracy", "auc", "recall", "precision")
NOTHING: Final = Measure(None, None, None)
TOTALS: Final = {"sequence": "top-1", "view": "top-1", "contrast": "top-1", "coverage": "exact set"}


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class against the rest.

    Attributes:
        head: The label.
        name: The class.
        samples: Volumes that are of it.
        accuracy: Share of volumes of which it is rightly said or not said; nothing without samples.
        auc: Area under the receiver operating characteristic.
        recall: Share of its volumes that are found.
        precision: Share of those said to be of it that are.
    """

    head: str
    name: str
    samples: int
    accuracy: Measure
    auc: Measure
    recall: Measure
    precision: Measure


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One figure for a whole head.

    Attributes:
        head: The label.
        name: `top-1`, `exact set`, `MAE` or `RMSE`.
        unit: `%` or `mm`; a share is written in percent.
        samples: Volumes with a known label.
        patients: Of whom they are.
        value: The figure.
    """

    head: str
    name: str
    unit: str
    samples: int
    patients: int
    value: Measure


@dataclass(frozen=True, slots=True)
class Table1:
    """All rows, in the order of the paper's table."""

    classes: tuple[ClassRow, ...]
    totals: tuple[TotalRow, ...]


def make_table1(predictions: Predictions, heads: Sequence[str]) -> Table1:
    """Measure the heads that were trained; rows without a label are left out of their head."""
    draws = patient_draws(predictions.patients)
    classes: list[ClassRow] = []
    totals: list[TotalRow] = []
    for head in heads:
        known = predictions.truths[head].known
        if not known.any():
            continue
        own = draws[:, known]
        if head == "spacing":
            totals += _spacing_rows(predictions, own)
            continue
        classes += _class_rows(predictions, head, own)
        truth, said = true_and_said(predictions, head)
        right = (truth == said).reshape(len(truth), -1).all(1)
        totals.append(_total(predictions, head, TOTALS[head], "%", measure(partial(share, right), own)))
    return Table1(tuple(classes), tuple(totals))


def true_and_said(predictions: Predictions, head: str) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and prediction of the rows with a known label: (n,) numbers, or (n, regions) bools."""
    known = predictions.truths[head].known
    truth, logits = predictions.truths[head].value[known], predictions.logits[head][known]
    if head == "spacing":
        return truth, logits
    if head == "coverage":
        return truth > 0, logits > 0
    return truth.astype(int), logits.argmax(1)


def _class_rows(predictions: Predictions, head: str, draws: Weights) -> list[ClassRow]:
    known = predictions.truths[head].known
    truth, said = true_and_said(predictions, head)
    scores = predictions.probabilities(head)[known]
    rows = []
    for number, name in enumerate(predictions.words(head)):
        is_true = truth == number if head in CLASS_HEADS else truth[:, number]
        is_said = said == number if head in CLASS_HEADS else said[:, number]
        rows.append(_class_row(head, name, is_true, is_said, scores[:, number], draws))
    return rows


def _class_row(
    head: str, name: str, is_true: np.ndarray, is_said: np.ndarray, scores: np.ndarray, draws: Weights
) -> ClassRow:
    return ClassRow(
        head,
        name,
        int(is_true.sum()),
        # of a class that is not there, accuracy would praise what was not asked
        accuracy=measure(partial(share, is_true == is_said), draws) if is_true.any() else NOTHING,
        auc=measure(partial(roc_auc, is_true, scores), draws),
        recall=measure(partial(recall, is_true, is_said), draws),
        precision=measure(partial(precision, is_true, is_said), draws),
    )


def _spacing_rows(predictions: Predictions, draws: Weights) -> list[TotalRow]:
    truth, said = true_and_said(predictions, "spacing")
    errors = said - truth
    return [
        _total(predictions, "spacing", "MAE", "mm", measure(partial(mean_absolute, errors), draws)),
        _total(predictions, "spacing", "RMSE", "mm", measure(partial(root_mean_square, errors), draws)),
    ]


def _total(predictions: Predictions, head: str, name: str, unit: str, value: Measure) -> TotalRow:
    known = predictions.truths[head].known
    patients = {patient for patient, is_known in zip(predictions.patients, known, strict=True) if is_known}
    return TotalRow(head, name, unit, int(known.sum()), len(patients), value)


def as_markdown(table: Table1) -> str:
    """Write the table as Markdown, intervals in brackets."""
    lines = ["| | Samples | Accuracy | AUC | Recall | Precision |", "|---|---|---|---|---|---|"]
    for head in dict.fromkeys([row.head for row in table.totals]):
        lines.append(f"| **{TITLES[head]}** | | | | | |")
        for row in table.classes:
            if row.head == head:
                cells = [shown(getattr(row, column), "%") for column in COLUMNS]
                lines.append(f"| {row.name.replace('_', ' ')} | {row.samples} | {' | '.join(cells)} |")
        for total in table.totals:
            if total.head == head:
                figure = shown(total.value, total.unit)
                lines.append(
                    f"| *{total.name}, {total.patients} patients* | {total.samples} | {figure} | | | |"
                )
    return "\n".join(lines) + "\n"


def as_csv(table: Table1) -> str:
    """Write the table as CSV, one figure a line; shares are from 0 to 1."""
    lines = []
    for row in table.classes:
        for column in COLUMNS:
            lines.append((row.head, row.name, column, row.samples, getattr(row, column)))
    lines += [(row.head, "total", row.name, row.samples, row.value) for row in table.totals]
    frame = pl.DataFrame(
        [
            {"label": head, "class": name, "measure": kind, "samples": count}
            | {"value": value.value, "low_95": value.low, "high_95": value.high}
            for head, name, kind, count, value in lines
        ],
        infer_schema_length=None,
    )
    return frame.write_csv()
