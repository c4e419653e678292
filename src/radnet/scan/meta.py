"""Where a DICOM file's dataset begins and how it is encoded (PS3.10 section 7).

The group length is not trusted and the transfer syntax only as far as the first element agrees: both are
wrong in real files, and files without preamble or meta information exist.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from radnet.scan.skipped import DAMAGED, NOT_DICOM, TRUNCATED, Skipped
from radnet.scan.walk import LONG_FORM, SHORT_FORM, explicit_header, long_length

PREFIX: Final = b"DICM"
PREAMBLE_BYTES: Final = 128
META_GROUP: Final = 0x0002
FIRST_GROUPS: Final = (0x0002, 0x0008)
"""Groups that a file without preamble begins with."""
SHORT_HEADER_BYTES: Final = 8

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"


class Meta(NamedTuple):
    """File meta information.

    Attributes:
        start: Where the dataset begins, in bytes.
        syntax: TransferSyntaxUID; "" when there is none.
        sop_class: MediaStorageSOPClassUID; "" when there is none.
        sop_instance: MediaStorageSOPInstanceUID; "" when there is none.
    """

    start: int
    syntax: str
    sop_class: str
    sop_instance: str


def read_meta(start: bytes) -> Meta:
    """Read the meta information in the first bytes of a file.

    Raises:
        Skipped: If the file is no DICOM, ends here, or its meta information is damaged.
    """
    position = _begin(start)
    raw: dict[int, bytes] = {}
    try:
        while True:
            tag, vr, length = explicit_header(start, position)
            if tag & 0xFFFF != META_GROUP:
                return Meta(position, *(_uid(raw, element) for element in (0x0010, 0x0002, 0x0003)))
            position += SHORT_HEADER_BYTES
            if vr in LONG_FORM:
                (length,) = long_length(start, position)
                position += 4
            elif vr not in SHORT_FORM:
                raise Skipped(DAMAGED, "FileMeta")
            raw[tag >> 16] = start[position : position + length]
            position += length
    except struct.error:
        raise Skipped(TRUNCATED) from None


def encoding(start: bytes, position: int) -> tuple[bool, bool]:
    """Tell from a dataset's first element whether VRs are written and whether it is little endian.

    Raises:
        Skipped: If there is no element.
    """
    if len(start) < position + SHORT_HEADER_BYTES:
        raise Skipped(TRUNCATED)
    tag, vr, _ = explicit_header(start, position)
    group = tag & 0xFFFF
    swapped = (group & 0xFF) << 8 | group >> 8
    return vr in SHORT_FORM or vr in LONG_FORM, group <= swapped


def _begin(start: bytes) -> int:
    if start[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == PREFIX:
        return PREAMBLE_BYTES + 4
    if len(start) >= SHORT_HEADER_BYTES:
        explicit, little = encoding(start, 0)
        group = int.from_bytes(start[:2], "little" if little else "big")
        # four-letter words of a text file make huge lengths
        plausible = explicit or int.from_bytes(start[4:8], "little") < len(start)
        if group in FIRST_GROUPS and plausible:
            return 0
    raise Skipped(NOT_DICOM)


def _uid(raw: dict[int, bytes], element: int) -> str:
    return raw.get(element, b"").decode("latin-1").strip(" \0")
