"""The resize is linear with half-pixel centres and looks at no more slices than it needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radnet.volumes.resize import blank_slices, needed_slices, pad_slices, resize_stack, slice_weights


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
