"""People's decisions win over rules; what cannot be meant is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from radnet.config import LabelsConfig
from radnet.errors import RuleError
from radnet.labels.decisions import load_decisions
from radnet.labels.engine import Labeller

HEADERS = pl.DataFrame(
    {
        "stack_id": ["a1", "a2", "b1"],
        "SeriesInstanceUID": ["1.2", "1.2", "1.3"],
        "Modality": ["MR", "MR", "CT"],
        "SeriesDescription": ["t2_tse_tra", "t1_tse_sag", "Topogram"],
    }
)


def decisions(folder: Path, text: str) -> Path:
    path = folder / "decisions.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_person_wins_over_every_rule(tmp_path: Path) -> None:
    path = decisions(tmp_path, "stack_id,label,value,by,when\na1,sequence,pd,jm,2024-01-02\n")
    labels = Labeller(LabelsConfig(decisions=path)).label(HEADERS).labels

    assert labels["sequence"].to_list() == ["pd", "t1_se", "localizer"]
    assert labels["sequence_rule"][0] == "person"
    assert labels["sequence_status"][0] == "decided"


def test_a_decision_on_a_series_holds_for_its_stacks_but_a_stacks_own_wins(tmp_path: Path) -> None:
    text = "stack_id,SeriesInstanceUID,label,value\n,1.2,coverage,brain;lung\na2,,coverage,none\n"
    labels = Labeller(LabelsConfig(decisions=decisions(tmp_path, text))).label(HEADERS).labels

    assert labels["coverage"].to_list()[:2] == [["brain", "lung"], []]


def test_later_labels_follow_a_decided_sequence(tmp_path: Path) -> None:
    path = decisions(tmp_path, "stack_id,label,value\na1,sequence,localizer\n")
    labels = Labeller(LabelsConfig(decisions=path)).label(HEADERS).labels

    assert labels["contrast"][0] == "no"
    assert labels["coverage"][0].to_list() == []


def test_the_later_row_wins_and_an_empty_value_takes_back(tmp_path: Path) -> None:
    text = "stack_id,label,value\na1,view,coronal\na1,view,sagittal\nb1,view,coronal\nb1,view,\n"
    labels = Labeller(LabelsConfig(decisions=decisions(tmp_path, text))).label(HEADERS).labels

    assert labels["view"].to_list() == ["sagittal", "sagittal", None]


def test_decisions_on_what_is_not_here_are_counted(tmp_path: Path) -> None:
    rows = ("a1,,view,axial", ",1.3,view,axial", "c9,,view,axial", ",1.9,view,axial")
    text = "\n".join(["stack_id,SeriesInstanceUID,label,value", *rows])

    assert load_decisions(decisions(tmp_path, text)).strangers(HEADERS) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "stack_id,label,value\na,sequence,t3\n", r"line 2: unknown value 't3' of sequence", id="value"
        ),
        pytest.param(
            "stack_id,label,value\na,sequense,ct\n",
            r"unknown label 'sequense'; did you mean 'sequence'",
            id="label",
        ),
        pytest.param(
            "stack_id,label,value\n,sequence,ct\n", r"line 2: names neither a stack_id", id="no identifier"
        ),
        pytest.param(
            "stack_id,label,value\na,view,up\na,contrast,maybe\n", r"line 2.*line 3", id="all faults"
        ),
        pytest.param(
            "label,value\nsequence,ct\n", r"need the columns label, value, and stack_id", id="columns"
        ),
        pytest.param("", r"cannot be read as a CSV file of decisions", id="empty file"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        load_decisions(decisions(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"cannot be read"):
        load_decisions(tmp_path / "none.csv")
