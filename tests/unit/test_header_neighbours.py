"""A header read by what differs from its neighbours gives what it gives when read in full."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from header_samples import KEY, REAL_FILES, MemoryBlob, encoded, image, pydicom_files, real_files
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from radnet.scan.neighbours import FRUITLESS, KEPT_HEADERS, SHORTEST_REST, Neighbours
from radnet.scan.reader import FIRST_BYTES, read_instances
from radnet.scan.skipped import Skipped

SYNTAXES = {"explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian}
CREATORS = ("SIEMENS MR HEADER", "SOMEONE ELSE")


def _outcome(data: bytes, neighbours: Neighbours | None = None, key: bytes = KEY) -> str:
    """Read a file; as text, so that 1 and 1.0 are two."""
    try:
        rows = read_instances(MemoryBlob(data), key, neighbours)
    except Skipped as skipped:
        return f"{skipped.reason} {skipped.error_class}"
    return repr([sorted(row.items()) for row in rows])


def _check(files: Iterable[bytes]) -> int:
    """Read files one after the other, warm and cold; return how many were recalled."""
    neighbours, recalled = Neighbours(), 0
    for data in files:
        warm, cold = MemoryBlob(data), MemoryBlob(data)
        if neighbours.recall(warm.pread(0, FIRST_BYTES), warm.pread):
            recalled += 1
            with suppress(Skipped):
                read_instances(cold, KEY)
            assert warm.reads == cold.reads
        assert _outcome(data, neighbours) == _outcome(data)
    return recalled


def _slice(number: int, syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """Make a slice of a series that has sequences, private elements and values of changing length."""
    item = Dataset()
    item.ReferencedSOPInstanceUID = f"1.2.3.{10 ** (number % 50)}"
    dataset = image(
        SpecificCharacterSet="ISO_IR 100",
        SOPInstanceUID=f"1.2.826.{7 ** (3 * number % 60)}",
        InstanceNumber=number,
        ImagePositionPatient=[1, -2.5, 2.5 * number],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SliceLocation=2.5 * number,
        AcquisitionTime=f"1200{number:02d}",
        SeriesDescription="T1 ax",
        EchoTime=12.5,
        FlipAngle=None,
        ReferencedImageSequence=[item] * (1 + number % 3),
        AnatomicRegionSequence=[_coded("Brain")],
        WindowCenter=40 + 30 * number,
    )
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.private_block(0x0019, CREATORS[0], create=True).add_new(0x0C, "IS", "800")
    dataset.private_block(0x0029, "SOMEONE", create=True).add_new(0x10, "OB", bytes(20 + 2 * number))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return encoded(dataset, syntax)


def _coded(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeMeaning = meaning
    return item


SLICES = {name: [_slice(number, syntax) for number in range(1, 5)] for name, syntax in SYNTAXES.items()}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_slices_are_recalled_from_the_third_on(syntax: str) -> None:
    assert _check(SLICES[syntax]) == len(SLICES[syntax]) - 2


def test_a_recalled_header_is_neither_walked_nor_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours = Neighbours()
    for data in SLICES["explicit"][:2]:
        read_instances(MemoryBlob(data), KEY, neighbours)
    monkeypatch.setattr("radnet.scan.reader.walk", None)
    monkeypatch.setattr("radnet.scan.reader.decode", None)
    (row,) = read_instances(MemoryBlob(SLICES["explicit"][2]), KEY, neighbours)
    assert (row["InstanceNumber"], row["SOPInstanceUID"]) == (3, f"1.2.826.{7**9}")


def _replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def replace(data: bytes) -> bytes:
        assert data.count(old) == 1
        return data.replace(old, new)

    return replace


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "cut-in-pixels": lambda data: data[:-1],
    "cut-in-header": lambda data: data[:600],
    "cut-before-pixels": lambda data: data[: data.index(b"\xe0\x7f\x10\x00") + 7],
    "no-prefix": lambda data: data[:128] + b"DICN" + data[132:],
    "preamble": lambda data: b"II*\0" + data[4:],
    "character-set": _replaced(b"CS\x0a\x00ISO_IR 100", b"CS\x0a\x00ISO_IR 192"),
    "transfer-syntax": _replaced(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"),
    "deflated": _replaced(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x16\x001.2.840.10008.1.2.1.99"),
    "lying-syntax": _replaced(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x12\x001.2.840.10008.1.2\0"),
    "creator": _replaced(b"SIEMENS MR HEADER ", b"SOMEONE ELSE    A "),
    "b-value": _replaced(b"IS\x04\x00800 ", b"IS\x04\x001000"),
    "no-identity": _replaced(
        b"\x08\x00\x18\x00UI\x18\x001.2.826.1628413597910449", b"\x08\x00\x18\x00UI\x00\x00"
    ),
    "unreadable-number": _replaced(b"IS\x02\x006 ", b"IS\x02\x00x "),
    "empty-number": _replaced(b"\x20\x00\x13\x00IS\x02\x006 ", b"\x20\x00\x13\x00IS\x00\x00"),
    "blank-number": _replaced(b"IS\x02\x006 ", b"IS\x02\x00  "),
    "other-vr": _replaced(b"IS\x02\x006 ", b"US\x02\x006 "),
    "filled": _replaced(b"\x18\x00\x14\x13DS\x00\x00", b"\x18\x00\x14\x13DS\x02\x0090"),
    "region": _replaced(b"Brain ", b"Breast"),
    "other-class": _replaced(
        b"\x08\x00\x16\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.4\0",
        b"\x08\x00\x16\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.9\0",
    ),
    "unknown-vr": _replaced(b"CS\x02\x00MR", b"ZZ\x02\x00MR"),
    "more-rows": _replaced(b"\x28\x00\x10\x00US\x02\x00\x04\x00", b"\x28\x00\x10\x00US\x02\x00\x40\x00"),
    "encapsulated": lambda data: data[:-36] + b"\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * 2,
    "endless-fragment": lambda data: data[:-36] + b"\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\0\0\0" * 2,
    "twice": _replaced(b"CS\x02\x00MR", b"CS\x02\x00MR" + b"\x20\x00\x13\x00IS\x02\x009 "),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_neighbour_is_read_as_if_alone(change: Callable[[bytes], bytes]) -> None:
    first, second, third = SLICES["explicit"][:3]
    changed = change(_slice(6))
    assert _check([first, second, changed, third, changed, changed, third]) >= 2
    assert _check([changed, first, changed, second, third, changed, third]) >= 1


SPLICES: dict[str, tuple[bytes, ...]] = {
    "twice": tuple(b"\x20\x00\x12\x00IS\x02\x00%d \x20\x00\x12\x00IS\x02\x005 " % n for n in (1, 2, 3)),
    "endless-bytes": tuple(
        b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 0xFFFFFFFF if n == 3 else n) + bytes(n)
        for n in (2, 4, 3)
    ),
    "agent": tuple(
        b"\x18\x00\x41\x10DS\x02\x00%d \x18\x00\x12\x00SQ\0\0\x12\0\0\0\xfe\xff\x00\xe0\x0a\0\0\0" % n
        + b"\x18\x00\x41\x10DS\x02\x009 "
        for n in (1, 2, 3)
    ),
}


@pytest.mark.parametrize("splices", SPLICES.values(), ids=SPLICES)
def test_odd_elements_are_read_as_if_alone(splices: tuple[bytes, ...]) -> None:
    files = [_slice(number) for number in range(1, 7)]
    marks = [data.index(b"\xe0\x7f\x10\x00OW") for data in files]
    spliced = [
        data[:at] + splices[n % 3] + data[at:] for n, (data, at) in enumerate(zip(files, marks, strict=True))
    ]
    _check(spliced)


def test_a_class_that_the_dataset_alone_changes_is_judged() -> None:
    whole = b"\x08\x00\x16\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.4\0"
    other = whole.replace(b"1.1.4\0", b"1.1.2\0")
    foreign = whole.replace(b"1.1.4\0", b"1.1.7\0")
    first, second, third, fourth = SLICES["explicit"]
    _check([first, second.replace(whole, other), third.replace(whole, foreign), fourth])


def test_a_character_set_governs_text_that_stays_the_same() -> None:
    sets = ("ISO_IR 100", "ISO_IR 144", "ISO_IR 100", "ISO_IR 126", "ISO_IR 144")
    files = [
        _slice(number, SeriesDescription="\xe4\xf6").replace(b"ISO_IR 100", name.encode())
        for number, name in enumerate(sets * 2, 1)
    ]
    assert len({_outcome(data) for data in files}) == len(files)
    _check(files)


VARIANTS: dict[str, list[dict[str, Any]]] = {
    "b-value": [{"DiffusionBValue": value} for value in (0.0, 50.0, 800.0)],
    "no-b-value": [{"DiffusionBValue": value} for value in (800.0, None, 50.0)],
    "patient": [{"PatientID": value} for value in ("A", "B B", "", "C ")],
    "description": [{"SeriesDescription": value} for value in ("Schädel", "a", "", "bb")],
    "greek": [
        {"SpecificCharacterSet": "ISO_IR 126", "SeriesDescription": value} for value in ("α", "a", "β", "")
    ],
    "orientation": [{"ImageOrientationPatient": [1, 0, 0, 0, 1, value]} for value in (0, 0.5, -0.0)],
    "signed-padding": [{"PixelRepresentation": 1, "PixelPaddingValue": value} for value in (-2000, 5, -1)],
    "representation": [{"PixelRepresentation": value} for value in (0, 1, 0)],
    "class": [{"SOPClassUID": value} for value in (image().SOPClassUID, CTImageStorage)],
    "region": [{"AnatomicRegionSequence": [_coded(value)]} for value in ("Brain", "Breast", "Arm")],
    "volume-of-agent": [{"ContrastBolusVolume": value} for value in (10, 7.5, None)],
    "columns": [{"Columns": value} for value in (4, 3, 5)],
    "series": [{"SeriesInstanceUID": value} for value in ("1.2.3", "1.2.345")],
    "many-series": [{"SeriesInstanceUID": f"1.2.{value}"} for value in range(2 * KEPT_HEADERS)],
    "absent": [{"TriggerTime": 5}, {}, {"TriggerTime": 7}],
}


@pytest.mark.parametrize("variants", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_alternating_values_are_each_files_own(variants: list[dict[str, Any]], syntax: str) -> None:
    files = [_slice(number, syntax, **attributes) for number, attributes in enumerate(variants * 4, start=1)]
    _check(files)
    _check(files[::-1])


def test_interleaved_series_are_recalled() -> None:
    files = [_slice(number, SeriesInstanceUID=f"1.2.{number % KEPT_HEADERS}") for number in range(1, 25)]
    assert _check(files) == 24 - 2 * KEPT_HEADERS


def test_a_patients_hash_follows_the_key() -> None:
    neighbours = Neighbours()
    for data in SLICES["explicit"]:
        for key in (KEY, KEY[::-1]):
            assert _outcome(data, neighbours, key) == _outcome(data, None, key)


def test_what_a_caller_does_to_a_row_stays_there() -> None:
    neighbours = Neighbours()
    for data in SLICES["explicit"] * 2:
        (row,) = read_instances(MemoryBlob(data), KEY, neighbours)
        assert row["ImageOrientationPatient"] == [1, 0, 0, 0, 1, 0]
        assert row["empty_attributes"] == ["FlipAngle"]
        for value in row.values():
            if isinstance(value, list):
                value.clear()


@pytest.mark.parametrize("size", range(FIRST_BYTES - 1600, FIRST_BYTES, 97))
def test_a_header_at_the_end_of_the_first_read_is_read_alike(size: int) -> None:
    filler = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, size) + bytes(size)
    at = SLICES["explicit"][0].index(b"\x08\x00\x60\x00CS")
    assert _check([data[:at] + filler + data[at:] for data in SLICES["explicit"]]) in (0, 2)


def _with_blobs(data: bytes, first: int, second: int, behind: bytes = b"\xe0\x7f\x10\x00OW") -> bytes:
    """Put two large private values before the modality and before the pixels, or another element."""
    for size, mark in ((first, b"\x08\x00\x60\x00CS"), (second, behind)):
        at = data.index(mark)
        value = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, size) + b"7" * size
        data = data[:at] + value + data[at:]
    return data


def test_a_header_with_values_jumped_over_is_recalled() -> None:
    files = [_with_blobs(data, 50_000 + n, 20_000 - n) for n, data in enumerate(SLICES["explicit"])]
    assert _check(files) == 2
    assert _check([*files, files[1][:-1], files[1][:60_000], files[1][:71_000]]) == 3
    assert _check([_with_blobs(data, 50_000, 20_000) for data in SLICES["explicit"]]) == 2
    _check(
        [
            *files[:3],
            files[3].replace(b"ISO_IR 100", b"ISO_IR 192"),
            files[1].replace(b"CS\2\0MR", b"CS\2\0CT"),
        ]
    )
    _check([*files, *SLICES["explicit"], *files])


@settings(deadline=None)
@given(first=st.integers(FIRST_BYTES - 1500, FIRST_BYTES + 40), second=st.integers(0, 2 * FIRST_BYTES))
def test_windows_end_anywhere_in_a_header(first: int, second: int) -> None:
    plain = SLICES["explicit"]
    _check([*(_with_blobs(data, first, second) for data in plain), _with_blobs(plain[0], first + 2, second)])


def test_a_value_cut_by_the_end_of_a_window_is_read_whole() -> None:
    plain, next_one = SLICES["explicit"], b"\x20\x00\x37\x00DS"
    fitting = FIRST_BYTES - max(data.index(next_one) for data in plain) - 2 * 12
    files = [_with_blobs(data, fitting, 40_000, next_one) for data in plain]
    assert _check(files) == 2
    for more in range(0, 200, 2):
        _check([*files, _with_blobs(plain[2], fitting + more, 40_000, next_one)])


def test_a_jump_may_end_in_an_encapsulated_image() -> None:
    pixels = b"\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x00\x60\0\0"
    files = [
        _with_blobs(data, n, 40_000)[:-36] + pixels + bytes(0x6000)
        for n, data in enumerate(SLICES["explicit"])
    ]
    assert _check([*files, files[0][:-1]]) == 3


@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
def test_pydicoms_files_are_their_own_neighbours(path: Any) -> None:
    data = path.read_bytes()
    identity = data.rfind(b"\x08\x00\x18\x00UI")
    other = data[: identity + 10] + b"7" + data[identity + 11 :] if identity >= 0 else data[:-1]
    _check([data, other, data, other[:-1], data])


def test_pydicoms_files_do_not_disturb_each_other() -> None:
    _check(data for path in pydicom_files() for data in [path.read_bytes()] * 2)


@pytest.mark.skipif(not REAL_FILES.exists(), reason="no real scans beside the repository")
def test_real_scans_are_recalled_alike() -> None:
    assert _check(data for _, data in real_files()) > 200


PIECES = (
    b"",
    b"\0",
    b"\xff\xff\xff\xff",
    b"SQ",
    b"UN\0\0\xff\xff\xff\xff",
    b"\\",
    b" ",
    b"9",
    b"CS\2\0",
    b"\2\0",
)


@settings(max_examples=1500, deadline=None)
@given(data=st.data(), syntax=st.sampled_from(list(SYNTAXES)))
def test_no_change_of_bytes_is_overlooked(data: st.DataObject, syntax: str) -> None:
    slices = SLICES[syntax]
    changed = []
    for whole in slices:
        mutable = bytearray(whole)
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(120, len(mutable) - 1))
            size = data.draw(st.integers(0, 4))
            mutable[at : at + size] = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from(PIECES)))
        changed.append(bytes(mutable))
    order = data.draw(st.permutations([*slices[:3], *changed]))
    _check(order)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), syntax=st.sampled_from(list(SYNTAXES)))
def test_every_byte_of_a_header_counts(data: st.DataObject, syntax: str) -> None:
    first, second, third, _ = SLICES[syntax]
    mutable = bytearray(third)
    mutable[data.draw(st.integers(128, len(third) - 33))] ^= 1 << data.draw(st.integers(0, 7))
    _check([first, second, bytes(mutable)])


def test_an_encapsulated_neighbour_is_recalled() -> None:
    pixels = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x08\0\0\0" + bytes(8) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    files = []
    for data in SLICES["explicit"]:
        at = data.index(b"\xe0\x7f\x10\x00OW")
        head = data[:at].replace(ExplicitVRLittleEndian.encode() + b"\0", JPEG2000Lossless.encode()[:20])
        files.append(head + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + pixels)
    assert _check(files) == 2
    assert _check([*files, files[0][:-20]]) == 3


def test_learning_rests_among_strangers_and_begins_again() -> None:
    """Files in random order are read as fast as alone, and a series that follows them is recalled again."""
    strangers = [_slice(0, SeriesInstanceUID=f"1.2.{number}") for number in range(FRUITLESS)]
    neighbours = Neighbours()
    for data in strangers:
        assert not neighbours.resting
        assert _outcome(data, neighbours) == _outcome(data)
    for number in range(SHORTEST_REST):
        assert neighbours.resting
        assert _outcome(_slice(number), neighbours) == _outcome(_slice(number))
    for number in range(2):
        assert _outcome(_slice(number), neighbours) == _outcome(_slice(number))
    blob = MemoryBlob(_slice(2))
    assert neighbours.recall(blob.pread(0, FIRST_BYTES), blob.pread)
