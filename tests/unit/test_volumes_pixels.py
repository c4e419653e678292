"""Stored cells become modality values whatever bits, padding and photometric interpretation they use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.volumes.pixels import (
    SliceError,
    SliceSource,
    check_header,
    find_padding,
    modality_values,
    stored_values,
)

PLAIN = SliceSource(
    path="slice.dcm",
    frame=None,
    pixel_offset=1000,
    pixel_length=8,
    TransferSyntaxUID="1.2.840.10008.1.2.1",
    NumberOfFrames=None,
    SamplesPerPixel=1,
    PhotometricInterpretation="MONOCHROME2",
    Rows=1,
    Columns=4,
    BitsAllocated=16,
    BitsStored=16,
    HighBit=15,
    PixelRepresentation=0,
    RescaleSlope=None,
    RescaleIntercept=None,
    PixelPaddingValue=None,
    Modality="MR",
)


def modality_of(cells: list[int], dtype: str = "u2", **changes: Any) -> list[float]:
    source = replace(PLAIN, **changes)
    array = np.array([cells], dtype)
    values = stored_values(array, source)
    plane: list[list[float]] = modality_values(values, find_padding(array, values, source), source).tolist()
    return plane[0]


@pytest.mark.parametrize(
    ("cells", "changes", "expected"),
    [
        pytest.param(
            [0xFFFF, 0x0FFF], {"BitsStored": 12, "HighBit": 11}, [4095, 4095], id="12 bits, rubbish above"
        ),
        pytest.param(
            [0x0FFF, 0x0800],
            {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1},
            [-1, -2048],
            id="12 signed bits",
        ),
        pytest.param(
            [0xABC0, 0xABCF], {"BitsStored": 12, "HighBit": 15}, [0xABC, 0xABC], id="stored in the upper bits"
        ),
        pytest.param([0x8000, 0x7FFF], {"PixelRepresentation": 1}, [-32768, 32767], id="16 signed bits"),
        pytest.param([7, 9], {"BitsStored": None, "HighBit": None}, [7, 9], id="stored bits not told"),
    ],
)
def test_stored_bits_are_taken_out_of_their_cells(
    cells: list[int], changes: dict[str, Any], expected: list[float]
) -> None:
    assert modality_of(cells, **changes) == expected


@given(
    value=st.integers(-(2**31), 2**31 - 1),
    stored=st.integers(1, 16),
    spare=st.integers(0, 15),
    signed=st.booleans(),
    rubbish=st.integers(0, 2**16 - 1),
)
def test_any_value_survives_any_place_in_the_cell(
    value: int, stored: int, spare: int, signed: bool, rubbish: int
) -> None:
    lowest = min(spare, 16 - stored)
    value = value % 2**stored - (2 ** (stored - 1) if signed else 0)
    mask = (2**stored - 1) << lowest
    cell = (rubbish & ~mask) | ((value << lowest) & mask)
    source = replace(PLAIN, BitsStored=stored, HighBit=lowest + stored - 1, PixelRepresentation=int(signed))
    assert stored_values(np.array([cell], np.uint16), source).tolist() == [value]


def test_rescale_of_the_slice_is_applied() -> None:
    assert modality_of([0, 1024], RescaleSlope=2.0, RescaleIntercept=-1024.0) == [-1024, 1024]


def test_slope_of_zero_does_not_wipe_a_slice() -> None:
    assert modality_of([1, 2], RescaleSlope=0.0) == [1, 2]


@pytest.mark.parametrize(
    ("cells", "changes"),
    [
        pytest.param([4095 - 0, 4095 - 1000], {"BitsStored": 12, "HighBit": 11}, id="unsigned"),
        pytest.param([~0 & 0xFFFF, ~1000 & 0xFFFF], {"PixelRepresentation": 1}, id="signed"),
    ],
)
def test_monochrome1_is_mirrored_before_the_rescale(cells: list[int], changes: dict[str, Any]) -> None:
    mirrored = {"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 2.0, "RescaleIntercept": -1000.0}
    assert modality_of(cells, **mirrored, **changes) == [-1000, 1000]


def test_hounsfield_units_stay_what_they_are_however_they_are_shown() -> None:
    shown = {"PhotometricInterpretation": "MONOCHROME1", "RescaleIntercept": -1000.0, "Modality": "CT"}
    assert modality_of([0, 2000], **shown) == [-1000, 1000]


@pytest.mark.parametrize(
    ("cells", "padding", "changes"),
    [
        pytest.param([63536, 24, 100], -2000, {"PixelRepresentation": 1}, id="signed"),
        pytest.param(
            [63536, 24, 100], 63536, {"PixelRepresentation": 1}, id="signed cells, read as unsigned"
        ),
        pytest.param(
            [63536, 24, 100], -2000, {"BitsStored": 12, "HighBit": 11}, id="does not fit the stored bits"
        ),
        pytest.param(
            [0xF000, 24, 100], 0, {"BitsStored": 12, "HighBit": 11}, id="rubbish above the stored bits"
        ),
    ],
)
def test_padding_becomes_the_least_of_the_other_values(
    cells: list[int], padding: int, changes: dict[str, Any]
) -> None:
    rescale = {"RescaleSlope": 1.0, "RescaleIntercept": -1024.0}
    assert modality_of(cells, PixelPaddingValue=padding, **rescale, **changes) == [-1000, -1000, -924]


def test_value_like_the_low_bits_of_padding_is_kept() -> None:
    stored = {"BitsStored": 12, "HighBit": 11}
    assert modality_of([63536 & 0xFFF, 24], PixelPaddingValue=63536, **stored) == [63536 & 0xFFF, 24]


def test_slice_of_padding_alone_has_no_value() -> None:
    assert np.isnan(modality_of([5, 5], PixelPaddingValue=5)).all()


@pytest.mark.parametrize(
    ("changes", "reason", "match"),
    [
        pytest.param({"SamplesPerPixel": 3}, "colour", "holds colours", id="RGB"),
        pytest.param({"PhotometricInterpretation": "PALETTE COLOR"}, "colour", "holds colours", id="palette"),
        pytest.param({"Rows": None}, "bad_header", "Rows or Columns", id="no rows"),
        pytest.param({"Columns": 0}, "bad_header", "Rows or Columns", id="no columns"),
        pytest.param({"BitsAllocated": 12}, "bad_header", "BitsAllocated", id="packed"),
        pytest.param({"BitsAllocated": None}, "bad_header", "BitsAllocated", id="unknown cells"),
        pytest.param(
            {"BitsStored": 17, "HighBit": 16}, "bad_header", "contradict", id="more bits than a cell"
        ),
        pytest.param({"BitsStored": 12, "HighBit": 7}, "bad_header", "contradict", id="bits below the cell"),
    ],
)
def test_impossible_pixels_are_refused_by_name(changes: dict[str, Any], reason: str, match: str) -> None:
    with pytest.raises(SliceError, match=match) as caught:
        check_header(replace(PLAIN, **changes))
    assert caught.value.reason == reason
