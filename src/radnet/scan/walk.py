"""Walk the elements of a little-endian header and keep the wanted values raw.

The header is seen through a window of bytes. A walk that reaches the window's end returns where it stands,
beyond the end when it is skipping a long value, and is started again on a later window: nothing that is not
wanted is ever read. It does not assume ascending tags. What is not plain explicit or implicit VR raises
`UnusualError`; pydicom then has its say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from radnet.scan.attributes import SCALARS, SEQUENCES, Attribute, Wanted, tag_key
from radnet.scan.functional_groups import FRAME_GROUPS, GROUPS, SHARED_GROUPS
from radnet.scan.header import Found, Header
from radnet.scan.values import vr_code

PIXEL_DATA: Final = tag_key(0x7FE0, 0x0010)
ITEM: Final = tag_key(0xFFFE, 0xE000)
ITEM_END: Final = tag_key(0xFFFE, 0xE00D)
SEQUENCE_END: Final = tag_key(0xFFFE, 0xE0DD)
UNDEFINED: Final = 0xFFFFFFFF
FIRST_BYTES: Final = 1 << 14
"""The first window, nearly always the only one: the median header of real files is 5 KiB."""
MAX_VALUE_BYTES: Final = 1 << 16
"""No wanted value is longer; one that claims to be is unreadable."""

MAX_ITEMS: Final = 64
"""Items read of a wanted sequence; the contrast agents of one scan are fewer."""

SHORT_FORM: Final = frozenset(
    vr_code(vr)
    for vr in (
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    )
)
"""VRs whose header is 8 bytes with a length of two."""
LONG_FORM: Final = frozenset(
    vr_code(vr) for vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
)
"""VRs whose header is 12 bytes with a length of four."""
SQ: Final = vr_code("SQ")
UN: Final = vr_code("UN")

explicit_header = struct.Struct("<IHH").unpack_from
implicit_header = struct.Struct("<II").unpack_from
long_length = struct.Struct("<I").unpack_from
ENTERED: Final = frozenset({SHARED_GROUPS, FRAME_GROUPS, *SEQUENCES})
"""Sequences of the top level whose items are read."""
SEQUENCE_VRS: Final = frozenset({SQ, UN})
DELIMITERS: Final = frozenset({ITEM_END, SEQUENCE_END})


class UnusualError(Exception):
    """Bytes that are not plain explicit or implicit VR."""


class IncompleteError(Exception):
    """A value that the walk must enter goes on behind the window."""


class Element(NamedTuple):
    """An element as it lies in a window: where its value starts and stops, and the next element begins."""

    tag: int
    vr: int
    start: int
    stop: int
    following: int


def walk(window: bytes, position: int, explicit: bool, header: Header) -> tuple[int, bool]:
    """Walk a dataset from an element's first byte until its pixels or the window's end.

    Args:
        window: Bytes of the file.
        position: Of the element in the window.
        explicit: Whether VRs are written.
        header: Takes the wanted values.

    Returns:
        Where the next element stands, possibly beyond the window, and whether it is Pixel Data.

    Raises:
        UnusualError: If this is not a dataset of that encoding.
    """
    return (_walk_explicit if explicit else _walk_implicit)(window, position, header)


def _walk_explicit(window: bytes, position: int, header: Header) -> tuple[int, bool]:
    wanted, found, limit = SCALARS.get, header.found.single, len(window)
    try:
        while True:
            tag, vr, length = explicit_header(window, position)
            if vr in SHORT_FORM:
                start = position + 8
                stop = start + length
                attribute = wanted(tag)
                if attribute is not None:
                    if stop > limit:
                        return position, False
                    found[tag] = attribute, vr, window[start:stop]
                position = stop
            elif vr in LONG_FORM:
                (length,) = long_length(window, position + 8)
                if tag == PIXEL_DATA:
                    return position, True
                position = _pass(window, Element(tag, vr, position + 12, 0, 0), length, True, header)
            else:
                raise UnusualError
    except (struct.error, IncompleteError):
        return position, False


def _walk_implicit(window: bytes, position: int, header: Header) -> tuple[int, bool]:
    wanted, found, limit = SCALARS.get, header.found.single, len(window)
    try:
        while True:
            tag, length = implicit_header(window, position)
            start = position + 8
            stop = start + length
            attribute = wanted(tag)
            if attribute is not None and length <= MAX_VALUE_BYTES:
                if stop > limit:
                    return position, False
                found[tag] = attribute, attribute.vr, window[start:stop]
                position = stop
            elif tag == PIXEL_DATA:
                return position, True
            elif attribute is not None or length == UNDEFINED or tag in ENTERED:
                position = _pass(window, Element(tag, SQ, start, 0, 0), length, False, header)
            else:
                position = stop
    except (struct.error, IncompleteError):
        return position, False


def _pass(window: bytes, head: Element, length: int, explicit: bool, header: Header) -> int:
    """Deal with an element of the top level that is a sequence or long; return where the next begins."""
    element = _extent(window, head, length, explicit)
    tag, vr, start, stop, following = element
    attribute = SCALARS.get(tag)
    if attribute is not None:
        if length != UNDEFINED and (vr != SQ or not explicit):
            _keep(window, element, explicit, attribute, header.found)
        return following
    if tag not in ENTERED or vr not in SEQUENCE_VRS:
        return following
    if stop > len(window):
        raise IncompleteError
    inner = explicit and vr != UN
    if tag == SHARED_GROUPS:
        header.shared = partial(group_items, window, start, stop, inner)
    elif tag == FRAME_GROUPS:
        header.frames = partial(group_items, window, start, stop, inner)
    else:
        _enter(window, element, explicit, SEQUENCES[tag], header.found)
    return following


def group_items(window: bytes, start: int, stop: int, explicit: bool) -> Iterator[Found]:
    """Read the items of a sequence of functional groups, one Found an item.

    Raises:
        UnusualError: If they are damaged.
    """
    for item_start, item_stop in _items(window, start, stop, explicit):
        found = Found()
        _collect(window, item_start, item_stop, explicit, GROUPS, found)
        yield found


def _enter(window: bytes, element: Element, explicit: bool, wanted: Wanted, found: Found) -> None:
    inner = explicit and element.vr != UN
    for start, stop in islice(_items(window, element.start, element.stop, inner), MAX_ITEMS):
        _collect(window, start, stop, inner, wanted, found)


def _collect(window: bytes, start: int, stop: int, explicit: bool, wanted: Wanted, found: Found) -> None:
    """Keep what is wanted of one item, to the depth of `wanted`."""
    for element in elements(window, start, stop, explicit):
        target = wanted.get(element.tag)
        if target is None:
            continue
        if isinstance(target, Attribute):
            if element.vr != SQ or not explicit:
                _keep(window, element, explicit, target, found)
        elif element.vr in SEQUENCE_VRS:
            _enter(window, element, explicit, target, found)


def _keep(window: bytes, element: Element, explicit: bool, attribute: Attribute, found: Found) -> None:
    _, vr, start, stop, _ = element
    if stop - start > MAX_VALUE_BYTES:
        found.overlong.append(attribute.column)
        return
    if stop > len(window):
        raise IncompleteError
    value = attribute, vr if explicit and vr != UN else attribute.vr, window[start:stop]
    found.keep(value)


def _items(window: bytes, position: int, end: int, explicit: bool) -> Iterator[tuple[int, int]]:
    """Yield where the dataset of each item starts and stops."""
    while position + 8 <= end:
        tag, length = implicit_header(window, position)
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise UnusualError
        item = _extent(window, Element(tag, SQ, position + 8, 0, 0), length, explicit)
        if item.stop > end:
            raise UnusualError
        yield item.start, item.stop
        position = item.following


def elements(window: bytes, position: int, end: int, explicit: bool) -> Iterator[Element]:
    """Yield the elements of an item, or of the top level."""
    while position + 8 <= end:
        tag, vr, length = explicit_header(window, position)
        start = position + 8
        if not explicit:
            vr, length = SQ, length << 16 | vr
        elif vr in LONG_FORM:
            (length,) = long_length(window, start)
            start += 4
        elif vr not in SHORT_FORM:
            raise UnusualError
        if length != UNDEFINED:
            stop = position = start + length
        else:
            _, _, _, stop, position = _extent(window, Element(tag, vr, start, 0, 0), length, explicit)
        if stop > end:
            raise UnusualError
        yield Element(tag, vr, start, stop, position)


def _extent(window: bytes, head: Element, length: int, explicit: bool) -> Element:
    """Find where a value stops, which an undefined length leaves to a delimiter."""
    tag, vr, start, _, _ = head
    if length != UNDEFINED:
        return Element(tag, vr, start, start + length, start + length)
    if vr not in SEQUENCE_VRS:
        raise UnusualError
    stop = delimiter(window, start, explicit and vr != UN)
    return Element(tag, vr, start, stop, stop + 8)


def delimiter(window: bytes, position: int, explicit: bool) -> int:
    """Return where the delimiter stands that ends a sequence or item; depth is counted, not recursed."""
    depth = 1
    while True:
        tag, length = implicit_header(window, position)
        position += 8
        if tag in DELIMITERS:
            depth -= 1
            if not depth:
                return position - 8
            continue
        if tag != ITEM and explicit:
            vr, length = length & 0xFFFF, length >> 16
            if vr in LONG_FORM:
                (length,) = long_length(window, position)
                position += 4
            elif vr not in SHORT_FORM:
                raise UnusualError
            if vr == UN and length == UNDEFINED:
                position = delimiter(window, position, False) + 8  # PS3.5 6.2.2: implicit inside
                continue
        if length == UNDEFINED:
            depth += 1
        else:
            position += length
