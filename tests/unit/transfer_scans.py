"""A small body with an organ, written as NIfTI in any orientation or as a DICOM series stored in any way."""

from __future__ import annotations

from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

SHAPE = (20, 40, 48)
SPACING_MM = (4.0, 3.0, 3.0)
ORGAN_HU = 120
CANARY = "Quillfeather^Ottoline"


def organ(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.uint8]:
    """An egg on the patient's right, in front, above the middle; nothing about it is symmetrical."""
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"), -1)
    away = (places - np.array([0.2, -0.15, -0.35])) / np.array([0.5, 0.55, 0.45])
    return (np.linalg.norm(away, axis=-1) < 1).astype(np.uint8)


def body(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.int16]:
    """HU of an elliptic body in air around the organ, with a ramp that tells every slice."""
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    values = np.where(x**2 / 0.81 + y**2 / 0.64 < 1, 20, -1000)
    values = np.where(organ(shape) > 0, ORGAN_HU, values)
    return (values + np.arange(shape[0])[:, None, None]).astype(np.int16)


def write_nifti(
    path: Path,
    values: NDArray[np.generic],
    spacing_mm: tuple[float, float, float] = SPACING_MM,
    codes: str = "LPS",
    turn: NDArray[np.float64] | None = None,
) -> Path:
    """Write (slice, row, column) values in the axial axes of `radnet.geometry`, stored along other axes."""
    lps = np.diag([spacing_mm[2], spacing_mm[1], spacing_mm[0], 1.0])
    lps[:3, 3] = -70.0, -60.0, 1500.0
    if turn is not None:
        lps = turn @ lps
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps
    stored = values.transpose(2, 1, 0)
    way = ornt_transform(io_orientation(affine), axcodes2ornt(tuple(codes)))
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = nib.orientations.apply_orientation(stored, way)
    nib.save(nib.Nifti1Image(turned, affine @ inv_ornt_aff(way, stored.shape)), path)
    return path


def write_dicom(
    folder: Path,
    values: NDArray[np.generic] | None = None,
    series: str = "1.2.4",
    patient: str = "CANARYMRN1",
    study: str = "1.2.3",
    modality: str = "CT",
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    downwards: bool = False,
    start: int = 0,
) -> list[Path]:
    """Write axial slices in HU, stored with rows and columns along any two of +-x and +-y."""
    values = body() if values is None else values
    row, column = np.reshape(np.array(orientation, float), (2, 3))
    planes = np.flip(
        values, [axis for axis, way in ((1, column + row), (2, row + column)) if way[2 - axis] < 0]
    )
    if abs(row[0]) < 0.5:
        planes = planes.swapaxes(1, 2)
    folder.mkdir(parents=True, exist_ok=True)
    first = np.array([-70.0, -60.0, 1500.0])
    first[0] += SPACING_MM[2] * (values.shape[2] - 1) * float((row + column)[0] < 0)
    first[1] += SPACING_MM[1] * (values.shape[1] - 1) * float((row + column)[1] < 0)
    paths = []
    for number, plane in enumerate(planes):
        dataset = Dataset()
        dataset.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
        dataset.SOPInstanceUID = f"{series}.{number + 1}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID, dataset.Modality = f"{study}.9", modality
        dataset.PatientName, dataset.PatientID = CANARY, patient
        dataset.PatientBirthDate, dataset.PatientSex = "19310704", "F"
        dataset.StudyDate = dataset.StudyTime = dataset.StudyID = dataset.AccessionNumber = ""
        dataset.ReferringPhysicianName = ""
        dataset.InstanceNumber = number + 1
        dataset.ImagePositionPatient = [first[0], first[1], first[2] + SPACING_MM[0] * number]
        dataset.ImageOrientationPatient = list(map(float, orientation))
        dataset.PixelSpacing = [SPACING_MM[1], SPACING_MM[2]]
        dataset.SliceThickness = SPACING_MM[0]
        dataset.Rows, dataset.Columns = plane.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset.PixelData = np.ascontiguousarray(plane, "<i2").tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        order = len(planes) - 1 - number if downwards else number
        path = folder / f"i{start + order:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_png(folder: Path, mask: NDArray[np.uint8], downwards: bool = False, grey: int = 255) -> None:
    """Write a mask of axial slices as PNG files, numbered from the lowest slice or from the highest."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, plane in enumerate(mask):
        order = len(mask) - 1 - number if downwards else number
        cv2.imwrite(str(folder / f"organ_GT_{order:03d}.png"), plane * np.uint8(grey))
