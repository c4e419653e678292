from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest


def synthesize(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "radnet", "synthesize", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--preset", "lver"], "--preset lver: unknown"),
        (["--preset", "lver"], "did you mean liver?"),
        (["--patients", "0"], "--patients 0: must be at least 1"),
        (["--preset", "liver", "--patients", "0"], "--patients 0: must be at least 1"),
        (["--executor", "threads"], "--executor threads: unknown"),
        (["--workers", "0"], "--workers 0: must be at least 1"),
        (["--preset", "paper", "--volumes", "3"], "give one of them"),
        (["--preset", "liver", "--masks"], "preset liver always has"),
        (["--weight-kg", "80"], "give --volumes too"),
        (["--volumes", "3", "--workers", "2"], "made in one process"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(tmp_path, arguments, match):
    outcome = synthesize("out", *arguments, cwd=tmp_path)
    assert outcome.returncode == 2
    assert match in " ".join(outcome.stderr.replace("│", " ").split())
    assert "Traceback" not in outcome.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_refused_and_kept(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    outcome = synthesize("out", "--preset", "tiny", cwd=tmp_path)
    assert outcome.returncode == 2
    assert "is not an empty folder; name another, or delete it first" in outcome.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_the_traps_are_written_with_masks_in_parallel(tmp_path):
    outcome = synthesize("out", "--preset", "traps", "--masks", "--workers", "2", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    with (tmp_path / "out" / "truth.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        assert not row["masks"] or (tmp_path / "out" / "masks" / row["masks"] / "masks.dcm").is_file()
    assert sum(bool(row["masks"]) for row in rows) > 0.9 * sum(row["keep"] == "yes" for row in rows)
