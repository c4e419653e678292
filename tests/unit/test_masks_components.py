"""The largest part of a mask, beside SciPy's ruler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from radnet.masks.components import label_components, largest_component

TOUCHING = np.zeros((3, 3, 3), bool)
TOUCHING[1] = True  # corners join within a slice
TOUCHING[0, 1, 1] = TOUCHING[2, 1, 1] = True


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.6), st.tuples(*[st.integers(1, 9)] * 3))
def test_parts_are_those_of_scipy(seed: int, share: float, shape: tuple[int, int, int]) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    expected, count = ndimage.label(mask, TOUCHING)
    labels, sizes = label_components(mask)
    assert len(sizes) - 1 == count
    pairs = np.unique(np.stack([expected.ravel(), labels.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(expected)) == len(np.unique(labels))
    assert largest_component(mask).sum() == max(np.bincount(expected.ravel())[1:], default=0)


def test_the_largest_part_is_kept_whole_across_slices() -> None:
    mask = np.zeros((4, 10, 10), bool)
    mask[0, :2, :2] = mask[1, 1:4, 1:4] = mask[2, 3:6, 3:5] = True  # a chain
    mask[3, 8:, :3] = mask[0, 8:, 8:] = True
    found = largest_component(mask)
    assert found.sum() == 4 + 9 + 6
    assert not found[3].any()


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 4, 4)])
def test_nothing_gives_nothing(shape: tuple[int, int, int]) -> None:
    assert largest_component(np.zeros(shape, bool)).sum() == 0
