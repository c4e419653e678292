"""How much the labels of a table hang on each attribute: what changes when it is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.executors import Progress, silent
from radnet.labels.engine import Labeller
from radnet.labels.headers import read_headers, typed_headers
from radnet.labels.studies import batches, in_given_order
from radnet.labels.table import BATCH_ROWS
from radnet.terms import LABELS

GEOMETRY: Final = ("nearest_view", "tilt_deg", "orientation")
"""Read by no rule itself, but what the measured view is made of."""
NAME_WIDTH: Final = 34


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one label without an attribute, in rows.

    Attributes:
        lost: A value becomes unknown.
        turned: A value becomes another one.
        gained: Unknown becomes a value.
    """

    lost: int
    turned: int
    gained: int

    @property
    def changed(self) -> int:
        """All rows that change."""
        return self.lost + self.turned + self.gained


@dataclass(frozen=True, slots=True)
class Dropped:
    """One attribute.

    Attributes:
        attribute: Its name.
        filled: Rows in which it has a value.
        labels: What changes without it, by label.
    """

    attribute: str
    filled: int
    labels: dict[str, Change]


@dataclass(frozen=True, slots=True)
class Stability:
    """All attributes of a table.

    Attributes:
        table: The file.
        rows: Its rows.
        dropped: Each attribute that rules read, the weightiest first.
    """

    table: str
    rows: int
    dropped: tuple[Dropped, ...]


def measure_stability(
    table: Path | str, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> Stability:
    """Drop each attribute of a table in turn and count the labels that change.

    Args:
        table: A CSV or Parquet table of headers; it is labelled once for each attribute, and once whole.
        config: Its rules read; people's decisions are left out.
        progress: Counts the labellings.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If the table cannot be used.
    """
    frame = typed_headers(read_headers(Path(table)))
    labeller = Labeller(config.labels.model_copy(update={"decisions": None}))
    rules = (rule for table in labeller.rulebook.tables.values() for rule in table.rules)
    read = {name for rule in rules for name in rule.condition.attributes} | {*GEOMETRY}
    names = [name for name in frame.columns if name in read and frame[name].null_count() < frame.height]
    whole = _label(frame, labeller)
    dropped = []
    for done, name in enumerate(names, start=1):
        without = _label(frame.with_columns(pl.lit(None, frame.schema[name]).alias(name)), labeller)
        filled = frame.height - frame[name].null_count()
        dropped.append(Dropped(name, filled, {label: _change(whole, without, label) for label in LABELS}))
        progress(done, len(names))
    dropped.sort(key=lambda one: -sum(change.changed for change in one.labels.values()))
    return Stability(str(table), frame.height, tuple(dropped))


def render(found: Stability) -> str:
    """Return the outcome as text: percent of rows that change, and of those that turn into another value."""
    lines = [
        f"{found.table}: {found.rows} rows; % changed without it, in brackets turned to another value",
        f"{'attribute':{NAME_WIDTH}} {'filled':>8}" + "".join(f"{label:>18}" for label in LABELS),
    ]
    for one in found.dropped:
        cells = (
            f"{_percent(one.labels[label].changed, found)} ({_percent(one.labels[label].turned, found)})"
            for label in LABELS
        )
        filled = _percent(one.filled, found)
        lines.append(f"{one.attribute:{NAME_WIDTH}} {filled:>8}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def _label(frame: pl.DataFrame, labeller: Labeller) -> pl.DataFrame:
    order = list(batches(frame, BATCH_ROWS))
    labels = [labeller.label(frame[rows]).labels.select(LABELS) for rows in order]
    return in_given_order(labels, order).with_columns(pl.col("coverage").list.join(";"))


def _change(whole: pl.DataFrame, without: pl.DataFrame, label: str) -> Change:
    before, after = whole[label], without[label]
    return Change(
        lost=int((before.is_not_null() & after.is_null()).sum()),
        turned=int((before != after).fill_null(False).sum()),
        gained=int((before.is_null() & after.is_not_null()).sum()),
    )


def _percent(count: int, found: Stability) -> str:
    return f"{100 * count / max(found.rows, 1):.1f}"
