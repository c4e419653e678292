"""Put the instances of a stack in order and give the verdict on it.

Precedence: no position or mixed orientation, then one position only, then repeated positions (time series or
duplicates), and only then the gaps. Source: DICOM PS3.3 C.7.6.2.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radnet.config import SeriesConfig
from radnet.geometry import distinct_positions, measure_spacing, nearest_view, slice_normal
from radnet.series.split import Headers, Rows, Stack, stack_offsets


@dataclass(frozen=True, slots=True)
class Ordered:
    """A stack in canonical order.

    Attributes:
        rows: (n,) row numbers of its instances, by position and then as they came.
        slices: (n,) index of each one's position.
        offsets: (n,) position along the slice direction; mm; NaN without position.
        geometry: The verdict, a word of terms.GEOMETRIES.
        n_slices: Distinct positions; 0 without position.
        spacing_mm: Median gap; None when there is none.
        extent_mm: From the first to the last position and one spacing more; None when there is no spacing.
        orientation: (6,) median cosines; None when there is no common one.
        nearest_view: View of the nearest axis; None when there is no common orientation.
        tilt_deg: Angle of the normal to that axis.
        shear_deg: Angle between the line of positions and the normal.
    """

    rows: Rows
    slices: Rows
    offsets: NDArray[np.float64]
    geometry: str
    n_slices: int
    spacing_mm: float | None = None
    extent_mm: float | None = None
    orientation: NDArray[np.float64] | None = None
    nearest_view: str | None = None
    tilt_deg: float | None = None
    shear_deg: float | None = None


def order_stack(
    headers: Headers, stack: Stack, times: NDArray[np.int64], tie_break: Rows, config: SeriesConfig
) -> Ordered:
    """Order a stack and judge it.

    Args:
        headers: The table's arrays.
        stack: Its rows.
        times: (n,) number of the temporal position or trigger time of every row of the table.
        tie_break: (n,) rank of every row of the table, for instances at one position and time.
        config: Tolerances.
    """
    rows = stack.rows
    if stack.mixed or stack.split_key == "no_position":
        verdict = "mixed_orientation" if stack.mixed else "no_position"
        rows = rows[np.argsort(tie_break[rows])]
        blank = np.full(len(rows), np.nan)
        return Ordered(rows, np.zeros(len(rows), np.int64), blank, verdict, _count_positions(headers, stack))
    offsets = stack_offsets(headers, rows)
    order = np.lexsort((tie_break[rows], times[rows], distinct_positions(offsets)))
    rows, offsets = rows[order], offsets[order]
    slices = distinct_positions(offsets)
    orientation = np.median(headers.orientations[rows], axis=0)
    normal = slice_normal(orientation)
    first_of_slice = np.unique(slices, return_index=True)[1]
    spacing = measure_spacing(
        headers.positions[rows][first_of_slice], normal, config.spacing_tolerance, config.spacing_tolerance_mm
    )
    view, tilt = nearest_view(normal)
    return Ordered(
        rows,
        slices,
        offsets,
        _repeats(slices, times[rows]) or spacing.verdict,
        len(first_of_slice),
        spacing.spacing_mm,
        None if spacing.spacing_mm is None else float(np.ptp(offsets)) + spacing.spacing_mm,
        orientation,
        view,
        tilt,
        spacing.shear_deg,
    )


def _count_positions(headers: Headers, stack: Stack) -> int:
    if not stack.mixed:
        return 0
    return len(np.unique(np.round(headers.positions[stack.rows], 2), axis=0))


def _repeats(slices: Rows, times: NDArray[np.int64]) -> str | None:
    """Say what repeated positions mean, None when no position repeats or there is only one.

    A time series that was broken off repeats most positions, each at a time of its own; a few repeats are
    duplicates, whatever their times: some scanners write a trigger time with every slice.
    """
    counts = np.bincount(slices)
    if counts.max() == 1 or len(counts) == 1:
        return None
    if counts.min() == counts.max():
        return "time_series"
    moments = np.unique(np.stack([slices, times]), axis=1)
    told_apart_by_time = moments.shape[1] == len(slices)
    most_repeat = (counts > 1).sum() * 2 > len(counts)
    return "time_series" if most_repeat and told_apart_by_time else "duplicate_position"
