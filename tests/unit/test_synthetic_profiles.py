from __future__ import annotations

import numpy as np
import pytest

from radnet.synthetic.prescription import Prescription, volume_resize
from radnet.synthetic.profiles import Spread, folded, linear_matrix, noise_root, spread_matrix
from radnet.volumes.resize import resize_stack

SPREADS = {
    "slice": Spread(5.0, 0.6),
    "pixel": Spread(1.0, 0.8),
    "sharp": Spread(0.7, 0.5, sharpening=0.8),
    "rings": Spread(1.0, 0.5, frequency_mm=1.5),
}


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_what_is_uniform_stays_so(spread):
    matrix = spread_matrix(np.linspace(20, 40, 33), 60, 2.0, spread)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_a_point_stays_where_it_is(spread):
    places = np.array([45.0, 49.5, 53.25])
    matrix = spread_matrix(places, 100, 0.5, spread)
    np.testing.assert_allclose(matrix @ np.arange(100), places, atol=0.05)


def test_a_slice_averages_over_its_thickness():
    matrix = spread_matrix(np.array([30.0]), 60, 1.0, Spread(10.0, 0.05))
    inside = np.abs(np.arange(60) - 30) <= 4
    np.testing.assert_allclose(matrix[0, inside], 0.1, atol=1e-3)
    assert matrix[0, np.abs(np.arange(60) - 30) >= 6].max() < 1e-3


def test_a_sharp_kernel_and_a_cut_off_overshoot_at_an_edge_and_a_blur_does_not():
    edge = (np.arange(80) >= 40).astype(float)
    response = {
        name: spread_matrix(np.linspace(20, 60, 161), 80, 1.0, spread) @ edge
        for name, spread in SPREADS.items()
    }
    assert response["sharp"].max() > 1.05
    assert response["rings"].max() > 1.02
    assert response["rings"].min() < -0.02
    assert response["pixel"].max() < 1.0001


def test_copies_come_from_where_they_are_asked_from():
    def at(moved: float) -> np.ndarray:
        return spread_matrix(np.arange(10.0) + 20 + moved, 60, 1.0, Spread(1.0, 0.0))

    values = np.zeros(60)
    values[35] = 1
    np.testing.assert_allclose(folded(at, {10.0: 0.5}) @ values, 0.5 * (np.arange(10) == 5), atol=1e-2)


@pytest.mark.parametrize(("n_from", "n_to"), [(512, 192), (300, 48), (128, 192), (192, 192), (97, 48)])
def test_the_resize_is_that_of_the_volumes(n_from, n_to):
    values = np.random.default_rng(1).normal(size=(2, n_from, 3)).astype(np.float32)
    expected = resize_stack(values.__getitem__, 2, (2, n_to, 3))
    np.testing.assert_allclose(linear_matrix(n_from, n_to) @ values, expected, atol=2e-5)


@pytest.mark.parametrize("n_slices", [20, 48, 61, 130])
def test_a_stack_becomes_a_volume_as_the_pipeline_does_it(n_slices):
    values = np.random.default_rng(2).normal(size=(n_slices, 40, 56)).astype(np.float32)
    plan = Prescription(np.zeros((n_slices, 3)), np.eye(3)[0], np.eye(3)[1], (40, 56), 1.0, 1.0)
    resize = volume_resize(plan, (48, 24, 32))
    moved = np.einsum("as,br,cz,srz->abc", resize.slices, resize.rows, resize.columns, values, optimize=True)
    np.testing.assert_allclose(moved, resize_stack(values.__getitem__, n_slices, (48, 24, 32)), atol=3e-5)


def test_a_root_of_noise_has_the_noise_of_the_matrix():
    matrix = linear_matrix(60, 24)
    root = noise_root(matrix)
    assert root.shape == (24, 24)
    np.testing.assert_allclose(root @ root.T, matrix @ matrix.T, atol=1e-5)
