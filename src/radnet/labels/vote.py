"""Let the rules of one table vote on many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.labels.conditions import Match
from radnet.labels.evidence import Evidence, Mask
from radnet.labels.parse import VALUES
from radnet.labels.rules import Rule, RuleTable
from radnet.terms import REGIONS

DECIDED: Final = "decided"
CONFLICT: Final = "conflict"
UNKNOWN: Final = "unknown"
STATUSES: Final = (UNKNOWN, DECIDED, CONFLICT)
NO_VALUE: Final = -1

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ballot:
    """The outcome of one table.

    Attributes:
        label: Which label.
        codes: Value of each row: place in VALUES[label], for coverage a set of regions bit by bit; NO_VALUE
            where there is none.
        statuses: Index into STATUSES.
        winners: Index of the deciding rule, NO_VALUE where there is none; in a conflict the first.
        rules: The table's rules.
        masks: Where each rule voted.
    """

    label: str
    codes: Codes
    statuses: Codes
    winners: Codes
    rules: tuple[Rule, ...]
    masks: tuple[Mask, ...]


def vote(table: RuleTable, evidence: Evidence) -> Ballot:
    """Decide one label for all rows.

    Args:
        table: Its rules.
        evidence: The headers, with the conclusions that the rules test.

    Returns:
        Value, status and winning rule of each row.
    """
    masks = tuple(rule.condition.holds(evidence) for rule in table.rules)
    codes, statuses, winners = (np.full(evidence.height, fill, dtype=np.int64) for fill in (-1, 0, -1))
    union = table.label == "coverage"
    for tier in table.tiers:
        open_rows = statuses == STATUSES.index(UNKNOWN)
        for index, rule in enumerate(table.rules):
            if rule.tier != tier or rule.remove:
                continue
            rows = masks[index] & open_rows
            code = _code(rule, table.label)
            first = rows & (winners == NO_VALUE)
            later = rows & ~first
            codes[first], winners[first], statuses[first] = code, index, STATUSES.index(DECIDED)
            clash = later & ((codes == 0) != (code == 0)) if union else later & (codes != code)
            statuses[clash] = STATUSES.index(CONFLICT)
            if union:
                codes[later] |= code
    codes[statuses == STATUSES.index(CONFLICT)] = NO_VALUE
    if union:
        _remove(table, masks, codes, statuses)
    return Ballot(table.label, codes, statuses, winners, table.rules, masks)


def _remove(table: RuleTable, masks: tuple[Mask, ...], codes: Codes, statuses: Codes) -> None:
    decided = statuses == STATUSES.index(DECIDED)
    for index, rule in enumerate(table.rules):
        if rule.remove:
            codes[masks[index] & decided] &= ~_code(rule, table.label)


def _code(rule: Rule, label: str) -> int:
    """Number of a value: its place among the label's words, for coverage a bit a region."""
    if label == "coverage":
        return sum(1 << REGIONS.index(region) for region in rule.values)
    return VALUES[label].index(rule.value)


def regions_of(code: int) -> tuple[str, ...]:
    """Return the regions of a coverage code."""
    return tuple(region for bit, region in enumerate(REGIONS) if code >> bit & 1)


def matches(rule: Rule, evidence: Evidence, row: int) -> Iterator[Match]:
    """Yield what a rule matched in a row, each once."""
    yield from dict.fromkeys(rule.condition.matches(evidence, row))
