"""Read tables of headers as people export them: from a PACS database, an archive's index, a spreadsheet.

Columns are found by DICOM keyword whatever their case and separators (`SERIES_DESCRIPTION`). In CSV a cell
that is empty is an absent attribute, since CSV cannot tell absent from empty; `NA`, `None` and `N/A` are
texts like any other, and no number where one is due. What cannot be read is refused or counted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import TableError
from radnet.labels.evidence import KNOWN_ATTRIBUTES
from radnet.labels.orientation import COSINES_COLUMN, add_orientation
from radnet.labels.parse import nearest
from radnet.labels.studies import CLOCKS
from radnet.tables import REALS, TEXT, TEXTS

IDENTIFIERS: Final = ("stack_id", "StudyInstanceUID", "SeriesInstanceUID", "collection_id")
"""Columns that are handed through; never one that names a patient."""
LISTINGS: Final = ("empty_attributes", "unreadable_attributes")
READABLE: Final = {
    **dict.fromkeys((*IDENTIFIERS, *CLOCKS), TEXT),
    **KNOWN_ATTRIBUTES,
    COSINES_COLUMN: TEXT,
    "orientation": REALS,
    **dict.fromkeys(LISTINGS, TEXTS),
}
"""Columns that labelling reads, and their types."""
ALSO_CALLED: Final = {
    "NumberOfSeriesRelatedInstances": "instanceCount",  # PS3.18 table 10.6.3-4: what a PACS answers
    "instanceCount_median": "instanceCount",  # in tables that fold alike series into a row
}
"""Other names of columns that labelling reads."""
MODALITIES: Final = ("CT", "MR")
MODALITY_NAMES: Final = {"MRI": "MR", "MRT": "MR"}
"""What databases call a modality that DICOM writes otherwise."""
DESCRIPTIONS: Final = ("SeriesDescription", "ProtocolName", "StudyDescription")
SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
PADDING: Final = " \t\r\n\0"


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
            lazy = pl.scan_parquet(path)
            named = keywords(lazy.collect_schema().names(), path)
            wanted = [name for name, keyword in named.items() if keyword in {*READABLE, *more}]
            if not wanted:
                return pl.read_parquet(path, n_rows=0)
            return lazy.select(wanted).rename(named, strict=False).collect()
        if suffix == ".csv":
            frame = _read_csv(path)
            return frame.rename(keywords(frame.columns, path))
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or 'no such file'})") from error
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path}: is not a readable {suffix[1:]} table with one header line") from error
    raise TableError(f"{path}: must end in .csv or .parquet")


def keywords(names: Iterable[str], path: Path | str = "the table") -> dict[str, str]:
    """Find the DICOM keyword that each column name means; a name that means none stays.

    Raises:
        TableError: If two columns mean the same.
    """
    known = {_folded(name): name for name in READABLE}
    known |= {_folded(name): meaning for name, meaning in ALSO_CALLED.items()}
    meant = {name: known.get(_folded(name), name) for name in names}
    for keyword in READABLE:
        columns = [name for name, found in meant.items() if found == keyword]
        if len(columns) > 1 or f"{keyword}_duplicated_0" in meant:
            raise TableError(f"{path}: two columns are named {keyword}; keep one of them")
    return meant


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _read_csv(path: Path) -> pl.DataFrame:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}: line {line} is not UTF-8; save the table as UTF-8 and run again") from None
    if "\n" not in text:  # as old spreadsheets on the Macintosh end lines
        data = data.replace(b"\r", b"\n")
    header = data.split(b"\n", 1)[0].decode()
    if "\0" in header:
        raise TableError(
            f"{path}: line 1 is not UTF-8 but perhaps UTF-16; save the table as UTF-8 and run again"
        )
    separator = max(SEPARATORS, key=header.count)
    if header.count(separator) > header.count(","):
        raise TableError(f"{path}: columns must be separated by commas, not {SEPARATORS[separator]}")
    try:
        return pl.read_csv(data, infer_schema=False)
    except pl.exceptions.PolarsError:
        _refuse_ragged(path, data.decode())
        raise


def _refuse_ragged(path: Path, text: str) -> None:
    """Refuse a table whose lines have more cells than its header, and name the first."""
    rows = csv.reader(text.splitlines(keepends=True))
    n_columns = len(next(rows, []))
    for row in rows:
        if len(row) > n_columns:
            raise TableError(
                f"{path}: line {rows.line_num} has {len(row)} cells and the header {n_columns}; "
                "put texts with commas into quotes"
            )


def typed_headers(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the known columns and give them their types; what is no number is named unreadable.

    Raises:
        TableError: If no column is a known attribute, or one holds no texts or numbers.
    """
    frame = frame.rename(keywords(frame.columns))
    names = [name for name in frame.columns if name in READABLE]
    if not {*names} & {*KNOWN_ATTRIBUTES}:
        hint = nearest(frame.columns[0], KNOWN_ATTRIBUTES) if frame.columns else "it has no columns"
        raise TableError(
            "the table has no column named by a DICOM keyword, such as Modality or SeriesDescription; "
            f"is the header line there? ({hint})"
        )
    typed = frame.select(_read_as(name, frame.schema[name]) for name in names if name not in LISTINGS)
    typed = add_orientation(typed)
    if all(name in frame.columns and frame[name].dtype == TEXTS for name in LISTINGS):
        return typed.with_columns(frame[name] for name in LISTINGS)
    lost = [
        pl.when(frame[name].is_not_null() & typed[name].is_null()).then(pl.lit(name))
        for name in typed.columns
        if name in frame.columns and frame[name].dtype == pl.String() and typed[name].dtype != pl.String()
    ]
    if not lost:
        return typed
    return typed.with_columns(pl.concat_list(lost).list.drop_nulls().alias("unreadable_attributes"))


def _read_as(name: str, given: pl.DataType) -> pl.Expr:
    """Give a column its type; a count written as a decimal number, such as a median, is rounded."""
    wanted, column = READABLE[name], pl.col(name)
    if wanted == REALS:
        return column.cast(wanted, strict=False)
    if isinstance(given, pl.List) and given.inner in (pl.String(), pl.Float64(), pl.Int64()):
        # backslash is DICOM's sign between values
        column = column.cast(pl.List(pl.String)).list.join("\\", ignore_nulls=True)
    elif given.is_nested() or given in (pl.Object(), pl.Binary()):
        raise TableError(f"column {name} holds {given}; it must hold texts or numbers")
    if wanted.is_integer() and (given == pl.String() or given.is_float()):
        return column.cast(pl.Float64, strict=False).round().cast(wanted, strict=False)
    if wanted != TEXT:
        return column.cast(wanted, strict=False)
    text = column.cast(wanted, strict=False).str.strip_chars(PADDING)
    return text.str.to_uppercase().replace(MODALITY_NAMES) if name == "Modality" else text


def count_unread(known: pl.DataFrame) -> dict[str, int]:
    """Count the rows of typed headers in which something that labels need cannot be read, by what it is."""
    faults: dict[str, int] = {}
    if "Modality" not in known.columns:
        faults["no column Modality"] = known.height
    else:
        faults["Modality is neither CT nor MR"] = int(
            (~known["Modality"].is_in(MODALITIES).fill_null(False)).sum()
        )
    if known.columns and not {*DESCRIPTIONS} & {*known.columns}:
        faults["no column " + " or ".join(DESCRIPTIONS)] = known.height
    if "unreadable_attributes" in known.columns:
        names = known["unreadable_attributes"].explode().drop_nulls().value_counts(sort=True)
        faults |= {f"{name} is no number": count for name, count in names.iter_rows()}
    return {fault: count for fault, count in faults.items() if count}
