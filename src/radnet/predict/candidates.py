"""What there is to predict in a workspace: stacks, NIfTI files, and what rules out some of them beforehand.

Whatever makes a volume is predicted, kept for training or not: where the header says nothing the network may.
Nothing here needs the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.config import LabelsConfig, RadnetConfig
from radnet.predict.columns import HEADER, IDENTITY
from radnet.predict.nifti import SUFFIXES, NiftiTask, nifti_task
from radnet.predict.reasons import explain
from radnet.tables import TEXT, conform, read_table
from radnet.workspace import Workspace, digest_file

LABELS: Final = "3-labels/labels.parquet"
SERIES: Final = "2-series/series.parquet"
SLICES: Final = "2-series/slices.parquet"
INSTANCES: Final = "1-scan/instances.parquet"
SKIPPED: Final = "1-scan/skipped.parquet"
STORE: Final = "4-volumes"
INDEX: Final = f"{STORE}/index.parquet"
READ: Final = (INSTANCES, SKIPPED, SERIES, SLICES, LABELS)
SPLIT_NAME: Final = "split.parquet"
"""In the folder of a training run; says on which side of its split each patient stood."""
LOCALIZER: Final = "localizer"
CANDIDATE_COLUMNS: Final = {**IDENTITY, **HEADER, "reason": TEXT, "explanation": TEXT}

_LABEL_COLUMNS: Final = (
    *("stack_id", "patient", "StudyInstanceUID", "SeriesInstanceUID", "geometry", "n_slices"),
    *("decision", "reasons", "sequence", "view", "contrast", "coverage", "effective_spacing_mm"),
)
_SERIES_COLUMNS: Final = ("stack_id", "path", "Modality", "BurnedInAnnotation")


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest what predicting reads of a workspace, beside the model."""
    return {name: digest_file(workspace.root / name) for name in READ if (workspace.root / name).exists()}


def find_candidates(
    workspace: Workspace, config: LabelsConfig, model: Path
) -> tuple[pl.DataFrame, dict[str, NiftiTask]]:
    """List every stack and NIfTI file of a scanned and labelled workspace.

    Args:
        workspace: With 1-scan to 3-labels.
        config: Geometries and slices that make a volume.
        model: Folder, for the split of its training run.

    Returns:
        One row each, by path, with a `reason` where nothing can be predicted; and the NIfTI files by
        stack_id.

    Raises:
        WorkspaceError: If a table is missing.
    """
    stacks = _stacks(workspace).with_columns(kind=pl.lit("dicom"))
    stacks = stacks.with_columns(_ruled_out(config)).with_columns(_explained())
    files = _nifti_files(workspace)
    rows = [{"stack_id": task.stack_id, "path": task.path, "kind": "nifti"} for task in files.values()]
    nifti = conform(
        pl.DataFrame(rows, schema=dict.fromkeys(("stack_id", "path", "kind"), TEXT)), CANDIDATE_COLUMNS
    )
    nifti = nifti.with_columns(showable=pl.lit(True))
    both = pl.concat([conform(stacks, CANDIDATE_COLUMNS), nifti])
    return with_split(both, model).sort("path", "stack_id"), files


def find_stored(workspace: Workspace, model: Path) -> tuple[pl.DataFrame, dict[str, str]]:
    """List the volumes that were built in a workspace, and the digest of each.

    Raises:
        WorkspaceError: If a table is missing.
    """
    index = read_table(workspace.root / INDEX, "build", ["stack_id", "digest"])
    stacks = _stacks(workspace).join(index, on="stack_id", how="semi")
    stacks = stacks.with_columns(kind=pl.lit("volume"), path=pl.lit(None, TEXT))
    found = with_split(conform(stacks, CANDIDATE_COLUMNS), model).sort("stack_id")
    return found, dict(index.join(found, on="stack_id", how="semi").iter_rows())


def with_split(stacks: pl.DataFrame, model: Path) -> pl.DataFrame:
    """Say of each stack where the model's own training placed it, or else its patient."""
    path = model / SPLIT_NAME
    if not path.exists():
        return stacks
    placed = read_table(path, "pretrain", ["stack_id", "patient", "split"])
    by_stack: Mapping[str, str] = dict(placed.select("stack_id", "split").iter_rows())
    by_patient = dict(placed.drop_nulls("patient").select("patient", "split").iter_rows())
    sides = [
        pl.col(name).replace_strict(known, default=None, return_dtype=TEXT)
        for name, known in (("stack_id", by_stack), ("patient", by_patient))
        if known
    ]
    return stacks.with_columns(split=pl.coalesce(sides)) if sides else stacks


def _stacks(workspace: Workspace) -> pl.DataFrame:
    labels = read_table(workspace.root / LABELS, "label", list(_LABEL_COLUMNS))
    series = read_table(workspace.root / SERIES, "group", list(_SERIES_COLUMNS))
    named = {name: f"header_{name}" for name in ("sequence", "view", "contrast", "coverage")}
    # text in the pixels may be the patient's name
    clean = pl.col("BurnedInAnnotation").fill_null("NO").str.to_uppercase() != "YES"
    joined = labels.join(series, on="stack_id", how="left").with_columns(showable=clean)
    return joined.rename({**named, "effective_spacing_mm": "header_spacing_mm"})


def _ruled_out(config: LabelsConfig) -> pl.Expr:
    """Give the first reason for which a stack makes no volume."""
    person = pl.col("reasons").list.contains("excluded_by_person")
    no_volume = ~pl.col("geometry").is_in(list(config.keep_geometries))
    return (
        pl.when(person)
        .then(pl.lit("excluded_by_person"))
        .when(pl.col("header_sequence") == LOCALIZER)
        .then(pl.lit(LOCALIZER))
        .when(no_volume)
        .then(pl.col("geometry"))
        .when(pl.col("n_slices") < config.min_slices)
        .then(pl.lit("too_few_slices"))
        .alias("reason")
    )


def _explained() -> pl.Expr:
    return pl.col("reason").map_elements(explain, return_dtype=TEXT).alias("explanation")


def _nifti_files(workspace: Workspace) -> dict[str, NiftiTask]:
    path = workspace.root / SKIPPED
    if not path.exists():
        return {}
    lower = pl.col("path").str.to_lowercase()
    named = pl.any_horizontal(lower.str.ends_with(suffix) for suffix in SUFFIXES)
    skipped = read_table(path, "scan", ["path", "size", "mtime_ns", "reason"])
    rows: list[dict[str, Any]] = skipped.filter(named & (pl.col("reason") == "not_dicom")).to_dicts()
    tasks = (nifti_task(row["path"], row["size"], row["mtime_ns"]) for row in rows)
    return {task.stack_id: task for task in tasks}
