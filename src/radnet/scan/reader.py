"""Read the header of one file into instances.

One read of the file's first bytes is enough for nearly every file; more is read only when the header goes on
behind them. Nothing that a file claims is believed before memory is spent on it: windows, values, items and
frames all have limits, and a file beyond them is skipped with a reason.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final, Protocol

from radnet.errors import SourceError
from radnet.scan.attributes import CHARACTER_SET, PATIENT_ID, TAGS, tag_key
from radnet.scan.enhanced import ENHANCED_CLASSES, expand
from radnet.scan.fallback import FALLBACK_BYTES, read_with_pydicom
from radnet.scan.header import Header, Row, decode
from radnet.scan.inflated import Inflated
from radnet.scan.meta import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Meta,
    encoding,
    read_meta,
)
from radnet.scan.neighbours import Neighbours, Seen, join
from radnet.scan.pixels import Pixels, ends_within, locate, native_bytes
from radnet.scan.rows import rows_to_frame
from radnet.scan.skipped import (
    DAMAGED,
    DICOMDIR,
    EMPTY_FILE,
    HEADER_TOO_LARGE,
    NOT_DICOM,
    TRUNCATED,
    UNREADABLE_FILE,
    UNSUPPORTED_OBJECT,
    Skipped,
)
from radnet.scan.walk import FIRST_BYTES, IncompleteError, UnusualError, walk
from radnet.sources.blob import Blob
from radnet.sources.entries import DAMAGED_ARCHIVE

__all__ = ["FIRST_BYTES", "hash_patient", "read_instances", "rows_to_frame"]

GROWTH: Final = 4
KEPT_BYTES: Final = 4 * FIRST_BYTES
KEPT_REACH: Final = 1 << 20
"""Headers of more windows, or that reach further, are not kept for their neighbours."""
MAX_WINDOW_BYTES: Final = 1 << 26
"""The functional groups of ten thousand frames take 20 to 60 MiB."""
MAX_HEADER_BYTES: Final = 1 << 28
"""Read at most of one header, all windows together."""

CLASSIC_CLASSES: Final = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"})
"""CT and MR image storage."""
DICOMDIR_CLASS: Final = "1.2.840.10008.1.3.10"
MODALITIES: Final = ("CT", "MR")
HASH_BYTES: Final = 8
_SOP_CLASS: Final = tag_key(*TAGS["SOPClassUID"][:2])


class Readable(Protocol):
    """Bytes of known size, of a file or of what was inflated of it."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""


def read_instances(blob: Blob, patient_key: bytes, neighbours: Neighbours | None = None) -> list[Row]:
    """Read the image instances of a file.

    Args:
        blob: The file.
        patient_key: The secret that keys the hash of PatientID; at least 16 bytes.
        neighbours: What was learned of the files before this one; saves time, changes nothing.

    Returns:
        One row an image, one a frame for enhanced multi-frame objects: values by column of INSTANCE_COLUMNS,
        without those that the source knows (source, path, size, mtime_ns). A missing key is null.

    Raises:
        Skipped: If the file holds no CT or MR image, or none that can be read.
    """
    try:
        start = blob.pread(0, FIRST_BYTES)
        recalled = neighbours.recall(start, blob.pread) if neighbours else None
        if recalled is not None:
            row, pixels = recalled
            return [_signed_padding(_image(row, pixels, blob.size, patient_key))]
        row, header, meta = _read_header(blob, start)
        seen = _seen(row, header, meta) if neighbours and not neighbours.resting else None
        rows = _rows(row, header, meta, blob.size, patient_key)
    except Skipped:
        raise
    except OSError as error:
        raise Skipped(UNREADABLE_FILE, type(error).__name__) from error
    except SourceError as error:
        raise Skipped(DAMAGED_ARCHIVE, type(error).__name__) from error
    except MemoryError as error:
        raise Skipped(HEADER_TOO_LARGE, type(error).__name__) from error
    except UnusualError as error:
        raise Skipped(DAMAGED, str(error) or type(error).__name__) from error
    except Exception as error:  # whatever a header does to us costs that file, not the run
        raise Skipped(DAMAGED, type(error).__name__) from error
    if neighbours and seen:
        neighbours.learn(seen)
    return rows


def read_header(blob: Blob) -> tuple[Row, Header, Meta]:
    """Read the top level of any DICOM file, image or not.

    Args:
        blob: The file.

    Returns:
        The row of the dataset itself, in which PATIENT_ID and CHARACTER_SET still stand; where its functional
        groups and pixels are; its meta information.

    Raises:
        Skipped: If the file is no DICOM, or ends inside its header, or the header is too large.
        UnusualError: If neither the walk nor pydicom can read it.
    """
    return _read_header(blob, blob.pread(0, FIRST_BYTES))


def _read_header(blob: Blob, start: bytes) -> tuple[Row, Header, Meta]:
    if not start:
        raise Skipped(EMPTY_FILE)
    meta = read_meta(start)
    if meta.sop_class == DICOMDIR_CLASS:
        raise Skipped(DICOMDIR)
    if meta.syntax == DEFLATED:
        inflated = Inflated(blob, meta.start)
        header, syntax = _header(inflated, inflated.data[:FIRST_BYTES], 0, inflated.complete)
        header.pixel_offset = header.pixel_length = header.pixel_element = None
    else:
        header, syntax = _header(blob, start, meta.start, complete=True)
    row = decode(header.found)
    row["TransferSyntaxUID"] = meta.syntax or syntax
    return row, header, meta


def _header(blob: Readable, start: bytes, position: int, complete: bool) -> tuple[Header, str]:
    """Read a dataset's header; return also the transfer syntax that its bytes show."""
    explicit, little = encoding(start, position)
    syntax = EXPLICIT_BIG if not little else EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE
    try:
        if little:
            return _walked(blob, start, position, explicit), syntax
    except UnusualError:
        pass
    except Skipped as skipped:
        if skipped.reason != TRUNCATED or complete:
            raise
        raise Skipped(HEADER_TOO_LARGE) from None
    dataset = blob.pread(position, FALLBACK_BYTES)
    whole = position + len(dataset) >= blob.size
    try:
        header = read_with_pydicom(dataset, whole, little)
    except IncompleteError:
        raise Skipped(TRUNCATED if whole and complete else HEADER_TOO_LARGE) from None
    if header.pixel_offset is not None:
        header.pixel_offset += position
    return header, syntax


def _walked(blob: Readable, window: bytes, position: int, explicit: bool) -> Header:
    """Walk a dataset, window by window."""
    header = Header()
    base, bytes_read, window_bytes = 0, len(window), FIRST_BYTES
    while True:
        if window_bytes == FIRST_BYTES and bytes_read <= KEPT_BYTES and base <= KEPT_REACH:
            header.windows.append((base, window))
        else:
            header.windows.clear()
        position, at_pixels = walk(window, position, explicit, header)
        if at_pixels:
            value, header.pixel_length, header.pixel_start = locate(window, position, explicit)
            header.pixel_offset = base + value
            header.explicit, header.pixel_element = explicit, base + position
            return header
        following, end = base + position, base + len(window)
        if blob.size - following < 8 and following <= blob.size:
            return header
        if following > blob.size or (following < end and end >= blob.size):
            raise Skipped(TRUNCATED)
        _refuse_early(header)
        if following <= end:
            window_bytes *= GROWTH
        if window_bytes > MAX_WINDOW_BYTES or bytes_read > MAX_HEADER_BYTES:
            raise Skipped(HEADER_TOO_LARGE)
        window = b""  # let go of the old one before the next is read
        window = blob.pread(following, window_bytes)
        if not window:
            raise Skipped(TRUNCATED)
        base, position, bytes_read = following, 0, bytes_read + len(window)


def _refuse_early(header: Header) -> None:
    """Spare other objects, such as segmentations, the rest of a long header."""
    value = header.found.single.get(_SOP_CLASS)
    if value is not None:
        attribute, vr, raw = value
        _supported(str(attribute.read(raw, vr) or ""))


def _supported(sop_class: str) -> None:
    if sop_class and sop_class not in CLASSIC_CLASSES and sop_class not in ENHANCED_CLASSES:
        raise Skipped(UNSUPPORTED_OBJECT)


def _rows(row: Row, header: Header, meta: Meta, file_bytes: int, patient_key: bytes) -> list[Row]:
    """Turn the row of a file's top level into the rows of its images."""
    _supply(row, "SOPClassUID", meta.sop_class)
    _supply(row, "SOPInstanceUID", meta.sop_instance)
    sop_class = str(row.get("SOPClassUID") or "")
    _supported(sop_class)
    if not sop_class:
        _require_image(row)
    character_sets = str(row.get(CHARACTER_SET) or "")
    pixels = header.pixel_offset, header.pixel_length, header.pixel_start
    row = _image(row, pixels, file_bytes, patient_key)
    if sop_class not in ENHANCED_CLASSES:
        return [_signed_padding(row)]
    try:
        return [_signed_padding(frame) for frame in expand(row, header, character_sets)]
    except struct.error as error:
        raise UnusualError from error


def _seen(row: Row, header: Header, meta: Meta) -> Seen | None:
    """Keep an ordinary header, as it is before it becomes an image's row, for its neighbours."""
    if not header.windows or header.pixel_element is None or row.get("SOPClassUID") not in CLASSIC_CLASSES:
        return None
    return Seen(*join(header.windows), meta.start, header.pixel_element, header.explicit, row.copy())


def _image(row: Row, pixels: Pixels, file_bytes: int, patient_key: bytes) -> Row:
    """Finish the row of a dataset, and refuse a file that ends before its pixels do."""
    patient = row.pop(PATIENT_ID, None)
    row.pop(CHARACTER_SET, None)
    if patient:
        row["patient"] = hash_patient(str(patient), patient_key)
    _add_pixels(row, pixels, file_bytes)
    return row


def _supply(row: Row, column: str, value: str) -> None:
    """Take from the meta information what the dataset leaves empty."""
    if value and not row.get(column):
        row[column] = value
        empty = row.get("empty_attributes")
        if isinstance(empty, list) and column in empty:
            empty.remove(column)


def _require_image(row: Row) -> None:
    modality = row.get("Modality")
    if not modality and not row.get("Rows"):
        raise Skipped(NOT_DICOM)
    if modality not in MODALITIES or not row.get("Rows") or not row.get("Columns"):
        raise Skipped(UNSUPPORTED_OBJECT)


def hash_patient(patient_id: str, patient_key: bytes) -> str:
    """Return the keyed hash, 16 hex digits, that stands for a PatientID."""
    key = patient_key if len(patient_key) <= blake2b.MAX_KEY_SIZE else blake2b(patient_key).digest()
    return blake2b(patient_id.encode("utf-8"), key=key, digest_size=HASH_BYTES).hexdigest()


def _add_pixels(row: Row, pixels: Pixels, file_bytes: int) -> None:
    offset, length, start = pixels
    if offset is None or length == 0:
        return
    if length is None:
        whole = ends_within(file_bytes, offset, start)
    else:
        whole = offset + length <= file_bytes and length >= native_bytes(row)
    if not whole:
        raise Skipped(TRUNCATED)
    row["pixel_offset"] = offset
    row["pixel_length"] = length


def _signed_padding(row: Row) -> Row:
    """Read the padding value of signed pixels as signed, whatever VR it bears."""
    padding = row.get("PixelPaddingValue")
    if row.get("PixelRepresentation") == 1 and isinstance(padding, int) and padding >= 1 << 15:
        row["PixelPaddingValue"] = padding - (1 << 16)
    return row
