"""The cases that rules carry: texts and headers on which a rule must vote, or must not.

A case written as a text stands in the first text attribute that the rule listens to; one written as a table
is a header, which may also hold earlier conclusions (`sequence`, `form`, `measured_view`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from radnet.labels.conditions import Condition, Either, Every, Never, Test, Words
from radnet.labels.evidence import KNOWN_ATTRIBUTES, Evidence
from radnet.labels.lexicon import Reader
from radnet.labels.rules import Rule, Rulebook
from radnet.tables import TEXT


@dataclass(frozen=True, slots=True)
class Case:
    """One case of one rule.

    Attributes:
        label: The rule's label.
        rule: The rule.
        header: Attributes by name.
        votes: Whether the rule must vote here.
    """

    label: str
    rule: Rule
    header: Mapping[str, Any]
    votes: bool

    def passes(self, reader: Reader) -> bool:
        """Say whether the rule does what the case wants."""
        columns = {
            name: pl.Series([value], dtype=KNOWN_ATTRIBUTES.get(name, TEXT))
            for name, value in self.header.items()
        }
        evidence = Evidence(pl.DataFrame(columns or {"Modality": [None]}), reader)
        return bool(self.rule.condition.holds(evidence)[0]) == self.votes


def rule_cases(rulebook: Rulebook) -> Iterator[Case]:
    """Yield every case of every rule."""
    for label, table in rulebook.tables.items():
        for rule in table.rules:
            for value, cases in rule.cases.items():
                votes = {*value.split(";")} == {*rule.value.split(";")}
                for case in cases:
                    given = {_listens_to(rule.condition): case} if isinstance(case, str) else case
                    yield Case(label, rule, {**table.case_defaults, **given}, votes)


def _listens_to(condition: Condition) -> str:
    """Return the attribute in which a rule reads words first, or tests a text."""
    for kind in (Words, Test):
        for part in _parts(condition):
            if isinstance(part, kind) and not KNOWN_ATTRIBUTES.get(part.attributes[0], TEXT).is_numeric():
                return part.attributes[0]
    return "SeriesDescription"


def _parts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Every | Either):
        for part in condition.parts:
            yield from _parts(part)
    elif not isinstance(condition, Never):
        yield condition
