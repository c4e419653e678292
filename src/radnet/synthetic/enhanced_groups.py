"""The elements that enhanced CT and MR objects must have and that no stage reads.

Enhanced objects are strict: hundreds of elements are demanded of an original image. Those that tell nothing
of what is imaged are the same in every synthetic object; they stand here, apart from those that matter
(`radnet.synthetic.enhanced`).

Source: DICOM PS3.3 A.36 and A.38 with the modules and functional groups that they name.
"""

from __future__ import annotations

from typing import Any, Final

from pydicom.dataset import Dataset

from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.identity import uid
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.signal import PROTON_MHZ_PER_T, MrTechnique

FRAME_MS: Final = 500.0
"""How long a frame takes to acquire."""
SERIAL_NUMBER: Final = "1234"
TYPE_VALUES: Final = 4
"""Values of ImageType and FrameType."""
_WHOLE_BODY: Final = ("38266002", "Entire body")
REGION_CODES: Final[dict[str, tuple[str, str]]] = {
    "BRAIN": ("12738006", "Brain"),
    "HEAD": ("69536005", "Head"),
    "NECK": ("45048000", "Neck"),
    "CHEST": ("816094009", "Chest"),
    "BREAST": ("76752008", "Breast"),
    "ABDOMEN": ("818981001", "Abdomen"),
    "LIVER": ("10200004", "Liver"),
    "PELVIS": ("816092008", "Pelvis"),
}
"""SNOMED CT code of a BodyPartExamined (PS3.16 annex L), which says no more and no less."""

_IMAGE: Final = {
    "PresentationLUTShape": "IDENTITY",
    "LossyImageCompression": "00",
    "BurnedInAnnotation": "NO",
    "ContentQualification": "PRODUCT",
    "DeviceSerialNumber": SERIAL_NUMBER,
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
}
_MR_IMAGE: Final = {
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "ApplicableSafetyStandardAgency": "IEC",
    "ComplexImageComponent": "MAGNITUDE",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "SaturationRecovery": "NO",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "NumberOfKSpaceTrajectories": 1,
}
_MOVED_WORDS: Final = (
    "AcquisitionDate",
    "AcquisitionTime",
    "ImagingFrequency",
    "ImagedNucleus",
    "ReceiveCoilName",
    "Laterality",
)
"""Elements of classic images that enhanced ones have in another place."""


def complete_image(dataset: Dataset, technique: CtTechnique | MrTechnique, *keys: int | str) -> None:
    """Add what the object itself must have.

    Args:
        dataset: The object with its ImageType and dates, changed in place.
        technique: How its images were made.
        keys: What its identifiers are derived from.
    """
    started = dataset.AcquisitionDate + dataset.AcquisitionTime
    for keyword in _MOVED_WORDS:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.AcquisitionDateTime = started
    dataset.AcquisitionDuration = FRAME_MS / 1000 * int(dataset.NumberOfFrames)
    dataset.ImageType = four_values(dataset.ImageType)
    dataset.AcquisitionContextSequence = []
    _set(dataset, _IMAGE)
    if isinstance(technique, MrTechnique):
        _set(dataset, _MR_IMAGE)
        dataset.PulseSequenceName = technique.family[:16]
        dataset.EchoPlanarPulseSequence = "YES" if technique.b_s_mm2 else "NO"
        dataset.SpectrallySelectedSuppression = "FAT" if technique.fat_saturated else "NONE"
        if dataset.get("MRAcquisitionType") == "3D":
            dataset.CoverageOfKSpace = "FULL"
    _add_dimensions(dataset, uid("dimensions", *keys))


def four_values(words: Any) -> list[str]:
    """Return an ImageType as enhanced objects have it: kind, kind of examination, flavour, derivation."""
    kept = [str(word) for word in words][: TYPE_VALUES - 1]
    kept += ["NONE"] * (TYPE_VALUES - 1 - len(kept))
    return [*kept, "NONE" if kept[0] == "ORIGINAL" else "UNSPECIFIED"]


def common_groups(dataset: Dataset) -> dict[str, Dataset]:
    """Return the groups that all frames of an object share.

    Args:
        dataset: The object, complete.
    """
    value, meaning = REGION_CODES.get(str(dataset.get("BodyPartExamined")), _WHOLE_BODY)
    region = item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)
    is_mr = "ResonantNucleus" in dataset
    words = ["PixelPresentation", "VolumetricProperties", "VolumeBasedCalculationTechnique"]
    words += ["ComplexImageComponent", "AcquisitionContrast"] if is_mr else []
    kind = item(FrameType=list(dataset.ImageType), **{word: dataset.get(word) for word in words})
    return {
        "FrameAnatomySequence": item(FrameLaterality="U", AnatomicRegionSequence=[region]),
        "MRImageFrameTypeSequence" if is_mr else "CTImageFrameTypeSequence": kind,
    }


def frame_times(dataset: Dataset) -> dict[str, Any]:
    """Return the times of a frame's content; all frames of an object bear its own."""
    started = dataset.AcquisitionDateTime
    return {
        "FrameReferenceDateTime": started,
        "FrameAcquisitionDateTime": started,
        "FrameAcquisitionDuration": FRAME_MS,
    }


def complete_mr(
    groups: dict[str, Dataset], technique: MrTechnique, coil: str, shape: tuple[int, int]
) -> None:
    """Add what the functional groups of an MR volume must have.

    Args:
        groups: As `enhanced` makes them, changed in place.
        technique: How the images were made.
        coil: Name of the receive coil.
        shape: Rows and columns.
    """
    _set(
        groups["MRImagingModifierSequence"],
        {
            "MagnetizationTransfer": "NONE",
            "BloodSignalNulling": "NO",
            "Tagging": "NONE",
            "TransmitterFrequency": PROTON_MHZ_PER_T * technique.field_t,
        },
    )
    spin = technique.family != "gradient_echo"
    timing = groups["MRTimingAndRelatedParametersSequence"]
    timing.RFEchoTrainLength = technique.echo_train if spin else 0
    timing.GradientEchoTrainLength = 0 if spin else technique.echo_train
    timing.OperatingModeSequence = [
        item(OperatingModeType=kind, OperatingMode="IEC_NORMAL")
        for kind in ("STATIC FIELD", "RF", "GRADIENT")
    ]
    timing.GradientOutputType = "DB_DT"
    timing.GradientOutput = 0.0
    timing.SpecificAbsorptionRateSequence = [
        item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=0.5)
    ]
    _set(
        groups["MRModifierSequence"],
        {
            "FlowCompensation": "NONE",
            "SpectrallySelectedExcitation": "NONE",
            "SpatialPresaturation": "NONE",
            "PartialFourier": "NO",
            "ParallelAcquisition": "NO",
            "T2Preparation": "NO",
        },
    )
    groups["MRAveragesSequence"] = item(NumberOfAverages="1")
    groups["MRFOVGeometrySequence"] = item(
        InPlanePhaseEncodingDirection="ROW",
        MRAcquisitionFrequencyEncodingSteps=shape[1],
        MRAcquisitionPhaseEncodingStepsInPlane=shape[0],
        MRAcquisitionPhaseEncodingStepsOutOfPlane=1,
        PercentSampling="100",
        PercentPhaseFieldOfView="100",
    )
    groups["MRReceiveCoilSequence"] = item(
        ReceiveCoilName=coil,
        ReceiveCoilManufacturerName="",
        ReceiveCoilType="SURFACE" if technique.surface_coil else "VOLUME",
        QuadratureReceiveCoil="YES",
    )
    groups["MRTransmitCoilSequence"] = item(
        TransmitCoilName="Body", TransmitCoilManufacturerName="", TransmitCoilType="BODY"
    )
    groups["PixelValueTransformationSequence"] = item(
        RescaleSlope="1", RescaleIntercept="0", RescaleType="US"
    )


def complete_ct(groups: dict[str, Dataset], template: Dataset, plan: Prescription, *keys: int | str) -> None:
    """Add what the functional groups of a CT volume must have.

    Args:
        groups: As `enhanced` makes them, changed in place.
        template: The classic template, from which the scanner's settings are taken.
        plan: Where the slices lie.
        keys: What its identifiers are derived from.
    """
    rows, columns = plan.shape
    middle = (
        plan.positions.mean(0) + (plan.column * (rows - 1) + plan.row * (columns - 1)) / 2 * plan.pixel_mm
    )
    centre = [round(float(value), 4) for value in middle]
    _set(
        groups["CTReconstructionSequence"],
        {
            "ReconstructionAlgorithm": "FILTER_BACK_PROJ",
            "ConvolutionKernelGroup": "SOFT_TISSUE",
            "ReconstructionDiameter": template.ReconstructionDiameter,
            "ReconstructionPixelSpacing": [plan.pixel_mm, plan.pixel_mm],
            "ReconstructionAngle": 360.0,
            "ImageFilter": "NONE",
        },
    )
    _set(
        groups["CTXRayDetailsSequence"],
        {"FocalSpots": "0.6", "FilterType": "FLAT", "FilterMaterial": "ALUMINUM"},
    )
    groups["CTAcquisitionTypeSequence"] = item(
        AcquisitionType="SPIRAL", ConstantVolumeFlag="NO", FluoroscopyFlag="NO"
    )
    groups["CTAcquisitionDetailsSequence"] = item(
        RotationDirection="CW",
        RevolutionTime=0.5,
        SingleCollimationWidth=0.625,
        TotalCollimationWidth=40.0,
        TableHeight=float(template.TableHeight),
        GantryDetectorTilt=float(template.GantryDetectorTilt),
        DataCollectionDiameter=float(template.DataCollectionDiameter),
    )
    groups["CTTableDynamicsSequence"] = item(
        TableSpeed=80.0, TableFeedPerRotation=40.0, SpiralPitchFactor=1.0
    )
    groups["CTPositionSequence"] = item(
        TablePosition=0.0, ReconstructionTargetCenterPatient=centre, DataCollectionCenterPatient=centre
    )
    groups["CTGeometrySequence"] = item(
        DistanceSourceToDetector=1040.0, DistanceSourceToDataCollectionCenter=570.0
    )
    current, time_ms = float(template.XRayTubeCurrent), float(template.ExposureTime)
    groups["CTExposureSequence"] = item(
        ExposureTimeInms=time_ms,
        XRayTubeCurrentInmA=current,
        ExposureInmAs=current * time_ms / 1000,
        ExposureModulationType="NONE",
        CTDIvol=10.0,
    )
    groups["IrradiationEventIdentificationSequence"] = item(IrradiationEventUID=uid("irradiation", *keys))


def _add_dimensions(dataset: Dataset, organization: str) -> None:
    """Say by what the frames are ordered: stack, then place in the stack."""
    content = 0x00209111  # FrameContentSequence
    dataset.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=content,
        )
        for pointer in (0x00209056, 0x00209057)  # StackID, InStackPositionNumber
    ]


def _set(dataset: Dataset, elements: dict[str, Any]) -> None:
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)


def item(**elements: object) -> Dataset:
    """Return a data set of some elements."""
    result = Dataset()
    _set(result, elements)
    return result
