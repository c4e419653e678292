"""The headers of many stacks, held so that a test looks once at every distinct value.

A value is a text or a number, or one of three kinds of nothing: absent (the header does not have the
attribute), empty (it has, with no value) and unreadable (its value cannot be read).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.labels.lexicon import Reader
from radnet.tables import SERIES_ATTRIBUTES, STACK_COLUMNS, TEXT

Mask = NDArray[np.bool_]
Made = TypeVar("Made")


class Nothing(enum.Enum):
    """Why an attribute has no value."""

    ABSENT = "absent"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


Value = str | float | Nothing

MEASURED_VIEW: Final = "measured_view"
"""axial, coronal, sagittal or oblique, by positions and the configured policy."""
RELATIONS: Final = (
    "enhanced_before",
    "plain_after",
    "injection_before",
    "injection_after",
    "twin_enhanced_after",
    "twin_plain_before",
    "run_of_subtracted",
    "enhanced_acquisition",
    "plain_acquisition",
)
"""What the study's other series say of this one, as `relations` finds it: a sentence, or absent."""
TABLE_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "collection_id": TEXT,
    "instanceCount": pl.Int64(),
    "SOPClassUID": TEXT,
    "geometry": TEXT,
    "n_slices": pl.Int64(),
    "n_times": pl.Int64(),
    "slice_spacing_mm": pl.Float64(),
    "extent_mm": pl.Float64(),
    "nearest_view": TEXT,
    "tilt_deg": pl.Float64(),
}
"""What rules may read beside the series' attributes."""
KNOWN_ATTRIBUTES: Final = {
    **SERIES_ATTRIBUTES,
    **TABLE_ATTRIBUTES,
    **dict.fromkeys((MEASURED_VIEW, *RELATIONS), TEXT),
}
assert {*TABLE_ATTRIBUTES} - {"collection_id", "instanceCount"} <= {*STACK_COLUMNS}


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute: `values[codes[row]]` is the value of a row."""

    values: tuple[Value, ...]
    codes: NDArray[np.int64]


class Evidence:
    """One batch of headers under test."""

    def __init__(self, frame: pl.DataFrame, reader: Reader) -> None:
        """Hold a frame whose columns are attributes.

        Args:
            frame: One row a stack or series; any subset of KNOWN_ATTRIBUTES, and `empty_attributes` and
                `unreadable_attributes` if known.
            reader: Reads the texts.
        """
        self.height = frame.height
        self.reader = reader
        self._frame = frame
        self._columns: dict[str, Column] = {}
        self._masks: dict[Hashable, Mask] = {}

    def column(self, name: str) -> Column:
        """Return an attribute; one that the frame lacks is absent everywhere."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._encode(name)
        return found

    def set_column(self, name: str, values: tuple[Value, ...], codes: NDArray[np.int64]) -> None:
        """Add a conclusion, so that later rules may test it."""
        self._columns[name] = Column(values, codes)

    def extend(self, columns: pl.DataFrame) -> None:
        """Add attributes that were computed from others; none of them may have been asked for before."""
        self._frame = self._frame.with_columns(columns)

    def texts(self, name: str) -> pl.Series:
        """Return an attribute as text, with null for every kind of nothing."""
        column = self.column(name)
        texts = [None if isinstance(value, Nothing) else _written(value) for value in column.values]
        return pl.Series(name, texts, dtype=TEXT).gather(column.codes)

    def value(self, name: str, row: int) -> Value:
        """Return one value."""
        column = self.column(name)
        return column.values[int(column.codes[row])]

    def mask(self, name: str, key: Hashable, holds: Callable[[Value], bool]) -> Mask:
        """Return the rows whose value passes a test.

        Args:
            name: The attribute.
            key: What tells this test from others on the same attribute.
            holds: The test of one value.
        """
        mask = self._masks.get((name, key))
        if mask is None:
            column = self.column(name)
            passed = np.fromiter(map(holds, column.values), dtype=bool, count=len(column.values))
            mask = self._masks[name, key] = passed[column.codes]
        return mask

    def heard(self, name: str, words: str) -> Mask:
        """Return the rows whose text holds a phrase or group of the lexicon."""
        hear = self.reader.hear
        return self.mask(name, words, lambda value: isinstance(value, str) and words in hear(value))

    def _encode(self, name: str) -> Column:
        if name not in self._frame.columns:
            return Column((Nothing.ABSENT,), np.zeros(self.height, dtype=np.int64))
        keyed = self._frame.select(
            pl.col(name).alias("value"),
            self._listed("empty_attributes", name).alias("empty"),
            self._listed("unreadable_attributes", name).alias("unreadable"),
        )
        distinct = keyed.unique(maintain_order=True).with_row_index("code")
        codes = keyed.join(
            distinct, on=["value", "empty", "unreadable"], how="left", nulls_equal=True, maintain_order="left"
        )["code"]
        return Column(
            tuple(_value(*row[1:]) for row in distinct.iter_rows()), codes.cast(pl.Int64).to_numpy()
        )

    def _listed(self, listing: str, name: str) -> pl.Expr:
        if listing not in self._frame.columns:
            return pl.lit(False)
        return pl.col(listing).list.contains(name).fill_null(False)


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _value(value: Any, empty: bool, unreadable: bool) -> Value:
    if value is None:
        if unreadable:
            return Nothing.UNREADABLE
        return Nothing.EMPTY if empty else Nothing.ABSENT
    if isinstance(value, str):
        return value if value.strip() else Nothing.EMPTY
    return float(value)
