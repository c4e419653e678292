"""Train one segmenter: scans with masks and a pretrained encoder to a segmenter's folder.

The folder holds the weights with the best validation Dice from the first validation on, and the state from
which the same call goes on until the training has ended. metrics.json is written last: it vouches for the
rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from lightning_fabric import Fabric

from radnet import __version__
from radnet.config import TrainingConfig, TransferConfig, VolumesConfig
from radnet.executors import Progress, silent
from radnet.figures.curves import training_curves
from radnet.figures.drawing import to_png
from radnet.networks.segmentation import SegmentationNetwork
from radnet.networks.segmenter import save_segmenter
from radnet.networks.segmenter_spec import SegmenterSpec, make_segmenter_spec
from radnet.training.devices import make_fabric, resolve_precision
from radnet.training.history import write_history
from radnet.training.loop import STATE_NAME, Budget, Loop, Outcome, refuse_other_settings
from radnet.training.state import unwritable
from radnet.training.task import Part, Task
from radnet.transfer.backbone import Backbone, first_encoder
from radnet.transfer.checks import refuse_unusable
from radnet.transfer.proposal import region_of
from radnet.transfer.runs import CURVES_NAME, METRICS_NAME, read_metrics
from radnet.transfer.samples import (
    Example,
    Proposals,
    WindowReader,
    Windows,
    digest_cases,
    training_starts,
    validation_starts,
)
from radnet.transfer.task import SegmentTask
from radnet.workspace import Workspace, write_text

FREE: Final = {"accelerator", "checkpoint_minutes", "readers", "devices", "nodes"}
"""Keys that may change when a run goes on."""


DEFAULTS: Final = TransferConfig()
GREY: Final = VolumesConfig()


@dataclass(frozen=True, slots=True)
class TransferSummary:
    """What a training did.

    Attributes:
        run: Its folder, which is a segmenter's folder.
        organ: What is outlined.
        n_parameters: Of the network.
        n_learning: Of them, those that are not frozen.
        cases: By split.
        windows: By split.
        n_steps: Done, now or before.
        seconds: Spent in them.
        best_step: After which the kept weights were validated.
        dice: Mean of the validation scans then, over windows without blending.
        stopped_early: Whether validation had not become better for long.
        finished: False when it was stopped; the same call goes on.
    """

    run: str
    organ: str
    n_parameters: int
    n_learning: int
    cases: dict[str, int]
    windows: dict[str, int]
    n_steps: int
    seconds: float
    best_step: int | None
    dice: float | None
    stopped_early: bool
    finished: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """A training that can begin: its data read and checked."""

    folder: Path
    config: TransferConfig
    backbone: Backbone
    spec: SegmenterSpec
    network: SegmentationNetwork
    training: WindowReader
    validation: WindowReader
    cases: dict[str, int]
    digests: dict[str, str]

    def settings(self) -> dict[str, Any]:
        """Return what must stay as it is for a run to go on."""
        config = self.config.model_dump(mode="json", exclude=FREE)
        pretrained = self.config.init == "pretrained"
        return {
            **{f"transfer.{name}": value for name, value in config.items()},
            "segmenter": self.spec.model_dump(mode="json"),
            "backbone weights": self.backbone.digest if pretrained else "none",
            "precision in use": resolve_precision(self.loop_config()),
            **{f"{part} data": digest for part, digest in self.digests.items()},
        }

    def loop_config(self) -> TrainingConfig:
        """Return the settings of the loop: an epoch is what lies between two validations."""
        known = {name: getattr(self.config, name) for name in TrainingConfig.model_fields if name != "epochs"}
        return TrainingConfig(epochs=math.ceil(self.config.max_steps / self.config.validate_every), **known)


def train_segmenter(
    training: Sequence[Example],
    validation: Sequence[Example],
    backbone: Backbone,
    out: Path | str,
    config: TransferConfig = DEFAULTS,
    proposals: Proposals | None = None,
    grey: VolumesConfig = GREY,
    progress: Progress = silent,
) -> TransferSummary:
    """Train a segmenter; go on where a training in that folder was stopped.

    Args:
        training: Scans that train, slices `config.slice_mm` apart.
        validation: Other patients' scans, by whose Dice the weights are chosen; may be none when the last are
            kept.
        backbone: What the encoder is, and its weights.
        out: Folder of the segmenter.
        config: How.
        proposals: Windows of all scans; None takes all slices.
        grey: How the scans' grey levels were made.
        progress: Called with steps done.

    Returns:
        What was reached.

    Raises:
        TrainingError: If the scans teach nothing or leak, the folder is of other settings, the loss is no
            number any more, or the disk is full.
        NetworkError: If the backbone cannot be used so.
        WorkspaceError: If another process trains in that folder.
    """
    refuse_unusable(training, validation, config, proposals)
    folder = Path(out).resolve()
    run = _prepare(folder, training, validation, backbone, config, proposals, grey)
    settings = run.settings()
    with Workspace(folder.parent).lock(folder.name):
        ended = read_metrics(folder)
        if ended is not None:
            refuse_other_settings(folder, ended["settings"], json.loads(json.dumps(settings)))
            return TransferSummary(**ended["summary"])
        fabric = make_fabric(run.loop_config())
        fabric.launch()
        loop = _loop(run, fabric, json.loads(json.dumps(settings)))
        outcome = loop.run(progress)
        summary = _summary(run, outcome, loop)
        if outcome.finished:
            _finish(run, outcome, summary, settings)
        return summary


def _prepare(
    folder: Path,
    training: Sequence[Example],
    validation: Sequence[Example],
    backbone: Backbone,
    config: TransferConfig,
    proposals: Proposals | None,
    grey: VolumesConfig,
) -> _Run:
    """Build the network and cut the windows."""
    torch.manual_seed(config.seed)
    own, encoder = first_encoder(backbone, config.init, config.encoder_norm)
    spec = make_segmenter_spec(
        {
            "backbone": own,
            "region": None if proposals is None else region_of(config.organ, own),
            **{name: getattr(grey, name) for name in ("intensity", "ct_window", "mr_percentiles")},
            **{
                name: getattr(config, name)
                for name in ("organ", "window", "slice_mm", "decoder", "decoder_norm", "second_pass")
            },
        }
    )
    network = SegmentationNetwork(spec, encoder)
    n_validation, validation = len(validation), validation or training[:1]
    starts = [training_starts(case, config.window, proposals) for case in training]
    checked = [validation_starts(case, config.window, proposals) for case in validation]
    varied = config.augmentation.enabled
    spare = config.augmentation.slice_shift if varied else 0
    return _Run(
        folder,
        config,
        backbone,
        spec,
        network,
        WindowReader(training, starts, spec.window, spare, finer=varied),
        WindowReader(validation, checked, spec.window, own_slots=True),
        {"training": len(training), "validation": n_validation},
        {"training": digest_cases(training, starts), "validation": digest_cases(validation, checked)},
    )


def _loop(run: _Run, fabric: Fabric, settings: Mapping[str, Any]) -> Loop[Windows]:
    task = SegmentTask(run.network, run.config, max(run.cases["validation"], 1))
    config = run.loop_config()
    if fabric.device.type == "cuda" or resolve_precision(config) == "bf16-mixed":
        task.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def keep_best(best: Task[Windows]) -> None:
        _save(run, cast(SegmentTask, best).network)

    minutes = run.config.max_minutes
    return Loop(
        fabric,
        task,
        Part(run.config.validate_every * config.batch_size * config.accumulate, run.training.read),
        Part(len(run.validation), run.validation.read),
        config,
        run.folder,
        settings,
        keep_best,
        Budget(run.config.max_steps, None if minutes is None else 60 * minutes),
        keep_last=run.config.keep == "last",
    )


def _save(run: _Run, network: SegmentationNetwork) -> None:
    """Write a network as the folder's segmenter."""
    windows = {"training": len(run.training), "validation": len(run.validation)}
    data: dict[str, Any] = {"digest": run.digests["training"]}
    data |= {f"{part} scans": count for part, count in run.cases.items()}
    data |= {f"{part} windows": count for part, count in windows.items()}
    data["encoder"] = run.backbone.source if run.config.init == "pretrained" else "random first weights"
    chosen = {name: getattr(run.config, name) for name in ("init", "freeze", "loss", "seed", "max_steps")}
    try:
        save_segmenter(run.folder, network, {"training_data": data, "training": chosen})
    except OSError as error:
        raise unwritable(run.folder) from error


def _summary(run: _Run, outcome: Outcome, loop: Loop[Windows]) -> TransferSummary:
    best = None if outcome.best_epoch is None else outcome.history[outcome.best_epoch]
    return TransferSummary(
        run=str(run.folder),
        organ=run.spec.organ,
        n_parameters=sum(value.numel() for value in run.network.parameters()),
        n_learning=run.network.count_learning(),
        cases=run.cases,
        windows={"training": len(run.training), "validation": len(run.validation)},
        n_steps=loop.counters.step,
        seconds=round(loop.counters.seconds, 1),
        best_step=None if best is None else int(best["step"]),
        dice=None if best is None else round(best["validation_dice"], 4),
        stopped_early=outcome.stopped_early,
        finished=outcome.finished,
    )


def _finish(run: _Run, outcome: Outcome, summary: TransferSummary, settings: Mapping[str, Any]) -> None:
    """Write what belongs to a whole run, metrics.json last."""
    try:
        write_history(run.folder, outcome.history)
        (run.folder / CURVES_NAME).write_bytes(to_png(training_curves(outcome.history, outcome.best_epoch)))
        fields = {name: getattr(summary, name) for name in summary.__slots__}
        metrics = {"summary": fields, "settings": settings, "version": __version__}
        write_text(run.folder / METRICS_NAME, json.dumps(metrics, indent=1) + "\n")
    except OSError as error:
        raise unwritable(run.folder) from error
    (run.folder / STATE_NAME).unlink(missing_ok=True)
