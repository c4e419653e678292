"""Put the series of a study in the order in which they were acquired, and keep studies whole in batches.

Headers hold times of day without a date that can be trusted, so a study may seem to run backwards over
midnight. On the circle of a day the longest pause is where a study begins; one that is still longer than
`LONGEST_STUDY_S` is two visits under one identifier, and has no order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

STUDY: Final = ("StudyInstanceUID", "Modality")
"""What shares an injection: agents of CT and MR are not the same."""
CLOCKS: Final = ("AcquisitionTime", "SeriesTime")
DAY_S: Final = 86_400.0
LONGEST_STUDY_S: Final = 6 * 3600.0
"""Four half-lives of an extracellular gadolinium agent (90 minutes): little is left on board after it."""
_TIME: Final = r"^(?:\d{4}-?\d\d-?\d\d[ T]?)?(\d{1,2}:?\d{0,2}:?\d{0,2})(\.\d*)?$"


def can_be_ordered(frame: pl.DataFrame) -> bool:
    """Say whether a table names studies and tells times."""
    columns = {*frame.columns}
    return {*STUDY} <= columns and not columns.isdisjoint(CLOCKS)


def seconds_of_day(name: str) -> pl.Expr:
    """Read a DICOM time (PS3.5, TM) as seconds since midnight; null where it is none.

    Args:
        name: The column; a date before it, colons in it and a lost leading zero are allowed.
    """
    text = pl.col(name).cast(pl.String).str.strip_chars()
    digits = text.str.extract(_TIME, 1).str.replace_all(":", "", literal=True)
    even = pl.when(digits.str.len_chars() % 2 == 1).then(pl.lit("0") + digits).otherwise(digits)
    whole = even.str.pad_end(6, "0")
    hours, minutes, seconds = (whole.str.slice(start, 2).cast(pl.Float64) for start in (0, 2, 4))
    valid = (hours < 24) & (minutes < 60) & (seconds <= 60)
    fraction = (pl.lit("0") + text.str.extract(_TIME, 2)).cast(pl.Float64, strict=False).fill_null(0.0)
    return pl.when(valid).then(hours * 3600 + minutes * 60 + seconds + fraction).alias(name)


def clock() -> pl.Expr:
    """Return the time of each row on one clock a study, in seconds since midnight.

    AcquisitionTime where a study has it; SeriesTime only for MR without any, since CT writes there when a
    reconstruction was made. Both columns must have been read by `seconds_of_day`.
    """
    acquired, begun = (pl.col(name) for name in CLOCKS)
    none_acquired = acquired.is_null().all().over(STUDY)
    return pl.when(none_acquired & (pl.col("Modality") == "MR")).then(begun).otherwise(acquired)


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Add when each series was acquired, and sort by it.

    Args:
        rows: Columns StudyInstanceUID, Modality and `clock` (seconds since midnight, none null).

    Returns:
        The rows of studies that have an order, with `begin` (of the study, on the clock) and `at` (seconds
        since then).
    """
    time, first = pl.col("clock"), pl.int_range(pl.len()).over(STUDY) == 0
    pause = pl.when(first).then(time + DAY_S - time.last().over(STUDY)).otherwise(time - time.shift(1))
    return (
        rows.sort(*STUDY, "clock", maintain_order=True)
        .with_columns(pause.alias("pause"))
        .filter(DAY_S - pl.col("pause").max().over(STUDY) <= LONGEST_STUDY_S)
        .with_columns(time.sort_by("pause").last().over(STUDY).alias("begin"))
        .with_columns(((time - pl.col("begin")) % DAY_S).alias("at"))
        .drop("pause")
        .sort(*STUDY, "at", maintain_order=True)
    )


def batches(frame: pl.DataFrame, rows: int) -> Iterator[NDArray[np.int64]]:
    """Cut a table into batches that part no study.

    Args:
        frame: One row a stack or series.
        rows: Least rows of a batch but the last.

    Yields:
        The rows of a batch; one batch at least. Without times the order is that of the table.
    """
    order = np.arange(frame.height)
    ends = np.ones(frame.height, dtype=bool)
    if frame.height > rows and can_be_ordered(frame):
        named = pl.col(STUDY[0]).str.strip_chars().replace("", None)
        study = frame.select(named.rank("dense").fill_null(0)).to_series().to_numpy()
        order = np.argsort(study, kind="stable")
        ends[:-1] = (np.diff(study[order]) != 0) | (study[order][:-1] == 0)
    stops = np.flatnonzero(ends) + 1
    start = 0
    while True:
        later = stops[np.searchsorted(stops, start + rows) :]
        stop = int(later[0]) if later.size else frame.height
        yield order[start:stop]
        start = stop
        if start >= frame.height:
            return


def in_given_order(parts: Sequence[pl.DataFrame], order: Sequence[NDArray[np.int64]]) -> pl.DataFrame:
    """Put what was made batch by batch back into the order of the table."""
    return pl.concat(parts)[np.argsort(np.concatenate(order))]
