"""Published protocols are told by their figures alone, with not a word of text."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from radnet.labels.table import label_table

PROTOCOLS = Path(__file__).parents[1] / "golden" / "protocols.csv"
ROWS = list(csv.DictReader(PROTOCOLS.open()))
ABOUT = ("name", "vendor", "sequence", "certainty", "exact", "source")
FIGURES = [name for name in ROWS[0] if name not in ABOUT]
CERTAINTIES = ("read", "recalled", "typical")


@cache
def told(lost: str = "") -> list[str]:
    """Label all protocols, without one figure if asked; unknown is an empty text."""
    names = [name for name in FIGURES if name != lost]
    frame = pl.DataFrame(
        [{name: row[name] or None for name in names} for row in ROWS], infer_schema_length=None
    )
    labels, _ = label_table(frame.with_columns(Modality=pl.lit("MR")), votes=False)
    return [word or "" for word in labels["sequence"]]


@pytest.mark.parametrize(
    "number",
    range(len(ROWS)),
    ids=[f"{row['name']}-{row['vendor']}-{row['MagneticFieldStrength']}T" for row in ROWS],
)
def test_figures_alone_tell_the_sequence(number: int) -> None:
    assert told()[number] == ROWS[number]["sequence"]


@pytest.mark.parametrize(
    "lost", ["SequenceVariant", "ScanOptions", "MagneticFieldStrength", "EchoTrainLength", "FlipAngle"]
)
def test_a_figure_that_is_lost_leaves_silence_not_another_word(lost: str) -> None:
    wrong = [
        (row["name"], word)
        for row, word in zip(ROWS, told(lost), strict=True)
        if word not in (row["sequence"], "")
    ]

    assert wrong == []


@pytest.mark.parametrize(
    "word", ["t1_se", "t2_se", "t1_flair", "t2_flair", "pd", "gre_t1", "gre_t2star", "stir"]
)
def test_the_words_that_times_can_tell_are_all_there(word: str) -> None:
    vendors = {row["vendor"] for row in ROWS if row["sequence"] == word}

    assert len(vendors) >= 2


def test_every_figure_says_where_it_comes_from() -> None:
    assert len(ROWS) >= 60
    for row in ROWS:
        exact = row["exact"].split(";") if row["exact"] else []
        assert row["source"]
        assert row["certainty"] in CERTAINTIES
        assert (row["certainty"] == "read") == bool(exact)
        assert {*exact} <= {*FIGURES}
        assert all(row[name] for name in exact)
