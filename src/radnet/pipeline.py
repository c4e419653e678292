"""The chain of stages: what each reads and writes, whether it is fresh, and how to run it to the end.

Stages are named by dotted path and loaded when they run, so that listing them needs none of their libraries.
Only this module calls them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from radnet import __version__
from radnet.config import RadnetConfig
from radnet.errors import RadnetError, SourceError, WorkspaceError
from radnet.executors import Progress, Shard, Workers, silent
from radnet.workspace import Record, Workspace, digest_file

State = Literal["missing", "fresh", "stale", "incomplete"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the data's way.

    Attributes:
        name: As `--until` takes it and as the folder is called.
        verb: The command that runs it alone.
        folder: Sub-folder of the workspace.
        writes: Files there that other stages or users read.
        run: Dotted path of its function.
        parallel: Whether it shares its work among workers and shards.
        inputs_of: Module whose `inputs` digests what it reads; by default that of its function.
    """

    name: str
    verb: str
    folder: str
    writes: tuple[str, ...]
    run: str
    parallel: bool
    inputs_of: str = ""

    def load(self) -> Callable[..., Any]:
        """Import and return the stage's function."""
        module, _, function = self.run.partition(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return loaded

    def inputs(self, workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
        """Digest what the stage would read now."""
        module = importlib.import_module(self.inputs_of or self.run.partition(":")[0])
        digests: dict[str, str] = module.inputs(workspace, config)
        return digests


STAGES: Final = (
    Stage(
        "scan",
        "scan",
        "1-scan",
        ("instances.parquet", "skipped.parquet"),
        "radnet.scan.stage:scan_archive",
        True,
    ),
    Stage(
        "series",
        "group",
        "2-series",
        ("series.parquet", "slices.parquet"),
        "radnet.series.stage:group_series",
        False,
    ),
    Stage(
        "labels",
        "label",
        "3-labels",
        ("labels.parquet", "votes.parquet", "funnel.csv"),
        "radnet.labels.stage:label_stacks",
        False,
    ),
    Stage(
        "volumes",
        "build",
        "4-volumes",
        ("index.parquet", "failures.parquet"),
        "radnet.volumes.stage:build_volumes",
        True,
    ),
    Stage("report", "report", "8-report", ("index.html",), "radnet.report.stage:write_report", False),
)
"""The chain that `run` makes, in the order of the data's way."""

PRETRAIN: Final = Stage(
    "pretrain",
    "pretrain",
    "5-pretrain",
    ("model.safetensors", "config.json", "metrics.json", "history.csv", "split.parquet"),
    "radnet.pretrain.stage:pretrain",
    False,
    "radnet.pretrain.samples",  # so that `status` needs no torch
)
PREDICT: Final = Stage(
    "predict",
    "predict",
    "7-predict",
    ("predictions.parquet", "agreement.json"),
    "radnet.predict.stage:predict_stacks",
    True,
    "radnet.predict.candidates",
)
"""Begun by its verb alone, which runs the stages that it needs; it wants a model."""
TRANSFER: Final = Stage(
    "transfer",
    "transfer",
    "6-transfer",
    ("model.safetensors", "config.json", "metrics.json", "history.csv", "split.csv", "test.csv"),
    "radnet.transfer.stage:transfer_organ",
    False,
)
"""Reads scans with masks from anywhere and writes where it is told, so a workspace keeps no record of it."""
RUN_STAGES: Final = (PRETRAIN,)
"""Stages that are begun by name alone, since they take hours and a GPU; their folder holds runs side by side,
each with a record of its own and, once begun, with its own settings."""


@dataclass(frozen=True, slots=True)
class StageStatus:
    """What is there of one stage.

    Attributes:
        stage: Its name.
        verb: The command that makes it fresh.
        folder: Where it lies.
        state: missing, fresh, stale, or incomplete (begun and not ended).
        why: What makes it stale or incomplete; empty when fresh.
        made: UTC time of the artefact, None when there is none.
        version: The RADNet that made it, None when there is none.
    """

    stage: str
    verb: str
    folder: str
    state: State
    why: tuple[str, ...]
    made: str | None
    version: str | None


def find_stage(name: str) -> Stage:
    """Return the stage of that name or verb.

    Raises:
        RadnetError: If there is none.
    """
    for stage in STAGES:
        if name in (stage.name, stage.verb):
            return stage
    raise RadnetError(f"--until {name}: no such stage; it must be one of {', '.join(s.name for s in STAGES)}")


def run_pipeline(
    sources: Path | str | Sequence[Path | str],
    work: Path | str,
    config: RadnetConfig = RadnetConfig(),
    workers: Workers = Workers(),
    shard: Shard = Shard(),
    until: str = "report",
    progress: Callable[[Stage], Progress] = lambda stage: silent,
    allow_none: bool = False,
) -> Iterator[tuple[Stage, Any]]:
    """Run the stages in order and leave out those that are fresh.

    With a shard, each call reads its share of the files; the call that finds all shares read goes on alone.

    Args:
        sources: A folder, archive or file with DICOM, or several.
        work: The workspace.
        config: The resolved configuration.
        workers: Where parallel stages run.
        shard: The share of the files that this call reads.
        until: Name of the last stage.
        progress: Gives each stage its progress function.
        allow_none: Whether to go on without any image; there may be other files to use.

    Yields:
        Each stage and its summary; None as summary when it was fresh already.

    Raises:
        RadnetError: Whatever a stage refuses, and sources without any image.
    """
    last = STAGES.index(find_stage(until))
    workspace = Workspace(work)
    for stage in STAGES[: last + 1]:
        if stage.name == "scan":
            summary = stage.load()(sources, work, config, workers, shard, progress(stage))
            yield stage, summary
            if not summary.complete:
                return
            if not summary.n_instances and not allow_none:
                raise SourceError(
                    f"none of the {summary.n_files} files found is a CT or MR image; "
                    f"{summary.skipped} says of each why; check the path"
                )
        elif _state(stage, workspace, config).state == "fresh":
            yield stage, None
        elif stage.parallel:
            yield stage, stage.load()(work, config, workers, progress=progress(stage))
        else:
            yield stage, stage.load()(work, config, progress=progress(stage))


def status(work: Path | str, config: RadnetConfig = RadnetConfig()) -> list[StageStatus]:
    """Say for every stage what is there, whether it is stale, and why.

    Args:
        work: The workspace.
        config: The configuration that a run would use now.

    Raises:
        WorkspaceError: If the workspace does not exist.
    """
    workspace = Workspace(work)
    if not workspace.root.exists():
        raise WorkspaceError(f"{work} does not exist; `radnet run SOURCE --work {work}` makes it")
    found: list[StageStatus] = []
    for stage in STAGES:
        own = _state(stage, workspace, config)
        before = [earlier for earlier in found if earlier.state in ("stale", "incomplete")]
        if own.state == "fresh" and before:
            why = (f"{before[0].folder} is {before[0].state}",)
            own = StageStatus(stage.name, stage.verb, stage.folder, "stale", why, own.made, own.version)
        found.append(own)
    predicted = [_state(PREDICT, workspace, None)] if (workspace.root / PREDICT.folder).exists() else []
    return [*found, *_runs(workspace), *predicted]


def made_otherwise(
    work: Path | str, config: RadnetConfig, before: str
) -> Iterator[tuple[Stage, tuple[str, ...]]]:
    """Yield the stages whose artefact was made with other settings, and which settings.

    Args:
        work: The workspace.
        config: The settings that are in use now.
        before: Name of the stage that reads them.
    """
    workspace, now = Workspace(work), config.model_dump(mode="json")
    for stage in STAGES[: STAGES.index(find_stage(before))]:
        record = workspace.read_record(stage.folder)
        why = tuple(_changed_config(record.config, now)) if record else ()
        if why:
            yield stage, why


def _runs(workspace: Workspace) -> Iterator[StageStatus]:
    """Tell of each run of the stages that keep several."""
    for stage in RUN_STAGES:
        for folder in sorted((workspace.root / stage.folder).glob("*/")):
            verb = f"{stage.verb} --run {folder.name}"
            run = replace(stage, folder=f"{stage.folder}/{folder.name}", verb=verb)
            yield _state(run, workspace, None)


def _state(stage: Stage, workspace: Workspace, config: RadnetConfig | None) -> StageStatus:
    """Compare a record with what is there now; without a configuration, its settings are its own."""
    record = workspace.read_record(stage.folder)
    if record is None:
        begun = (workspace.root / stage.folder).exists()
        state: State = "incomplete" if begun else "missing"
        hint = ("begun and not ended; the same command goes on where it stopped",)
        return StageStatus(stage.name, stage.verb, stage.folder, state, hint if begun else (), None, None)
    why = (
        *([f"made by RADNet {record.version}"] if record.version != __version__ else []),
        *_changed_outputs(record, workspace.root / stage.folder),
        *_changed_inputs(record, stage, workspace, config or RadnetConfig()),
        *(_changed_config(record.config, config.model_dump(mode="json")) if config else ()),
    )
    state = "stale" if why else "fresh"
    return StageStatus(stage.name, stage.verb, stage.folder, state, why, record.made, record.version)


def _changed_outputs(record: Record, folder: Path) -> Iterator[str]:
    for name, digest in record.outputs.items():
        path = folder / name
        if not path.exists():
            yield f"{name} was deleted"
        elif digest_file(path) != digest:
            yield f"{name} was changed by something else"


def _changed_inputs(
    record: Record, stage: Stage, workspace: Workspace, config: RadnetConfig
) -> Iterator[str]:
    try:
        now = stage.inputs(workspace, config)
    except SourceError as error:
        yield str(error)
        return
    for name in sorted(record.inputs.keys() | now.keys()):
        if name not in now:
            yield f"{name} is gone"
        elif name not in record.inputs:
            yield f"{name} is new"
        elif record.inputs[name] != now[name]:
            yield f"{name} changed"


def _changed_config(recorded: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Name the keys that a record and the configuration both have, with different values."""
    for key, value in recorded.items():
        if key not in now:
            continue
        if isinstance(value, Mapping) and isinstance(now[key], Mapping):
            yield from _changed_config(value, now[key], f"{prefix}{key}.")
        elif value != now[key]:
            yield f"{prefix}{key} was {value}, is {now[key]}"
