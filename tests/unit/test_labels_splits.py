"""The paper's split: other collections test, and nobody stands on two sides."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.errors import TableError
from radnet.labels.splits import SPLITS, TEST, TRAINING, VALIDATION, paper_split


def headers(*rows: tuple[str | None, str | None], **more: list[str | None]) -> pl.DataFrame:
    columns = {"collection_id": [row[0] for row in rows], "PatientID": [row[1] for row in rows], **more}
    return pl.DataFrame(columns, schema_overrides=dict.fromkeys(columns, pl.String))


def test_other_collections_test() -> None:
    split = paper_split(headers(("tcga_kirc", "a"), ("tcga_prad", "b"), ("TCGA-PRAD", "b"), ("nlst", "c")))

    assert split[0] in (TRAINING, VALIDATION)
    assert split[1:].to_list() == [TEST, TEST, None]


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["tcga_kirc", "ispy1"]), st.sampled_from("abcdefgh")),
        min_size=2,
        max_size=12,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_a_patient_keeps_the_side_in_any_order_and_company(rows: list[tuple[str, str]], seed: object) -> None:
    shuffled = sorted(rows, key=lambda _: seed.random())  # type: ignore[attr-defined]
    sides = dict(zip((row[1] for row in rows), paper_split(headers(*rows)), strict=True))
    again = dict(zip((row[1] for row in shuffled), paper_split(headers(*shuffled)), strict=True))

    assert sides == again
    assert [paper_split(headers(row))[0] for row in rows] == [sides[row[1]] for row in rows]


def test_about_a_fifth_of_the_patients_validates() -> None:
    split = paper_split(headers(*(("ispy1", str(number)) for number in range(2000))))

    assert 0.18 < (split == VALIDATION).mean() < 0.25
    assert {*split} == {TRAINING, VALIDATION}
    assert {*paper_split(headers(("ispy1", "a")), validation_share=1.0)} == {VALIDATION}


def test_a_hashed_patient_does_as_well() -> None:
    table = headers(("tcga_prad", "x")).rename({"PatientID": "patient"})

    assert paper_split(table)[0] == TEST


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(headers(("ispy1", "a"), ("tcga_prad", "a")), r"1 values of patient stand", id="patient"),
        pytest.param(headers(("ispy1", "a"), ("tcga_prad", " a ")), r"1 values of patient", id="padded"),
        pytest.param(
            headers(("ispy1", "a"), ("tcga_prad", "b"), StudyInstanceUID=["1.2", "1.2"]),
            r"StudyInstanceUID stand on two sides",
            id="study",
        ),
        pytest.param(
            headers(("ispy1", "a"), ("tcga_prad", "b"), FrameOfReferenceUID=["1.2", "1.2"]),
            r"FrameOfReferenceUID stand on two sides",
            id="frame of reference",
        ),
        pytest.param(headers(("ispy1", None), ("ispy1", " ")), r"2 rows .* name no patient", id="nameless"),
        pytest.param(headers(("ispy1", "a")).drop("PatientID"), r"patient or PatientID", id="no patients"),
        pytest.param(headers(("ispy1", "a")).drop("collection_id"), r"collection_id", id="no collections"),
    ],
)
def test_what_cannot_be_kept_apart_is_refused(table: pl.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=message):
        paper_split(table)


def test_no_name_of_a_patient_is_told() -> None:
    with pytest.raises(TableError) as caught:
        paper_split(headers(("ispy1", "Doe^Jane"), ("tcga_prad", "Doe^Jane")))

    assert "Doe" not in str(caught.value)


def test_studies_that_no_uid_names_are_not_one() -> None:
    table = headers(("ispy1", "a"), ("tcga_prad", "b"), StudyInstanceUID=[None, None])

    assert {*paper_split(table)} <= {*SPLITS}


def test_what_is_not_the_papers_may_name_no_patient() -> None:
    assert paper_split(headers(("nlst", None), (None, None))).to_list() == [None, None]
