"""Turn the functional groups of an enhanced multi-frame file into one row a frame.

What a frame says of itself wins over what all frames share, and that over the dataset's top level.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from radnet.scan.header import LIST_COLUMNS, Header, Row, decode
from radnet.scan.skipped import DAMAGED, TOO_MANY_FRAMES, Skipped

ENHANCED_CLASSES: Final = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in ("2.1", "2.2", "4.1", "4.3", "4.4")
)
"""Enhanced CT, legacy converted enhanced CT, enhanced MR, enhanced MR color, legacy converted enhanced MR."""
MAX_FRAMES: Final = 1 << 16
"""Rows of one file; functional MR has up to some ten thousand frames."""


def expand(file_row: Row, header: Header, character_sets: str) -> list[Row]:
    """Make one row a frame.

    Args:
        file_row: What the top level says.
        header: Where the functional groups are.
        character_sets: SpecificCharacterSet of the file.

    Returns:
        Rows in the order of the frames, `frame` counted from 1.

    Raises:
        Skipped: If there are too many frames, or fewer descriptions than frames.
    """
    shared = file_row
    for found in header.shared() if header.shared else ():
        shared = _overlaid(shared, decode(found, character_sets))
    rows: list[Row] = []
    for number, found in enumerate(header.frames() if header.frames else (), start=1):
        if number > MAX_FRAMES:
            raise Skipped(TOO_MANY_FRAMES)
        row = _overlaid(shared, decode(found, character_sets))
        row["frame"] = number
        rows.append(row)
    count = file_row.get("NumberOfFrames")
    expected = count if isinstance(count, int) else len(rows)
    if not 0 < expected <= len(rows):
        raise Skipped(DAMAGED, "FunctionalGroups")
    return rows[:expected]


def _overlaid(below: Row, above: Row) -> Row:
    """Lay one row over another: a value above wins, an empty one only where there is nothing below."""
    merged = dict(below)
    for column, value in above.items():
        if column not in LIST_COLUMNS and (value not in (None, "") or column not in below):
            merged[column] = value
    for column in LIST_COLUMNS:
        names = _names(below, column) + _names(above, column)
        if names:
            merged[column] = [name for name in dict.fromkeys(names) if merged.get(name) in (None, "")]
    return merged


def _names(row: Row, column: str) -> list[str]:
    names = row.get(column)
    return [str(name) for name in names] if isinstance(names, Iterable) else []
