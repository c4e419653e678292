"""Build the volumes of the kept stacks: 1-scan, 2-series and 3-labels to 4-volumes.

Workers hand volumes back and this process alone writes, so that it does not matter where workers run. What a
run (or a share of it on another machine) has built survives it; whoever finds that every kept stack is built
or has failed merges everything into shards and writes the index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from radnet import __version__
from radnet.config import RadnetConfig
from radnet.executors import Crashed, Progress, Shard, Workers, map_chunks, silent
from radnet.volumes.build import UNREADABLE, Failed, Packed, build_chunk
from radnet.volumes.merge import FAILURES_NAME, merge_parts, stored_rows
from radnet.volumes.parts import Parts
from radnet.volumes.plan import VERBS, Plan, StackTask
from radnet.volumes.shards import SUFFIXES
from radnet.volumes.store import INDEX_NAME
from radnet.workspace import RECORD_NAME, Workspace, digest_file

FOLDER: Final = "4-volumes"
PARTS_FOLDER: Final = f"{FOLDER}/parts"
SHARDS: Final = f"{FOLDER}/shards"
"""Name by which the record speaks of all shard files together."""
CHUNK_STACKS: Final = 2
"""Stacks that a worker takes at a time; each is a second of work or less, and 2 MB to hand back."""


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What building did.

    Attributes:
        n_kept: Stacks that shall have a volume.
        n_built: Volumes built by this run.
        n_reused: Volumes that were there already, made from the same inputs.
        n_failed: Stacks that failed in this run.
        n_outstanding: Stacks left to other shares of the work; the store is merged when there are none.
        index: The index of the store, once merged.
        failures: The table of failed stacks, once merged.
    """

    n_kept: int
    n_built: int
    n_reused: int
    n_failed: int
    n_outstanding: int
    index: str | None
    failures: str | None


def build_volumes(
    work: Path | str,
    config: RadnetConfig = RadnetConfig(),
    workers: Workers = Workers(),
    shard: Shard = Shard(),
    progress: Progress = silent,
) -> BuildSummary:
    """Build what is missing or stale, forget what is not wanted any more.

    Args:
        work: The workspace; `radnet label` must have decided which stacks are kept.
        config: Its `volumes` table is used.
        workers: Where to decode.
        shard: The share of the stacks to build.
        progress: Called with stacks done.

    Raises:
        WorkspaceError: If a table is missing, another process builds the same share, or a part is damaged.
        ExecutorError: If the executor cannot be reached.
    """
    workspace = Workspace(work)
    read = inputs(workspace, config)
    plan = Plan(workspace, config.volumes)
    folder, share = workspace.folder(FOLDER), f"{PARTS_FOLDER}/{shard.index}-of-{shard.count}"
    with workspace.lock(share):
        parts = Parts(workspace.folder(PARTS_FOLDER), workspace.folder(share))
        with workspace.lock(FOLDER, wait=True):  # another share may be merging
            done = _finished(folder, parts, plan)
        todo = [stack_id for stack_id in plan.inputs if stack_id not in done and shard.holds(stack_id)]
        n_failed = _build(plan, todo, parts, config, workers, progress)
    n_outstanding = _merge(workspace, plan, parts, config, read)
    return BuildSummary(
        n_kept=len(plan.inputs),
        n_built=len(todo) - n_failed,
        n_reused=len(done),
        n_failed=n_failed,
        n_outstanding=n_outstanding,
        index=None if n_outstanding else str(folder / INDEX_NAME),
        failures=None if n_outstanding else str(folder / FAILURES_NAME),
    )


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest what building reads, as far as it is there: tables, and the shards that it takes over.

    Shards are told by name and size, so that a lost or cut one is seen without reading them all;
    `VolumeStore.verify` reads them.
    """
    paths = {name: workspace.root / name for name in VERBS}
    tables = {name: digest_file(path) for name, path in paths.items() if path.exists()}
    return {**tables, SHARDS: _shards_digest(workspace.root / FOLDER)}


def _shards_digest(folder: Path) -> str:
    sizes = []
    for path in sorted(path for suffix in SUFFIXES.values() for path in folder.glob(f"*{suffix}")):
        with suppress(FileNotFoundError):  # another process merges right now
            sizes.append((path.name, path.stat().st_size))
    return hashlib.sha256(repr(sizes).encode()).hexdigest()


def _finished(folder: Path, parts: Parts, plan: Plan) -> set[str]:
    """Return the stacks whose volume is stored or waits to be merged."""
    return {row["stack_id"] for row in stored_rows(folder, plan.inputs)} | parts.volumes(plan.inputs).keys()


def _build(
    plan: Plan, todo: list[str], parts: Parts, config: RadnetConfig, workers: Workers, progress: Progress
) -> int:
    """Build volumes and keep them as parts; return how many failed."""
    n_failed = n_done = 0
    progress(0, len(todo))
    for results in map_chunks(partial(build_chunk, config=config.volumes), _chunks(plan, todo), workers):
        for result in [_failed(results)] if isinstance(results, Crashed) else results:
            n_done += 1
            if isinstance(result, Packed):
                parts.add_volume(result.row, result.content)
            else:
                n_failed += 1
                parts.add_note(result.stack_id, result.reason, result.error, result.inputs)
        progress(n_done, len(todo))
    return n_failed


def _merge(workspace: Workspace, plan: Plan, parts: Parts, config: RadnetConfig, read: dict[str, str]) -> int:
    """Merge when every kept stack is built or has failed; return how many are still to be built.

    While a slice could not be reached, no record vouches for the store: the next run tries again.
    """
    folder = workspace.folder(FOLDER)
    with workspace.lock(FOLDER, wait=True):
        reasons = {row["stack_id"]: row["reason"] for row in parts.notes(plan.inputs)}
        outstanding = plan.inputs.keys() - _finished(folder, parts, plan) - reasons.keys()
        if outstanding:
            return len(outstanding)
        merge_parts(folder, parts, plan.inputs, config.volumes)
        if UNREADABLE in reasons.values():
            (folder / RECORD_NAME).unlink(missing_ok=True)
        else:
            workspace.write_record(
                "volumes",
                FOLDER,
                config.model_dump(mode="json", include={"volumes"}),
                {**read, SHARDS: _shards_digest(folder)},
                (INDEX_NAME, FAILURES_NAME),
                __version__,
            )
    return 0


def _failed(crash: Crashed[StackTask]) -> Failed:
    return Failed(crash.item.stack_id, "crashed", "Crashed", crash.item.inputs)


def _chunks(plan: Plan, stack_ids: list[str]) -> Iterator[list[StackTask]]:
    for start in range(0, len(stack_ids), CHUNK_STACKS):
        yield list(plan.tasks(stack_ids[start : start + CHUNK_STACKS]))
