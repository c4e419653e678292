"""Which attributes the scan reads, where they stand in a header, and which column each fills.

Tags are keyed as the walk meets them: the four bytes of a tag read as one little-endian number, the element
in the upper half. A sequence maps to the attributes wanted of its items, to any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

import polars as pl

from radnet.scan.values import Reader, integer, real, reals, text, time_of_datetime, vr_code
from radnet.tables import INSTANCE_COLUMNS, INTEGER, REAL


class Attribute(NamedTuple):
    """A wanted value.

    Attributes:
        column: The column that it fills; CHARACTER_SET, PATIENT_ID and PRIVATE are for the reader alone.
        vr: Code of the VR that the standard gives it.
        read: From raw bytes to a value.
        tag: Its key.
        gathered: Whether the values of all items count, not only the last.
    """

    column: str
    vr: int
    read: Reader
    tag: int
    gathered: bool = False


Wanted: TypeAlias = "Mapping[int, Attribute | Wanted]"
"""Tags of a dataset: values, and sequences with what is wanted of their items."""


def tag_key(group: int, element: int) -> int:
    """Return a tag as the walk sees it."""
    return element << 16 | group


CHARACTER_SET: Final = "SpecificCharacterSet"
PATIENT_ID: Final = "PatientID"
PRIVATE: Final = ""

TAGS: Final[dict[str, tuple[int, int, str]]] = {
    CHARACTER_SET: (0x0008, 0x0005, "CS"),
    PATIENT_ID: (0x0010, 0x0020, "LO"),
    "SOPClassUID": (0x0008, 0x0016, "UI"),
    "SOPInstanceUID": (0x0008, 0x0018, "UI"),
    "SeriesInstanceUID": (0x0020, 0x000E, "UI"),
    "StudyInstanceUID": (0x0020, 0x000D, "UI"),
    "FrameOfReferenceUID": (0x0020, 0x0052, "UI"),
    "Modality": (0x0008, 0x0060, "CS"),
    "Manufacturer": (0x0008, 0x0070, "LO"),
    "ManufacturerModelName": (0x0008, 0x1090, "LO"),
    "MagneticFieldStrength": (0x0018, 0x0087, "DS"),
    "StudyDescription": (0x0008, 0x1030, "LO"),
    "SeriesDescription": (0x0008, 0x103E, "LO"),
    "ProtocolName": (0x0018, 0x1030, "LO"),
    "RequestedProcedureDescription": (0x0032, 0x1060, "LO"),
    "PerformedProcedureStepDescription": (0x0040, 0x0254, "LO"),
    "BodyPartExamined": (0x0018, 0x0015, "CS"),
    "SeriesNumber": (0x0020, 0x0011, "IS"),
    "SeriesTime": (0x0008, 0x0031, "TM"),
    "PatientPosition": (0x0018, 0x5100, "CS"),
    "ImageType": (0x0008, 0x0008, "CS"),
    "DerivationDescription": (0x0008, 0x2111, "ST"),
    "BurnedInAnnotation": (0x0028, 0x0301, "CS"),
    "PatientIdentityRemoved": (0x0012, 0x0062, "CS"),
    "DeidentificationMethod": (0x0012, 0x0063, "LO"),
    "LossyImageCompression": (0x0028, 0x2110, "CS"),
    "SliceThickness": (0x0018, 0x0050, "DS"),
    "SpacingBetweenSlices": (0x0018, 0x0088, "DS"),
    "GantryDetectorTilt": (0x0018, 0x1120, "DS"),
    "ReconstructionDiameter": (0x0018, 0x1100, "DS"),
    "KVP": (0x0018, 0x0060, "DS"),
    "ConvolutionKernel": (0x0018, 0x1210, "SH"),
    "ScanOptions": (0x0018, 0x0022, "CS"),
    "ScanningSequence": (0x0018, 0x0020, "CS"),
    "SequenceVariant": (0x0018, 0x0021, "CS"),
    "SequenceName": (0x0018, 0x0024, "SH"),
    "PulseSequenceName": (0x0018, 0x9005, "SH"),
    "MRAcquisitionType": (0x0018, 0x0023, "CS"),
    "AcquisitionContrast": (0x0008, 0x9209, "CS"),
    "EchoPulseSequence": (0x0018, 0x9008, "CS"),
    "InversionRecovery": (0x0018, 0x9009, "CS"),
    "ComplexImageComponent": (0x0008, 0x9208, "CS"),
    "AngioFlag": (0x0018, 0x0025, "CS"),
    "RepetitionTime": (0x0018, 0x0080, "DS"),
    "EchoTime": (0x0018, 0x0081, "DS"),
    "InversionTime": (0x0018, 0x0082, "DS"),
    "FlipAngle": (0x0018, 0x1314, "DS"),
    "EchoTrainLength": (0x0018, 0x0091, "IS"),
    "EchoNumbers": (0x0018, 0x0086, "IS"),
    "NumberOfAverages": (0x0018, 0x0083, "DS"),
    "DiffusionBValue": (0x0018, 0x9087, "FD"),
    "NumberOfTemporalPositions": (0x0020, 0x0105, "IS"),
    "ContrastBolusAgent": (0x0018, 0x0010, "LO"),
    "ContrastBolusRoute": (0x0018, 0x1040, "LO"),
    "ContrastBolusVolume": (0x0018, 0x1041, "DS"),
    "ContrastBolusStartTime": (0x0018, 0x1042, "TM"),
    "ContrastBolusTotalDose": (0x0018, 0x1044, "DS"),
    "ContrastBolusIngredient": (0x0018, 0x1048, "CS"),
    "ContrastBolusIngredientConcentration": (0x0018, 0x1049, "DS"),
    "InstanceNumber": (0x0020, 0x0013, "IS"),
    "AcquisitionNumber": (0x0020, 0x0012, "IS"),
    "AcquisitionTime": (0x0008, 0x0032, "TM"),
    "ContentTime": (0x0008, 0x0033, "TM"),
    "TemporalPositionIdentifier": (0x0020, 0x0100, "IS"),
    "TriggerTime": (0x0018, 0x1060, "DS"),
    "ImagePositionPatient": (0x0020, 0x0032, "DS"),
    "ImageOrientationPatient": (0x0020, 0x0037, "DS"),
    "SliceLocation": (0x0020, 0x1041, "DS"),
    "PixelSpacing": (0x0028, 0x0030, "DS"),
    "Rows": (0x0028, 0x0010, "US"),
    "Columns": (0x0028, 0x0011, "US"),
    "NumberOfFrames": (0x0028, 0x0008, "IS"),
    "SamplesPerPixel": (0x0028, 0x0002, "US"),
    "PhotometricInterpretation": (0x0028, 0x0004, "CS"),
    "BitsAllocated": (0x0028, 0x0100, "US"),
    "BitsStored": (0x0028, 0x0101, "US"),
    "HighBit": (0x0028, 0x0102, "US"),
    "PixelRepresentation": (0x0028, 0x0103, "US"),
    "RescaleSlope": (0x0028, 0x1053, "DS"),
    "RescaleIntercept": (0x0028, 0x1052, "DS"),
    "PixelPaddingValue": (0x0028, 0x0120, "US"),  # or SS: the reader asks PixelRepresentation
}
"""Columns that one element of the dataset fills: group, element, VR (PS3.6)."""

_COUNTS: Final = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
LOCALIZED_VRS: Final = frozenset(vr_code(vr) for vr in ("LO", "SH", "ST", "LT", "UC", "UT", "PN"))
"""Text that SpecificCharacterSet governs."""


def _reader(column: str, dtype: pl.DataType | None) -> Reader:
    if column in _COUNTS:
        return reals(_COUNTS[column])
    return real if dtype == REAL else integer if dtype == INTEGER else text


def attribute(column: str, group: int, element: int, vr: str, gathered: bool = False) -> Attribute:
    """Describe a value wanted for a column; `vr` is the one that the standard gives it."""
    reader = time_of_datetime if vr == "DT" else _reader(column, INSTANCE_COLUMNS.get(column))
    return Attribute(column, vr_code(vr), reader, tag_key(group, element), gathered)


def keyed(*attributes: Attribute) -> Wanted:
    """Key attributes by their tags."""
    return {attribute.tag: attribute for attribute in attributes}


def _code_meaning(column: str) -> Wanted:
    return keyed(attribute(column, 0x0008, 0x0104, "LO", gathered=True))


PRIVATE_BLOCKS: Final = range(0x10, 0x100)
B_VALUES: Final[dict[tuple[int, str], int]] = {
    (0x0019, "SIEMENS MR HEADER"): 0x0C,
    (0x0043, "GEMS_PARM_01"): 0x39,
    (0x2001, "Philips Imaging DD 001"): 0x03,
    (0x0065, "Image Private Header"): 0x09,  # UIH
}
"""Private b-values: group and creator, and the element within the creator's block."""
_B_VALUE_VRS: Final = {0x2001: "FL", 0x0065: "FD"}
"""VR of a private b-value by group, for files without VRs; else IS."""


def _private_tags() -> dict[int, Attribute]:
    """Every place where a creator may have reserved its block, and where its b-value then lies."""
    wanted: dict[int, Attribute] = {}
    for (group, _), element in B_VALUES.items():
        vr = vr_code(_B_VALUE_VRS.get(group, "IS"))
        for block in PRIVATE_BLOCKS:
            for tag, code in (
                (tag_key(group, block), vr_code("LO")),
                (tag_key(group, block << 8 | element), vr),
            ):
                wanted[tag] = Attribute(PRIVATE, code, text, tag)
    return wanted


SCALARS: Final[dict[int, Attribute]] = {
    **{
        tag_key(group, element): attribute(name, group, element, vr)
        for name, (group, element, vr) in TAGS.items()
    },
    **_private_tags(),
}
"""Values wanted of a dataset itself."""

ROUTE_SEQUENCE: Final = tag_key(0x0018, 0x0014)
SEQUENCES: Final[dict[int, Wanted]] = {
    tag_key(0x0008, 0x2218): _code_meaning("AnatomicRegion"),
    tag_key(0x0018, 0x0012): {
        **_code_meaning("ContrastBolusAgentCode"),
        **keyed(
            *(attribute(name, *TAGS[name]) for name in ("ContrastBolusVolume", "ContrastBolusTotalDose"))
        ),
        ROUTE_SEQUENCE: _code_meaning("ContrastBolusRouteCode"),
    },
    ROUTE_SEQUENCE: _code_meaning("ContrastBolusRouteCode"),
    tag_key(0x0018, 0x9341): keyed(
        attribute("ContrastBolusAgentAdministered", 0x0018, 0x9342, "CS", gathered=True),
        attribute("ContrastBolusAgentDetected", 0x0018, 0x9343, "CS", gathered=True),
    ),
}
"""Sequences wanted of a dataset itself, and of which values."""
