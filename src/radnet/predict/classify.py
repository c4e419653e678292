"""In a worker: build volumes and ask the network, a few series at a time.

A volume lives only as long as its answer takes, so memory is that of one chunk. The network is loaded once a
process. A series that gives no volume gets its reason and costs nothing but itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import polars as pl

from radnet.config import VolumesConfig
from radnet.errors import GeometryError, MaskError, SourceError
from radnet.networks.inference import Floats, Grey, labels_of, run_batches
from radnet.networks.model import Model, load_model
from radnet.networks.spec import NetworkSpec
from radnet.predict.columns import CLASS_LABELS, part_columns, probability_columns
from radnet.predict.nifti import NiftiTask, build_nifti
from radnet.predict.reasons import explain
from radnet.tables import conform
from radnet.volumes.build import UNREADABLE, build_volume
from radnet.volumes.pixels import SliceError
from radnet.volumes.plan import StackTask
from radnet.volumes.store import VolumeStore


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A volume that was built before.

    Attributes:
        stack_id: The stack.
        folder: Of its store.
        inputs: Digest of its voxels.
    """

    stack_id: str
    folder: str
    inputs: str


@dataclass(frozen=True, slots=True)
class Engine:
    """What a worker needs to ask the network.

    Attributes:
        model: Its folder.
        weights: Digest of its weights, so that other weights are loaded anew.
        backend: As `load_model` takes it.
        config: How volumes are built.
        min_slices: Fewest slices of a NIfTI file.
    """

    model: str
    weights: str
    backend: str
    config: VolumesConfig
    min_slices: int


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a chunk.

    Attributes:
        frame: One row a task, columns as `part_columns`.
        build_s: Processor seconds that building took.
        network_s: Processor seconds that the network took.
    """

    frame: pl.DataFrame
    build_s: float
    network_s: float


Task = StackTask | NiftiTask | StoredTask
VOLUMES_AT_ONCE: Final = 1
"""So that the last digit of an answer does not depend on which series came with it; on a processor batches of
this network are no faster."""
THREADS: Final = 1
"""Of the network: workers are the parallelism, and sums over several threads end in other digits."""
_KEPT_OPEN: Final = 2


def answer_chunk(tasks: Sequence[Task], engine: Engine) -> Answers:
    """Build the volumes of some series and label them.

    Raises:
        NetworkError: If the model cannot be loaded or run.
    """
    model = _model(engine)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the pool is the parallelism
    start = time.process_time()
    try:
        built = [_attempt(task, engine) for task in tasks]
    finally:
        cv2.setNumThreads(threads)
    between = time.process_time()
    rows: list[dict[str, Any]] = [_row(task, found) for task, found in zip(tasks, built, strict=True)]
    volumes = [found.grey for found in built if isinstance(found, _Built)]
    if volumes:
        said = answer_rows(run_batches(model.backend, model.spec, volumes, VOLUMES_AT_ONCE), model.spec)
        given = iter(said)
        rows = [
            {**row, **next(given)} if isinstance(found, _Built) else row
            for row, found in zip(rows, built, strict=True)
        ]
    frame = conform(pl.DataFrame(rows, infer_schema_length=None), part_columns(model.spec))
    return Answers(frame, between - start, time.process_time() - between)


def answer_rows(outputs: dict[str, Floats], spec: NetworkSpec) -> list[dict[str, Any]]:
    """Make a row of words, probabilities and features of each volume's outputs."""
    labels = labels_of(outputs, spec)
    chances = np.concatenate([labels[name] for name in (*CLASS_LABELS, "coverage")], axis=1)
    names = probability_columns(spec)
    return [
        {
            **{name: labels["words"][name][number] for name in CLASS_LABELS},
            "coverage": list(labels["words"]["coverage"][number]),
            "spacing_mm": float(labels["spacing"][number]),
            **dict(zip(names, chances[number].tolist(), strict=True)),
            "embedding": outputs["embedding"][number].tolist(),
        }
        for number in range(len(chances))
    ]


@dataclass(frozen=True, slots=True)
class _Built:
    grey: Grey
    told: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Refused:
    reason: str
    explanation: str


def _attempt(task: Task, engine: Engine) -> _Built | _Refused:
    """Build one volume, or say why there is none."""
    try:
        return _build(task, engine)
    except SliceError as error:
        return _refused(error.reason)
    except MaskError as error:
        return _Refused("unusable_nifti", str(error))
    except OSError:
        return _refused(UNREADABLE)
    except SourceError:
        return _refused("damaged_archive")
    except GeometryError:
        return _refused("no_geometry")
    except MemoryError:
        return _refused("out_of_memory")


def _build(task: Task, engine: Engine) -> _Built:
    if isinstance(task, StackTask):
        return _Built(build_volume(task, engine.config).array)
    if isinstance(task, StoredTask):
        return _Built(np.array(_store(task.folder).read(task.stack_id)))
    found = build_nifti(task.path, engine.config, engine.min_slices)
    told = {
        "Modality": found.modality,
        "n_slices": found.n_slices,
        "header_spacing_mm": found.effective_spacing_mm,
    }
    return _Built(found.volume.array, told)


def _refused(reason: str) -> _Refused:
    return _Refused(reason, explain(reason))


def _row(task: Task, found: _Built | _Refused) -> dict[str, Any]:
    row: dict[str, Any] = {"stack_id": task.stack_id, "inputs": task.inputs}
    if isinstance(found, _Refused):
        return {**row, "reason": found.reason, "explanation": found.explanation}
    return {**row, **(found.told or {})}


@lru_cache(maxsize=_KEPT_OPEN)
def _model(engine: Engine) -> Model:
    return load_model(Path(engine.model), backend=engine.backend, threads=THREADS)


@lru_cache(maxsize=_KEPT_OPEN)
def _store(folder: str) -> VolumeStore:
    return VolumeStore(folder)
