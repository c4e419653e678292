"""Check that the pixels of a file are all there, without reading them.

Only slices that a volume needs are ever decoded; the others are looked at here and nowhere else.
"""

from __future__ import annotations

from typing import Final

from radnet.scan.header import Row
from radnet.scan.walk import ITEM, implicit_header

ITEM_HEADER_BYTES: Final = 8
SUBSAMPLED: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Colour spaces that store two samples a pixel, not three."""


def native_bytes(row: Row) -> int:
    """Return how long uncompressed Pixel Data must be; 0 when the header does not tell."""
    numbers = [row.get(name) for name in ("Rows", "Columns", "BitsAllocated")]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        return 0
    rows, columns, bits = (int(str(number)) for number in numbers)
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
