"""How the labels came about: what was decided, which rules decided it, and which disagree.

Two votes on one label of one stack disagree when their values differ; for coverage, where votes add up, only
when one says that none of the regions is there and the other names one. Rules that take regions away from
what others decided name no value and disagree with none. A disagreement may still be decided, by stronger
evidence or by a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.labels.rules import load_rules
from radnet.report.distribution import NO_REGION, TITLES
from radnet.terms import LABELS

STATUSES: Final = ("decided", "conflict", "unknown")
MAX_PAIRS: Final = 30
"""Disagreeing pairs that are shown, those that left most conflicts first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one label.

    Attributes:
        title: Of the label.
        counts: Stacks decided, in conflict, unknown.
        shares: The same as shares of all stacks.
        kept: The same counts among the kept stacks.
        silent: Unknown stacks for which no vote names a value.
    """

    title: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    kept: tuple[int, ...]
    silent: int


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """How often a rule voted and how often its vote decided."""

    title: str
    rule: str
    votes: int
    decided: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two rules that voted differently on the same stacks.

    Attributes:
        title: Of the label.
        one: Rule and value.
        other: Rule and value.
        stacks: On how many stacks.
        open: On how many of them the label is still in conflict.
    """

    title: str
    one: tuple[str, str]
    other: tuple[str, str]
    stacks: int
    open: int


def naming_votes(votes: pl.DataFrame, rules: Iterable[Path]) -> pl.DataFrame:
    """Leave out the votes that take regions away instead of naming a value.

    Args:
        votes: Rows of votes.parquet.
        rules: Folders of rule tables that overlaid the shipped ones.

    Raises:
        RuleError: If a rule table has a fault.
    """
    tables = load_rules(rules).tables
    taking = [rule.name for rule in tables["coverage"].rules if rule.remove]
    return votes.filter((pl.col("label") != "coverage") | ~pl.col("rule").is_in(taking))


def outcomes(stacks: pl.DataFrame, votes: pl.DataFrame) -> tuple[Outcome, ...]:
    """Count decided, conflicting and unknown stacks for each label.

    Args:
        stacks: Rows of labels.parquet.
        votes: Votes that name a value.
    """
    kept = stacks.filter(pl.col("decision") == "keep")
    found = []
    for label in LABELS:
        counts = _status_counts(stacks, label)
        unknown = stacks.filter(pl.col(f"{label}_status") == "unknown")
        silent = unknown.join(votes.filter(pl.col("label") == label), on="stack_id", how="anti")
        shares = tuple(count / len(stacks) if len(stacks) else 0.0 for count in counts)
        found.append(Outcome(TITLES[label], counts, shares, _status_counts(kept, label), len(silent)))
    return tuple(found)


def _status_counts(stacks: pl.DataFrame, label: str) -> tuple[int, ...]:
    return tuple(int((stacks[f"{label}_status"] == status).sum()) for status in STATUSES)


def rule_records(stacks: pl.DataFrame, votes: pl.DataFrame) -> tuple[RuleRecord, ...]:
    """Count, rule by rule, the stacks on which it voted, decided, or stands in a conflict.

    Returns:
        By label, the rule that decides most first. A person who decides is a rule without votes.
    """
    status = _long(stacks)
    decided = status.filter(pl.col("status") == "decided", pl.col("rule").is_not_null())
    conflicts = status.filter(pl.col("status") == "conflict").select("stack_id", "label")
    voted = votes.filter(pl.col("label").is_in(LABELS)).unique(["stack_id", "label", "rule"])
    keys = ["label", "rule"]
    table = (
        voted.group_by(keys)
        .len("votes")
        .join(decided.group_by(keys).len("decided"), on=keys, how="full", coalesce=True)
        .join(
            voted.join(conflicts, on=["stack_id", "label"]).group_by(keys).len("conflicts"),
            on=keys,
            how="left",
        )
        .fill_null(0)
    )
    place = {label: index for index, label in enumerate(LABELS)}
    rows = sorted(
        table.iter_rows(named=True), key=lambda row: (place[row["label"]], -row["decided"], row["rule"])
    )
    return tuple(
        RuleRecord(TITLES[row["label"]], row["rule"], row["votes"], row["decided"], row["conflicts"])
        for row in rows
    )


def disagreements(stacks: pl.DataFrame, votes: pl.DataFrame) -> tuple[Disagreement, ...]:
    """Count the stacks on which two rules voted differently, those that left most conflicts first.

    Args:
        stacks: Rows of labels.parquet.
        votes: Votes that name a value.

    Returns:
        At most `MAX_PAIRS` pairs.
    """
    ballots = votes.filter(pl.col("label").is_in(LABELS)).unique(["stack_id", "label", "rule", "value"])
    keys = ["stack_id", "label"]
    ballots = ballots.filter(pl.col("value").n_unique().over(keys) > 1)
    apart = (pl.col("label") != "coverage") | (
        (pl.col("value") == NO_REGION) != (pl.col("value_other") == NO_REGION)
    )
    pairs = (
        ballots.join(ballots, on=keys, suffix="_other")
        .filter(pl.col("rule") < pl.col("rule_other"), pl.col("value") != pl.col("value_other"), apart)
        .join(_long(stacks).select(*keys, "status"), on=keys, how="left")
        .group_by("label", "rule", "value", "rule_other", "value_other")
        .agg(pl.len().alias("stacks"), (pl.col("status") == "conflict").sum().alias("open"))
    )
    order = ["open", "stacks", "label", "rule", "value", "rule_other", "value_other"]
    pairs = pairs.sort(order, descending=[True, True, *[False] * 5])
    return tuple(
        Disagreement(
            TITLES[row["label"]],
            (row["rule"], row["value"]),
            (row["rule_other"], row["value_other"]),
            row["stacks"],
            row["open"],
        )
        for row in pairs.head(MAX_PAIRS).iter_rows(named=True)
    )


def _long(stacks: pl.DataFrame) -> pl.DataFrame:
    """One row a stack and label: its status and the rule that decided."""
    return pl.concat(
        stacks.select(
            "stack_id",
            pl.lit(label).alias("label"),
            pl.col(f"{label}_status").alias("status"),
            pl.col(f"{label}_rule").alias("rule"),
        )
        for label in LABELS
    )
