"""Files that lie in every real archive and are no image of a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    SecondaryCaptureImageStorage,
)

from radnet.synthetic.identity import ACCESSION_PREFIX, PHYSICIAN, Person, uid
from radnet.synthetic.series import encode

CAPTURE_SIZE: Final = 64
TRUNCATED_SHARE: Final = 0.6
"""How much of a file is left when it is cut off."""


def write_oddities(folder: Path, image: Path, person: Person, seed: int) -> dict[str, str]:
    """Write one file of each kind.

    Args:
        folder: Root of the archive.
        image: A good image file of the archive, to copy and to cut off.
        person: Whose report and screen save they are.
        seed: Of the archive.

    Returns:
        Kind of each file by its path relative to the root.
    """
    content = image.read_bytes()
    contents = {
        "README.txt": ("text", f"Exported for Dr {PHYSICIAN}, see {ACCESSION_PREFIX}.\n".encode()),
        "DICOMDIR": ("directory", _directory(seed)),
        "reports/SR000001.dcm": ("structured_report", _report(person, seed)),
        "captures/screen": ("secondary_capture", _capture(person, seed)),
        "partial/IM00001.dcm": ("truncated", _truncated(image, seed)),
        "partial/IM00002.dcm": ("empty", b""),
        "copies/Copy of image.dcm": ("duplicate", content),
    }
    for name, (_, data) in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {name: kind for name, (kind, _) in contents.items()}


def _truncated(image: Path, seed: int) -> bytes:
    """Return a file of a series of its own that ends within its pixels."""
    dataset = dcmread(image)
    dataset.SOPInstanceUID = uid("truncated", seed)
    dataset.SeriesInstanceUID = uid("truncated series", seed)
    data = encode(dataset, dataset.file_meta)
    return data[: int(len(data) * TRUNCATED_SHARE)]


def _directory(seed: int) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID = MediaStorageDirectoryStorage
    dataset.SOPInstanceUID = uid("directory", seed)
    dataset.FileSetID = "SYNTHETIC"
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.FileSetConsistencyFlag = 0
    dataset.DirectoryRecordSequence = []
    return encode(dataset, _meta(MediaStorageDirectoryStorage))


def _report(person: Person, seed: int) -> bytes:
    dataset = _belonging(person, seed, "report", ComprehensiveSRStorage, "SR")
    dataset.ValueType = "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.ContentSequence = []
    return encode(dataset, _meta(ComprehensiveSRStorage))


def _capture(person: Person, seed: int) -> bytes:
    dataset = _belonging(person, seed, "capture", SecondaryCaptureImageStorage, "OT")
    dataset.SeriesDescription = "Screen Save"
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.ConversionType = "WSD"
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows = dataset.Columns = CAPTURE_SIZE
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    ramp = np.linspace(0, 255, CAPTURE_SIZE * CAPTURE_SIZE * 3, dtype=np.uint8)
    dataset.PixelData = ramp.tobytes()
    return encode(dataset, _meta(SecondaryCaptureImageStorage))


def _belonging(person: Person, seed: int, what: str, sop_class: UID, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = uid(what, seed)
    dataset.SeriesInstanceUID = uid(what, "series", seed)
    dataset.StudyInstanceUID = uid("study", seed, 0, 0)
    dataset.Modality = modality
    dataset.PatientName = person.name
    dataset.PatientID = person.patient_id
    dataset.PatientBirthDate = person.birth_date
    dataset.SeriesNumber = 999
    dataset.InstanceNumber = 1
    return dataset


def _meta(sop_class: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "RADNET_SYNTH"
    return meta
