"""Smooth random fields, equal on every machine.

Values come from a numpy Generator, whose streams numpy keeps stable, and are interpolated by single additions
and multiplications of float32, which IEEE 754 fixes to the last bit. No matrix product, no Fourier transform
and no exponential is used: their results depend on the library and on the processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]

LATTICE_SIZE: Final = 32
"""Random values along each side of a `Lattice`, after which it repeats."""


def noise_planes(shape: tuple[int, int, int], cell: float, rng: np.random.Generator) -> Iterator[Real]:
    """Yield a smooth random field of mean 0 and standard deviation about 0.6, plane by plane.

    Args:
        shape: Of the field, (z, y, x).
        cell: Voxels between two independent values.
        rng: Where the values come from.

    Yields:
        (y, x) of every z; the array is used again for the next.
    """
    field = rng.standard_normal([int(np.ceil(n / cell)) + 2 for n in shape], np.float32)
    for axis in (2, 1):
        below, share = _cells(shape[axis], cell)
        low, high = np.take(field, below, axis), np.take(field, below + 1, axis)
        field = low + (high - low) * (share if axis == 2 else share[:, None])
    rise = np.diff(field, axis=0)
    plane = np.empty(shape[1:], np.float32)
    for at, part in zip(*_cells(shape[0], cell), strict=True):
        np.multiply(rise[at], part, out=plane)
        plane += field[at]
        yield plane


def _cells(n: int, cell: float) -> tuple[NDArray[np.intp], Real]:
    """Return for every voxel the coarse value below it and its smoothed share of the next."""
    at = np.arange(n) / cell
    below = at.astype(np.intp)
    share = at - below
    return below, (share * share * (3 - 2 * share)).astype(np.float32)


class Lattice:
    """A smooth random field that can be read at any point of space."""

    def __init__(self, cell_mm: float, rng: np.random.Generator) -> None:
        self._per_mm = np.float32(1 / cell_mm)
        self._values = rng.standard_normal((LATTICE_SIZE,) * 3, np.float32).ravel()

    def at(self, x: Real, y: Real, z: Real) -> Real:
        """Return the values at points, mm; the arrays have equal shapes. Mean 0, deviation about 0.6."""
        lows, shares = [], []
        for axis in (x, y, z):
            place = axis * self._per_mm
            low = np.floor(place)
            share = place - low
            shares.append(share * share * (np.float32(3) - np.float32(2) * share))
            lows.append(low.astype(np.int32))
        xs, ys, zs = ([low % LATTICE_SIZE, (low + 1) % LATTICE_SIZE] for low in lows)
        planes = []
        for zi in zs:
            rows = []
            for yi in ys:
                start = (zi * LATTICE_SIZE + yi) * LATTICE_SIZE
                rows.append(_mix(self._values[start + xs[0]], self._values[start + xs[1]], shares[0]))
            planes.append(_mix(rows[0], rows[1], shares[1]))
        return _mix(planes[0], planes[1], shares[2])


def _mix(low: Real, high: Real, share: Real) -> Real:
    return low + (high - low) * share
