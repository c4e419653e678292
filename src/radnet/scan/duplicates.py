"""One instance for each SOPInstanceUID: of several files the first path is kept, one with pixels if any has.

The others are skipped as `duplicate_instance`, and their error says whether their bytes are the same: a
recompressed or edited copy bears the same UID. Only such files are ever read whole. Frames of one file share
its UID and are no duplicates of each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import SourceError
from radnet.executors import Crashed, Workers, map_chunks
from radnet.scan.inventory import FILE_KEY
from radnet.scan.skipped import DUPLICATE_INSTANCE
from radnet.sources import open_blob
from radnet.tables import INTEGER, SKIPPED_COLUMNS, TEXT, conform, write_table

SAME_BYTES: Final = "same bytes"
DIFFERENT_BYTES: Final = "different bytes"
NOT_COMPARED: Final = "bytes not compared"
"""What the column `error` says of a duplicate; the last when one of the files could not be read."""

DIGEST_COLUMNS: Final[dict[str, pl.DataType]] = {
    "path": TEXT,
    "size": INTEGER,
    "mtime_ns": INTEGER,
    "digest": TEXT,
}
_BLOCK_BYTES: Final = 1 << 20
_CHUNK_FILES: Final = 50


def find_duplicates(instances: pl.LazyFrame, digests: Path, workers: Workers) -> pl.DataFrame:
    """Name the files whose instance another file holds already.

    Args:
        instances: Rows with source, FILE_KEY and SOPInstanceUID.
        digests: Parquet file where the digests are kept for the next scan.
        workers: Where files are read for comparison.

    Returns:
        SKIPPED_COLUMNS, one row a duplicate file.
    """
    named = instances.select("source", *FILE_KEY, "SOPInstanceUID", "pixel_offset").unique("path").collect()
    # a copy that was cut off before its pixels must not displace the whole one
    files = named.sort(pl.col("pixel_offset").is_null(), "path").filter(
        pl.col("SOPInstanceUID").is_not_null() & pl.col("SOPInstanceUID").is_duplicated()
    )
    first = pl.col(*FILE_KEY).first().over("SOPInstanceUID").name.prefix("kept_")
    copies = files.with_columns(first).filter(pl.col("path") != pl.col("kept_path"))
    known = _digest_all(copies.filter(pl.col("size") == pl.col("kept_size")), digests, workers)
    by_path = known.select("path", "digest")
    compared = copies.join(by_path, on="path", how="left").join(
        by_path.select(kept_path="path", kept_digest="digest"), on="kept_path", how="left"
    )
    verdict = (
        pl.when(pl.col("size") != pl.col("kept_size"))
        .then(pl.lit(DIFFERENT_BYTES))
        .when(pl.col("digest").is_null() | pl.col("kept_digest").is_null())
        .then(pl.lit(NOT_COMPARED))
        .when(pl.col("digest") == pl.col("kept_digest"))
        .then(pl.lit(SAME_BYTES))
        .otherwise(pl.lit(DIFFERENT_BYTES))
    )
    return conform(compared.with_columns(reason=pl.lit(DUPLICATE_INSTANCE), error=verdict), SKIPPED_COLUMNS)


def digest_chunk(paths: Sequence[str]) -> dict[str, str | None]:
    """Digest whole files; None for one that cannot be read."""
    return {path: _digest(path) for path in paths}


def _digest_all(pairs: pl.DataFrame, digests: Path, workers: Workers) -> pl.DataFrame:
    """Return DIGEST_COLUMNS for both files of every pair; read only those not digested before."""
    kept = pairs.select(pl.col(f"kept_{name}").alias(name) for name in FILE_KEY)
    wanted = pl.concat([pairs.select(FILE_KEY), kept]).unique()
    known = _read_digests(digests).join(wanted, on=FILE_KEY, how="semi")
    todo = wanted.join(known, on=FILE_KEY, how="anti").sort("path")
    found: dict[str, str | None] = {}
    paths = todo["path"].to_list()
    pieces = (paths[start : start + _CHUNK_FILES] for start in range(0, len(paths), _CHUNK_FILES))
    if paths:
        for result in map_chunks(digest_chunk, pieces, workers):
            found.update({result.item: None} if isinstance(result, Crashed) else result)
    fresh = pl.DataFrame(list(found.items()), schema={"path": TEXT, "digest": TEXT}, orient="row")
    known = pl.concat([known, conform(todo.join(fresh, on="path"), DIGEST_COLUMNS)]).drop_nulls("digest")
    if paths:
        write_table(known, digests)
    return known


def _read_digests(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError):
        return pl.DataFrame(schema=DIGEST_COLUMNS)


def _digest(path: str) -> str | None:
    digest = hashlib.sha256()
    try:
        with open_blob(path) as blob:
            for offset in range(0, blob.size, _BLOCK_BYTES):
                digest.update(blob.pread(offset, _BLOCK_BYTES))
    except (OSError, SourceError):
        return None
    return digest.hexdigest()
