"""Write drawn volumes to a folder that `radnet.volumes.store.VolumeStore` reads, with their labels beside.

`OUT/4-volumes` holds shards and index as `radnet build` writes them, `2-series` and `3-labels` what training
reads beside them; `OUT/labels.parquet` says more of each volume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
from threadpoolctl import threadpool_limits

from radnet.config import VolumesConfig
from radnet.errors import ExecutorError, SourceError
from radnet.executors import Crashed, Progress, Workers, map_chunks, silent
from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.arrays import Arrays, on_host
from radnet.synthetic.sampling import prepare
from radnet.synthetic.volume_tables import write_workspace_tables
from radnet.synthetic.volumes import Design, LabelledVolume, draw_volume
from radnet.tables import INTEGER, REAL, TEXT, TEXTS, VOLUME_COLUMNS, write_table
from radnet.volumes.shards import SUFFIXES, digest_of, pack, shard_name, write_shard
from radnet.volumes.store import INDEX_NAME

STORE_NAME: Final = "4-volumes"
BODIES_AT_A_TIME: Final = 40
"""Bodies that are kept in memory, about 90 MB each; volumes are shared out among groups of so many."""
LABELS_NAME: Final = "labels.parquet"
LABEL_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "sequence": TEXT,
    "view": TEXT,  # null for oblique
    "contrast": TEXT,
    "coverage": TEXTS,  # empty for none of the nine regions
    "effective_spacing_mm": REAL,
    "body": INTEGER,  # patients must not be split between training and test
    "target": TEXT,  # what the examination was for
}


@dataclass(frozen=True)
class VolumesSummary:
    """What was written.

    Attributes:
        store: Folder of the volumes.
        labels: Table of their labels.
        bodies: Bodies that were scanned.
        volumes: Volumes.
    """

    store: Path
    labels: Path
    bodies: int
    volumes: int


def write_volumes(
    out: Path | str,
    count: int,
    bodies: int = 12,
    seed: int = 1,
    device: str | None = None,
    design: Design | None = None,
    progress: Progress = silent,
    weight_kg: float | None = None,
    workers: Workers = Workers(),
) -> VolumesSummary:
    """Write volumes and labels.

    Args:
        out: Folder; made if it is not there, and must be empty.
        count: Volumes.
        bodies: Bodies that are scanned; half are women's.
        seed: Equal seeds give equal volumes on one device.
        device: `numpy`, or a device of torch; by default a GPU if there is one, else numpy.
        design: What the volumes are made of; by default the grey levels are those of `[volumes]`.
        progress: Called with the volumes written so far and in all.
        weight_kg: Of all bodies; None draws it.
        workers: Where bodies are drawn, and how many volumes at a time.

    Raises:
        SourceError: If the folder holds something already, or no volumes or bodies are asked for.
        ExecutorError: If a worker dies, or none can be started.
    """
    out = Path(out)
    if count < 1 or bodies < 1:
        raise SourceError("--volumes and --patients must be at least 1")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out} is not an empty folder; name another, or delete it first")
    design, arrays = design or Design(varied_intensity=False), Arrays(device)
    store = out / STORE_NAME
    store.mkdir(parents=True)
    body_seeds = [seed * 1000 + index for index in range(bodies)]
    config = VolumesConfig(shape=design.averaged_to or design.shape)
    index_rows: list[dict[str, Any]] = []
    label_rows: list[dict[str, Any]] = []
    # how many threads share a matrix product changes its last bits
    with threadpool_limits(1), ThreadPoolExecutor(_threads(arrays, workers)) as pool:
        for first, numbers in _shared_out(count, bodies):
            seeds = body_seeds[first : first + BODIES_AT_A_TIME]
            draw = _draw(_bodies(seeds, weight_kg, workers), arrays, seed, design, first)
            for start in range(0, len(numbers), config.shard_volumes):
                some = numbers[start : start + config.shard_volumes]
                chunk = list(pool.map(draw, some))
                names = [f"synthetic-{seed}-{number:07d}" for number in some]
                index_rows += _write_shard(store, chunk, names, config)
                label_rows += [_labels(volume, name) for volume, name in zip(chunk, names, strict=True)]
                progress(len(index_rows), count)
            del draw  # it holds the bodies, and the next ones need the room
    write_table(pl.DataFrame(index_rows, schema=VOLUME_COLUMNS), store / INDEX_NAME)
    write_table(pl.DataFrame(label_rows, schema=LABEL_COLUMNS), out / LABELS_NAME)
    write_workspace_tables(out, label_rows, body_seeds, f"synthetic-{seed}")
    return VolumesSummary(store, out / LABELS_NAME, bodies, count)


def _draw(
    bodies: Sequence[Body], arrays: Arrays, seed: int, design: Design, first: int
) -> Callable[[int], LabelledVolume]:
    """Prepare bodies, and return what draws a volume of them by its number."""
    subjects = [prepare(body, arrays, number) for number, body in enumerate(bodies, first)]
    return partial(draw_volume, subjects, seed, design=design, first_body=first)


def _shared_out(count: int, bodies: int) -> Iterator[tuple[int, range]]:
    """Share volumes out among groups of bodies: the first body of each, and the numbers of its volumes."""
    for first in range(0, bodies, BODIES_AT_A_TIME):
        last = min(first + BODIES_AT_A_TIME, bodies)
        numbers = range(count * first // bodies, count * last // bodies)
        if numbers:
            yield first, numbers


def _threads(arrays: Arrays, workers: Workers) -> int:
    """Return how many volumes to draw at a time: NumPy leaves the other processors idle, torch does not."""
    return 1 if arrays.is_torch or workers.kind == "serial" else workers.processes


def _bodies(seeds: Sequence[int], weight_kg: float | None, workers: Workers) -> list[Body]:
    """Draw bodies in worker processes: threads would wait for each other."""
    make = partial(_draw_bodies, weight_kg=weight_kg)
    made: dict[int, Body] = {}
    for some in map_chunks(make, ([seed] for seed in seeds), workers):
        if isinstance(some, Crashed):
            raise ExecutorError(
                f"the worker that drew body {some.item} died, perhaps for want of memory; delete the folder "
                "and give the same command with fewer --workers"
            )
        made |= some
    return [made[seed] for seed in seeds]


def _draw_bodies(seeds: Sequence[int], weight_kg: float | None) -> dict[int, Body]:
    given: dict[str, Any] = {} if weight_kg is None else {"weight_kg": weight_kg}
    with threadpool_limits(1):  # as of the products above
        return {seed: make_body(seed, "F" if seed % 2 else "M", **given) for seed in seeds}


def _write_shard(
    store: Path, chunk: list[LabelledVolume], names: list[str], config: VolumesConfig
) -> list[dict[str, Any]]:
    """Write one shard; return its rows of the index."""
    arrays = [on_host(volume.voxels) for volume in chunk]
    digests = [digest_of(array) for array in arrays]
    name = shard_name(
        (stack + digest for stack, digest in zip(names, digests, strict=True)), SUFFIXES[config.compression]
    )
    packed: Iterator[bytes] = (pack(array, config.compression) for array in arrays)
    places = write_shard(store / name, packed, (len(chunk), *config.shape))
    return [
        {
            "stack_id": stack,
            "shard": name,
            "offset": offset,
            "length": length,
            "affine": volume.affine.ravel().tolist(),
            "effective_spacing_mm": volume.effective_spacing_mm,
            "window_low": volume.window.low,
            "window_high": volume.window.high,
            "pad_before": volume.pad_before,
            "pad_after": volume.pad_after,
            "digest": digest,
            "inputs": stack,
        }
        for volume, stack, digest, (offset, length) in zip(chunk, names, digests, places, strict=True)
    ]


def _labels(volume: LabelledVolume, name: str) -> dict[str, Any]:
    return {
        **volume.labels,
        "stack_id": name,
        "coverage": list(volume.coverage),
        "body": volume.body,
        "target": volume.examination.target.name,
    }
