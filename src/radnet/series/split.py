"""Split the instances of a series into stacks, as little as needed and never by file.

What can never share a volume always splits: matrix size, pixel spacing, orientation. What merely tells
overlapping volumes apart (echo, inversion time, b-value, image type, kernel) splits only where it does tell
instances at one position apart; else a sequence that varies its inversion time from slice to slice would fall
to pieces. Time never splits: a time series is one stack with one verdict, not twenty volumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.errors import GeometryError
from radnet.geometry import canonical_axes, distinct_positions

Rows = NDArray[np.int64]

HARD_KEYS: Final = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "folder",
    "owner",
    "SOPClassUID",
    "Rows",
    "Columns",
    "pixel_spacing",
)
"""Instances that differ in one of these never share a stack."""
OVERLAP_ATTRIBUTES: Final = (
    "image_kind",
    "EchoNumbers",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "DiffusionBValue",
    "ConvolutionKernel",
    "KVP",
)
"""What tells volumes at the same positions apart, in the order in which it is tried."""
OWN_STACK_POSITIONS: Final = 3
"""An orientation with fewer slices makes no volume of its own beside others (localizers, radial scans)."""
NO_VALUE: Final = -1

_COMPONENT_WORDS: Final = ("M", "P", "R", "I", "MAGNITUDE", "PHASE", "REAL", "IMAGINARY")
_DIXON_WORDS: Final = ("W", "F", "WATER", "FAT", "IP", "OP", "IN_PHASE", "OUT_PHASE", "OPP_PHASE")
"""As Philips, GE and Siemens name the images of a fat-water separation, which share positions and echoes."""
_KIND_WORDS: Final = ("ORIGINAL", "DERIVED", *_COMPONENT_WORDS, *_DIXON_WORDS)


@dataclass(frozen=True, slots=True)
class Headers:
    """Columns of the instance table as arrays, one entry an instance.

    Attributes:
        series: (n,) number of the series, equal for instances that may share a stack (see `HARD_KEYS`).
        positions: (n, 3) ImagePositionPatient in mm; NaN when absent.
        orientations: (n, 6) ImageOrientationPatient; NaN when absent.
        overlap: For each of OVERLAP_ATTRIBUTES an (n,) array of value numbers, NO_VALUE when absent.
        values: For each of OVERLAP_ATTRIBUTES the text of each value number.
    """

    series: NDArray[np.int64]
    positions: NDArray[np.float64]
    orientations: NDArray[np.float64]
    overlap: dict[str, NDArray[np.int64]]
    values: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Stack:
    """Instances that belong together.

    Attributes:
        rows: Their row numbers.
        split_key: Values that set them apart within what shares the hard keys; empty when nothing does.
        mixed: Whether they have several orientations, too few of each to be volumes.
    """

    rows: Rows
    split_key: str
    mixed: bool = False


def image_kind(column: str = "ImageType") -> pl.Expr:
    """Reduce ImageType to what sets volumes apart: original, derived, complex component, fat or water.

    The other values name processing steps and differ within one volume.
    """
    words = pl.col(column).str.to_uppercase().str.split("\\").list.eval(pl.element().str.strip_chars())
    return words.list.set_intersection(pl.lit(list(_KIND_WORDS))).list.sort().list.join("/")


def with_hard_keys(instances: pl.DataFrame) -> pl.DataFrame:
    """Add the hard keys that no attribute holds.

    PixelSpacing counts as equal when it rounds alike to 0.001 mm. Files whose SeriesInstanceUID was wiped
    belong together when they lie in one folder. Anonymisers give one UID to series of several people:
    whatever the identifiers say, two patients never share a stack.
    """
    rounded = pl.col("PixelSpacing").list.eval(pl.element().round(3).cast(pl.String))
    nameless = pl.col("SeriesInstanceUID").fill_null("") == ""
    folder = pl.col("path").str.extract(r"^(.*)[/!]")
    return instances.with_columns(
        rounded.list.join(",").fill_null("").alias("pixel_spacing"),
        pl.when(nameless).then(folder).otherwise(pl.lit("")).alias("folder"),
        pl.col("patient").fill_null("").alias("owner"),
    )


def read_headers(instances: pl.DataFrame) -> Headers:
    """Turn the instance table into arrays.

    Args:
        instances: With the hard keys (see `with_hard_keys`), positions, orientations and the columns that
            OVERLAP_ATTRIBUTES need; in any order.
    """
    keyed = instances.with_columns(image_kind().alias("image_kind"))
    codes = {name: keyed[name].rank("dense").cast(pl.Int64) - 1 for name in OVERLAP_ATTRIBUTES}
    return Headers(
        series=keyed.select(pl.struct(HARD_KEYS).rank("dense")).to_series().to_numpy().astype(np.int64),
        positions=_vectors(keyed["ImagePositionPatient"], 3),
        orientations=_vectors(keyed["ImageOrientationPatient"], 6),
        overlap={name: code.fill_null(NO_VALUE).to_numpy() for name, code in codes.items()},
        values={name: [_text(value) for value in keyed[name].drop_nulls().unique().sort()] for name in codes},
    )


def split_series(headers: Headers, rows: Rows, orientation_tolerance: float) -> Iterator[Stack]:
    """Split instances that share the hard keys into stacks.

    Args:
        headers: The table's arrays.
        rows: Their row numbers.
        orientation_tolerance: Largest difference of a direction cosine within one stack.

    Yields:
        Stacks; every row is in exactly one.
    """
    placed = np.isfinite(headers.positions[rows]).all(axis=1) & is_plane(headers.orientations[rows])
    if not placed.all():
        yield Stack(rows[~placed], "no_position")
    if placed.any():
        for stack in _by_orientation(headers, rows[placed], orientation_tolerance):
            if stack.mixed:
                yield stack
            else:
                yield from _by_overlap(headers, stack)


def is_plane(orientations: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say for each (n, 6) orientation whether its cosines span a plane."""
    normals = np.cross(orientations[:, :3], orientations[:, 3:])
    return np.asarray(np.linalg.norm(normals, axis=1) > 0.5)


def stack_offsets(headers: Headers, rows: Rows) -> NDArray[np.float64]:
    """Project positions on the canonical slice direction of the rows' median orientation; mm.

    Raises:
        GeometryError: If the median orientation spans no plane.
    """
    orientation = np.median(headers.orientations[rows], axis=0)
    return np.asarray(headers.positions[rows] @ canonical_axes(orientation).slice_direction)


def _by_orientation(headers: Headers, rows: Rows, tolerance: float) -> Iterator[Stack]:
    cosines = headers.orientations[rows]
    if np.ptp(cosines, axis=0).max() <= tolerance:
        yield Stack(rows, "")
        return
    clusters = _cluster(cosines, tolerance)
    leftover = []
    for number in range(clusters.max() + 1):
        members = rows[clusters == number]
        if distinct_positions(stack_offsets(headers, members)).max() + 1 >= OWN_STACK_POSITIONS:
            yield Stack(members, "orientation=" + _cosines(headers, members))
        else:
            leftover.append(members)
    if len(leftover) == 1:
        yield Stack(leftover[0], "orientation=" + _cosines(headers, leftover[0]))
    elif leftover:
        yield Stack(np.concatenate(leftover), "orientation=mixed", mixed=True)


def _cluster(cosines: NDArray[np.float64], tolerance: float) -> Rows:
    """Number orientations; members differ from their cluster's smallest by no more than the tolerance."""
    distinct, inverse = np.unique(cosines, axis=0, return_inverse=True)
    numbers = np.full(len(distinct), NO_VALUE, np.int64)
    for number in range(len(distinct)):
        free = np.flatnonzero(numbers == NO_VALUE)
        if not free.size:
            break
        near = np.abs(distinct[free] - distinct[free[0]]).max(axis=1) <= tolerance
        numbers[free[near]] = number
    return numbers[inverse.reshape(-1)]


def _cosines(headers: Headers, rows: Rows) -> str:
    # the smallest, since no two clusters share it; adding zero turns -0.0 into 0.0, which would differ
    smallest = min(map(tuple, headers.orientations[rows] + 0))
    return ",".join(f"{cosine:.4f}" for cosine in smallest)


def _by_overlap(headers: Headers, stack: Stack) -> Iterator[Stack]:
    """Split by the first attribute that tells instances at one position apart, and again within the parts."""
    try:
        numbers = distinct_positions(stack_offsets(headers, stack.rows))
    except GeometryError:
        numbers = np.zeros(len(stack.rows), np.int64)
    n_positions = int(numbers.max()) + 1
    if n_positions in (1, len(stack.rows)):
        yield stack
        return
    for name in OVERLAP_ATTRIBUTES:
        codes = headers.overlap[name][stack.rows]
        if _tells_apart(codes, numbers, n_positions):
            for code in np.unique(codes):
                value = "none" if code == NO_VALUE else headers.values[name][code]
                key = ";".join(filter(None, (stack.split_key, f"{name}={value}")))
                yield from _by_overlap(headers, Stack(stack.rows[codes == code], key))
            return
    yield stack


def _tells_apart(codes: Rows, numbers: Rows, n_positions: int) -> bool:
    """Say whether an attribute differs at one position and one of its values fills a volume."""
    distinct = np.unique(codes)
    if len(distinct) < 2:
        return False
    pairs = np.unique(np.stack([numbers, codes]), axis=1)
    values_at_position = np.bincount(pairs[0], minlength=n_positions)
    positions_of_value = np.unique(pairs[1], return_counts=True)[1]
    return bool(values_at_position.max() > 1 and positions_of_value.max() * 2 > n_positions)


def _vectors(column: pl.Series, length: int) -> NDArray[np.float64]:
    """Turn a list column into (n, length), NaN where it is null or of another length."""
    fits = (column.list.len() == length).fill_null(False)
    vectors = np.full((len(column), length), np.nan)
    if fits.any():
        kept = column.filter(fits).list.explode().to_numpy()
        vectors[fits.to_numpy()] = kept.reshape(-1, length)
    return vectors


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
