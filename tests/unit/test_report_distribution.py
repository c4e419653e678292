"""The breakdown of labels: the paper's rows, its counts, and our own."""

from __future__ import annotations

import polars as pl
import pytest

from radnet.report.distribution import PAPER_A3, PAPER_TOTALS, distribution, named
from radnet.terms import PAPER_SEQUENCES, REGIONS, SEQUENCES, VIEWS

SCHEMA = {"sequence": pl.String, "view": pl.String, "contrast": pl.String, "coverage": pl.List(pl.String)}


def kept(*rows: tuple[str | None, str | None, str | None, list[str] | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def counts(table: pl.DataFrame, label: str) -> dict[str, int]:
    (block,) = (block for block in distribution(table) if block.label == label)
    return {row.word: row.count for row in block.rows}


def test_the_rows_of_the_paper_are_there_in_its_order_even_for_nothing():
    rows = {block.label: [row.word for row in block.rows] for block in distribution(kept())}
    assert rows == {
        "sequence": list(PAPER_SEQUENCES),
        "view": list(VIEWS),
        "contrast": ["yes", "no"],
        "coverage": list(REGIONS),
    }


def test_a_stack_counts_once_for_each_region_and_in_every_other_label_once():
    table = kept(("ct", "axial", "yes", ["liver", "kidney"]), ("ct", "axial", "no", ["liver"]))
    assert counts(table, "coverage") == {**dict.fromkeys(REGIONS, 0), "liver": 2, "kidney": 1}
    assert sum(counts(table, "sequence").values()) == 2


def test_unknown_is_told_from_none_of_the_nine():
    table = kept(("ct", "axial", None, None), ("ct", "axial", "yes", []), ("ct", "axial", "yes", []))
    assert counts(table, "contrast")["unknown"] == 1
    assert counts(table, "coverage")["unknown"] == 1
    assert counts(table, "coverage")["none"] == 2


def test_a_kept_sequence_beyond_the_paper_has_its_own_row_without_reference():
    (block, *_) = distribution(kept(("stir", "axial", "no", [])))
    (row,) = (row for row in block.rows if row.word == "stir")
    assert (row.name, row.count, row.share, row.paper) == ("STIR", 1, 1.0, None)


SPLITS = list(enumerate(PAPER_TOTALS))


@pytest.mark.parametrize(("place", "total"), SPLITS, ids=["training", "validation", "test"])
def test_the_papers_views_and_contrasts_add_up_to_its_totals(place, total):
    for label in ("view", "contrast"):
        assert sum(row[place] for row in PAPER_A3[label].values()) == total


def test_the_papers_slip_in_the_validation_sequences_is_kept_as_printed():
    assert [sum(row[place] for row in PAPER_A3["sequence"].values()) for place in range(3)] == [
        12_000,
        3_705,
        316,
    ]


@pytest.mark.parametrize("word", SEQUENCES + VIEWS + REGIONS)
def test_every_label_word_has_a_written_form(word):
    assert "_" not in named(word)
    assert named(word) != word


def test_several_regions_are_written_one_by_one():
    assert named("upper_head_neck;lung") == "Upper head-neck, Lung"
