"""Small DICOM archives on disk: images of 8 x 8 voxels with complete headers."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROOT_UID = "1.2.826.0.1.3680043.8.498"
SIDE = 8


def image(series: int, number: int, patient: str = "P1") -> Dataset:
    """Make a CT slice; series and number give its UIDs and its place."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{ROOT_UID}.{series}.{number}"
    dataset.StudyInstanceUID = f"{ROOT_UID}.1"
    dataset.SeriesInstanceUID = f"{ROOT_UID}.{series}"
    dataset.PatientID = patient
    dataset.Modality = "CT"
    dataset.InstanceNumber = number
    dataset.SeriesDescription = "Thorax"
    dataset.ImagePositionPatient = [0, 0, float(number)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [1, 1]
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = bytes([number % 256]) * (2 * SIDE * SIDE)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def write_image(path: Path, dataset: Dataset) -> Path:
    """Write a DICOM file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, series: int, count: int) -> list[Path]:
    """Write the slices of a series as `IM0000`, `IM0001`, ..."""
    return [write_image(folder / f"IM{n:04d}", image(series, n)) for n in range(count)]


def write_archive(folder: Path) -> Path:
    """Write two series, a duplicate, an edited duplicate, and files that are no images."""
    write_series(folder / "one", 2, 25)
    write_series(folder / "two" / "deep", 3, 12)
    (folder / "two" / "copy").write_bytes((folder / "one" / "IM0003").read_bytes())
    edited = image(2, 4)
    edited.SeriesDescription = "Other"
    write_image(folder / "two" / "edited", edited)
    (folder / "two" / "empty").touch()
    (folder / "notes.txt").write_text("not DICOM")
    return folder


def pack(folder: Path, archive: Path) -> Path:
    """Pack a folder into a zip or tar file, by the archive's suffix."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in paths:
                packed.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as packed_tar:
            for path in paths:
                packed_tar.add(path, path.relative_to(folder))
    return archive
