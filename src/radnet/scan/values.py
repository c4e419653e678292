"""Read a header's raw values as text and numbers.

Empty is None; what cannot be read raises ValueError; the caller tells the two apart. Text keeps the backslash
between values. Where one number is wanted and the header holds several, the first counts.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from typing import Final, TypeAlias

Value: TypeAlias = str | float | int | list[float] | None
Reader: TypeAlias = Callable[[bytes, int], Value]
"""Takes the raw value and the code of its VR."""

PADDING: Final = " \0"
RAW_PADDING: Final = b" \0"
REMEMBERED_VALUES: Final = 512
"""Neighbouring slices share most of their values: looking one up is half the work of reading it."""
INT64_LIMIT: Final = 1 << 63
LATIN_CHARACTER_SETS: Final = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6", "ISO_IR 100"})
"""Sets whose text Latin-1 decodes."""
TEXT_DELIMITERS: Final = frozenset(b"\r\n\t\f\\")
"""Characters after which ISO 2022 falls back to the first character set (PS3.5 6.1.2.5.3)."""


def vr_code(vr: str) -> int:
    """Return the two letters of a VR as the little-endian number they are in a header."""
    return int.from_bytes(vr.encode("ascii"), "little")


BINARY: Final[dict[int, struct.Struct]] = {
    vr_code(vr): struct.Struct(f"<{form}")
    for vr, form in zip(("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"), "HhIiQqfd", strict=True)
}
"""How a number of each binary VR lies in a little-endian file."""


@lru_cache(REMEMBERED_VALUES)
def text(raw: bytes, vr: int) -> str | None:
    """Read text, each of its values without padding; bytes above 127 are taken as Latin-1."""
    return trimmed(raw.decode("latin-1"))


def trimmed(value: str) -> str | None:
    """Take the padding off each value of a text."""
    value = value.strip(PADDING)
    if "\\" in value and " " in value:
        value = "\\".join(part.strip(PADDING) for part in value.split("\\"))
    return value or None


@lru_cache(REMEMBERED_VALUES)
def real(raw: bytes, vr: int) -> float | None:
    """Read a finite number of any numeric VR."""
    form = BINARY.get(vr)
    if form is not None:
        number = _first(form, raw)
        if number is None:
            return None
        value = float(number)
    else:
        try:
            value = float(raw)
        except ValueError:
            digits = _first_text(raw)
            if digits is None:
                return None
            value = float(digits)
        if b"_" in raw:
            raise ValueError("not a decimal string")
    if not isfinite(value):
        raise ValueError("not finite")
    return value


@lru_cache(REMEMBERED_VALUES)
def integer(raw: bytes, vr: int) -> int | None:
    """Read a whole number of any numeric VR; `1.0` is one."""
    form = BINARY.get(vr)
    if form is not None:
        number = _first(form, raw)
        if number is None:
            return None
    else:
        try:
            number = int(raw)
        except ValueError:
            number = real(raw, vr)
            if number is None:
                return None
        if b"_" in raw:
            raise ValueError("not an integer string")
    whole = int(number)
    if whole != number or not -INT64_LIMIT <= whole < INT64_LIMIT:
        raise ValueError("not a 64-bit integer")
    return whole


def reals(count: int) -> Reader:
    """Make a reader of decimal strings that insists on their number."""

    def read(raw: bytes, vr: int) -> list[float] | None:
        try:
            values = [float(part) for part in raw.split(b"\\")]
        except ValueError:
            stripped = raw.strip(RAW_PADDING)
            if not stripped:
                return None
            values = [float(part.strip(RAW_PADDING)) for part in stripped.split(b"\\")]
        if len(values) != count or not isfinite(sum(values)) or b"_" in raw:
            raise ValueError("not the wanted number of decimal strings")
        return values

    return read


def time_of_datetime(raw: bytes, vr: int) -> str | None:
    """Read the time of day, without offset from UTC, of a DT value."""
    value = text(raw, vr)
    if value is None:
        return None
    moment = value.split("\\")[0].split("+")[0].split("-")[0][8:]
    if not moment:
        raise ValueError("no time of day")
    return moment


def localized(raw: bytes, character_sets: str) -> str | None:
    """Read text of other character sets than Latin-1, ISO 2022 included; as Latin-1 if there is no such set.

    Args:
        raw: The value.
        character_sets: SpecificCharacterSet, with its backslashes.
    """
    from pydicom.charset import convert_encodings, decode_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            encodings = convert_encodings(character_sets.split("\\"))
            decoded = decode_bytes(raw, encodings, set(TEXT_DELIMITERS))
        except (LookupError, ValueError):
            decoded = raw.decode("latin-1")
    return trimmed(decoded.encode("utf-8", "replace").decode("utf-8"))


def _first(form: struct.Struct, raw: bytes) -> float | int | None:
    if not raw:
        return None
    if len(raw) < form.size:
        raise ValueError("shorter than its VR")
    number: float | int = form.unpack_from(raw)[0]
    return number


def _first_text(raw: bytes) -> bytes | None:
    """Return the first value of a multi-valued number, or None when it is empty."""
    return raw.split(b"\\", 1)[0].strip(RAW_PADDING) or None
