"""The stage `scan`: from sources to `1-scan/instances.parquet` and `1-scan/skipped.parquet`.

The final tables depend on the files, the reader and the patient key alone: not on the order in which folders
list, on how often a scan was killed, on who read which share. Reading is logged in `radnet.scan.parts`;
whoever finds that every listed file stands in the parts merges them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

import radnet
from radnet.config import RadnetConfig
from radnet.errors import SourceError, WorkspaceError
from radnet.executors import Crashed, Progress, Shard, Workers, map_chunks, silent
from radnet.scan.duplicates import find_duplicates
from radnet.scan.inventory import FILE_KEY, Inventory, chunks, digest_sources, take_inventory
from radnet.scan.parts import (
    TRANSIENT,
    PartWriter,
    count_gone,
    count_rows,
    fingerprint,
    part_paths,
    path_ranges,
    read_outcomes,
    scan_rows,
)
from radnet.scan.reading import crashed, read_chunk
from radnet.tables import INSTANCE_COLUMNS, SKIPPED_COLUMNS, write_ranges, write_table
from radnet.workspace import Workspace, patient_key

STAGE: Final = "scan"
FOLDER: Final = "1-scan"
INSTANCES: Final = "instances.parquet"
SKIPPED: Final = "skipped.parquet"
PARTS: Final = "parts"
DIGESTS: Final = "digests.parquet"
PATIENT_KEY: Final = "patient.key"

WORKER_DATA_BYTES: Final = 768 << 20
"""Most memory that a reading worker may ask for; with its libraries it stays below 1 GB."""
MEMBERS_FACTOR: Final = 4
"""Members of one compressed archive go out in chunks this many times as large as files."""
MANY_PARTS: Final = 64
"""Parts from which on a finished scan packs them into one."""


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan found.

    Attributes:
        n_files: Files, archive members and unreadable things in the sources.
        n_read: Files that this run read; the others were known.
        n_forgotten: Files that an earlier scan into the workspace read and that the sources no longer hold.
        n_instances: Image instances, frames of enhanced files counted singly.
        n_skipped: Files by reason.
        complete: Whether all shares are read and the tables written; if not, the counts are of files so far.
        instances: Path of the table of instances; None until the scan is complete.
        skipped: Path of the table of skipped files; None until the scan is complete.
    """

    n_files: int
    n_read: int
    n_forgotten: int
    n_instances: int
    n_skipped: dict[str, int]
    complete: bool
    instances: str | None
    skipped: str | None


def scan_archive(
    sources: Path | str | Sequence[Path | str],
    work: Path | str,
    config: RadnetConfig = RadnetConfig(),
    workers: Workers = Workers(),
    shard: Shard = Shard(),
    progress: Progress = silent,
) -> ScanSummary:
    """Read every header of the sources that is not read yet, and write the tables when all are.

    Args:
        sources: A folder, zip or tar file or single file, or several.
        work: The workspace.
        config: The resolved configuration.
        workers: Where headers are read.
        shard: The share of the files that this call reads.
        progress: Called with files read and to be read.

    Raises:
        SourceError: If a source does not exist, or if there is no file in any.
        WorkspaceError: If another process reads the same share into this workspace.
    """
    sources = [sources] if isinstance(sources, str | Path) else sources
    workspace = Workspace(work)
    inventory = take_inventory(sources, exclude=workspace.root)
    if inventory.files.is_empty() and inventory.refused.is_empty():
        names = ", ".join(str(source) for source in sources)
        raise SourceError(f"{names}: holds no files; check the path, and whether the disk is mounted")
    key = patient_key(_key_path(workspace, config))
    share = f"{FOLDER}/{PARTS}/{shard.index}-of-{shard.count}"
    with ExitStack() as held:
        with workspace.lock(FOLDER, wait=True):  # whoever finishes a scan may be packing all shares
            held.enter_context(workspace.lock(share))
        run = _Run(workspace, inventory, key, workspace.folder(share))
        n_read = run.read(config, workers, shard, progress)
        with workspace.lock(FOLDER, wait=True):
            return run.finish(_absolute(sources), config, workers, n_read)


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest what the stage would read now: the files of the recorded sources, and what reads them.

    Archives count as one file and are not opened.

    Raises:
        SourceError: If a recorded source is gone.
    """
    record = workspace.read_record(FOLDER)
    if record is None:
        return {}
    digest = digest_sources(record.config["sources"], exclude=workspace.root)
    return _inputs(digest, _key_path(workspace, config))


class _Run:
    """One call of the stage, with its share locked."""

    def __init__(self, workspace: Workspace, inventory: Inventory, key: bytes, share: Path) -> None:
        self._workspace = workspace
        self._folder = workspace.folder(FOLDER)
        self._inventory = inventory
        self._key = key
        self._mark = fingerprint(key)
        self._share = share
        self._writer = PartWriter(share, self._mark)

    def read(self, config: RadnetConfig, workers: Workers, shard: Shard, progress: Progress) -> int:
        """Read what this share still lacks, and return how many files that were."""
        todo = self._todo(shard)
        done = 0
        progress(done, len(todo))
        if todo.is_empty():
            return 0
        size = config.scan.chunk_files
        pieces = chunks(todo, size, size * MEMBERS_FACTOR)
        read = partial(read_chunk, patient_key=self._key)
        try:
            for result in map_chunks(read, pieces, workers, memory_bytes=WORKER_DATA_BYTES):
                rows = crashed([result.item]) if isinstance(result, Crashed) else result
                self._writer.add(rows)
                done += rows["path"].n_unique()
                progress(done, len(todo))
        finally:
            self._writer.flush()
        return done

    def finish(self, sources: list[str], config: RadnetConfig, workers: Workers, n_read: int) -> ScanSummary:
        """Write the tables if every file has been read by someone."""
        paths = self._parts()
        outcomes = read_outcomes(paths, self._inventory.files)
        skipped = outcomes.drop_nulls("reason")
        forgotten = count_gone(paths, self._inventory.files)  # before packing throws them away
        complete = len(outcomes) == len(self._inventory.files)
        if complete:
            skipped = self._write_tables(outcomes, workers)
            self._pack(paths, outcomes)
            self._record(sources, config)
        return ScanSummary(
            n_files=len(self._inventory.files) + len(self._inventory.refused),
            n_read=n_read,
            n_forgotten=forgotten,
            n_instances=self._count_instances() if complete else int(_instances(outcomes)["n_rows"].sum()),
            n_skipped=dict(skipped["reason"].value_counts().sort("reason").iter_rows()),
            complete=complete,
            instances=str(self._folder / INSTANCES) if complete else None,
            skipped=str(self._folder / SKIPPED) if complete else None,
        )

    def _todo(self, shard: Shard) -> pl.DataFrame:
        outcomes = read_outcomes(self._parts(), self._inventory.files)
        lasting = outcomes.filter(~pl.col("reason").is_in(TRANSIENT).fill_null(False))
        todo = self._inventory.files.join(lasting, on=FILE_KEY, how="anti", maintain_order="left")
        held = [shard.holds(stream or path) for path, stream in todo.select("path", "stream").iter_rows()]
        return todo.filter(pl.Series(held, dtype=pl.Boolean))

    def _write_tables(self, outcomes: pl.DataFrame, workers: Workers) -> pl.DataFrame:
        """Write the final tables and return the skipped files.

        The source is taken from this listing, whoever read the file.
        """
        rows = (
            scan_rows(outcomes)
            .drop("source")
            .join(self._inventory.files.lazy().select("path", "source"), on="path")
        )
        instances = rows.filter(pl.col("reason").is_null())
        copies = find_duplicates(instances, self._folder / PARTS / DIGESTS, workers)
        unlike = instances.join(copies.lazy().select("path"), on="path", how="anti")
        sorted_rows = unlike.sort("path", "frame", nulls_last=False).select(list(INSTANCE_COLUMNS))
        write_ranges(sorted_rows, path_ranges(_instances(outcomes)), self._folder / INSTANCES)
        refused = rows.drop_nulls("reason").select(list(SKIPPED_COLUMNS)).collect()
        skipped = pl.concat([refused, self._inventory.refused, copies]).sort("path", "reason").rechunk()
        write_table(skipped, self._folder / SKIPPED)
        return skipped

    def _count_instances(self) -> int:
        counted: int = pl.scan_parquet(self._folder / INSTANCES).select(pl.len()).collect().item()
        return counted

    def _pack(self, paths: list[Path], outcomes: pl.DataFrame) -> None:
        """Forget what is gone or superseded, unless another share is being read right now."""
        if len(paths) <= MANY_PARTS and count_rows(paths) == outcomes["n_rows"].sum():
            return
        with self._other_shares() as free:
            if free:
                rows = scan_rows(outcomes)
                for first, last in path_ranges(outcomes):
                    self._writer.add(
                        rows.filter(pl.col("path").is_between(pl.lit(first), pl.lit(last))).collect()
                    )
                self._writer.flush()
                for path in paths:
                    path.unlink()

    @contextmanager
    def _other_shares(self) -> Iterator[bool]:
        with ExitStack() as held:
            try:
                for share in sorted((self._folder / PARTS).glob("*-of-*")):
                    if share != self._share:
                        held.enter_context(self._workspace.lock(f"{FOLDER}/{PARTS}/{share.name}"))
            except WorkspaceError:
                yield False
                return
            yield True

    def _record(self, sources: list[str], config: RadnetConfig) -> None:
        scan = config.scan.model_dump(mode="json", exclude={"chunk_files"})
        self._workspace.write_record(
            STAGE,
            FOLDER,
            config={"scan": scan, "sources": sources},
            inputs=_inputs(self._inventory.digest, _key_path(self._workspace, config)),
            outputs=(INSTANCES, SKIPPED),
            version=radnet.__version__,
        )

    def _parts(self) -> list[Path]:
        return part_paths(self._folder / PARTS, self._mark)


def _instances(outcomes: pl.DataFrame) -> pl.DataFrame:
    return outcomes.filter(pl.col("reason").is_null())


def _inputs(sources_digest: str, key_path: Path) -> dict[str, str]:
    mark = fingerprint(patient_key(key_path)) if key_path.exists() else ""
    return {"sources": sources_digest, "reader": hashlib.sha256(mark.encode()).hexdigest()}


def _key_path(workspace: Workspace, config: RadnetConfig) -> Path:
    return config.scan.patient_key or workspace.root / PATIENT_KEY


def _absolute(sources: Sequence[Path | str]) -> list[str]:
    return sorted({str(Path(source).absolute()) for source in sources})
