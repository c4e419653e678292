"""Answers that wait to be merged: Parquet files, written every few seconds, and the last table itself.

A killed run loses what it had in hand, no more. A row counts as long as it was made from the same slices,
settings and weights, which its `inputs` tell; parts of another network have other columns and are passed
over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import WorkspaceError
from radnet.predict.columns import TABLE_NAME
from radnet.predict.reasons import RETRIED
from radnet.tables import write_table

FLUSH_ROWS: Final = 256
FLUSH_SECONDS: Final = 15.0
"""A kill loses no more than the answers of this time."""
RANGE_ROWS: Final = 20_000
"""Rows of the table that are in memory at a time."""


class PartWriter:
    """Collects answers and writes them as parts.

    Args:
        folder: Of this share of the work; no other process writes there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[pl.DataFrame] = []
        self._since = time.monotonic()
        for leftover in folder.glob(".*.partial"):
            leftover.unlink()

    def add(self, frame: pl.DataFrame) -> None:
        """Take some rows; they are on the disk a few seconds later."""
        self._waiting.append(frame)
        rows = sum(len(part) for part in self._waiting)
        if rows >= FLUSH_ROWS or time.monotonic() - self._since > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            name = f"{time.time_ns():020d}-{os.getpid()}.parquet"
            write_table(pl.concat(self._waiting), self._folder / name)
        self._waiting = []
        self._since = time.monotonic()


class Answered:
    """All answers of a workspace, on the disk.

    Args:
        folder: Of the stage.
        parts: Folder of the parts of all shares.
        columns: Of a part.
    """

    def __init__(self, folder: Path, parts: Path, columns: dict[str, pl.DataType]) -> None:
        self._columns = columns
        self._parts = parts
        self._table = folder / TABLE_NAME
        self._files = [path for path in (self._table, *self._parts_there()) if self._fits(path)]

    def known(self) -> pl.DataFrame:
        """Return `stack_id`, `inputs` and `reason` of all answers that need not be tried again."""
        return self.all_keys().filter(~pl.col("reason").is_in(RETRIED).fill_null(False))

    def all_keys(self) -> pl.DataFrame:
        """Return `stack_id`, `inputs` and `reason` of all answers."""
        names = ("stack_id", "inputs", "reason")
        if not self._files:
            return pl.DataFrame(schema={name: self._columns[name] for name in names})
        return self._scan().select(names).collect()

    def merge(
        self,
        candidates: pl.DataFrame,
        planned: pl.DataFrame,
        finish: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> None:
        """Write the table of all candidates, a range of stacks at a time, and drop the parts.

        Args:
            candidates: What there is to predict.
            planned: `stack_id` and `inputs` of those that were tried.
            finish: Makes the rows of the table of candidates that are joined with their answers.
        """
        ordered = candidates.sort("stack_id")
        pieces: list[Path] = []
        partial = self._table.with_name(f".{TABLE_NAME}.{os.getpid()}.partial")
        parts = list(self._parts_there())
        try:
            for start in range(0, max(1, len(ordered)), RANGE_ROWS):
                rows = ordered[start : start + RANGE_ROWS]
                piece = partial.with_name(f"{partial.name}.{len(pieces)}")
                finish(self._joined(rows, planned)).write_parquet(piece, compression="zstd")
                pieces.append(piece)
            if len(pieces) == 1:
                pieces[0].replace(self._table)
            else:
                whole = pl.concat([pl.scan_parquet(piece) for piece in pieces])
                whole.sink_parquet(
                    partial, compression="zstd", row_group_size=RANGE_ROWS, maintain_order=True
                )
                partial.replace(self._table)
        except pl.exceptions.ComputeError as error:
            raise WorkspaceError(
                f"{self._table} could not be written to its end; free some room on the disk and run again"
            ) from error
        finally:
            for left in (*pieces, partial):
                left.unlink(missing_ok=True)
        for path in parts:
            path.unlink(missing_ok=True)

    def _joined(self, rows: pl.DataFrame, planned: pl.DataFrame) -> pl.DataFrame:
        blank = pl.DataFrame(schema=self._columns)
        answers = blank
        if self._files and len(rows):
            within = pl.col("stack_id").is_between(pl.lit(rows["stack_id"][0]), pl.lit(rows["stack_id"][-1]))
            answers = self._scan().filter(within).collect()
        answers = answers.join(planned, on=["stack_id", "inputs"], how="semi")
        failed = pl.col("reason").is_not_null()
        best = answers.sort("stack_id", failed).unique("stack_id", keep="first", maintain_order=True)
        return rows.join(best, on="stack_id", how="left", suffix="_answer", maintain_order="left")

    def _scan(self) -> pl.LazyFrame:
        return pl.concat([pl.scan_parquet(path).select(list(self._columns)) for path in self._files]).filter(
            pl.col("inputs").is_not_null()
        )

    def _parts_there(self) -> list[Path]:
        return sorted(self._parts.glob("*/[!.]*.parquet"))

    def _fits(self, path: Path) -> bool:
        try:
            schema = pl.read_parquet_schema(path)
        except (OSError, pl.exceptions.PolarsError):
            return False  # not there, or torn by a power cut: its rows are answered again
        return all(schema.get(name) == dtype for name, dtype in self._columns.items())
