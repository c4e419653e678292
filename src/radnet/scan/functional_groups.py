"""What the scan reads of the functional groups of enhanced multi-frame CT and MR.

Every attribute may stand in the shared groups or in those of each frame (PS3.3 C.7.6.16). Only the groups
named here are entered: others, such as references to other images, hold tags of the same names that speak of
something else.
"""

from __future__ import annotations

from typing import Final

from radnet.scan.attributes import SCALARS, SEQUENCES, Wanted, attribute, keyed, tag_key
from radnet.tables import IDENTITY_COLUMNS

SHARED_GROUPS: Final = tag_key(0x5200, 0x9229)
FRAME_GROUPS: Final = tag_key(0x5200, 0x9230)

_RENAMED: Final = keyed(
    attribute("ImageType", 0x0008, 0x9007, "CS"),  # FrameType
    attribute("EchoTime", 0x0018, 0x9082, "FD"),  # EffectiveEchoTime
    attribute("InversionTime", 0x0018, 0x9079, "FD"),  # InversionTimes
    attribute("EchoTrainLength", 0x0018, 0x9240, "US"),  # RFEchoTrainLength
    attribute("TemporalPositionIdentifier", 0x0020, 0x9128, "UL"),  # TemporalPositionIndex
    attribute("AcquisitionNumber", 0x0020, 0x9156, "US"),  # FrameAcquisitionNumber
    attribute("AcquisitionTime", 0x0018, 0x9074, "DT"),  # FrameAcquisitionDateTime
    attribute("TriggerTime", 0x0020, 0x9153, "FD"),  # NominalCardiacTriggerDelayTime
)
"""What functional groups call otherwise than single-frame images do."""

_CLASSIC: Final[Wanted] = {
    tag: wanted for tag, wanted in SCALARS.items() if wanted.column not in IDENTITY_COLUMNS
}
_VALUES: Final[Wanted] = {**_CLASSIC, **_RENAMED}

_GROUPS_OF_VALUES: Final = (
    (0x0020, 0x9113),  # PlanePositionSequence
    (0x0020, 0x9116),  # PlaneOrientationSequence
    (0x0028, 0x9110),  # PixelMeasuresSequence
    (0x0028, 0x9145),  # PixelValueTransformationSequence
    (0x0020, 0x9111),  # FrameContentSequence
    (0x0018, 0x9118),  # CardiacSynchronizationSequence
    (0x0018, 0x9226),  # MRImageFrameTypeSequence
    (0x0018, 0x9112),  # MRTimingAndRelatedParametersSequence
    (0x0018, 0x9114),  # MREchoSequence
    (0x0018, 0x9115),  # MRModifierSequence
    (0x0018, 0x9117),  # MRDiffusionSequence
    (0x0018, 0x9119),  # MRAveragesSequence
    (0x0018, 0x9329),  # CTImageFrameTypeSequence
    (0x0018, 0x9304),  # CTAcquisitionDetailsSequence
    (0x0018, 0x9312),  # CTGeometrySequence
    (0x0018, 0x9314),  # CTReconstructionSequence
    (0x0018, 0x9325),  # CTXRayDetailsSequence
)

GROUPS: Final[Wanted] = {
    **{tag_key(group, element): _VALUES for group, element in _GROUPS_OF_VALUES},
    **{
        tag_key(0x0020, element): {**_CLASSIC, **SEQUENCES} for element in (0x9170, 0x9171)
    },  # legacy converted
    tag_key(0x0020, 0x9071): SEQUENCES,  # FrameAnatomySequence
    tag_key(0x0018, 0x9341): SEQUENCES[tag_key(0x0018, 0x9341)],  # ContrastBolusUsageSequence
}
"""Wanted of an item of the shared or per-frame sequence."""
