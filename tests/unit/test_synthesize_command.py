from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from radnet.cli_synthetic import PAIRS
from radnet.synthetic.presets import LIVERS
from radnet.volumes.store import VolumeStore


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
        (["--preset", "liver", "--masks"], "livers always have them"),
        (["--weight-kg", "80"], "give --volumes too"),
        (["--shape", "24,96,96"], "--shape is for training volumes; give --volumes too"),
        (["--volumes", "3", "--shape", "24,96"], "a shape is slices,rows,columns"),
        (["--volumes", "3", "--shape", "24,96,300"], "48,192,192 slices, rows and columns; not 24,96,300"),
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


def test_volumes_of_a_shape_are_the_same_in_one_process_and_in_several(tmp_path):
    asked = ["--volumes", "3", "--patients", "2", "--shape", "12,32,32"]
    for name, where in (("one", ["--executor", "serial"]), ("several", ["--workers", "2"])):
        outcome = synthesize(name, *asked, *where, cwd=tmp_path)
        assert outcome.returncode == 0, outcome.stderr
    one, several = (VolumeStore(tmp_path / name / "4-volumes") for name in ("one", "several"))
    assert len(one.ids) == 3
    for stack_id in one.ids:
        assert one.read(stack_id).shape == (12, 32, 32)
        assert np.array_equal(one.read(stack_id), several.read(stack_id))


def test_presets_of_pairs_are_those_that_the_command_knows():
    assert set(PAIRS) == set(LIVERS)


@pytest.mark.slow
def test_the_traps_are_written_with_masks_in_parallel(tmp_path):
    outcome = synthesize("out", "--preset", "traps", "--masks", "--workers", "2", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    with (tmp_path / "out" / "truth.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        assert not row["masks"] or (tmp_path / "out" / "masks" / row["masks"] / "masks.dcm").is_file()
    assert sum(bool(row["masks"]) for row in rows) > 0.9 * sum(row["keep"] == "yes" for row in rows)
