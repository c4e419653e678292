"""Label any table of headers, with no DICOM file at all: a PACS export, an archive's index.

Columns are DICOM keywords, optionally beside `collection_id`, `instanceCount` and what positions gave;
`headers` says how they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.executors import Progress, silent
from radnet.labels.engine import Labeller
from radnet.labels.headers import IDENTIFIERS, count_unread, keywords, read_headers, typed_headers
from radnet.labels.rules import NO_REGION
from radnet.labels.studies import batches, in_given_order
from radnet.tables import VOTE_COLUMNS, write_table
from radnet.terms import LABELS
from radnet.workspace import write_text

BATCH_ROWS: Final = 100_000
"""Rows labelled at a time; bounds memory, not speed."""


@dataclass(frozen=True, slots=True)
class TableSummary:
    """What became of a table.

    Attributes:
        rows: Rows labelled.
        decided: Rows that got a value, by label.
        conflict: Rows whose evidence disagrees, by label.
        unknown: Rows that say nothing, by label.
        unread: Rows in which something that labels need is missing or cannot be read, by what it is.
        out: The written file.
    """

    rows: int
    decided: dict[str, int]
    conflict: dict[str, int]
    unknown: dict[str, int]
    unread: dict[str, int]
    out: str


def label_table(
    frame: pl.DataFrame,
    config: RadnetConfig = RadnetConfig(),
    progress: Progress = silent,
    votes: bool = True,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Label each row of a table of headers.

    Args:
        frame: Columns that are DICOM keywords are read, others are left alone.
        config: Its `labels` table is used.
        progress: Counts rows.
        votes: Whether to list every vote of every rule; the second table is empty otherwise.

    Returns:
        Identifiers and labels in the order of the rows; the votes, by `stack_id`, `SeriesInstanceUID` or row
        number.

    Raises:
        RuleError: If a rule table or the decisions file has a fault.
        TableError: If no column is a known attribute.
    """
    frame = frame.rename(keywords(frame.columns))
    known = typed_headers(frame)
    labeller = Labeller(config.labels)
    kept = frame.select(name for name in IDENTIFIERS if name in frame.columns)
    keys = _keys(frame)
    labels, voted = [], [pl.DataFrame(schema=VOTE_COLUMNS)]
    order = list(batches(known, BATCH_ROWS))
    for rows in order:
        done = labeller.label(known[rows])
        labels.append(done.labels)
        if votes:
            voted.append(done.votes(keys[rows]))
        progress(sum(part.height for part in labels), frame.height)
    return pl.concat([kept, in_given_order(labels, order)], how="horizontal"), pl.concat(voted)


def label_file(
    table: Path | str, out: Path | str, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> TableSummary:
    """Label a CSV or Parquet file of headers.

    Args:
        table: Its path; the suffix says which it is.
        out: The file to write. In `.csv` rows stay in order, regions are joined by `;`, `none` is none of the
            nine and unknown is empty; `.parquet` keeps lists.
        config: Its `labels` table is used.
        progress: Counts rows.

    Raises:
        RuleError: If a rule table or the decisions file has a fault.
        TableError: If the table cannot be read or the output not written.
    """
    out = Path(out)
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise TableError(f"{out}: --out must end in .csv or .parquet")
    if not out.resolve().parent.is_dir():
        raise TableError(f"{out}: the folder to write to does not exist; make it first")
    if out.is_dir() or out.resolve() == Path(table).resolve():
        raise TableError(f"{out}: is a folder or the table itself; name another file with --out")
    headers = read_headers(Path(table))
    labels, _ = label_table(headers, config, progress, votes=False)
    if out.suffix.lower() == ".csv":
        write_text(out, with_flat_regions(labels).write_csv())
    else:
        write_table(labels, out)
    counts = {
        status: {label: int((labels[f"{label}_status"] == status).sum()) for label in LABELS}
        for status in ("decided", "conflict", "unknown")
    }
    return TableSummary(labels.height, **counts, unread=count_unread(typed_headers(headers)), out=str(out))


def _keys(frame: pl.DataFrame) -> pl.Series:
    for name in ("stack_id", "SeriesInstanceUID"):
        if name in frame.columns:
            return frame[name].cast(pl.String)
    return pl.int_range(frame.height, eager=True).cast(pl.String)


def with_flat_regions(labels: pl.DataFrame) -> pl.DataFrame:
    """Write regions as one text, as a CSV file holds them: joined by `;`, `none` for none of the nine."""
    regions = pl.col("coverage").list.join(";")
    joined = pl.when(pl.col("coverage").list.len() == 0).then(pl.lit(NO_REGION)).otherwise(regions)
    return labels.with_columns(joined.alias("coverage"))
