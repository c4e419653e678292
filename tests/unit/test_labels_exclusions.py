"""Every reason is kept in the funnel's order, and the funnel adds up."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.config import LabelsConfig
from radnet.labels.decisions import Decisions
from radnet.labels.exclusions import add_exclusions
from radnet.labels.funnel import COUNTED, INPUT, KEPT, SERIES_KEY, count_funnel
from radnet.terms import EXCLUSION_STEPS

KEEPER: dict[str, Any] = {
    "stack_id": "s",
    "SeriesInstanceUID": "1",
    "geometry": "uniform",
    "n_slices": 60,
    "slice_spacing_mm": 3.0,
    "SeriesDescription": "chest",
    "sequence": "ct",
    "form": "original",
    "view": "axial",
    "view_status": "decided",
    "SamplesPerPixel": 1,
    "PixelSpacing": [0.7, 0.7],
}
TYPES = {
    "sequence": pl.String,
    "view": pl.String,
    "slice_spacing_mm": pl.Float64,
    "SeriesDescription": pl.String,
}


def judge(
    config: LabelsConfig = LabelsConfig(),  # noqa: B008
    decision: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    frame = pl.DataFrame([{**KEEPER, **changes}], schema_overrides=TYPES)
    decided = Decisions({"decision": {"s": decision}} if decision else {})
    return add_exclusions(frame, config, decided, 48).row(0, named=True)


def test_a_good_stack_is_kept() -> None:
    row = judge()

    assert (row["decision"], row["reason"], row["reasons"]) == ("keep", None, [])
    assert row["effective_spacing_mm"] == pytest.approx(3.75)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"geometry": "missing_slice"}, "missing_slice", id="geometry"),
        pytest.param({"geometry": "time_series"}, "time_series", id="time series"),
        pytest.param({"SamplesPerPixel": 3}, "colour", id="colour"),
        pytest.param({"PixelSpacing": [0.0, 0.7]}, "no_pixel_size", id="pixels without a size"),
        pytest.param({"view": None}, "oblique", id="decided without a plane"),
        pytest.param({"view": None, "view_status": "unknown"}, "unknown_view", id="unknown plane"),
        pytest.param({"view": None, "view_status": "conflict"}, "unknown_view", id="planes in conflict"),
        pytest.param({"n_slices": 15}, "too_few_slices", id="fifteen slices"),
        pytest.param({"sequence": "stir"}, "excluded_sequence", id="other sequence"),
        pytest.param({"sequence": None}, "unknown_sequence", id="unknown sequence"),
        pytest.param({"slice_spacing_mm": 12.5}, "spacing_above_15mm", id="wide after the resize"),
    ],
)
def test_each_fault_has_its_reason(changes: dict[str, Any], reason: str) -> None:
    assert judge(**changes)["reasons"] == [reason]


def test_sixteen_slices_and_fifteen_millimetres_are_kept() -> None:
    assert judge(n_slices=16, slice_spacing_mm=15.0)["decision"] == "keep"


def test_all_reasons_are_kept_in_the_order_of_the_funnel() -> None:
    row = judge(geometry="time_series", n_slices=3, sequence="fmri", slice_spacing_mm=20.0)

    assert row["reasons"] == ["too_few_slices", "excluded_sequence", "time_series", "spacing_above_15mm"]
    assert row["reason"] == "too_few_slices"


def test_policies_are_configuration() -> None:
    described = LabelsConfig(require_description=True)

    assert judge(described, SeriesDescription=None)["reasons"] == ["no_description"]
    assert judge(described, SeriesDescription=" ")["reasons"] == ["no_description"]
    assert judge(SeriesDescription=None)["reasons"] == []
    assert judge(LabelsConfig(keep_reformats=False), form="reformat")["reasons"] == ["excluded_sequence"]
    assert judge(form="reformat")["reasons"] == []
    assert judge(LabelsConfig(keep_sequences=("stir",)), sequence="stir")["reasons"] == []


def test_a_person_excludes_and_keeps_but_makes_no_volume_of_a_broken_stack() -> None:
    assert judge(decision="exclude")["reasons"] == ["excluded_by_person"]
    assert judge(decision="keep", sequence="stir", n_slices=3)["decision"] == "keep"
    assert judge(decision="keep", geometry="missing_slice")["reasons"] == ["missing_slice"]
    assert judge(decision="keep", SamplesPerPixel=3)["reasons"] == ["colour"]


stacks = st.lists(
    st.tuples(
        st.integers(0, 5),  # series
        st.sampled_from([None, "p", "q"]),
        st.sampled_from([None, *EXCLUSION_STEPS[3:]]),
        st.lists(st.integers(0, 8), min_size=1, max_size=3),  # files, shared between stacks
    ),
    max_size=12,
)


@given(stacks, st.lists(st.sampled_from(EXCLUSION_STEPS[:3]), max_size=5))
def test_the_funnel_adds_up_to_the_input(
    rows: list[tuple[int, str | None, str | None, list[int]]], lost: list[str]
) -> None:
    labels = pl.DataFrame(
        [
            (f"s{number}", f"t{series % 2}", f"u{series // 2}", patient, reason)
            for number, (series, patient, reason, _) in enumerate(rows)
        ],
        schema=dict.fromkeys(("stack_id", *SERIES_KEY, "patient", "reason"), pl.String),
        orient="row",
    )
    slices = pl.DataFrame(
        [(f"s{number}", f"f{file}") for number, (*_, files) in enumerate(rows) for file in files],
        schema={"stack_id": pl.String, "path": pl.String},
        orient="row",
    )
    skipped = pl.DataFrame(
        [(f"x{number}", step) for number, step in enumerate(lost)],
        schema={"path": pl.String, "step": pl.String},
        orient="row",
    )
    funnel = count_funnel(labels, slices, skipped)

    assert funnel["step"].to_list() == [INPUT, *EXCLUSION_STEPS, KEPT]
    for name in COUNTED:
        remaining, removed = funnel[f"remaining_{name}"], funnel[f"removed_{name}"]
        assert remaining[0] == remaining[-1] + removed.sum()
        assert (removed >= 0).all()
    assert funnel["remaining_files"][0] == slices["path"].n_unique() + len(lost)
    kept = labels.filter(pl.col("reason").is_null())
    assert funnel["remaining_series"][-1] == kept.select(SERIES_KEY).n_unique()
    assert funnel["remaining_stacks"][-1] == kept.height


def test_a_series_and_a_patient_leave_with_their_last_stack() -> None:
    labels = pl.DataFrame(
        {
            "stack_id": ["a", "b"],
            "StudyInstanceUID": ["1", "1"],
            "SeriesInstanceUID": ["1", "1"],
            "patient": ["p", "p"],
            "reason": ["sheared", "oblique"],
        }
    )
    slices = pl.DataFrame({"stack_id": ["a", "b"], "path": ["f", "f"]})
    skipped = pl.DataFrame(schema={"path": pl.String, "step": pl.String})
    rows = {row["step"]: row for row in count_funnel(labels, slices, skipped).iter_rows(named=True)}

    assert [rows["sheared"][f"removed_{name}"] for name in COUNTED] == [0, 1, 0, 0]
    assert [rows["oblique"][f"removed_{name}"] for name in COUNTED] == [1, 1, 1, 1]
