"""The fast reader and pydicom agree, value by value, on every file at hand."""

from __future__ import annotations

import io
import warnings
from typing import Any

import polars as pl
import pydicom
import pytest
from header_samples import REAL_FILES, MemoryBlob, pydicom_files, real_files
from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from radnet.scan.enhanced import ENHANCED_CLASSES, expand
from radnet.scan.reader import read_header
from radnet.scan.skipped import Skipped
from radnet.tables import (
    IDENTITY_COLUMNS,
    INSTANCE_ATTRIBUTES,
    INSTANCE_COLUMNS,
    INTEGER,
    REAL,
    REALS,
    SERIES_ATTRIBUTES,
)

FROM_SEQUENCES = {
    "AnatomicRegion": ("AnatomicRegionSequence", "CodeMeaning"),
    "ContrastBolusAgentCode": ("ContrastBolusAgentSequence", "CodeMeaning"),
    "ContrastBolusRouteCode": ("ContrastBolusAdministrationRouteSequence", "CodeMeaning"),
    "ContrastBolusAgentAdministered": ("ContrastBolusUsageSequence", "ContrastBolusAgentAdministered"),
    "ContrastBolusAgentDetected": ("ContrastBolusUsageSequence", "ContrastBolusAgentDetected"),
}
B_VALUES = {(0x0019, "SIEMENS MR HEADER"): 0x0C, (0x0043, "GEMS_PARM_01"): 0x39}
B_VALUES[0x2001, "Philips Imaging DD 001"] = 0x03
B_VALUES[0x0065, "Image Private Header"] = 0x09
KEYWORDS = [
    name
    for name in (*IDENTITY_COLUMNS, *SERIES_ATTRIBUTES, *INSTANCE_ATTRIBUTES)
    if name not in FROM_SEQUENCES and name not in ("TransferSyntaxUID", *list(INSTANCE_ATTRIBUTES)[-2:])
]
FRAME_SOURCES = {
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
    "SpacingBetweenSlices": ("PixelMeasuresSequence", "SpacingBetweenSlices"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "InversionRecovery": ("MRModifierSequence", "InversionRecovery"),
    "ComplexImageComponent": ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    "AcquisitionContrast": ("MRImageFrameTypeSequence", "AcquisitionContrast"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "NumberOfAverages": ("MRAveragesSequence", "NumberOfAverages"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "KVP": ("CTXRayDetailsSequence", "KVP"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
}


def _plain(value: Any, dtype: pl.DataType) -> Any:
    """Bring a pydicom value to the column's form: padding off, first of several numbers."""
    values = list(value) if isinstance(value, (MultiValue, list)) else [value]
    if dtype == REALS:
        return [float(part) for part in values]
    if dtype in (REAL, INTEGER):
        number = values[0] if values else None
        if number in (None, ""):
            return None
        return float(number) if dtype == REAL else int(number)
    return "\\".join(str(part).strip(" \0") for part in values if part is not None)


def _expected(dataset: Dataset, keyword: str, dtype: pl.DataType) -> tuple[str, Any]:
    """What pydicom says: state (absent, empty, unreadable, value) and value."""
    if keyword not in dataset:
        return "absent", None
    try:
        value = dataset[keyword].value
        if value is None or (hasattr(value, "__len__") and not len(value)):
            return "empty", None
        plain = _plain(value, dtype)
    except (ValueError, TypeError, OverflowError):
        return "unreadable", None
    return ("empty", None) if plain in (None, "") else ("value", plain)


def _ours(row: dict[str, Any], column: str) -> tuple[str, Any]:
    if column in row.get("empty_attributes", ()):
        return "empty", None
    if column in row.get("unreadable_attributes", ()):
        return "unreadable", None
    return ("value", row[column]) if row.get(column) is not None else ("absent", None)


def _private_b_value(dataset: Dataset) -> tuple[str, Any]:
    for (group, creator), element in B_VALUES.items():
        try:
            value = dataset.private_block(group, creator)[element].value
        except KeyError:
            continue
        if isinstance(value, bytes):
            value = value.decode().split("\\")
        number = _plain(value, REAL)
        if number is not None:
            return "value", number % 1e9 if group == 0x0043 else number
    return "absent", None


def _top_level(dataset: Dataset) -> dict[str, tuple[str, Any]]:
    expected = {name: _expected(dataset, name, INSTANCE_COLUMNS[name]) for name in KEYWORDS}
    if expected["DiffusionBValue"][0] != "value":
        expected["DiffusionBValue"] = _private_b_value(dataset)
    for column, (sequence, keyword) in FROM_SEQUENCES.items():
        items = dataset.get(sequence) or []
        meanings = list(dict.fromkeys(str(item[keyword].value) for item in items if keyword in item))
        expected[column] = ("value", "\\".join(meanings)) if meanings else ("absent", None)
    return expected


def _pydicom(data: bytes) -> Dataset | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
        except (InvalidDicomError, EOFError, OSError, AttributeError):
            return None
    return dataset


def _compare(data: bytes) -> tuple[int, list[str]]:
    """Compare one file; return how many values and which columns differ."""
    try:
        row, _, _ = read_header(MemoryBlob(data))
    except Skipped:
        return 0, []
    dataset = _pydicom(data)
    assert dataset is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _top_level(dataset)
    differing = [column for column, state in expected.items() if _ours(row, column) != state]
    return len(expected), differing


@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
def test_agrees_with_pydicom_on_its_own_test_files(path) -> None:
    _, differing = _compare(path.read_bytes())
    assert differing == []


def test_pydicoms_files_are_nearly_all_read() -> None:
    assert sum(_compare(path.read_bytes())[0] for path in pydicom_files()) > 10_000


@pytest.mark.skipif(not REAL_FILES.exists(), reason="no real scans beside the repository")
def test_agrees_with_pydicom_on_real_scans() -> None:
    compared, differing = 0, {}
    for name, data in real_files():
        count, columns = _compare(data)
        compared += count
        if columns:
            differing[name] = columns
    assert differing == {}
    assert compared > 30_000


def _compare_frames(data: bytes) -> tuple[int, set[str]]:
    row, header, _ = read_header(MemoryBlob(data))
    if row.get("SOPClassUID") not in ENHANCED_CLASSES:
        return 0, set()
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    frames = expand(row, header, str(row.get("SpecificCharacterSet") or ""))
    assert len(frames) == dataset.NumberOfFrames
    compared, differing = 0, set()
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for ours, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        for column, (sequence, keyword) in FRAME_SOURCES.items():
            item = (groups.get(sequence) or shared.get(sequence) or [Dataset()])[0]
            if keyword in item and item[keyword].value not in (None, ""):
                compared += 1
                if ours.get(column) != _plain(item[keyword].value, INSTANCE_COLUMNS[column]):
                    differing.add(column)
    return compared, differing


@pytest.mark.skipif(not REAL_FILES.exists(), reason="no real scans beside the repository")
def test_frames_agree_with_pydicom_on_real_scans() -> None:
    results = [_compare_frames(data) for name, data in real_files() if "enhanced" in name]
    assert {column for _, differing in results for column in differing} == set()
    assert sum(compared for compared, _ in results) > 5_000
