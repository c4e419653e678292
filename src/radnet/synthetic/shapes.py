"""Solids from which a body is painted, and the canvas they are painted on.

Coordinates are millimetres of a reference adult in the patient's LPS frame: x to the left, y to the back,
z to the head. The canvas bends them smoothly before a shape sees them, so that no painted organ is a perfect
ellipsoid. Later paint covers earlier paint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.noise import Real, noise_planes
from radnet.synthetic.stature import Stature
from radnet.synthetic.structures import NUMBER

Mask = NDArray[np.bool_]
Wide = NDArray[np.float64]
Point = tuple[float, float, float]
Window = tuple[slice, slice, slice]

BEND_MM: Final = 4.5
"""Size of the smooth displacement of every structure; its deviation is 0.6 of this."""
BEND_CELL_MM: Final = 70.0
"""Distance over which the displacement changes."""
RIPPLE_MM: Final = 2.0
"""Size of a finer displacement along x and y."""
RIPPLE_CELL_MM: Final = 24.0
"""Distance over which the finer displacement changes."""
REACH_MM: Final = 12.0
"""No displacement is larger but one in ten thousand, save the sway of whole planes."""
GRAIN_CELL_MM: Final = 7.0
"""Distance over which the unevenness of surfaces changes."""
GRAIN_UNIT: Final = 40
"""Steps of the stored unevenness in one unit."""
SLAB_VOXELS: Final = 60_000
"""Voxels that are decided at a time: few enough that intermediate results stay in the cache."""
LOFT_SMOOTH_MM: Final = 24
"""Length over which the profile of a loft is averaged."""


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
    """A body of rounded horizontal sections whose outline changes smoothly with height.

    Attributes:
        knots: Rows of height, half width, y of the front, y of the back, y of the widest place, and how far
            the section is from an ellipse (0) towards a rectangle (1); mm, heights ascend.
        x: Of the middle, mm.
    """

    knots: tuple[tuple[float, float, float, float, float, float], ...]
    x: float = 0.0

    def bounds(self) -> tuple[Point, Point]:
        """Return the lowest and highest corner, mm."""
        z, a, front, back, _, _ = np.array(self.knots).T
        return (self.x - a.max(), float(front.min()), z[0]), (self.x + a.max(), float(back.max()), z[-1])

    def profile(self, heights: Real) -> NDArray[np.float32]:
        """Return half width, front, back, widest place and boxiness at heights, (5, ...)."""
        fine, rows = _profiles(self.knots)
        return np.array([np.interp(heights, fine, row) for row in rows]).astype(np.float32)

    def at(self, height: float) -> tuple[float, float, float, float, float]:
        """Return half width, front, back, widest place and boxiness at one height."""
        a, front, back, middle, boxy = self.profile(np.array([height], np.float32))[:, 0]
        return float(a), float(front), float(back), float(middle), float(boxy)

    def level(self, x: Real, y: Real, z: Real) -> Real:
        """Return about the squared distance from the middle of the section, 1 on the surface.

        A section is taken at the mean height of its plane.
        """
        height = z.mean(axis=(1, 2), keepdims=True)
        a, front, back, middle, boxy = self.profile(height)
        wide = np.square((x - np.float32(self.x)) / a)
        offset = y - middle
        deep = np.square(np.where(offset < 0, offset / (front - middle), offset / (back - middle)))
        level = wide + deep - boxy * wide * deep
        level[(wide > 1) | (deep > 1)] = 4
        level[np.broadcast_to((height < self.knots[0][0]) | (height > self.knots[-1][0]), level.shape)] = 9
        return np.asarray(level)

    def inside(self, x: Real, y: Real, z: Real) -> Mask:
        """Say which of the points lie in the solid."""
        return np.asarray(self.level(x, y, z) < 1)

    def shrunk(self, mm: float) -> Loft:
        """Return the solid whose sections are smaller all around."""
        return replace(
            self, knots=tuple((z, max(a - mm, 1.0), f + mm, b - mm, y, k) for z, a, f, b, y, k in self.knots)
        )


@lru_cache(maxsize=256)
def _profiles(knots: tuple[tuple[float, ...], ...]) -> tuple[Wide, list[Wide]]:
    """Return heights every mm, and the smoothed profiles at them."""
    table = np.array(knots).T
    fine = np.arange(table[0, 0], table[0, -1] + 1)
    return fine, [_smoothed(np.interp(fine, table[0], row)) for row in table[1:]]


def _smoothed(row: Wide) -> Wide:
    """Round the corners of a profile that is sampled every mm."""
    width = min(LOFT_SMOOTH_MM, len(row) // 2)
    padded = np.concatenate([np.full(width, row[0]), row, np.full(width, row[-1])])
    sums = np.cumsum(padded)
    mean = (sums[width:] - sums[:-width]) / width
    at = np.arange(len(row)) + width - width // 2 - 1
    return np.asarray(mean[at])


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
        step_mm: Voxel of the map, cubic.
        low: First voxel's centre in the body's own millimetres.
        stature: Size of the body against the reference adult.
        heights: Height of each plane in the reference adult before any bending, mm; (z,).
    """

    def __init__(self, low: Point, shape: tuple[int, int, int], step_mm: float, stature: Stature) -> None:
        self.labels = np.zeros(shape, np.uint8)
        self.step_mm = step_mm
        self.low = low
        self.stature = stature
        x, y, z = (
            np.arange(n, dtype=np.float32) * np.float32(step_mm) + np.float32(lo)
            for n, lo in zip(shape[::-1], low, strict=True)
        )
        self.heights: Real = stature.reference_height(z).astype(np.float32)
        shrink = (1 / stature.across(self.heights)).astype(np.float32)[:, None, None]
        self._x, self._y, self._z = shrink * x, shrink * y[:, None], self.heights[:, None, None]
        self._grain = np.zeros((1, 1, 1), np.int8)
        self._reach_mm = REACH_MM

    def bend(self, rng: np.random.Generator, pliant: Real, sway_x: Real, sway_y: Real) -> None:
        """Displace every voxel smoothly, and every plane as a whole; call once, before painting.

        Args:
            rng: Where the displacement comes from.
            pliant: How much of the smooth displacement each plane takes; (z,).
            sway_x: Displacement of each plane along x, mm; (z,).
            sway_y: The same along y.
        """
        shape = self.labels.shape
        self._reach_mm = REACH_MM + float(max(np.abs(sway_x).max(), np.abs(sway_y).max()))
        coarse, fine = BEND_CELL_MM / self.step_mm, RIPPLE_CELL_MM / self.step_mm
        sizes = pliant * np.float32(BEND_MM), pliant * np.float32(RIPPLE_MM)
        axes = [(self._x, sway_x), (self._y, sway_y), (self._z, np.zeros_like(sway_x))]
        fields = []
        for axis, sway in axes:
            field = np.empty(shape, np.float32)
            bends, ripples = noise_planes(shape, coarse, rng), noise_planes(shape, fine, rng)
            planes = np.broadcast_to(axis, (shape[0], *axis.shape[1:]))
            rows = zip(field, planes, bends, ripples, *sizes, sway, strict=True)
            for out, straight, bend, ripple, by, by_ripple, aside in rows:
                np.multiply(bend, by, out=out)
                out += ripple * by_ripple
                out += straight + aside
            fields.append(field)
        self._x, self._y, self._z = fields
        self._grain = np.empty(shape, np.int8)
        for out, grain in zip(
            self._grain, noise_planes(shape, GRAIN_CELL_MM / self.step_mm, rng), strict=True
        ):
            out[:] = np.clip(grain * np.float32(GRAIN_UNIT), -127, 127)

    def window(self, shape: Shape, margin_mm: float = 0.0) -> Window:
        """Return the voxels that a shape can touch."""
        margin = self._reach_mm + margin_mm
        low, high = shape.bounds()
        heights = np.searchsorted(self.heights, (low[2] - margin, high[2] + margin))
        sizes = self.stature.across(np.array([low[2] - margin, high[2] + margin]))
        most, least = float(sizes.max()), float(sizes.min())
        ranges = [slice(int(heights[0]), int(heights[1]) + 1)]
        for axis in (1, 0):
            ends = (low[axis] - margin, high[axis] + margin)
            start = min(ends[0] * most, ends[0] * least) - self.low[axis]
            stop = max(ends[1] * most, ends[1] * least) - self.low[axis]
            ranges.append(slice(max(0, int(start / self.step_mm)), max(0, int(stop / self.step_mm) + 2)))
        return ranges[0], ranges[1], ranges[2]

    def slabs(self, window: Window) -> Iterator[Window]:
        """Cut a window into slabs of planes that fit a processor's cache; none if the window is empty."""
        z, y, x = (range(*part.indices(n)) for part, n in zip(window, self.labels.shape, strict=True))
        area = len(y) * len(x)
        step = max(1, SLAB_VOXELS // max(area, 1))
        for start in z[::step] if area else ():
            yield slice(start, min(start + step, z.stop)), window[1], window[2]

    def coordinates(self, window: Window) -> tuple[Real, Real, Real]:
        """Return the bent x, y and z of a window's voxels, mm of the reference adult."""
        return self._x[window], self._y[window], self._z[window]

    def grain(self, window: Window, shift: int = 0) -> Real:
        """Return fine noise of a window, mean 0 and deviation about 0.6.

        Args:
            window: Of the map.
            shift: Another value gives other noise: the field is read so many voxels further along z.
        """
        z, y, x = window
        if shift:
            planes = np.arange(*z.indices(self.labels.shape[0])) + shift
            rough = self._grain[np.mod(planes, self.labels.shape[0])][:, y, x]
        else:
            rough = self._grain[window]
        return rough.astype(np.float32) * np.float32(1 / GRAIN_UNIT)

    def paint(
        self,
        shapes: Shape | Iterable[Shape],
        structure: str,
        only: Sequence[str] | None = None,
        rough: float = 0.0,
    ) -> None:
        """Give the voxels inside a structure's number.

        Args:
            shapes: One solid, or several whose union is painted.
            structure: Name of what is painted.
            only: Cover these structures alone; None covers all.
            rough: Unevenness of the surface as a share of the solid's size; ellipsoids alone have it.
        """
        number = NUMBER[structure]
        allowed = None if only is None else members(only)
        for shape in shapes if isinstance(shapes, Iterable) else (shapes,):
            for window in self.slabs(self.window(shape)):
                region = self.labels[window]
                x, y, z = self.coordinates(window)
                if rough and isinstance(shape, Ellipsoid):
                    mask = shape.radius2(x, y, z) < 1 + np.float32(2 * rough) * self.grain(window)
                else:
                    mask = shape.inside(x, y, z)
                if allowed is not None:
                    mask &= allowed[region]
                region[mask] = number


def members(names: Iterable[str]) -> Mask:
    """Return a table that says of each structure number whether it is among the names."""
    table = np.zeros(256, bool)
    table[[NUMBER[name] for name in names]] = True
    return table


def rotation(degrees: Point) -> NDArray[np.float64]:
    """Return the matrix that turns about x, then y, then z."""
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
