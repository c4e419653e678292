"""What the header reader makes of single files: values, identity, private elements, skips."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from header_samples import KEY, MemoryBlob, encoded, image
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
)

from radnet.errors import SourceError
from radnet.scan.reader import FIRST_BYTES, read_instances
from radnet.scan.skipped import STEPS, Skipped
from radnet.tables import INSTANCE_COLUMNS
from radnet.terms import EXCLUSION_STEPS

SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}


def _read(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> dict[str, Any]:
    (row,) = read_instances(MemoryBlob(encoded(dataset, syntax)), KEY)
    return row


def _reason(data: bytes) -> str:
    with pytest.raises(Skipped) as caught:
        read_instances(MemoryBlob(data), KEY)
    return caught.value.reason


def _spliced(data: bytes, addition: bytes) -> bytes:
    """Put bytes before Pixel Data of an explicit little-endian file."""
    at = data.index(b"\xe0\x7f\x10\x00OW")
    return data[:at] + addition + data[at:]


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_every_encoding_gives_the_same_row(syntax: str) -> None:
    attributes = {"EchoTime": 12.5, "SeriesDescription": "T1 ax", "InstanceNumber": 7, "PixelPaddingValue": 3}
    row = _read(image(**attributes), syntax)
    reference = _read(image(**attributes))
    for place in ("pixel_offset", "pixel_length", "TransferSyntaxUID"):
        row.pop(place, None)
        reference.pop(place, None)
    assert row == reference
    assert row["EchoTime"] == 12.5
    assert row["ImagePositionPatient"] == [1.5, -2.0, 3.0]


def test_columns_are_those_of_the_table() -> None:
    assert set(_read(image(EchoTime=1, AngioFlag=""))) <= set(INSTANCE_COLUMNS)


def test_absent_empty_and_unreadable_are_told_apart() -> None:
    data = encoded(image(SeriesDescription="", EchoTime=None, FlipAngle=12.5))
    damaged = data.replace(b"\x18\x00\x14\x13DS\x04\x0012.5", b"\x18\x00\x14\x13DS\x04\x0012,5")
    (row,) = read_instances(MemoryBlob(damaged), KEY)
    assert row["SeriesDescription"] == ""
    assert row["EchoTime"] is None
    assert sorted(row["empty_attributes"]) == ["EchoTime", "SeriesDescription"]
    assert row["unreadable_attributes"] == ["FlipAngle"]
    assert "StudyDescription" not in row


@pytest.mark.parametrize(
    ("character_set", "codec", "text"),
    [
        ("ISO_IR 100", "latin-1", "Schädel"),
        ("ISO_IR 192", "utf-8", "頭部 CT"),
        ("ISO_IR 144", "iso8859_5", "голова"),
        ("GB18030", "gb18030", "头部"),
        ("ISO_IR 13", "shift_jis", "ｱﾀﾏ"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "頭部"),
        ("\\ISO 2022 IR 149", "korean", "머리"),
    ],
)
def test_text_of_every_character_set_is_right(character_set: str, codec: str, text: str) -> None:
    dataset = image(SpecificCharacterSet=character_set.split("\\"), SeriesDescription=text)
    assert _read(dataset)["SeriesDescription"] == text
    assert _read(dataset, ExplicitVRBigEndian)["SeriesDescription"] == text


@pytest.mark.parametrize("name", ["ISO_IR 999", "\1\0O_IR 100", "zlib", "ISO 2022 IR 9\\x"])
def test_an_unknown_character_set_leaves_latin_text(name: str) -> None:
    data = encoded(image(SpecificCharacterSet="ISO_IR 100", SeriesDescription="Schädel"))
    named = name.encode().ljust(16)
    sets = b"\x08\x00\x05\x00CS"
    wrong = data.replace(sets + b"\x0a\x00ISO_IR 100", sets + b"\x10\x00" + named)
    (row,) = read_instances(MemoryBlob(wrong), KEY)
    assert row["SeriesDescription"] == "Schädel"


def test_values_of_a_text_lose_their_padding_and_keep_the_backslash() -> None:
    data = encoded(image(ImageType=["ORIGINAL", "PRIMARY"])).replace(
        b"ORIGINAL\\PRIMARY", b"ORIG   \\ PRIM  \0"
    )
    (row,) = read_instances(MemoryBlob(data), KEY)
    assert row["ImageType"] == "ORIG\\PRIM"


def test_patient_leaves_only_as_a_keyed_hash() -> None:
    row = _read(image(PatientID="Doe 77", PatientName="Doe"))
    other = read_instances(MemoryBlob(encoded(image(PatientID="Doe 77"))), KEY[::-1])[0]
    assert len(row["patient"]) == 16
    assert row["patient"] != other["patient"]
    assert row["patient"] == _read(image(PatientID="Doe 77 "))["patient"]
    assert "Doe" not in repr(row)


@pytest.mark.parametrize("patient", ["", None, " "], ids=["empty", "none", "blank"])
def test_no_patient_is_null(patient: str | None) -> None:
    assert _read(image(PatientID=patient)).get("patient") is None


def test_identity_that_the_dataset_lacks_comes_from_the_meta_information() -> None:
    dataset = image()
    data = encoded(dataset)
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        value = str(dataset[keyword].value).encode()
        at = data.rindex(value)
        data = data[:at] + bytes(len(value)) + data[at + len(value) :]
    (row,) = read_instances(MemoryBlob(data), KEY)
    assert row["SOPInstanceUID"] == dataset.SOPInstanceUID
    assert row["SOPClassUID"] == dataset.SOPClassUID
    assert row.get("empty_attributes", []) == []


B_VALUES = {
    "siemens": (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "800", 800.0),
    "siemens-unknown-vr": (0x0019, "SIEMENS MR HEADER", 0x0C, "UN", b"800 ", 800.0),
    "ge": (0x0043, "GEMS_PARM_01", 0x39, "IS", ["1000000600", "8", "0", "0"], 600.0),
    "ge-unflagged": (0x0043, "GEMS_PARM_01", 0x39, "IS", ["50", "8", "0", "0"], 50.0),
    "philips": (0x2001, "Philips Imaging DD 001", 0x03, "FL", 1000.0, 1000.0),
    "uih": (0x0065, "Image Private Header", 0x09, "FD", 800.0, 800.0),
    "uih-unknown-vr": (0x0065, "Image Private Header", 0x09, "UN", struct.pack("<d", 5), 5.0),
    "philips-unknown-vr": (0x2001, "Philips Imaging DD 001", 0x03, "UN", struct.pack("<f", 5), 5.0),
    "stranger": (0x0019, "SOMEONE ELSE", 0x0C, "IS", "800", None),
}


@pytest.mark.parametrize(
    ("group", "creator", "element", "vr", "value", "expected"), B_VALUES.values(), ids=B_VALUES
)
@pytest.mark.parametrize("block", [0x10, 0x2A])
def test_private_b_value_is_found_by_its_creator(
    group: int, creator: str, element: int, vr: str, value: Any, expected: float | None, block: int
) -> None:
    dataset = image()
    dataset.add_new((group, block), "LO", creator)
    dataset.add_new((group, block << 8 | element), vr, value)
    assert _read(dataset).get("DiffusionBValue") == expected


def test_standard_b_value_wins_over_a_private_one() -> None:
    dataset = image(DiffusionBValue=700.0)
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "800")
    assert _read(dataset)["DiffusionBValue"] == 700.0


def test_padding_of_signed_pixels_is_signed() -> None:
    dataset = image(PixelRepresentation=1)
    dataset.add_new("PixelPaddingValue", "US", 63536)
    assert _read(dataset)["PixelPaddingValue"] == -2000


def _coded(meaning: str, **more: Any) -> Dataset:
    item = Dataset()
    item.CodeMeaning = meaning
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
def test_wanted_sequences_are_read_and_others_passed(syntax: str, undefined: bool) -> None:
    used, unused = Dataset(), Dataset()
    used.ContrastBolusAgentAdministered, unused.ContrastBolusAgentAdministered = "YES", "NO"
    dataset = image(
        ContrastBolusAgentSequence=[
            _coded("Gadobutrol", ContrastBolusAdministrationRouteSequence=[_coded("Intravenous")]),
            _coded("Barium"),
        ],
        ContrastBolusUsageSequence=[used, unused],
        AnatomicRegionSequence=[_coded("Brain", AnatomicRegionModifierSequence=[_coded("Left")])],
        ReferencedImageSequence=[image(EchoTime=99)],
        SliceThickness=2,
    )
    del dataset.ReferencedImageSequence[0].PixelData
    for element in dataset:
        element.is_undefined_length = undefined and element.VR == "SQ"
    row = _read(dataset, syntax)
    assert row["ContrastBolusAgentCode"] == "Gadobutrol\\Barium"
    assert row["ContrastBolusRouteCode"] == "Intravenous"
    assert row["ContrastBolusAgentAdministered"] == "YES"
    assert row["AnatomicRegion"] == "Brain"
    assert row["SliceThickness"] == 2
    assert "EchoTime" not in row


@pytest.mark.parametrize(
    ("group", "element", "region"),
    [(0x0009, 0x1001, None), (0x0008, 0x2218, "Brain")],
    ids=["private", "wanted"],
)
def test_a_sequence_of_unknown_vr_is_implicit_inside(group: int, element: int, region: str | None) -> None:
    undefined = 0xFFFFFFFF
    data = _spliced(
        GOOD,
        struct.pack("<HH2sHI", group, element, b"UN", 0, undefined)
        + struct.pack("<HHI", 0xFFFE, 0xE000, undefined)
        + struct.pack("<HHI6s", 0x0008, 0x0104, 6, b"Brain ")
        + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0),
    )
    (row,) = read_instances(MemoryBlob(data), KEY)
    assert row.get("AnatomicRegion") == region
    assert row["pixel_offset"] == len(data) - 32


def test_plain_files_never_need_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radnet.scan.reader.read_with_pydicom", None)
    unknown = struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHI2s", 0x0009, 0x1002, 2, b"ab")
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    outer = struct.pack("<HH2sHI", 0x0009, 0x1003, b"SQ", 0, 0xFFFFFFFF) + item[:8]
    spliced = (unknown + item + ends, outer + unknown + item + ends + ends)
    for data in (GOOD, encoded(image(), ImplicitVRLittleEndian), *(_spliced(GOOD, more) for more in spliced)):
        assert len(read_instances(MemoryBlob(data), KEY)) == 1


def test_one_read_is_enough_for_an_ordinary_header() -> None:
    blob = MemoryBlob(encoded(image()) + bytes(100_000))
    read_instances(blob, KEY)
    assert len(blob.reads) == 1


@given(size=st.integers(FIRST_BYTES - 1500, FIRST_BYTES + 50), wanted_last=st.booleans())
def test_a_header_may_go_on_behind_the_first_read_at_any_byte(size: int, wanted_last: bool) -> None:
    element = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, size) + bytes(size)
    thickness = b"\x18\x00\x50\x00DS\x04\x002.5 "
    plain = encoded(image())
    data = _spliced(plain, element + thickness if wanted_last else thickness + element)
    (row,) = read_instances(MemoryBlob(data), KEY)
    assert row["SliceThickness"] == 2.5
    assert row["pixel_offset"] == len(data) - 32


def test_a_huge_private_value_is_jumped_over() -> None:
    element = struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, 50_000_000)
    blob = MemoryBlob(_spliced(encoded(image()), element + bytes(50_000_000)))
    (row,) = read_instances(blob, KEY)
    assert row["pixel_offset"] == blob.size - 32
    assert sum(length for _, length in blob.reads) <= 4 * FIRST_BYTES


def test_a_colour_image_is_an_ordinary_instance() -> None:
    assert _read(image(SamplesPerPixel=3, PixelData=bytes(96)))["SamplesPerPixel"] == 3


GOOD = encoded(image())
SKIPS = {
    "empty": (b"", "empty_file"),
    "text": (b"A text file that is long enough to be read as something else. " * 20, "not_dicom"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(300), "not_dicom"),
    "short": (b"\x08\x00", "not_dicom"),
    "zeros": (bytes(1000), "not_dicom"),
    "preamble-alone": (bytes(128) + b"DICM", "truncated"),
    "cut-in-header": (GOOD[:500], "truncated"),
    "cut-in-pixels": (GOOD[:-1], "truncated"),
    "structure-set": (encoded(image(RTStructureSetStorage)), "unsupported_object"),
    "secondary-capture": (encoded(image(SecondaryCaptureImageStorage, Modality="CT")), "unsupported_object"),
    "spectroscopy": (encoded(image("1.2.840.10008.5.1.4.1.1.4.2")), "unsupported_object"),
    "dicomdir": (encoded(image("1.2.840.10008.1.3.10")), "dicomdir"),
    "fewer-pixels-than-rows": (encoded(image(Rows=5)), "truncated"),
}


@pytest.mark.parametrize(("data", "reason"), SKIPS.values(), ids=SKIPS)
def test_what_is_no_image_is_skipped_with_its_reason(data: bytes, reason: str) -> None:
    assert _reason(data) == reason


def test_a_fragment_that_ends_beyond_the_file_is_truncated() -> None:
    dataset = image()
    whole = encoded(dataset)
    at = whole.index(b"\xe0\x7f\x10\x00OW")
    head = whole[:at].replace(b"1.2.840.10008.1.2.1\0", JPEG2000Lossless.encode()[:20])
    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x10\0\0\0"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert read_instances(MemoryBlob(head + pixels + bytes(16) + end), KEY)[0]["pixel_length"] is None
    assert _reason(head + pixels + bytes(15)) == "truncated"


def test_without_a_class_a_modality_and_rows_must_do() -> None:
    data = encoded(image(CTImageStorage)).replace(b"1.2.840.10008.5.1.4.1.1.2\0", b" " * 26)
    assert read_instances(MemoryBlob(data), KEY)[0]["Modality"] == "CT"
    assert _reason(data.replace(b"CS\x02\x00CT", b"CS\x02\x00PT")) == "unsupported_object"


def test_a_file_without_preamble_or_meta_information_is_read() -> None:
    at = GOOD.index(b"\x08\x00\x16\x00UI")
    (row,) = read_instances(MemoryBlob(GOOD[at:]), KEY)
    assert row["TransferSyntaxUID"] == ExplicitVRLittleEndian
    assert row["pixel_offset"] == len(GOOD) - at - 32


def test_a_wrong_transfer_syntax_is_noticed() -> None:
    data = encoded(image(EchoTime=5), ImplicitVRLittleEndian)
    lying = data.replace(
        b"\x02\x00\x10\x00UI\x12\x001.2.840.10008.1.2\0", b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    )
    assert read_instances(MemoryBlob(lying), KEY)[0]["EchoTime"] == 5


def test_an_unknown_vr_goes_through_pydicom() -> None:
    data = _spliced(GOOD, struct.pack("<HH2sH", 0x0009, 0x1001, b"ZZ", 4) + b"abcd")
    (row,) = read_instances(MemoryBlob(data), KEY)
    assert row["pixel_offset"] == len(data) - 32
    assert row["ImagePositionPatient"] == [1.5, -2.0, 3.0]


def test_tags_need_not_ascend() -> None:
    data = _spliced(GOOD, b"\x08\x00\x3e\x10LO\x04\x00late")
    assert read_instances(MemoryBlob(data), KEY)[0]["SeriesDescription"] == "late"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(5, "I/O error"), "unreadable_file"), (SourceError("damaged"), "damaged_archive")],
    ids=["medium", "archive"],
)
def test_a_failing_medium_is_a_reason_too(error: Exception, reason: str) -> None:
    class Failing(MemoryBlob):
        def pread(self, offset: int, length: int) -> bytes:
            raise error

    with pytest.raises(Skipped) as caught:
        read_instances(Failing(GOOD), KEY)
    assert (caught.value.reason, caught.value.error_class) == (reason, type(error).__name__)


def test_every_reason_has_a_step_of_the_funnel() -> None:
    assert set(STEPS.values()) <= set(EXCLUSION_STEPS)
    assert {reason for _, reason in SKIPS.values()} <= set(STEPS)
