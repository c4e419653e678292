"""The other series of a study tell whether an agent is on board, where their order is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from radnet.config import RadnetConfig, load_config
from radnet.labels.engine import Labeller
from radnet.labels.table import label_table

Row = tuple[str, str] | tuple[str, str, dict[str, Any]]


def study(
    *rows: Row, config: RadnetConfig = RadnetConfig(), **common: Any
) -> list[tuple[str | None, str | None]]:
    """Label series of one study, given by description and time; return value and rule of contrast."""
    headers = [
        {
            "StudyInstanceUID": "1.2",
            "SeriesInstanceUID": f"1.2.{number}",
            "SeriesNumber": number,
            "Modality": "MR",
            "SeriesDescription": text,
            "AcquisitionTime": time,
            **common,
            **(more[0] if more else {}),
        }
        for number, (text, time, *more) in enumerate(rows, start=1)
    ]
    labels, _ = label_table(pl.DataFrame(headers, infer_schema_length=None), config)
    return list(zip(labels["contrast"], labels["contrast_rule"], strict=True))


def test_what_follows_an_enhanced_series_has_the_agent_on_board_whatever_its_weighting() -> None:
    found = study(
        ("AX T1 +C", "100000"), ("AX T2 FLAIR", "100500"), ("AX DWI b1000", "101000"), ("SAG T1", "101500")
    )

    assert found[1:] == [("yes", "after-enhanced")] * 3


def test_what_comes_before_an_enhanced_series_is_unknown_but_for_its_twin() -> None:
    found = study(("SAG T1", "100000"), ("AX T1", "100500"), ("AX T1 +C", "101000"))

    assert found == [(None, None), ("no", "before-its-enhanced-twin"), ("yes", "says-given")]


def test_what_comes_before_a_plain_series_is_plain_even_if_an_agent_was_keyed_in() -> None:
    found = study(("SAG T2", "100000", {"ContrastBolusAgent": "Gadovist"}), ("AX T1 PRE", "100500"))

    assert found[0] == ("no", "before-plain")


def test_an_enhanced_twin_overrules_an_agent_that_sticks() -> None:
    agent = {"ContrastBolusAgent": "Gadovist"}

    assert study(("AX T1", "100000", agent), ("AX T1 POST", "100500", agent))[0] == (
        "no",
        "before-its-enhanced-twin",
    )


def test_a_run_between_two_enhanced_ones_is_enhanced_whatever_its_twin_says() -> None:
    found = study(("SAG T1 +C", "100000"), ("AX T1", "100500"), ("AX T1 +C", "101000"))

    assert found[1] == ("yes", "after-enhanced")


def test_a_plain_twin_tells_the_second_run_in_a_study_with_contrast_only() -> None:
    rows = (("AX T1 PRE", "100000"), ("AX T1", "101000"))

    assert study(*rows, StudyDescription="MRI BRAIN W/WO")[1] == ("yes", "after-its-plain-twin")
    assert study(*rows, StudyDescription="MRI BRAIN")[1] == (None, None)


def test_the_start_of_an_injection_parts_a_study() -> None:
    injected = {"ContrastBolusStartTime": "100700", "ContrastBolusVolume": 8.0}
    found = study(
        ("SAG T1", "100000"),
        ("AX VIBE dynamic", "100600"),
        ("COR T2", "101500", injected),
        ("AX T2", "102000"),
    )

    assert found[0] == ("no", "before-injection")
    assert found[1] == ("yes", "dynamic")
    assert found[3] == ("yes", "after-enhanced")


def test_runs_of_a_subtracted_protocol_are_plain_first_and_enhanced_last() -> None:
    runs: list[Row] = [("AX 3D VIBE", f"10{minute:02d}00") for minute in (0, 5, 7, 9)]

    assert study(*runs, ("SUB_S4-S1", "101000"))[:4] == [
        ("no", "first-run-of-a-subtracted-protocol"),
        (None, None),
        (None, None),
        ("yes", "last-run-of-a-subtracted-protocol"),
    ]
    assert study(*runs) == [(None, None)] * 4
    assert study(*runs, ("AX 3D VIBE POST", "100950"), ("SUB_S5-S1", "101000"))[3] == (
        "no",
        "before-its-enhanced-twin",
    )


@pytest.mark.parametrize(
    ("rows", "common"),
    [
        pytest.param([("AX T1 +C", ""), ("AX T2", "")], {}, id="no times"),
        pytest.param([("AX T1 +C", "100000"), ("AX T2", "100010")], {}, id="images of one acquisition"),
        pytest.param([("AX T1 +C", "080000"), ("AX T2", "170000")], {}, id="two visits"),
        pytest.param(
            [("AX T2 POST", "100000"), ("AX T1", "101000")], {}, id="post of a T2 may mean anything"
        ),
        pytest.param([("AX T1 +C", "100000"), ("AX T2", "101000")], {"StudyInstanceUID": ""}, id="no study"),
        pytest.param(
            [("AX T1 +C", "100000"), ("AX T2", "101000", {"Modality": "CT"})], {}, id="another modality"
        ),
        pytest.param([("SUB", "100000"), ("AX T2", "101000")], {}, id="a subtraction has no time of its own"),
        pytest.param(
            [("3-PLANE LOC PRE", "102000"), ("AX T1 +C", "100000")], {}, id="its own words come first"
        ),
        pytest.param(
            [("AX T1 +C", "100000"), ("AX T2", "101000")],
            {"StudyDescription": "MRI W/O CONTRAST"},
            id="denied study",
        ),
        pytest.param(
            [("AX T1 +C", "100000"), ("AX T2", "101000", {"ContrastBolusAgent": "NONE"})],
            {},
            id="denied agent",
        ),
    ],
)
def test_relations_are_silent(rows: list[Row], common: dict[str, Any]) -> None:
    relations = {"after-enhanced", "before-plain", "before-its-enhanced-twin", "after-its-plain-twin"}

    assert not {rule for _, rule in study(*rows, **common)} & relations


def test_relations_that_disagree_are_a_conflict() -> None:
    found = study(("AX T1 +C", "100000"), ("AX T2", "101000"), ("SAG T1 PRE", "102000"))

    assert found[1] == (None, "after-enhanced")


def test_a_study_runs_over_midnight() -> None:
    assert study(("AX T1 +C", "235000"), ("AX T2", "000500"))[1] == ("yes", "after-enhanced")


def test_a_shared_study_uid_of_several_patients_has_no_order() -> None:
    frame = pl.DataFrame(
        {
            "patient": ["a", "b"],
            "StudyInstanceUID": ["1", "1"],
            "Modality": ["MR", "MR"],
            "SeriesDescription": ["AX T1 +C", "AX T2"],
            "AcquisitionTime": ["100000", "101000"],
        }
    )
    labeller = Labeller(RadnetConfig().labels)
    assert labeller.label(frame).labels["contrast"].to_list() == ["yes", None]
    assert labeller.label(frame.drop("patient")).labels["contrast"].to_list() == ["yes", "yes"]


def test_the_evidence_names_the_witness_and_the_rows_may_come_in_any_order() -> None:
    frame = pl.DataFrame(
        {
            "StudyInstanceUID": ["1", "1", "1"],
            "SeriesNumber": [9, 4, 7],
            "Modality": ["MR"] * 3,
            "SeriesDescription": ["AX T2", "SAG T1", "AX T1 +C"],
            "AcquisitionTime": ["102000", "100000", "101000"],
        }
    )
    first, votes = label_table(frame)
    turned, _ = label_table(frame.reverse())
    vote = votes.filter(pl.col("rule") == "after-enhanced").row(0, named=True)

    assert first["contrast_evidence"][0] == "enhanced_before: series 7 (says-given) 600 s earlier"
    assert (vote["attribute"], vote["text"]) == ("enhanced_before", "series 7 (says-given) 600 s earlier")
    assert turned.reverse().equals(first)


def test_a_persons_word_is_a_witness(tmp_path: Path) -> None:
    decisions = tmp_path / "decisions.csv"
    decisions.write_text("SeriesInstanceUID,label,value\n1.2.1,contrast,yes\n")
    config = RadnetConfig.model_validate({"labels": {"decisions": decisions}})
    rows: tuple[Row, ...] = (("AX T1", "100000"), ("AX T2", "101000"))

    assert study(*rows, config=config) == [("yes", "person"), ("yes", "after-enhanced")]
    assert study(*rows) == [(None, None), (None, None)]


def test_the_papers_policy_knows_no_relations() -> None:
    assert (
        study(("AX T1 +C", "100000"), ("AX T2", "101000"), config=load_config(policy="paper"))
        == [("no", "paper-no-agent")] * 2
    )


def test_studies_stay_whole_across_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (f"AX T1 {word}", f"10{minute:02d}00", {"StudyInstanceUID": uid})
        for word, minute in (("+C", 0), ("", 9))
        for uid in "abc"
    ]
    whole = study(*rows)
    monkeypatch.setattr("radnet.labels.table.BATCH_ROWS", 2)

    assert study(*rows) == whole == [("yes", "says-given")] * 3 + [("yes", "after-enhanced")] * 3


def kernels(
    *texts: str, times: tuple[str, ...], groups: tuple[str, ...]
) -> list[tuple[str | None, str | None]]:
    """Label CT series of one study that may share acquisitions."""
    headers = {
        "StudyInstanceUID": "1.2",
        "Modality": "CT",
        "SeriesDescription": texts,
        "AcquisitionTime": times,
        "acquisition_group": groups,
    }
    labels = Labeller(RadnetConfig().labels).label(pl.DataFrame(headers)).labels
    return list(zip(labels["contrast"], labels["contrast_rule"], strict=True))


def test_reconstructions_of_one_acquisition_have_its_agent() -> None:
    found = kernels("CHEST +C", "LUNG 1.0", "SAG 3.0", times=("100000",) * 3, groups=("a",) * 3)

    assert found[1:] == [("yes", "of-an-enhanced-acquisition")] * 2


def test_reconstructions_of_a_plain_acquisition_are_plain_though_an_agent_follows() -> None:
    found = kernels(
        "CHEST W/O", "LUNG 1.0", "CHEST +C", times=("100000", "100000", "100500"), groups=("a", "a", "b")
    )

    assert found[1] == ("no", "of-a-plain-acquisition")


def test_a_number_that_repeats_at_another_time_is_another_acquisition() -> None:
    found = kernels("CHEST W/O", "LUNG 1.0", times=("100000", "100500"), groups=("a", "a"))

    assert found[1] == (None, None)


def test_reconstructions_that_contradict_each_other_say_nothing_of_a_third() -> None:
    found = kernels("CHEST W/O", "CHEST +C", "LUNG 1.0", times=("100000",) * 3, groups=("a",) * 3)

    assert found[2] == (None, None)
