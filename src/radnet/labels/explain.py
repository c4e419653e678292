"""Say why a stack got its labels, in words that a radiographer can check.

The labels are decided again from the stack's header with the given configuration, and once more without each
attribute in turn: what changes is told. The answer holds header texts; it is for the eyes of whoever may see
the archive, and goes into no log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import WorkspaceError
from radnet.labels.artefacts import STACKS, as_evidence
from radnet.labels.decisions import PERSON
from radnet.labels.engine import Labelled, Labeller, shown
from radnet.labels.exclusions import add_exclusions
from radnet.labels.rules import NO_REGION, Rule
from radnet.labels.studies import CLOCKS
from radnet.labels.vote import CONFLICT, STATUSES, Ballot
from radnet.tables import read_table
from radnet.terms import LABELS
from radnet.workspace import Workspace

SHORTEST_PREFIX: Final = 4
UNKNOWN: Final = "unknown"
DECIDES: Final = "decides"
AGREES: Final = "agrees"
REMOVES: Final = "removes"
CONFLICTS: Final = "conflicts"
OUTVOTED: Final = "outvoted"
ROLES: Final = (DECIDES, AGREES, REMOVES, CONFLICTS, OUTVOTED)
"""What becomes of a vote, in the order shown."""


@dataclass(frozen=True, slots=True)
class VoteShown:
    """One vote.

    Attributes:
        rule: Name of the rule.
        value: What it voted for.
        tier: Kind of evidence.
        role: One of ROLES.
        attribute: Where it looked.
        text: What it found there.
        why: The rule's reason.
    """

    rule: str
    value: str
    tier: str
    role: str
    attribute: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class LabelShown:
    """One label.

    Attributes:
        label: Which.
        value: Its value, or unknown.
        status: decided, conflict or unknown.
        rule: The deciding rule, or None.
        votes: All votes, the deciding one first.
        changes: Attributes without which the value would be another, with that value.
    """

    label: str
    value: str
    status: str
    rule: str | None
    votes: tuple[VoteShown, ...]
    changes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StackShown:
    """One stack.

    Attributes:
        stack_id: Its identifier.
        decision: keep or exclude.
        reasons: All reasons for leaving it out.
        header: Attributes that rules read and that have a value.
        labels: sequence, view, contrast and coverage.
    """

    stack_id: str
    decision: str
    reasons: tuple[str, ...]
    header: dict[str, str]
    labels: tuple[LabelShown, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All stacks that an identifier names.

    Attributes:
        uid: As asked.
        stacks: One, or all of a series.
    """

    uid: str
    stacks: tuple[StackShown, ...]


def explain(work: Path | str, uid: str, config: RadnetConfig = RadnetConfig()) -> Explanation:
    """Explain the labels of a stack, or of all stacks of a series.

    Args:
        work: The workspace; `radnet group` must have filled its 2-series.
        uid: A SeriesInstanceUID, a stack_id, or the unique beginning of a stack_id.
        config: Rules and policies.

    Raises:
        RuleError: If a rule table or the decisions file has a fault.
        WorkspaceError: If the workspace has no stacks, or none or several of that name.
    """
    workspace = Workspace(work)
    stacks = read_table(workspace.root / STACKS, "group")
    found = _find(stacks, uid, workspace)
    labeller = Labeller(config.labels)
    studies = (_with_study(found[row], stacks) for row in range(found.height))
    return Explanation(uid, tuple(_explain_first(study, labeller, config) for study in studies))


def render(explanation: Explanation) -> str:
    """Return an explanation as text, a paragraph a stack."""
    return "\n\n".join("\n".join(_lines(stack)) for stack in explanation.stacks)


def _find(stacks: pl.DataFrame, uid: str, workspace: Workspace) -> pl.DataFrame:
    uid = uid.strip()
    if not uid:
        raise WorkspaceError("explain needs a stack_id or a SeriesInstanceUID; neither may be blank")
    named = stacks.filter((pl.col("stack_id") == uid) | (pl.col("SeriesInstanceUID") == uid))
    if named.height:
        return named
    begun = stacks.filter(pl.col("stack_id").str.starts_with(uid)) if len(uid) >= SHORTEST_PREFIX else named
    if begun.height == 1:
        return begun
    listing = f"identifiers stand in {workspace.root / STACKS} (columns stack_id and SeriesInstanceUID)"
    if begun.height:
        raise WorkspaceError(f"'{uid}' begins {begun.height} stack_ids; write more of it; {listing}")
    raise WorkspaceError(f"no stack or series '{uid}' in this workspace; {listing}")


def _with_study(stack: pl.DataFrame, stacks: pl.DataFrame) -> pl.DataFrame:
    """Put a stack before the others of its study, which are evidence too."""
    others = stacks.filter(
        pl.col("StudyInstanceUID") == stack["StudyInstanceUID"][0],
        pl.col("Modality") == stack["Modality"][0],
        pl.col("stack_id") != stack["stack_id"][0],
    )
    return pl.concat([stack, others])


def _explain_first(study: pl.DataFrame, labeller: Labeller, config: RadnetConfig) -> StackShown:
    """Explain the first stack of a study."""
    frame = as_evidence(study)
    done = labeller.label(frame)
    target = config.volumes.shape[0]
    judged = add_exclusions(study.hstack(done.labels), config.labels, labeller.decisions, target)
    read = _read_attributes(frame, labeller)
    without = None
    if read:
        changed = labeller.label(pl.concat([_without(frame, name) for name in read])).labels
        without = changed.gather_every(frame.height)
    return StackShown(
        stack_id=study["stack_id"][0],
        decision=judged["decision"][0],
        reasons=tuple(judged["reasons"][0]),
        header={name: str(frame[name][0]) for name in read},
        labels=tuple(_label(label, done, without, read) for label in LABELS),
    )


def _read_attributes(frame: pl.DataFrame, labeller: Labeller) -> list[str]:
    """Return the attributes that any rule reads and that have a value here."""
    tables = labeller.rulebook.tables.values()
    named = {name for table in tables for rule in table.rules for name in rule.condition.attributes}
    return [
        name
        for name in frame.columns
        if name in {*named, "nearest_view", *CLOCKS} and frame[name][0] not in (None, "")
    ]


def _without(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Take an attribute from the first stack; the others stay beside it, as a study of their own."""
    rest = pl.when(pl.int_range(pl.len()) > 0).then(name).alias(name)
    return frame.with_columns(rest, pl.col("StudyInstanceUID") + f" without {name}")


def _label(label: str, done: Labelled, without: pl.DataFrame | None, read: list[str]) -> LabelShown:
    ballot = next(ballot for ballot in done.ballots if ballot.label == label)
    value = shown_value(done.labels[label][0], done.labels[f"{label}_status"][0])
    changes = []
    for row, name in enumerate(read if without is not None else ()):
        assert without is not None
        other = shown_value(without[label][row], without[f"{label}_status"][row])
        if other != value:
            changes.append((name, other))
    rule = done.labels[f"{label}_rule"][0]
    status = done.labels[f"{label}_status"][0]
    return LabelShown(label, value, status, rule, tuple(shown_votes(ballot, done, rule)), tuple(changes))


def shown_votes(ballot: Ballot, done: Labelled, winner: str | None) -> list[VoteShown]:
    """Return the votes on the only row of a batch, the deciding one first."""
    rules = [rule for rule, mask in zip(ballot.rules, ballot.masks, strict=True) if mask[0]]
    deciding = next((rule for rule in rules if rule.name == winner), None)
    conflict = STATUSES[ballot.statuses[0]] == CONFLICT
    votes = [
        VoteShown(
            rule.name,
            f"not {rule.value}" if rule.remove else rule.value,
            rule.tier,
            _role(rule, deciding, conflict),
            *shown(rule, done.evidence, 0),
            rule.why,
        )
        for rule in rules
    ]
    return sorted(votes, key=lambda vote: ROLES.index(vote.role))


def _role(rule: Rule, deciding: Rule | None, conflict: bool) -> str:
    if rule.remove:
        return REMOVES
    if deciding is None:
        return OUTVOTED
    if conflict and rule.tier == deciding.tier:
        return CONFLICTS
    if rule.name == deciding.name:
        return DECIDES
    same = rule.tier == deciding.tier or rule.value == deciding.value
    return AGREES if same else OUTVOTED


def shown_value(value: Any, status: str) -> str:
    """Return a label as a word: its value, `oblique`, `none` of the regions, or unknown."""
    if isinstance(value, pl.Series | list):
        return ", ".join(value) or NO_REGION
    if value is None:
        return "oblique" if status == "decided" else UNKNOWN
    return str(value)


def _lines(stack: StackShown) -> Iterable[str]:
    reasons = f" ({', '.join(stack.reasons)})" if stack.reasons else ""
    yield f"Stack {stack.stack_id}: {stack.decision}{reasons}"
    yield "  Header:"
    yield from (f"    {name}: {value}" for name, value in stack.header.items())
    for label in stack.labels:
        yield f"  {label.label}: {label.value} [{label.status}]"
        if label.rule == PERSON:
            yield "    decides   a person"
        for vote in label.votes:
            yield f"    {vote.role:9} {vote.value}: {vote.attribute} {vote.text!r} ({vote.rule}, {vote.tier})"
            yield f"              {vote.why}"
        for name, value in label.changes:
            yield f"    without {name}: {value}"
        if not label.votes and label.rule != PERSON:
            yield "    no rule speaks"
