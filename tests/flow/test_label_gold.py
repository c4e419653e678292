"""The shipped rule tables hold the labelled header texts of public archives."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from radnet.labels.calibration import calibrate_rules
from radnet.labels.confidence import CONFIDENCE_NAME
from radnet.labels.rules import RULES_FOLDER
from radnet.labels.score import Measures, missed, score_rules

GOLDEN = Path(__file__).parents[1] / "golden"
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
def measures(name: str) -> Measures:
    return score_rules(GOLDEN / f"{name}.csv").measures


@pytest.mark.parametrize(
    ("name", "label", "floor"),
    [
        pytest.param(name, label, floor, id=f"{name}-{label}")
        for name, floors in FLOORS.items()
        for label, floor in floors.items()
    ],
)
def test_the_rule_tables_hold_the_floor(name: str, label: str, floor: float) -> None:
    assert missed(measures(name), {label: floor}) == []


def test_the_shipped_confidence_is_what_the_command_writes(tmp_path: Path) -> None:
    calibrate_rules(sorted(GOLDEN.glob("header_texts*.csv")), tmp_path / CONFIDENCE_NAME)

    shipped = (RULES_FOLDER / CONFIDENCE_NAME).read_text()
    command = (
        "radnet rules calibrate tests/golden/header_texts*.csv --out src/radnet/labels/rules/confidence.csv"
    )
    assert (tmp_path / CONFIDENCE_NAME).read_text() == shipped, f"rules changed; run {command}"
