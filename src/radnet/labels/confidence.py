"""How often each rule was right on headers that people labelled: `confidence.csv` beside the rule tables.

The file is written by `radnet rules calibrate`, never by hand. A figure holds only for the rule that it was
measured on: when the rule, or a word group that it names, reads differently now, its digest differs and the
figure is stale, which counts as none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.errors import RuleError
from radnet.labels.conditions import words_in
from radnet.labels.lexicon import Lexicon
from radnet.labels.rules import RULES_FOLDER, Rule, Rulebook
from radnet.tables import INTEGER, REAL, TEXT

CONFIDENCE_NAME: Final = "confidence.csv"
CONFIDENCE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "label": TEXT,
    "rule": TEXT,
    "right": INTEGER,  # labels that the rule decided as people did
    "n": INTEGER,  # labels that it decided where people could tell, or should have kept silent
    "collections": INTEGER,  # in how many collections
    "share": REAL,  # right / n; null when n is 0
    "low": REAL,  # limits of the 95 % interval
    "high": REAL,
    "digest": TEXT,  # of the rule as it was measured
}
DIGEST_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Confidence:
    """What was measured of rules, by label and rule name.

    Attributes:
        low: Lower limit of each rule that was seen, as a share.
        digests: Digest of each rule when it was measured.
    """

    low: Mapping[tuple[str, str], float]
    digests: Mapping[tuple[str, str], str]

    def of(self, label: str, rulebook: Rulebook) -> NDArray[np.float64]:
        """Return the lower limit of each rule of a label; NaN where it was never seen or is stale."""
        return np.array(
            [
                self.low.get((label, rule.name), np.nan)
                if self.is_measured(label, rule, rulebook.lexicon)
                else np.nan
                for rule in rulebook.tables[label].rules
            ]
        )

    def is_measured(self, label: str, rule: Rule, lexicon: Lexicon) -> bool:
        """Say whether a rule was measured as it reads now."""
        return self.digests.get((label, rule.name)) == rule_digest(rule, lexicon)

    def stale(self, rulebook: Rulebook) -> Iterator[tuple[str, str]]:
        """Yield label and name of rules that read otherwise than when they were measured."""
        for label, table in rulebook.tables.items():
            for rule in table.rules:
                known = (label, rule.name) in self.digests
                if known and not self.is_measured(label, rule, rulebook.lexicon):
                    yield label, rule.name


def rule_digest(rule: Rule, lexicon: Lexicon) -> str:
    """Return the digest of all that makes a rule vote: values, tier, condition, and the groups it names."""
    named = sorted({word[1:] for word in words_in(rule.condition) if word.startswith("@")})
    groups = {name: sorted(lexicon.groups.get(name, ())) for name in named}
    read = repr((rule.values, rule.remove, rule.tier, rule.condition, groups))
    return hashlib.sha256(read.encode()).hexdigest()[:DIGEST_DIGITS]


def load_confidence(overlays: Iterable[Path] = ()) -> Confidence:
    """Read the shipped figures, and those that lie in folders of further rule tables.

    Args:
        overlays: Folders; one without the file adds nothing, later ones win.

    Raises:
        RuleError: If a file cannot be read as such a table.
    """
    low: dict[tuple[str, str], float] = {}
    digests: dict[tuple[str, str], str] = {}
    for folder in (RULES_FOLDER, *overlays):
        path = folder / CONFIDENCE_NAME
        if not path.exists():
            continue
        try:
            rows = pl.read_csv(path, schema=CONFIDENCE_COLUMNS)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise RuleError(
                f"{path}: cannot be read; write it again with `radnet rules calibrate GOLD.csv --out {path}`"
            ) from error
        for row in rows.iter_rows(named=True):
            key = row["label"], row["rule"]
            digests[key] = row["digest"]
            low.pop(key, None)
            if row["low"] is not None:
                low[key] = row["low"]
    return Confidence(low, digests)
