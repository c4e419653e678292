"""Scans and masks keep their place and size on the way to the network's grid and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transfer_scans import SPACING_MM, body, organ

from radnet.transfer.grid import (
    Grid,
    resample_image,
    resample_mask,
    restore_mask,
    same_place,
    volume_ml,
)


def axial(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] = SPACING_MM) -> Grid:
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing_mm
    affine[:, 3] = -70, -60, 1500, 1
    return Grid(shape, affine)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_a_scan_that_is_on_the_grid_already_stays_as_it_is():
    values = body((20, 40, 40))
    there = axial(values.shape)
    wanted = there.resampled(SPACING_MM[0], 40)
    np.testing.assert_allclose(wanted.affine, there.affine)
    np.testing.assert_array_equal(resample_image(values.__getitem__, there, wanted), values)
    mask = organ(values.shape)
    np.testing.assert_array_equal(resample_mask(mask, there, wanted), mask)
    np.testing.assert_array_equal(restore_mask(mask, wanted, there), mask)


@settings(max_examples=40, deadline=None)
@given(
    n_slices=st.integers(8, 60),
    spacing=st.floats(0.7, 9),
    slice_mm=st.floats(2, 8),
    matrix=st.sampled_from([16, 32, 48, 96]),
)
def test_the_grid_is_centred_in_the_scan_and_its_slices_are_as_far_apart_as_asked(
    n_slices, spacing, slice_mm, matrix
):
    there = axial((n_slices, 40, 48), (spacing, 3.0, 3.0))
    wanted = there.resampled(slice_mm, matrix)
    np.testing.assert_allclose(wanted.spacing_mm, [slice_mm, 120 / matrix, 144 / matrix])
    centres = [grid.affine @ [*(np.array(grid.shape) - 1) / 2, 1] for grid in (there, wanted)]
    np.testing.assert_allclose(*centres, atol=1e-6)
    assert abs(wanted.shape[0] * slice_mm - n_slices * spacing) <= max(slice_mm, spacing) * 1.01


def test_values_are_read_where_they_lie_along_every_axis():
    """A linear ramp in millimetres is the same ramp on any grid inside the scan."""
    there = axial((30, 40, 48))
    index = np.stack(np.meshgrid(*map(np.arange, there.shape), indexing="ij"), -1)
    ramp = (index @ there.affine[:3, :3].T + there.affine[:3, 3]) @ [1.0, 0.5, 0.25]
    wanted = there.resampled(5.0, 30)
    index = np.stack(np.meshgrid(*map(np.arange, wanted.shape), indexing="ij"), -1)
    expected = (index @ wanted.affine[:3, :3].T + wanted.affine[:3, 3]) @ [1.0, 0.5, 0.25]
    found = resample_image(ramp.__getitem__, there, wanted)
    np.testing.assert_allclose(found[1:-1, 1:-1, 1:-1], expected[1:-1, 1:-1, 1:-1], atol=1e-2)


def test_only_the_slices_that_are_needed_are_read_and_each_once():
    there = axial((300, 8, 8), (0.7, 3.0, 3.0))
    wanted = there.resampled(5.0, 8)
    read: list[int] = []

    def plane(number: int) -> np.ndarray:
        read.append(number)
        return np.zeros((8, 8))

    resample_image(plane, there, wanted)
    assert len(read) == len(set(read)) <= 2 * wanted.shape[0]
    assert read == sorted(read)


@pytest.mark.parametrize("matrix", [24, 48, 96])
@pytest.mark.parametrize("spacing", [1.0, 4.0, 7.7], ids="{} mm".format)
def test_a_mask_keeps_its_volume_and_comes_back(matrix, spacing):
    shape = (round(80 / spacing) + 8, 160, 192)
    mask, there = organ(shape), axial(shape, (spacing, 1.0, 1.0))
    wanted = there.resampled(5.0, matrix)
    resampled = resample_mask(mask, there, wanted)
    assert volume_ml(resampled, wanted) == pytest.approx(volume_ml(mask, there), rel=0.04)
    # worst where 12 slices of 7.7 mm meet a matrix of 24
    assert dice(restore_mask(resampled, wanted, there), mask) > (0.93 if matrix == 24 else 0.95)


def test_probabilities_are_cut_between_voxels():
    there, wanted = axial((4, 8, 8)), axial((4, 8, 8)).resampled(4.0, 4)
    share = np.zeros(wanted.shape, np.float32)
    share[:, :, :2] = 0.9
    narrow = restore_mask(share * 0.7, wanted, there).sum()
    assert 0 < narrow < restore_mask(share, wanted, there).sum()


def test_the_ends_of_a_scan_belong_to_its_outermost_slices():
    there = axial((5, 8, 8), (2.0, 3.0, 3.0))
    wanted = there.resampled(5.0, 8)  # two slices of five: 10 mm
    full = restore_mask(np.ones(wanted.shape), wanted, there)
    assert full.all()


def test_places_differ_when_a_corner_does():
    grid = axial((5, 8, 8))
    moved = grid.affine.copy()
    moved[0, 2] += 0.1  # the last column is 0.7 mm off
    assert same_place(grid.affine, moved, grid.shape, 0.8)
    assert not same_place(grid.affine, moved, grid.shape, 0.6)
