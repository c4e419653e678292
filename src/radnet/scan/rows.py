"""Rows of instances as a polars frame, fast and whatever a header made of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, count, islice
from typing import Any, Final

import polars as pl

from radnet.scan.header import Row
from radnet.tables import INSTANCE_COLUMNS, REAL, REALS

BATCH_ROWS: Final = 5_000
"""Rows held as Python objects at a time; a row takes a few kilobytes, its columns some hundred bytes."""

UNFIT: Final = (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError)
"""What polars raises on a value that it cannot hold in a column."""


def rows_to_frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Gather instances into a frame of INSTANCE_COLUMNS.

    Args:
        rows: Dictionaries by column; a missing key is null. A generator is drawn in batches, so that files
            of many thousand frames never stand in memory together.

    Returns:
        The frame; a value that does not fit its column's type is null.
    """
    remaining = iter(rows)
    frames = []
    while batch := list(islice(remaining, BATCH_ROWS)):
        frames.append(pl.DataFrame([_column(batch, name, dtype) for name, dtype in INSTANCE_COLUMNS.items()]))
    return pl.concat(frames) if frames else pl.DataFrame(schema=INSTANCE_COLUMNS)


def _column(rows: Sequence[Row], name: str, dtype: pl.DataType) -> pl.Series:
    values = [row.get(name) for row in rows]
    try:
        if dtype == REALS:
            return _reals(name, values)
        return pl.Series(name, values, dtype=dtype, strict=False)
    except UNFIT:
        return pl.Series(name, [_fitting(value, dtype) for value in values], dtype=dtype, strict=False)


def _reals(name: str, values: list[Any]) -> pl.Series:
    """Make a column of lists, nearly always all of one length: polars is slow to take them one by one."""
    present = [value for value in values if value is not None]
    widths = {len(value) for value in present}
    if len(widths) != 1 or 0 in widths:
        return pl.Series(name, values, dtype=REALS, strict=False)
    flat = pl.Series(name, list(chain.from_iterable(present)), dtype=REAL)
    lists = flat.reshape((len(present), widths.pop())).cast(REALS)
    if len(present) == len(values):
        return lists
    places = count()
    rows = [None if value is None else next(places) for value in values]
    return lists.gather(pl.Series(rows, dtype=pl.UInt32))


def _fitting(value: object, dtype: pl.DataType) -> object:
    try:
        return pl.Series([value], dtype=dtype, strict=False)[0]
    except UNFIT:
        return None
