"""A stage and an explanation see the whole study of a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from radnet.labels.explain import explain, render
from radnet.labels.stage import label_stacks
from radnet.tables import SLICE_COLUMNS, STACK_COLUMNS, conform
from radnet.workspace import Workspace

SERIES = [("SAG T1", "101000"), ("AX T1", "102000"), ("AX T1 +C", "103000"), ("AX T2 FLAIR", "104000")]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    stacks: list[dict[str, Any]] = [
        {
            "stack_id": f"{study}{number}" * 8,
            "patient": study,
            "StudyInstanceUID": study,
            "SeriesInstanceUID": f"{study}.{number}",
            "SeriesNumber": number,
            "Modality": "MR",
            "StudyDescription": "MRI BRAIN W/WO",
            "SeriesDescription": text,
            "AcquisitionTime": time,
            "geometry": "uniform",
            "n_slices": 30,
            "n_instances": 30,
            "slice_spacing_mm": 5.0,
            "extent_mm": 150.0,
            "orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "nearest_view": "axial",
            "tilt_deg": 0.0,
        }
        for study in "ab"
        for number, (text, time) in enumerate(SERIES)
    ]
    folder = Workspace(tmp_path).folder("2-series")
    conform(pl.DataFrame(stacks), STACK_COLUMNS).write_parquet(folder / "series.parquet")
    slices = pl.DataFrame({"stack_id": [stack["stack_id"] for stack in stacks], "path": "x"})
    conform(slices, SLICE_COLUMNS).write_parquet(folder / "slices.parquet")
    label_stacks(tmp_path)
    return tmp_path


def test_the_stage_reads_order_in_every_study(work: Path) -> None:
    labels = pl.read_parquet(work / "3-labels/labels.parquet")
    votes = pl.read_parquet(work / "3-labels/votes.parquet")

    assert (
        labels["contrast_rule"].to_list()
        == [
            None,
            "before-its-enhanced-twin",
            "says-given",
            "after-enhanced",
        ]
        * 2
    )
    assert votes.filter(pl.col("rule") == "after-enhanced")["text"].unique().to_list() == [
        "series 2 (says-given) 600 s earlier"
    ]


def test_an_explanation_sees_the_study_and_says_what_the_time_was_worth(work: Path) -> None:
    for row in pl.read_parquet(work / "3-labels/labels.parquet").iter_rows(named=True):
        shown = explain(work, row["stack_id"]).stacks[0]
        contrast = next(label for label in shown.labels if label.label == "contrast")
        assert contrast.rule == row["contrast_rule"]
    changes = dict(contrast.changes)

    assert changes["AcquisitionTime"] == "unknown"
    assert "enhanced_before 'series 2 (says-given) 600 s earlier'" in render(explain(work, "b3" * 8))
