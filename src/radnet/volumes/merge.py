"""Merge parts into shards, and forget what is stale.

Full shards whose volumes are all still wanted stay as they are. Everything else, new volumes and the
survivors of shards with a gap or with room, is packed anew in the order of stacks. The index changes in one
step after the new shards are there and before the old ones go, so a reader or a kill at any moment meets a
whole store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from radnet.config import VolumesConfig
from radnet.errors import WorkspaceError
from radnet.tables import TEXT, VOLUME_COLUMNS, conform, read_table, write_table
from radnet.volumes.parts import Parts, Row, WaitingVolume
from radnet.volumes.shards import SUFFIXES, packed_digest, shard_name, write_shard
from radnet.volumes.store import INDEX_NAME

FAILURES_NAME: Final = "failures.parquet"
FAILURE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "reason": TEXT,  # a code
    "error": TEXT,  # class of the error, never a header value
}


def stored_rows(folder: Path, planned: Mapping[str, str]) -> list[Row]:
    """Return the rows of the index that are made from these inputs and whose shard is there.

    Args:
        folder: The stage's folder.
        planned: Digest of the inputs by stack.
    """
    sizes = {path.name: path.stat().st_size for path in _shards(folder)}
    return [
        row
        for row in _index(folder).iter_rows(named=True)
        if planned.get(row["stack_id"]) == row["inputs"]
        and sizes.get(row["shard"], 0) >= row["offset"] + row["length"]
    ]


def merge_parts(folder: Path, parts: Parts, planned: Mapping[str, str], config: VolumesConfig) -> None:
    """Bring the store to hold exactly what was built from these inputs.

    Args:
        folder: The stage's folder.
        parts: What is not in a shard yet.
        planned: Digest of the inputs by stack.
        config: For the shape, the compression and the volumes in a shard.

    Raises:
        WorkspaceError: If a part or an old shard is damaged.
    """
    present = parts.names()  # another share may add to them meanwhile
    stored = stored_rows(folder, planned)
    known = {row["stack_id"] for row in stored}
    new = [packed for stack_id, packed in parts.volumes(planned).items() if stack_id not in known]
    rows = stored
    if new or len(stored) < len(_index(folder)):
        rows, loose = _settled(folder, stored, config.shard_volumes)
        rows += _pack(folder, sorted([*loose, *new], key=lambda packed: packed.row["stack_id"]), config)
    notes = parts.notes(planned)
    write_table(_table(notes, FAILURE_COLUMNS), folder / FAILURES_NAME)
    write_table(_table(rows, VOLUME_COLUMNS), folder / INDEX_NAME)
    _forget(folder, {row["shard"] for row in rows})
    parts.clear(present, notes)


def _settled(folder: Path, stored: list[Row], shard_volumes: int) -> tuple[list[Row], list[WaitingVolume]]:
    """Part the stored volumes into those in full shards without a gap, and those to be packed anew."""
    held, wanted = (
        frame.group_by("shard").len("n") for frame in (_index(folder), _table(stored, VOLUME_COLUMNS))
    )
    whole = held.join(wanted, on=["shard", "n"]).filter(pl.col("n") == shard_volumes)
    full = set(whole["shard"])
    settled = [row for row in stored if row["shard"] in full]
    loose = [
        WaitingVolume(row, folder / row["shard"], row["offset"]) for row in stored if row["shard"] not in full
    ]
    return settled, loose


def _pack(folder: Path, volumes: list[WaitingVolume], config: VolumesConfig) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(volumes), config.shard_volumes):
        group = volumes[start : start + config.shard_volumes]
        names = (packed.row["stack_id"] + packed.row["digest"] for packed in group)
        name = shard_name(names, SUFFIXES[config.compression])
        places = write_shard(folder / name, _intact(group, config), (len(group), *config.shape))
        rows += [
            {**packed.row, "shard": name, "offset": offset, "length": length}
            for packed, (offset, length) in zip(group, places, strict=True)
        ]
    return rows


def _intact(volumes: list[WaitingVolume], config: VolumesConfig) -> Iterator[bytes]:
    for packed in volumes:
        content = packed.read()
        if packed_digest(content, config.compression) != packed.row["digest"]:
            raise WorkspaceError(f"{packed.path}: is damaged; delete it and run `radnet build` again")
        yield content


def _forget(folder: Path, wanted: set[str]) -> None:
    for path in [*_shards(folder), *folder.glob(".*.partial")]:
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def _shards(folder: Path) -> list[Path]:
    return [path for suffix in SUFFIXES.values() for path in folder.glob(f"[!.]*{suffix}")]


def _index(folder: Path) -> pl.DataFrame:
    if not (folder / INDEX_NAME).exists():
        return pl.DataFrame(schema=VOLUME_COLUMNS)
    return conform(read_table(folder / INDEX_NAME, "build"), VOLUME_COLUMNS)


def _table(rows: list[Row], columns: dict[str, pl.DataType]) -> pl.DataFrame:
    picked = [{name: row[name] for name in columns} for row in rows]
    return pl.DataFrame(picked, schema=columns).sort("stack_id")
