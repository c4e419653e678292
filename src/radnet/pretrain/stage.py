"""Pretrain the network on the labels of the volumes: 3-labels and 4-volumes to 5-pretrain/<run>.

A run's folder is a model folder from its first epoch on: it holds the weights that validated best. The last
weights lie in `last`, the state from which the same command goes on in `resume.safetensors` until the run has
ended.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import torch

from radnet import __version__
from radnet.config import PretrainConfig, RadnetConfig
from radnet.errors import TrainingError
from radnet.executors import Progress, silent
from radnet.figures.curves import training_curves
from radnet.figures.drawing import to_png
from radnet.labels.splits import SPLITS, TRAINING, VALIDATION
from radnet.networks.build import LabelNetwork, build_network
from radnet.networks.folder import CONFIG_NAME, save_model
from radnet.networks.spec import NetworkSpec, make_spec
from radnet.pretrain.checks import refuse_unlearnable
from radnet.pretrain.losses import LabelLosses
from radnet.pretrain.runs import CURVES_NAME, FOLDER, METRICS_NAME, SPLIT_NAME, WEIGHTS_NAME
from radnet.pretrain.samples import grey_levels, inputs, open_store, read_samples
from radnet.pretrain.targets import Batch, VolumeReader
from radnet.pretrain.task import LabelTask
from radnet.tables import write_table
from radnet.training.devices import make_fabric, resolve_precision
from radnet.training.history import HISTORY_NAME, write_history
from radnet.training.loop import STATE_NAME, Loop, Outcome, refuse_other_settings
from radnet.training.splits import UNSHARED, split_samples
from radnet.training.state import unwritable
from radnet.training.task import Part, Task
from radnet.workspace import Workspace, write_text

LAST: Final = "last"
SPLIT_COLUMNS: Final = ("stack_id", *UNSHARED, "collection_id", "split")
FREE: Final = {"accelerator", "checkpoint_minutes", "readers", "devices", "nodes"}
"""Keys that may change when a run goes on; the number of devices in all may not."""
_RUN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class PretrainSummary:
    """What a run of training did.

    Attributes:
        run: Its folder, which is a model folder.
        n_parameters: Of the network.
        patients: By split.
        volumes: By split.
        n_epochs: Done, now or before.
        best_epoch: Whose weights were kept, from 0.
        best: Figures of that epoch on the validation volumes, and its loss on the training volumes.
        stopped_early: Whether validation had not become better for long.
        finished: False when it was stopped; the same command goes on.
    """

    run: str
    n_parameters: int
    patients: dict[str, int]
    volumes: dict[str, int]
    n_epochs: int
    best_epoch: int | None
    best: dict[str, float]
    stopped_early: bool
    finished: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that can begin: its data, split and checked."""

    folder: Path
    config: PretrainConfig
    samples: pl.DataFrame
    spec: NetworkSpec
    training: VolumeReader
    validation: VolumeReader

    def settings(self, world_size: int) -> dict[str, Any]:
        """Return what must stay as it is for a run to go on."""
        config = self.config.model_dump(mode="json", exclude=FREE)
        return {
            **_flat("pretrain", config),
            **_flat("network", self.spec.model_dump(mode="json")),
            "devices in all": world_size,
            "precision in use": resolve_precision(self.config),
            "data digest": self.digest,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the voxels, labels and splits that are used."""
        columns = [*("stack_id", "digest", "split", "sequence", "view", "contrast", "coverage")]
        rows = self.samples.select(*columns, "effective_spacing_mm").rows()
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return patients and volumes by split."""
        groups = self.samples.group_by("split").agg(pl.col("patient").n_unique(), pl.len())
        found = {name: (patients, volumes) for name, patients, volumes in groups.iter_rows()}
        parts = [name for name in SPLITS if name in found]
        return {name: found[name][0] for name in parts}, {name: found[name][1] for name in parts}


def pretrain(
    work: Path | str,
    config: RadnetConfig = RadnetConfig(),
    run: str | None = None,
    progress: Progress = silent,
) -> PretrainSummary | None:
    """Train the network; go on where a run of that name was stopped.

    Args:
        work: The workspace, built.
        config: Its `pretrain` table is used, the words kept, and how grey levels were made.
        run: Name of the run; by default that of the network.
        progress: Called with steps done.

    Returns:
        What was reached; None in the processes of several that do not report.

    Raises:
        TrainingError: If the data teach nothing or leak, the run was begun with other settings, the loss is
            no number any more, or the disk is full.
        NetworkError: If there is no such network.
        WorkspaceError: If a table is missing, or another process trains this run.
    """
    workspace = Workspace(work)
    prepared = _prepare(workspace, config, run or config.pretrain.network)
    fabric = make_fabric(prepared.config)
    fabric.launch()
    settings = prepared.settings(fabric.world_size)
    place = f"{FOLDER}/{prepared.folder.name}"
    with workspace.lock(place) if fabric.is_global_zero else nullcontext():
        ended = workspace.read_record(place)
        if ended is not None:
            refuse_other_settings(prepared.folder, ended.config, settings)
            return _reread(prepared) if fabric.is_global_zero else None
        if fabric.is_global_zero:
            write_table(prepared.samples.select(SPLIT_COLUMNS), prepared.folder / SPLIT_NAME)
        fabric.barrier()
        loop = _loop(prepared, fabric, settings)
        outcome = loop.run(progress if fabric.is_global_zero else silent)
        if not fabric.is_global_zero:
            return None
        summary = _summary(prepared, outcome)
        if outcome.finished:
            _finish(workspace, place, prepared, loop, summary, settings)
        return summary


def _prepare(workspace: Workspace, config: RadnetConfig, name: str) -> _Run:
    """Read, split and check the data."""
    if not _RUN_NAME.fullmatch(name):
        raise TrainingError(f"--run {name!a} cannot be the name of a folder; use letters, digits, . _ and -")
    settings = config.pretrain
    samples = read_samples(workspace, settings.collections)
    samples = samples.with_columns(split_samples(samples, settings).alias("split"))
    samples = samples.filter(pl.col("split").is_not_null())
    training, validation = (samples.filter(pl.col("split") == part) for part in (TRAINING, VALIDATION))
    spec = _spec(workspace, config, training)
    store = open_store(workspace)
    reader = VolumeReader(store, training, spec)
    refuse_unlearnable(reader.targets, settings.heads, spec)
    folder = workspace.folder(f"{FOLDER}/{name}")
    return _Run(folder, settings, samples, spec, reader, VolumeReader(store, validation, spec))


def _spec(workspace: Workspace, config: RadnetConfig, training: pl.DataFrame) -> NetworkSpec:
    settings = config.pretrain
    spacing = training["effective_spacing_mm"]
    chosen = {"width": settings.width, "stem": settings.stem}
    return make_spec(
        settings.network,
        norm=settings.norm,
        input_shape=settings.input_shape,
        shrinking=settings.shrinking,
        close_up=settings.close_up,
        histogram=settings.histogram,
        embedding=settings.embedding,
        sequences=config.labels.keep_sequences,
        **grey_levels(workspace, config),
        spacing_mean_mm=spacing.mean(),
        spacing_std_mm=spacing.std() or 1.0,
        **{key: value for key, value in chosen.items() if value is not None},
    )


def _loop(run: _Run, fabric: Any, settings: Mapping[str, Any]) -> Loop[Batch]:
    torch.manual_seed(run.config.seed)
    network = build_network(run.spec)
    task = LabelTask(network, LabelLosses(run.spec, run.config, run.training.targets), run.config)
    if resolve_precision(run.config) == "bf16-mixed":
        task.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def keep_best(best: Task[Batch]) -> None:
        _save_model(run, run.folder, best)

    return Loop(
        fabric,
        task,
        Part(len(run.training), run.training.read),
        Part(len(run.validation), run.validation.read),
        run.config,
        run.folder,
        settings,
        keep_best,
    )


def _save_model(run: _Run, folder: Path, task: Task[Batch]) -> None:
    """Write the network of a task as a model folder."""
    network = task.network
    assert isinstance(network, LabelNetwork)
    patients, volumes = run.counts()
    data = {"digest": run.digest, **{f"{part} patients": count for part, count in patients.items()}}
    data |= {f"{part} volumes": count for part, count in volumes.items()}
    data["collections"] = run.samples["collection_id"].n_unique()
    metadata = {"training_data": data, "heads": list(run.config.heads), "seed": run.config.seed}
    try:
        save_model(folder, network, run.spec, metadata)
    except OSError as error:
        raise unwritable(folder) from error


def _finish(
    workspace: Workspace,
    place: str,
    run: _Run,
    loop: Loop[Batch],
    summary: PretrainSummary,
    settings: Mapping[str, Any],
) -> None:
    """Write what belongs to a whole run, and its record last."""
    _save_model(run, run.folder / LAST, loop.average)
    history = loop.counters.history
    write_history(run.folder, history)
    (run.folder / CURVES_NAME).write_bytes(to_png(training_curves(history)))
    metrics = {
        "best_epoch": summary.best_epoch,
        "n_epochs": summary.n_epochs,
        "best": summary.best,
        "stopped_early": summary.stopped_early,
        "version": __version__,
    }
    write_text(run.folder / METRICS_NAME, json.dumps(metrics, indent=1) + "\n")
    names = (WEIGHTS_NAME, CONFIG_NAME, METRICS_NAME, HISTORY_NAME, SPLIT_NAME)
    read = inputs(workspace, RadnetConfig())
    workspace.write_record("pretrain", place, settings, read, names, __version__)
    (run.folder / STATE_NAME).unlink(missing_ok=True)


def _summary(run: _Run, outcome: Outcome) -> PretrainSummary:
    patients, volumes = run.counts()
    best = outcome.best_epoch
    row = {} if best is None else outcome.history[best]
    # a head without a label among the validation volumes has no figure
    shown = {
        name: round(value, 4)
        for name, value in row.items()
        if name.startswith("validation_") and math.isfinite(value)
    }
    return PretrainSummary(
        run=str(run.folder),
        n_parameters=sum(parameter.numel() for parameter in build_network(run.spec).parameters()),
        patients=patients,
        volumes=volumes,
        n_epochs=outcome.epochs,
        best_epoch=best,
        best={name.removeprefix("validation_"): value for name, value in shown.items()},
        stopped_early=outcome.stopped_early,
        finished=outcome.finished,
    )


def _reread(run: _Run) -> PretrainSummary:
    """Tell of a run that had ended before."""
    metrics = json.loads((run.folder / METRICS_NAME).read_text("utf-8"))
    blank = _summary(run, Outcome(True, metrics["stopped_early"], metrics["n_epochs"], None, []))
    fields = {name: getattr(blank, name) for name in blank.__slots__}
    return PretrainSummary(**{**fields, "best_epoch": metrics["best_epoch"], "best": metrics["best"]})


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Name the leaves of nested tables by dotted keys."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}"
        found |= _flat(name, value) if isinstance(value, Mapping) and value else {name: value}
    return found
