"""Label the stacks: 2-series/series.parquet to 3-labels/labels.parquet, votes.parquet and funnel.csv.

The result depends on the stacks, the rule tables, the decisions and the configuration, on nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet import __version__
from radnet.config import LabelsConfig, RadnetConfig
from radnet.executors import Progress, silent
from radnet.labels.artefacts import (
    FOLDER,
    FUNNEL_NAME,
    LABELS_NAME,
    SKIPPED,
    SLICES,
    STACKS,
    VOTES_NAME,
    as_evidence,
)
from radnet.labels.confidence import CONFIDENCE_NAME
from radnet.labels.decisions import load_decisions
from radnet.labels.engine import Labeller
from radnet.labels.exclusions import add_exclusions
from radnet.labels.funnel import count_funnel
from radnet.labels.rules import RULES_FOLDER
from radnet.labels.studies import batches, in_given_order
from radnet.scan.skipped import STEPS
from radnet.tables import LABEL_COLUMNS, VOTE_COLUMNS, conform, read_table, write_table
from radnet.terms import LABELS
from radnet.workspace import Workspace, digest_file, write_text

OUTPUTS: Final = (LABELS_NAME, VOTES_NAME, FUNNEL_NAME)
BATCH_STACKS: Final = 50_000


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """What labelling found.

    Attributes:
        n_stacks: Stacks labelled.
        n_kept: Stacks kept for training.
        excluded: Stacks by first reason.
        status: Stacks by status (decided, conflict, unknown), by label.
        n_stray_decisions: Stacks and series that people decided on and that are not in this workspace;
            None without a decisions file.
        labels: The table of labels.
        votes: The table of votes.
        funnel: The table of steps.
    """

    n_stacks: int
    n_kept: int
    excluded: dict[str, int]
    status: dict[str, dict[str, int]]
    n_stray_decisions: int | None
    labels: Path
    votes: Path
    funnel: Path


def label_stacks(
    work: Path | str, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> LabelSummary:
    """Label the stacks of a workspace and say which are left out, and why.

    Args:
        work: The workspace; `radnet group` must have filled its 2-series.
        config: Its `labels` table is used, and the slices of a volume for the effective spacing.
        progress: Called with stacks done.

    Raises:
        RuleError: If a rule table or the decisions file has a fault.
        WorkspaceError: If the table of stacks is missing or another process writes the labels.
    """
    workspace = Workspace(work)
    read = inputs(workspace, config)  # before reading: a record must not vouch for what came later
    stacks = read_table(workspace.root / STACKS, "group")
    slices = read_table(workspace.root / SLICES, "group", ["stack_id", "path"])
    skipped = _skipped(workspace)
    with workspace.lock(FOLDER):
        folder = workspace.folder(FOLDER)
        labels, votes = label_frame(stacks, config, progress)
        write_table(labels, folder / LABELS_NAME)
        write_table(votes, folder / VOTES_NAME)
        write_text(folder / FUNNEL_NAME, count_funnel(labels, slices, skipped).write_csv())
        workspace.write_record("labels", FOLDER, used_config(config), read, OUTPUTS, __version__)
    return LabelSummary(
        n_stacks=labels.height,
        n_kept=int(labels["reason"].null_count()),
        excluded=dict(Counter(labels["reason"].drop_nulls().to_list())),
        status={label: dict(Counter(labels[f"{label}_status"].to_list())) for label in LABELS},
        n_stray_decisions=_stray_decisions(config, stacks),
        labels=folder / LABELS_NAME,
        votes=folder / VOTES_NAME,
        funnel=folder / FUNNEL_NAME,
    )


def _stray_decisions(config: RadnetConfig, stacks: pl.DataFrame) -> int | None:
    path = config.labels.decisions
    return None if path is None else load_decisions(path).strangers(stacks)


def label_frame(
    stacks: pl.DataFrame, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Label stacks that are in memory.

    Args:
        stacks: Columns as in `tables.STACK_COLUMNS`.
        config: The resolved configuration.
        progress: Called with stacks done.

    Returns:
        Labels with decision and reasons, and the votes behind them.
    """
    labeller = Labeller(config.labels)
    target = config.volumes.shape[0]
    labels: list[pl.DataFrame] = []
    votes = [pl.DataFrame(schema=VOTE_COLUMNS)]
    order = list(batches(stacks, BATCH_STACKS))
    for rows in order:
        batch = stacks[rows]
        done = labeller.label(as_evidence(batch))
        labelled = batch.hstack(done.labels)
        judged = add_exclusions(labelled, config.labels, labeller.decisions, target)
        labels.append(conform(judged, LABEL_COLUMNS))
        votes.append(done.votes(batch["stack_id"]))
        progress(sum(part.height for part in labels), stacks.height)
    return in_given_order(labels, order), pl.concat(votes)


def used_config(config: RadnetConfig) -> dict[str, Any]:
    """Return the part of the configuration that labels depend on."""
    whole = config.model_dump(mode="json")
    return {"labels": whole["labels"], "volumes": {"shape": whole["volumes"]["shape"]}}


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest what labelling reads: tables, rule tables and decisions."""
    paths = {name: workspace.root / name for name in (STACKS, SLICES, SKIPPED)}
    return {
        name: digest_file(path)
        for name, path in {**paths, **_rule_files(config.labels)}.items()
        if path.exists()
    }


def _rule_files(config: LabelsConfig) -> dict[str, Path]:
    shipped = {
        f"rules/{path.relative_to(RULES_FOLDER)}": path for path in sorted(RULES_FOLDER.rglob("*.toml"))
    }
    overlays = {str(path): path for folder in config.rules for path in sorted(folder.glob("*.toml"))}
    measured = {str(folder / CONFIDENCE_NAME): folder / CONFIDENCE_NAME for folder in config.rules}
    measured[f"rules/{CONFIDENCE_NAME}"] = RULES_FOLDER / CONFIDENCE_NAME
    decided = {str(config.decisions): config.decisions} if config.decisions else {}
    return {**shipped, **overlays, **measured, **decided}


def _skipped(workspace: Workspace) -> pl.DataFrame:
    """Read the files that gave no instance; a workspace made without a scan has none."""
    path = workspace.root / SKIPPED
    if not path.exists():
        return pl.DataFrame(schema={"path": pl.String, "step": pl.String})
    return read_table(path, "scan").select("path", pl.col("reason").replace_strict(STEPS).alias("step"))
