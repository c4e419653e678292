"""Where slices lie, and the resize that makes a volume of them. Positions and directions are LPS, mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.profiles import Matrix, Vector, linear_matrix
from radnet.volumes.resize import averaging_shares, slice_weights


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
        forward: Vector = along if along @ self.normal > 0 else -along
        return forward

    def offsets_mm(self) -> tuple[Vector, Vector, Vector]:
        """Return the distances of slices, rows and columns from the first, along the scan's own axes."""
        along: Vector = (self.positions - self.positions[0]) @ self.step
        rows, columns = (np.arange(size, dtype=np.float64) * self.pixel_mm for size in self.shape)
        return along, rows, columns

    def corners(self) -> Vector:
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
            matrix if resize is None else resize @ matrix
            for resize, matrix in zip(own, matrices, strict=True)
        )
        return first, second, third


NO_RESIZE: Final = Resize()


def volume_resize(
    plan: Prescription, shape: tuple[int, int, int], averaged_to: tuple[int, int] | None = None
) -> Resize:
    """Return the resize of a scan to a volume.

    Args:
        plan: The scan, in canonical order.
        shape: Slices, rows, columns; fewer slices than these stay as they are.
        averaged_to: Rows and columns to which the volume's planes are then averaged.
    """
    n_slices = len(plan.positions)
    lower, upper, weight = slice_weights(n_slices, shape[0])
    slices = np.zeros((len(lower), n_slices))
    results = np.arange(len(lower))
    slices[results, lower] = 1 - weight
    slices[results, upper] += weight
    inside = [linear_matrix(given, wanted) for given, wanted in zip(plan.shape, shape[1:], strict=True)]
    if averaged_to is not None:
        inside = [
            averaging_shares(given, wanted) @ matrix
            for given, wanted, matrix in zip(shape[1:], averaged_to, inside, strict=True)
        ]
    return Resize(slices, *inside)
