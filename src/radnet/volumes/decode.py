"""Read the pixels of single slices, frames of multi-frame files among them.

The tables already say where Pixel Data lies and how it is written, so no header is parsed again. Native
pixels are read straight from their place; compressed frames go to the fastest decoder of their kind, and the
other frames of the file are left alone. What the tables cannot tell (deflated files) is looked up, once a
file.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final, Self

import numpy as np
from pydicom import uid
from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread, read_dataset
from pydicom.pixels.decoders.base import Decoder, get_decoder

from radnet.sources.blob import Blob
from radnet.sources.opening import open_blob
from radnet.volumes.pixels import (
    Cells,
    Plane,
    SliceError,
    SliceSource,
    check_header,
    find_padding,
    modality_values,
    stored_values,
)

PLUGINS: Final = {
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit), "gdcm"),
    **dict.fromkeys((uid.JPEGLossless, uid.JPEGLosslessSV1), "gdcm"),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "pyjpegls"),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), "pylibjpeg"),
    **dict.fromkeys((uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), "pylibjpeg"),
    uid.RLELossless: "pylibjpeg",
}
"""The fastest well-kept decoder of each transfer syntax."""
TWELVE_BIT_PLUGIN: Final = "pylibjpeg"
"""Of lossy JPEG with more than 8 bits, if the user has installed pylibjpeg-libjpeg (GPL)."""

GE_BIG_ENDIAN_PIXELS: Final = "1.2.840.113619.5.2"
"""Private syntax of GE: a little-endian header before big-endian pixels."""
LARGEST_VALUE_BYTES: Final = 1 << 30
"""Pixel data that is only useful as a whole is never read beyond this."""
HEADER_ALLOWANCE_BYTES: Final = 64 << 20
"""What a deflated file may hold beside its pixels."""

DAMAGE: Final = (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError, struct.error)
"""What pydicom raises on files that are not what they say."""

_PIXEL_DATA: Final = 0x7FE00010
_META_START: Final = 132
_META_LENGTH: Final = struct.Struct("<HH2sHI")
_BIG_ENDIAN: Final = (uid.ExplicitVRBigEndian, GE_BIG_ENDIAN_PIXELS)


class PixelReader:
    """Reads slices; keeps the last file open, since the frames of one file follow each other.

    Args:
        opener: Opens a path of the instance table.
    """

    def __init__(self, opener: Callable[[str], Blob] = open_blob) -> None:
        self._opener = opener
        self._path: str | None = None
        self._blob: Blob | None = None
        self._value: tuple[bytes, bool] | None = None

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file that is open."""
        self._close()

    def read(self, source: SliceSource) -> Plane:
        """Read one slice as modality values.

        Args:
            source: Where and how its pixels are written.

        Returns:
            (rows, columns) float32 as stored, neither transposed nor flipped; HU in CT. Padding has the least
            value of the slice; a slice of padding alone is NaN.

        Raises:
            SliceError: If the pixels cannot be decoded.
            OSError: If the file cannot be read.
            SourceError: If the archive that holds it is damaged.
        """
        check_header(source)
        self._open(source.path)
        cells, are_values = self._cells(source)
        values = cells if are_values else stored_values(cells, source)
        return modality_values(values, find_padding(cells, values, source), source)

    def _open(self, path: str) -> None:
        if path != self._path:
            self._close()
            self._blob = self._opener(path)
            self._path = path

    def _close(self) -> None:
        if self._blob is not None:
            self._blob.close()
        self._path = self._blob = self._value = None

    def _cells(self, source: SliceSource) -> tuple[Cells, bool]:
        """Return (rows, columns) integers, and whether the stored bits are taken out of them already."""
        assert self._blob is not None
        if source.pixel_offset is None:
            value, encapsulated = self._found_value(source)
            if not encapsulated:
                start = source.index * source.frame_bytes
                return native_cells(value[start : start + source.frame_bytes], source), False
        elif source.pixel_length is None:
            value = self._encapsulated_value(source)
        else:
            return self._native(source, self._blob), False
        return decode_frame(value, source), source.TransferSyntaxUID != uid.RLELossless

    def _native(self, source: SliceSource, blob: Blob) -> Cells:
        assert source.pixel_offset is not None
        assert source.pixel_length is not None
        start = source.index * source.frame_bytes
        if start + source.frame_bytes > source.pixel_length:
            raise _truncated(source)
        cells = native_cells(blob.pread(source.pixel_offset + start, source.frame_bytes), source)
        is_words = source.BitsAllocated == 8 and source.TransferSyntaxUID == uid.ExplicitVRBigEndian
        if is_words and not cells.size % 2 and blob.pread(source.pixel_offset - 8, 2) == b"OW":
            cells = cells.view(np.uint16).byteswap().view(np.uint8)  # PS3.5 A.3: bytes within swapped words
        return cells

    def _encapsulated_value(self, source: SliceSource) -> bytes:
        assert self._blob is not None
        if self._value is None:
            offset = source.pixel_offset or 0
            self._value = (_bounded(self._blob, offset, source), True)
        return self._value[0]

    def _found_value(self, source: SliceSource) -> tuple[bytes, bool]:
        """Look Pixel Data up in the file; return it and whether it is encapsulated."""
        assert self._blob is not None
        if self._value is None:
            self._value = find_pixel_data(self._blob, source)
        return self._value


def native_cells(data: bytes, source: SliceSource) -> Cells:
    """View the bytes of one uncompressed frame as integers.

    Raises:
        SliceError: If there are too few.
    """
    if len(data) < source.frame_bytes:
        raise _truncated(source)
    order = ">" if source.TransferSyntaxUID in _BIG_ENDIAN else "<"
    cells = np.frombuffer(data, f"{order}u{source.BitsAllocated // 8}")
    native = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    return native.reshape(source.Rows, source.Columns)


def decode_frame(value: bytes, source: SliceSource) -> Cells:
    """Decompress one frame.

    Args:
        value: Pixel Data from its Basic Offset Table on.
        source: The frame, and how it is written.

    Returns:
        (rows, columns) of BitsAllocated bits, signed as the header says; of RLE, whole cells.

    Raises:
        SliceError: If no decoder is there for its transfer syntax, or the data is damaged.
    """
    decoder, plugin = _decoder(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they may quote header values
            cells: Cells = decoder.as_array(
                value, index=source.index, raw=True, decoding_plugin=plugin, **_options(source)
            )[0]
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever their C libraries meet
        raise SliceError(
            "undecodable", f"{source.path}: frame {source.index + 1} is damaged; copy the file again"
        ) from error
    return cells


def _decoder(source: SliceSource) -> tuple[Decoder, str]:
    """Choose who decompresses a slice."""
    syntax = uid.UID(source.TransferSyntaxUID or "")
    plugin = PLUGINS.get(syntax, "")
    if syntax == uid.JPEGExtended12Bit and source.bits_stored > 8:
        plugin = TWELVE_BIT_PLUGIN
    if not plugin or plugin not in get_decoder(syntax).available_plugins:
        raise SliceError(
            "unsupported_transfer_syntax", f"{source.path}: no decoder for transfer syntax {syntax}"
        )
    return get_decoder(syntax), plugin


def _options(source: SliceSource) -> dict[str, Any]:
    options: dict[str, Any] = {
        "rows": source.Rows,
        "columns": source.Columns,
        "number_of_frames": source.NumberOfFrames or 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": source.PhotometricInterpretation or "MONOCHROME2",
        "bits_allocated": source.BitsAllocated,
        "bits_stored": source.bits_stored,
        "pixel_representation": int(source.is_signed),
    }
    if source.TransferSyntaxUID == uid.RLELossless:
        options["correct_unused_bits"] = False
    return options


def find_pixel_data(blob: Blob, source: SliceSource) -> tuple[bytes, bool]:
    """Parse a file for Pixel Data: what the tables do not locate.

    Args:
        blob: The file.
        source: For its transfer syntax and size of pixels.

    Returns:
        The element's value, and whether it is encapsulated.

    Raises:
        SliceError: If there is none, or the file is too large or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they may quote header values
            if source.TransferSyntaxUID == uid.DeflatedExplicitVRLittleEndian:
                content = BytesIO(_inflated(blob, source))
                dataset: Any = read_dataset(content, False, True, specific_tags=[_PIXEL_DATA])
            else:
                content = BytesIO(_bounded(blob, 0, source))
                dataset = dcmread(content, force=True, specific_tags=[_PIXEL_DATA])
            element = dataset.get(_PIXEL_DATA)
    except DAMAGE as error:
        raise SliceError("undecodable", f"{source.path}: is damaged; copy the file again") from error
    if element is None or not element.value:
        raise SliceError("no_pixel_data", f"{source.path}: holds no Pixel Data")
    return element.value, bool(element.is_undefined_length)


def _inflated(blob: Blob, source: SliceSource) -> bytes:
    """Inflate the data set of a deflated file, no further than its pixels can need (PS3.5 A.5)."""
    group, element, _, _, length = _META_LENGTH.unpack(blob.pread(_META_START, _META_LENGTH.size))
    if (group, element) != (2, 0):
        raise SliceError("bad_header", f"{source.path}: is deflated but has no meta group length")
    limit = source.frame_bytes * (source.NumberOfFrames or 1) + HEADER_ALLOWANCE_BYTES
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    deflated = _bounded(blob, _META_START + _META_LENGTH.size + length, source)
    try:
        data = inflater.decompress(deflated, min(limit, LARGEST_VALUE_BYTES))
    except zlib.error as error:
        raise SliceError("undecodable", f"{source.path}: is damaged; copy the file again") from error
    if inflater.unconsumed_tail:
        raise SliceError("too_large", f"{source.path}: inflates to more than its pixels need")
    return data


def _bounded(blob: Blob, offset: int, source: SliceSource) -> bytes:
    if blob.size - offset > LARGEST_VALUE_BYTES:
        raise SliceError("too_large", f"{source.path}: has more than 1 GiB of compressed pixels")
    return blob.pread(offset, max(blob.size - offset, 0))


def _truncated(source: SliceSource) -> SliceError:
    return SliceError("truncated", f"{source.path}: ends before frame {source.index + 1} does; copy it again")
