"""Raw values become text and numbers, or say that they cannot."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.scan.pixels import ends_within, native_bytes
from radnet.scan.rows import BATCH_ROWS, rows_to_frame
from radnet.scan.values import integer, real, reals, text, time_of_datetime, vr_code
from radnet.tables import INSTANCE_COLUMNS

DS, IS, US, FD, DT = (vr_code(vr) for vr in ("DS", "IS", "US", "FD", "DT"))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_real_reads_what_was_written(value: float) -> None:
    assert real(f" {value!r} \0".encode(), DS) == value
    assert real(struct.pack("<d", value), FD) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_integer_reads_what_was_written(value: int) -> None:
    assert integer(f"{value} ".encode(), IS) == value


@pytest.mark.parametrize(
    ("raw", "expected"), [(b"1.0", 1), (b"3\\4", 3), (b" ", None), (b"", None), (b"+7\0", 7)]
)
def test_integer_takes_the_first_whole_number(raw: bytes, expected: int | None) -> None:
    assert integer(raw, IS) == expected


@pytest.mark.parametrize("raw", [b"1.5", b"abc", b"1_0", b"9" * 30, b"inf", b"0x10"])
def test_integer_refuses_what_is_none(raw: bytes) -> None:
    with pytest.raises((ValueError, OverflowError)):
        integer(raw, IS)


@pytest.mark.parametrize("raw", [b"1,5", b"nan", b"inf", b"1e999", b"1_0.5", b"x\\1"])
def test_real_refuses_what_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        real(raw, DS)


def test_a_binary_number_shorter_than_its_vr_is_unreadable() -> None:
    with pytest.raises(ValueError, match="shorter"):
        integer(b"\x01", US)
    assert integer(b"", US) is None
    assert integer(b"\x01\x00\x02\x00", US) == 1


@pytest.mark.parametrize("raw", [b"1\\2", b"1\\2\\3\\4", b"1\\2\\nan", b"1\\2\\", b"a\\b\\c"])
def test_a_position_needs_three_numbers(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        reals(3)(raw, DS)


def test_a_position_may_be_padded_or_empty() -> None:
    assert reals(3)(b" 1 \\-2.5\\3e2\0", DS) == [1, -2.5, 300]
    assert reals(3)(b"  ", DS) is None


def test_blank_text_is_empty() -> None:
    assert text(b" \0", 0) is None


@pytest.mark.parametrize("raw", [b"20200102030405.5", b"20200102030405.5-0300", b"20200102030405.5+0100 "])
def test_time_of_a_moment(raw: bytes) -> None:
    assert time_of_datetime(raw, DT) == "030405.5"


def test_a_date_alone_has_no_time() -> None:
    with pytest.raises(ValueError, match="time of day"):
        time_of_datetime(b"20200102", DT)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 24),
        ({"SamplesPerPixel": 3}, 72),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"}, 48),
        ({"NumberOfFrames": 5}, 120),
        ({"BitsAllocated": 1}, 2),
        ({"Rows": None}, 0),
    ],
    ids=["grey", "colour", "subsampled", "frames", "bits", "unknown"],
)
def test_native_pixels_have_a_known_length(changes: dict[str, object], expected: int) -> None:
    assert native_bytes({"Rows": 3, "Columns": 4, "BitsAllocated": 16, **changes}) == expected


def test_fragments_are_followed_as_far_as_they_are_at_hand() -> None:
    table = b"\xfe\xff\x00\xe0\x04\0\0\0" + bytes(4)
    fragment = b"\xfe\xff\x00\xe0\x64\0\0\0"
    assert ends_within(1000 + 12 + 8 + 100, 1000, table + fragment)
    assert not ends_within(1000 + 12 + 8 + 99, 1000, table + fragment)
    assert not ends_within(1000 + 7, 1000, b"")


def test_rows_of_any_type_never_fail_the_frame() -> None:
    rows: list[dict[str, object]] = [
        {"Rows": "many", "ImagePositionPatient": "here", "EchoTime": "1,5", "SeriesDescription": "a\udc80"},
        {"Rows": 2**70, "ImagePositionPatient": [1, "x", 3], "EchoTime": 5, "SeriesDescription": "good"},
        {"Rows": 512, "ImagePositionPatient": [1.0, 2.0, 3.0], "empty_attributes": ["EchoTime"]},
    ]
    frame = rows_to_frame(rows)
    assert frame.schema == INSTANCE_COLUMNS
    assert frame["Rows"].to_list() == [None, None, 512]
    assert frame["EchoTime"].to_list()[1:] == [5.0, None]
    assert frame["SeriesDescription"].to_list() == [None, "good", None]
    assert frame["ImagePositionPatient"].to_list()[2] == [1, 2, 3]
    assert frame["empty_attributes"].to_list() == [None, None, ["EchoTime"]]


def test_no_rows_make_an_empty_table() -> None:
    assert rows_to_frame([]).schema == INSTANCE_COLUMNS


def test_a_generator_of_rows_keeps_its_order_over_batches() -> None:
    numbers = range(BATCH_ROWS + 10)
    frame = rows_to_frame({"InstanceNumber": number} for number in numbers)
    assert frame["InstanceNumber"].to_list() == list(numbers)
