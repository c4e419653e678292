"""Scores agree with MONAI's, are in millimetres, and are defined for every pair of masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou, compute_surface_dice
from numpy.typing import NDArray

from radnet.errors import MaskError
from radnet.transfer.scores import score_mask

SPACING = (7.7, 1.25, 1.5)
Flags = NDArray[np.bool_]


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> Flags:
    """A ball in voxels, cut off at the edge of the scan."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return np.asarray(np.linalg.norm(grid - np.array(centre), axis=-1) <= radius)


def blobs(seed: int) -> tuple[Flags, Flags]:
    """Two ragged masks that differ, at times by an island or at the edge of the scan."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 14, 3))
    centre = tuple(rng.uniform(0, side) for side in shape)
    mask = ball(shape, centre, rng.uniform(1, 6)) ^ (rng.random(shape) < 0.03)
    truth = ball(shape, tuple(c + rng.normal(0, 1) for c in centre), rng.uniform(1, 6))
    mask[tuple(rng.integers(0, side) for side in shape)] = True
    truth[tuple(rng.integers(0, side) for side in shape)] = True
    return mask, truth


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 2.0, 5.0]))
def test_scores_are_monais(seed: int, tolerance_mm: float) -> None:
    mask, truth = blobs(seed)
    ours = score_mask(mask, truth, SPACING, tolerance_mm)
    pair = [torch.from_numpy(each)[None, None].float() for each in (mask, truth)]
    distance = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=SPACING)
    surface = compute_surface_dice(*pair, [tolerance_mm], include_background=True, spacing=SPACING)
    assert ours.dice == pytest.approx(float(compute_dice(*pair)), abs=1e-6)
    assert ours.iou == pytest.approx(float(compute_iou(*pair)), abs=1e-6)
    assert ours.hd95_mm == pytest.approx(float(distance), abs=1e-4)  # single precision of some 30 mm
    assert ours.surface_dice == pytest.approx(float(surface), abs=1e-6)


def test_a_shift_by_one_slice_is_one_slice_spacing_away() -> None:
    mask = np.zeros((12, 20, 20), bool)
    mask[4:8, 5:15, 5:15] = True
    scores = score_mask(np.roll(mask, 1, 0), mask, SPACING, tolerance_mm=1.0)
    assert scores.hd95_mm == pytest.approx(7.7)
    assert score_mask(np.roll(mask, 1, 2), mask, SPACING).hd95_mm == pytest.approx(1.5)
    assert scores.volume_difference_ml == 0


def test_volumes_are_millilitres() -> None:
    mask = np.zeros((4, 10, 10), bool)
    mask[:2] = True
    truth = np.zeros_like(mask)
    truth[:1] = True
    scores = score_mask(mask, truth, (5.0, 2.0, 1.0))
    assert (scores.mask_ml, scores.truth_ml, scores.volume_difference_ml) == pytest.approx((2.0, 1.0, 1.0))
    assert (scores.dice, scores.iou, scores.failed) == (pytest.approx(2 / 3), 0.5, False)


def test_two_empty_masks_agree_entirely() -> None:
    empty = np.zeros((3, 4, 5), bool)
    scores = score_mask(empty, empty, SPACING)
    assert (scores.dice, scores.iou, scores.surface_dice, scores.hd95_mm) == (1, 1, 1, 0)
    assert not scores.failed


@pytest.mark.parametrize("missing", ["mask", "truth"])
def test_one_empty_mask_is_the_worst_there_is(missing: str) -> None:
    empty, full = np.zeros((10, 20, 30), bool), ball((10, 20, 30), (5, 10, 15), 4)
    pair = (empty, full) if missing == "mask" else (full, empty)
    scores = score_mask(*pair, spacing_mm=(3.0, 2.0, 1.0))
    assert (scores.dice, scores.iou, scores.surface_dice, scores.failed) == (0, 0, 0, True)
    assert scores.hd95_mm == pytest.approx(np.linalg.norm([30, 40, 30]))


def test_half_a_dice_is_no_failure_and_less_is() -> None:
    truth = np.zeros((2, 4, 4), bool)
    truth[0] = True
    half, less = np.zeros_like(truth), np.zeros_like(truth)
    half[0, :2], half[1, :2] = True, True
    less[0, :1], less[1, :3] = True, True
    assert (score_mask(half, truth, SPACING).dice, score_mask(half, truth, SPACING).failed) == (0.5, False)
    assert score_mask(less, truth, SPACING).failed


def test_masks_on_two_grids_are_refused() -> None:
    with pytest.raises(
        MaskError, match="mask of 2 x 3 x 4 voxels cannot be scored against a truth of 2 x 3 x 5"
    ):
        score_mask(np.ones((2, 3, 4)), np.ones((2, 3, 5)), SPACING)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, float("nan"), 1.0)], ids=str)
def test_a_spacing_that_is_none_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(MaskError, match="expected three positive numbers"):
        score_mask(np.ones((2, 3, 4)), np.ones((2, 3, 4)), spacing)
