"""The resize is linear with half-pixel centres and looks at no more slices than it needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radnet.volumes.resize import (
    average_volume,
    blank_slices,
    needed_slices,
    pad_slices,
    resize_stack,
    slice_weights,
)


def reference(volume: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Interpolate one axis after the other with half-pixel centres, by definition."""
    for axis, target in enumerate(shape):
        size = volume.shape[axis]
        centres = (np.arange(target) + 0.5) * size / target - 0.5
        volume = np.apply_along_axis(
            lambda line, at=centres: np.interp(at, np.arange(len(line)), line), axis, volume
        )
    return volume


@settings(max_examples=40, deadline=None)
@given(
    slices=st.integers(6, 30),
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_result_is_linear_interpolation(slices: int, rows: int, columns: int, seed: int) -> None:
    volume = np.random.default_rng(seed).uniform(-1000, 1000, (slices, rows, columns))
    result = resize_stack(lambda number: volume[number], slices, (6, 9, 7))
    np.testing.assert_allclose(result, reference(volume, (6, 9, 7)), atol=0.01)


@pytest.mark.parametrize("slices", [48, 49, 75, 96, 144, 300, 301])
def test_result_equals_torch_trilinear(slices: int) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    volume = np.random.default_rng(slices).uniform(-1000, 1000, (slices, 50, 41)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(volume)[None, None], size=(48, 64, 24), mode="trilinear", align_corners=False
    )[0, 0].numpy()
    result = resize_stack(lambda number: volume[number], slices, (48, 64, 24))
    assert np.abs(result - expected).max() < 2000 / 255 / 4


@given(slices=st.integers(1, 2000), target=st.integers(1, 100))
def test_needed_slices_are_read_once_and_in_order(slices: int, target: int) -> None:
    read: list[int] = []

    def plane(number: int) -> NDArray[np.float32]:
        read.append(number)
        return np.full((1, 1), number, np.float32)

    resize_stack(plane, slices, (target, 1, 1))
    assert read == needed_slices(slices, target)
    assert read == sorted(set(read))
    assert len(read) <= 2 * target


def test_third_slices_alone_are_read_of_three_times_as_many() -> None:
    assert needed_slices(144, 48) == list(range(1, 144, 3))


@given(slices=st.integers(1, 500), target=st.integers(1, 100))
def test_reversed_stack_gives_the_reversed_result(slices: int, target: int) -> None:
    lower, upper, weight = slice_weights(slices, target)
    centres = lower + (upper - lower) * weight
    np.testing.assert_allclose(centres, (slices - 1 - centres)[::-1], atol=1e-4)


@pytest.mark.parametrize(
    ("slices", "expected"),
    [(16, (16, 16)), (47, (0, 1)), (21, (13, 14)), (48, (0, 0)), (300, (0, 0))],
    ids=lambda case: str(case),
)
def test_few_slices_are_centred_among_blank_ones(slices: int, expected: tuple[int, int]) -> None:
    assert blank_slices(slices, 48) == expected
    padded = pad_slices(np.ones((min(slices, 48), 2, 2), np.uint8), 48)
    before, after = expected
    assert padded.any(axis=(1, 2)).tolist() == [False] * before + [True] * min(slices, 48) + [False] * after


def test_few_slices_are_not_mixed_along_the_stack() -> None:
    volume = np.random.default_rng(0).uniform(0, 100, (20, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(resize_stack(lambda number: volume[number], 20, (48, 8, 8)), volume)


def test_averaging_by_whole_numbers_is_the_mean_of_blocks() -> None:
    volume = np.random.default_rng(0).integers(0, 256, (12, 18, 24), np.uint8)
    blocks = volume.reshape(4, 3, 6, 3, 8, 3).astype(float).mean((1, 3, 5))
    assert np.abs(average_volume(volume, (4, 6, 8)) - blocks).max() <= 0.5 + 1e-3


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_averaging_keeps_the_mean_and_what_is_even(given_voxels: int, less: int, level: int) -> None:
    wanted = max(1, given_voxels - less)
    even = np.full((given_voxels, 2, 2), level, np.uint8)
    assert (average_volume(even, (wanted, 2, 2)) == level).all()
    volume = np.random.default_rng(level).integers(0, 256, (given_voxels, 2, 2), np.uint8)
    assert abs(average_volume(volume, (wanted, 2, 2)).mean() - volume.mean()) <= 0.51


def test_averaging_takes_noise_away() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (24, 48, 48)).clip(0, 255).astype(np.uint8)
    assert average_volume(noise, (8, 16, 16)).std() == pytest.approx(noise.std() / 27**0.5, rel=0.05)
