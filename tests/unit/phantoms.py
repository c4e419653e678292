"""Small bodies made by hand, whose every voxel is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.sampling import Subject, prepare


@dataclass(frozen=True)
class Phantom:
    """What a scanner needs of a body."""

    labels: NDArray[np.uint8]
    tissues: tuple[str, ...]
    voxel_mm: NDArray[np.float64] = field(default_factory=lambda: np.full(3, 2.0))
    origin_mm: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    boxes: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def halves(left: str, right: str, size: int = 40) -> Phantom:
    """A cube of two tissues that meet in the plane x = size mm, in a frame of air."""
    labels = np.zeros((size, size, size), np.uint8)
    labels[1:-1, 1:-1, 1 : size // 2] = 1
    labels[1:-1, 1:-1, size // 2 : -1] = 2
    return Phantom(labels, ("air", left, right))


def uniform(tissue: str, size: int = 40) -> Phantom:
    """A cube of one tissue in a frame of air."""
    return halves(tissue, tissue, size)


def subject(phantom: Phantom, device: str = NUMPY) -> Subject:
    return prepare(phantom, Arrays(device))  # type: ignore[arg-type]


def middle_plan(
    phantom: Phantom,
    slices: int = 1,
    size: int = 32,
    pixel_mm: float = 1.0,
    thickness_mm: float = 4.0,
    spacing_mm: float | None = None,
    turn: NDArray[np.float64] | None = None,
    directions: Sequence[Sequence[float]] = ((1.0, 0, 0), (0, 1.0, 0)),
) -> Prescription:
    """Slices around the middle of a phantom."""
    turn = np.eye(3) if turn is None else turn
    row, column = (turn @ np.array(direction) for direction in directions)
    normal = np.cross(row, column)
    spacing = thickness_mm if spacing_mm is None else spacing_mm
    middle = phantom.origin_mm + (np.array(phantom.labels.shape[::-1]) - 1) / 2 * phantom.voxel_mm
    first = middle - (row + column) * pixel_mm * (size - 1) / 2 - normal * spacing * (slices - 1) / 2
    positions = first + np.arange(slices)[:, None] * spacing * normal
    return Prescription(positions, row, column, (size, size), pixel_mm, thickness_mm)
