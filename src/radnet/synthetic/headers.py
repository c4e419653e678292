"""Write the headers of classic CT and MR images: one template a series, a few elements a slice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from radnet.synthetic import dialects
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.identity import (
    ACCESSION_PREFIX,
    ADDRESS,
    INSTITUTION,
    PHYSICIAN,
    SCRIPT_NAMES,
    Person,
    uid,
)
from radnet.synthetic.planning import TILT_DEG, TIMES
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.protocols import Elements, Exam, Protocol, Syntax, Trap
from radnet.synthetic.signal import PROTON_MHZ_PER_T, MrTechnique

FIRST_DAY: Final = date(2012, 3, 5)
STUDY_S: Final = 30000
FIRST_SERIES_S: Final = 30600
SERIES_S: Final = 180
"""From the start of one series to the next, seconds."""
HU_OFFSET: Final = 1024
"""Added to CT numbers before they are stored without a sign."""
UNSHIFTED: Final = ("toshiba", "canon")
"""Vendors that store CT numbers as they are, with a sign."""
UNPAIRED: Final = (
    "BRAIN",
    "HEAD",
    "NECK",
    "CHEST",
    "ABDOMEN",
    "LIVER",
    "PELVIS",
    "CSPINE",
    "LSPINE",
    "WHOLEBODY",
)
"""Body parts of which there is one: for all others a series must say its side, or that it does not."""
LONG_STRING: Final = 64
"""Characters of a description (PS3.5, LO)."""
SYNTAXES: Final[dict[Syntax, UID]] = {
    "bare": ImplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big_endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
"""Transfer syntaxes that store pixels as they are; the others are made by `series.encode`."""
GE_PADDING: Final = -2000
"""Stored value outside a GE scanner's round field."""


@dataclass(frozen=True, slots=True)
class SeriesPlace:
    """Whose series it is and where it stands.

    Attributes:
        person: The patient.
        exam: The study.
        protocol: The series.
        keys: Seed, patient, study and series number: what its identifiers are derived from.
    """

    person: Person
    exam: Exam
    protocol: Protocol
    keys: tuple[int, int, int, int]

    @property
    def series_uid(self) -> UID:
        """SeriesInstanceUID."""
        return dialects.vendor_uid(self.exam.vendor, "series", *self.keys)

    def instance_uid(self, number: int) -> UID:
        """SOPInstanceUID of the instance with a number."""
        return dialects.vendor_uid(self.exam.vendor, "instance", *self.keys, number)

    @property
    def started_s(self) -> int:
        """When the acquisition began, seconds of the day."""
        return FIRST_SERIES_S + SERIES_S * (self.keys[3] - self.protocol.shares)


def template(place: SeriesPlace, technique: CtTechnique | MrTechnique, plan: Prescription) -> Dataset:
    """Make the elements that all slices of a series share.

    Args:
        place: Patient, study and series.
        technique: How the images were made; may differ from the protocol's, e.g. for another echo.
        plan: Where the slices lie.
    """
    dataset = Dataset()
    dataset.SpecificCharacterSet = place.exam.charset.split("\\")
    _add_patient(dataset, place)
    _add_study(dataset, place)
    _add_series(dataset, place, plan)
    if isinstance(technique, CtTechnique):
        _add_ct(dataset, place, technique, plan)
    else:
        _add_mr(dataset, place, technique)
    if technique.contrast:
        _add_contrast(dataset, place.exam)
    _add_pixel_format(dataset, place, plan)
    override(dataset, (*place.exam.header, *place.protocol.header))
    if dataset.get("BodyPartExamined") not in UNPAIRED:
        dataset.setdefault("Laterality", "")
    return dataset


def override(dataset: Dataset, elements: Elements) -> None:
    """Write elements over those that are there; None leaves one out."""
    for keyword, value in elements:
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)


def file_meta(place: SeriesPlace, sop_class: UID) -> FileMetaDataset:
    """Make the file meta information of a series."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = SYNTAXES.get(syntax_of(place.protocol), ExplicitVRLittleEndian)
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "RADNET_SYNTH"
    return meta


def syntax_of(protocol: Protocol) -> Syntax:
    """Return the transfer syntax in which a series is stored."""
    by_trap: dict[Trap, Syntax] = {
        "implicit_vr": "implicit",
        "scout": "deflated",
        "jpeg2000": "jpeg_2000",
        "rle": "rle",
    }
    return protocol.syntax or by_trap.get(protocol.trap, "")


def set_slice(dataset: Dataset, place: SeriesPlace, plan: Prescription, index: int, number: int) -> None:
    """Set the elements of one slice.

    Args:
        dataset: The template, changed in place.
        place: Patient, study and series.
        plan: Where the slices lie.
        index: Of the slice in the plan.
        number: Of the instance in the series, from 1.
    """
    position = plan.positions[index]
    dataset.SOPInstanceUID = place.instance_uid(number)
    dataset.InstanceNumber = number
    if place.protocol.trap != "no_position":
        dataset.ImagePositionPatient = [_ds(value) for value in position]
        dataset.SliceLocation = _ds(float(position @ plan.normal))
    dataset.AcquisitionTime = _clock(place.started_s + index // 4)
    dataset.ContentTime = _clock(FIRST_SERIES_S + SERIES_S * place.keys[3] + number // 4)
    if place.protocol.storage == "pairs":
        dataset.AcquisitionNumber = index // 2 + 1
    if place.protocol.trap == "time_series":
        dataset.TemporalPositionIdentifier = index * TIMES // len(plan.positions) + 1
        dataset.NumberOfTemporalPositions = TIMES
        dataset.AcquisitionNumber = int(dataset.TemporalPositionIdentifier)


def set_pixels(dataset: Dataset, place: SeriesPlace, image: NDArray[np.int16] | NDArray[np.uint16]) -> None:
    """Store an image: CT numbers in HU as the vendor codes them, MR as it is."""
    if place.exam.modality == "CT":
        stored = image.astype(np.int16) - np.int16(float(dataset.RescaleIntercept))
        if "PixelPaddingValue" in dataset:
            rows, columns = (np.linspace(-1, 1, n) for n in image.shape)
            stored[rows[:, None] ** 2 + columns[None] ** 2 > 1] = GE_PADDING
        image = stored
    order = ">" if syntax_of(place.protocol) == "big_endian" else "<"
    dataset.PixelData = image.astype(f"{order}i2" if dataset.PixelRepresentation else f"{order}u2").tobytes()


def _add_patient(dataset: Dataset, place: SeriesPlace) -> None:
    person = place.person
    dataset.PatientName = SCRIPT_NAMES.get(place.exam.charset, person.name)
    dataset.PatientID = person.patient_id
    dataset.PatientBirthDate = person.birth_date
    dataset.PatientSex = person.sex
    dataset.PatientAddress = ADDRESS
    dataset.PatientIdentityRemoved = "NO"


def _add_study(dataset: Dataset, place: SeriesPlace) -> None:
    seed, patient, study, _ = place.keys
    day = FIRST_DAY + timedelta(days=(seed * 37 + patient * 11 + study) % 2000)
    dataset.StudyInstanceUID = uid("study", *place.keys[:3])
    dataset.StudyID = str(study + 1)
    dataset.AccessionNumber = f"{ACCESSION_PREFIX}{patient:03d}{study}"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = f"{day:%Y%m%d}"
    dataset.StudyTime = _clock(STUDY_S)
    dataset.StudyDescription = place.exam.study
    dataset.ReferringPhysicianName = f"{PHYSICIAN}^R"
    dataset.InstitutionName = INSTITUTION
    dataset.Manufacturer, dataset.ManufacturerModelName = dialects.DEVICES[
        place.exam.modality, place.exam.vendor
    ]
    dataset.SoftwareVersions = "synthetic"


def _add_series(dataset: Dataset, place: SeriesPlace, plan: Prescription) -> None:
    exam, protocol = place.exam, place.protocol
    number = place.keys[3] + 1
    dataset.SOPClassUID = CTImageStorage if exam.modality == "CT" else MRImageStorage
    dataset.Modality = exam.modality
    dataset.SeriesInstanceUID = place.series_uid
    dataset.SeriesNumber = number
    dataset.SeriesTime = _clock(place.started_s)
    # in MR it is 1 for most series
    dataset.AcquisitionNumber = number - protocol.shares if exam.modality == "CT" else 1
    if protocol.trap != "no_description":
        dataset.SeriesDescription = protocol.description
    dataset.ProtocolName = (protocol.name or protocol.description or exam.study)[:LONG_STRING]
    if exam.body_part is not None:
        dataset.BodyPartExamined = exam.body_part
    dataset.ImageType = dialects.image_type(exam.modality, exam.vendor, protocol)
    dataset.PatientPosition = "HFP" if exam.body_part == "BREAST" else "HFS"
    dataset.FrameOfReferenceUID = uid("frame", *place.keys[:3])
    dataset.PositionReferenceIndicator = ""
    if protocol.trap != "no_position":
        dataset.ImageOrientationPatient = [_ds(value) for value in (*plan.row, *plan.column)]
    dataset.PixelSpacing = [_ds(plan.pixel_mm)] * 2
    dataset.SliceThickness = _ds(plan.thickness_mm)


def _add_ct(dataset: Dataset, place: SeriesPlace, technique: CtTechnique, plan: Prescription) -> None:
    vendor, protocol = place.exam.vendor, place.protocol
    dataset.KVP = str(technique.kvp)
    dataset.ScanOptions = "SCOUT MODE" if protocol.trap == "scout" else "HELICAL MODE"
    dataset.DataCollectionDiameter = "500"
    dataset.ReconstructionDiameter = _ds(plan.pixel_mm * plan.shape[0])
    dataset.GantryDetectorTilt = _ds(TILT_DEG) if protocol.trap == "gantry_tilt" else "0"
    dataset.TableHeight = "150"
    dataset.ExposureTime = "500"
    dataset.XRayTubeCurrent = str(round(2400 / technique.noise_hu))
    dataset.ConvolutionKernel = dialects.KERNELS[vendor][technique.kernel]
    dataset.RescaleSlope = "1"
    dataset.RescaleIntercept = "0" if vendor in UNSHIFTED else str(-HU_OFFSET)
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    dialects.add_private(dataset, vendor, technique)


def _add_mr(dataset: Dataset, place: SeriesPlace, technique: MrTechnique) -> None:
    vendor, protocol = place.exam.vendor, place.protocol
    words = dialects.MR_WORDS[vendor][dialects.pulse(technique, protocol.sequence)]
    unknown = protocol.trap == "unknown_sequence"
    dataset.ScanningSequence = ["RM"] if unknown else list(words.scanning)
    dataset.SequenceVariant = ["NONE"] if unknown else list(words.variant)
    dataset.ScanOptions = [*words.options, "FS"] if technique.fat_saturated else list(words.options)
    dataset.MRAcquisitionType = "3D" if protocol.sequence in ("gre_t1", "dynamic") else "2D"
    if vendor == "siemens":
        dataset.SequenceName = dialects.sequence_name(technique, protocol.sequence)
    dataset.RepetitionTime = None if unknown else _ds(technique.tr_ms)
    dataset.EchoTime = None if unknown else _ds(technique.te_ms)
    if technique.ti_ms is not None:
        dataset.InversionTime = _ds(technique.ti_ms)
    dataset.FlipAngle = _ds(technique.flip_deg)
    dataset.PixelBandwidth = _ds(technique.bandwidth_hz)
    dataset.NumberOfAverages = "1"
    dataset.MagneticFieldStrength = _ds(technique.field_t)
    dataset.ImagingFrequency = _ds(round(PROTON_MHZ_PER_T * technique.field_t, 3))
    dataset.ImagedNucleus = "1H"
    dataset.EchoNumbers = 1
    dataset.EchoTrainLength = technique.echo_train
    dataset.SpacingBetweenSlices = _ds(protocol.spacing_mm)
    dataset.ReceiveCoilName = "Spine" if technique.surface_coil else "Body"
    dialects.add_private(dataset, vendor, technique, protocol.sequence)


def _add_contrast(dataset: Dataset, exam: Exam) -> None:
    dataset.ContrastBolusAgent = exam.agent
    dataset.ContrastBolusRoute = "IV"
    dataset.ContrastBolusVolume = "100" if exam.modality == "CT" else "15"


def _add_pixel_format(dataset: Dataset, place: SeriesPlace, plan: Prescription) -> None:
    ct = place.exam.modality == "CT"
    signed = ct and place.exam.vendor in ("ge", *UNSHIFTED)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = plan.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16 if signed else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(signed)
    if ct and place.exam.vendor == "ge":
        dataset.add_new("PixelPaddingValue", "SS", GE_PADDING)


def _ds(value: float) -> str:
    """Write a decimal string: at most 16 characters, 8 digits after the point."""
    return f"{value + 0.0:.8f}"[:16].rstrip("0").rstrip(".")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.000000"
