"""`radnet rules …` on the command line: what it prints, writes and exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from radnet.labels.score import MEASURES

GOLDEN = Path(__file__).parents[1] / "golden"
GOLD = GOLDEN / "header_texts_sequences.csv"
TABLE = "Modality,SeriesDescription\nMR,AX T2\nMR,AX T2 5.0\nCT,CHEST\n"
FAULTY = 'label = "view"\n[[rule]]\nname = "ours"\nvalue = "axial"\ntier = "series"\n'
FAULTY += 'when = { series = { says = ["zorg"] } }\nwhy = "a house word"\ncases = { axial = ["t2"] }\n'


def rules(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "radnet", "rules", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "view.toml").write_text(FAULTY)
    return tmp_path


def test_a_score_is_json_with_every_figure(folder: Path) -> None:
    outcome = rules("score", GOLD, "--json", "--floor", "sequence=50", cwd=folder)

    assert outcome.returncode == 0
    found = json.loads(outcome.stdout)
    assert list(found["measures"]) == list(MEASURES)
    assert {*found["measures"]["view"]} == {"right", "n", "percent", "low", "high"}
    assert found["by_modality"]["MR"]["view"] == found["measures"]["view"]
    assert found["by_collection"]
    assert {"line", "label", "truth", "ours", "rules"} <= {*found["mistakes"][0]}


@pytest.mark.parametrize("option", [[], ["--leave-collection-out"]], ids=["whole", "held out"])
def test_a_missed_floor_is_told_and_exit_code_3(option: list[str], folder: Path) -> None:
    outcome = rules("score", GOLD, *option, "--floor", "sequence=100", "--floor", "view=1", cwd=folder)

    assert outcome.returncode == 3
    assert "below the floor: sequence" in outcome.stderr
    assert "view" not in outcome.stderr
    assert "silent_where_text_is" in outcome.stdout


def test_a_case_that_fails_is_told_and_exit_code_3(folder: Path) -> None:
    outcome = rules("check", "site", "--table", "table.csv", cwd=folder)

    assert outcome.returncode == 3
    assert "view/ours must vote on" in outcome.stdout
    assert "on table.csv, 3 rows" in outcome.stdout


def test_the_shipped_rules_pass(folder: Path) -> None:
    assert rules("check", cwd=folder).returncode == 0


def test_a_text_need_not_be_quoted(folder: Path) -> None:
    outcome = rules("trace", "SAG", "T1", "POST", "--modality", "MR", "--json", cwd=folder)

    found = json.loads(outcome.stdout)
    assert found["text"] == "SAG T1 POST"
    assert {label["label"]: label["value"] for label in found["labels"]}["view"] == "sagittal"


def test_further_attributes_are_read(folder: Path) -> None:
    outcome = rules(
        "trace", "PV", "--header", "Modality=CT", "--header", "StudyDescription=CT CAP", cwd=folder
    )

    assert "sequence: ct [decided]" in outcome.stdout
    assert "coverage: lung" in outcome.stdout


def test_calibration_writes_what_labelling_reads(folder: Path) -> None:
    assert rules("calibrate", GOLD, "--out", "site/confidence.csv", cwd=folder).returncode == 0

    label = ["label", "table.csv", "--out", "labels.parquet", "--rules", "site"]
    subprocess.run([sys.executable, "-m", "radnet", *label], check=True, cwd=folder)
    measured = pl.read_parquet(folder / "labels.parquet")["sequence_confidence"].is_not_null()
    assert measured.to_list() == [True, True, False], "that gold set holds no CT"


def test_protocols_are_written_and_shown(folder: Path) -> None:
    outcome = rules("protocols", "table.csv", "--out", "protocols.csv", "--top", "1", cwd=folder)

    assert "3 series in 2 protocols" in outcome.stdout
    assert "chest" not in outcome.stdout
    assert pl.read_csv(folder / "protocols.csv")["protocol"].to_list() == ["ax t2", "chest"]


def test_stability_is_json(folder: Path) -> None:
    outcome = rules("stability", "table.csv", "--json", cwd=folder)

    dropped = {one["attribute"]: one["labels"] for one in json.loads(outcome.stdout)["dropped"]}
    assert dropped["SeriesDescription"]["view"] == {"lost": 2, "turned": 0, "gained": 0}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        pytest.param(
            ["score", GOLD, "--floor", "sequenc=1"], "unknown measure 'sequenc'", id="no such figure"
        ),
        pytest.param(["score", GOLD, "--floor", "sequence"], "must be written NAME=PCT", id="no floor"),
        pytest.param(["score", GOLD, "--beside", GOLD], "goes with --leave-collection-out", id="beside"),
        pytest.param(["score", "table.csv"], "lacks the truths", id="no gold"),
        pytest.param(["check", "absent"], "no such folder of rule tables", id="no folder"),
        pytest.param(["protocols"], "give either TABLE or --work", id="nothing to sum up"),
        pytest.param(["protocols", "--work", "absent"], "absent", id="no workspace"),
        pytest.param(["protocols", "table.csv", "--out", "p.txt"], "must be a .csv file", id="no CSV"),
        pytest.param(["trace", "t2", "--header", "Modality"], "must be written NAME=VALUE", id="no value"),
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str], match: str, folder: Path) -> None:
    outcome = rules(*arguments, cwd=folder)

    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert match in " ".join(outcome.stderr.replace("│", " ").split())
