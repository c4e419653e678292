"""Write the volumes of a series as one enhanced multi-frame object, attributes in functional groups.

What all frames share stands in the shared groups; with several volumes everything stands with each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage

from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.enhanced_groups import (
    common_groups,
    complete_ct,
    complete_image,
    complete_mr,
    frame_times,
    item,
)
from radnet.synthetic.headers import SeriesPlace, override
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.protocols import Elements
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
    "KVP",
    "ConvolutionKernel",
    "GantryDetectorTilt",
    "TableHeight",
    "DataCollectionDiameter",
    "ReconstructionDiameter",
    "ExposureTime",
    "XRayTubeCurrent",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
)
"""Attributes of the classic template that an enhanced object does not have at its top level."""
CONTRASTS: Final = {
    "t1_se": "T1",
    "t1_flair": "T1",
    "gre_t1": "T1",
    "t2_se": "T2",
    "t2_flair": "FLUID_ATTENUATED",
    "stir": "STIR",
    "pd": "PROTON_DENSITY",
    "gre_t2star": "T2_STAR",
    "dwi": "DIFFUSION",
    "perfusion": "PERFUSION",
}
"""AcquisitionContrast of the sequences (PS3.3 C.8.13.3.1)."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One stack of an enhanced object.

    Attributes:
        template: As `headers.template` makes it.
        technique: How its images were made.
        plan: Where they lie.
        images: One a position of the plan.
        header: Elements that tell it from the others.
    """

    template: Dataset
    technique: CtTechnique | MrTechnique
    plan: Prescription
    images: list[NDArray[Any]]
    header: Elements = ()


def enhance(place: SeriesPlace, volumes: list[Volume]) -> Dataset:
    """Turn classic templates and their images into one enhanced object.

    Args:
        place: Patient, study and series.
        volumes: Its stacks, of one matrix size.
    """
    dataset = Dataset()
    dataset.update(volumes[0].template)
    groups = [_groups(place, volume) for volume in volumes]
    for keyword in MOVED:
        if keyword in dataset:
            del dataset[keyword]
    is_ct = isinstance(volumes[0].technique, CtTechnique)
    dataset.SOPClassUID = EnhancedCTImageStorage if is_ct else EnhancedMRImageStorage
    dataset.SOPInstanceUID = place.instance_uid(1)
    dataset.InstanceNumber = 1
    dataset.AcquisitionTime = dataset.ContentTime = dataset.SeriesTime
    if not is_ct:
        gradient = getattr(volumes[0].technique, "family", "") == "gradient_echo"
        dataset.EchoPulseSequence = "GRADIENT" if gradient else "SPIN"
        dataset.AcquisitionContrast = CONTRASTS.get(place.protocol.sequence, "UNKNOWN")
    override(dataset, place.protocol.header)
    dataset.NumberOfFrames = sum(len(volume.images) for volume in volumes)
    complete_image(dataset, volumes[0].technique, *place.keys)
    alone = len(volumes) == 1
    shared = {name: Sequence([group]) for name, group in common_groups(dataset).items()}
    shared |= groups[0] if alone else {}
    times = frame_times(dataset)
    dataset.SharedFunctionalGroupsSequence = Sequence([item(**shared)])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        _frame(stack, number, position, times, {} if alone else groups[stack - 1])
        for stack, volume in enumerate(volumes, 1)
        for number, position in enumerate(volume.plan.positions, 1)
    )
    dataset.PixelData = b"".join(_stored(volume, image) for volume in volumes for image in volume.images)
    return dataset


def _stored(volume: Volume, image: NDArray[Any]) -> bytes:
    if isinstance(volume.technique, CtTechnique):
        image = image.astype(np.int16) - np.int16(float(volume.template.RescaleIntercept))
    return image.astype("<i2" if volume.template.PixelRepresentation else "<u2").tobytes()


def _groups(place: SeriesPlace, volume: Volume) -> dict[str, Sequence]:
    """Return the functional groups that the frames of a volume share."""
    plan, template = volume.plan, volume.template
    measures = item(SliceThickness=plan.thickness_mm, PixelSpacing=[plan.pixel_mm, plan.pixel_mm])
    if "SpacingBetweenSlices" in template:
        measures.SpacingBetweenSlices = place.protocol.spacing_mm
    orientation = [float(value) for value in (*plan.row, *plan.column)]
    groups = {
        "PixelMeasuresSequence": measures,
        "PlaneOrientationSequence": item(ImageOrientationPatient=orientation),
    }
    if isinstance(volume.technique, CtTechnique):
        groups |= _ct_groups(template)
        complete_ct(groups, template, plan, *place.keys)
    else:
        groups |= _mr_groups(volume.technique)
        complete_mr(groups, volume.technique, template.ReceiveCoilName, plan.shape)
    for group in groups.values():
        override(group, tuple((word, value) for word, value in volume.header if word in group))
    return {name: Sequence([group]) for name, group in groups.items()}


def _ct_groups(template: Dataset) -> dict[str, Dataset]:
    return {
        "CTReconstructionSequence": item(ConvolutionKernel=template.ConvolutionKernel),
        "CTXRayDetailsSequence": item(KVP=float(template.KVP)),
        "PixelValueTransformationSequence": item(
            RescaleSlope="1", RescaleIntercept=template.RescaleIntercept, RescaleType="HU"
        ),
        "FrameVOILUTSequence": item(WindowCenter="40", WindowWidth="400"),
    }


def _mr_groups(technique: MrTechnique) -> dict[str, Dataset]:
    modifier = item(InversionRecovery="YES" if technique.ti_ms else "NO")
    if technique.ti_ms:
        modifier.InversionTimes = technique.ti_ms
    groups = {
        "MRImagingModifierSequence": item(PixelBandwidth=technique.bandwidth_hz),
        "MRTimingAndRelatedParametersSequence": item(
            RepetitionTime=technique.tr_ms,
            FlipAngle=technique.flip_deg,
            EchoTrainLength=technique.echo_train,
        ),
        "MREchoSequence": item(EffectiveEchoTime=technique.te_ms),
        "MRModifierSequence": modifier,
    }
    if technique.b_s_mm2:
        groups["MRDiffusionSequence"] = item(
            DiffusionBValue=float(technique.b_s_mm2), DiffusionDirectionality="ISOTROPIC"
        )
    return groups


def _frame(
    stack: int,
    number: int,
    position: NDArray[np.float64],
    times: dict[str, Any],
    groups: dict[str, Sequence],
) -> Dataset:
    content = item(
        StackID=str(stack), InStackPositionNumber=number, DimensionIndexValues=[stack, number], **times
    )
    plane = item(ImagePositionPatient=[float(value) for value in position])
    return item(FrameContentSequence=Sequence([content]), PlanePositionSequence=Sequence([plane]), **groups)
