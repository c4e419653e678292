"""The archive that the header benchmark reads: series as they come from scanners, with small pixels.

Files have 80 to 150 elements, with private ones and sequences; vendor, modality and transfer syntax alternate
from series to series. Nothing in it is of a person.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Final

from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

SERIES_FILES: Final = 100
SIDE: Final = 64
SYNTAXES: Final = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.JPEG2000Lossless,
    uid.ExplicitVRLittleEndian,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.RLELossless,
)


def write_archive(folder: Path, count: int) -> list[str]:
    """Write series of alternating vendor, modality and transfer syntax; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        series, slice_number = divmod(number, SERIES_FILES)
        if not slice_number:
            dataset = _series(series)
        _set_slice(dataset, slice_number)
        name = folder / f"{series:04d}-{slice_number:04d}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(name, enforce_file_format=True)
        names.append(str(name))
    return names


def _series(number: int) -> Dataset:
    """Make what the slices of a series share."""
    syntax = SYNTAXES[number % len(SYNTAXES)]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    for keyword in COMMON:
        setattr(dataset, keyword, COMMON[keyword])
    mr = number % 2
    for keyword, value in (MR if mr else CT).items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = uid.MRImageStorage if mr else uid.CTImageStorage
    dataset.StudyInstanceUID = uid.generate_uid()
    dataset.SeriesInstanceUID = uid.generate_uid()
    dataset.FrameOfReferenceUID = uid.generate_uid()
    dataset.SeriesNumber = number
    _add_sequences(dataset)
    _add_private(dataset, 15 if number % 3 else 36)
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


def _add_private(dataset: Dataset, count: int) -> None:
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "0")
    others = dataset.private_block(0x0029, "SOME VENDOR 01", create=True)
    for element in range(count):
        vr, value = (("LO", "a private text"), ("DS", "1.25"), ("US", 3), ("OB", bytes(64)))[element % 4]
        others.add_new(element, vr, value)


def _set_slice(dataset: Dataset, number: int) -> None:
    """Set what differs from slice to slice."""
    dataset.SOPInstanceUID = uid.generate_uid()
    dataset.InstanceNumber = number + 1
    dataset.ImagePositionPatient = [-125.5, -130.25, -300 + 2.5 * number]
    dataset.SliceLocation = -300 + 2.5 * number
    dataset.AcquisitionTime = dataset.ContentTime = f"1203{number % 60:02d}.{number:06d}"
    dataset.WindowCenter, dataset.WindowWidth = 40 + number, 400 + number


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
    "Manufacturer": "GE MEDICAL SYSTEMS",
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
    "Manufacturer": "SIEMENS",
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
