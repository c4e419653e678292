"""What was found of a header, and the row it becomes.

The walk and pydicom both fill a `Header` with raw values; from there on there is one way to read them, so
that both give the same row.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from radnet.scan.attributes import (
    B_VALUES,
    CHARACTER_SET,
    LOCALIZED_VRS,
    PRIVATE,
    Attribute,
    tag_key,
)
from radnet.scan.values import LATIN_CHARACTER_SETS, localized, real, text, trimmed
from radnet.tables import INSTANCE_COLUMNS, TEXT

RawValue = tuple[Attribute, int, bytes]
"""A wanted attribute, the code of the VR it bears and its value as in a little-endian file."""

Row = dict[str, object]

LIST_COLUMNS: Final = ("empty_attributes", "unreadable_attributes")
MAX_GATHERED: Final = 256
"""Values of items that are kept; more only a hostile file has."""
GE_B_VALUE_FLAG: Final = 1_000_000_000
"""GE adds this to the b-values of some sequences."""
_TEXT_COLUMNS: Final = frozenset(name for name, dtype in INSTANCE_COLUMNS.items() if dtype == TEXT)


@dataclass(slots=True)
class Found:
    """Raw values of one dataset or frame.

    Attributes:
        single: By tag; the last of a tag counts.
        gathered: Values of which all count, as those of several items.
        overlong: Columns whose value is too long to be one.
    """

    single: dict[int, RawValue] = field(default_factory=dict)
    gathered: list[RawValue] = field(default_factory=list)
    overlong: list[str] = field(default_factory=list)

    def keep(self, value: RawValue) -> None:
        """Take a value of an item."""
        attribute = value[0]
        if not attribute.gathered:
            self.single[attribute.tag] = value
        elif len(self.gathered) < MAX_GATHERED:
            self.gathered.append(value)


@dataclass(slots=True)
class Header:
    """A header up to its pixels.

    Attributes:
        found: Values of the dataset itself.
        shared: Reads the shared functional groups, one Found an item; None when there are none.
        frames: Reads the per-frame functional groups, one Found a frame; None when there are none.
        pixel_offset: Of the value of Pixel Data in the file; None when absent.
        pixel_length: In bytes; None when undefined or absent.
        pixel_start: The first bytes of encapsulated pixels, as far as they were read anyway.
        pixel_element: Where the element of Pixel Data begins, if the walk came to it; None otherwise.
        windows: What the walk read: place in the file and bytes. Empty when it had to read anything twice.
        explicit: Whether VRs are written, as far as the walk knows.
    """

    found: Found = field(default_factory=Found)
    shared: Callable[[], Iterator[Found]] | None = None
    frames: Callable[[], Iterator[Found]] | None = None
    pixel_offset: int | None = None
    pixel_length: int | None = None
    pixel_start: bytes = b""
    pixel_element: int | None = None
    windows: list[tuple[int, bytes]] = field(default_factory=list)
    explicit: bool = True


def decode(found: Found, character_sets: str | None = None) -> Row:
    """Turn raw values into a row of instance columns.

    Args:
        found: What was read.
        character_sets: SpecificCharacterSet of the dataset around it; None when it is the dataset itself.

    Returns:
        The values by column. Empty and unreadable columns are named in lists of their own; CHARACTER_SET
        stays in the row for the caller.
    """
    row: Row = {}
    empty: list[str] = []
    unreadable = list(found.overlong)
    private: list[RawValue] = []
    for value in found.single.values():
        (column, _, read, _, _), vr, raw = value
        if column == PRIVATE:
            private.append(value)
            continue
        try:
            read_value = read(raw, vr)
        except (ValueError, OverflowError, struct.error):
            unreadable.append(column)
            continue
        row[column] = read_value
        if read_value is None:
            empty.append(column)
    sets = str(row.get(CHARACTER_SET) or character_sets or "")
    if sets not in LATIN_CHARACTER_SETS:
        _localize(found.single.values(), row, sets)
    if found.gathered:
        _gather(found.gathered, row, sets)
    if private and row.get("DiffusionBValue") is None:
        _add_private_b_value(private, row)
    _tell_apart(row, empty, unreadable)
    return row


def _localize(values: Iterable[RawValue], row: Row, character_sets: str) -> None:
    """Read again what Latin-1 cannot: bytes above 127 and escapes of ISO 2022."""
    for attribute, _, raw in values:
        if attribute.vr in LOCALIZED_VRS and attribute.column and (not raw.isascii() or b"\x1b" in raw):
            row[attribute.column] = localized(raw, character_sets)


def _gather(values: list[RawValue], row: Row, character_sets: str) -> None:
    """Join the code meanings of all items; YES of any item wins over NO."""
    for attribute, _, raw in values:
        plain = character_sets in LATIN_CHARACTER_SETS or attribute.vr not in LOCALIZED_VRS
        new = text(raw, attribute.vr) if plain else localized(raw, character_sets)
        old = row.get(attribute.column)
        if new is None or new == old or old == "YES":
            continue
        row[attribute.column] = new if old is None or new == "YES" else f"{old}\\{new}"


def _add_private_b_value(values: list[RawValue], row: Row) -> None:
    """Take a vendor's b-value whose block its creator has reserved."""
    by_tag = {attribute.tag: (vr, raw) for attribute, vr, raw in values}
    for attribute, vr, raw in values:
        group, element = attribute.tag & 0xFFFF, attribute.tag >> 16
        creator = by_tag.get(tag_key(group, element >> 8))
        if creator is None:
            continue
        name = trimmed(creator[1].decode("latin-1"))
        if name is None or B_VALUES.get((group, name)) != element & 0xFF:
            continue
        try:
            b_value = real(raw, vr)
        except (ValueError, OverflowError, struct.error):
            continue
        if b_value is not None:
            row["DiffusionBValue"] = b_value % GE_B_VALUE_FLAG if group == 0x0043 else b_value


def _tell_apart(row: Row, empty: list[str], unreadable: list[str]) -> None:
    """Name empty and unreadable columns, and make empty text "" instead of null."""
    if empty:
        named = [column for column in dict.fromkeys(empty) if row[column] is None]
        row["empty_attributes"] = [column for column in named if column in INSTANCE_COLUMNS]
        row.update((column, "") for column in named if column in _TEXT_COLUMNS)
    if unreadable:
        row["unreadable_attributes"] = list(dict.fromkeys(unreadable))
