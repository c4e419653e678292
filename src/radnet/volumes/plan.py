"""Say which volumes are to be built, from what, and by what digest they are known.

The digest covers what decides a volume's voxels and affine: the needed slices' files and pixel attributes,
the stack's geometry, and the configuration. It leaves out paths, so an archive may move.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import polars as pl

from radnet.config import VolumesConfig
from radnet.geometry import effective_spacing
from radnet.tables import read_table
from radnet.volumes.pixels import SliceSource
from radnet.volumes.resize import needed_slices
from radnet.workspace import Workspace

LABELS: Final = "3-labels/labels.parquet"
SERIES: Final = "2-series/series.parquet"
SLICES: Final = "2-series/slices.parquet"
INSTANCES: Final = "1-scan/instances.parquet"
VERBS: Final = {LABELS: "label", SERIES: "group", SLICES: "group", INSTANCES: "scan"}
"""What the stage reads, and the command that writes it."""

FORMAT: Final = 1
"""Grows when the same inputs would give other voxels, so that older volumes become stale."""
_LAYOUT_KEYS: Final = {"shard_volumes"}
"""Configuration that moves volumes but does not change them."""

_SOURCE: Final = tuple(field.name for field in fields(SliceSource))
_IDENTITY: Final = ("SOPInstanceUID", "size", "mtime_ns", "ImagePositionPatient")
_STACK: Final = (
    "stack_id",
    "n_slices",
    "slice_spacing_mm",
    "orientation",
    "PixelSpacing",
    "Modality",
    "path",
)
_SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True)
class StackTask:
    """All that one volume is built from.

    Attributes:
        stack_id: The stack.
        inputs: Digest of everything below and of the configuration.
        modality: CT, MR ...
        n_slices: Slices of the stack.
        effective_spacing_mm: Between slices of the volume; None when there is one position.
        orientation: (6,) direction cosines as stored; None here and below when the header has none.
        pixel_spacing: (2,) mm between rows and between columns as stored.
        first_position: (3,) mm of the canonically first slice.
        last_position: (3,) of the last.
        sources: The needed slices by number.
    """

    stack_id: str
    inputs: str
    modality: str | None
    n_slices: int
    effective_spacing_mm: float | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    first_position: tuple[float, ...] | None
    last_position: tuple[float, ...] | None
    sources: dict[int, SliceSource]


class Plan:
    """The kept stacks, in the order of their files.

    Args:
        workspace: With the tables of scan, series and labels.
        config: What the volumes shall be.
        only: The stacks wanted, whatever was decided of them; None takes those that are kept.

    Attributes:
        inputs: Digest of the inputs by stack.

    Raises:
        WorkspaceError: If a table is missing or damaged.
    """

    def __init__(
        self, workspace: Workspace, config: VolumesConfig, only: Sequence[str] | None = None
    ) -> None:
        self._target = config.shape[0]
        stacks = _kept_stacks(workspace) if only is None else _stacks(workspace, only)
        slices = _located(workspace, _needed(_slices(workspace, stacks), stacks, self._target))
        grouped = _described(_grouped(slices).join(stacks, on="stack_id")).sort("path", "stack_id")
        self._stacks = {row["stack_id"]: row for row in grouped.iter_rows(named=True)}
        self._slices = slices.sort("stack_id", "slice")
        starts = (
            self._slices.with_row_index("start").group_by("stack_id").agg(pl.col("start").min(), pl.len())
        )
        self._rows = {stack_id: (start, count) for stack_id, start, count in starts.iter_rows()}
        wanted = config.model_dump(mode="json", exclude=_LAYOUT_KEYS)
        common = json.dumps({"format": FORMAT, **wanted}, sort_keys=True)
        self.inputs: dict[str, str] = {
            stack_id: hashlib.sha256(f"{common}{_SEPARATOR}{row['fingerprint']}".encode()).hexdigest()
            for stack_id, row in self._stacks.items()
        }

    def tasks(self, stack_ids: list[str]) -> Iterator[StackTask]:
        """Yield what the volumes of these stacks are built from."""
        for stack_id in stack_ids:
            yield self._task(stack_id)

    def _task(self, stack_id: str) -> StackTask:
        row = self._stacks[stack_id]
        n_slices, spacing_mm = row["n_slices"], row["slice_spacing_mm"]
        slices = self._slices.slice(*self._rows[stack_id])
        sources = slices.filter("is_needed").select("slice", *_SOURCE).to_dicts()
        return StackTask(
            stack_id=stack_id,
            inputs=self.inputs[stack_id],
            modality=row["Modality"],
            n_slices=n_slices,
            effective_spacing_mm=spacing_mm and effective_spacing(n_slices, spacing_mm, self._target),
            orientation=_tuple(row["orientation"]),
            pixel_spacing=_tuple(row["PixelSpacing"]),
            first_position=_tuple(row["first_position"]),
            last_position=_tuple(row["last_position"]),
            sources={source.pop("slice"): SliceSource(**source) for source in sources},
        )


def _kept_stacks(workspace: Workspace) -> pl.DataFrame:
    kept = _read(workspace, LABELS, ["stack_id", "decision"]).filter(pl.col("decision") == "keep")
    return _read(workspace, SERIES, list(_STACK)).join(kept, on="stack_id", how="semi")


def _stacks(workspace: Workspace, wanted: Sequence[str]) -> pl.DataFrame:
    named = pl.DataFrame({"stack_id": wanted}, schema={"stack_id": pl.String})
    return _read(workspace, SERIES, list(_STACK), named)


def _slices(workspace: Workspace, stacks: pl.DataFrame) -> pl.DataFrame:
    """Return the slices of these stacks; of several at one position the first."""
    slices = _read(workspace, SLICES, ["stack_id", "slice", "path", "frame"], stacks)
    slices = slices.sort("stack_id", "slice", "path", "frame")
    return slices.unique(["stack_id", "slice"], keep="first", maintain_order=True)


def _needed(slices: pl.DataFrame, stacks: pl.DataFrame, target: int) -> pl.DataFrame:
    """Keep the slices that the resize needs, and the first and last one for their positions."""
    counts = stacks["n_slices"].unique().to_list()
    pairs = [(count, number) for count in counts for number in needed_slices(count, target)]
    needed = pl.DataFrame(pairs, schema={"n_slices": pl.Int64, "slice": pl.Int64}, orient="row")
    needed = needed.with_columns(is_needed=True)
    counted = slices.join(stacks.select("stack_id", "n_slices"), on="stack_id")
    marked = counted.join(needed, on=["n_slices", "slice"], how="left")
    is_end = (pl.col("slice") == 0) | (pl.col("slice") == pl.col("n_slices") - 1)
    marked = marked.with_columns(pl.col("is_needed").fill_null(False))
    return marked.filter(pl.col("is_needed") | is_end).drop("n_slices")


def _located(workspace: Workspace, slices: pl.DataFrame) -> pl.DataFrame:
    """Add where the pixels of each slice lie and how they are written."""
    instances = _read(workspace, INSTANCES, sorted({*_SOURCE, *_IDENTITY}), slices.select("path").unique())
    return slices.join(instances, on=["path", "frame"], how="left", nulls_equal=True)


def _grouped(slices: pl.DataFrame) -> pl.DataFrame:
    """Return, a stack, the positions of its first and last slice and the text that the digest is taken of."""
    columns = [name for name in (*_SOURCE, *_IDENTITY) if name != "path"]
    texts = [_text(name, slices.schema[name]) for name in ("slice", *columns)]
    line = pl.concat_str(texts, separator=_SEPARATOR)
    position = pl.col("ImagePositionPatient").sort_by("slice")
    return slices.group_by("stack_id").agg(
        position.first().alias("first_position"),
        position.last().alias("last_position"),
        line.sort_by("slice").str.join("\n").alias("slice_texts"),
    )


def _described(stacks: pl.DataFrame) -> pl.DataFrame:
    texts = [_text(name, stacks.schema[name]) for name in (*_STACK, "slice_texts") if name != "path"]
    return stacks.with_columns(pl.concat_str(texts, separator=_SEPARATOR).alias("fingerprint"))


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.join(",", ignore_nulls=False)
    return column.cast(pl.String).fill_null("")


def _read(
    workspace: Workspace, name: str, columns: list[str], those: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Read a table, or only the rows whose first column in `those` is one of its values."""
    return read_table(workspace.root / name, VERBS[name], columns, those)


def _tuple(values: list[Any] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
