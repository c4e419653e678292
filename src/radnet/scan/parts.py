"""The resume log of a scan: parts that only ever appear whole.

A part is one Parquet file with the rows of some files, instances and skipped ones together, so that there
is no moment at which half of a file's rows are on disk. Each shard writes parts into a folder of its own,
under a lock of its own; everyone reads all of them. A part's name begins with a fingerprint of what its
values depend on beside the files: the reader, the columns and the patient key. Parts of another fingerprint
are as good as none.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from radnet.scan.inventory import FILE_KEY
from radnet.sources.entries import UNREADABLE_FILE, VANISHED
from radnet.tables import INSTANCE_COLUMNS, TEXT, write_table

READER_VERSION: Final = 1
"""To be raised with every change of what the reader makes of a file: everything is then read again."""
PART_COLUMNS: Final[dict[str, pl.DataType]] = {**INSTANCE_COLUMNS, "reason": TEXT, "error": TEXT}
"""An instance has no reason; a skipped file has only its origin, reason and error."""
TRANSIENT: Final = (UNREADABLE_FILE, VANISHED)
"""Reasons that may pass: such files are tried again at the next scan."""

RANGE_ROWS: Final = 100_000
"""Rows that are in memory at a time when parts are merged; about 0.2 GB."""

_PART_ROWS: Final = 20_000
_PART_SECONDS: Final = 5.0
_FINGERPRINT_DIGITS: Final = 12


def fingerprint(patient_key: bytes) -> str:
    """Return hex digits that change whenever the same file would give other rows."""
    columns = ",".join(f"{name}:{dtype}" for name, dtype in PART_COLUMNS.items())
    text = f"reader {READER_VERSION}; {columns}"
    return hmac.new(patient_key, text.encode(), hashlib.sha256).hexdigest()[:_FINGERPRINT_DIGITS]


class PartWriter:
    """Appends parts to one shard's folder; its owner holds the folder's lock."""

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder = folder
        self._mark = mark
        for leftover in (*folder.glob(".*.partial"), *_foreign(folder, mark)):
            leftover.unlink()
        numbers = [int(part.stem.rpartition("-")[2]) for part in folder.glob(f"{mark}-*.parquet")]
        self._next = max(numbers, default=-1) + 1
        self._waiting: list[pl.DataFrame] = []
        self._since = time.monotonic()

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows; they are on disk a few seconds later at most.

        Args:
            rows: PART_COLUMNS; all rows of every file that occurs in them.
        """
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(rows)
        if time.monotonic() - self._since > _PART_SECONDS or sum(map(len, self._waiting)) > _PART_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            write_table(pl.concat(self._waiting), self._folder / f"{self._mark}-{self._next:06d}.parquet")
            self._next += 1
            self._waiting = []


def part_paths(parts: Path, mark: str) -> list[Path]:
    """Return the parts of all shards."""
    return sorted(parts.glob(f"*/{mark}-*.parquet"))


def read_outcomes(paths: Iterable[Path], files: pl.DataFrame) -> pl.DataFrame:
    """Say what became of the files that are listed now.

    Args:
        paths: Parts.
        files: The inventory's files.

    Returns:
        One row a file that was read, by path: FILE_KEY, `reason` (null for instances), `n_rows` and `part`,
        the part whose rows count. A file stands in several parts when it was tried again or two scans met;
        an instance wins over a reason, a lasting reason over a passing one.
    """
    columns = [*FILE_KEY, "reason"]
    schema = {**{name: PART_COLUMNS[name] for name in columns}, "n_rows": pl.get_index_type(), "part": TEXT}
    frames = [pl.DataFrame(schema=schema)]
    for path in paths:
        part = _read(path, columns)
        if part is not None:
            frames.append(part.group_by(columns).len("n_rows").with_columns(part=pl.lit(str(path))))
    rank = (
        pl.when(pl.col("reason").is_null()).then(2).otherwise((~pl.col("reason").is_in(TRANSIENT)).cast(int))
    )
    return (
        pl.concat(frames)
        .join(files, on=FILE_KEY, how="semi")
        .sort(rank, "part")
        .unique("path", keep="last")
        .sort("path")
    )


def scan_rows(outcomes: pl.DataFrame) -> pl.LazyFrame:
    """Read all rows of the files that count, and no others, when collected.

    Args:
        outcomes: As `read_outcomes` gives them.

    Returns:
        PART_COLUMNS, in no order.
    """
    frames = [pl.LazyFrame(schema=PART_COLUMNS)]
    for (part,), files in outcomes.group_by("part"):
        counted = files.lazy().select(FILE_KEY)
        frames.append(pl.scan_parquet(str(part)).join(counted, on=FILE_KEY, how="semi"))
    return pl.concat(frames)


def path_ranges(outcomes: pl.DataFrame, rows: int = RANGE_ROWS) -> list[tuple[str, str]]:
    """Cut the files that count into ranges of paths, so that all their rows never need room at once.

    Args:
        outcomes: As `read_outcomes` gives them.
        rows: Rows in a range, unless one file alone has more.

    Returns:
        First and last path of each range, in order; the same whoever read the files.
    """
    number = ((pl.col("n_rows").cum_sum() - pl.col("n_rows")) // rows).alias("range")
    ranges = outcomes.sort("path").group_by(number, maintain_order=True)
    return ranges.agg(first=pl.col("path").first(), last=pl.col("path").last()).drop("range").rows()


def count_rows(paths: Iterable[Path]) -> int:
    """Count the rows of all parts, those that no longer count included."""
    return sum(len(part) for path in paths if (part := _read(path, ["path"])) is not None)


def count_gone(paths: Iterable[Path], files: pl.DataFrame) -> int:
    """Count the files that stand in the parts and are not listed now.

    Args:
        paths: Parts.
        files: The inventory's files.
    """
    read = [part for path in paths if (part := _read(path, ["path"])) is not None]
    return pl.concat(read).unique().join(files, on="path", how="anti").height if read else 0


def _read(path: Path, columns: list[str]) -> pl.DataFrame | None:
    """Read some columns of a part; a damaged or deleted one is as good as none: its files are read again."""
    try:
        return pl.read_parquet(path, columns=columns)
    except (pl.exceptions.PolarsError, OSError):
        return None


def _foreign(folder: Path, mark: str) -> list[Path]:
    return [part for part in folder.glob("*.parquet") if not part.name.startswith(f"{mark}-")]
