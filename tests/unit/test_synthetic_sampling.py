from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from radnet.synthetic.acquisition import ct_appearance

from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.planning import DIRECTIONS
from radnet.synthetic.sampling import Prescription, sample
from radnet.synthetic.shapes import rotation

POINTS = {"liver": (-70.0, 0.0, 345.0), "brain": (-20.0, 30.0, 830.0), "lung": (-80.0, 40.0, 480.0)}


@cache
def body() -> Body:
    return make_body(3)


def around(point: np.ndarray, row: np.ndarray, column: np.ndarray, size: int = 41) -> Prescription:
    first = point - (row + column) * (size // 2)
    return Prescription(first[None], row, column, (size, size), 1.0, 4.0)


@pytest.mark.parametrize("name", POINTS)
def test_a_place_looks_the_same_in_every_view(name):
    point = body().world(POINTS[name])
    seen = []
    for row, column in DIRECTIONS.values():
        (image,) = sample(body(), ct_appearance(body(), False), around(point, row, column))
        seen.append(image[17:24, 17:24].mean())
    assert np.ptp(seen) < 25


def test_a_slightly_turned_slice_is_nearly_the_straight_one():
    point = body().world(POINTS["liver"])
    row, column = DIRECTIONS["axial"]
    turn = rotation((0.2, 0, 0))
    (straight,) = sample(body(), ct_appearance(body(), False), around(point, row, column))
    (turned,) = sample(body(), ct_appearance(body(), False), around(point, turn @ row, turn @ column))
    assert np.abs(straight - turned).mean() < 8


def test_reversing_a_direction_mirrors_the_image():
    point = body().world(POINTS["liver"])
    row, column = DIRECTIONS["axial"]
    (image,) = sample(body(), ct_appearance(body(), False), around(point, row, column))
    (mirrored,) = sample(body(), ct_appearance(body(), False), around(point, -row, column))
    np.testing.assert_allclose(mirrored, image[:, ::-1], atol=0.5)


def test_beyond_the_body_there_is_air():
    row, column = DIRECTIONS["axial"]
    far = body().world((0.0, 0.0, 3000.0))
    (image,) = sample(body(), ct_appearance(body(), False), around(far, row, column))
    np.testing.assert_allclose(image, -1000, atol=1)
