"""Measure how often every rule decides as people did, and write it for the labels to carry.

The counts are of the deciding rule of each label. For coverage, where several rules add up, that is the first
of the deciding tier. A rule may do worse elsewhere when it was written with the same tables at hand: `Band`
leaves each collection out of the counts, but cannot leave it out of the writing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels.confidence import CONFIDENCE_COLUMNS, rule_digest
from radnet.labels.engine import Labeller
from radnet.labels.gold import answers, label_gold, read_gold
from radnet.labels.rules import Rulebook
from radnet.labels.score import MISTAKEN, judge
from radnet.labels.shares import Share
from radnet.labels.vote import DECIDED
from radnet.terms import LABELS
from radnet.workspace import write_text

DIGITS: Final = 4
BAND_LIMITS: Final = (0.9, 0.75, 0.5, 0.0)
"""Lower ends of the bands of confidence that are compared with what came out."""

Key = tuple[str, str]
"""Label and rule."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One label that a rule decided on a row with a known truth."""

    key: Key
    collection: str
    right: bool


@dataclass(frozen=True, slots=True)
class Band:
    """Labels by the confidence that all other collections give their rule.

    Attributes:
        confidence: At least this; None holds the rules that no other collection saw.
        outcome: How many of them are right.
    """

    confidence: float | None
    outcome: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured.

    Attributes:
        rules: Rules that decide the four labels.
        seen: Those that decided at least one label.
        labels: Labels that were decided and could be judged.
        right: Those that are right.
        bands: How well confidence holds in collections that it was not measured on.
        out: The written file.
    """

    rules: int
    seen: int
    labels: int
    right: int
    bands: tuple[Band, ...]
    out: str


def calibrate_rules(
    paths: Iterable[Path | str], out: Path | str, config: RadnetConfig = RadnetConfig()
) -> Calibration:
    """Measure the rules on tables with truths and write `confidence.csv`.

    Args:
        paths: CSV tables, as `read_gold` takes them.
        out: The file to write: beside the rule tables, named `confidence.csv`, labelling reads it.
        config: Its rules are measured.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If a table cannot be used or the output's folder does not exist.
    """
    out = Path(out)
    if not out.resolve().parent.is_dir():
        raise TableError(f"{out}: the folder to write to does not exist; make it first")
    labeller = Labeller(config.labels.model_copy(update={"decisions": None}))
    decided = [one for path in paths for one in _decided(path, config, labeller)]
    rows = list(_rows(labeller.rulebook, decided))
    write_text(out, pl.DataFrame(rows, schema=CONFIDENCE_COLUMNS, orient="row").write_csv())
    return Calibration(
        rules=len(rows),
        seen=len({one.key for one in decided}),
        labels=len(decided),
        right=sum(one.right for one in decided),
        bands=tuple(_bands(decided)),
        out=str(out),
    )


def render(found: Calibration) -> str:
    """Return the outcome as text."""
    lines = [
        f"{found.seen} of {found.rules} rules decided {found.labels} labels, {found.right} of them right",
        f"written to {found.out}",
        "",
        "confidence from all other collections, and how many of these labels are right:",
    ]
    for band in found.bands:
        name = "never seen there" if band.confidence is None else f"at least {band.confidence:g}"
        lines.append(f"{name:18s} {band.outcome}")
    return "\n".join(lines)


def _decided(path: Path | str, config: RadnetConfig, labeller: Labeller) -> Iterator[Decided]:
    gold = read_gold(path)
    labelled = label_gold(gold, config, labeller)
    marks = judge(gold, answers(labelled))
    collections = gold.collections()
    for label, parts in MISTAKEN.items():
        rules, statuses = labelled.labels[f"{label}_rule"], labelled.labels[f"{label}_status"]
        for row, mark in enumerate(marks):
            told = next((mark[part] for part in parts if mark[part] is not None), None)
            if told is not None and statuses[row] == DECIDED:
                yield Decided((label, rules[row]), collections[row], told)


def _rows(rulebook: Rulebook, decided: list[Decided]) -> Iterator[tuple[str | int | float | None, ...]]:
    by_rule: dict[Key, list[Decided]] = defaultdict(list)
    for one in decided:
        by_rule[one.key].append(one)
    for label in LABELS:
        for rule in rulebook.tables[label].rules:
            seen = by_rule[label, rule.name]
            share = Share.of(sum(one.right for one in seen), len(seen))
            limits = (
                None if part is None else round(part / 100, DIGITS)
                for part in (share.percent, share.low, share.high)
            )
            collections = len({one.collection for one in seen})
            digest = rule_digest(rule, rulebook.lexicon)
            yield label, rule.name, share.right, share.n, collections, *limits, digest


def _bands(decided: list[Decided]) -> Iterator[Band]:
    """Compare confidence with outcome, the rule's own collection never counted."""
    right, n = Counter[Key](), Counter[Key]()
    right_there, n_there = Counter[tuple[Key, str]](), Counter[tuple[Key, str]]()
    for one in decided:
        n[one.key] += 1
        right[one.key] += one.right
        n_there[one.key, one.collection] += 1
        right_there[one.key, one.collection] += one.right
    outcomes: Mapping[float | None, list[bool]] = {limit: [] for limit in (*BAND_LIMITS, None)}
    for one in decided:
        place = one.key, one.collection
        low = Share.of(right[one.key] - right_there[place], n[one.key] - n_there[place]).low
        band = None if low is None else next(limit for limit in BAND_LIMITS if low >= 100 * limit)
        outcomes[band].append(one.right)
    for limit, rights in outcomes.items():
        yield Band(limit, Share.of(sum(rights), len(rights)))
