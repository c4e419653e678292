"""The stage `predict`: from stacks and NIfTI files to 7-predict/predictions.parquet.

Workers build a volume, ask the network and forget the volume, so no store is needed and memory does not grow
with the archive's volumes. What is answered survives a kill. Whoever finds that everything is answered
merges.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet import __version__
from radnet.config import RadnetConfig
from radnet.executors import Crashed, Progress, Shard, Workers, map_chunks, silent
from radnet.networks.folder import DEFAULT_MODEL, WEIGHTS_NAME, find_model
from radnet.networks.model import load_model
from radnet.networks.spec import NetworkSpec
from radnet.predict.agreement import Agreement, count_agreement, with_agreement
from radnet.predict.candidates import STORE, find_candidates, find_stored, inputs
from radnet.predict.classify import Engine, StoredTask, Task, answer_chunk
from radnet.predict.columns import (
    AGREEMENT_NAME,
    FOLDER,
    PARTS,
    TABLE_NAME,
    TOLD,
    part_columns,
    table_columns,
)
from radnet.predict.nifti import NiftiTask
from radnet.predict.parts import Answered, PartWriter
from radnet.predict.reasons import explain
from radnet.tables import TEXT, conform
from radnet.volumes.plan import Plan
from radnet.workspace import Workspace, digest_file, write_text

GREY_LEVELS: Final = ("intensity", "ct_window", "mr_percentiles")
"""Settings of the volumes that a model brings along; they win over the user's."""
PLANNED_STACKS: Final = 2000
"""Stacks whose slices are looked up at a time; bounds memory."""
CHUNK_SERIES: Final = 4
"""Series that a worker takes at a time."""
PLANNED_COLUMNS: Final = {"stack_id": TEXT, "inputs": TEXT}


@dataclass(frozen=True, slots=True)
class PredictSummary:
    """What predicting did.

    Attributes:
        n_series: Stacks and NIfTI files that there are.
        n_predicted: Of them, with an answer of the network.
        n_asked: Those that this run worked on; the others were known.
        not_predicted: The others by reason.
        n_outstanding: Left to other shares of the work; the table is written when there are none.
        model: Its name.
        backend: What runs it.
        seconds: Of processors, that building and the network took in all workers.
        agreement: With the header, by label.
        predictions: The table, once it is written.
    """

    n_series: int
    n_predicted: int
    n_asked: int
    not_predicted: dict[str, int]
    n_outstanding: int
    model: str
    backend: str
    seconds: dict[str, float]
    agreement: tuple[Agreement, ...]
    predictions: str | None


def predict_stacks(
    work: Path | str,
    config: RadnetConfig = RadnetConfig(),
    workers: Workers = Workers(),
    shard: Shard = Shard(),
    progress: Progress = silent,
    model: Path | str = DEFAULT_MODEL,
    backend: str = "auto",
    out: Path | None = None,
    stored: bool = False,
) -> PredictSummary:
    """Label, embed and compare with the header whatever in a workspace makes a volume.

    Args:
        work: The workspace, scanned and labelled.
        config: Its `labels` table says what makes a volume, `volumes` how it is built; the grey levels are
            made as the model wants them.
        workers: Where volumes are built and the network runs.
        shard: The share of the series to work on.
        progress: Called with series done.
        model: Model folder, or the name of one that comes with RADNet.
        backend: As `load_model` takes it.
        out: Where a copy of the table goes.
        stored: Predict the volumes that `radnet build` made instead of the archive.

    Raises:
        NetworkError: If the model cannot be loaded.
        WorkspaceError: If a table is missing, or another process works on the same share.
        ExecutorError: If the executor cannot be reached.
    """
    workspace = Workspace(work)
    run = _Run(workspace, config, find_model(model), backend, stored)
    share = f"{PARTS}/{shard.index}-of-{shard.count}"
    with workspace.lock(share):
        with workspace.lock(FOLDER, wait=True):  # another share may be merging
            known = run.answered().known()
        writer = PartWriter(workspace.folder(share))
        run.ask(known, writer, workers, shard, progress)
    with workspace.lock(FOLDER, wait=True):
        return run.finish(out)


@dataclass(slots=True)
class _Seconds:
    build: float = 0.0
    network: float = 0.0


@dataclass(slots=True)
class _Run:
    """One call of the stage."""

    workspace: Workspace
    config: RadnetConfig
    model: Path
    backend: str
    stored: bool
    spec: NetworkSpec = field(init=False)
    engine: Engine = field(init=False)
    candidates: pl.DataFrame = field(init=False)
    files: dict[str, NiftiTask] = field(init=False, default_factory=dict)
    digests: dict[str, str] = field(init=False, default_factory=dict)
    read: dict[str, str] = field(init=False)
    planned: list[pl.DataFrame] = field(init=False, default_factory=list)
    seconds: _Seconds = field(init=False, default_factory=_Seconds)
    n_asked: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Load the model once, so that a bad one is refused before anything is built; list what there is."""
        loaded = load_model(self.model, backend=self.backend)
        self.spec = loaded.spec
        volumes = self.config.volumes.model_copy(
            update={name: getattr(self.spec, name) for name in GREY_LEVELS}
        )
        weights = digest_file(self.model / WEIGHTS_NAME)
        name = loaded.backend.name
        labels = self.config.labels
        self.engine = Engine(str(self.model), weights, name, volumes, labels.min_slices)
        self.read = inputs(self.workspace, self.config)
        if self.stored:
            self.candidates, self.digests = find_stored(self.workspace, self.model)
        else:
            self.candidates, self.files = find_candidates(self.workspace, labels, self.model)

    def answered(self) -> Answered:
        """Read what is answered already."""
        folder = self.workspace.folder(FOLDER)
        return Answered(folder, self.workspace.folder(PARTS), part_columns(self.spec))

    def ask(
        self, known: pl.DataFrame, writer: PartWriter, workers: Workers, shard: Shard, progress: Progress
    ) -> None:
        """Work on what this share lacks."""
        open_ids = self.candidates.filter(pl.col("reason").is_null())["stack_id"]
        total, done = len(open_ids), 0
        progress(0, total)
        answered = set(known.select(pl.concat_str("stack_id", "inputs", separator=" ")).to_series())
        chunks = self._chunks(open_ids.to_list(), answered, shard)
        try:
            for result in map_chunks(partial(answer_chunk, engine=self.engine), chunks, workers):
                if isinstance(result, Crashed):
                    writer.add(self._crashed(result.item))
                    self.n_asked += 1
                else:
                    writer.add(result.frame)
                    self.n_asked += len(result.frame)
                    self.seconds.build += result.build_s
                    self.seconds.network += result.network_s
                done = self.n_asked
                progress(done, total)
        finally:
            writer.flush()

    def finish(self, out: Path | None) -> PredictSummary:
        """Merge when everything is answered; the record is written last."""
        planned = pl.concat([pl.DataFrame(schema=PLANNED_COLUMNS), *self.planned])
        answered = self.answered()
        there = (
            answered.all_keys().join(planned, on=["stack_id", "inputs"], how="semi")["stack_id"].n_unique()
        )
        outstanding = len(planned) - there
        table: pl.DataFrame | None = None
        if not outstanding:
            answered.merge(self.candidates, planned, self._finished)
        folder = self.workspace.folder(FOLDER)
        table = None if outstanding else pl.read_parquet(folder / TABLE_NAME, columns=self._counted())
        counts = () if table is None else tuple(count_agreement(table, self.spec))
        if table is not None:
            self._vouch(folder, counts)
            if out is not None:
                _copy(folder / TABLE_NAME, out)
        return self._summary(table, counts, outstanding, out or folder / TABLE_NAME)

    def _chunks(self, ids: list[str], answered: set[str], shard: Shard) -> Iterator[list[Task]]:
        """Plan some thousand series at a time and yield those that are to be done."""
        for start in range(0, len(ids), PLANNED_STACKS):
            tasks = self._tasks(ids[start : start + PLANNED_STACKS])
            keys = {"stack_id": [key for key, _ in tasks], "inputs": [key for _, (key, _) in tasks]}
            self.planned.append(pl.DataFrame(keys, schema=PLANNED_COLUMNS))
            todo = [
                task
                for stack_id, (key, task) in tasks
                if shard.holds(stack_id) and f"{stack_id} {key}" not in answered
            ]
            for first in range(0, len(todo), CHUNK_SERIES):
                yield [make() for make in todo[first : first + CHUNK_SERIES]]

    def _tasks(self, ids: list[str]) -> list[tuple[str, tuple[str, Any]]]:
        """Return the digest of each series' inputs, and what makes its task."""
        stacks = [name for name in ids if name not in self.files and name not in self.digests]
        plan = Plan(self.workspace, self.engine.config, stacks) if stacks else None
        found: list[tuple[str, tuple[str, Any]]] = []
        for name in ids:
            if name in self.digests:
                key = self._key(self.digests[name])
                folder = str(self.workspace.root / STORE)
                found.append((name, (key, partial(StoredTask, name, folder, key))))
            elif name in self.files:
                file = self.files[name]
                key = self._key(f"{file.inputs} {self.engine.config.model_dump_json()}")
                found.append((name, (key, partial(NiftiTask, name, file.path, key))))
            elif plan is not None:
                key = self._key(plan.inputs[name])
                found.append((name, (key, partial(_stack_task, plan, name, key))))
        return found

    def _key(self, of: str) -> str:
        return hashlib.sha256(f"{of} {self.engine.weights}".encode()).hexdigest()[:32]

    def _crashed(self, task: Task) -> pl.DataFrame:
        row = {"stack_id": task.stack_id, "inputs": task.inputs}
        row |= {"reason": "crashed", "explanation": explain("crashed")}
        return conform(pl.DataFrame([row]), part_columns(self.spec))

    def _finished(self, joined: pl.DataFrame) -> pl.DataFrame:
        """Make rows of the table of candidates with their answers."""
        both = ("reason", "explanation", *TOLD)
        merged = joined.with_columns(pl.coalesce(name, f"{name}_answer") for name in both)
        return conform(with_agreement(merged, self.spec), table_columns(self.spec))

    def _counted(self) -> list[str]:
        columns = table_columns(self.spec)
        return [name for name in columns if name not in ("embedding", "path", "inputs")]

    def _vouch(self, folder: Path, counts: Sequence[Agreement]) -> None:
        told = {"model": self.model.name, "labels": [asdict(count) for count in counts]}
        write_text(folder / AGREEMENT_NAME, json.dumps(told, indent=1) + "\n")
        used = self.config.model_dump(mode="json", include={"labels", "volumes"})
        used |= {"model": str(self.model), "weights": self.engine.weights}
        outputs = (TABLE_NAME, AGREEMENT_NAME)
        self.workspace.write_record("predict", FOLDER, used, self.read, outputs, __version__)

    def _summary(
        self, table: pl.DataFrame | None, counts: tuple[Agreement, ...], outstanding: int, path: Path
    ) -> PredictSummary:
        reasons = (
            {} if table is None else dict(table["reason"].drop_nulls().value_counts(sort=True).iter_rows())
        )
        return PredictSummary(
            n_series=len(self.candidates),
            n_predicted=0 if table is None else int(table["reason"].null_count()),
            n_asked=self.n_asked,
            not_predicted=reasons,
            n_outstanding=outstanding,
            model=self.model.name,
            backend=self.engine.backend,
            seconds={name: round(value, 2) for name, value in asdict(self.seconds).items()},
            agreement=counts,
            predictions=None if table is None else str(path),
        )


def _stack_task(plan: Plan, stack_id: str, key: str) -> Task:
    from dataclasses import replace

    (task,) = plan.tasks([stack_id])
    return replace(task, inputs=key)


def _copy(table: Path, out: Path) -> None:
    """Copy a file so that it appears whole or not at all."""
    if out.resolve() == table.resolve():
        return
    partial_copy = out.with_name(f".{out.name}.partial")
    try:
        shutil.copyfile(table, partial_copy)
        partial_copy.replace(out)
    finally:
        partial_copy.unlink(missing_ok=True)
