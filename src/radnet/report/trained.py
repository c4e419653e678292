"""What became of trained networks: curves, the paper's table 1, and what they are measured beside.

Read from what `radnet pretrain` and `radnet evaluate` wrote; nothing here needs torch.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from radnet.errors import WorkspaceError
from radnet.figures.confusion import confusion_matrix
from radnet.figures.curves import training_curves
from radnet.figures.drawing import to_svg
from radnet.figures.reliability import reliability
from radnet.metrics import Calibration, Measure, shown
from radnet.pretrain.runs import (
    EVALUATIONS,
    FOLDER,
    METRICS_NAME,
    MISTAKES_NAME,
    TITLES,
    evaluation_folders,
)
from radnet.training.history import HISTORY_NAME, read_history
from radnet.workspace import Workspace, digest_file

SHOWN_MISTAKES: Final = 2
"""Pictures a label on the page; the folder has more."""
FIGURES: Final = ("accuracy", "auc", "recall", "precision")


@dataclass(frozen=True, slots=True)
class Block:
    """One label in table 1: its classes with their figures, then its totals."""

    title: str
    classes: tuple[tuple[str, int, tuple[str, ...]], ...]
    totals: tuple[tuple[str, int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A wrongly labelled volume."""

    title: str
    truth: str
    said: str
    size: str
    png: bytes


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """One evaluation, for a reader.

    Attributes:
        name: Of its folder.
        volumes: Tested.
        patients: Of whom they are.
        blocks: Table 1.
        means: Columns of the comparison.
        rulers: Label, volumes, and a figure for each of the means.
        drawings: SVG of confusion matrices and calibration.
        mistakes: Those that the network is surest of.
    """

    name: str
    volumes: int
    patients: int
    blocks: tuple[Block, ...]
    means: tuple[str, ...]
    rulers: tuple[tuple[str, int, tuple[str, ...]], ...]
    drawings: tuple[str, ...]
    mistakes: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class TrainedView:
    """One run that has ended.

    Attributes:
        name: Of the run.
        epochs: Done.
        curves: SVG.
        evaluations: Those of its own test volumes first.
    """

    name: str
    epochs: int
    curves: str
    evaluations: tuple[EvaluationView, ...]


def trained_digests(workspace: Workspace) -> dict[str, str]:
    """Digest what the page shows of runs, by name."""
    folder = workspace.root / FOLDER
    files = [
        *folder.glob(f"*/{METRICS_NAME}"),
        *folder.glob(f"*/{HISTORY_NAME}"),
        *folder.glob(f"*/{EVALUATIONS}/*/{METRICS_NAME}"),
    ]
    return {str(path.relative_to(workspace.root)): digest_file(path) for path in sorted(files)}


def read_trained(workspace: Workspace) -> tuple[TrainedView, ...]:
    """Read the runs that have ended, by name.

    Raises:
        WorkspaceError: If one of their files is damaged.
    """
    runs = sorted(path.parent for path in (workspace.root / FOLDER).glob(f"*/{METRICS_NAME}"))
    return tuple(map(_run, runs))


def _run(folder: Path) -> TrainedView:
    metrics = _json(folder / METRICS_NAME, "pretrain")
    history = read_history(folder)
    return TrainedView(
        folder.name,
        len(history),
        to_svg(training_curves(history, metrics["best_epoch"])),
        tuple(map(_evaluation, evaluation_folders(folder))),
    )


def _json(path: Path, verb: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found
    except ValueError as error:
        raise WorkspaceError(f"{path} is damaged; delete it and run `radnet {verb}` again") from error


def _evaluation(folder: Path) -> EvaluationView:
    found = _json(folder / METRICS_NAME, "evaluate")
    means = tuple(dict.fromkeys(ruler["means"] for ruler in found["rulers"]))
    return EvaluationView(
        folder.name,
        found["volumes"],
        found["patients"],
        tuple(_block(found, head) for head in dict.fromkeys(row["head"] for row in found["totals"])),
        means,
        _rulers(found, means),
        _drawings(found),
        _mistakes(folder),
    )


def _block(found: Mapping[str, Any], head: str) -> Block:
    classes = tuple(
        (row["name"], row["samples"], tuple(_shown(row[figure], "%") for figure in FIGURES))
        for row in found["classes"]
        if row["head"] == head
    )
    totals = tuple(
        (row["name"], row["samples"], row["patients"], _shown(row["value"], row["unit"]))
        for row in found["totals"]
        if row["head"] == head
    )
    return Block(TITLES[head], classes, totals)


def _rulers(found: Mapping[str, Any], means: tuple[str, ...]) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    rows = []
    for head in dict.fromkeys(ruler["head"] for ruler in found["rulers"]):
        own = {ruler["means"]: ruler for ruler in found["rulers"] if ruler["head"] == head}
        cells = tuple(_shown(own[name]["value"], own[name]["unit"]) if name in own else "" for name in means)
        rows.append((TITLES.get(head, head.capitalize()), next(iter(own.values()))["samples"], cells))
    return tuple(rows)


def _shown(value: Mapping[str, float | None], unit: str) -> str:
    return shown(Measure(**value), unit)


def _drawings(found: Mapping[str, Any]) -> tuple[str, ...]:
    drawn = [
        confusion_matrix(np.array(one["counts"]), one["words"], TITLES[head])
        for head, one in found["confusion"].items()
    ]
    panels = [
        (TITLES[one["head"]], _bins(one["before"]), one["temperature"], one["after"] and _bins(one["after"]))
        for one in found["calibration"]
    ]
    if panels:
        drawn.append(reliability(panels))
    return tuple(map(to_svg, drawn))


def _bins(found: Mapping[str, Any]) -> Calibration:
    return Calibration(
        np.array(found["counts"], np.int64),
        np.array(found["confidence"], float),
        np.array(found["accuracy"], float),
        found["error"],
    )


def _mistakes(folder: Path) -> tuple[Picture, ...]:
    with (folder / MISTAKES_NAME).open(newline="", encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["picture"]]
    chosen = []
    for head in TITLES:
        chosen += [row for row in rows if row["head"] == head][:SHOWN_MISTAKES]
    return tuple(
        Picture(
            TITLES[row["head"]],
            row["truth"],
            row["said"],
            f"{float(row['size']):.2f} mm off"
            if row["head"] == "spacing"
            else f"{float(row['size']):.0%} sure",
            (folder / row["picture"]).read_bytes(),
        )
        for row in chosen
    )


def _size(head: str, size: float) -> str:
    return f"{size:.2f} mm off" if head == "spacing" else f"{size:.0%} sure"
