"""Small labelled volumes in a workspace, as the stages before leave them; each shows its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.config import VolumesConfig
from radnet.tables import LABEL_COLUMNS, STACK_COLUMNS, conform, write_table
from radnet.terms import PAPER_SEQUENCES, REGIONS, VIEWS
from radnet.volumes.merge import merge_parts
from radnet.volumes.parts import Parts
from radnet.volumes.shards import digest_of, pack

SHAPE = (8, 16, 16)


def row_of(number: int, patients: int = 12) -> dict[str, Any]:
    """Label the volume of that number; two patients of three are of the first collection."""
    patient = number % patients
    collection = "alpha" if patient % 3 else "beta"
    return {
        "stack_id": f"{number:016x}",
        "patient": f"p{patient}",
        "StudyInstanceUID": f"1.2.{patient}",
        "SeriesInstanceUID": f"1.2.{patient}.{number}",
        "FrameOfReferenceUID": f"1.3.{patient}",
        "acquisition_group": f"a{number}",
        "source": f"/archive/{collection}",
        "sequence": PAPER_SEQUENCES[number % 2],
        "view": VIEWS[number // 2 % 3],
        "contrast": ("no", "yes")[number // 3 % 2] if number % 5 else None,
        "coverage": [REGIONS[number % 3]] if number % 7 else None,
        "effective_spacing_mm": 1.0 + number % 4,
        "decision": "keep",
    }


def volume_of(row: dict[str, Any]) -> NDArray[np.uint8]:
    """Draw a volume: grey by sequence, a bar along the axis of the view, stripes by spacing."""
    number = int(row["stack_id"], 16)
    volume = np.random.default_rng(number).integers(1, 40, SHAPE, np.uint8)
    volume += 120 if row["sequence"] == "ct" else 40
    axis = VIEWS.index(row["view"] or "axial")
    np.moveaxis(volume, axis, 0)[: SHAPE[axis] // 2, :5, :5] = 250
    volume[:: 1 + int(row["effective_spacing_mm"])] //= 2
    return volume


def write_labelled(work: Path, rows: list[dict[str, Any]], shard_volumes: int = 16) -> Path:
    """Write 2-series, 3-labels and 4-volumes of a workspace."""
    for folder in ("2-series", "3-labels", "4-volumes/parts"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows, infer_schema_length=None)
    write_table(conform(frame, LABEL_COLUMNS), work / "3-labels/labels.parquet")
    write_table(conform(frame, STACK_COLUMNS), work / "2-series/series.parquet")
    parts = Parts(work / "4-volumes/parts")
    for row in rows:
        volume = volume_of(row)
        packed = pack(volume, "none")
        parts.add_volume(
            {
                "stack_id": row["stack_id"],
                "length": len(packed),
                "affine": np.diag([row["effective_spacing_mm"], 1.0, 1.0, 1.0]).ravel().tolist(),
                "effective_spacing_mm": row["effective_spacing_mm"],
                "window_low": 0.0,
                "window_high": 1.0,
                "pad_before": 0,
                "pad_after": 0,
                "digest": digest_of(volume),
                "inputs": "same",
            },
            packed,
        )
    config = VolumesConfig(shape=SHAPE, shard_volumes=shard_volumes)
    merge_parts(work / "4-volumes", parts, {row["stack_id"]: "same" for row in rows}, config)
    return work


def write_small(work: Path, n_volumes: int = 48) -> Path:
    """Write a workspace of 12 patients."""
    return write_labelled(work, [row_of(number) for number in range(n_volumes)])
