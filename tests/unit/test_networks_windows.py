"""Windows cover what they shall, and blending gives back what every window says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.errors import NetworkError
from radnet.networks.inference import Floats, Grey
from radnet.networks.second_pass import Box, box_around, look_again
from radnet.networks.windows import blend_weights, cover, cover_windows, cut_window, slide

WINDOW = (8, 16, 16)


def grey(shape: tuple[int, int, int], seed: int = 0) -> Grey:
    return np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8)


def as_share(windows: Grey) -> Floats:
    """Say of each voxel how bright it is."""
    return windows.astype(np.float32) / 255


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.integers(1, 60), st.floats(0, 0.9))
def test_every_slice_is_covered(n_slices: int, window: int, overlap: float) -> None:
    starts = cover(n_slices, window, overlap)
    covered = np.zeros(n_slices, bool)
    for start in starts:
        covered[max(start, 0) : start + window] = True
    assert covered.all()
    assert list(starts) == sorted(set(starts))
    if n_slices > window:
        assert min(starts) == 0
        assert max(starts) == n_slices - window
    else:
        before, after = -starts[0], window + starts[0] - n_slices
        assert after - before in (0, 1)  # centred as training volumes are


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 120), st.sampled_from([4, 8, 16, 48]), st.sampled_from([8, 12, 48]), st.data())
def test_proposed_windows_of_any_length_are_covered(
    n_slices: int, length: int, window: int, data: st.DataObject
) -> None:
    last = max(n_slices - length, 0)
    starts = data.draw(st.lists(st.integers(0, last), min_size=1, max_size=4, unique=True))
    found = cover_windows(starts, length, n_slices, window)
    wanted, covered = np.zeros(n_slices, bool), np.zeros(n_slices, bool)
    for start in starts:
        wanted[start : start + length] = True
    for start in found:
        covered[max(start, 0) : max(start + window, 0)] = True
    assert covered[wanted].all()
    assert all(start >= 0 and start + window <= n_slices for start in found) or n_slices <= max(
        window, length
    )


def test_windows_as_long_as_the_proposed_ones_are_these() -> None:
    assert cover_windows([16, 0, 16], 8, 40, 8) == (0, 16)
    with pytest.raises(NetworkError, match="no window is proposed"):
        cover_windows([], 8, 40, 8)


@pytest.mark.parametrize("n_slices", [3, 8, 9, 21])
def test_blending_gives_what_all_windows_say(n_slices: int) -> None:
    image = grey((n_slices, 16, 16))
    found = slide(as_share, image, WINDOW, cover(n_slices, 8))
    assert found.dtype == np.float32
    assert np.allclose(found, image / 255, atol=1e-6)


def test_windows_count_most_in_their_middle() -> None:
    """Two windows that say 0 and 1: the share of each falls towards its end."""

    def by_turns(windows: Grey) -> Floats:
        return np.stack([np.full(WINDOW, float(number), np.float32) for number in range(len(windows))])

    found = slide(by_turns, grey((12, 16, 16)), WINDOW, (0, 4))[:, 0, 0]
    assert (found[:4] == 0).all()
    assert (found[8:] == 1).all()
    assert (np.diff(found[3:9]) > 0).all()
    assert found[5] == pytest.approx(1 - found[6], abs=1e-6)
    weights = blend_weights(8)
    assert np.array_equal(weights, weights[::-1])
    assert weights.argmax() in (3, 4)


def test_slices_that_no_window_covers_are_none_of_the_organ() -> None:
    found = slide(as_share, grey((30, 16, 16)), WINDOW, (10,))
    assert (found[10:18] > 0).all()
    assert found[:10].max() == found[18:].max() == 0


def test_planes_of_any_size_are_resized_and_brought_back() -> None:
    seen: list[tuple[int, ...]] = []

    def remember(windows: Grey) -> Floats:
        seen.append(windows.shape)
        return as_share(windows)

    _, rows, columns = np.indices((9, 50, 60))
    image = (2 * rows + 2 * columns + 20).astype(np.uint8)  # even, so that nothing is lost in resizing
    found = slide(remember, image, WINDOW, cover(9, 8), batch_size=3)
    assert seen == [(2, 8, 16, 16)]
    assert found.shape == image.shape
    inside = (slice(None), slice(3, -3), slice(3, -3))
    assert np.abs(found - image / 255)[inside].max() < 1.5 / 255


def test_a_window_outside_the_scan_is_blank() -> None:
    image = grey((4, 2, 2))
    assert not cut_window(image, 9, 3).any()
    assert np.array_equal(cut_window(image, -2, 4)[2:], image[:2])
    assert not cut_window(image, -2, 4)[:2].any()


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (np.zeros((4, 4, 4), np.float32), "4x4x4 float32"),
        (np.zeros((4, 4), np.uint8), "4x4 uint8"),
        (np.zeros((0, 4, 4), np.uint8), "0x4x4 uint8"),
    ],
    ids=["floats", "plane", "empty"],
)
def test_what_is_no_image_is_refused(image: Grey, told: str) -> None:
    with pytest.raises(NetworkError, match=f"an image is {told}; a segmenter takes slices x rows x columns"):
        slide(as_share, image, WINDOW, (0,))


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(NetworkError, match="probabilities are not finite; its weights cannot be used"):
        slide(lambda windows: np.full(windows.shape, np.nan, np.float32), grey((8, 16, 16)), WINDOW, (0,))


def blob() -> Floats:
    first = np.zeros((20, 40, 40), np.float32)
    first[8:12, 10:20, 5:15] = 0.9
    first[0, 39, 39] = 0.9  # a stray voxel
    return first


def test_the_box_lies_around_the_largest_part_with_a_margin() -> None:
    assert box_around(blob(), 0.5, 0.2) == Box((7, 13), (8, 22), (3, 17))
    assert box_around(np.zeros((4, 9, 9), np.float32), 0.5, 0.2) is None
    corner = np.zeros((20, 40, 40), np.float32)
    corner[:3, :4, 36:] = 1
    box = box_around(corner, 0.5, 0.2)
    assert box == Box((0, 5), (0, 14), (26, 40))  # inside the image, and not enlarged beyond what was trained


def test_the_second_pass_sees_the_box_enlarged_and_mixes_both() -> None:
    seen: list[Grey] = []

    def sure(windows: Grey) -> Floats:
        seen.append(windows)
        return np.ones(windows.shape, np.float32)

    image, first = grey((20, 40, 40)), blob()
    found = look_again(sure, image, first, WINDOW, 0.5, 0.2, 0.5)
    box = (slice(7, 13), slice(8, 22), slice(3, 17))
    assert np.allclose(found[box], (first[box] + 1) / 2)
    outside = np.ones(found.shape, bool)
    outside[box] = False
    assert np.array_equal(found[outside], first[outside])
    (windows,) = seen
    assert windows.shape == (1, *WINDOW)  # six slices of the box, and those beside it instead of blank ones
    assert windows.min() > 0
    nothing = np.zeros_like(first)
    assert look_again(sure, image, nothing, WINDOW, 0.5, 0.2, 0.5) is nothing
