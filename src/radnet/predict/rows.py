"""Read a table of predictions a block of rows at a time, and find a series in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import TableError
from radnet.predict.columns import PROBABILITY_PREFIX

BLOCK_ROWS: Final = 65_536
"""Rows in memory at a time; 64 MB of features of 256 numbers."""
NEEDED: Final = ("stack_id", "SeriesInstanceUID", "reason", "embedding")


def check_predictions(path: Path) -> Path:
    """Refuse what is no table of predictions.

    Raises:
        TableError: If the file is missing, no Parquet file, or lacks columns.
    """
    if not path.is_file():
        raise TableError(f"{path} is not there; `radnet predict SOURCE --out {path.name}` makes it")
    try:
        columns = pl.read_parquet_schema(path)
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path} is not a readable Parquet file; run `radnet predict` again") from error
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise TableError(
            f"{path} has no column {', '.join(missing)}; it must be a table that `radnet predict` wrote"
        )
    return path


def read_blocks(path: Path, columns: Sequence[str], answered: bool = True) -> Iterator[pl.DataFrame]:
    """Yield the rows of a table in order.

    Args:
        path: Of a table of predictions.
        columns: Those to read.
        answered: Whether to leave out what was not predicted.
    """
    n_rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    for start in range(0, n_rows, BLOCK_ROWS):
        block = pl.scan_parquet(path).slice(start, BLOCK_ROWS).select([*dict.fromkeys((*columns, "reason"))])
        found = block.collect()
        if answered:
            found = found.filter(pl.col("reason").is_null())
        yield found.select(list(columns))


def find_series(path: Path, uid: str) -> pl.DataFrame:
    """Return the answered rows of a series or stack.

    Args:
        path: Of a table of predictions.
        uid: A SeriesInstanceUID, or a stack_id or its beginning.

    Raises:
        TableError: If nothing has that name, several stacks do, or it was not predicted.
    """
    named = (pl.col("SeriesInstanceUID") == uid) | pl.col("stack_id").str.starts_with(pl.lit(uid))
    found = pl.scan_parquet(path).filter(named).collect()
    if found.is_empty():
        raise TableError(f"{path}: no series or stack is named {uid!r}")
    answered = found.filter(pl.col("reason").is_null())
    if answered.is_empty():
        raise TableError(f"{path}: {uid} was not predicted: {found['explanation'][0]}")
    if len(answered) > 1:
        ids = ", ".join(answered["stack_id"].head(5))
        raise TableError(f"{path}: {uid} names {len(answered)} stacks; take one of {ids}")
    return answered


def probabilities_in(columns: Sequence[str], label: str) -> list[str]:
    """Name the columns of a table that hold the probabilities of a label, in order."""
    prefix = f"{PROBABILITY_PREFIX}{label}_"
    return [name for name in columns if name.startswith(prefix)]
