"""Every shipped rule does what its own cases say."""

from __future__ import annotations

import pytest

from radnet.labels.cases import Case, rule_cases
from radnet.labels.rules import ABSTAIN, Rule, Rulebook, load_rules

BOOKS = {name: load_rules(contrast_table=name) for name in ("contrast", "contrast_paper")}
READERS = {name: book.reader() for name, book in BOOKS.items()}


def _all_cases() -> list[object]:
    return [
        pytest.param(name, case, id=f"{name}-{case.label}-{case.rule.name}-{number}")
        for name, book in BOOKS.items()
        for number, case in enumerate(rule_cases(book))
        if name == "contrast" or case.label == "contrast"
    ]


def _own_rules(book: Rulebook) -> list[Rule]:
    return [
        rule
        for table in book.tables.values()
        for rule in table.rules
        if not any(rule.name.endswith(f"-by-{tier}") for tier in table.repeat)
    ]


@pytest.mark.parametrize(("book", "case"), _all_cases())
def test_a_rule_votes_as_its_case_says(book: str, case: Case) -> None:
    assert case.passes(READERS[book]), f"{case.rule.name} on {dict(case.header)}: wanted votes={case.votes}"


@pytest.mark.parametrize("name", BOOKS)
def test_every_rule_shows_where_it_votes_and_says_why(name: str) -> None:
    silent = [rule.name for rule in _own_rules(BOOKS[name]) if not any(key != ABSTAIN for key in rule.cases)]
    unexplained = [rule.name for rule in _own_rules(BOOKS[name]) if len(rule.why) < 10]

    assert silent == []
    assert unexplained == []


def test_a_case_that_the_rule_does_not_meet_fails() -> None:
    case = next(rule_cases(BOOKS["contrast"]))
    turned = Case(case.label, case.rule, case.header, not case.votes)

    assert not turned.passes(READERS["contrast"])
