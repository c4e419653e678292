from __future__ import annotations

import numpy as np

from radnet.synthetic.noise import LATTICE_SIZE, Lattice, noise_planes


def field(shape: tuple[int, int, int], cell: float, seed: int = 1) -> np.ndarray:
    return np.array([plane.copy() for plane in noise_planes(shape, cell, np.random.default_rng(seed))])


def test_noise_has_the_shape_the_mean_and_the_spread_it_promises():
    noise = field((60, 70, 80), 4.0)
    assert noise.shape == (60, 70, 80)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.1
    assert 0.5 < noise.std() < 0.8


def test_noise_is_smooth_over_its_cell_and_independent_beyond():
    noise = field((40, 40, 160), 8.0)
    near = np.corrcoef(noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel())[0, 1]
    far = np.corrcoef(noise[:, :, :-24].ravel(), noise[:, :, 24:].ravel())[0, 1]
    assert near > 0.95
    assert abs(far) < 0.25


def test_noise_holds_the_drawn_values_at_its_knots():
    rng = np.random.default_rng(5)
    drawn = np.random.default_rng(5).standard_normal((5, 5, 5), np.float32)
    planes = [plane.copy() for plane in noise_planes((9, 9, 9), 4.0, rng)]
    np.testing.assert_array_equal(np.array(planes)[::4, ::4, ::4], drawn[:3, :3, :3])


def test_a_lattice_repeats_and_is_continuous():
    lattice = Lattice(10.0, np.random.default_rng(2))
    x = np.linspace(-50, 50, 2001, dtype=np.float32)
    y, z = np.full_like(x, 3.7), np.full_like(x, -12.1)
    values = lattice.at(x, y, z)
    assert np.abs(np.diff(values)).max() < 0.05
    again = lattice.at(x + np.float32(10 * LATTICE_SIZE), y, z)
    np.testing.assert_allclose(again, values, atol=1e-3)
