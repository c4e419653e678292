"""From headers to labels: the tables in order, people's decisions above them.

Order matters: what a series is (form, sequence) is known before its view, contrast and coverage are asked
for, and later tables may test earlier conclusions. `form` has no status: it is a help, not a label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.config import LabelsConfig
from radnet.labels.conditions import Match
from radnet.labels.confidence import Confidence, load_confidence
from radnet.labels.decisions import PERSON, Decisions, load_decisions
from radnet.labels.evidence import Evidence, Nothing, Value
from radnet.labels.lexicon import Reader
from radnet.labels.orientation import add_measured_view
from radnet.labels.parse import CONCLUSIONS, OBLIQUE, VALUES
from radnet.labels.relations import RELATION, WITNESS_TIERS, relate
from radnet.labels.rules import NO_REGION, Rule, Rulebook, load_rules
from radnet.labels.studies import can_be_ordered
from radnet.labels.vote import DECIDED, NO_VALUE, STATUSES, Ballot, Codes, matches, regions_of, vote
from radnet.tables import REAL, TEXT, TEXTS, VOTE_COLUMNS
from radnet.terms import LABELS, REGIONS

EVIDENCE_LENGTH: Final = 200
"""Characters of evidence that are kept."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One batch after all votes.

    Attributes:
        labels: One row a header: form, the labels, and status, rule and evidence of each.
        ballots: The outcome of each table; where a person decided the value is theirs, the votes the rules'.
        evidence: What the rules read.
    """

    labels: pl.DataFrame
    ballots: tuple[Ballot, ...]
    evidence: Evidence

    def votes(self, keys: pl.Series) -> pl.DataFrame:
        """Return every vote of every rule.

        Args:
            keys: A name for each row, written as `stack_id`.
        """
        rows = [
            (keys[row], ballot.label, rule.value, rule.name, *shown(rule, self.evidence, row))
            for ballot in self.ballots
            for index, rule in enumerate(ballot.rules)
            for row in np.flatnonzero(ballot.masks[index]).tolist()
        ]
        return pl.DataFrame(rows, schema=VOTE_COLUMNS, orient="row")


class Labeller:
    """The rules and decisions of one configuration, compiled once."""

    def __init__(self, config: LabelsConfig, rulebook: Rulebook | None = None) -> None:
        """Load rule tables and decisions.

        Args:
            config: Names the overlays, the decisions and the policies.
            rulebook: Rules to use in place of those that the configuration names.

        Raises:
            RuleError: If a rule table or the decisions file has a fault.
        """
        contrast = "contrast_paper" if config.contrast_from_agent_alone else "contrast"
        self.config = config
        self.rulebook: Rulebook = rulebook or load_rules(config.rules, contrast)
        self.confidence: Confidence = load_confidence(config.rules)
        self._confidence = {label: self.confidence.of(label, self.rulebook) for label in LABELS}
        self.decisions: Decisions = load_decisions(config.decisions)
        self._reader: Reader = self.rulebook.reader()

    def label(self, frame: pl.DataFrame) -> Labelled:
        """Label a batch of headers.

        Args:
            frame: One row a stack or series; columns are attributes (`KNOWN_ATTRIBUTES`), any may be missing.

        Returns:
            Labels in the order of the rows, with the votes behind them.
        """
        evidence = Evidence(add_measured_view(frame, self.config), self._reader)
        columns: dict[str, pl.Series] = {}
        ballots = []
        for label in CONCLUSIONS:
            if label == "contrast":
                self._relate(evidence, frame)
            ballot = vote(self.rulebook.tables[label], evidence)
            ballots.append(ballot)
            final = _with_decisions(ballot, self.decisions.find(label, frame))
            evidence.set_column(label, *_conclusion(final))
            columns |= _columns(final, evidence)
            if label in LABELS:
                columns[f"{label}_confidence"] = _confidence(final, self._confidence[label])
        return Labelled(pl.DataFrame(columns), tuple(ballots), evidence)

    def _relate(self, evidence: Evidence, frame: pl.DataFrame) -> None:
        """Add what the other series of a study say; they are asked for their own evidence first."""
        table = self.rulebook.tables["contrast"]
        if can_be_ordered(frame) and RELATION in table.tiers:
            own = tuple(rule for rule in table.rules if rule.tier in WITNESS_TIERS)
            ballot = vote(replace(table, tiers=WITNESS_TIERS, rules=own), evidence)
            said = _with_decisions(ballot, self.decisions.find("contrast", frame))
            evidence.extend(relate(frame, evidence, said))


def shown(rule: Rule, evidence: Evidence, row: int) -> Match:
    """Return which attributes a rule matched in a row, and what in them."""
    found = list(matches(rule, evidence, row))
    attributes = dict.fromkeys(name for name, _ in found)
    return "+".join(attributes), " | ".join(text for _, text in found)[:EVIDENCE_LENGTH]


def _with_decisions(ballot: Ballot, decided: dict[int, str]) -> Ballot:
    """Put people's values in place of the rules'; their winner is a rule index past the table's end."""
    for row, value in decided.items():
        words = () if value == NO_REGION else tuple(value.split(";"))
        if ballot.label == "coverage":
            ballot.codes[row] = sum(1 << REGIONS.index(word) for word in words)
        else:
            ballot.codes[row] = VALUES[ballot.label].index(value)
        ballot.statuses[row] = STATUSES.index(DECIDED)
        ballot.winners[row] = len(ballot.rules)
    return ballot


def _conclusion(ballot: Ballot) -> tuple[tuple[Value, ...], Codes]:
    """Return a label as an attribute that later rules may test; regions are DICOM-like multi-values."""
    if ballot.label != "coverage":
        return (*VALUES[ballot.label], Nothing.ABSENT), ballot.codes
    codes, places = np.unique(ballot.codes, return_inverse=True)
    values = ("\\".join(regions_of(code)) if code > 0 else NO_REGION for code in codes.tolist())
    return tuple(values), places


def _columns(ballot: Ballot, evidence: Evidence) -> dict[str, pl.Series]:
    label = ballot.label
    if label == "form":
        return {label: _named(label, VALUES[label], ballot.codes)}
    if label == "coverage":
        sets = {code: list(regions_of(code)) for code in np.unique(ballot.codes).tolist() if code != NO_VALUE}
        value = pl.Series(label, [sets.get(code) for code in ballot.codes.tolist()], dtype=TEXTS)
    else:
        words = tuple(None if word == OBLIQUE else word for word in VALUES[label])
        value = _named(label, words, ballot.codes)
    rules = (*(rule.name for rule in ballot.rules), PERSON)
    return {
        label: value,
        f"{label}_status": _named(f"{label}_status", STATUSES, ballot.statuses),
        f"{label}_rule": _named(f"{label}_rule", rules, ballot.winners),
        f"{label}_evidence": _evidence(ballot, evidence),
    }


def _confidence(ballot: Ballot, measured: NDArray[np.float64]) -> pl.Series:
    """Give each decided label the measured lower limit of its rule; null where there is none."""
    name = f"{ballot.label}_confidence"
    known = (ballot.statuses == STATUSES.index(DECIDED)) & (ballot.winners < len(measured))
    found = np.append(measured, np.nan)[np.where(known, ballot.winners, len(measured))]
    return pl.Series(name, found, dtype=REAL).fill_nan(None)


def _named(name: str, words: tuple[str | None, ...], codes: Codes) -> pl.Series:
    return pl.Series(name, [*words, None], dtype=TEXT).gather(np.where(codes < 0, len(words), codes))


def _evidence(ballot: Ballot, evidence: Evidence) -> pl.Series:
    """Write what the winning rules matched; alike rows of one rule are written once."""
    texts: list[str | None] = [None] * evidence.height
    for index, rule in enumerate(ballot.rules):
        rows = np.flatnonzero(ballot.winners == index)
        if not rows.size:
            continue
        read = np.stack([evidence.column(name).codes[rows] for name in rule.condition.attributes])
        _, firsts, places = np.unique(read, axis=1, return_index=True, return_inverse=True)
        said = [": ".join(shown(rule, evidence, int(rows[first]))) for first in firsts]
        for row, place in zip(rows.tolist(), places.ravel().tolist(), strict=True):
            texts[row] = said[place]
    return pl.Series(f"{ballot.label}_evidence", texts, dtype=TEXT)
