"""What people decided: a CSV file that only grows, and wins over every rule.

Columns: `stack_id` or `SeriesInstanceUID` (a row names a stack or a whole series), `label`, `value`, and for
the record `by`, `when`, `note`. A later row wins over an earlier one, an empty value takes a decision back.
The label may also be `decision`, with value `exclude` or `keep`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import RuleError
from radnet.labels.parse import VALUES, nearest
from radnet.labels.rules import NO_REGION

PERSON: Final = "person"
"""Rule name of a label that a person decided."""
DECISION: Final = "decision"
EXCLUDE: Final = "exclude"
KEEP: Final = "keep"
KEYS: Final = ("stack_id", "SeriesInstanceUID")
REQUIRED: Final = ("label", "value")
FAULTS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions in force.

    Attributes:
        by_label: Value by stack or series identifier, by label.
    """

    by_label: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def find(self, label: str, frame: pl.DataFrame) -> dict[int, str]:
        """Return what people decided on a label, by row of a frame; a stack's own decision wins."""
        decided = self.by_label.get(label, {})
        found: dict[int, str] = {}
        for key in reversed(KEYS):
            if decided and key in frame.columns:
                rows = frame[key].is_in(list(decided)).fill_null(False).arg_true()
                found |= {row: decided[frame[key][row]] for row in rows}
        return found

    def strangers(self, frame: pl.DataFrame) -> int:
        """Count the decided identifiers that no row of a frame bears."""
        decided = {identifier for decisions in self.by_label.values() for identifier in decisions}
        known = {identifier for key in KEYS if key in frame.columns for identifier in frame[key]}
        return len(decided - known)


def load_decisions(path: Path | None) -> Decisions:
    """Read a decisions file.

    Args:
        path: The CSV file; None means that nobody decided anything.

    Raises:
        RuleError: If it cannot be read, lacks a column, or a row names an unknown label or value.
    """
    if path is None:
        return Decisions()
    try:
        rows = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RuleError(
            f"{path}: cannot be read as a CSV file of decisions with columns {', '.join((*KEYS, *REQUIRED))}"
        ) from error
    missing = [name for name in REQUIRED if name not in rows.columns]
    if missing or not {*KEYS} & {*rows.columns}:
        raise RuleError(f"{path}: decisions need the columns label, value, and stack_id or SeriesInstanceUID")
    return _in_force(path, rows)


def _in_force(path: Path, rows: pl.DataFrame) -> Decisions:
    by_label: dict[str, dict[str, str]] = {}
    faults: list[str] = []
    keys = [name for name in KEYS if name in rows.columns]
    for line, row in enumerate(rows.iter_rows(named=True), start=2):
        key = next((row[name] for name in keys if row[name]), None)
        label, value = (row["label"] or "").strip(), (row["value"] or "").strip()
        fault = _fault(key, label, value)
        if fault:
            faults.append(f"line {line}: {fault}")
        elif key and value:
            by_label.setdefault(label, {})[key] = value
        elif key:
            by_label.get(label, {}).pop(key, None)
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise RuleError(f"{path}: " + "; ".join(faults[:FAULTS_SHOWN]) + more)
    return Decisions(by_label)


def _fault(key: str | None, label: str, value: str) -> str | None:
    if not key:
        return "names neither a stack_id nor a SeriesInstanceUID"
    known = {**VALUES, DECISION: (KEEP, EXCLUDE)}
    if label not in known:
        return f"unknown label '{label}'; {nearest(label, known)}"
    if label == "coverage" and value == NO_REGION:
        return None
    for word in value.split(";") if value else ():
        if word not in known[label]:
            return f"unknown value '{word}' of {label}; {nearest(word, known[label])}"
    return None
