"""The archive that the header benchmark reads: series as they come from scanners, with small pixels.

Files have 80 to 150 elements, with private ones and sequences; vendor, modality and transfer syntax change
from series to series. Between the slices of a series differ identity, position, times, exposure or window,
the images referred to and, by vendor, private values of up to twelve kilobytes; lengths vary with the values.
Nothing in it is of a person.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

SERIES_FILES: Final = 100
SIDE: Final = 64
SHADOW_GROUP: Final = 0x0029
SYNTAXES: Final = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.JPEG2000Lossless,
    uid.ExplicitVRLittleEndian,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.RLELossless,
)


class Vendor(NamedTuple):
    """How a maker's scanners fill what differs between makers.

    Attributes:
        name: Manufacturer.
        modality: CT or MR.
        uid_root: Before its UIDs, whose lengths vary behind it.
        creator: Of a private block of plain values.
        shadow_bytes: Least bytes of a private value that is new in every slice; 0 for none.
        shared_bytes: Bytes of a private value that all slices of a series share; 0 for none.
        digits: Decimals that positions are written with.
    """

    name: str
    modality: str
    uid_root: str
    creator: str
    shadow_bytes: int
    shared_bytes: int
    digits: int


VENDORS: Final = (
    Vendor("GE MEDICAL SYSTEMS", "CT", "1.2.840.113619.2.55.3.", "GEMS_ACQU_01", 0, 0, 4),
    Vendor("SIEMENS", "MR", "1.3.12.2.1107.5.2.", "SIEMENS CSA HEADER", 8_000, 60_000, 14),
    Vendor("SIEMENS", "CT", "1.3.12.2.1107.5.1.4.", "SIEMENS CT VA0 COAD", 600, 0, 3),
    Vendor("GE MEDICAL SYSTEMS", "MR", "1.2.840.113619.2.80.", "GEMS_PARM_01", 0, 0, 4),
    Vendor("Philips", "CT", "1.3.46.670589.33.1.", "ELSCINT1", 0, 0, 2),
    Vendor("Philips Medical Systems", "MR", "1.3.46.670589.11.", "Philips Imaging DD 001", 40, 0, 12),
    Vendor("TOSHIBA", "CT", "1.2.392.200036.9116.2.", "TOSHIBA_MEC_CT3", 16, 0, 1),
)


def write_archive(folder: Path, count: int) -> list[str]:
    """Write series of alternating vendor, modality and transfer syntax; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(1)
    names = []
    for number in range(count):
        series, slice_number = divmod(number, SERIES_FILES)
        vendor = VENDORS[series % len(VENDORS)]
        if not slice_number:
            dataset = _series(series, vendor, random)
        _set_slice(dataset, slice_number, vendor, random)
        name = folder / f"{series:04d}-{slice_number:04d}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(name, enforce_file_format=True)
        names.append(str(name))
    return names


def _uid(vendor: Vendor, random: Random) -> str:
    """Make a UID of one of many lengths."""
    return vendor.uid_root + ".".join(str(random.randrange(10 ** random.randint(2, 12))) for _ in range(3))


def _series(number: int, vendor: Vendor, random: Random) -> Dataset:
    """Make what the slices of a series share."""
    syntax = SYNTAXES[number // len(VENDORS) % len(SYNTAXES)]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    mr = vendor.modality == "MR"
    for keyword, value in {**COMMON, **(MR if mr else CT), "Manufacturer": vendor.name}.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = uid.MRImageStorage if mr else uid.CTImageStorage
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, _uid(vendor, random))
    dataset.SeriesNumber = number
    _add_sequences(dataset)
    _add_private(dataset, 15 if number % 3 else 36, vendor)
    pixels = os.urandom(2 * SIDE * SIDE)
    dataset.PixelData = encapsulate([pixels]) if syntax.is_compressed else pixels
    dataset["PixelData"].VR = "OB" if syntax.is_compressed else "OW"
    return dataset


def _add_sequences(dataset: Dataset) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = (
        "113691",
        "DCM",
        "IEC body dosimetry phantom",
    )
    reference = Dataset()
    reference.ReferencedSOPClassUID = uid.MRImageStorage
    reference.ReferencedSOPInstanceUID = uid.generate_uid()
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "SPS1", "RP1"
    request.ScheduledProtocolCodeSequence = [code]
    dataset.ProcedureCodeSequence = [code]
    dataset.ReferencedImageSequence = [reference] * 3
    dataset.ReferencedStudySequence = [reference]
    dataset.RequestAttributesSequence = [request]
    dataset["ReferencedImageSequence"].is_undefined_length = True


def _add_private(dataset: Dataset, count: int, vendor: Vendor) -> None:
    if vendor.name == "SIEMENS":
        dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "0")
    others = dataset.private_block(SHADOW_GROUP, vendor.creator, create=True)
    for element in range(0x30, 0x30 + count):
        vr, value = (("LO", "a private text"), ("DS", "1.25"), ("US", 3), ("OB", bytes(64)))[element % 4]
        others.add_new(element, vr, value)
    if vendor.shared_bytes:
        others.add_new(0x20, "OB", os.urandom(vendor.shared_bytes))


def _set_slice(dataset: Dataset, number: int, vendor: Vendor, random: Random) -> None:
    """Set what differs from slice to slice."""
    dataset.SOPInstanceUID = _uid(vendor, random)
    dataset.InstanceNumber = number + 1
    place = [
        round(value + random.random(), vendor.digits) for value in (-125.5, -130.25, -300 + 2.5 * number)
    ]
    if vendor.modality == "CT":  # moves along the table only
        place[:2] = [-125.5, -130.25]
    dataset.ImagePositionPatient = [str(value)[:16] for value in place]
    dataset.SliceLocation = str(place[2])[:16]
    moment = f"12{number // 60:02d}{number % 60:02d}.{random.randrange(10**6):06d}"
    dataset.InstanceCreationTime = dataset.ContentTime = moment
    dataset.AcquisitionTime = f"12{number // 4:04d}.5"
    dataset.SmallestImagePixelValue = random.randrange(8)
    dataset.LargestImagePixelValue = random.randrange(1000, 4096)
    if vendor.modality == "MR":
        dataset.WindowCenter, dataset.WindowWidth = random.randrange(80, 999), random.randrange(90, 2000)
        dataset.SAR = f"{random.random():.10g}"
    else:
        dataset.XRayTubeCurrent, dataset.Exposure = random.randrange(90, 600), random.randrange(9, 300)
    if vendor.shadow_bytes:
        size = vendor.shadow_bytes + 4 * random.randrange(vendor.shadow_bytes // 8)
        private = dataset.private_block(SHADOW_GROUP, vendor.creator)
        private.add_new(0x10, "OB", random.randbytes(size))
    for item in dataset.ReferencedImageSequence if vendor.modality == "MR" else ():
        item.ReferencedSOPInstanceUID = _uid(vendor, random)


COMMON: Final[dict[str, Any]] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "NORM"],
    "InstanceCreationDate": "20200102",
    "InstanceCreationTime": "120000.123000",
    "StudyDate": "20200102",
    "SeriesDate": "20200102",
    "AcquisitionDate": "20200102",
    "ContentDate": "20200102",
    "StudyTime": "115900",
    "SeriesTime": "120001.5",
    "AccessionNumber": "1234567",
    "InstitutionName": "General Hospital",
    "ReferringPhysicianName": "Nobody",
    "StationName": "SCANNER1",
    "StudyDescription": "Study of the whole body",
    "SeriesDescription": "Series with a long description 1.5 mm",
    "InstitutionalDepartmentName": "Radiology",
    "ManufacturerModelName": "Model 12",
    "PatientName": "Anonymous",
    "PatientID": "A-0001",
    "PatientBirthDate": "",
    "PatientSex": "O",
    "PatientAge": "050Y",
    "PatientSize": 1.75,
    "PatientWeight": 75,
    "PatientIdentityRemoved": "YES",
    "DeidentificationMethod": "none needed: synthetic",
    "BodyPartExamined": "ABDOMEN",
    "SliceThickness": 2.5,
    "DeviceSerialNumber": "4711",
    "SoftwareVersions": ["A", "B"],
    "ProtocolName": "A protocol",
    "ContrastBolusAgent": "Agent 300",
    "ContrastBolusRoute": "IV",
    "PatientPosition": "HFS",
    "StudyID": "1",
    "AcquisitionNumber": 1,
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PositionReferenceIndicator": "",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": SIDE,
    "Columns": SIDE,
    "PixelSpacing": [0.78125, 0.78125],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "SmallestImagePixelValue": 0,
    "LargestImagePixelValue": 4095,
    "WindowCenterWidthExplanation": "ALGO1",
    "RescaleIntercept": -1024,
    "RescaleSlope": 1,
    "LossyImageCompression": "00",
    "RequestedProcedureDescription": "A procedure",
    "PerformedProcedureStepStartDate": "20200102",
    "PerformedProcedureStepStartTime": "115900",
    "PerformedProcedureStepID": "PPS1",
    "PerformedProcedureStepDescription": "A step",
}
CT: Final[dict[str, Any]] = {
    "Modality": "CT",
    "ScanOptions": "HELICAL MODE",
    "KVP": 120,
    "DataCollectionDiameter": 500,
    "ReconstructionDiameter": 400,
    "GantryDetectorTilt": 0,
    "TableHeight": 150.5,
    "RotationDirection": "CW",
    "ExposureTime": 500,
    "XRayTubeCurrent": 300,
    "Exposure": 150,
    "FilterType": "BODY FILTER",
    "GeneratorPower": 36,
    "FocalSpots": [0.7],
    "ConvolutionKernel": "STANDARD",
    "SpiralPitchFactor": 0.984375,
}
MR: Final[dict[str, Any]] = {
    "Modality": "MR",
    "ScanningSequence": "SE",
    "SequenceVariant": ["SK", "SP"],
    "ScanOptions": ["PFP", "FS"],
    "MRAcquisitionType": "2D",
    "SequenceName": "*tse2d1_15",
    "AngioFlag": "N",
    "RepetitionTime": 4000,
    "EchoTime": 92,
    "NumberOfAverages": 2,
    "ImagingFrequency": 123.2,
    "ImagedNucleus": "1H",
    "EchoNumbers": 1,
    "MagneticFieldStrength": 3,
    "SpacingBetweenSlices": 3.3,
    "NumberOfPhaseEncodingSteps": 256,
    "EchoTrainLength": 15,
    "PercentSampling": 100,
    "PercentPhaseFieldOfView": 100,
    "PixelBandwidth": 200,
    "TransmitCoilName": "Body",
    "AcquisitionMatrix": [0, 256, 256, 0],
    "InPlanePhaseEncodingDirection": "ROW",
    "FlipAngle": 150,
    "VariableFlipAngleFlag": "N",
    "SAR": 1.25,
    "dBdt": 0,
}
