"""From stored cells to modality values: bits, padding, MONOCHROME1 and rescale of one slice.

A cell is what Pixel Data holds for one pixel; its value may fill only some of the cell's bits, and what the
other bits hold is nobody's promise. Padding is looked for in the whole cell first: scanners write -2000 into
cells whose stored bits cannot hold it. Nothing here reads files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.errors import PixelError

Cells = NDArray[np.integer[Any]]
Plane = NDArray[np.float32]

CELL_BITS: Final = (8, 16, 32)
LARGEST_SIDE: Final = 65_535
"""Rows and Columns are 16-bit numbers."""


class SliceError(PixelError):
    """Pixel data of a slice that cannot be used.

    Attributes:
        reason: A code for tables: colour, bad_header, no_pixel_data, unsupported_transfer_syntax, truncated,
            undecodable, too_large, all_padding.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        """Return the sentence alone."""
        return str(self.args[1])


@dataclass(frozen=True, slots=True)
class SliceSource:
    """Where the pixels of a slice lie and how they are written; fields are columns of the instance table."""

    path: str
    frame: int | None
    pixel_offset: int | None
    pixel_length: int | None
    TransferSyntaxUID: str | None
    NumberOfFrames: int | None
    SamplesPerPixel: int | None
    PhotometricInterpretation: str | None
    Rows: int
    Columns: int
    BitsAllocated: int
    BitsStored: int | None
    HighBit: int | None
    PixelRepresentation: int | None
    RescaleSlope: float | None
    RescaleIntercept: float | None
    PixelPaddingValue: int | None
    Modality: str | None

    @property
    def index(self) -> int:
        """Frame within the file, from 0."""
        return (self.frame or 1) - 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame when not compressed."""
        return self.Rows * self.Columns * self.BitsAllocated // 8

    @property
    def is_signed(self) -> bool:
        """Whether values are two's complement."""
        return self.PixelRepresentation == 1

    @property
    def bits_stored(self) -> int:
        """Bits of a cell that hold the value; all where the header does not say."""
        return self.BitsStored or self.BitsAllocated

    @property
    def high_bit(self) -> int:
        """The value's most significant bit."""
        return self.bits_stored - 1 if self.HighBit is None else self.HighBit


def check_header(source: SliceSource) -> None:
    """Refuse what is no grey-level image or describes its pixels impossibly.

    Raises:
        SliceError: With reason colour or bad_header.
    """
    if (source.SamplesPerPixel or 1) != 1 or source.PhotometricInterpretation == "PALETTE COLOR":
        raise SliceError("colour", f"{source.path}: holds colours; only grey-level slices make a volume")
    sides = (source.Rows, source.Columns)
    if any(side is None or not 0 < side <= LARGEST_SIDE for side in sides):
        raise SliceError("bad_header", f"{source.path}: Rows or Columns is missing or impossible")
    if source.BitsAllocated not in CELL_BITS:
        raise SliceError("bad_header", f"{source.path}: BitsAllocated is not 8, 16 or 32")
    if not source.bits_stored - 1 <= source.high_bit < source.BitsAllocated:
        raise SliceError("bad_header", f"{source.path}: BitsStored and HighBit contradict BitsAllocated")


def stored_values(cells: Cells, source: SliceSource) -> Cells:
    """Take the stored bits out of their cells, and extend the sign.

    Args:
        cells: Integers of BitsAllocated bits.
        source: Its BitsStored, HighBit and PixelRepresentation are used.

    Returns:
        An array of the same shape and size of cell, signed as the header says.

    Source: DICOM PS3.5 8.1.1.
    """
    typed = cells.view(f"{'i' if source.is_signed else 'u'}{cells.dtype.itemsize}")
    unused = source.BitsAllocated - source.bits_stored
    if not unused:
        return typed
    above = source.BitsAllocated - 1 - source.high_bit
    shifted: Cells = (typed << above) >> unused
    return shifted


def modality_values(values: Cells, is_padding: NDArray[np.bool_] | None, source: SliceSource) -> Plane:
    """Turn stored values into what the scanner measured (HU in CT), air where there is padding.

    MONOCHROME1 says how to show values, not what they mean (PS3.3 C.7.6.3.1.2): Hounsfield units stay what
    they are. Elsewhere, where bright is all that a value says, it is mirrored within the range of the stored
    bits before the rescale. A RescaleSlope of 0, which would wipe the slice, is read as 1.

    Args:
        values: (rows, columns) as `stored_values` gives them.
        is_padding: (rows, columns) from `find_padding`.
        source: Its rescale and PhotometricInterpretation are used.

    Returns:
        (rows, columns) float32; padding has the least of the other values, and is NaN when there are none.
    """
    slope = source.RescaleSlope or 1.0
    intercept = source.RescaleIntercept or 0.0
    if source.PhotometricInterpretation == "MONOCHROME1" and source.Modality != "CT":
        mirror = -1 if source.is_signed else 2**source.bits_stored - 1
        slope, intercept = -slope, intercept + slope * mirror
    plane = values.astype(np.float32)
    if slope != 1.0:
        plane *= np.float32(slope)
    if intercept != 0.0:
        plane += np.float32(intercept)
    if is_padding is not None:
        valid = plane[~is_padding]
        plane[is_padding] = valid.min() if valid.size else np.nan
    return plane


def find_padding(cells: Cells, values: Cells, source: SliceSource) -> NDArray[np.bool_] | None:
    """Mark the pixels that hold PixelPaddingValue.

    Args:
        cells: (rows, columns) whole cells.
        values: (rows, columns) stored values of the same.
        source: Its PixelPaddingValue is used; it may have been read as signed or unsigned.

    Returns:
        (rows, columns), or None when the slice has no padding.
    """
    if source.PixelPaddingValue is None:
        return None
    padding = source.PixelPaddingValue % 2**source.BitsAllocated
    mask: NDArray[np.bool_] = cells.view(f"u{cells.dtype.itemsize}") == padding
    if source.bits_stored < source.BitsAllocated and _fits(source.PixelPaddingValue, source):
        mask |= values == source.PixelPaddingValue
    return mask if mask.any() else None


def _fits(value: int, source: SliceSource) -> bool:
    half = 1 << (source.bits_stored - 1)
    return -half <= value < half if source.is_signed else 0 <= value < 2 * half
