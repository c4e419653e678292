"""Check that the pixels of a file are all there, without reading them.

Only slices that a volume needs are ever decoded; the others are looked at here and nowhere else.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from radnet.scan.header import Row
from radnet.scan.walk import ITEM, UNDEFINED, implicit_header, long_length

ITEM_HEADER_BYTES: Final = 8
PIXEL_START_BYTES: Final = 1 << 12
SUBSAMPLED: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Colour spaces that store two samples a pixel, not three."""

Pixels: TypeAlias = tuple[int | None, int | None, bytes]
"""Where their value starts, None when there are none; its length and its first bytes as `locate` tells."""


def locate(window: bytes, position: int, explicit: bool) -> tuple[int, int | None, bytes]:
    """Find the value of the Pixel Data element that begins at `position`.

    Returns:
        Where it starts; its length, None when undefined; its first bytes, if undefined, as far as at hand.
    """
    if explicit:
        (length,) = long_length(window, position + 8)
        value = position + 12
    else:
        _, length = implicit_header(window, position)
        value = position + 8
    if length == UNDEFINED:
        return value, None, window[value : value + PIXEL_START_BYTES]
    return value, length, b""


def native_bytes(row: Row) -> int:
    """Return how long uncompressed Pixel Data must be; 0 when the header does not tell."""
    rows, columns, bits = row.get("Rows"), row.get("Columns"), row.get("BitsAllocated")
    if not (isinstance(rows, int) and isinstance(columns, int) and isinstance(bits, int)):
        return 0
    if rows <= 0 or columns <= 0 or bits <= 0:
        return 0
    samples = row.get("SamplesPerPixel")
    frames = row.get("NumberOfFrames")
    samples = samples if isinstance(samples, int) and samples > 0 else 1
    if samples == 3 and row.get("PhotometricInterpretation") in SUBSAMPLED:
        samples = 2
    frames = frames if isinstance(frames, int) and frames > 0 else 1
    return (rows * columns * bits * samples * frames + 7) // 8


def ends_within(file_bytes: int, offset: int, start: bytes) -> bool:
    """Say whether encapsulated pixels can end within the file, as far as their first items tell.

    Args:
        file_bytes: Size of the file.
        offset: Of the pixels' value in the file.
        start: As many bytes from there as are at hand; where they end, the question is open.
    """
    position = 0
    for _ in ("offset table", "first fragment"):
        if position + ITEM_HEADER_BYTES > len(start):
            return offset + position + ITEM_HEADER_BYTES <= file_bytes
        tag, length = implicit_header(start, position)
        if tag != ITEM:
            return True
        position += ITEM_HEADER_BYTES + length
    return offset + position <= file_bytes
