"""The whole chain on real scans: every expected answer, and the same answers whatever the way."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pydicom
import pytest

from radnet.config import load_config
from radnet.executors import Shard, Workers
from radnet.pipeline import run_pipeline

SCANS = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"
EXPECTED = list(csv.DictReader((SCANS / "expected.csv").open())) if SCANS.exists() else []

pytestmark = [
    pytest.mark.skipif(not EXPECTED, reason="the real scans are not beside this checkout"),
    pytest.mark.xdist_group("real scans"),
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    list(run_pipeline([SCANS], folder, until="volumes", workers=Workers(count=2)))
    return folder


@pytest.fixture(scope="module")
def stacks(work: Path) -> pl.DataFrame:
    return labelled(work)


def labelled(work: Path) -> pl.DataFrame:
    series = pl.read_parquet(work / "2-series/series.parquet")
    labels = pl.read_parquet(work / "3-labels/labels.parquet")
    return series.join(labels.select(set(labels.columns) - set(series.columns) | {"stack_id"}), on="stack_id")


def series_of(folder: str) -> set[str]:
    """Return the SeriesInstanceUIDs of a folder or zip file, read by pydicom."""
    place = SCANS / folder
    if place.suffix == ".zip":
        with zipfile.ZipFile(place) as archive:
            members = [io.BytesIO(archive.read(name)) for name in archive.namelist() if name[-1] != "/"]
        return {str(uid) for member in members if (uid := uid_of(member))}
    return {str(uid) for path in place.iterdir() if path.is_file() and (uid := uid_of(path))}


def uid_of(file: Any) -> str | None:
    try:
        found = pydicom.dcmread(
            file, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True, force=True
        )
    except (OSError, ValueError, AttributeError):
        return None
    return found.get("SeriesInstanceUID")


def stacks_of(row: dict[str, str], stacks: pl.DataFrame) -> pl.DataFrame:
    echo = re.search(r" \(TE(\d+)\)$", row["folder"])
    folder = row["folder"][: echo.start()] if echo else row["folder"]
    here = pl.col("path").str.contains(f"/{folder}", literal=True)  # for files whose identifiers were wiped
    known = here | pl.col("SeriesInstanceUID").is_in(series_of(folder))
    found = stacks.filter(known, Modality=row["Modality"])
    return found.filter(pl.col("EchoTime").round() == int(echo[1])) if echo else found


def as_text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return ";".join(value) or "none"
    return str(value)


@pytest.mark.parametrize("row", EXPECTED, ids=[row["folder"] for row in EXPECTED])
def test_every_expected_answer(row: dict[str, str], stacks: pl.DataFrame) -> None:
    found = stacks_of(row, stacks)
    assert len(found) >= 1
    columns = ("n_slices", "geometry", "sequence", "view", "contrast", "coverage")
    for stack in found.iter_rows(named=True):
        asked = {name: row[name] for name in columns if row[name]}
        assert {name: as_text(stack[name]) for name in asked} == asked
        if row["slice_spacing_mm"]:
            assert stack["slice_spacing_mm"] == pytest.approx(float(row["slice_spacing_mm"]), rel=0.02)


def test_every_file_is_accounted_for(work: Path) -> None:
    """Every file and archive member is an instance or skipped with a reason."""
    instances = pl.read_parquet(work / "1-scan/instances.parquet", columns=["path"])
    skipped = pl.read_parquet(work / "1-scan/skipped.parquet")
    found = set(instances["path"]) | set(skipped["path"])
    for path in SCANS.rglob("*"):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/")]
            assert {f"{path}!{name}" for name in members} <= found
        elif path.is_file():
            assert str(path) in found
    assert skipped["reason"].null_count() == 0


def test_kept_stacks_have_volumes(work: Path, stacks: pl.DataFrame) -> None:
    kept = set(stacks.filter(decision="keep")["stack_id"])
    assert kept
    assert set(pl.read_parquet(work / "4-volumes/index.parquet")["stack_id"]) == kept


def test_a_zip_of_the_folder_gives_the_same_labels(stacks: pl.DataFrame, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(SCANS.rglob("*.dcm")) + sorted((SCANS / "ct_abdomen_jpeg2000").iterdir()):
            archive.write(path, path.relative_to(SCANS))
    list(run_pipeline([tmp_path / "all.zip"], tmp_path / "w", until="labels", workers=Workers("serial")))
    elsewhere = ("source", "path", "patient")  # each workspace has its own patient key
    again = labelled(tmp_path / "w").drop(elsewhere)
    both = stacks.filter(pl.col("stack_id").is_in(again["stack_id"].implode())).drop(elsewhere)
    assert len(again) > 30
    assert both.select(again.columns).equals(again)


def test_three_shares_give_the_same_labels(stacks: pl.DataFrame, tmp_path: Path) -> None:
    for index in (2, 0, 1):
        steps = run_pipeline(
            [SCANS], tmp_path, shard=Shard(index, 3), workers=Workers("serial"), until="labels"
        )
        assert len(list(steps)) == (3 if index == 1 else 1)
    again = labelled(tmp_path)
    assert again.drop("patient").equals(stacks.select(again.columns).drop("patient"))


def test_the_paper_policy_differs_only_where_it_says(
    work: Path, stacks: pl.DataFrame, tmp_path: Path
) -> None:
    """Only view (exact orientations), contrast (agent alone) and what follows from them may change."""
    config = load_config(policy="paper")
    list(run_pipeline([SCANS], tmp_path, config, Workers(count=2), until="labels"))
    paper = labelled(tmp_path).sort("stack_id")
    default = stacks.sort("stack_id")
    assert paper["stack_id"].equals(default["stack_id"])
    for same in ("sequence", "coverage", "geometry", "slice_spacing_mm", "effective_spacing_mm"):
        assert paper[same].equals(default[same]), same
    assert set(paper["contrast"]) <= {"yes", "no"}
    agent_missing = paper.filter(pl.col("ContrastBolusAgent").fill_null("") == "")
    assert set(agent_missing["contrast"]) <= {"no"}
    for before, after in zip(default.iter_rows(named=True), paper.iter_rows(named=True), strict=True):
        gained = set(after["reasons"]) - set(before["reasons"])
        assert gained <= {"oblique", "no_description"}
        assert set(before["reasons"]) <= set(after["reasons"])
        if after["view"] != before["view"]:
            assert after["view"] is None
