"""The stage labels stacks, and explains them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from radnet.config import RadnetConfig, load_config
from radnet.errors import WorkspaceError
from radnet.labels.explain import explain, render
from radnet.labels.stage import inputs, label_stacks
from radnet.tables import LABEL_COLUMNS, SLICE_COLUMNS, STACK_COLUMNS, VOTE_COLUMNS, conform
from radnet.workspace import Workspace, digest_file

AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CT = {
    "patient": "p1",
    "StudyInstanceUID": "1",
    "Modality": "CT",
    "StudyDescription": "CT CHEST W/O",
    "SeriesDescription": "Thorax 5.0",
    "geometry": "uniform",
    "n_slices": 60,
    "n_instances": 60,
    "slice_spacing_mm": 5.0,
    "extent_mm": 300.0,
    "orientation": AXIAL,
    "nearest_view": "axial",
    "tilt_deg": 0.0,
}
STACKS: list[dict[str, Any]] = [
    {**CT, "stack_id": "aaaa1111", "SeriesInstanceUID": "1.1"},
    {**CT, "stack_id": "aaaa2222", "SeriesInstanceUID": "1.2", "geometry": "missing_slice", "n_slices": 8},
    {**CT, "stack_id": "bbbb1111", "SeriesInstanceUID": "1.3", "tilt_deg": 30.0, "patient": "p2"},
    {
        **CT,
        "stack_id": "cccc1111",
        "SeriesInstanceUID": "1.4",
        "tilt_deg": 4.0,
        "orientation": [1.0, 0.0, 0.0, 0.0, 0.998, 0.07],
    },
    {**CT, "stack_id": "dddd1111", "SeriesInstanceUID": "1.5", "SeriesDescription": None, "extent_mm": 40.0},
    {
        **CT,
        "stack_id": "eeee1111",
        "SeriesInstanceUID": "1.6",
        "Modality": "MR",
        "StudyDescription": "MRI BRAIN W/WO",
        "SeriesDescription": "t1_tse_tra",
        "ContrastBolusAgent": "Gadovist",
        "empty_attributes": ["ProtocolName"],
    },
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return fill(tmp_path / "work", STACKS)


def fill(root: Path, stacks: list[dict[str, Any]]) -> Path:
    workspace = Workspace(root)
    schema = {name: STACK_COLUMNS[name] for stack in stacks for name in stack}
    rows = [{name: stack.get(name) for name in schema} for stack in stacks]
    conform(pl.DataFrame(rows, schema=schema), STACK_COLUMNS).write_parquet(
        workspace.folder("2-series") / "series.parquet"
    )
    slices = [
        {"stack_id": stack["stack_id"], "path": f"{stack['stack_id']}/{n}"}
        for stack in stacks
        for n in range(3)
    ]
    conform(pl.DataFrame(slices), SLICE_COLUMNS).write_parquet(root / "2-series/slices.parquet")
    skipped = pl.DataFrame(
        {"path": ["x", "y", "z"], "reason": ["not_dicom", "dicomdir", "duplicate_instance"]}
    )
    skipped.write_parquet(workspace.folder("1-scan") / "skipped.parquet")
    return root


def label(work: Path, config: RadnetConfig = RadnetConfig()) -> dict[str, dict[str, Any]]:
    label_stacks(work, config)
    rows = pl.read_parquet(work / "3-labels/labels.parquet").iter_rows(named=True)
    return {row["stack_id"]: row for row in rows}


def test_the_tables_have_the_shape_of_their_contract(work: Path) -> None:
    summary = label_stacks(work)

    assert dict(pl.read_parquet(summary.labels).schema) == LABEL_COLUMNS
    assert dict(pl.read_parquet(summary.votes).schema) == VOTE_COLUMNS
    assert (summary.n_stacks, summary.n_kept) == (6, 4)
    assert summary.excluded == {"missing_slice": 1, "oblique": 1}


def test_every_stack_is_kept_or_has_all_its_reasons(work: Path) -> None:
    rows = label(work)

    assert rows["aaaa1111"]["decision"] == "keep"
    assert rows["aaaa1111"]["effective_spacing_mm"] == pytest.approx(6.25)
    assert rows["aaaa2222"]["reasons"] == ["missing_slice", "too_few_slices"]
    assert rows["aaaa2222"]["reason"] == "missing_slice"
    assert rows["dddd1111"]["decision"] == "keep"


def test_positions_decide_the_view_and_oblique_is_decided(work: Path) -> None:
    rows = label(work)

    assert (rows["bbbb1111"]["view"], rows["bbbb1111"]["view_status"]) == (None, "decided")
    assert rows["bbbb1111"]["view_rule"] == "measured-oblique"
    assert rows["bbbb1111"]["reasons"] == ["oblique"]
    assert rows["cccc1111"]["view"] == "axial"


def test_a_short_stack_covers_no_region_whatever_its_text(work: Path) -> None:
    rows = label(work)

    assert rows["aaaa1111"]["coverage"] == ["lung"]
    assert rows["dddd1111"]["coverage"] == []


def test_the_papers_policy_differs_where_it_says(work: Path) -> None:
    ours, paper = label(work), label(work, load_config(policy="paper"))

    assert paper["cccc1111"]["reasons"] == ["oblique"]
    assert paper["dddd1111"]["reasons"] == ["no_description"]
    assert paper["eeee1111"]["contrast"] == ours["eeee1111"]["contrast"] == "yes"
    assert {row["sequence"] for row in paper.values()} == {row["sequence"] for row in ours.values()}


def test_the_funnel_begins_with_every_file_and_ends_with_the_kept(work: Path) -> None:
    label_stacks(work)
    rows = {row["step"]: row for row in pl.read_csv(work / "3-labels/funnel.csv").iter_rows(named=True)}

    assert rows["input"]["remaining_files"] == 3 * len(STACKS) + 3
    assert [
        rows[step]["removed_files"] for step in ("unreadable", "unsupported_object", "duplicate_instance")
    ] == [1] * 3
    assert rows["oblique"]["removed_patients"] == 1
    assert (rows["kept"]["remaining_stacks"], rows["kept"]["remaining_files"]) == (4, 12)


def test_a_workspace_without_stacks_in_it_is_labelled(tmp_path: Path) -> None:
    work = fill(tmp_path / "none", STACKS[:1])
    empty = pl.read_parquet(work / "2-series/series.parquet").clear()
    empty.write_parquet(work / "2-series/series.parquet")

    assert label_stacks(work).n_stacks == 0


def test_the_same_stacks_give_the_same_bytes_and_a_record(work: Path) -> None:
    first = digest_file(label_stacks(work).labels)
    second = digest_file(label_stacks(work).labels)
    record = json.loads((work / "3-labels/record.json").read_text())

    assert first == second == record["outputs"]["labels.parquet"]
    assert record["inputs"] == inputs(Workspace(work), RadnetConfig())
    assert {"rules/contrast.toml", "rules/confidence.csv"} <= {*record["inputs"]}
    assert record["config"]["labels"]["min_slices"] == 16


def test_a_missing_table_names_the_verb_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"run `radnet group` first"):
        label_stacks(tmp_path)


def test_an_explanation_shows_votes_reasons_and_what_would_change(work: Path) -> None:
    found = explain(work, "eeee1111").stacks[0]
    contrast = next(shown for shown in found.labels if shown.label == "contrast")
    coverage = next(shown for shown in found.labels if shown.label == "coverage")
    text = render(explain(work, "eeee1111"))

    assert (contrast.value, contrast.rule) == ("yes", "agent-named")
    assert contrast.changes == (("ContrastBolusAgent", "unknown"),)
    assert ("StudyDescription", "unknown") in coverage.changes
    assert "t1_se" in text
    assert "ContrastBolusAgent 'Gadovist'" in text
    assert "without ContrastBolusAgent: unknown" in text


def test_an_explanation_equals_the_labels(work: Path) -> None:
    rows = label(work)
    for stack_id, row in rows.items():
        shown = explain(work, stack_id).stacks[0]
        assert list(shown.reasons) == row["reasons"]
        for one in shown.labels:
            assert one.rule == row[f"{one.label}_rule"]


def test_a_stack_is_found_by_its_series_and_by_its_beginning(work: Path) -> None:
    assert explain(work, "1.3").stacks[0].stack_id == "bbbb1111"
    assert explain(work, "bbbb").stacks[0].stack_id == "bbbb1111"


@pytest.mark.parametrize(
    ("uid", "message"),
    [
        pytest.param("aaaa", r"begins 2 stack_ids; write more", id="ambiguous"),
        pytest.param("ffff", r"no stack or series 'ffff'.*series\.parquet", id="unknown"),
        pytest.param("b", r"no stack or series 'b'", id="too short"),
        pytest.param(" ", r"neither may be blank", id="blank"),
    ],
)
def test_an_unknown_identifier_is_refused_with_the_way_out(work: Path, uid: str, message: str) -> None:
    with pytest.raises(WorkspaceError, match=message):
        explain(work, uid)
