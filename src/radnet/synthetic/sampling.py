"""Read slices of any position and orientation out of a body.

A body is prepared once: every voxel becomes a code of its structure and its texture, so that one table look-up
turns it into the values of any scan. A scan lays a grid along its own axes over the body, looks the values
up and mixes them by one matrix an axis (`profiles`). Positions and directions are LPS, mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.anatomy import Body
from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.profiles import Matrix, Spread, linear_matrix, spread_matrix
from radnet.synthetic.randomness import key_of, normals, random_bits
from radnet.volumes.resize import slice_weights

Vector = NDArray[np.float64]

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
COARSE_VOXELS: Final = 4
"""Distance between the points of the coarse grain."""
SHARE_OF_THICKNESS: Final = 0.26
"""Largest step along the slices of a thick slice, as a share of its thickness."""


@dataclass(frozen=True)
class Prescription:
    """Where slices lie: what the technologist sets at the scanner.

    Attributes:
        positions: (n, 3) centres of the first voxel of each slice, mm; on one line, in any order, repeats
            allowed.
        row: Direction in which the column index grows.
        column: Direction in which the row index grows.
        shape: Rows, columns.
        pixel_mm: Size of a pixel.
        thickness_mm: Of a slice.
    """

    positions: Vector
    row: Vector
    column: Vector
    shape: tuple[int, int]
    pixel_mm: float
    thickness_mm: float

    @property
    def normal(self) -> Vector:
        """Row direction x column direction."""
        return np.cross(self.row, self.column)

    @property
    def step(self) -> Vector:
        """Direction in which the slices follow each other; the normal, unless the stack is sheared."""
        line = self.positions - self.positions[0]
        far = line[int(np.argmax(np.linalg.norm(line, axis=1)))]
        length = float(np.linalg.norm(far))
        if length < 1e-6:
            return self.normal
        along = far / length
        return along if along @ self.normal > 0 else -along

    def corners(self) -> NDArray[np.float64]:
        """Return lowest and highest corner of the box of all voxel edges, (2, 3) mm."""
        rows, columns = self.shape
        points = [
            self.positions + (c * self.row + r * self.column) * self.pixel_mm + t * self.normal
            for c in (-0.5, columns - 0.5)
            for r in (-0.5, rows - 0.5)
            for t in (-self.thickness_mm / 2, self.thickness_mm / 2)
        ]
        return np.array([np.min(points, (0, 1)), np.max(points, (0, 1))])


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
    """

    body: Body
    arrays: Arrays
    codes: Array
    present: frozenset[int]
    extent_mm: Vector

    @property
    def origin_mm(self) -> Vector:
        """Position of the first code's centre."""
        return self.body.origin_mm - self.body.voxel_mm


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
    return Subject(body, arrays, codes, present, _extent_mm(body))


def _extent_mm(body: Body) -> Vector:
    filled = body.labels > 0
    spans = []
    for axis in (2, 1, 0):
        found = np.flatnonzero(filled.any(axis=tuple(i for i in range(3) if i != axis)))
        spans.append((found[0] - 0.5, found[-1] + 0.5) if len(found) else (0, 0))
    return body.origin_mm + np.array(spans).T * body.voxel_mm


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


def lay(subject: Subject, plan: Prescription, reach_mm: tuple[float, float, float]) -> Laid:
    """Lay a grid over the body that holds a scan and its surroundings.

    Args:
        subject: The body.
        plan: The scan.
        reach_mm: How far the grid goes beyond the scan's first and last slice, row and column.
    """
    axes = np.array([plan.step, plan.column, plan.row])
    offsets = (
        (plan.positions - plan.positions[0]) @ axes[0],
        np.arange(plan.shape[0]) * plan.pixel_mm,
        np.arange(plan.shape[1]) * plan.pixel_mm,
    )
    spans = [(float(o.min()) - r, float(o.max()) + r) for o, r in zip(offsets, reach_mm, strict=True)]
    straight = bool((np.abs(axes).max(axis=1) > ALONG_AXIS).all())
    take = _straight if straight else _turned
    codes, steps, first = take(subject, plan, axes, spans)
    return Laid(codes, steps, first, offsets, axes, plan.positions[0])


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
    arrays, xp = subject.arrays, subject.arrays.xp
    voxel_mm = float(subject.body.voxel_mm.mean())
    steps = np.array([_stride(plan.thickness_mm, voxel_mm), 1, 1]) * voxel_mm
    counts = [int(np.ceil((high - low) / step)) + 1 for (low, high), step in zip(spans, steps, strict=True)]
    lows = np.array([low for low, _ in spans])
    start = (plan.positions[0] + lows @ axes - subject.origin_mm) / subject.body.voxel_mm
    moves = axes * steps[:, None] / subject.body.voxel_mm
    z_size, y_size, x_size = subject.codes.shape
    flat = 0
    for component, size, stride in ((2, z_size, y_size * x_size), (1, y_size, x_size), (0, x_size, 1)):
        place = float(start[component]) + 0.5
        for axis, count in enumerate(counts):
            line = np.arange(count) * moves[axis, component]
            place = place + arrays.put(line.reshape([-1 if i == axis else 1 for i in range(3)]))
        index = arrays.cast(xp.clip(place, 0, size - 1), "int32")
        flat = flat + index * stride
    codes = arrays.look_up(subject.codes.reshape(-1), flat)
    return codes, steps, -lows / steps


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


@dataclass(frozen=True)
class Resize:
    """The linear resize of `radnet.volumes`, one matrix an axis; None leaves an axis as it is.

    Attributes:
        slices: (m, n).
        rows: (m, n).
        columns: (m, n).
    """

    slices: Matrix | None = None
    rows: Matrix | None = None
    columns: Matrix | None = None

    def after(self, matrices: tuple[Matrix, Matrix, Matrix]) -> tuple[Matrix, Matrix, Matrix]:
        """Return matrices that are followed by the resize."""
        own = (self.slices, self.rows, self.columns)
        first, second, third = (
            matrix if resize is None else resize @ matrix for resize, matrix in zip(own, matrices, strict=True)
        )
        return first, second, third


NO_RESIZE: Final = Resize()


def volume_resize(plan: Prescription, shape: tuple[int, int, int]) -> Resize:
    """Return the resize of a scan to a volume.

    Args:
        plan: The scan, in canonical order.
        shape: Slices, rows, columns; fewer slices than these stay as they are.
    """
    n_slices = len(plan.positions)
    lower, upper, weight = slice_weights(n_slices, shape[0])
    slices = np.zeros((len(lower), n_slices))
    results = np.arange(len(lower))
    slices[results, lower] = 1 - weight
    slices[results, upper] += weight
    return Resize(slices, linear_matrix(plan.shape[0], shape[1]), linear_matrix(plan.shape[1], shape[2]))
