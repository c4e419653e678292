"""Order slices along their normal and say whether they make a volume.

Positions and orientations are millimetres and direction cosines in the patient's LPS frame (x to the left,
y to the back, z to the head; DICOM PS3.3 C.7.6.2.1.1). An orientation is six cosines: the first three point
along a row (growing column index), the last three along a column (growing row index). Nothing here touches
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radnet.errors import GeometryError
from radnet.terms import VIEWS

Array = NDArray[np.float64]

SAME_POSITION_MM: Final = 0.01
"""Slices closer than this along the normal are at one position; headers round to 0.001 mm or worse."""
SHEAR_TOLERANCE_DEG: Final = 0.5
"""Largest angle between the line of positions and the normal; cosines rounded to two digits give 0.3."""
DRIFT_TOLERANCE_MM: Final = 0.2
"""Largest sideways step between neighbours; positions rounded to 0.1 mm give 0.14."""
LARGEST_SHARE_OF_GAP: Final = 0.25
"""The tolerance in mm never exceeds this share of the median gap, or thin slices could go missing unseen."""
STANDARD_ORIENTATIONS: Final = {
    "axial": (1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
}
"""The paper's three orientations (section 2.1.2); their rows and columns are also our canonical ones."""

_NORMAL_AXIS: Final = {"sagittal": 0, "coronal": 1, "axial": 2}


@dataclass(frozen=True, slots=True)
class Spacing:
    """What the positions of a stack say.

    Attributes:
        verdict: uniform, missing_slice, variable_spacing, sheared or single_position.
        spacing_mm: Median gap between neighbouring positions, missing slices counted; None for one position.
        shear_deg: Angle between the line from first to last position and the normal.
    """

    verdict: str
    spacing_mm: float | None
    shear_deg: float


@dataclass(frozen=True, slots=True)
class Axes:
    """How a stored slice is brought to the canonical axes of its view.

    Transpose first, then flip. The result is right-handed: column x row = slice.

    Attributes:
        view: axial, coronal or sagittal, from the largest component of the normal.
        transpose: Whether rows and columns change places.
        flip_rows: Whether the order of rows is reversed after that.
        flip_columns: Whether the order of columns is reversed after that.
        column_direction: (3,) along which the canonical column index grows.
        row_direction: (3,) along which the canonical row index grows.
        slice_direction: (3,) along which the canonical slice index grows.
    """

    view: str
    transpose: bool
    flip_rows: bool
    flip_columns: bool
    column_direction: Array
    row_direction: Array
    slice_direction: Array


def slice_normal(orientation: ArrayLike) -> Array:
    """Return the unit normal of a slice, row x column cosines.

    Args:
        orientation: (6,) direction cosines.

    Raises:
        GeometryError: If the cosines do not span a plane or are not finite.
    """
    row, column = np.asarray(orientation, float).reshape(2, 3)
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    if not length > 0.5:  # also refuses NaN; unit vectors at right angles give 1
        raise GeometryError("ImageOrientationPatient holds no two unit vectors at right angles")
    unit: Array = normal / length
    return unit


def nearest_view(normal: ArrayLike) -> tuple[str, float]:
    """Name the view whose axis is nearest to a normal, and the angle to it in degrees.

    Args:
        normal: (3,) unit vector; its sign does not matter.
    """
    size = np.abs(np.asarray(normal, float))
    view = max(VIEWS, key=lambda name: size[_NORMAL_AXIS[name]])
    cosine = min(1.0, float(size[_NORMAL_AXIS[view]]))
    return view, float(np.degrees(np.arccos(cosine)))


def measure_spacing(
    positions: ArrayLike, normal: ArrayLike, tolerance: float = 0.01, tolerance_mm: float = 0.1
) -> Spacing:
    """Measure the gaps between distinct positions and judge them.

    Args:
        positions: (n, 3) centres of the first voxels in mm, LPS; in order along the normal, no two at one
            position (see `distinct_positions`).
        normal: (3,) unit normal of the slices.
        tolerance: Largest departure of a gap from the median, as a share of it.
        tolerance_mm: A departure of up to this many mm is uniform too.

    Returns:
        The verdict, the spacing in mm and the shear in degrees.

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """
    points, unit = np.asarray(positions, float), np.asarray(normal, float)
    if len(points) < 2:
        return Spacing("single_position", None, 0.0)
    steps = np.diff(points, axis=0)
    gaps = np.abs(steps @ unit)
    spacing, verdict = _judge_gaps(gaps, tolerance, tolerance_mm)
    line = points[-1] - points[0]
    shear = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(line, unit)), abs(line @ unit))))
    drift = np.linalg.norm(np.cross(steps, unit), axis=1) - np.tan(np.radians(SHEAR_TOLERANCE_DEG)) * gaps
    drifts = shear > SHEAR_TOLERANCE_DEG or bool((drift > DRIFT_TOLERANCE_MM).any())
    if verdict == "uniform" and drifts:
        verdict = "sheared"
    return Spacing(verdict, spacing, shear)


def _judge_gaps(gaps: Array, tolerance: float, tolerance_mm: float) -> tuple[float, str]:
    """Return the spacing in mm and whether the gaps are uniform, multiples of one gap, or neither."""
    median = float(np.median(gaps))
    if np.all(np.abs(gaps - median) <= _allowed(median, tolerance, tolerance_mm)):
        return median, "uniform"
    smallest = float(gaps.min())
    near = gaps <= smallest + 2 * _allowed(smallest, tolerance, tolerance_mm)
    single = float(np.median(gaps[near]))
    multiples = np.maximum(np.rint(gaps / single), 1)
    is_multiple = np.abs(gaps - multiples * single) <= multiples * _allowed(single, tolerance, tolerance_mm)
    if is_multiple.all() and (multiples == 1).sum() * 2 >= len(gaps):
        return single, "missing_slice"
    return median, "variable_spacing"


def _allowed(gap: float, tolerance: float, tolerance_mm: float) -> float:
    return max(tolerance * gap, min(tolerance_mm, LARGEST_SHARE_OF_GAP * gap))


def distinct_positions(offsets: ArrayLike) -> NDArray[np.int64]:
    """Number the positions along the normal.

    Args:
        offsets: (n,) positions projected on the slice direction; mm.

    Returns:
        (n,) index of each one's position, from 0 at the smallest offset; slices within SAME_POSITION_MM of
        their neighbour share one.
    """
    values = np.asarray(offsets, float)
    order = np.argsort(values, kind="stable")
    starts = np.diff(values[order], prepend=-np.inf) > SAME_POSITION_MM
    numbers = np.empty(len(values), np.int64)
    numbers[order] = np.cumsum(starts) - 1
    return numbers


def canonical_axes(orientation: ArrayLike) -> Axes:
    """Say how slices of an orientation are brought to the canonical axes of their view.

    Axial: slices to the head, rows to the back, columns to the left. Coronal: slices to the back, rows to
    the feet, columns to the left. Sagittal: slices to the right, rows to the feet, columns to the back.

    Args:
        orientation: (6,) direction cosines.

    Raises:
        GeometryError: If the cosines do not span a plane.
    """
    view, _ = nearest_view(slice_normal(orientation))
    row, column = np.asarray(orientation, float).reshape(2, 3)
    standard = np.asarray(STANDARD_ORIENTATIONS[view], float).reshape(2, 3)
    kept = abs(row @ standard[0]) + abs(column @ standard[1])
    swapped = abs(row @ standard[1]) + abs(column @ standard[0])
    transpose = bool(swapped > kept)
    across, down = (column, row) if transpose else (row, column)
    flip_columns, flip_rows = bool(across @ standard[0] < 0), bool(down @ standard[1] < 0)
    across, down = (-across if flip_columns else across), (-down if flip_rows else down)
    slices = np.cross(across, down)
    return Axes(
        view, transpose, flip_rows, flip_columns, across, down, slices / float(np.linalg.norm(slices))
    )


def canonical_affine(
    first_position: ArrayLike,
    orientation: ArrayLike,
    pixel_spacing: ArrayLike,
    shape: tuple[int, int],
    slice_step: ArrayLike,
) -> Array:
    """Map (slice, row, column, 1) of a canonical array to LPS mm at voxel centres.

    Args:
        first_position: (3,) ImagePositionPatient of the canonically first slice.
        orientation: (6,) direction cosines as stored.
        pixel_spacing: (2,) mm between rows and between columns as stored (PS3.3 10.7.1.3).
        shape: Rows and columns as stored.
        slice_step: (3,) from one slice to the canonically next; mm.

    Returns:
        (4, 4) affine.
    """
    axes = canonical_axes(orientation)
    row, column = np.asarray(orientation, float).reshape(2, 3)
    between_rows, between_columns = np.asarray(pixel_spacing, float)
    rows, columns = shape
    across, down = row * between_columns, column * between_rows
    if axes.transpose:
        across, down, rows, columns = down, across, columns, rows
    origin = np.asarray(first_position, float)
    if axes.flip_columns:
        origin, across = origin + across * (columns - 1), -across
    if axes.flip_rows:
        origin, down = origin + down * (rows - 1), -down
    affine = np.eye(4)
    affine[:3] = np.column_stack([np.asarray(slice_step, float), down, across, origin])
    return affine


def resized_affine(affine: ArrayLike, from_shape: tuple[int, ...], to_shape: tuple[int, ...]) -> Array:
    """Return the affine after a resize with half-pixel centres.

    Args:
        affine: (4, 4) of the array before.
        from_shape: Its slices, rows, columns.
        to_shape: Those after the resize.
    """
    scale = np.asarray(from_shape, float) / np.asarray(to_shape, float)
    index = np.diag([*scale, 1.0])
    index[:3, 3] = scale / 2 - 0.5
    result: Array = np.asarray(affine, float) @ index
    return result


def padded_affine(affine: ArrayLike, slices_before: int) -> Array:
    """Return the affine after blank slices were put before the first."""
    result = np.array(affine, float)
    result[:3, 3] -= slices_before * result[:3, 0]
    return result


def effective_spacing(n_slices: int, spacing_mm: float, target: int = 48) -> float:
    """Return the slice spacing in mm after the resize; fewer slices than the target are padded instead.

    Source: 3D-RADNet section 2.1.5.
    """
    return n_slices * spacing_mm / target if n_slices >= target else spacing_mm


def is_standard(orientation: ArrayLike, tolerance: float = 1e-3) -> bool:
    """Say whether an orientation is one of the paper's three exact ones, each cosine within the tolerance."""
    cosines = np.asarray(orientation, float)
    return any(
        bool(np.all(np.abs(cosines - standard) <= tolerance))
        for standard in map(np.asarray, STANDARD_ORIENTATIONS.values())
    )
