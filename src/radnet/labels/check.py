"""Find what is wrong with rules: cases that fail, and on a table of headers rules that do nothing there.

That a rule does nothing on one table says little; on the tables that it was written for it can go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radnet.config import RadnetConfig
from radnet.executors import Progress, silent
from radnet.labels.cases import rule_cases
from radnet.labels.engine import Labelled, Labeller
from radnet.labels.headers import read_headers, typed_headers
from radnet.labels.rules import RuleTable
from radnet.labels.studies import batches
from radnet.labels.table import BATCH_ROWS
from radnet.terms import LABELS


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that a rule does not meet.

    Attributes:
        label: The rule's label.
        rule: Its name.
        header: Attributes of the case.
        should_vote: What the case wants.
    """

    label: str
    rule: str
    header: dict[str, str]
    should_vote: bool


@dataclass(frozen=True, slots=True)
class Idle:
    """A rule that does nothing on a table.

    Attributes:
        label: Its label.
        rule: Its name.
        votes: How often it votes.
        by: A rule of the same or a stronger tier that votes for the same wherever it does, if there is one.
    """

    label: str
    rule: str
    votes: int
    by: str | None


@dataclass(frozen=True, slots=True)
class TableCheck:
    """What rules do on a table.

    Attributes:
        table: The file.
        rows: Its rows.
        never_vote: Rules that never vote.
        never_decide: Rules that vote, but only where stronger evidence decides.
        always_agree: Rules whose every vote another rule casts too.
    """

    table: str
    rows: int
    never_vote: tuple[Idle, ...]
    never_decide: tuple[Idle, ...]
    always_agree: tuple[Idle, ...]


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """What was found.

    Attributes:
        rules: Rules loaded.
        cases: Cases run.
        failures: Cases that failed.
        stale: Rules, as `label/rule`, whose measured confidence is of an earlier wording.
        unmeasured: Rules that were never measured.
        table: What they do on a table, if one is given.
    """

    rules: int
    cases: int
    failures: tuple[Failure, ...]
    stale: tuple[str, ...]
    unmeasured: int
    table: TableCheck | None


def check_rules(
    config: RadnetConfig = RadnetConfig(), table: Path | str | None = None, progress: Progress = silent
) -> RuleCheck:
    """Load rules, run their cases, and see what they do on a table.

    Args:
        config: Names the folders of rules that overlay the shipped tables.
        table: A CSV or Parquet table of headers.
        progress: Counts the table's rows.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If the table cannot be used.
    """
    labeller = Labeller(config.labels.model_copy(update={"decisions": None}))
    rulebook = labeller.rulebook
    reader = rulebook.reader()
    cases = list(rule_cases(rulebook))
    confidence = labeller.confidence
    rules = [(label, rule) for label, rules in rulebook.tables.items() for rule in rules.rules]
    return RuleCheck(
        rules=len(rules),
        cases=len(cases),
        failures=tuple(
            Failure(case.label, case.rule.name, {k: str(v) for k, v in case.header.items()}, case.votes)
            for case in cases
            if not case.passes(reader)
        ),
        stale=tuple("/".join(key) for key in confidence.stale(rulebook)),
        unmeasured=sum(
            not confidence.is_measured(label, rule, rulebook.lexicon)
            for label, rule in rules
            if label in LABELS
        ),
        table=_check_table(Path(table), labeller, progress) if table else None,
    )


def render(found: RuleCheck) -> str:
    """Return the outcome as text."""
    lines = [f"{found.rules} rules, {found.cases} cases, {len(found.failures)} of them fail"]
    for failure in found.failures:
        wanted = "must vote" if failure.should_vote else "must not vote"
        lines.append(f"  {failure.label}/{failure.rule} {wanted} on {failure.header}")
    lines.append(f"{len(found.stale)} rules have a stale confidence, {found.unmeasured} have none")
    lines.extend(f"  {name}" for name in found.stale)
    if found.table:
        lines += ["", f"on {found.table.table}, {found.table.rows} rows:", *_table_lines(found.table)]
    return "\n".join(lines)


def _table_lines(table: TableCheck) -> Iterator[str]:
    for title, idle in (
        ("never vote", table.never_vote),
        ("vote and never decide", table.never_decide),
        ("always agree with another", table.always_agree),
    ):
        yield f"{len(idle)} rules {title}"
        for one in idle:
            votes = f", {one.votes} votes" if one.votes else ""
            yield f"  {one.label}/{one.rule}{votes}" + (f", as {one.by}" if one.by else "")


class _Counts:
    """How often the rules of one table vote, decide, and vote together."""

    def __init__(self, table: RuleTable) -> None:
        size = len(table.rules)
        self.table = table
        self.together: NDArray[np.int64] = np.zeros((size, size), dtype=np.int64)
        self.decides: NDArray[np.int64] = np.zeros(size, dtype=np.int64)

    def add(self, done: Labelled) -> None:
        ballot = next(ballot for ballot in done.ballots if ballot.label == self.table.label)
        votes = np.stack(ballot.masks).astype(np.float32)
        self.together += np.rint(votes @ votes.T).astype(np.int64)
        tiers = np.array([self.table.tiers.index(rule.tier) for rule in self.table.rules])
        deciding = np.append(tiers, -1)[ballot.winners]
        self.decides += (np.stack(ballot.masks) & (tiers[:, None] == deciding)).sum(axis=1)

    def idle(self, rule: int, by: int | None = None) -> Idle:
        rules = self.table.rules
        other = None if by is None else rules[by].name
        return Idle(self.table.label, rules[rule].name, int(self.together[rule, rule]), other)

    def never_vote(self) -> Iterator[Idle]:
        yield from (self.idle(rule) for rule in map(int, np.flatnonzero(np.diag(self.together) == 0)))

    def never_decide(self) -> Iterator[Idle]:
        for index, rule in enumerate(self.table.rules):
            if self.together[index, index] and not self.decides[index] and not rule.remove:
                yield self.idle(index)

    def always_agree(self) -> Iterator[Idle]:
        """Yield each rule that another makes superfluous; of two that always vote together the later one."""
        votes = np.diag(self.together)
        for one in map(int, np.flatnonzero(votes)):
            within = np.flatnonzero(self.together[one] == votes[one])
            others = (
                other
                for other in map(int, within)
                if other != one and (votes[other] > votes[one] or other < one) and self._covers(other, one)
            )
            other = next(others, None)
            if other is not None:
                yield self.idle(one, other)

    def _covers(self, other: int, one: int) -> bool:
        """Say whether a vote of one rule holds that of another, from no weaker tier."""
        strong, weak = self.table.rules[other], self.table.rules[one]
        rank = self.table.tiers.index
        return (
            strong.remove == weak.remove
            and rank(strong.tier) <= rank(weak.tier)
            and bool({*strong.values} >= {*weak.values})
            and bool(strong.values) == bool(weak.values)
        )


def _check_table(path: Path, labeller: Labeller, progress: Progress) -> TableCheck:
    frame = typed_headers(read_headers(path))
    counts = [_Counts(table) for table in labeller.rulebook.tables.values()]
    read = 0
    for rows in batches(frame, BATCH_ROWS):
        done = labeller.label(frame[rows])
        for count in counts:
            count.add(done)
        read += done.labels.height
        progress(read, frame.height)
    return TableCheck(
        str(path),
        frame.height,
        tuple(idle for count in counts for idle in count.never_vote()),
        tuple(idle for count in counts for idle in count.never_decide()),
        tuple(idle for count in counts for idle in count.always_agree()),
    )
