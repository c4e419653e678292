"""The volumes of a workspace with their labels, and what ties them together.

One row a volume of the store: a kept stack that was built. Only labels and identifiers are read, no text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TrainingError
from radnet.labels.headers import read_headers
from radnet.networks.spec import NetworkSpec
from radnet.tables import TEXT, read_table
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace, digest_file

LABELS: Final = "3-labels/labels.parquet"
SERIES: Final = "2-series/series.parquet"
VOLUMES: Final = "4-volumes"
INDEX: Final = f"{VOLUMES}/index.parquet"
READ: Final = (SERIES, LABELS, INDEX)
"""What training and evaluation read of a workspace, beside the shards."""
GREY_LEVELS: Final = ("intensity", "ct_window", "mr_percentiles")
"""Settings that say how grey levels are made, in `[volumes]` and in `NetworkSpec` alike."""

_LABEL_COLUMNS: Final = [
    *("stack_id", "patient", "StudyInstanceUID", "SeriesInstanceUID", "acquisition_group"),
    *("sequence", "view", "contrast", "coverage"),
]
_STACK_COLUMNS: Final = ["stack_id", "FrameOfReferenceUID", "source", "BurnedInAnnotation"]
_VOLUME_COLUMNS: Final = [
    *("stack_id", "shard", "offset", "length", "digest"),
    *("affine", "effective_spacing_mm", "pad_before", "pad_after"),
]


def read_samples(workspace: Workspace, collections: Path | None = None) -> pl.DataFrame:
    """Read the volumes of a workspace with their labels.

    Args:
        workspace: Labelled and built.
        collections: Table of SeriesInstanceUID and collection_id; None takes a stack's source as its
            collection.

    Returns:
        One row a volume, by stack_id: identifiers, `collection_id`, labels (null where unknown),
        `effective_spacing_mm`, padding, affine, digest, and whether pictures of it are `showable`.

    Raises:
        WorkspaceError: If a table is missing or damaged.
        TableError: If the table of collections cannot be read.
        TrainingError: If there is no volume, a spacing is no number, or a shard is cut short.
    """
    root = workspace.root
    index = read_table(root / INDEX, "build", _VOLUME_COLUMNS)
    labels = read_table(root / LABELS, "label", _LABEL_COLUMNS)
    stacks = read_table(root / SERIES, "group", _STACK_COLUMNS)
    samples = index.join(labels, on="stack_id", how="inner").join(stacks, on="stack_id", how="left")
    if samples.is_empty():
        raise TrainingError(f"{root / INDEX} holds no volume; `radnet build` makes them of the stacks kept")
    # text in the pixels may be the patient's name
    clean = pl.col("BurnedInAnnotation").fill_null("NO").str.to_uppercase() != "YES"
    samples = samples.with_columns(_collection(samples, collections), clean.alias("showable"))
    samples = samples.sort("stack_id")
    _refuse_spacing(samples, root)
    _refuse_cut_shards(samples, root / VOLUMES)
    return samples.drop("source", "BurnedInAnnotation", "shard", "offset", "length")


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest the tables that are read of a workspace, as far as they are there."""
    return {name: digest_file(workspace.root / name) for name in READ if (workspace.root / name).exists()}


def grey_levels(workspace: Workspace, config: RadnetConfig) -> dict[str, Any]:
    """Tell how the volumes' grey levels were made, by the names of `NetworkSpec`.

    Args:
        workspace: Its record tells; drawn volumes have none, since windows vary among them.
        config: Tells where there is no record.
    """
    record = workspace.read_record(VOLUMES)
    made = record.config.get("volumes", {}) if record else {}
    return {name: made.get(name, getattr(config.volumes, name)) for name in GREY_LEVELS}


def refuse_other_grey_levels(workspace: Workspace, spec: NetworkSpec) -> None:
    """Refuse volumes whose grey levels were made in another way than those that a network learnt from.

    Raises:
        TrainingError: If they were; names the first setting that differs.
    """
    record = workspace.read_record(VOLUMES)
    made = record.config.get("volumes", {}) if record else {}
    learnt = spec.model_dump(mode="json", include=set(GREY_LEVELS))
    for name in GREY_LEVELS:
        if made.get(name, learnt[name]) != learnt[name]:
            raise TrainingError(
                f"{workspace.root / VOLUMES} was made with volumes.{name} = {made[name]}, and the network "
                f"learnt with {learnt[name]}; build volumes with the network's settings in another workspace"
            )


def open_store(workspace: Workspace) -> VolumeStore:
    """Open the volumes of a workspace."""
    return VolumeStore(workspace.root / VOLUMES)


def _collection(samples: pl.DataFrame, path: Path | None) -> pl.Expr:
    if path is None:
        name = pl.col("source").str.strip_chars_end("/").str.split("/").list.last()
        return name.alias("collection_id")
    table = read_headers(path)
    missing = {"SeriesInstanceUID", "collection_id"} - set(table.columns)
    if missing:
        raise TrainingError(f"{path}: needs the columns SeriesInstanceUID and collection_id")
    known = table.select("SeriesInstanceUID", "collection_id").unique("SeriesInstanceUID").rows()
    column = pl.col("SeriesInstanceUID")
    return column.replace_strict(dict(known), default=None, return_dtype=TEXT).alias("collection_id")


def _refuse_spacing(samples: pl.DataFrame, root: Path) -> None:
    spacing = pl.col("effective_spacing_mm")
    wrong = samples.filter(~(spacing.is_finite() & (spacing > 0)).fill_null(False))
    if len(wrong):
        raise TrainingError(
            f"{root / INDEX}: the slice spacing of stack {wrong['stack_id'][0]} "
            f"{f'(and {len(wrong) - 1} more) ' if len(wrong) > 1 else ''}is no positive number; "
            "delete 2-series to 4-volumes and run `radnet run` again"
        )


def _refuse_cut_shards(samples: pl.DataFrame, folder: Path) -> None:
    """Refuse shards that end before their last volume, which would show only when that volume is read."""
    ends = samples.group_by("shard").agg((pl.col("offset") + pl.col("length")).max().alias("end"))
    for name, end in ends.sort("shard").iter_rows():
        path = folder / name
        size = path.stat().st_size if path.exists() else 0
        if size < end:
            raise TrainingError(
                f"{path}: has {size:,} bytes where {end:,} are needed; delete it and run `radnet build` again"
            )
