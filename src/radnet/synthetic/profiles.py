"""What a scan does along one axis, as a matrix: from voxels of the body to pixels, and on to other pixels.

Slice profile, point spread of the reconstruction, wrap-around, ghosts and the resize of `radnet.volumes` are
all linear and separable, so that a volume is the body's values times one matrix an axis. Positions and widths
are in units of the input's spacing; input element j fills j - 0.5 to j + 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

SINC_LOBES: Final = 4
"""Side lobes of a sampled frequency window that are kept."""
SPREAD_SIGMAS: Final = 4.0
NOISE_FLOOR: Final = 1e-6
"""Added to the variance of noise, so that its matrix has a root where pixels repeat each other."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a point of the body is spread over an axis, all in mm.

    Attributes:
        box_mm: Width over which values are averaged: a slice's thickness, a detector's aperture.
        blur_mm: Standard deviation of a Gaussian blur on top of that.
        sharpening: Share by which a kernel overshoots at edges; 0 for none.
        frequency_mm: Pixel of the acquired matrix, whose cut-off makes rings at edges; 0 for none.
    """

    box_mm: float
    blur_mm: float
    sharpening: float = 0.0
    frequency_mm: float = 0.0

    @property
    def reach_mm(self) -> float:
        """Distance beyond which nothing of a point is seen."""
        smooth = self.box_mm / 2 + SPREAD_SIGMAS * self.blur_mm * (2 if self.sharpening else 1)
        return max(smooth, SINC_LOBES * self.frequency_mm)


def spread_matrix(positions: NDArray[Any], size: int, step_mm: float, spread: Spread) -> Matrix:
    """Return how outputs at some positions are mixed of the input's elements.

    Args:
        positions: (m,) places of the outputs, in elements of the input.
        size: Elements of the input.
        step_mm: Distance between them.
        spread: How points are spread.

    Returns:
        (m, size); a row sums to 1 where the input reaches far enough.
    """
    edges = np.arange(size + 1) - 0.5
    offsets = (edges - np.asarray(positions)[:, None]) * step_mm
    return np.diff(_cumulated(spread)(offsets), axis=1)


def _cumulated(spread: Spread) -> Callable[[Vector], Vector]:
    """Return the integral of a point's spread from far below to an offset in mm."""
    reach = spread.reach_mm
    grid = np.linspace(-reach, reach, 1025)
    density = _smoothed(grid, spread.box_mm, spread.blur_mm)
    if spread.sharpening:
        density *= 1 + spread.sharpening
        density -= spread.sharpening * _smoothed(grid, spread.box_mm, 2 * spread.blur_mm)
    if spread.frequency_mm:
        window = np.cos(grid * np.pi / 2 / reach) ** 2
        rings = np.sinc(grid / spread.frequency_mm) * window
        density = np.convolve(rings, density, "same") if spread.box_mm or spread.blur_mm else rings
    total = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    total /= total[-1]
    return lambda offsets: np.interp(offsets, grid, total)


def _smoothed(grid: Vector, box_mm: float, blur_mm: float) -> Vector:
    """Return the density of a box convolved with a Gaussian."""
    blur = max(blur_mm, 1e-3)
    half = max(box_mm, 1e-3) / 2
    return (_normal((grid + half) / blur) - _normal((grid - half) / blur)) / (2 * half)


def _normal(z: Vector) -> Vector:
    """Return the cumulative normal distribution."""
    places, shares = _normal_table()
    return np.interp(z, places, shares)


@cache
def _normal_table() -> tuple[Vector, Vector]:
    normal = NormalDist()
    places = np.linspace(-6, 6, 2401)
    return places, np.array([normal.cdf(place) for place in places])


def linear_matrix(n_from: int, n_to: int) -> Matrix:
    """Return the linear resize with half-pixel centres, as OpenCV's INTER_LINEAR: (n_to, n_from)."""
    centres = np.clip((np.arange(n_to) + 0.5) * (n_from / n_to) - 0.5, 0, n_from - 1)
    lower = np.minimum(np.floor(centres).astype(np.int64), max(n_from - 2, 0))
    weight = centres - lower
    matrix = np.zeros((n_to, n_from))
    rows = np.arange(n_to)
    matrix[rows, lower] = 1 - weight
    matrix[rows, np.minimum(lower + 1, n_from - 1)] += weight
    return matrix


def folded(matrix_at: Callable[[float], Matrix], echoes: dict[float, float]) -> Matrix:
    """Add copies of an axis that come from elsewhere: wrap-around and ghosts.

    Args:
        matrix_at: Makes the matrix for positions moved by some distance.
        echoes: Weight of the copy from each distance.
    """
    total = matrix_at(0.0)
    for distance, weight in echoes.items():
        total = total + weight * matrix_at(distance)
    return total


def noise_root(matrix: Matrix) -> Matrix:
    """Return a square root of what a matrix makes of white noise: (m, m) for (m, n).

    White noise times the root has the standard deviations and correlations of n white numbers times the
    matrix, at m numbers' cost.
    """
    covariance = matrix @ matrix.T
    return np.asarray(np.linalg.cholesky(covariance + NOISE_FLOOR * np.eye(len(covariance))), np.float64)
