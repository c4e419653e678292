"""Write a stack of MR slices as one enhanced multi-frame object, its attributes in functional groups."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage

from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import uid
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.signal import MrTechnique

MOVED: Final = (
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "EchoTrainLength",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "SpacingBetweenSlices",
    "EchoNumbers",
    "NumberOfAverages",
    "PixelBandwidth",
)
"""Attributes of the classic template that an enhanced object does not have at its top level."""


def enhance(
    template: Dataset,
    place: SeriesPlace,
    technique: MrTechnique,
    plan: Prescription,
    images: list[NDArray[np.uint16]],
) -> Dataset:
    """Turn a classic template and its images into one enhanced object.

    Args:
        template: As `headers.template` makes it; changed in place.
        place: Patient, study and series.
        technique: How the images were made.
        plan: Where the slices lie.
        images: One a position of the plan.
    """
    for keyword in MOVED:
        if keyword in template:
            del template[keyword]
    template.SOPClassUID = EnhancedMRImageStorage
    template.SOPInstanceUID = uid("instance", *place.keys, 1)
    template.InstanceNumber = 1
    template.AcquisitionContrast = "FLUID_ATTENUATED" if technique.ti_ms else "T2"
    template.EchoPulseSequence = "SPIN"
    template.NumberOfFrames = len(images)
    orientation = [float(value) for value in (*plan.row, *plan.column)]
    template.SharedFunctionalGroupsSequence = Sequence([_shared(technique, plan, orientation, place)])
    template.PerFrameFunctionalGroupsSequence = Sequence(
        _frame(number, position) for number, position in enumerate(plan.positions, 1)
    )
    template.PixelData = np.stack(images).astype("<u2").tobytes()
    return template


def _shared(
    technique: MrTechnique, plan: Prescription, orientation: list[float], place: SeriesPlace
) -> Dataset:
    timing = _item(
        RepetitionTime=technique.tr_ms,
        FlipAngle=technique.flip_deg,
        EchoTrainLength=technique.echo_train,
    )
    modifier = _item(InversionRecovery="YES" if technique.ti_ms else "NO")
    if technique.ti_ms:
        modifier.InversionTimes = technique.ti_ms
    measures = _item(
        SliceThickness=plan.thickness_mm,
        PixelSpacing=[plan.pixel_mm, plan.pixel_mm],
        SpacingBetweenSlices=place.protocol.spacing_mm,
    )
    bandwidth = _item(PixelBandwidth=technique.bandwidth_hz)
    return _item(
        MRImagingModifierSequence=Sequence([bandwidth]),
        MRTimingAndRelatedParametersSequence=Sequence([timing]),
        MREchoSequence=Sequence([_item(EffectiveEchoTime=technique.te_ms)]),
        MRModifierSequence=Sequence([modifier]),
        PixelMeasuresSequence=Sequence([measures]),
        PlaneOrientationSequence=Sequence([_item(ImageOrientationPatient=orientation)]),
    )


def _frame(number: int, position: NDArray[np.float64]) -> Dataset:
    content = _item(StackID="1", InStackPositionNumber=number, DimensionIndexValues=[1, number])
    plane = _item(ImagePositionPatient=[float(value) for value in position])
    return _item(FrameContentSequence=Sequence([content]), PlanePositionSequence=Sequence([plane]))


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
