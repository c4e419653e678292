"""What grouping promises: stacks, their order, their verdicts and their identifiers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radnet.errors import WorkspaceError
from radnet.geometry import STANDARD_ORIENTATIONS, canonical_axes
from radnet.series.stage import group_series
from radnet.tables import INSTANCE_COLUMNS, conform, write_table

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scan_of(
    n: int = 12,
    spacing: float = 3.0,
    orientation: Any = STANDARD_ORIENTATIONS["axial"],
    series: str = "1.2.3",
    **attributes: Any,
) -> list[dict[str, Any]]:
    """Make the header rows of a plain stack."""
    step = canonical_axes(orientation).slice_direction * spacing
    return [
        {
            "path": f"/archive/{series}/{number:04}",
            "SOPClassUID": MR,
            "SOPInstanceUID": f"{series}.{number}",
            "SeriesInstanceUID": series,
            "StudyInstanceUID": "1.2",
            "FrameOfReferenceUID": "1.9",
            "Modality": "MR",
            "Rows": 64,
            "Columns": 64,
            "PixelSpacing": [1.0, 1.0],
            "ImageOrientationPatient": [float(cosine) for cosine in orientation],
            "ImagePositionPatient": [float(part) for part in np.array([5.0, 6.0, 7.0]) + number * step],
            "InstanceNumber": number + 1,
        }
        | attributes
        for number in range(n)
    ]


def renamed(rows: list[dict[str, Any]], tag: str, **attributes: Any) -> list[dict[str, Any]]:
    return [
        row
        | {"path": row["path"] + tag, "SOPInstanceUID": f"{row['SOPInstanceUID']}.{ord(tag[0])}"}
        | attributes
        for row in rows
    ]


def group(rows: list[dict[str, Any]], work: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Run the stage on header rows; return stacks and slices."""
    (work / "1-scan").mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows, schema_overrides={"path": pl.String}, infer_schema_length=None)
    table = conform(frame, INSTANCE_COLUMNS)
    write_table(table.sort("path", "frame"), work / "1-scan" / "instances.parquet")
    summary = group_series(work)
    return pl.read_parquet(summary.series), pl.read_parquet(summary.slices)


def verdicts(rows: list[dict[str, Any]], work: Path) -> list[tuple[str, int, float | None]]:
    stacks, _ = group(rows, work)
    spacing = (None if value is None else round(value, 3) for value in stacks["slice_spacing_mm"])
    return sorted(zip(stacks["geometry"], stacks["n_slices"], spacing, strict=True))


def test_a_plain_stack_is_uniform(tmp_path: Path) -> None:
    stacks, slices = group(scan_of(), tmp_path)
    stack = stacks.row(0, named=True)
    assert (stack["geometry"], stack["n_slices"], stack["nearest_view"]) == ("uniform", 12, "axial")
    assert (stack["slice_spacing_mm"], stack["extent_mm"]) == (pytest.approx(3), pytest.approx(36))
    assert slices["slice"].to_list() == list(range(12))
    assert slices["position_mm"].diff().drop_nulls().to_list() == pytest.approx([3.0] * 11)


def test_two_echoes_are_two_stacks(tmp_path: Path) -> None:
    rows = renamed(scan_of(), "a", EchoTime=11.0) + renamed(scan_of(), "b", EchoTime=92.0)
    stacks, _ = group(rows, tmp_path)
    assert stacks.sort("EchoTime").select("EchoTime", "geometry", "n_slices").rows() == [
        (11.0, "uniform", 12),
        (92.0, "uniform", 12),
    ]


def test_two_kernels_in_one_series_are_two_stacks(tmp_path: Path) -> None:
    rows = renamed(scan_of(), "a", ConvolutionKernel="B30f") + renamed(
        scan_of(), "b", ConvolutionKernel="B70f"
    )
    assert verdicts(rows, tmp_path) == [("uniform", 12, 3.0)] * 2


def test_twenty_volumes_are_one_time_series(tmp_path: Path) -> None:
    rows = [
        row
        for time in range(20)
        for row in renamed(scan_of(), f"{chr(97 + time)}", TemporalPositionIdentifier=time)
    ]
    assert verdicts(rows, tmp_path) == [("time_series", 12, 3.0)]
    assert pl.read_parquet(tmp_path / "2-series" / "series.parquet")["n_times"].to_list() == [20]


@pytest.mark.parametrize(
    "kinds",
    [
        ("W", "F", "IP", "OP"),
        ("DIXON\\WATER", "DIXON\\FAT", "DIXON\\IN_PHASE", "DIXON\\OPP_PHASE"),
    ],
    ids=["philips", "siemens"],
)
def test_fat_and_water_are_no_time_series(kinds: tuple[str, str, str, str], tmp_path: Path) -> None:
    rows = [
        row
        for number, kind in enumerate(kinds)
        for row in renamed(scan_of(), str(number), ImageType=f"DERIVED\\PRIMARY\\{kind}")
    ]
    assert verdicts(rows, tmp_path) == [("uniform", 12, 3.0)] * 4


def test_an_aborted_dynamic_is_a_time_series(tmp_path: Path) -> None:
    rows = renamed(scan_of(), "a", TemporalPositionIdentifier=1)
    rows += renamed(scan_of(7), "b", TemporalPositionIdentifier=2)
    assert verdicts(rows, tmp_path) == [("time_series", 12, 3.0)]


def test_an_inversion_time_that_differs_by_slice_splits_nothing(tmp_path: Path) -> None:
    rows = [row | {"InversionTime": 100.0 * number} for number, row in enumerate(scan_of())]
    assert verdicts(rows, tmp_path) == [("uniform", 12, 3.0)]


def test_one_derived_picture_leaves_the_stack_whole(tmp_path: Path) -> None:
    rows = [row | {"ImageType": "ORIGINAL\\PRIMARY\\M"} for row in scan_of()]
    rows += renamed(scan_of()[4:5], "z", ImageType="DERIVED\\SECONDARY\\M")
    assert verdicts(rows, tmp_path) == [("single_position", 1, None), ("uniform", 12, 3.0)]


@pytest.mark.parametrize(
    ("attribute", "values"),
    [("Rows", (64, 128)), ("PixelSpacing", ([1.0, 1.0], [0.5, 0.5])), ("SOPClassUID", (CT, MR))],
    ids=["matrix", "pixel spacing", "object"],
)
def test_what_cannot_share_a_volume_is_split(attribute: str, values: tuple[Any, Any], tmp_path: Path) -> None:
    rows = [row | {attribute: values[number < 6]} for number, row in enumerate(scan_of(SeriesNumber=7))]
    assert verdicts(rows, tmp_path) == [("uniform", 6, 3.0), ("uniform", 6, 3.0)]


def test_series_numbers_do_not_join_series(tmp_path: Path) -> None:
    rows = scan_of(SeriesNumber=3) + scan_of(series="1.2.4", SeriesNumber=3)
    assert len(verdicts(rows, tmp_path)) == 2


def test_three_planes_of_a_localizer_are_mixed(tmp_path: Path) -> None:
    rows = [
        row
        for tag, view in zip("abc", STANDARD_ORIENTATIONS.values(), strict=True)
        for row in renamed(scan_of(2, orientation=view), tag)
    ]
    assert [verdict[0] for verdict in verdicts(rows, tmp_path)] == ["mixed_orientation"]


def test_a_scout_leaves_the_stack_beside_it_alone(tmp_path: Path) -> None:
    rows = scan_of() + renamed(scan_of(1, orientation=STANDARD_ORIENTATIONS["coronal"]), "s")
    assert verdicts(rows, tmp_path) == [("single_position", 1, None), ("uniform", 12, 3.0)]


def test_slices_without_position_are_named(tmp_path: Path) -> None:
    rows = scan_of() + renamed(scan_of(2), "x", ImagePositionPatient=None)
    rows += renamed(scan_of(2, series="1.2.5"), "y", ImageOrientationPatient=[0.0] * 6)
    assert sorted(verdict[0] for verdict in verdicts(rows, tmp_path)) == [
        "no_position",
        "no_position",
        "uniform",
    ]


def test_reconstructions_share_an_acquisition_group(tmp_path: Path) -> None:
    first = scan_of(Modality="CT", SOPClassUID=CT, AcquisitionNumber=2, ConvolutionKernel="B30f")
    second = scan_of(
        series="1.2.4", Modality="CT", SOPClassUID=CT, AcquisitionNumber=2, ConvolutionKernel="B70f"
    )
    other = scan_of(series="1.2.5", Modality="CT", SOPClassUID=CT, AcquisitionNumber=3)
    stacks, _ = group(first + second + other, tmp_path)
    groups = dict(stacks.select("SeriesInstanceUID", "acquisition_group").rows())
    assert groups["1.2.3"] == groups["1.2.4"] != groups["1.2.5"]


def test_every_instance_is_in_exactly_one_stack(tmp_path: Path) -> None:
    rows = scan_of() + renamed(scan_of(3), "d") + scan_of(1, series="1.2.9", ImagePositionPatient=None)
    stacks, slices = group(rows, tmp_path)
    assert sorted(slices["path"]) == sorted(row["path"] for row in rows)
    assert stacks["n_instances"].sum() == len(rows)


def test_wiped_identifiers_are_told_apart_by_folder(tmp_path: Path) -> None:
    rows = [
        row | {"path": f"{root}/scan/{number}", "SeriesInstanceUID": "", "SOPInstanceUID": ""}
        for root in ("/a", "/b")
        for number, row in enumerate(scan_of())
    ]
    stacks, _ = group(rows, tmp_path)
    assert stacks["geometry"].to_list() == ["uniform"] * 2
    assert stacks["stack_id"].n_unique() == stacks["acquisition_group"].n_unique() == 2


def test_wiped_identifiers_do_not_join_patients(tmp_path: Path) -> None:
    rows = [
        row | {"path": f"/a/{patient}{number}", "SeriesInstanceUID": "", "patient": patient}
        for patient in "pq"
        for number, row in enumerate(scan_of())
    ]
    assert verdicts(rows, tmp_path) == [("uniform", 12, 3.0)] * 2


def test_one_series_identifier_given_to_two_patients_joins_nobody(tmp_path: Path) -> None:
    first, second = scan_of(), renamed(scan_of(), "d")
    for row in second:
        x, y, z = row["ImagePositionPatient"]
        row |= {"patient": "q", "ImagePositionPatient": [x, y, z + 3.0 * len(first)]}
    assert (
        verdicts([row | {"patient": "p"} for row in first] + second, tmp_path) == [("uniform", 12, 3.0)] * 2
    )


def test_an_empty_scan_gives_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "1-scan").mkdir()
    write_table(conform(pl.DataFrame(), INSTANCE_COLUMNS).clear(), tmp_path / "1-scan/instances.parquet")
    assert group_series(tmp_path).n_stacks == 0


def test_a_missing_scan_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="run `radnet scan` first"):
        group_series(tmp_path)


def test_a_scan_that_ends_meanwhile_is_noticed(tmp_path: Path) -> None:
    group(scan_of(), tmp_path)
    path = tmp_path / "1-scan" / "instances.parquet"

    def rewrite(done: int, total: int | None) -> None:
        write_table(pl.read_parquet(path).reverse(), path)

    with pytest.raises(WorkspaceError, match="was rewritten while it was grouped"):
        group_series(tmp_path, progress=rewrite)


def turned(view: str, degrees: float, flipped: bool) -> list[float]:
    """An orientation turned about x, y and z, its normal flipped by mirroring the columns."""
    angle = math.radians(degrees)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    tip = np.array([[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]])
    row, column = (turn @ tip @ np.array(STANDARD_ORIENTATIONS[view], float).reshape(2, 3).T).T
    return [*map(float, row), *map(float, -column if flipped else column)]


views = st.sampled_from(list(STANDARD_ORIENTATIONS))
stack_shapes = {
    "n": st.integers(4, 30),
    "spacing": st.floats(0.4, 12),
    "view": views,
    "degrees": st.floats(-15, 15),
    "flipped": st.booleans(),
}


@quick
@given(**stack_shapes, seed=st.integers(0, 999))
def test_order_and_verdict_do_not_depend_on_files(
    n: int, spacing: float, view: str, degrees: float, flipped: bool, seed: int, tmp_path: Path
) -> None:
    rows = scan_of(n, spacing, turned(view, degrees, flipped))
    shuffled = [
        row | {"path": f"/other/{number:04}", "InstanceNumber": int(number)}
        for row, number in zip(rows, np.random.default_rng(seed).permutation(n), strict=True)
    ]
    stacks, slices = group(rows, tmp_path / "a")
    stacks_again, slices_again = group(shuffled, tmp_path / "b")
    assert stacks["geometry"].to_list() == ["uniform"]
    assert stacks["slice_spacing_mm"][0] == pytest.approx(spacing)
    assert stacks["stack_id"].to_list() == stacks_again["stack_id"].to_list()
    assert slices["position_mm"].to_list() == slices_again["position_mm"].to_list()
    back = dict(zip((row["path"] for row in shuffled), (row["path"] for row in rows), strict=True))
    assert [back[path] for path in slices_again["path"]] == slices["path"].to_list()


@quick
@given(**stack_shapes, share=st.floats(0, 1))
def test_removing_an_inner_slice_is_always_seen(
    n: int, spacing: float, view: str, degrees: float, flipped: bool, share: float, tmp_path: Path
) -> None:
    rows = scan_of(n, spacing, turned(view, degrees, flipped))
    del rows[1 + round(share * (n - 3))]
    stacks, _ = group(rows, tmp_path)
    assert stacks["geometry"].to_list() == ["missing_slice"]
    assert stacks["slice_spacing_mm"][0] == pytest.approx(spacing)


@quick
@given(**stack_shapes, share=st.floats(0, 1))
def test_doubling_a_slice_is_always_seen(
    n: int, spacing: float, view: str, degrees: float, flipped: bool, share: float, tmp_path: Path
) -> None:
    rows = scan_of(n, spacing, turned(view, degrees, flipped))
    rows += renamed([rows[round(share * (n - 1))]], "d")
    stacks, _ = group(rows, tmp_path)
    assert stacks.select("geometry", "n_slices").rows() == [("duplicate_position", n)]
    timed = [row | {"TriggerTime": 10.0 * number} for number, row in enumerate(rows)]
    assert group(timed, tmp_path)[0]["geometry"].to_list() == ["duplicate_position"]


@quick
@given(**stack_shapes, drift=st.floats(0.05, 1))
def test_drifting_in_plane_is_sheared(
    n: int, spacing: float, view: str, degrees: float, flipped: bool, drift: float, tmp_path: Path
) -> None:
    orientation = turned(view, degrees, flipped)
    rows = scan_of(n, spacing, orientation)
    for number, row in enumerate(rows):
        shift = number * drift * spacing * np.array(orientation[3:])
        row["ImagePositionPatient"] = [float(x) for x in np.array(row["ImagePositionPatient"]) + shift]
    stacks, _ = group(rows, tmp_path)
    assert stacks["geometry"].to_list() == ["sheared"]
    assert stacks["shear_deg"][0] == pytest.approx(math.degrees(math.atan(drift)), abs=1e-3)
