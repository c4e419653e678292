"""The mistakes that the network is surest of, as a table and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from radnet.figures.montage import grey_png, orthogonal_panels
from radnet.metrics import Reals
from radnet.pretrain.predictions import Predictions
from radnet.pretrain.table1 import true_and_said
from radnet.volumes.store import VolumeStore

EACH: Final = 6
"""Mistakes a head."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One volume that was labelled wrongly.

    Attributes:
        head: The label.
        stack_id: The volume.
        truth: In words, or mm.
        said: In words, or mm.
        size: Confidence from 0 to 1, or the error in mm.
        picture: File name; None when text may be burned into its pixels.
    """

    head: str
    stack_id: str
    truth: str
    said: str
    size: float
    picture: str | None


def worst_mistakes(predictions: Predictions, heads: Sequence[str]) -> list[Mistake]:
    """List the mistakes with the largest confidence, and for the spacing those with the largest error."""
    found = []
    for head in heads:
        rows = np.flatnonzero(predictions.truths[head].known)
        if not rows.size:
            continue
        truth, said = true_and_said(predictions, head)
        size = _size(predictions, head, truth, said)
        wrong = np.flatnonzero(size > 0)
        for place, index in enumerate(wrong[np.argsort(-size[wrong], kind="stable")][:EACH], 1):
            row = predictions.samples.row(int(rows[index]), named=True)
            picture = f"{head}-{place}.png" if row["showable"] else None
            true, told = (_words(predictions, head, values[index]) for values in (truth, said))
            found.append(Mistake(head, row["stack_id"], true, told, float(size[index]), picture))
    return found


def _size(predictions: Predictions, head: str, truth: np.ndarray, said: np.ndarray) -> Reals:
    """Return how sure each wrong answer is, and 0 for right ones."""
    if head == "spacing":
        return np.asarray(np.abs(said - truth))
    probability = predictions.probabilities(head)[predictions.truths[head].known]
    if head == "coverage":
        return np.asarray(np.where(truth != said, np.maximum(probability, 1 - probability), 0).max(1))
    return np.asarray(np.where(truth != said, probability.max(1), 0))


def _words(predictions: Predictions, head: str, value: Any) -> str:
    if head == "spacing":
        return f"{value:.2f} mm"
    words = predictions.words(head)
    if head == "coverage":
        return ", ".join(word for word, covered in zip(words, value, strict=True) if covered) or "none"
    return words[int(value)]


def draw_mistake(mistake: Mistake, predictions: Predictions, store: VolumeStore) -> bytes:
    """Draw the three mid-slices of a volume without its padding, as PNG."""
    row = predictions.samples.row(by_predicate=_is(mistake.stack_id), named=True)
    volume = store.read(mistake.stack_id)
    first, last = row["pad_before"] or 0, volume.shape[0] - (row["pad_after"] or 0)
    affine = np.array(row["affine"], float).reshape(4, 4)
    return grey_png(orthogonal_panels(volume[first:last], affine))


def _is(stack_id: str) -> pl.Expr:
    return pl.col("stack_id") == stack_id
