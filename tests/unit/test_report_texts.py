"""Free texts reach the page only when enough patients share them."""

from __future__ import annotations

import polars as pl
import pytest

from radnet.report.texts import open_texts, shared_texts
from radnet.terms import LABELS


def stacks(*rows: tuple[str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"patient": pl.String, "SeriesDescription": pl.String}, orient="row")


def shown(*rows: tuple[str | None, str | None], min_patients: int = 3) -> list[str]:
    return shared_texts(stacks(*rows), "SeriesDescription", min_patients)["text"].to_list()


def test_a_text_of_three_patients_is_shown_and_one_of_two_is_not():
    rows = [(patient, "AX T1") for patient in "abc"] + [(patient, "JANE DOE") for patient in "ab"]
    assert shown(*rows) == ["AX T1"]


def test_many_stacks_of_one_patient_are_one_patient():
    assert shown(*[("a", "FOLLOW UP DOE")] * 50) == []


def test_stacks_without_patient_count_as_nobody():
    assert shown(("a", "AX"), ("b", "AX"), (None, "AX"), (None, "AX")) == []


def test_the_configured_number_is_asked_for():
    rows = [(patient, "AX T1") for patient in "abcd"]
    assert shown(*rows, min_patients=4) == ["AX T1"]
    assert shown(*rows, min_patients=5) == []


@pytest.mark.parametrize(
    "text",
    ["CT 20190304", "exam 04.03.2019", "3/4/19 follow up", "1.2.840.113619", "MRN 4711001", "", "  ", None],
    ids=str,
)
def test_dates_identifiers_and_empty_texts_stay_out_whoever_shares_them(text):
    assert shown(*[(patient, text) for patient in "abcdef"]) == []


def test_blanks_and_control_characters_do_not_split_a_text():
    assert shown(("a", "AX  T1"), ("b", " AX\tT1 "), ("c", "AX\x00T1")) == ["AX T1"]


def test_counts_are_of_stacks_and_of_patients():
    table = shared_texts(stacks(*[(patient, "AX") for patient in "aabc"]), "SeriesDescription", 3)
    assert table.rows() == [("AX", 4, 3)]


def test_only_texts_of_stacks_whose_label_is_open_are_listed():
    rows = [
        {
            "patient": patient,
            "SeriesDescription": text,
            "ProtocolName": None,
            **{f"{label}_status": "decided" for label in LABELS},
            "contrast_status": status,
        }
        for patient in "abc"
        for text, status in (("OPEN", "unknown"), ("OPEN", "conflict"), ("CLOSED", "decided"))
    ]
    texts = open_texts(pl.DataFrame(rows, schema_overrides={"ProtocolName": pl.String}), 3)
    assert [(text.title, text.text, text.stacks) for text in texts] == [("Contrast", "OPEN", 6)]
