"""Label any table of headers, with no DICOM file at all: a PACS export, an archive's index.

Columns are DICOM keywords, optionally beside `collection_id`, `instanceCount` and what positions gave. In CSV
a cell that is empty is an absent attribute, since CSV cannot tell absent from empty; `NA`, `None` and `N/A`
are texts like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.executors import Progress, silent
from radnet.labels.engine import Labeller
from radnet.labels.evidence import KNOWN_ATTRIBUTES
from radnet.labels.parse import nearest
from radnet.labels.rules import NO_REGION
from radnet.labels.studies import CLOCKS, batches, in_given_order
from radnet.tables import REALS, TEXT, TEXTS, VOTE_COLUMNS, write_table
from radnet.terms import LABELS
from radnet.workspace import write_text

BATCH_ROWS: Final = 100_000
"""Rows labelled at a time; bounds memory, not speed."""
IDENTIFIERS: Final = ("stack_id", "StudyInstanceUID", "SeriesInstanceUID", "collection_id")
"""Input columns that are handed through; never one that names a patient."""
LISTINGS: Final = ("empty_attributes", "unreadable_attributes")
READABLE: Final = {
    **dict.fromkeys((*IDENTIFIERS, *CLOCKS), TEXT),
    **KNOWN_ATTRIBUTES,
    "orientation": REALS,
    **dict.fromkeys(LISTINGS, TEXTS),
}


@dataclass(frozen=True, slots=True)
class TableSummary:
    """What became of a table.

    Attributes:
        rows: Rows labelled.
        decided: Rows that got a value, by label.
        conflict: Rows whose evidence disagrees, by label.
        unknown: Rows that say nothing, by label.
        out: The written file.
    """

    rows: int
    decided: dict[str, int]
    conflict: dict[str, int]
    unknown: dict[str, int]
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
    labels, _ = label_table(read_headers(Path(table)), config, progress, votes=False)
    if out.suffix.lower() == ".csv":
        write_text(out, with_flat_regions(labels).write_csv())
    else:
        write_table(labels, out)
    counts = {
        status: {label: int((labels[f"{label}_status"] == status).sum()) for label in LABELS}
        for status in ("decided", "conflict", "unknown")
    }
    return TableSummary(labels.height, counts["decided"], counts["conflict"], counts["unknown"], str(out))


def read_headers(path: Path, more: Iterable[str] = ()) -> pl.DataFrame:
    """Read a table of headers, all columns of a CSV file as text.

    Args:
        path: A CSV or Parquet file.
        more: Columns of a Parquet file that are wanted beside those that rules read.

    Raises:
        TableError: If it cannot be read, has another suffix, or is no table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            wanted = {*READABLE, *more}
            lazy = pl.scan_parquet(path)
            names = [name for name in lazy.collect_schema().names() if name in wanted]
            return lazy.select(names).collect() if names else pl.read_parquet(path, n_rows=0)
        if suffix == ".csv":
            return _read_csv(path)
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or 'no such file'})") from error
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path}: is not a readable {suffix[1:]} table with one header line") from error
    raise TableError(f"{path}: must end in .csv or .parquet")


def _read_csv(path: Path) -> pl.DataFrame:
    try:
        data = path.read_bytes()
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}: line {line} is not UTF-8; save the table as UTF-8 and run again") from None
    header = data.split(b"\n", 1)[0].decode()
    if "," not in header and any(sign in header for sign in ";\t|"):
        raise TableError(f"{path}: columns must be separated by commas, not {_separator(header)}")
    return pl.read_csv(data, infer_schema=False)


def _separator(header: str) -> str:
    return {";": "semicolons", "\t": "tabs", "|": "bars"}[max(";\t|", key=header.count)]


def typed_headers(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the known columns and give them their types; what is no number is named unreadable.

    Raises:
        TableError: If no column is a known attribute.
    """
    names = [name for name in frame.columns if name in READABLE]
    if not {*names} & {*KNOWN_ATTRIBUTES}:
        hint = nearest(frame.columns[0], KNOWN_ATTRIBUTES) if frame.columns else "it has no columns"
        raise TableError(
            "the table has no column named by a DICOM keyword, such as Modality or SeriesDescription; "
            f"is the header line there? ({hint})"
        )
    typed = frame.select(_read_as(name, frame.schema[name]) for name in names if name not in LISTINGS)
    if all(name in frame.columns and frame[name].dtype == TEXTS for name in LISTINGS):
        return typed.with_columns(frame[name] for name in LISTINGS)
    lost = [
        pl.when(frame[name].is_not_null() & typed[name].is_null()).then(pl.lit(name))
        for name in typed.columns
        if frame[name].dtype == pl.String() and typed[name].dtype != pl.String()
    ]
    if not lost:
        return typed
    return typed.with_columns(pl.concat_list(lost).list.drop_nulls().alias("unreadable_attributes"))


def _read_as(name: str, given: pl.DataType) -> pl.Expr:
    """Give a column its type; a count written as a decimal number, such as a median, is rounded."""
    wanted = READABLE[name]
    if wanted.is_integer() and (given == pl.String() or given.is_float()):
        return pl.col(name).cast(pl.Float64, strict=False).round().cast(wanted, strict=False)
    return pl.col(name).cast(wanted, strict=False)


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
