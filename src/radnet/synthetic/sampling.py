"""Read slices of any position and orientation out of a body.

A body is prepared once: every voxel becomes a code of its structure and its texture, so that one look-up in a
table turns it into the values of any scan. A scan lays a grid along its own axes over the body, looks the
values up and mixes them by one matrix an axis (`profiles`). Positions and directions are LPS, mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.anatomy import Body
from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.profiles import Matrix, Spread, Vector, spread_matrix
from radnet.synthetic.randomness import key_of, normals, random_bits

ALONG_AXIS: Final = 1 - 1e-9
"""Cosine above which a direction counts as one of the body's axes."""
FINE_LEVELS: Final = 4
COARSE_LEVELS: Final = 8
TEXTURES: Final = FINE_LEVELS * COARSE_LEVELS
"""Codes of one structure: its voxels differ by a fine and a coarse grain."""
FINE_GRAIN: Final = np.array([-1.27, -0.33, 0.33, 1.27]) * 0.75
"""Values of the fine grain: means of the quarters of a normal distribution, times its share."""
COARSE_GRAIN: Final = (np.arange(COARSE_LEVELS) - 3.5) / 1.6 * 0.65
"""Values of the coarse grain, times its share."""
GRAIN: Final = (FINE_GRAIN[:, None] + COARSE_GRAIN[None]).ravel()
"""Texture of each code of a structure, in standard deviations."""
SOFT_VOXELS: Final = 0.5
"""Standard deviation of the blur that hides the map's voxels."""
COARSE_VOXELS: Final = 4
"""Distance between the points of the coarse grain."""
CONTENT_MARGIN_MM: Final = 16.0
"""Air around the body that is kept, for what a scan moves there: fat by its chemical shift."""
CORE_HALF_MM: Final = 115.0
"""Half the width of a head and neck with room for the ears."""
STILL_VOXELS: Final = 1e-4
"""Way along a line of the grid below which it counts as standing still."""
SHARE_OF_THICKNESS: Final = 0.26
"""Largest step along the slices of a thick slice, as a share of its thickness."""


@dataclass(frozen=True)
class Subject:
    """A body on its device, ready for any number of scans.

    Attributes:
        body: The body.
        arrays: Where it lies.
        codes: (z + 2, y + 2, x + 2) int16: structure number times `TEXTURES` plus texture, with a frame of
            what lies outside.
        present: Structure numbers that occur.
        extent_mm: (2, 3) lowest and highest corner of all that is not outside.
        outlines_mm: (z, 2, 2) lowest and highest x and y of what is not outside, plane by plane; NaN in
            planes that hold nothing.
        core_outlines_mm: The same of what lies within `CORE_HALF_MM` of the midline.
    """

    body: Body
    arrays: Arrays
    codes: Array
    present: frozenset[int]
    extent_mm: Vector
    outlines_mm: Vector
    core_outlines_mm: Vector

    @property
    def origin_mm(self) -> Vector:
        """Position of the first code's centre."""
        return self.body.origin_mm - self.body.voxel_mm

    def outline_mm(self, low_z_mm: float, high_z_mm: float, core: bool = False) -> Vector:
        """Return lowest and highest x and y of the body between two heights, (2, 2) mm.

        Args:
            low_z_mm: Lower height.
            high_z_mm: Upper height.
            core: Whether only what is near the midline counts: head and neck without raised arms.
        """
        outlines = self.core_outlines_mm if core else self.outlines_mm
        places = (np.array([low_z_mm, high_z_mm]) - self.body.origin_mm[2]) / self.body.voxel_mm[2]
        first, last = np.clip(np.rint(places), 0, len(outlines) - 1).astype(int).tolist()
        planes = outlines[first : last + 1]
        found = planes[np.isfinite(planes[:, 0, 0])]
        if not len(found):
            return self.extent_mm[:, :2]
        return np.array([found[:, 0].min(0), found[:, 1].max(0)])


def prepare(body: Body, arrays: Arrays | None = None, seed: int = 0) -> Subject:
    """Put a body on a device and give it texture.

    Args:
        body: The label map.
        arrays: Where scans of it are made.
        seed: Of the texture.
    """
    arrays = arrays or Arrays()
    labels = np.pad(body.labels, 1)
    present = frozenset(np.unique(body.labels).tolist())
    codes = arrays.cast(arrays.put(labels), "int16") * TEXTURES + _texture(arrays, labels.shape, seed)
    outlines = _outlines_mm(body, np.inf)
    filled = np.flatnonzero(np.isfinite(outlines[:, 0, 0]))
    heights = body.origin_mm[2] + (filled[[0, -1]] + np.array([-0.5, 0.5])) * body.voxel_mm[2]
    extent = np.array(
        [[*np.nanmin(outlines[:, 0], 0), heights[0]], [*np.nanmax(outlines[:, 1], 0), heights[1]]]
    )
    return Subject(body, arrays, codes, present, extent, outlines, _outlines_mm(body, CORE_HALF_MM))


def _outlines_mm(body: Body, half_mm: float) -> Vector:
    """Return the outline of every plane within some distance of the midline, (z, 2, 2) mm."""
    filled = body.labels > 0
    columns = np.flatnonzero(np.any(filled, axis=(0, 1)))
    middle = (columns[0] + columns[-1]) / 2 if len(columns) else 0.0
    away_mm = np.abs(np.arange(filled.shape[2]) - middle) * body.voxel_mm[0]
    filled = filled & (away_mm <= half_mm)
    result = np.full((len(filled), 2, 2), np.nan)
    for column, lines in enumerate((np.any(filled, axis=1), np.any(filled, axis=2))):
        some = np.any(lines, axis=1)
        size = lines.shape[1]
        low = lines.argmax(axis=1) - 0.5
        high = size - 1 - lines[:, ::-1].argmax(axis=1) + 0.5
        for end, place in enumerate((low, high)):
            result[some, end, column] = body.origin_mm[column] + place[some] * body.voxel_mm[column]
    return result


def _texture(arrays: Arrays, shape: tuple[int, int, int], seed: int) -> Array:
    """Return the texture of every voxel: 0 to TEXTURES - 1, int16."""
    size = int(np.prod(shape))
    bits = random_bits(arrays, key_of(seed, "fine texture"), -(-size // 32))
    pairs = arrays.xp.stack([arrays.cast((bits >> shift) & 3, "int16") for shift in range(0, 64, 2)])
    fine = pairs.reshape(-1)[:size].reshape(shape)
    small = tuple(-(-n // COARSE_VOXELS) + 1 for n in shape)
    coarse = normals(arrays, key_of(seed, "coarse texture"), small)
    for axis, (n, m) in enumerate(zip(shape, small, strict=True)):
        matrix = spread_matrix((np.arange(n) + 0.5) / COARSE_VOXELS, m, 1.0, Spread(1.0, 0.45))
        coarse = arrays.along(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), coarse, axis)
    level = arrays.xp.clip(coarse * 1.6 + (COARSE_LEVELS / 2), 0, COARSE_LEVELS - 1)
    return fine * COARSE_LEVELS + arrays.cast(level, "int16")


@dataclass(frozen=True)
class Laid:
    """A grid along a scan's axes, with what the body holds there.

    Attributes:
        codes: (slices, rows, columns) of the grid.
        step_mm: Distance of the grid's points along each axis.
        first: Place of the scan's first voxel on each axis, in points of the grid.
        offsets_mm: Distance of every slice, row and column of the scan from the first.
        axes: (3, 3) directions of slices, rows and columns.
        start_mm: Position of the scan's first voxel.
    """

    codes: Array
    step_mm: Vector
    first: Vector
    offsets_mm: tuple[Vector, Vector, Vector]
    axes: Vector
    start_mm: Vector

    def world(self, arrays: Arrays, component: int) -> Array:
        """Return x (0), y (1) or z (2) of the grid's points, mm; broadcasts against the codes."""
        total = float(self.start_mm[component])
        for axis, count in enumerate(self.codes.shape):
            move = self.axes[axis, component] * self.step_mm[axis]
            if abs(move) > 1e-9:
                line = (np.arange(count) - self.first[axis]) * move
                total = total + arrays.put(line.reshape([-1 if i == axis else 1 for i in range(3)]))
        return total

    def matrix(self, axis: int, spread: Spread, moved_mm: float = 0.0) -> Matrix:
        """Return the matrix from the grid to the scan along one axis.

        Args:
            axis: 0 slices, 1 rows, 2 columns.
            spread: How points are spread.
            moved_mm: By how much the scan is moved along the axis.
        """
        step_mm = float(self.step_mm[axis])
        places = self.first[axis] + (self.offsets_mm[axis] + moved_mm) / step_mm
        return spread_matrix(places, self.codes.shape[axis], step_mm, spread)


def lay(
    subject: Subject,
    plan: Prescription,
    reach_mm: tuple[float, float, float],
    content_mm: Vector | None = None,
) -> Laid:
    """Lay a grid over the body that holds a scan and its surroundings, as far as there is anything.

    Args:
        subject: The body.
        plan: The scan.
        reach_mm: How far the grid goes beyond the scan's first and last slice, row and column.
        content_mm: (2, 3) box beyond which there is air; the body's without it.
    """
    axes = np.array([plan.step, plan.column, plan.row])
    offsets = plan.offsets_mm()
    spans = [(float(o.min()) - r, float(o.max()) + r) for o, r in zip(offsets, reach_mm, strict=True)]
    content = subject.extent_mm if content_mm is None else content_mm
    spans = _within(spans, axes, plan.positions[0], content)
    straight = bool((np.abs(axes).max(axis=1) > ALONG_AXIS).all())
    take = _straight if straight else _turned
    codes, steps, first = take(subject, plan, axes, spans)
    return Laid(codes, steps, first, offsets, axes, plan.positions[0])


def _within(
    spans: list[tuple[float, float]], axes: Vector, start_mm: Vector, content_mm: Vector
) -> list[tuple[float, float]]:
    """Cut the spans of a grid to where a box is; at least a few points are left."""
    grown = content_mm + np.array([[-CONTENT_MARGIN_MM], [CONTENT_MARGIN_MM]])
    corners = np.array(
        [[grown[i, 0], grown[j, 1], grown[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    places = np.linalg.solve(axes.T, (corners - start_mm).T)
    result = []
    for (low, high), near, far in zip(spans, places.min(axis=1), places.max(axis=1), strict=True):
        first = min(max(low, float(near)), high)
        result.append((first, max(min(high, float(far)), first)))
    return result


def _straight(
    subject: Subject, plan: Prescription, axes: Vector, spans: list[tuple[float, float]]
) -> tuple[Array, Vector, Vector]:
    """Take the body's own voxels, in the scan's order."""
    towards = np.abs(axes).argmax(axis=1)
    voxels_mm = subject.body.voxel_mm[towards]
    every = np.array([_stride(plan.thickness_mm, float(voxels_mm[0])), 1, 1])
    start = ((plan.positions[0] - subject.origin_mm) / subject.body.voxel_mm)[towards]
    codes, first = subject.codes, []
    places = []
    for axis, (low, high) in enumerate(spans):
        sign = int(np.sign(axes[axis, towards[axis]]))
        step_mm = voxels_mm[axis] * every[axis]
        below, above = int(np.ceil(-low / step_mm)) + 1, int(np.ceil(high / step_mm)) + 1
        nearest = round(start[axis])
        places.append(nearest + sign * every[axis] * np.arange(-below, above + 1))
        first.append(below + sign * (start[axis] - nearest) / every[axis])
    for axis, indices in enumerate(places):
        last = subject.codes.shape[2 - towards[axis]] - 1
        codes = subject.arrays.pick(codes, np.clip(indices, 0, last), 2 - int(towards[axis]))
    order = tuple(2 - int(axis) for axis in towards)
    return subject.arrays.transpose(codes, order), voxels_mm * every, np.array(first)


def _turned(
    subject: Subject, plan: Prescription, axes: Vector, spans: list[tuple[float, float]]
) -> tuple[Array, Vector, Vector]:
    """Take the voxel nearest to each point of a grid along any axes."""
    voxel_mm = float(subject.body.voxel_mm.mean())
    steps = np.array([_stride(plan.thickness_mm, voxel_mm), 1, 1]) * voxel_mm
    counts = [int(np.ceil((high - low) / step)) + 1 for (low, high), step in zip(spans, steps, strict=True)]
    lows = np.array([low for low, _ in spans])
    start = plan.positions[0] + lows @ axes
    lines = [
        np.arange(count)[:, None] * step * axis for count, step, axis in zip(counts, steps, axes, strict=True)
    ]
    codes = _nearest(subject, start, lines)
    return codes, steps, -lows / steps


def structures_at(subject: Subject, plan: Prescription) -> Array:
    """Return the structure number at the centre of every pixel: (slices, rows, columns) int16."""
    axes = (plan.step, plan.column, plan.row)
    lines = [offsets[:, None] * axis for offsets, axis in zip(plan.offsets_mm(), axes, strict=True)]
    return _nearest(subject, plan.positions[0], lines) // TEXTURES


def _nearest(subject: Subject, start_mm: Vector, lines_mm: Sequence[Vector]) -> Array:
    """Return the codes nearest to the points of a grid.

    Points are looked up in the order in which the body lies in memory, whatever the order of the grid.

    Args:
        subject: The body.
        start_mm: (3,) first point.
        lines_mm: For each axis of the grid, the moves of its points from the first: (n, 3).
    """
    arrays, xp = subject.arrays, subject.arrays.xp
    # the axis along which z changes most comes first, that of x last
    order = _memory_order([line[-1] - line[0] for line in lines_mm])
    lines_mm = [lines_mm[axis] for axis in order]
    start = (start_mm - subject.origin_mm) / subject.body.voxel_mm
    z_size, y_size, x_size = subject.codes.shape
    flat = 0
    for component, size, stride in ((2, z_size, y_size * x_size), (1, y_size, x_size), (0, x_size, 1)):
        place = arrays.put(np.full((1, 1, 1), start[component] + 0.5))
        for axis, line in enumerate(lines_mm):
            moves = line[:, component] / subject.body.voxel_mm[component]
            if np.abs(moves).max() > STILL_VOXELS:
                place = place + arrays.put(moves.reshape([-1 if i == axis else 1 for i in range(3)]))
        flat = flat + arrays.cast(xp.clip(place, 0, size - 1), "int32") * stride
    found = arrays.look_up(subject.codes.reshape(-1), flat)
    back = sorted(range(3), key=order.__getitem__)
    return arrays.transpose(found, (back[0], back[1], back[2]))


def _memory_order(extents_mm: Sequence[Vector]) -> list[int]:
    """Return the axes of a grid, the one nearest to the body's z first and to its x last."""
    shares = np.abs([extent / (np.linalg.norm(extent) or 1.0) for extent in extents_mm])
    last = int(shares[:, 0].argmax())
    left = [axis for axis in range(3) if axis != last]
    first = max(left, key=lambda axis: shares[axis, 2])
    return [first, 3 - first - last, last]


def _stride(thickness_mm: float, voxel_mm: float) -> int:
    """Return how many voxels one step along the slices may be: thick slices need not see every one."""
    return max(1, int(SHARE_OF_THICKNESS * thickness_mm / voxel_mm))


def resample(arrays: Arrays, values: Array, matrices: tuple[Matrix, Matrix, Matrix]) -> Array:
    """Mix values by one matrix an axis, the one that shrinks most first.

    Args:
        arrays: Where the values lie.
        values: (a, b, c) float32.
        matrices: (x, a), (y, b) and (z, c).

    Returns:
        (x, y, z) float32.
    """
    for axis in sorted(range(3), key=lambda axis: matrices[axis].shape[0] / matrices[axis].shape[1]):
        values = arrays.along(matrices[axis], values, axis)
    return values


def coloured(arrays: Arrays, noise: Array, roots: Sequence[Matrix | None]) -> Array:
    """Give white noise the correlations of a root on each axis; None leaves an axis white."""
    for axis, root in enumerate(roots):
        if root is not None:
            noise = arrays.along(root, noise, axis)
    return noise
