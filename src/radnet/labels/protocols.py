"""An archive by protocol: series whose texts say the same, largest groups first.

A text is folded as it is read: spellings replaced, numbers dropped, of a word that no rule knows the digits
become `#`. `Thorax  5.0  B31f` and `THORAX 3.0 B30f` are one protocol. Who looks at the largest groups has
seen most of an archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.executors import Progress, silent
from radnet.labels.artefacts import FOLDER, LABELS_NAME, STACKS
from radnet.labels.headers import read_headers, typed_headers
from radnet.labels.lexicon import Reader
from radnet.labels.rules import NO_REGION, load_rules
from radnet.labels.table import label_table
from radnet.labels.text import shape
from radnet.tables import TEXT, read_table
from radnet.terms import LABELS
from radnet.workspace import Workspace, write_text

COVERED: Final = (90, 95, 99)
"""Percent of the series that a person wants to have seen."""
TEXTS_READ: Final = ("SeriesDescription", "ProtocolName")
"""Where a protocol is written; the second where the first is empty."""
KEY: Final = ("Modality", "protocol")
UNKNOWN: Final = "unknown"
WIDEST: Final = 40


@dataclass(frozen=True, slots=True)
class Protocols:
    """An archive by protocol.

    Attributes:
        series: Series, or stacks of a workspace.
        groups: How many protocols they fall into.
        to_see: Groups that a person must look at to have seen each percentage of COVERED.
        table: A row a group, largest first: Modality, protocol, series, the share of all series up to here,
            and of each label the commonest value, the share of the group that has it, and its status.
    """

    series: int
    groups: int
    to_see: dict[int, int]
    table: pl.DataFrame

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        counts = {"series": self.series, "groups": self.groups, "to_see": self.to_see}
        return {**counts, "protocols": self.table.to_dicts()}


def protocols_of_table(
    table: Path | str, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> Protocols:
    """Label a table of headers and fold its series by protocol.

    Args:
        table: A CSV or Parquet table.
        config: Its rules read.
        progress: Counts rows.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If the table cannot be used.
    """
    frame = read_headers(Path(table))
    labels, _ = label_table(frame, config, progress, votes=False)
    texts = typed_headers(frame)
    return _fold(_with_texts(texts), labels, _reader(config))


def protocols_of_work(work: Path | str, config: RadnetConfig = RadnetConfig()) -> Protocols:
    """Fold the labelled stacks of a workspace by protocol.

    Raises:
        RuleError: If a rule table has a fault.
        WorkspaceError: If the labels are not there yet.
    """
    root = Workspace(work).root
    labels = read_table(root / FOLDER / LABELS_NAME, "label")
    stacks = read_table(root / STACKS, "group", ("stack_id", "Modality", *TEXTS_READ))
    texts = labels.select("stack_id").join(stacks, on="stack_id", how="left", maintain_order="left")
    return _fold(texts, labels, _reader(config))


def write_protocols(found: Protocols, out: Path) -> None:
    """Write the groups as CSV.

    Raises:
        TableError: If the name does not end in .csv or its folder does not exist.
    """
    if out.suffix.lower() != ".csv" or not out.resolve().parent.is_dir():
        raise TableError(f"{out}: --out must be a .csv file in a folder that exists")
    write_text(out, found.table.write_csv())


def protocol(text: str, reader: Reader) -> str:
    """Fold one text: its words, without numbers; empty when it holds nothing else."""
    words = (word for word in reader.words(text) if not word.replace(".", "").isdecimal())
    return " ".join(word if reader.names(word) else shape(word) for word in words)


def render(found: Protocols, top: int) -> str:
    """Return the largest groups as text."""
    lines = [f"{found.series} series in {found.groups} protocols"]
    lines.extend(
        f"{groups} groups hold {percent} % of the series" for percent, groups in found.to_see.items()
    )
    lines += ["", f"{'series':>8} {'up to here':>11}  {'protocol':{WIDEST + 3}} labels"]
    lines.extend(_line(row) for row in found.table.head(top).iter_rows(named=True))
    return "\n".join(lines)


def _reader(config: RadnetConfig) -> Reader:
    return load_rules(config.labels.rules).reader()


def _with_texts(headers: pl.DataFrame) -> pl.DataFrame:
    wanted = ("Modality", *TEXTS_READ)
    return headers.select(
        pl.col(name) if name in headers.columns else pl.lit(None, TEXT).alias(name) for name in wanted
    )


def _fold(texts: pl.DataFrame, labels: pl.DataFrame, reader: Reader) -> Protocols:
    written = pl.coalesce(
        *(pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)) for name in TEXTS_READ),
        pl.lit(""),
    )
    rows = texts.select(pl.col("Modality").fill_null(""), written.alias("text")).hstack(_words(labels))
    distinct = rows["text"].unique()
    folded = pl.DataFrame(
        {"text": distinct, "protocol": [protocol(text, reader) for text in distinct]},
        schema={"text": TEXT, "protocol": TEXT},
    )
    rows = rows.join(folded, on="text", how="left")
    table = rows.group_by(KEY).agg(pl.len().alias("series"))
    for label in LABELS:
        table = table.join(_commonest(rows, label), on=KEY)
    table = table.sort("series", *KEY, descending=[True, False, False])
    up_to = pl.col("series").cum_sum() / max(rows.height, 1)
    table = table.with_columns(up_to.round(4).alias("up_to_here"))
    shares = table["series"].cum_sum()
    to_see = {percent: int((shares * 100 < percent * rows.height).sum()) + 1 for percent in COVERED}
    order = (*KEY, "series", "up_to_here")
    return Protocols(
        rows.height,
        table.height,
        {percent: min(groups, table.height) for percent, groups in to_see.items()},
        table.select(*order, *(name for name in table.columns if name not in order)),
    )


def _words(labels: pl.DataFrame) -> pl.DataFrame:
    """Return each label as one word, and its status."""
    regions = pl.col("coverage").list.join(";")
    covered = pl.when(pl.col("coverage").list.len() == 0).then(pl.lit(NO_REGION)).otherwise(regions)
    oblique = pl.when(pl.col("view_status") == "decided").then(pl.lit("oblique"))
    words = {label: pl.col(label) for label in LABELS}
    words |= {"coverage": covered, "view": pl.coalesce("view", oblique)}
    return labels.select(
        *(word.fill_null(UNKNOWN).alias(label) for label, word in words.items()),
        *(f"{label}_status" for label in LABELS),
    )


def _commonest(rows: pl.DataFrame, label: str) -> pl.DataFrame:
    """Return, by protocol, the commonest value of a label with its status, and how common it is."""
    pairs = rows.group_by(*KEY, label, f"{label}_status").len()
    first = (
        pairs.sort(["len", label], descending=[True, False])
        .group_by(KEY)
        .agg(
            pl.col(label).first(),
            pl.col(f"{label}_status").first(),
            (pl.col("len").first() / pl.col("len").sum()),
        )
    )
    return first.select(*KEY, label, pl.col("len").round(4).alias(f"{label}_share"), f"{label}_status")


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['series']:>8} {100 * row['up_to_here']:>9.1f} %  "
        f"{row['Modality']:2} {row['protocol'][:WIDEST]:{WIDEST}} {', '.join(_labels(row))}"
    )


def _labels(row: dict[str, Any]) -> Iterator[str]:
    for label in LABELS:
        value, status, share = row[label], row[f"{label}_status"], row[f"{label}_share"]
        shown = status if value == UNKNOWN else value
        yield shown if share == 1 else f"{shown} {100 * share:.0f} %"
