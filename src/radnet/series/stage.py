"""Group instances into stacks: 1-scan/instances.parquet to 2-series/series.parquet and slices.parquet.

A stack's identifier depends on what it is, never on where its files lie or in which order they were read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from radnet import __version__
from radnet.config import RadnetConfig, SeriesConfig
from radnet.errors import WorkspaceError
from radnet.executors import Progress, silent
from radnet.series.identifiers import acquisition_group, stack_id
from radnet.series.order import Ordered, order_stack
from radnet.series.split import (
    HARD_KEYS,
    OVERLAP_ATTRIBUTES,
    Headers,
    Rows,
    read_headers,
    split_series,
    with_hard_keys,
)
from radnet.tables import (
    INSTANCE_COLUMNS,
    SLICE_COLUMNS,
    STACK_COLUMNS,
    conform,
    read_table,
    write_table,
)
from radnet.workspace import Workspace, digest_file

FOLDER: Final = "2-series"
INSTANCES: Final = "1-scan/instances.parquet"
OUTPUTS: Final = ("series.parquet", "slices.parquet")
PROGRESS_EVERY: Final = 500

_GROUPING_COLUMNS: Final = sorted(
    {
        *(name for name in (*HARD_KEYS, *OVERLAP_ATTRIBUTES) if name in INSTANCE_COLUMNS),
        "path",
        "patient",
        "frame",
        "ImageType",
        "PixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "TemporalPositionIdentifier",
        "TriggerTime",
        "InstanceNumber",
        "SOPInstanceUID",
    }
)
_SUMMED: Final = ("path", "AcquisitionTime", "AcquisitionNumber")
"""What is asked of all slices of a stack; of its other attributes the first slice speaks."""


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What grouping found.

    Attributes:
        n_instances: Instances read.
        n_series: Series that they belong to.
        n_stacks: Stacks made of them.
        geometry: Stacks by verdict.
        series: The table of stacks.
        slices: The table of their slices.
    """

    n_instances: int
    n_series: int
    n_stacks: int
    geometry: dict[str, int]
    series: Path
    slices: Path


def group_series(
    work: Path | str, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> GroupSummary:
    """Group the scanned instances into stacks and judge their geometry.

    Args:
        work: The workspace; `radnet scan` must have filled its 1-scan.
        config: Its `series` table is used.
        progress: Called with instances done.

    Raises:
        WorkspaceError: If the instance table is missing, a scan rewrites it meanwhile, or another process
            writes the stacks.
    """
    workspace = Workspace(work)
    path = workspace.root / INSTANCES
    read = inputs(workspace, config)
    instances = read_table(path, "scan", _GROUPING_COLUMNS)
    with workspace.lock(FOLDER):
        folder = workspace.folder(FOLDER)
        stacks, slices = _group(instances, path, config.series, progress)
        if inputs(workspace, config) != read:  # rows were looked up by number in another table
            raise WorkspaceError(f"{path} was rewritten while it was grouped; run `radnet group` again")
        write_table(stacks, folder / OUTPUTS[0])
        write_table(slices, folder / OUTPUTS[1])
        workspace.write_record(
            "series",
            FOLDER,
            config.model_dump(mode="json", include={"series"}),
            read,
            OUTPUTS,
            __version__,
        )
    return GroupSummary(
        n_instances=len(instances),
        n_series=stacks.select("StudyInstanceUID", "SeriesInstanceUID").n_unique(),
        n_stacks=len(stacks),
        geometry=dict(sorted(Counter(stacks["geometry"]).items())),
        series=folder / OUTPUTS[0],
        slices=folder / OUTPUTS[1],
    )


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest what grouping reads; without it, nothing."""
    path = workspace.root / INSTANCES
    return {INSTANCES: digest_file(path)} if path.exists() else {}


def _group(
    instances: pl.DataFrame, path: Path, config: SeriesConfig, progress: Progress
) -> tuple[pl.DataFrame, pl.DataFrame]:
    keyed = with_hard_keys(instances)
    headers = read_headers(keyed)
    found = list(_stacks(headers, keyed, config, progress))
    ordered, keys = [stack for stack, _ in found], [key for _, key in found]
    rows = np.concatenate([stack.rows for stack in ordered]) if ordered else np.empty(0, np.int64)
    lengths = [len(stack.rows) for stack in ordered]
    firsts = np.array([stack.rows[0] for stack in ordered], np.int64)
    summed = _sums(path, rows, np.repeat(np.arange(len(ordered)), lengths))
    stacks = _attributes(path, firsts).hstack(_measures(ordered, keys)).hstack(summed)
    stacks = stacks.with_columns(stack_id()).with_columns(acquisition_group())
    slices = pl.DataFrame(
        {
            "stack_id": np.repeat(stacks["stack_id"].to_numpy(), lengths) if ordered else [],
            "slice": np.concatenate([stack.slices for stack in ordered]) if ordered else [],
            "position_mm": np.concatenate([stack.offsets for stack in ordered]) if ordered else [],
        }
    ).hstack(keyed[rows].select("path", "frame"))
    return (
        conform(stacks, STACK_COLUMNS).sort("stack_id"),
        conform(slices, SLICE_COLUMNS).sort("stack_id", maintain_order=True),
    )


def _stacks(
    headers: Headers, keyed: pl.DataFrame, config: SeriesConfig, progress: Progress
) -> Iterator[tuple[Ordered, str]]:
    """Yield every stack in order, with its split key."""
    if not len(keyed):
        return
    times = keyed.select(pl.struct("TemporalPositionIdentifier", "TriggerTime").rank("dense"))
    tie_break = keyed.select(pl.struct("InstanceNumber", "SOPInstanceUID", "frame", "path").rank("ordinal"))
    moments, ranks = (frame.to_series().to_numpy().astype(np.int64) for frame in (times, tie_break))
    by_series = np.argsort(headers.series, kind="stable")
    bounds = np.flatnonzero(np.diff(headers.series[by_series])) + 1
    done = 0
    for number, rows in enumerate(np.split(by_series, bounds)):
        hard = keyed.row(int(rows[0]), named=True)
        prefix = f"{hard['SOPClassUID']};{hard['Rows']}x{hard['Columns']};{hard['pixel_spacing']}"
        for stack in split_series(headers, rows, config.orientation_tolerance):
            # only the folder's own name: where the archive lies must not change the identifier
            folder = hard["folder"].replace("!", "/").rpartition("/")[2]
            key = ";".join(filter(None, (prefix, folder, stack.split_key)))
            yield order_stack(headers, stack, moments, ranks, config), key
        done += len(rows)
        if number % PROGRESS_EVERY == 0:
            progress(done, len(keyed))
    progress(len(keyed), len(keyed))


def _measures(ordered: list[Ordered], keys: list[str]) -> pl.DataFrame:
    columns = {
        "split_key": keys,
        "n_instances": [len(stack.rows) for stack in ordered],
        "n_slices": [stack.n_slices for stack in ordered],
        "n_times": [int(np.bincount(stack.slices).max()) for stack in ordered],
        "geometry": [stack.geometry for stack in ordered],
        "slice_spacing_mm": [stack.spacing_mm for stack in ordered],
        "extent_mm": [stack.extent_mm for stack in ordered],
        "orientation": [
            None if stack.orientation is None else stack.orientation.tolist() for stack in ordered
        ],
        "nearest_view": [stack.nearest_view for stack in ordered],
        "tilt_deg": [stack.tilt_deg for stack in ordered],
        "shear_deg": [stack.shear_deg for stack in ordered],
    }
    return pl.DataFrame(columns, schema={name: STACK_COLUMNS[name] for name in columns})


def _attributes(path: Path, firsts: Rows) -> pl.DataFrame:
    """Read, for each stack, the header attributes of its first slice."""
    names = [name for name in STACK_COLUMNS if name in INSTANCE_COLUMNS and name != "AcquisitionTime"]
    return _picked(path, names, firsts, np.arange(len(firsts))).sort("stack").drop("stack").collect()


def _sums(path: Path, rows: Rows, stack: Rows) -> pl.DataFrame:
    """Count the files of each stack and find the first acquisition time and number in it."""
    return (
        _picked(path, _SUMMED, rows, stack)
        .group_by("stack")
        .agg(
            pl.col("path").n_unique().cast(pl.Int64).alias("n_files"),
            pl.col("AcquisitionTime").min(),
            pl.col("AcquisitionNumber").min(),
        )
        .sort("stack")
        .drop("stack")
        .collect()
    )


def _picked(path: Path, names: Sequence[str], rows: Rows, stack: Rows) -> pl.LazyFrame:
    """Read columns of single rows, with the number of the stack that each belongs to."""
    wanted = pl.LazyFrame({"row": rows, "stack": stack}).cast({"row": pl.get_index_type()})
    table = pl.scan_parquet(path).select(names).with_row_index("row")
    return table.join(wanted, on="row", how="inner").drop("row")
