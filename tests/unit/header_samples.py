"""DICOM files for the header tests: small ones made here, and where the real ones lie."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom.data
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

KEY = b"a key of thirty-two bytes in all"
PYDICOM_FILES = Path(pydicom.data.__file__).parent
REAL_FILES = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"


class MemoryBlob:
    """Bytes as a blob that counts how often it is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self.data[offset : offset + length]

    def close(self) -> None: ...

    def __enter__(self) -> MemoryBlob:
        return self

    def __exit__(self, *exception: object) -> None: ...


def image(sop_class: str = MRImageStorage, **attributes: Any) -> Dataset:
    """Make a 4 x 4 image with the few attributes that every image has."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["instance"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    dataset.Modality = "CT" if sop_class == CTImageStorage else "MR"
    dataset.PatientID = "P-1"
    dataset.Rows = dataset.Columns = 4
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.ImagePositionPatient = [1.5, -2, 3]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    if "PixelData" not in attributes:
        dataset.PixelData = bytes(32 * int(attributes.get("NumberOfFrames", 1)))
    return dataset


def encoded(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a dataset as a DICOM file in a transfer syntax."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset["PixelData"].VR = "OW"
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def pydicom_files() -> list[Path]:
    """List the test files that pydicom's wheel ships, DICOM or not."""
    return sorted(
        path
        for folder in ("test_files", "charset_files")
        for path in (PYDICOM_FILES / folder).rglob("*")
        if path.is_file()
    )


def real_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the real scans beside the repository, members of zip files included."""
    for path in sorted(REAL_FILES.rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if not name.endswith("/"):
                        yield f"{path.name}!{name}", archive.read(name)
        elif path.is_file() and path.suffix not in (".png", ".gz", ".csv"):
            yield str(path.relative_to(REAL_FILES)), path.read_bytes()
