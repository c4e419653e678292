"""Draw a few series of a table of predictions, from the archive, a NIfTI file or the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.config import RadnetConfig
from radnet.errors import RadnetError
from radnet.figures.montage import grey_png, orthogonal_panels
from radnet.predict.candidates import STORE
from radnet.predict.nifti import build_nifti
from radnet.volumes.build import BuiltVolume, build_volume
from radnet.volumes.plan import Plan
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace

BURNED_IN: Final = "not shown: text may be burned into its pixels"
GONE: Final = "not shown: its files cannot be read any more"


class Pictures:
    """Draws series of a workspace.

    Args:
        workspace: That predicted them.
        config: How its volumes are built.
        rows: `stack_id`, `kind`, `path` and `showable` of those that may be asked for.
    """

    def __init__(self, workspace: Workspace, config: RadnetConfig, rows: pl.DataFrame) -> None:
        self._root = workspace.root
        self._config = config
        self._rows = {row["stack_id"]: row for row in rows.iter_rows(named=True)}
        stacks = rows.filter(pl.col("kind") == "dicom")["stack_id"].to_list()
        self._plan = Plan(workspace, config.volumes, stacks) if stacks else None

    def draw(self, stack_id: str) -> tuple[bytes | None, str]:
        """Return a PNG of the three mid-slices, or None and why there is none."""
        row = self._rows[stack_id]
        if not row["showable"]:
            return None, BURNED_IN
        try:
            volume, affine = self._volume(row)
            return grey_png(orthogonal_panels(volume, affine)), ""
        except (RadnetError, OSError):
            return None, GONE

    def _volume(self, row: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return a volume without its padding, and its affine."""
        if row["kind"] == "volume":
            return _stored(self._root / STORE, row["stack_id"])
        if row["kind"] == "nifti":
            built = build_nifti(row["path"], self._config.volumes, self._config.labels.min_slices).volume
        else:
            assert self._plan is not None
            (task,) = self._plan.tasks([row["stack_id"]])
            built = build_volume(task, self._config.volumes)
        return _cut(built), built.affine


def _cut(built: BuiltVolume) -> NDArray[np.uint8]:
    return built.array[built.pad_before : len(built.array) - built.pad_after]


def _stored(folder: Path, stack_id: str) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    store = VolumeStore(folder)
    row = store.index.row(by_predicate=pl.col("stack_id") == stack_id, named=True)
    volume = store.read(stack_id)
    first, last = row["pad_before"] or 0, len(volume) - (row["pad_after"] or 0)
    return volume[first:last], np.array(row["affine"], float).reshape(4, 4)
