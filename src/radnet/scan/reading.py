"""Read a chunk of files: the work that a scan hands to its workers.

Whatever is wrong with a file becomes a row; only the worker's death leaves that to the coordinator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from radnet.errors import SourceError
from radnet.scan.neighbours import Neighbours
from radnet.scan.parts import PART_COLUMNS
from radnet.scan.reader import read_instances
from radnet.scan.rows import rows_to_frame
from radnet.scan.skipped import WORKER_CRASHED, Skipped
from radnet.sources import Entry, open_blob
from radnet.sources.entries import DAMAGED_ARCHIVE, UNREADABLE_FILE, VANISHED
from radnet.tables import SKIPPED_COLUMNS, TEXT, conform


def read_chunk(entries: Sequence[Entry], patient_key: bytes) -> pl.DataFrame:
    """Read files.

    Args:
        entries: Which.
        patient_key: The secret that keys patients' hashes.

    Returns:
        PART_COLUMNS: for each file its instances, or one row with the reason why there is none.
    """
    skipped: list[dict[str, Any]] = []
    instances = rows_to_frame(_read_files(entries, patient_key, skipped))
    rows = instances.with_columns(reason=pl.lit(None, TEXT), error=pl.lit(None, TEXT))
    return pl.concat([rows, _skipped_frame(skipped)]) if skipped else rows


def crashed(entries: Iterable[Entry]) -> pl.DataFrame:
    """Make the rows of files that killed their worker."""
    return _skipped_frame([_skipped_row(entry, WORKER_CRASHED, None) for entry in entries])


def _read_files(
    entries: Iterable[Entry], patient_key: bytes, skipped: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of files; of those that have none, the reason goes to `skipped`."""
    neighbours = Neighbours()
    for entry in entries:
        try:
            yield from _read_file(entry, patient_key, neighbours)
        except Skipped as why:
            skipped.append(_skipped_row(entry, why.reason, why.error_class))


def _read_file(entry: Entry, patient_key: bytes, neighbours: Neighbours) -> list[dict[str, Any]]:
    try:
        with open_blob(entry.path) as blob:
            rows = read_instances(blob, patient_key, neighbours)
    except SourceError as error:
        raise Skipped(DAMAGED_ARCHIVE, type(error).__name__) from error
    except FileNotFoundError as error:
        raise Skipped(VANISHED, type(error).__name__) from error
    except OSError as error:
        raise Skipped(UNREADABLE_FILE, type(error).__name__) from error
    for row in rows:
        row.update(source=entry.source, path=entry.path, size=entry.size, mtime_ns=entry.mtime_ns)
    return rows


def _skipped_row(entry: Entry, reason: str, error: str | None) -> dict[str, Any]:
    return {
        "source": entry.source,
        "path": entry.path,
        "size": entry.size,
        "mtime_ns": entry.mtime_ns,
        "reason": reason,
        "error": error,
    }


def _skipped_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, schema=SKIPPED_COLUMNS), PART_COLUMNS)
