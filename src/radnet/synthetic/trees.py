"""Grow trees of vessels and airways."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.shapes import Capsule, Point

FORK_DEG_SHARE = 0.55
"""Sideways part of a daughter's direction."""
THINNING = 0.76
"""Radius of a daughter against its mother's; 0.79 would keep the sum of the cubes (Murray 1926)."""
SHORTENING = 0.78


def grow(
    start: Point,
    direction: Point,
    radius: float,
    length: float,
    generations: int,
    rng: np.random.Generator,
    thinnest: float,
) -> list[Capsule]:
    """Fork a vessel again and again.

    Args:
        start: Where the stem begins, mm.
        direction: Of the stem; any length.
        radius: Of the stem, mm.
        length: Of the stem, mm.
        generations: How often it forks.
        rng: Draws the directions.
        thinnest: Least radius, mm.
    """
    pieces: list[Capsule] = []
    stems = [(np.array(start, float), np.array(direction, float), radius, length)]
    for _ in range(generations + 1):
        daughters = []
        for at, way, thick, long in stems:
            way = way / np.sqrt((way * way).sum())
            long *= float(rng.uniform(0.7, 1.25))
            end = at + way * long
            thin = max(thick * THINNING, thinnest)
            pieces.append(Capsule(_point(at), _point(end), (max(thick, thinnest), thin)))
            aside = rng.normal(0, 1, 3)
            aside = FORK_DEG_SHARE * aside / np.sqrt((aside * aside).sum())
            daughters += [(end, way + sign * aside, thin, long * SHORTENING) for sign in (-1, 1)]
        stems = daughters
    return pieces


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
