"""The whole chain on a synthetic archive: its answers against the truth, and no patient text anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from radnet.synthetic.identity import PHI_CANARIES

pytestmark = pytest.mark.xdist_group("synthetic chain")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a small archive and its workspace, and all that was printed."""
    folder = tmp_path_factory.mktemp("chain")
    printed = ""
    for arguments in (
        ["synthesize", "demo", "--preset", "tiny"],
        ["run", "demo/archive", "--work", "demo/work", "--workers", "2"],
        ["status", "--work", "demo/work"],
    ):
        command = [sys.executable, "-m", "radnet", *arguments]
        outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert outcome.returncode == 0, outcome.stderr
        printed += outcome.stdout + outcome.stderr
    return folder / "demo", printed


@pytest.fixture(scope="module")
def answers(demo: tuple[Path, str]) -> pl.DataFrame:
    """Truth and labels side by side, one row a stack whose series holds no other."""
    folder, _ = demo
    truth = pl.read_csv(folder / "truth.csv", infer_schema=False)
    labels = pl.read_parquet(folder / "work" / "3-labels" / "labels.parquet")
    alone = truth.filter(pl.len().over("SeriesInstanceUID") == 1)
    return alone.join(labels, on="SeriesInstanceUID", suffix="_found")


@pytest.mark.parametrize("label", ["sequence", "view", "geometry", "form"])
def test_answers_equal_the_truth(label: str, answers: pl.DataFrame) -> None:
    told = answers.filter(pl.col(label).is_not_null())
    assert len(told) >= 5
    wrong = told.filter(pl.col(label).ne_missing(pl.col(f"{label}_found")))
    assert wrong.select("path", label, f"{label}_found").rows() == []


def test_coverage_equals_the_truth(answers: pl.DataFrame) -> None:
    told = answers.filter(pl.col("coverage").is_not_null())
    for row in told.iter_rows(named=True):
        expected = set() if row["coverage"] == "none" else set(row["coverage"].split(";"))
        assert set(row["coverage_found"]) == expected, row["path"]


def test_contrast_is_right_or_unknown_and_found_where_an_agent_is_named(answers: pl.DataFrame) -> None:
    assert answers.filter(
        pl.col("contrast_found").is_not_null() & (pl.col("contrast") != pl.col("contrast_found"))
    ).is_empty()
    assert answers.filter(contrast="yes")["contrast_found"].null_count() == 0


def test_spacing_equals_the_truth(answers: pl.DataFrame) -> None:
    told = answers.filter(pl.col("geometry") == "uniform")
    for expected, found in told.select("slice_spacing_mm", "slice_spacing_mm_found").rows():
        assert found == pytest.approx(float(expected), rel=0.01)


def test_the_same_stacks_are_kept(answers: pl.DataFrame) -> None:
    kept = set(answers.filter(keep="yes")["SeriesInstanceUID"])
    assert kept
    assert set(answers.filter(decision="keep")["SeriesInstanceUID"]) == kept


def test_a_second_run_finds_all_fresh(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    command = [sys.executable, "-m", "radnet", "run", str(folder / "archive"), "--work", str(folder / "work")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.count("fresh, left as it is") == 4


def test_a_changed_key_makes_what_follows_stale(demo: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = demo
    (tmp_path / "radnet.toml").write_text("[labels]\nmin_slices = 99\n")
    command = [sys.executable, "-m", "radnet", "status", "--work", str(folder / "work"), "--config"]
    printed = subprocess.run(
        [*command, str(tmp_path / "radnet.toml")], capture_output=True, text=True, check=True
    ).stdout
    states = [line.split()[3] for line in printed.splitlines()[1:] if line[0].isdigit()]
    assert states == ["fresh", "fresh", "stale", "stale", "stale"]
    assert "labels.min_slices was 16, is 99" in " ".join(printed.split())


def test_no_identity_is_printed_stored_or_reported(demo: tuple[Path, str]) -> None:
    """Names, birth dates, numbers and institutions are nowhere, not even in the tables."""
    folder, printed = demo
    found = [canary for canary in PHI_CANARIES if canary in printed]
    for path in sorted((folder / "work").rglob("*")):
        if path.suffix == ".parquet":
            text = pl.read_parquet(path).write_json()
        else:
            text = path.read_bytes().decode("latin-1") if path.is_file() else ""
        found += [f"{canary} in {path.name}" for canary in PHI_CANARIES if canary in text]
    assert found == []
