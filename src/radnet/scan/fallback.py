"""Let pydicom read what the walk will not: big endian, unknown VRs, implicit items in explicit sequences.

pydicom sees only the first bytes of the dataset, held in memory: on a hostile file it would otherwise read
gigabytes into a value that nobody wants. Whatever it raises becomes `UnusualError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from radnet.scan.attributes import SCALARS, SEQUENCES, Attribute, Wanted
from radnet.scan.functional_groups import FRAME_GROUPS, GROUPS, SHARED_GROUPS
from radnet.scan.header import Found, Header
from radnet.scan.values import BINARY, vr_code
from radnet.scan.walk import MAX_ITEMS, MAX_VALUE_BYTES, UNDEFINED, IncompleteError, UnusualError

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement, RawDataElement

FALLBACK_BYTES: Final = 4 << 20
"""As much of a dataset as pydicom is shown; its objects take up to a hundred times that."""
PIXEL_DATA_TAG: Final = 0x7FE00010
LONG_HEADER_BYTES: Final = 12
SHORT_HEADER_BYTES: Final = 8


def read_with_pydicom(start: bytes, complete: bool, little_endian: bool) -> Header:
    """Read a dataset's header with pydicom.

    Args:
        start: The dataset's first bytes, at most FALLBACK_BYTES.
        complete: Whether these are all there are.
        little_endian: As the transfer syntax says; pydicom finds out by itself whether VRs are written.

    Returns:
        The header; its pixel offset counts from `start`.

    Raises:
        UnusualError: If pydicom cannot make sense of it either.
        IncompleteError: If the bytes end inside the header.
    """
    stream = BytesIO(start)
    header = Header()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset, pixels = _read(stream, little_endian)
            _collect(dataset, {**SCALARS, **SEQUENCES}, header.found)
            header.shared = _groups(dataset, SHARED_GROUPS)
            header.frames = _groups(dataset, FRAME_GROUPS)
    except Exception as error:  # pydicom raises almost anything on damaged bytes, RecursionError too
        raise UnusualError(type(error).__name__) from None
    if pixels is not None:
        vr, length = pixels
        header.pixel_length = None if length == UNDEFINED else length
        header.pixel_offset = stream.tell() + (LONG_HEADER_BYTES if vr else SHORT_HEADER_BYTES)
    elif stream.tell() > len(start) or (stream.tell() == len(start) and not complete):
        raise IncompleteError
    return header


def _read(stream: BytesIO, little_endian: bool) -> tuple[Dataset, tuple[str | None, int] | None]:
    """Read up to Pixel Data; return also its VR and length."""
    from pydicom.filereader import read_dataset

    found: list[tuple[str | None, int]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag == PIXEL_DATA_TAG:
            found.append((vr, length))
        return tag == PIXEL_DATA_TAG

    wanted: list[Any] = [_pydicom_tag(key) for key in (*SCALARS, *SEQUENCES, SHARED_GROUPS, FRAME_GROUPS)]
    dataset = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=little_endian,
        stop_when=at_pixels,
        specific_tags=wanted,
    )
    return dataset, found[-1] if found else None


def _pydicom_tag(key: int) -> int:
    return (key & 0xFFFF) << 16 | key >> 16


def _groups(dataset: Dataset, key: int) -> partial[Iterator[Found]] | None:
    tag = _pydicom_tag(key)
    return partial(_items, list(dataset[tag].value or ())) if tag in dataset else None


def _items(datasets: list[Dataset]) -> Iterator[Found]:
    for dataset in datasets:
        found = Found()
        try:
            _collect(dataset, GROUPS, found)
        except Exception as error:  # as above: items are parsed when they are looked at
            raise UnusualError(type(error).__name__) from None
        yield found


def _collect(dataset: Dataset, wanted: Wanted, found: Found) -> None:
    for tag in dataset.keys():  # noqa: SIM118 - a Dataset iterates over its elements, converted
        target = wanted.get(tag.element << 16 | tag.group)
        if target is None:
            continue
        if isinstance(target, Attribute):
            _keep(dataset.get_item(tag, keep_deferred=True), target, found)
            continue
        for item in list(dataset[tag].value or ())[:MAX_ITEMS]:
            _collect(item, target, found)


def _keep(element: DataElement | RawDataElement | None, attribute: Attribute, found: Found) -> None:
    from pydicom.dataelem import RawDataElement

    if not isinstance(element, RawDataElement):
        return  # a sequence where a value belongs
    raw = element.value or b""
    if len(raw) > MAX_VALUE_BYTES:
        found.overlong.append(attribute.column)
        return
    vr = attribute.vr if element.VR in (None, "UN") else vr_code(str(element.VR))
    form = BINARY.get(vr)
    if form is not None and not element.is_little_endian:
        raw = b"".join(raw[at : at + form.size][::-1] for at in range(0, len(raw), form.size))
    found.keep((attribute, vr, raw))
