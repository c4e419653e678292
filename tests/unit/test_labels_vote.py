"""Evidence of the highest tier decides; disagreement there is a conflict; silence is unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from radnet.labels.conditions import Test as ValueTest
from radnet.labels.evidence import Evidence, Nothing
from radnet.labels.lexicon import Lexicon, Reader
from radnet.labels.parse import VALUES, Parser
from radnet.labels.rules import Rule, RuleTable
from radnet.labels.vote import NO_VALUE, STATUSES, regions_of, vote

TEXTS = {"any_text": ("SeriesDescription", "StudyDescription")}
LEXICON = Lexicon({"plus": ("yes",), "minus": ("no",)}, {}, TEXTS)


def evidence(**columns: list[Any]) -> Evidence:
    return Evidence(pl.DataFrame(columns), Reader(LEXICON, ["zebra"]))


def rule(name: str, value: str | list[str], tier: str, when: dict[str, Any], remove: bool = False) -> Rule:
    parser = Parser(LEXICON)
    condition = parser.condition(when, "when")
    assert condition is not None, parser.faults
    values = tuple(value) if isinstance(value, list) else (value,)
    return Rule(name, values, remove, tier, condition, "", {}, "test")


def series(word: str) -> dict[str, Any]:
    return {"SeriesDescription": {"says": [word]}}


def study(word: str) -> dict[str, Any]:
    return {"StudyDescription": {"says": [word]}}


CONTRAST = RuleTable(
    "contrast",
    ("series", "study"),
    {},
    (
        rule("series-yes", "yes", "series", series("@plus")),
        rule("series-no", "no", "series", series("@minus")),
        rule("study-yes", "yes", "study", study("@plus")),
    ),
)


@pytest.mark.parametrize(
    ("series_text", "study_text", "value", "status", "winner"),
    [
        pytest.param("yes", None, "yes", "decided", "series-yes", id="one vote"),
        pytest.param("no", "yes", "no", "decided", "series-no", id="the higher tier wins"),
        pytest.param(
            None, "yes", "yes", "decided", "study-yes", id="the lower tier where the higher is silent"
        ),
        pytest.param("yes no", "yes", None, "conflict", "series-yes", id="disagreement in the top tier"),
        pytest.param("maybe", "maybe", None, "unknown", None, id="nobody speaks"),
        pytest.param("", None, None, "unknown", None, id="empty text"),
    ],
)
def test_tiers_decide_one_after_another(
    series_text: str | None, study_text: str | None, value: str | None, status: str, winner: str | None
) -> None:
    ballot = vote(CONTRAST, evidence(SeriesDescription=[series_text], StudyDescription=[study_text]))

    assert STATUSES[ballot.statuses[0]] == status
    assert (VALUES["contrast"][ballot.codes[0]] if ballot.codes[0] != NO_VALUE else None) == value
    assert (ballot.rules[ballot.winners[0]].name if ballot.winners[0] != NO_VALUE else None) == winner


def coverage(**texts: Any) -> tuple[tuple[str, ...] | None, str]:
    table = RuleTable(
        "coverage",
        ("series",),
        {},
        (
            rule("lung", ["lung"], "series", series("lung")),
            rule("liver", ["liver", "kidney"], "series", series("liver")),
            rule("spine", [], "series", series("spine")),
            rule("short", ["lung"], "series", {"extent_mm": {"below": 100}}, remove=True),
        ),
    )
    reader = Reader(LEXICON, ["lung", "liver", "spine"])
    ballot = vote(table, Evidence(pl.DataFrame({name: [value] for name, value in texts.items()}), reader))
    code = int(ballot.codes[0])
    return (None if code == NO_VALUE else regions_of(code)), STATUSES[ballot.statuses[0]]


def test_regions_of_one_tier_add_up() -> None:
    assert coverage(SeriesDescription="lung and liver") == (("lung", "liver", "kidney"), "decided")


def test_no_region_beside_a_region_is_a_conflict() -> None:
    assert coverage(SeriesDescription="lung spine") == (None, "conflict")
    assert coverage(SeriesDescription="spine") == ((), "decided")


def test_what_is_too_short_is_removed_from_what_was_decided() -> None:
    assert coverage(SeriesDescription="lung liver", extent_mm=80.0) == (("liver", "kidney"), "decided")
    assert coverage(SeriesDescription="lung", extent_mm=80.0) == ((), "decided")
    assert coverage(SeriesDescription="knee", extent_mm=80.0) == (None, "unknown")


def headers() -> Evidence:
    return evidence(
        ContrastBolusAgent=["Omnipaque", "", None, None],
        EchoTime=[90.0, None, None, 12.0],
        empty_attributes=[[], ["ContrastBolusAgent"], ["EchoTime"], []],
        unreadable_attributes=[[], [], ["ContrastBolusAgent"], []],
    )


@pytest.mark.parametrize(
    ("attribute", "operator", "argument", "rows"),
    [
        pytest.param("ContrastBolusAgent", "filled", True, [True, False, False, False], id="filled"),
        pytest.param("ContrastBolusAgent", "empty", True, [False, True, False, False], id="empty"),
        pytest.param(
            "ContrastBolusAgent", "absent", True, [False, False, False, True], id="absent, not unreadable"
        ),
        pytest.param("ContrastBolusAgent", "filled", False, [False, True, True, True], id="not filled"),
        pytest.param("EchoTime", "empty", True, [False, False, True, False], id="empty number"),
        pytest.param(
            "EchoTime", "at_least", (90.0,), [True, False, False, False], id="at least, itself included"
        ),
        pytest.param("EchoTime", "below", (90.0,), [False, False, False, True], id="below, itself excluded"),
        pytest.param(
            "EchoTime", "between", (12.0, 90.0), [True, False, False, True], id="between, ends included"
        ),
        pytest.param("KVP", "absent", True, [True] * 4, id="a column that is not there"),
        pytest.param(
            "ContrastBolusAgent", "is", ("omnipaque",), [True, False, False, False], id="whole value"
        ),
        pytest.param("ContrastBolusAgent", "is", ("omni",), [False] * 4, id="never a part of it"),
    ],
)
def test_absent_empty_and_unreadable_are_three_things(
    attribute: str, operator: str, argument: Any, rows: list[bool]
) -> None:
    assert ValueTest(attribute, operator, argument).holds(headers()).tolist() == rows


@pytest.mark.parametrize(
    ("operator", "word", "value", "holds"),
    [
        pytest.param("has", "MPR", "DERIVED\\SECONDARY\\MPR", True, id="at any position"),
        pytest.param("has", "mpr", "DERIVED\\ MPR ", True, id="case and blanks"),
        pytest.param("has", "MP", "DERIVED\\MPR", False, id="whole values"),
        pytest.param("has_none", "MPR", "DERIVED\\MPR", False, id="has none"),
        pytest.param("has_none", "MPR", None, True, id="nothing has none"),
        pytest.param("begins", "(#/#)-(", "(12/3)-(4/5)", True, id="shape of the beginning"),
        pytest.param("begins", "(#/#)-(", "x(12/3)-(4/5)", False, id="only of the beginning"),
    ],
)
def test_multi_values_and_shapes(operator: str, word: str, value: str | None, holds: bool) -> None:
    assert ValueTest("ImageType", operator, (word,)).passes(value or Nothing.ABSENT) is holds


def test_conditions_combine() -> None:
    parser = Parser(LEXICON)
    when = {
        "any_text": {"says": ["@plus"], "says_none": ["zebra"]},
        "any": [{"Modality": {"is": ["CT"]}}, {"KVP": {"at_least": 100}}],
        "not": {"SeriesDescription": {"says_all": ["@plus", "@minus"]}},
    }
    condition = parser.condition(when, "when")
    assert condition is not None and parser.faults == []  # noqa: PT018

    rows = evidence(
        SeriesDescription=["yes", None, "yes zebra", "yes no", "yes"],
        StudyDescription=[None, "yes", None, None, None],
        Modality=["CT", "MR", "CT", "CT", "MR"],
        KVP=[None, 120.0, None, None, None],
    )

    assert condition.holds(rows).tolist() == [True, True, False, False, False]
    assert list(condition.matches(rows, 1)) == [("StudyDescription", "yes"), ("KVP", "120")]


def test_alike_headers_get_alike_answers_in_any_order() -> None:
    rng = np.random.default_rng(0)
    texts = np.array(["yes", "no", "yes no", "", "maybe"])[rng.integers(0, 5, 200)]
    order = rng.permutation(200)
    codes = vote(CONTRAST, evidence(SeriesDescription=texts.tolist())).codes

    assert (vote(CONTRAST, evidence(SeriesDescription=texts[order].tolist())).codes == codes[order]).all()
