"""Measure a trained network as in the paper's table 1, beside simpler means, on volumes that it never saw.

What it never saw is not taken on trust: no tested volume may share a patient, study, frame of reference,
acquisition or its voxels with those that trained or chose the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TrainingError, WorkspaceError
from radnet.executors import Progress, silent
from radnet.labels.splits import SPLITS, TRAINING, VALIDATION
from radnet.metrics import shown
from radnet.networks.folder import read_config
from radnet.pretrain import runs
from radnet.pretrain.files import Evaluation, update_card, write_evaluation
from radnet.pretrain.predictions import Predictions, predict
from radnet.pretrain.reliability import reliabilities
from radnet.pretrain.rulers import collection_probe, compare
from radnet.pretrain.samples import open_store, read_samples, refuse_other_grey_levels
from radnet.pretrain.table1 import make_table1
from radnet.pretrain.worst import worst_mistakes
from radnet.tables import read_table
from radnet.training.splits import UNSHARED, refuse_shared
from radnet.workspace import Workspace

ALL: Final = "all"
FIT_VOLUMES: Final = 1000
"""Most volumes of a split on which simpler means and temperatures are fitted: the first by stack_id, which
says nothing about them."""


@dataclass(frozen=True, slots=True)
class EvaluationSummary:
    """What was measured.

    Attributes:
        run: Folder of the model.
        n_volumes: Tested.
        n_patients: Of whom they are.
        figures: By label, with 95 % interval.
        folder: Where table 1, predictions and pictures lie.
    """

    run: str
    n_volumes: int
    n_patients: int
    figures: dict[str, str]
    folder: str


@dataclass(frozen=True, slots=True)
class _Data:
    """Volumes to test on, and those to fit on, as far as they are there.

    Attributes:
        tested: One row a volume.
        workspace: That holds them.
        fitting: Training and validation volumes; empty when their workspace is gone.
        trained_in: That holds those.
    """

    tested: pl.DataFrame
    workspace: Workspace
    fitting: dict[str, pl.DataFrame]
    trained_in: Workspace


def evaluate_run(
    run: str | Path,
    work: Path | str,
    split: str = "test",
    name: str | None = None,
    config: RadnetConfig = RadnetConfig(),
    progress: Progress = silent,
) -> EvaluationSummary:
    """Measure a run on a split of its own workspace, or on all volumes of another.

    Args:
        run: Name of a run of the workspace, or a run's folder in any workspace.
        work: Workspace with the volumes to test on.
        split: `test`, `validation`, `training`, or `all` volumes of a workspace that did not train it.
        name: Of the folder under `evaluation`; by default the split, or another workspace's name.
        config: Its `pretrain.collections` is used.
        progress: Called with volumes done.

    Raises:
        TrainingError: If there is nothing to test on, or a tested volume has to do with one that trained.
        NetworkError: If the model cannot be loaded.
        WorkspaceError: If a table or volume is missing or damaged.
    """
    workspace = Workspace(work)
    folder = runs.find_run(run, workspace)
    learnt = read_config(folder)
    heads = tuple(learnt["metadata"]["heads"])
    refuse_other_grey_levels(workspace, learnt["network"])
    data = _data(folder, workspace, split, config)
    tested, fitted = _predict_all(folder, data, progress)
    rulers = (
        [*compare(fitted[TRAINING], tested, heads), *collection_probe(fitted[TRAINING])] if fitted else []
    )
    evaluation = Evaluation(
        split,
        heads,
        tested,
        make_table1(tested, heads),
        tuple(rulers),
        tuple(reliabilities(tested, fitted.get(VALIDATION), heads)),
        tuple(worst_mistakes(tested, heads)),
    )
    own = workspace.root == data.trained_in.root
    out = folder / runs.EVALUATIONS / (name or (split if own else workspace.root.name))
    write_evaluation(out, evaluation, folder, open_store(workspace))
    update_card(folder)
    return EvaluationSummary(
        run=str(folder),
        n_volumes=len(tested.samples),
        n_patients=len(set(tested.patients)),
        figures={f"{row.head} {row.name}": shown(row.value, row.unit) for row in evaluation.table.totals},
        folder=str(out),
    )


def _data(folder: Path, workspace: Workspace, split: str, config: RadnetConfig) -> _Data:
    """Choose the volumes, and refuse those that have to do with training."""
    if split not in (*SPLITS, ALL):
        raise TrainingError(f"--split {split}: must be one of {', '.join((*SPLITS, ALL))}")
    trained_in = Workspace(folder.parent.parent)
    placed = read_table(folder / runs.SPLIT_NAME, "pretrain")
    samples = read_samples(workspace, config.pretrain.collections)
    if split == ALL:
        tested = samples
    elif workspace.root != trained_in.root:
        raise TrainingError(
            f"--split {split} is of {trained_in.root}, where it trained; use --split {ALL} here"
        )
    else:
        tested = samples.join(placed.filter(pl.col("split") == split), on="stack_id", how="semi")
    if tested.is_empty():
        raise TrainingError(
            f"the split '{split}' of {folder} has no volume to test on; name test_collections or raise "
            f"test_share and train again, or test on another workspace with --split {ALL}"
        )
    if split != TRAINING:
        used = (TRAINING,) if split == VALIDATION else (TRAINING, VALIDATION)
        _refuse_seen(tested, placed.filter(pl.col("split").is_in(used)))
    return _Data(tested, workspace, _fitting(trained_in, placed), trained_in)


def _refuse_seen(tested: pl.DataFrame, seen: pl.DataFrame) -> None:
    """Refuse volumes that share anything with those that trained or chose the network."""
    sides = (("tested", tested), ("seen", seen))
    both = pl.concat(
        [rows.select("stack_id", *UNSHARED).with_columns(split=pl.lit(side)) for side, rows in sides]
    )
    for name in UNSHARED:
        refuse_shared(both, name)


def _fitting(trained_in: Workspace, placed: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return training and validation volumes; none when they are not where they were."""
    try:
        samples = read_samples(trained_in).drop("collection_id")
    except WorkspaceError:
        return {}
    known = placed.select("stack_id", "collection_id", "split")
    joined = samples.join(known, on="stack_id", how="inner", maintain_order="left")
    parts = {part: joined.filter(pl.col("split") == part) for part in (TRAINING, VALIDATION)}
    return (
        {part: rows.head(FIT_VOLUMES) for part, rows in parts.items()}
        if all(map(len, parts.values()))
        else {}
    )


def _predict_all(folder: Path, data: _Data, progress: Progress) -> tuple[Predictions, dict[str, Predictions]]:
    """Run the network over what is tested, then over what is fitted on."""
    parts = [(data.tested, data.workspace), *((rows, data.trained_in) for rows in data.fitting.values())]
    total = sum(len(rows) for rows, _ in parts)
    found: list[Predictions] = []
    for rows, workspace in parts:
        before = sum(len(one.samples) for one in found)

        def tell(done: int, _: int | None, before: int = before) -> None:
            progress(before + done, total)

        found.append(predict(folder, rows, open_store(workspace), tell))
    return found[0], dict(zip(data.fitting, found[1:], strict=True))
