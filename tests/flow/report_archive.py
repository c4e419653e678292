"""A small labelled workspace made by hand, whose every number is known."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from radnet.report.artefacts import FUNNEL_UNITS
from radnet.tables import (
    INSTANCE_COLUMNS,
    LABEL_COLUMNS,
    SKIPPED_COLUMNS,
    STACK_COLUMNS,
    VOLUME_COLUMNS,
    VOTE_COLUMNS,
    conform,
    write_table,
)
from radnet.terms import LABELS
from radnet.volumes.shards import digest_of, pack, write_shard

AXIAL_AFFINE = [0.0, 0.0, 2.0, -190.0, 0.0, 2.0, 0.0, -190.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
NO_STACKS = pl.DataFrame(schema={"stack_id": pl.String})
SHAPE = (48, 192, 192)

KEPT = {
    "decision": "keep",
    "sequence": "ct",
    "view": "axial",
    "contrast": "yes",
    "coverage": ["liver", "kidney"],
    "slice_spacing_mm": 2.5,
    "effective_spacing_mm": 5.0,
    "n_slices": 96,
}
LOCALIZER = {
    "decision": "exclude",
    "reason": "too_few_slices",
    "sequence": "localizer",
    "coverage": None,
    "coverage_status": "unknown",
    "n_slices": 3,
    "slice_spacing_mm": 20.0,
}


@dataclass
class Archive:
    """Rows of the tables; a stack's defaults are those of a kept abdominal CT of its own patient."""

    stacks: list[dict[str, Any]] = field(default_factory=list)
    votes: list[tuple[str, str, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, **values: Any) -> str:
        """Add a stack and return its identifier."""
        number = len(self.stacks)
        stack_id = f"{number:016x}"
        defaults = {
            "stack_id": stack_id,
            "patient": f"{0xFACE0000 + number:016x}",
            "StudyInstanceUID": f"1.2.840.1.{number}",
            "SeriesInstanceUID": f"1.2.840.2.{number}",
            **{f"{label}_status": "decided" for label in LABELS},
            **{f"{label}_rule": f"{label}-named" for label in LABELS},
            **{f"{label}_evidence": "SeriesDescription: nothing to see" for label in LABELS},
        }
        self.stacks.append({**defaults, **KEPT, **values})
        return stack_id

    def vote(self, stack_id: str, label: str, rule: str, value: str) -> None:
        """Add a vote."""
        self.votes.append((stack_id, label, value, rule))

    def write(self, work: Path, *, volumes: bool = True) -> Path:
        """Write the tables of all stages before the report."""
        for folder in ("1-scan", "2-series", "3-labels", "4-volumes")[: 4 if volumes else 3]:
            (work / folder).mkdir(parents=True, exist_ok=True)
        stacks = pl.DataFrame(self.stacks, infer_schema_length=None) if self.stacks else NO_STACKS
        write_table(conform(stacks, INSTANCE_COLUMNS), work / "1-scan/instances.parquet")
        skipped = pl.DataFrame(self.skipped, schema=["reason", "error"], orient="row")
        write_table(conform(skipped, SKIPPED_COLUMNS), work / "1-scan/skipped.parquet")
        write_table(conform(stacks, STACK_COLUMNS), work / "2-series/series.parquet")
        write_table(conform(stacks, LABEL_COLUMNS), work / "3-labels/labels.parquet")
        votes = pl.DataFrame(self.votes, schema=["stack_id", "label", "value", "rule"], orient="row")
        votes = votes.with_columns(text=pl.lit("EVIDENCE^CANARY"), attribute=pl.lit("SeriesDescription"))
        write_table(conform(votes, VOTE_COLUMNS), work / "3-labels/votes.parquet")
        self._write_funnel(work / "3-labels/funnel.csv")
        if volumes:
            self._write_volumes(work / "4-volumes")
        return work

    def _write_funnel(self, path: Path) -> None:
        excluded = [stack for stack in self.stacks if stack["decision"] != "keep"]
        whole, gone = len(self.stacks), len(excluded)
        rows = [
            ("input", *[0] * 4, whole + len(self.skipped), whole, whole, whole),
            ("unreadable", len(self.skipped), 0, 0, 0, *[whole] * 4),
            ("too_few_slices", *[gone] * 4, *[whole - gone] * 4),
            ("kept", *[0] * 4, *[whole - gone] * 4),
        ]
        with path.open("w", newline="") as handle:
            table = csv.writer(handle)
            table.writerow(["step", *(f"{k}_{u}" for k in ("removed", "remaining") for u in FUNNEL_UNITS)])
            table.writerows(rows)

    def _write_volumes(self, folder: Path) -> None:
        names = [stack["stack_id"] for stack in self.stacks if stack["decision"] == "keep"]
        ramp = np.broadcast_to(np.linspace(0, 255, SHAPE[2]).astype(np.uint8), SHAPE)
        packed = [pack(np.ascontiguousarray(ramp), "none") for _ in names]
        places = write_shard(folder / "a.npy", packed, (len(names), *SHAPE)) if names else []
        rows = [
            {
                "stack_id": name,
                "shard": "a.npy",
                "offset": offset,
                "length": length,
                "affine": AXIAL_AFFINE,
                "pad_before": 0,
                "pad_after": 0,
                "digest": digest_of(ramp),
            }
            for name, (offset, length) in zip(names, places, strict=True)
        ]
        write_table(
            conform(pl.DataFrame(rows) if rows else NO_STACKS, VOLUME_COLUMNS), folder / "index.parquet"
        )
