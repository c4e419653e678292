"""Solids from which a body is painted, and the canvas they are painted on.

Coordinates are millimetres of a reference adult in the patient's LPS frame: x to the left, y to the back,
z to the head. The canvas bends them smoothly before a shape sees them, so that no painted organ is a perfect
ellipsoid. Later paint covers earlier paint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]
Mask = NDArray[np.bool_]
Point = tuple[float, float, float]

BEND_MM: Final = 2.0
"""Standard deviation of the smooth displacement of every structure."""
BEND_CELL_MM: Final = 45.0
"""Distance over which the displacement changes."""


class Shape(Protocol):
    """A solid that knows its bounding box and which points it holds."""

    def bounds(self) -> tuple[Point, Point]:
        """Return the lowest and highest corner, mm."""
        ...

    def inside(self, x: Real, y: Real, z: Real) -> Mask:
        """Say which of the points lie in the solid; the arrays broadcast against each other."""
        ...


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid, or a rounded box.

    Attributes:
        centre: mm.
        radii: Half axes, mm.
        boxy: True for the fourth power (a rounded box) instead of the second.
        turn: Rotation about x, y and z, degrees, applied in this order.
    """

    centre: Point
    radii: Point
    boxy: bool = False
    turn: Point = (0.0, 0.0, 0.0)

    def bounds(self) -> tuple[Point, Point]:
        """Return the lowest and highest corner, mm."""
        reach = np.array(self.radii)
        if any(self.turn):
            reach = np.abs(rotation(self.turn)) @ reach
        centre = np.array(self.centre)
        return _point(centre - reach), _point(centre + reach)

    def inside(self, x: Real, y: Real, z: Real) -> Mask:
        """Say which of the points lie in the solid."""
        return self.radius2(x, y, z) < 1

    def radius2(self, x: Real, y: Real, z: Real) -> Real:
        """Return the squared distance from the centre, 1 on the surface."""
        offsets: Sequence[Real] = [
            axis - np.float32(middle) for axis, middle in zip((x, y, z), self.centre, strict=True)
        ]
        if any(self.turn):
            back = rotation(self.turn).T.astype(np.float32)
            offsets = [sum((row[i] * offsets[i] for i in range(1, 3)), row[0] * offsets[0]) for row in back]
        total: Real = np.float32(0)  # type: ignore[assignment]
        for offset, radius in zip(offsets, self.radii, strict=True):
            part = np.square(offset * np.float32(1 / radius))
            total = total + (np.square(part) if self.boxy else part)
        return total

    def shrunk(self, mm: float) -> Ellipsoid:
        """Return the solid that lies so far inside, e.g. the marrow in a bone."""
        return replace(self, radii=_point(np.maximum(np.array(self.radii) - mm, 0.5)))


@dataclass(frozen=True, slots=True)
class Capsule:
    """A straight piece of a tube with round ends.

    Attributes:
        start: mm.
        end: mm.
        radii: At the start and at the end, mm.
    """

    start: Point
    end: Point
    radii: tuple[float, float]

    def bounds(self) -> tuple[Point, Point]:
        """Return the lowest and highest corner, mm."""
        ends, reach = np.array([self.start, self.end]), max(self.radii)
        return _point(ends.min(0) - reach), _point(ends.max(0) + reach)

    def inside(self, x: Real, y: Real, z: Real) -> Mask:
        """Say which of the points lie in the solid."""
        along = np.array(self.end) - np.array(self.start)
        length2 = max(float(along @ along), 1e-6)
        dx, dy, dz = (axis - np.float32(at) for axis, at in zip((x, y, z), self.start, strict=True))
        ax, ay, az = (np.float32(value) for value in along)
        share = np.clip((dx * ax + dy * ay + dz * az) * np.float32(1 / length2), 0, 1)
        radius = np.float32(self.radii[0]) + share * np.float32(self.radii[1] - self.radii[0])
        distance2 = np.square(dx - share * ax) + np.square(dy - share * ay) + np.square(dz - share * az)
        return np.asarray(distance2 < np.square(radius))

    def shrunk(self, mm: float) -> Capsule:
        """Return the solid that lies so far inside."""
        return replace(self, radii=(max(self.radii[0] - mm, 0.3), max(self.radii[1] - mm, 0.3)))


@dataclass(frozen=True, slots=True)
class Loft:
    """A body of rounded horizontal sections whose size changes with height.

    Attributes:
        knots: Rows of height, half width, half depth and y of the centre, mm; heights ascend.
    """

    knots: tuple[tuple[float, float, float, float], ...]

    def bounds(self) -> tuple[Point, Point]:
        """Return the lowest and highest corner, mm."""
        z, a, b, y = np.array(self.knots).T
        return (-a.max(), float((y - b).min()), z[0]), (a.max(), float((y + b).max()), z[-1])

    def inside(self, x: Real, y: Real, z: Real) -> Mask:
        """Say which of the points lie in the solid; a section is taken at the mean height of its plane."""
        height = z.mean(axis=(1, 2), keepdims=True)
        knots = np.array(self.knots, np.float32).T
        a, b, middle = (np.interp(height, knots[0], row).astype(np.float32) for row in knots[1:])
        wide, deep = np.square(x / a), np.square((y - middle) / b)
        # between an ellipse and a rectangle: a trunk's section
        section = wide + deep + wide * deep * np.float32(-0.6) < 1
        return np.asarray(
            section & (wide < 1) & (deep < 1) & (height >= knots[0, 0]) & (height <= knots[0, -1])
        )

    def shrunk(self, mm: float) -> Loft:
        """Return the solid whose sections are smaller all around."""
        return Loft(tuple((z, max(a - mm, 1.0), max(b - mm, 1.0), y) for z, a, b, y in self.knots))


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a solid on one side of a plane.

    Attributes:
        solid: What is cut.
        point: On the plane, mm.
        normal: Points into the part that is left.
    """

    solid: Shape
    point: Point
    normal: Point

    def bounds(self) -> tuple[Point, Point]:
        """Return the lowest and highest corner of the whole solid, mm."""
        return self.solid.bounds()

    def inside(self, x: Real, y: Real, z: Real) -> Mask:
        """Say which of the points lie in the part."""
        height = sum(
            (axis - np.float32(at)) * np.float32(n)
            for axis, at, n in zip((x, y, z), self.point, self.normal, strict=True)
            if n
        )
        return self.solid.inside(x, y, z) & (height > 0)


def tube(points: Sequence[Point], radii: float | Sequence[float]) -> list[Capsule]:
    """Join points by pieces of a tube.

    Args:
        points: At least two, mm.
        radii: One for all points, or one a point, mm.
    """
    each = [float(radii)] * len(points) if isinstance(radii, int | float) else [float(r) for r in radii]
    return [Capsule(points[i], points[i + 1], (each[i], each[i + 1])) for i in range(len(points) - 1)]


class Canvas:
    """A label map on a grid, and the bent coordinates of its voxels.

    Attributes:
        labels: (z, y, x) of structure numbers.
    """

    def __init__(self, low: Point, high: Point, step_mm: float, rng: np.random.Generator) -> None:
        self.step_mm = step_mm
        self.low = low
        axes = [np.arange(lo, hi, step_mm, dtype=np.float32) for lo, hi in zip(low, high, strict=True)]
        x, y, z = axes
        shape = (len(z), len(y), len(x))
        self.labels = np.zeros(shape, np.uint8)
        cells = BEND_CELL_MM / step_mm
        self._x = x[None, None, :] + BEND_MM * smooth_noise(shape, cells, rng)
        self._y = y[None, :, None] + BEND_MM * smooth_noise(shape, cells, rng)
        self._z = z[:, None, None] + BEND_MM * smooth_noise(shape, cells, rng)

    def window(self, shape: Shape) -> tuple[slice, slice, slice]:
        """Return the voxels that a shape can touch."""
        margin = 4 * BEND_MM
        low, high = shape.bounds()
        ranges = [
            slice(
                max(0, int((lo - margin - start) / self.step_mm)),
                max(0, int((hi + margin - start) / self.step_mm) + 2),
            )
            for lo, hi, start in zip(low, high, self.low, strict=True)
        ]
        return ranges[2], ranges[1], ranges[0]

    def coordinates(self, window: tuple[slice, slice, slice]) -> tuple[Real, Real, Real]:
        """Return the bent x, y and z of a window's voxels, mm."""
        return self._x[window], self._y[window], self._z[window]

    def paint(
        self, shapes: Shape | Iterable[Shape], structure: int, only: Sequence[int] | None = None
    ) -> None:
        """Give the voxels inside a structure's number.

        Args:
            shapes: One solid, or several whose union is painted.
            structure: Number written into the map.
            only: Cover these structures alone; None covers all.
        """
        for shape in shapes if isinstance(shapes, Iterable) else (shapes,):
            window = self.window(shape)
            region = self.labels[window]
            if not region.size:
                continue
            mask = shape.inside(*self.coordinates(window))
            if only is not None:
                mask &= np.isin(region, only, kind="table")
            region[mask] = structure


def smooth_noise(shape: tuple[int, int, int], cell: float, rng: np.random.Generator) -> Real:
    """Draw a smooth random field of mean 0 and standard deviation about 0.6.

    Args:
        shape: Of the field.
        cell: Voxels between two independent values.
        rng: Where the values come from.
    """
    coarse = [int(np.ceil(n / cell)) + 2 for n in shape]
    field = rng.standard_normal(coarse, np.float32)
    for axis, n in enumerate(shape):
        field = np.moveaxis(np.tensordot(_weights(n, cell, coarse[axis]), field, (1, axis)), 0, axis)
    return field


def _weights(n: int, cell: float, coarse: int) -> Real:
    """Return the (n, coarse) matrix that interpolates smoothly between coarse values."""
    at = np.arange(n) / cell
    below = at.astype(int)
    share = at - below
    share = share * share * (3 - 2 * share)
    weights = np.zeros((n, coarse), np.float32)
    weights[np.arange(n), below] = 1 - share
    weights[np.arange(n), below + 1] = share
    return weights


def rotation(degrees: Point) -> NDArray[np.float64]:
    """Return the matrix that turns about x, then y, then z."""
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
