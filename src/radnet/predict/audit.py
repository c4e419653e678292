"""List the labels that are likely wrong: where header and network disagree, the surest first.

The order is the margin of confident learning: how much likelier than the given label the likest other one is
(Northcutt, Jiang and Chuang 2021, "Confident Learning", JAIR 70, section 3.2). A series that trained the
network is judged by a linear probe on its features, fitted on other patients (`probe`), any other by the
network itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.predict.columns import CLASS_LABELS, PROBABILITY_PREFIX
from radnet.predict.probe import FOLDS, fold_of, out_of_fold
from radnet.predict.rows import probabilities_in
from radnet.tables import REAL, TEXT, conform

Reals = NDArray[np.float64]
Judge = Literal["auto", "network", "probe"]

AUDITED: Final = (*CLASS_LABELS, "coverage")
TRAINED_ON: Final = "training"
"""The side of the split of which the network has seen the labels."""
LEAST_ROWS: Final = 40
"""Labelled series below which no probe is fitted; the network's own answer then stands for it."""
SUSPECT_COLUMNS: Final[dict[str, pl.DataType]] = {
    "label": TEXT,
    "stack_id": TEXT,
    "SeriesInstanceUID": TEXT,
    "kind": TEXT,
    "split": TEXT,
    "judge": TEXT,  # network, or probe for what trained it
    "header": TEXT,  # regions are joined by ;
    "network": TEXT,
    "p_header": REAL,  # probability of the header's word; of a coverage, of its least likely region
    "p_network": REAL,  # of the likest other
    "margin": REAL,  # their difference; what the list is ordered by
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What was judged of one label.

    Attributes:
        rows: (n,) numbers of the table's rows that were judged.
        given: (n,) probability of the header's word.
        other: (n,) probability of the likest other word.
        said: (n,) that word.
        by_probe: (n,) whether the probe judged.
    """

    rows: NDArray[np.int64]
    given: Reals
    other: Reals
    said: list[str]
    by_probe: NDArray[np.bool_]

    @property
    def margin(self) -> Reals:
        """Return how much likelier the other word is; above 0 network and header disagree."""
        return np.asarray(self.other - self.given)


def find_suspects(table: pl.DataFrame, judge: Judge = "auto") -> pl.DataFrame:
    """List disagreements of header and network, the surest first.

    Args:
        table: Answered rows of `radnet predict`, with features.
        judge: `auto`: the probe for series that trained the network, the network for the others.

    Returns:
        `SUSPECT_COLUMNS`, one row a label of a series.
    """
    parts = [pl.DataFrame(schema=SUSPECT_COLUMNS)]
    for label in AUDITED:
        judged = judge_label(table, label, judge)
        if judged is None:
            continue
        rows = table[judged.rows.tolist()]
        found = rows.select("stack_id", "SeriesInstanceUID", "kind", "split").with_columns(
            label=pl.lit(label),
            judge=pl.Series(np.where(judged.by_probe, "probe", "network")),
            header=_as_text(rows[f"header_{label}"]),
            network=pl.Series(judged.said, dtype=TEXT),
            p_header=pl.Series(judged.given),
            p_network=pl.Series(judged.other),
            margin=pl.Series(judged.margin),
        )
        parts.append(conform(found.filter(pl.col("margin") > 0), SUSPECT_COLUMNS))
    return pl.concat(parts).sort("margin", "label", "stack_id", descending=[True, False, False])


def judge_label(table: pl.DataFrame, label: str, judge: Judge = "auto") -> Judged | None:
    """Give the header's word of each row its probability; None when no row has a word to judge."""
    columns = probabilities_in(table.columns, label)
    words = [name.removeprefix(f"{PROBABILITY_PREFIX}{label}_") for name in columns]
    header = table[f"header_{label}"]
    known = header.is_not_null() if label == "coverage" else header.is_in(words)
    rows = np.flatnonzero(known.fill_null(False).to_numpy())
    if not rows.size:
        return None
    truth = _truth(header.to_list(), rows, words)
    chances = table[rows.tolist()].select(columns).to_numpy().astype(float)
    by_probe = _by_probe(table, rows, judge)
    if by_probe.any():
        patients = table.select(pl.coalesce("patient", "StudyInstanceUID", "stack_id")).to_series()
        names = [patients[int(row)] for row in rows]
        if len(set(fold_of(names, FOLDS))) > 1:
            features = table["embedding"][rows.tolist()].to_numpy()
            probed = out_of_fold(features, truth, names, label == "coverage")
            by_probe &= np.isfinite(probed).all(axis=1)
            chances[by_probe] = probed[by_probe]
        else:
            by_probe[:] = False
    if label == "coverage":
        return _judged_regions(rows, truth, chances, words, by_probe)
    given = (chances * truth).sum(axis=1)
    others = np.where(truth > 0, -1.0, chances)
    said = [words[place] for place in others.argmax(axis=1)]
    return Judged(rows, given, others.max(axis=1), said, by_probe)


def _by_probe(table: pl.DataFrame, rows: NDArray[np.int64], judge: Judge) -> NDArray[np.bool_]:
    if judge == "network" or rows.size < LEAST_ROWS:
        return np.zeros(rows.size, bool)
    if judge == "probe":
        return np.ones(rows.size, bool)
    return np.asarray((table["split"] == TRAINED_ON).fill_null(False).to_numpy()[rows])


def _truth(header: list[Any], rows: NDArray[np.int64], words: list[str]) -> Reals:
    """Return (n, words) of 0 and 1."""
    truth = np.zeros((rows.size, len(words)))
    for number, row in enumerate(rows):
        said = header[row]
        truth[number] = (
            [word in said for word in words] if isinstance(said, list) else [word == said for word in words]
        )
    return truth


def _judged_regions(
    rows: NDArray[np.int64], truth: Reals, chances: Reals, words: list[str], by_probe: NDArray[np.bool_]
) -> Judged:
    """Judge a set of regions by the one of which the header's word is least likely."""
    agreed = np.where(truth > 0, chances, 1 - chances)
    given = agreed.min(axis=1)
    said = [
        ";".join(word for word, chance in zip(words, row, strict=True) if chance >= 0.5) or "none"
        for row in chances
    ]
    return Judged(rows, given, 1 - given, said, by_probe)


def _as_text(words: pl.Series) -> pl.Series:
    if words.dtype == TEXT:
        return words
    return pl.Series([";".join(row) or "none" for row in words.to_list()], dtype=TEXT)


def read_answered(path: Path) -> pl.DataFrame:
    """Read the answered rows of a table of predictions, without their paths."""
    return pl.scan_parquet(path).filter(pl.col("reason").is_null()).drop("path").collect()
