"""Read the slices of a series by what differs between them.

Files that lie side by side are mostly slices of one series: their headers are equal byte for byte but for
some ten elements. Comparing a stretch of equal bytes costs next to nothing; parsing it and reading its values
is nearly all the work of a header. So the header of one slice is kept, cut where its neighbours were seen to
differ; of the next slice only those elements are read, and the rest of its row is the kept one's.

Nothing is guessed: every byte of a header is either compared or parsed as the walk parses it. Whatever
decides how other bytes are read, such as the character set, must be equal, and a header that departs in any
other way is not recalled but read in full. A recalled row therefore equals the row that would have been read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from radnet.scan.attributes import CHARACTER_SET, LOCALIZED_VRS, PRIVATE, SCALARS, TAGS, tag_key
from radnet.scan.header import Row
from radnet.scan.meta import META_GROUP, PREAMBLE_BYTES, PREFIX
from radnet.scan.pixels import Pixels, locate
from radnet.scan.values import LATIN_CHARACTER_SETS, Reader
from radnet.scan.walk import (
    ENTERED,
    FIRST_BYTES,
    LONG_FORM,
    SEQUENCE_VRS,
    SHORT_FORM,
    UN,
    UNDEFINED,
    Element,
    UnusualError,
    delimiter,
    elements,
    long_length,
)

KEPT_HEADERS: Final = 4
"""Series may alternate within a folder, and the slices of one between several forms of header."""
FRUITLESS: Final = 16
"""Headers learned in a row with none recalled, after which a rest is taken: these files are no neighbours."""
SHORTEST_REST: Final = 50
"""Files that are then read without learning; twice as many after every vain attempt."""

_FIRST_ELEMENT: Final = PREAMBLE_BYTES + len(PREFIX)
_PIXEL_HEADER_BYTES: Final = 12
_DELIMITER_BYTES: Final = 8
_TAG_BYTES: Final = 4
_VR_BYTES: Final = 2
_SHORT_BYTES: Final = 2
_LONG_BYTES: Final = 4

_TWICE_FILLED: Final = ("ContrastBolusVolume", "ContrastBolusTotalDose")
"""Columns that items of a sequence fill as well as an element of the dataset."""
_GOVERNING: Final = frozenset(
    {
        tag_key(META_GROUP, 0x0002),  # MediaStorageSOPClassUID
        tag_key(META_GROUP, 0x0010),  # TransferSyntaxUID
        *(
            tag_key(*TAGS[name][:2])
            for name in (CHARACTER_SET, "SOPClassUID", "SeriesInstanceUID", *_TWICE_FILLED)
        ),
    }
)
"""Elements that must be equal: the reading of others depends on them, or a series ends with them."""

Pread = Callable[[int, int], bytes]
Unpack = Callable[[bytes, int], tuple[int, ...]]
_short_length: Final[Unpack] = struct.Struct("<H").unpack_from


class Seen(NamedTuple):
    """A header that was read in full.

    Attributes:
        window: The first bytes of the file up to the pixels; zeros where values were jumped over.
        gaps: Where they were: first byte not read, and next element.
        start: Where the dataset begins.
        pixels: Where the element of the pixels begins.
        explicit: Whether the dataset writes VRs.
        row: What the dataset says, as `decode` returns it, with TransferSyntaxUID.
    """

    window: bytes
    gaps: list[tuple[int, int]]
    start: int
    pixels: int
    explicit: bool
    row: Row


class Neighbours:
    """The last headers of files that are read one after the other.

    Raw values of these files stand in it, patients' ids among them: it is made for one task of one worker.
    """

    __slots__ = ("_fruitless", "_next_rest", "_rest", "_templates")

    def __init__(self) -> None:
        self._templates: list[_Template] = []
        self._fruitless = 0
        self._rest = 0
        self._next_rest = SHORTEST_REST

    @property
    def resting(self) -> bool:
        """Whether learning has not paid lately: then nothing is recalled or learned for a while."""
        return self._rest > 0

    def recall(self, window: bytes, pread: Pread) -> tuple[Row, Pixels] | None:
        """Read a header by what differs from one that was learned.

        Args:
            window: The first bytes of the file.
            pread: Reads more of it: from which place, and how many bytes.

        Returns:
            What the dataset says and where its pixels are; None when the header must be read in full.
        """
        if self._rest:
            self._rest -= 1
            return None
        for place, template in enumerate(self._templates):
            recalled = template.match(window, pread)
            if recalled is not None:
                self._fruitless, self._next_rest = 0, SHORTEST_REST
                if place:
                    self._templates.insert(0, self._templates.pop(place))
                return recalled
        return None

    def learn(self, seen: Seen) -> None:
        """Take notice of a header that could not be recalled and was read in full."""
        identity = seen.row.get("SOPClassUID") and seen.row.get("SOPInstanceUID")
        if not identity or not seen.window.startswith(PREFIX, PREAMBLE_BYTES):
            return  # the meta information supplies it, or is not there
        series = seen.row.get("SeriesInstanceUID")
        if not any(template.series == series and template.learn(seen) for template in self._templates):
            del self._templates[KEPT_HEADERS - 1 :]
            self._templates.insert(0, _Template(seen))
        self._fruitless += 1
        if self._fruitless == FRUITLESS:
            self._fruitless, self._rest, self._next_rest = 0, self._next_rest, 2 * self._next_rest


def join(windows: Sequence[tuple[int, bytes]]) -> tuple[bytes, list[tuple[int, int]]]:
    """Join what was read of a file, with its places, into `Seen.window` and `Seen.gaps`."""
    if len(windows) == 1:
        return windows[0][1], []
    joined, gaps = bytearray(), []
    for place, window in windows:
        gaps += [(len(joined), place)] if joined else []
        joined += bytes(place - len(joined)) + window
    return bytes(joined), gaps


class _Step(NamedTuple):
    """A stretch of equal bytes that ends within the header of an element that differs.

    Attributes:
        run: The bytes up to the element's length.
        run_bytes: How many.
        unpack: Reads the length.
        length_bytes: How long the length is.
        column: The column that the value fills.
        read: Its reader; None when the value is not wanted.
        vr: The code of its VR.
        inner: Whether elements within a value of undefined length bear VRs.
    """

    run: bytes
    run_bytes: int
    unpack: Unpack
    length_bytes: int
    column: str
    read: Reader | None
    vr: int
    inner: bool


class _Template:
    """A header and the elements in which its neighbours differ; useless before it has met one."""

    __slots__ = ("_cut", "_differing", "_lists", "_seen", "_steps", "_tail", "_tail_bytes", "series")

    def __init__(self, seen: Seen) -> None:
        self.series = seen.row.get("SeriesInstanceUID")
        self._seen = seen
        self._cut: list[Element] = []
        self._differing: set[int] = set()
        self._steps: list[_Step] = []
        self._tail = b""
        self._tail_bytes = 0
        self._lists = {column: value.copy() for column, value in seen.row.items() if isinstance(value, list)}

    def match(self, window: bytes, pread: Pread) -> tuple[Row, Pixels] | None:
        """Read a header by what differs, if it differs in nothing else; windows are those of the walk."""
        if not self._tail:
            return None
        row = self._seen.row.copy()
        base = position = 0
        try:
            for run, run_bytes, unpack, length_bytes, column, read, vr, inner in self._steps:
                if position > len(window):
                    base, position, window = base + position, 0, pread(base + position, FIRST_BYTES)
                if not window.startswith(run, position):
                    return None
                position += run_bytes
                (length,) = unpack(window, position)
                start = position + length_bytes
                position = start + length
                if read is not None:
                    value = row[column] = read(window[start:position], vr)
                    if value is None or position > len(window):
                        return None
                elif length == UNDEFINED:
                    if vr not in SEQUENCE_VRS:
                        return None
                    position = delimiter(window, start, inner) + _DELIMITER_BYTES
        except (ValueError, OverflowError, struct.error, UnusualError):
            return None
        if position > len(window):
            base, position, window = base + position, 0, pread(base + position, FIRST_BYTES)
        pixels = position + self._tail_bytes
        if not window.startswith(self._tail, position) or pixels + _PIXEL_HEADER_BYTES > len(window):
            return None
        for column, names in self._lists.items():
            row[column] = names.copy()
        place, pixel_bytes, first = locate(window, pixels, self._seen.explicit)
        return row, (base + place, pixel_bytes, first)

    def learn(self, other: Seen) -> bool:
        """Note in which elements another header differs.

        Returns:
            False if that is of no use: it differs otherwise, or in what must be equal, or in nothing new.
        """
        own, window = self._seen, other.window
        ends = {end for _, end in own.gaps}
        head = position = _FIRST_ELEMENT
        try:
            self._cut = self._cut or _cut(own)
            new = {number for number, element in enumerate(self._cut) if element.following in ends}
            if len(new) != len(ends):
                return False
            for number, element in enumerate(self._cut):
                whole = own.window[head : element.following]
                if window.startswith(whole, position):
                    position += len(whole)
                else:
                    position = _over(window, position, _step(own, head, element))
                    new.add(number)
                head = element.following
        except (struct.error, UnusualError):
            return False
        new -= self._differing
        if position != other.pixels or not new or not all(self._may_differ(self._cut[at]) for at in new):
            return False
        self._differing |= new
        self._build()
        return True

    def _may_differ(self, element: Element) -> bool:
        """Say whether an element can be read apart from all others."""
        tag, vr, start, _, _ = element
        if tag in _GOVERNING or tag in ENTERED:
            return False
        if start <= self._seen.start:
            return vr in SHORT_FORM
        attribute = SCALARS.get(tag)
        if attribute is None:
            return True
        row = self._seen.row
        latin = str(row.get(CHARACTER_SET) or "") in LATIN_CHARACTER_SETS
        return (
            attribute.column != PRIVATE
            and (latin or attribute.vr not in LOCALIZED_VRS)
            and (vr in SHORT_FORM or not self._seen.explicit)
            and row.get(attribute.column) not in (None, "")
            and attribute.column not in self._lists.get("unreadable_attributes", ())
            and [other.tag for other in self._cut].count(tag) == 1
        )

    def _build(self) -> None:
        """Cut the header anew."""
        seen, position = self._seen, 0
        self._steps = []
        for number in sorted(self._differing):
            element = self._cut[number]
            self._steps.append(_step(seen, position, element))
            self._lists.pop(self._steps[-1].column, None)
            position = element.following
        named = _TAG_BYTES + _VR_BYTES if seen.explicit else _TAG_BYTES
        self._tail = seen.window[position : seen.pixels + named]
        self._tail_bytes = seen.pixels - position


def _cut(seen: Seen) -> list[Element]:
    """List the elements before the pixels."""
    return [
        *elements(seen.window, _FIRST_ELEMENT, seen.start, True),
        *elements(seen.window, seen.start, seen.pixels, seen.explicit),
    ]


def _step(seen: Seen, position: int, element: Element) -> _Step:
    """Make the step from `position` over an element."""
    attribute = SCALARS.get(element.tag)
    length_bytes = _LONG_BYTES if element.vr in LONG_FORM else _SHORT_BYTES
    run = seen.window[position : element.start - length_bytes]
    return _Step(
        run=run,
        run_bytes=len(run),
        unpack=long_length if length_bytes == _LONG_BYTES else _short_length,
        length_bytes=length_bytes,
        column=attribute.column if attribute else "",
        # values that all differ would only flush the reader's cache
        read=getattr(attribute.read, "__wrapped__", attribute.read) if attribute else None,
        vr=attribute.vr if attribute and not seen.explicit else element.vr,
        inner=seen.explicit and element.vr != UN,
    )


def _over(window: bytes, position: int, step: _Step) -> int:
    """Return where the element that a step ends with ends in another header."""
    if not window.startswith(step.run, position):
        raise UnusualError
    (length,) = step.unpack(window, position + step.run_bytes)
    start = position + step.run_bytes + step.length_bytes
    if length != UNDEFINED:
        return start + length
    if step.vr not in SEQUENCE_VRS:
        raise UnusualError
    return delimiter(window, start, step.inner) + _DELIMITER_BYTES
