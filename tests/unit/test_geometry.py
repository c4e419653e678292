"""What geometry promises about orders, verdicts, axes and affines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.errors import GeometryError
from radnet.geometry import (
    STANDARD_ORIENTATIONS,
    canonical_affine,
    canonical_axes,
    distinct_positions,
    effective_spacing,
    is_standard,
    measure_spacing,
    nearest_view,
    padded_affine,
    resized_affine,
    slice_normal,
)

AXES = {"axial": (0, 0, 1), "coronal": (0, 1, 0), "sagittal": (-1, 0, 0)}


def positions_along(normal: object, gaps: list[float]) -> np.ndarray:
    offsets = np.concatenate([[0.0], np.cumsum(gaps)])
    return np.array([10.0, -20.0, 30.0]) + np.outer(offsets, np.asarray(normal, float))


@pytest.mark.parametrize(
    ("gaps", "verdict", "spacing"),
    [
        ([5, 5, 5], "uniform", 5.0),
        ([5, 5.04, 4.96], "uniform", 5.0),
        ([0.7, 0.75, 0.7], "uniform", 0.7),
        ([5, 10, 5], "missing_slice", 5.0),
        ([5, 10], "missing_slice", 5.0),
        ([0.08, 0.16, 0.08, 0.08], "missing_slice", 0.08),
        ([3, 3, 12, 3], "missing_slice", 3.0),
        ([5, 7, 5, 6], "variable_spacing", 5.5),
        ([1, 7, 7, 7], "variable_spacing", 7.0),
        ([], "single_position", None),
    ],
    ids=str,
)
def test_gaps_tell_the_verdict(gaps: list[float], verdict: str, spacing: float | None) -> None:
    found = measure_spacing(positions_along((0, 0, 1), gaps), (0, 0, 1))
    assert found.verdict == verdict
    assert found.spacing_mm == pytest.approx(spacing) if spacing else found.spacing_mm is None


def test_a_gantry_tilt_is_sheared_and_measured() -> None:
    tilt = np.radians(14)
    line = np.array([0, np.sin(tilt), np.cos(tilt)])
    found = measure_spacing(positions_along(line, [5.0] * 9), (0, 0, 1))
    assert found.verdict == "sheared"
    assert found.shear_deg == pytest.approx(14)
    assert found.spacing_mm == pytest.approx(5 * np.cos(tilt))


@pytest.mark.parametrize("moved", [0, 3, 9], ids="slice {}".format)
def test_one_slice_shifted_in_plane_is_sheared(moved: int) -> None:
    positions = positions_along((0, 0, 1), [2.0] * 9)
    positions[moved] += [1.5, 0, 0]
    assert measure_spacing(positions, (0, 0, 1)).verdict == "sheared"


def test_cosines_rounded_to_two_digits_are_no_shear() -> None:
    true = np.array([0, np.cos(np.radians(7.3)), np.sin(np.radians(7.3))])
    normal = slice_normal(np.round([1, 0, 0, *true], 2))
    true_normal = slice_normal([1, 0, 0, *true])
    assert measure_spacing(positions_along(true_normal, [1.0] * 191), normal).verdict == "uniform"


def test_positions_are_numbered_from_the_smallest() -> None:
    assert distinct_positions([5.0, 0.0, 5.001, 10.0, 0.0]).tolist() == [1, 0, 1, 2, 0]


@pytest.mark.parametrize("view", STANDARD_ORIENTATIONS)
def test_standard_orientations_are_canonical_already(view: str) -> None:
    axes = canonical_axes(STANDARD_ORIENTATIONS[view])
    assert (axes.view, axes.transpose, axes.flip_rows, axes.flip_columns) == (view, False, False, False)
    assert axes.slice_direction == pytest.approx(AXES[view])
    assert is_standard(STANDARD_ORIENTATIONS[view])


@pytest.mark.parametrize(
    ("orientation", "view", "transpose", "flip_rows", "flip_columns"),
    [
        ([1, 0, 0, 0, 0, 1], "coronal", False, True, False),
        ([0, 1, 0, 1, 0, 0], "axial", True, False, False),
        ([0, 0, -1, 0, 1, 0], "sagittal", True, False, False),
        ([-1, 0, 0, 0, -1, 0], "axial", False, True, True),
    ],
    ids=str,
)
def test_other_storage_is_turned(
    orientation: list[int], view: str, transpose: bool, flip_rows: bool, flip_columns: bool
) -> None:
    axes = canonical_axes(orientation)
    assert (axes.view, axes.transpose, axes.flip_rows, axes.flip_columns) == (
        view,
        transpose,
        flip_rows,
        flip_columns,
    )
    assert axes.slice_direction == pytest.approx(AXES[view])
    assert not is_standard(orientation)


def test_pitch_within_the_plane_is_no_tilt() -> None:
    """Turning a sagittal slice in its own plane leaves its normal where it was."""
    angle = np.radians(15)
    pitched = [0, np.cos(angle), -np.sin(angle), 0, -np.sin(angle), -np.cos(angle)]
    assert nearest_view(slice_normal(pitched)) == ("sagittal", pytest.approx(0, abs=1e-6))
    assert canonical_axes(pitched).transpose is False


@pytest.mark.parametrize("orientation", [[0] * 6, [1, 0, 0, 1, 0, 0], [float("nan")] * 6], ids=str)
def test_cosines_without_a_plane_are_refused(orientation: list[float]) -> None:
    with pytest.raises(GeometryError, match="two unit vectors at right angles"):
        slice_normal(orientation)


angles = st.floats(-0.6, 0.6)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    turn_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return turn_x @ turn_y @ turn_z


@given(st.sampled_from(list(STANDARD_ORIENTATIONS)), angles, angles, angles)
def test_canonical_axes_are_right_handed_and_orthonormal(view: str, a: float, b: float, c: float) -> None:
    turned = (rotation(a, b, c) @ np.array(STANDARD_ORIENTATIONS[view], float).reshape(2, 3).T).T.ravel()
    axes = canonical_axes(turned)
    assert np.cross(axes.column_direction, axes.row_direction) == pytest.approx(axes.slice_direction)


@given(
    st.sampled_from(list(STANDARD_ORIENTATIONS)),
    angles,
    angles,
    angles,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_storage_does_not_change_the_canonical_affine(
    view: str, a: float, b: float, c: float, transposed: bool, upside_down: bool, mirrored: bool
) -> None:
    """The same scan stored transposed or flipped in its plane has one affine."""
    standard = np.array(STANDARD_ORIENTATIONS[view], float)
    orientation = (rotation(a, b, c) @ standard.reshape(2, 3).T).T.ravel()
    position, spacing, shape = np.array([3.0, -5.0, 7.0]), np.array([0.7, 1.3]), (40, 60)
    expected = canonical_affine(
        position, orientation, spacing, shape, canonical_axes(orientation).slice_direction
    )
    row, column = orientation.reshape(2, 3)
    if mirrored:
        position, row = position + row * spacing[1] * (shape[1] - 1), -row
    if upside_down:
        position, column = position + column * spacing[0] * (shape[0] - 1), -column
    if transposed:
        row, column, spacing, shape = column, row, spacing[::-1], shape[::-1]
    stored = np.concatenate([row, column])
    step = canonical_axes(stored).slice_direction
    assert canonical_affine(position, stored, spacing, shape, step) == pytest.approx(expected)


def test_affine_maps_indices_to_voxel_centres() -> None:
    affine = canonical_affine((1, 2, 3), STANDARD_ORIENTATIONS["axial"], (0.5, 0.8), (10, 20), (0, 0, 4))
    assert affine @ [2, 3, 5, 1] == pytest.approx([1 + 5 * 0.8, 2 + 3 * 0.5, 3 + 2 * 4, 1])


def test_resize_keeps_the_field_of_view() -> None:
    """With half-pixel centres the outer edges of the first and last voxel stay where they were."""
    affine = np.diag([4.0, 0.5, 0.8, 1.0])
    resized = resized_affine(affine, (96, 512, 512), (48, 192, 192))
    for edge_before, edge_after in (((-0.5,) * 3, (-0.5,) * 3), ((95.5, 511.5, 511.5), (47.5, 191.5, 191.5))):
        assert resized @ [*edge_after, 1] == pytest.approx(affine @ [*edge_before, 1])


def test_padding_moves_the_origin_back() -> None:
    padded = padded_affine(np.diag([4.0, 1.0, 1.0, 1.0]), 3)
    assert padded @ [3, 0, 0, 1] == pytest.approx([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("n_slices", "expected"), [(48, 5.0), (96, 10.0), (47, 5.0), (16, 5.0), (144, 15.0)], ids=str
)
def test_effective_spacing_counts_only_what_is_resized(n_slices: int, expected: float) -> None:
    assert effective_spacing(n_slices, 5.0) == pytest.approx(expected)
