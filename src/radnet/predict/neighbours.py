"""Find the series most like one, by the cosine of their features.

Features are read and compared a block at a time, so a million series need the memory of one block. They stay
in 32 bits: 16 halve the bytes, but processors have to widen them first, which takes longer
(`benchmarks/predict.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.predict.columns import CLASS_LABELS
from radnet.predict.rows import check_predictions, find_series, read_blocks

Floats = NDArray[np.float32]
SMALLEST_NORM: Final = 1e-12
_SHOWN: Final = (*CLASS_LABELS, "coverage", "spacing_mm")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A series like another.

    Attributes:
        likeness: Cosine of the features, from 0 to 1 as they are not negative.
        SeriesInstanceUID: None for a NIfTI file.
        stack_id: Its stack.
        words: What the network says of it, by label.
    """

    likeness: float
    SeriesInstanceUID: str | None
    stack_id: str
    words: dict[str, Any]


def nearest(
    queries: NDArray[Any], blocks: Iterable[NDArray[Any]], count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Find the rows that are most like each query.

    Args:
        queries: (q, d).
        blocks: (n, d) arrays each, one after the other; rows are numbered through.
        count: How many are wanted; there may be fewer.

    Returns:
        (q, count) numbers of rows, likest first, and their cosines.
    """
    asked = unit(queries)
    best = np.full((len(asked), 0), -np.inf, np.float32)
    rows = np.zeros((len(asked), 0), np.int64)
    start = 0
    for block in blocks:
        # rows are scaled by their norms after the product: d times fewer divisions
        wide = np.asarray(block, np.float32)
        norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        scores = (asked @ wide.T) / np.maximum(norms, SMALLEST_NORM)
        scores, places = _top(scores, count)
        best = np.concatenate([best, scores], axis=1)
        rows = np.concatenate([rows, places + start], axis=1)
        best, order = _top(best, count)
        rows = np.take_along_axis(rows, order, axis=1)
        start += len(block)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(best, order, axis=1)


def unit(features: NDArray[Any]) -> Floats:
    """Return (n, d) rows of length 1; those of zeros stay zeros."""
    wide = np.asarray(features, np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), SMALLEST_NORM))


def _top(scores: Floats, count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the largest of each row and where they stand, in no order."""
    if scores.shape[1] <= count:
        return scores, np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    places = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    return np.take_along_axis(scores, places, axis=1), places


def find_neighbours(
    predictions: Path | str, uid: str, count: int = 10, other_patients: bool = False
) -> list[Neighbour]:
    """List the series of a table that are most like one of them, itself left out.

    Args:
        predictions: Table of `radnet predict`.
        uid: SeriesInstanceUID, or a stack_id or its beginning.
        count: How many.
        other_patients: Whether to leave out those of the same patient.

    Raises:
        TableError: If the table cannot be read, or the series is not in it or was not predicted.
    """
    path = check_predictions(Path(predictions))
    asked = find_series(path, uid)
    patient = asked["patient"][0] if other_patients else None
    keep = pl.col("stack_id") != asked["stack_id"][0]
    if patient is not None:
        keep &= pl.col("patient").ne_missing(pl.lit(patient))
    names: list[pl.DataFrame] = []

    def blocks() -> Iterator[Floats]:
        for block in read_blocks(path, ("stack_id", "patient", "SeriesInstanceUID", *_SHOWN, "embedding")):
            kept = block.filter(keep)
            names.append(kept.drop("embedding", "patient"))
            yield kept["embedding"].to_numpy()

    rows, likeness = nearest(asked["embedding"].to_numpy(), blocks(), count)
    table = pl.concat(names)
    return [
        Neighbour(
            round(float(score), 4),
            row["SeriesInstanceUID"],
            row["stack_id"],
            {name: row[name] for name in _SHOWN},
        )
        for score, row in zip(likeness[0], table[rows[0].tolist()].iter_rows(named=True), strict=True)
    ]
