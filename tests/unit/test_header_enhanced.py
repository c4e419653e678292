"""Enhanced multi-frame files become one instance a frame."""

from __future__ import annotations

from typing import Any

import pytest
from header_samples import KEY, MemoryBlob, encoded, image
from pydicom import Dataset
from pydicom.uid import (
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
)

from radnet.scan.reader import read_instances
from radnet.scan.skipped import Skipped

SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big": ExplicitVRBigEndian,
}


def _group(**attributes: Any) -> list[Dataset]:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return [item]


def _enhanced(frames: int, sop_class: str = EnhancedMRImageStorage, **shared: Any) -> Dataset:
    dataset = image(sop_class, NumberOfFrames=frames)
    del dataset.ImagePositionPatient
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T1", "MIXED"]
    dataset.SharedFunctionalGroupsSequence = _group(
        PlaneOrientationSequence=_group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelMeasuresSequence=_group(PixelSpacing=[0.5, 0.75], SliceThickness=2, SpacingBetweenSlices=2.5),
        **shared,
    )
    dataset.PerFrameFunctionalGroupsSequence = [
        _group(
            PlanePositionSequence=_group(ImagePositionPatient=[0, 0, float(number)]),
            FrameContentSequence=_group(
                TemporalPositionIndex=number + 1,
                FrameAcquisitionNumber=3,
                FrameAcquisitionDateTime="20200102030405.678+0100",
            ),
            MREchoSequence=_group(EffectiveEchoTime=10.0 + number),
        )[0]
        for number in range(frames)
    ]
    return dataset


def _read(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> list[dict[str, Any]]:
    return read_instances(MemoryBlob(encoded(dataset, syntax)), KEY)


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
def test_shared_and_frame_groups_make_the_rows(syntax: str, undefined: bool) -> None:
    dataset = _enhanced(3)
    for element in dataset:
        element.is_undefined_length = undefined and element.VR == "SQ"
    rows = _read(dataset, syntax)
    assert [row["frame"] for row in rows] == [1, 2, 3]
    assert [row["ImagePositionPatient"] for row in rows] == [[0, 0, 0], [0, 0, 1], [0, 0, 2]]
    assert [row["EchoTime"] for row in rows] == [10, 11, 12]
    assert [row["TemporalPositionIdentifier"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["ImageOrientationPatient"] == [1, 0, 0, 0, 1, 0]
        assert row["PixelSpacing"] == [0.5, 0.75]
        assert row["AcquisitionTime"] == "030405.678"
        assert row["AcquisitionNumber"] == 3
        assert row["NumberOfFrames"] == 3


@pytest.mark.parametrize("place", ["shared", "frame"])
@pytest.mark.parametrize(
    ("group", "attributes", "column", "expected"),
    [
        ("MRTimingAndRelatedParametersSequence", {"RepetitionTime": 2000}, "RepetitionTime", 2000),
        ("MRTimingAndRelatedParametersSequence", {"FlipAngle": 12}, "FlipAngle", 12),
        ("MRTimingAndRelatedParametersSequence", {"RFEchoTrainLength": 8}, "EchoTrainLength", 8),
        ("MRModifierSequence", {"InversionTimes": [150.0, 900.0]}, "InversionTime", 150),
        ("MRModifierSequence", {"InversionRecovery": "YES"}, "InversionRecovery", "YES"),
        ("MRImageFrameTypeSequence", {"FrameType": ["DERIVED", "ADC"]}, "ImageType", "DERIVED\\ADC"),
        ("MRImageFrameTypeSequence", {"ComplexImageComponent": "PHASE"}, "ComplexImageComponent", "PHASE"),
        ("MRImageFrameTypeSequence", {"AcquisitionContrast": "T2"}, "AcquisitionContrast", "T2"),
        ("MRDiffusionSequence", {"DiffusionBValue": 800.0}, "DiffusionBValue", 800),
        ("MRAveragesSequence", {"NumberOfAverages": 2}, "NumberOfAverages", 2),
        ("CardiacSynchronizationSequence", {"NominalCardiacTriggerDelayTime": 55.5}, "TriggerTime", 55.5),
        (
            "PixelValueTransformationSequence",
            {"RescaleSlope": 1.5, "RescaleIntercept": -3},
            "RescaleSlope",
            1.5,
        ),
        ("CTReconstructionSequence", {"ConvolutionKernel": "B30f"}, "ConvolutionKernel", "B30f"),
        ("CTXRayDetailsSequence", {"KVP": 120}, "KVP", 120),
        ("CTAcquisitionDetailsSequence", {"GantryDetectorTilt": 7.5}, "GantryDetectorTilt", 7.5),
        ("CTImageFrameTypeSequence", {"FrameType": ["ORIGINAL", "AXIAL"]}, "ImageType", "ORIGINAL\\AXIAL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_attribute_may_be_shared_or_a_frames_own(
    group: str, attributes: dict[str, Any], column: str, expected: Any, place: str
) -> None:
    dataset = _enhanced(2, EnhancedCTImageStorage if group.startswith("CT") else EnhancedMRImageStorage)
    holders = (
        dataset.SharedFunctionalGroupsSequence
        if place == "shared"
        else dataset.PerFrameFunctionalGroupsSequence
    )
    for holder in holders:
        setattr(holder, group, _group(**attributes))
    assert [row[column] for row in _read(dataset)] == [expected, expected]


def test_a_frames_own_value_wins_over_the_shared_one() -> None:
    rows = _read(_enhanced(2, MREchoSequence=_group(EffectiveEchoTime=99.0)))
    assert [row["EchoTime"] for row in rows] == [10, 11]


def test_an_empty_value_of_a_frame_does_not_hide_the_shared_one() -> None:
    dataset = _enhanced(1, MRTimingAndRelatedParametersSequence=_group(RepetitionTime=500))
    frame = dataset.PerFrameFunctionalGroupsSequence[0]
    frame.MRTimingAndRelatedParametersSequence = _group(RepetitionTime=None)
    (row,) = _read(dataset)
    assert row["RepetitionTime"] == 500
    assert "RepetitionTime" not in row.get("empty_attributes", [])


def test_anatomy_and_contrast_usage_are_found_in_groups() -> None:
    dataset = _enhanced(
        1,
        FrameAnatomySequence=_group(AnatomicRegionSequence=_group(CodeMeaning="Liver")),
        ContrastBolusUsageSequence=_group(ContrastBolusAgentAdministered="YES"),
    )
    (row,) = _read(dataset)
    assert row["AnatomicRegion"] == "Liver"
    assert row["ContrastBolusAgentAdministered"] == "YES"


def test_groups_that_speak_of_other_images_are_not_entered() -> None:
    dataset = _enhanced(1, ReferencedImageSequence=_group(SliceThickness=77, EchoTime=88))
    assert _read(dataset)[0]["SliceThickness"] == 2


def test_legacy_converted_files_keep_classic_attributes() -> None:
    dataset = _enhanced(2, LegacyConvertedEnhancedMRImageStorage)
    dataset.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence = _group(
        ScanningSequence="SE", RepetitionTime=450
    )
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.UnassignedPerFrameConvertedAttributesSequence = _group(SliceLocation=12.5)
    rows = _read(dataset)
    assert {(row["ScanningSequence"], row["RepetitionTime"], row["SliceLocation"]) for row in rows} == {
        ("SE", 450, 12.5)
    }


def test_fewer_descriptions_than_frames_are_damage() -> None:
    dataset = _enhanced(3)
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    with pytest.raises(Skipped, match="damaged"):
        _read(dataset)


def test_frames_share_place_and_length_of_the_pixels() -> None:
    data = encoded(_enhanced(3))
    rows = read_instances(MemoryBlob(data), KEY)
    assert {(row["pixel_offset"], row["pixel_length"]) for row in rows} == {(len(data) - 96, 96)}


def test_long_groups_go_on_over_several_reads() -> None:
    rows = _read(_enhanced(600))
    assert [row["ImagePositionPatient"][2] for row in rows] == list(range(600))
