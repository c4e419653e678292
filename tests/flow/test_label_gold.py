"""The shipped rule tables hold the labelled header texts of public archives."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl
import pytest

from radnet.labels.table import label_table
from radnet.terms import PAPER_SEQUENCES

GOLDEN = Path(__file__).parents[1] / "golden"
NO_TRUTH = "unknown"
FLOORS = {
    "header_texts": {
        "sequence": 98.0,
        "paper_classes": 99.0,
        "view": 98.5,
        "contrast": 96.5,
        "contrast_where_spoken": 99.0,
        "coverage": 96.0,
        "silent_where_text_is": 96.0,
    },
    "header_texts_head_neck": {
        "sequence": 97.0,
        "paper_classes": 98.0,
        "view": 98.0,
        "contrast": 93.0,
        "contrast_where_spoken": 98.0,
        "coverage": 95.0,
        "silent_where_text_is": 94.0,
    },
    "header_texts_sequences": {
        "sequence": 97.0,
        "paper_classes": 97.0,
        "view": 98.0,
        "contrast": 95.0,
        "contrast_where_spoken": 98.0,
        "coverage": 97.0,
        "silent_where_text_is": 97.0,
    },
}


@cache
def gold(name: str) -> pl.DataFrame:
    table = pl.read_csv(GOLDEN / f"{name}.csv", infer_schema=False)
    return table.rename({"instanceCount_median": "instanceCount"}).with_columns(
        pl.col("instanceCount").cast(pl.Float64).round().cast(pl.Int64)
    )


@cache
def labels(name: str) -> pl.DataFrame:
    read = gold(name).drop("kind", "plane", "contrast", "coverage", "coverage_lenient", "form")
    return label_table(read, votes=False)[0]


def regions(text: str | None) -> frozenset[str]:
    return frozenset((text or "").split(";")) - {"", "partial", NO_TRUTH}


def share(rights: list[bool]) -> float:
    return 100 * sum(rights) / len(rights)


@cache
def measure(name: str) -> dict[str, float]:
    """Score as the annotation guide asks: unknown truth is skipped, and there an answer is wrong."""
    sequence, paper, view, contrast, spoken, coverage, silent = ([] for _ in range(7))  # type: ignore[var-annotated]
    for truth, ours in zip(gold(name).iter_rows(named=True), labels(name).iter_rows(named=True), strict=True):
        said, wanted = ours["sequence"], {truth["kind"], truth["kind_strict"]}
        if truth["kind"] != NO_TRUTH:
            sequence.append(said == truth["kind"] or (said == "derived" and "derived" in wanted))
            paper.append(
                (said if said in PAPER_SEQUENCES else None)
                in {word if word in PAPER_SEQUENCES else None for word in wanted}
            )
        known = truth["plane"] != NO_TRUTH
        (view if known else silent).append(ours["view"] == truth["plane"] if known else ours["view"] is None)
        if truth["contrast"] == NO_TRUTH:
            silent.append(ours["contrast"] is None)
        else:
            contrast.append(ours["contrast"] == truth["contrast"])
            if ours["contrast"]:
                spoken.append(ours["contrast"] == truth["contrast"])
        if truth["kind"] == "localizer":
            continue
        if truth["coverage"] == NO_TRUTH:
            silent.append(ours["coverage"] is None)
        else:
            allowed = regions(truth["coverage"]), regions(truth["coverage_lenient"])
            coverage.append(ours["coverage"] is not None and frozenset(ours["coverage"]) in allowed)
    measures = (sequence, paper, view, contrast, spoken, coverage, silent)
    return dict(zip(FLOORS[name], map(share, measures), strict=True))


@pytest.mark.parametrize(
    ("name", "label", "floor"),
    [
        pytest.param(name, label, floor, id=f"{name}-{label}")
        for name, floors in FLOORS.items()
        for label, floor in floors.items()
    ],
)
def test_the_rule_tables_hold_the_floor(name: str, label: str, floor: float) -> None:
    assert measure(name)[label] >= floor
