"""Series are put in the order of their acquisition, over midnight too, and batches part no study."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.labels.studies import (
    DAY_S,
    LONGEST_STUDY_S,
    batches,
    clock,
    in_given_order,
    in_order,
    seconds_of_day,
)


def ordered(seconds: list[float]) -> pl.DataFrame:
    rows = pl.DataFrame(
        {"StudyInstanceUID": "1", "Modality": "MR", "clock": seconds}, schema_overrides={"clock": float}
    )
    return in_order(rows.with_row_index("row"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("101530", 36930.0, id="whole seconds"),
        pytest.param("101530.250000", 36930.25, id="fraction"),
        pytest.param("10:15:30.5", 36930.5, id="colons of the old standard"),
        pytest.param(" 1015 ", 36900.0, id="minutes, padded"),
        pytest.param("10", 36000.0, id="hours"),
        pytest.param("91530", 33330.0, id="a leading zero lost in a spreadsheet"),
        pytest.param("000000", 0.0, id="midnight"),
        pytest.param("241530", None, id="no hour 24"),
        pytest.param("106130", None, id="no minute 61"),
        pytest.param("", None, id="empty"),
        pytest.param("noon", None, id="words"),
        pytest.param("20260301101530.5", 36930.5, id="a date and time of DICOM"),
        pytest.param("2026-03-01 10:15:30", 36930.0, id="a date and time of a database"),
        pytest.param("2026-03-01T10:15:30", 36930.0, id="a date and time of ISO 8601"),
        pytest.param("20260301", None, id="a date alone"),
        pytest.param("2026-03-01", None, id="a date alone, with signs"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_a_time_of_day_is_read_or_null(text: str | None, seconds: float | None) -> None:
    frame = pl.DataFrame({"AcquisitionTime": [text]}, schema={"AcquisitionTime": pl.String})

    assert frame.select(seconds_of_day("AcquisitionTime")).item() == seconds


def test_midnight_is_no_border() -> None:
    found = ordered([600.0, DAY_S - 600, DAY_S - 1200])

    assert found["row"].to_list() == [2, 1, 0]
    assert found["at"].to_list() == [0.0, 600.0, 1800.0]


def test_a_study_longer_than_a_visit_has_no_order() -> None:
    assert ordered([0.0, LONGEST_STUDY_S]).height == 2
    assert ordered([0.0, LONGEST_STUDY_S + 1]).is_empty()
    assert ordered([8 * 3600.0, 21 * 3600.0]).is_empty()


@given(
    lengths=st.lists(st.floats(0, LONGEST_STUDY_S), min_size=1, max_size=8),
    begin=st.integers(0, int(DAY_S) - 1),
)
def test_the_order_does_not_depend_on_the_time_of_day(lengths: list[float], begin: int) -> None:
    since = [round(length) for length in lengths]
    found = ordered([float((begin + length) % int(DAY_S)) for length in since])

    assert found["at"].to_list() == sorted(float(length - min(since)) for length in since)


def test_series_times_are_used_for_mr_without_acquisition_times_alone() -> None:
    rows = pl.DataFrame(
        {
            "StudyInstanceUID": ["1", "1", "2", "2", "3"],
            "Modality": ["MR", "MR", "MR", "MR", "CT"],
            "AcquisitionTime": [10.0, None, None, None, None],
            "SeriesTime": [11.0, 12.0, 13.0, 14.0, 15.0],
        }
    )

    assert rows.select(clock()).to_series().to_list() == [10.0, None, 13.0, 14.0, None]


@given(studies=st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=40), rows=st.integers(1, 10))
def test_batches_hold_every_row_once_and_part_no_study(studies: list[str | None], rows: int) -> None:
    frame = pl.DataFrame(
        {"StudyInstanceUID": studies, "Modality": "MR", "AcquisitionTime": "10"},
        schema_overrides={"StudyInstanceUID": pl.String},
    )
    order = list(batches(frame, rows))
    homes = [
        {number for number, part in enumerate(order) if name in {studies[row] for row in part}}
        for name in "abcd"
    ]

    assert sorted(np.concatenate(order).tolist()) == list(range(len(studies)))
    assert all(len(home) <= 1 for home in homes)
    assert in_given_order([frame[part] for part in order], order).equals(frame)


def test_without_times_batches_are_those_of_the_table() -> None:
    frame = pl.DataFrame({"StudyInstanceUID": ["b", "a", "b", "a", "b"], "Modality": "MR"})

    assert [part.tolist() for part in batches(frame, 2)] == [[0, 1], [2, 3], [4]]
