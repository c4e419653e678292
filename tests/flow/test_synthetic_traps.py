"""The chain on everything that misleads: its answers are true, or unknown where no header tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from trap_archive import write_traps

from radnet.synthetic.identity import PHI_CANARIES, SCRIPT_NAMES
from radnet.terms import FORMS, GEOMETRIES, PAPER_SEQUENCES, SEQUENCES, VIEWS

pytestmark = pytest.mark.xdist_group("trap archive")  # its fixture is dear

REASONS = {
    "copy": ("duplicate_instance", "same bytes"),
    "recompressed": ("duplicate_instance", "different bytes"),
    "truncated": ("truncated", None),
    "foreign": ("not_dicom", None),
}
"""Why each kind of odd file is skipped."""


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the archive and its workspace, and all that was printed."""
    folder = tmp_path_factory.mktemp("traps")
    write_traps(folder)
    command = ["run", "archive", "--work", "work", "--executor", "serial"]
    outcome = subprocess.run(
        [sys.executable, "-m", "radnet", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return folder, outcome.stdout + outcome.stderr


@pytest.fixture(scope="module")
def truth(traps: tuple[Path, str]) -> pl.DataFrame:
    return pl.read_csv(traps[0] / "truth.csv", infer_schema=False)


@pytest.fixture(scope="module")
def answers(traps: tuple[Path, str], truth: pl.DataFrame) -> pl.DataFrame:
    """Truth and labels side by side, joined by an image of each stack."""
    folder, _ = traps
    labels = pl.read_parquet(folder / "work" / "3-labels" / "labels.parquet")
    groups = pl.read_parquet(folder / "work" / "2-series" / "series.parquet").select(
        "stack_id", "acquisition_group"
    )
    slices = pl.read_parquet(folder / "work" / "2-series" / "slices.parquet")
    root = str(folder / "archive") + "/"
    images = slices.select(
        "stack_id",
        pl.col("frame").fill_null(0),
        pl.col("path").str.strip_prefix(root).alias("image"),
    )
    told = truth.filter(pl.col("reason").ne_missing("unsupported_object")).with_columns(
        (pl.col("path") + "/" + pl.col("file")).alias("image"),
        pl.col("frame").cast(pl.Int64).fill_null(0),
    )
    joined = told.join(images, on=["image", "frame"], how="left").join(groups, on="stack_id", how="left")
    return joined.join(labels, on="stack_id", how="left", suffix="_found")


def untold(label: str) -> pl.Expr:
    return pl.col("untold").fill_null("").str.split(";").list.contains(label)


def test_every_stack_is_found_once_and_there_are_no_others(traps, truth, answers):
    labels = pl.read_parquet(traps[0] / "work" / "3-labels" / "labels.parquet")
    assert answers["stack_id"].null_count() == 0
    assert answers["stack_id"].is_duplicated().sum() == 0
    assert set(labels["stack_id"]) == set(answers["stack_id"])


@pytest.mark.parametrize("label", ["sequence", "form", "view", "contrast", "geometry", "reason"])
def test_answers_equal_the_truth_or_are_unknown_where_nothing_tells(
    label: str, answers: pl.DataFrame
) -> None:
    expected = pl.when(untold(label)).then(None).otherwise(pl.col(label))
    wrong = answers.filter(expected.ne_missing(pl.col(f"{label}_found")))
    assert wrong.select("path", "trap", label, f"{label}_found").rows() == []


def test_coverage_equals_the_truth_or_is_unknown_where_nothing_tells(answers: pl.DataFrame) -> None:
    for row in answers.with_columns(untold("coverage").alias("open")).iter_rows(named=True):
        expected = [] if row["coverage"] == "none" else row["coverage"].split(";")
        found = row["coverage_found"]
        assert (found is None) if row["open"] else (found == expected), row["path"]


def test_the_same_stacks_are_kept(answers: pl.DataFrame) -> None:
    kept = answers.filter(keep="yes")
    assert len(kept) > 50
    assert set(kept["stack_id"]) == set(answers.filter(decision="keep")["stack_id"])


def test_slices_and_spacing_equal_the_truth(answers: pl.DataFrame) -> None:
    assert answers.filter(pl.col("n_slices").cast(pl.Int64) != pl.col("n_slices_found")).is_empty()
    spaced = answers.filter(pl.col("slice_spacing_mm").is_not_null())
    for expected, found in spaced.select("slice_spacing_mm", "slice_spacing_mm_found").rows():
        assert found == pytest.approx(float(expected), rel=0.01)
    unspaced = answers.filter(pl.col("slice_spacing_mm").is_null())
    assert unspaced["slice_spacing_mm_found"].null_count() == len(unspaced)


def test_the_truth_shows_every_word_of_the_labels(truth: pl.DataFrame) -> None:
    assert set(truth["sequence"]) == set(SEQUENCES)
    assert set(truth["geometry"]) == set(GEOMETRIES)
    assert set(truth["form"]) == set(FORMS)
    kept = truth.filter(keep="yes")
    assert set(kept["sequence"]) == set(PAPER_SEQUENCES)
    assert set(kept["view"]) == set(VIEWS)
    assert set(kept["contrast"]) == {"yes", "no"}


def test_little_is_untold(answers: pl.DataFrame) -> None:
    """An archive of which nothing can be told would pass every test."""
    for label, most in {"sequence": 0.02, "view": 0.0, "contrast": 0.2, "coverage": 0.02}.items():
        assert answers.select(untold(label).mean()).item() <= most


def test_reconstructions_of_one_acquisition_share_their_group(answers: pl.DataFrame) -> None:
    kernels = answers.filter(pl.col("trap").fill_null("").str.contains("kernel|dual energy|fat of one"))
    assert len(kernels) >= 8
    group = pl.col("acquisition_group")
    alone = answers.with_columns(group.count().over(group).alias("stacks")).filter(
        pl.col("path").is_in(kernels["path"].implode()), pl.col("stacks") == 1
    )
    assert alone.select("path", "trap").rows() == []


def test_odd_files_are_skipped_with_their_reasons(traps, truth):
    folder, _ = traps
    root = str(folder / "archive") + "/"
    skipped = pl.read_parquet(folder / "work" / "1-scan" / "skipped.parquet")
    found = {path.removeprefix(root): reason for path, *reason in skipped["path", "reason", "error"].rows()}
    odd = pl.read_csv(folder / "odd_files.csv")
    assert set(odd["kind"]) == set(REASONS)
    for path, kind in odd.rows():
        reason, error = found.pop(path)
        assert reason == REASONS[kind][0]
        assert error == REASONS[kind][1]
    captures = truth.filter(reason="unsupported_object")
    assert len(captures) == 1
    for path, (reason, _) in found.items():
        assert reason == "unsupported_object"
        assert path.startswith(captures["path"][0])
    assert len(found) == int(captures["n_slices"][0])


def test_names_in_other_scripts_stand_in_the_headers_alone(traps):
    folder, printed = traps
    headers = [path.read_bytes()[:4096] for path in (folder / "archive").rglob("*") if path.is_file()]
    for charset, name in SCRIPT_NAMES.items():
        codec = {"ISO_IR 101": "iso8859-2", "ISO_IR 144": "iso8859-5", "GB18030": "gb18030"}.get(charset)
        wanted = name.split("^")[0].split("=")[0].encode(codec or "utf-8")
        assert any(wanted in header for header in headers), charset
    found = [canary for canary in PHI_CANARIES if canary in printed]
    for path in sorted((folder / "work").rglob("*")):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            text = pl.read_parquet(path).write_json() if path.suffix == ".parquet" else text
            found += [f"{canary} in {path.name}" for canary in PHI_CANARIES if canary in text]
    assert found == []


def test_all_kept_stacks_decode_whatever_their_transfer_syntax(traps, answers):
    failures = pl.read_parquet(traps[0] / "work" / "4-volumes" / "failures.parquet")
    index = pl.read_parquet(traps[0] / "work" / "4-volumes" / "index.parquet")
    assert failures.is_empty()
    assert set(index["stack_id"]) == set(answers.filter(keep="yes")["stack_id"])
