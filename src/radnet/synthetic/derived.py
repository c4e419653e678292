"""Objects that others make of a series: contours, screen captures, presentation states.

They refer to the series' own instances and lie in its study. None is an image of a volume.

Source: DICOM PS3.3 A.8, A.19 and A.33.1 with the modules that they name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
)

from radnet.masks.geometry import Frames, is_multi_frame
from radnet.masks.sources import decimal, item
from radnet.synthetic.identity import uid

CAPTURE_SIZE: Final = 64
FIRST_NUMBER: Final = 500
"""SeriesNumber of the first derived series; those of scanners are lower."""
STUDY_OF_RT: Final = UID("1.2.840.10008.3.1.2.3.1")
"""Detached Study Management, the class under which structure sets name a study (PS3.3 C.8.8.5)."""
OF_STUDY: Final = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAddress",
    "PatientIdentityRemoved",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "InstitutionName",
)
"""Elements that all objects of a study have in common."""


@dataclass(frozen=True)
class Parent:
    """A series of which other objects are made.

    Attributes:
        headers: Its images in order, one a position; or its one multi-frame object.
        frames: Where its slices lie.
        seed: What identifiers are derived from, beside the series' own.
    """

    headers: Sequence[Dataset]
    frames: Frames
    seed: int

    @property
    def first(self) -> Dataset:
        """The first image."""
        return self.headers[0]

    def reference(self, index: int) -> Dataset:
        """Refer to the image of a slice."""
        multi = is_multi_frame(self.first)
        header = self.first if multi else self.headers[index]
        result = item(
            ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID
        )
        if multi:
            result.ReferencedFrameNumber = index + 1
        return result

    def references(self) -> list[Dataset]:
        """Refer to every instance once."""
        return [
            item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)
            for header in self.headers
        ]


def belonging(parent: Parent, what: str, sop_class: UID, modality: str, number: int) -> Dataset:
    """Begin an object of a parent's study in a series of its own.

    Args:
        parent: The series it is made of.
        what: Tells the objects of a parent apart; becomes the series description.
        sop_class: Its class.
        modality: Of its series.
        number: Of its series, beyond `FIRST_NUMBER`.
    """
    keys = (what, parent.seed, str(parent.first.SeriesInstanceUID))
    dataset = Dataset()
    for keyword in OF_STUDY:
        if keyword in parent.first:
            dataset[keyword] = parent.first[keyword]
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = uid("derived", *keys)
    dataset.SeriesInstanceUID = uid("derived series", *keys)
    dataset.Modality = modality
    dataset.SeriesNumber = FIRST_NUMBER + number
    dataset.SeriesDescription = what
    dataset.InstanceNumber = 1
    dataset.Laterality = ""
    dataset.Manufacturer = "Synthetic"
    dataset.ManufacturerModelName = "Synthetic workstation"
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = "1"
    dataset.SeriesDate = dataset.ContentDate = parent.first.StudyDate
    dataset.SeriesTime = dataset.ContentTime = "180000"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = uid("implementation")
    dataset.file_meta.ImplementationVersionName = "RADNET_SYNTH"
    return dataset


def structure_set(parent: Parent, organ: str, mask: NDArray[np.uint8]) -> Dataset:
    """Make an RT structure set with the contours of one organ.

    Args:
        parent: The series on which it is drawn.
        organ: Name of the region.
        mask: (n, rows, columns) of 0 and 1, a slice for each of the parent's; not empty.
    """
    dataset = belonging(parent, "RT structures", RTStructureSetStorage, "RTSTRUCT", 1)
    frame = parent.first.FrameOfReferenceUID
    dataset.OperatorsName = ""
    dataset.StructureSetLabel = "ORGANS"
    dataset.StructureSetDate, dataset.StructureSetTime = dataset.ContentDate, dataset.ContentTime
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = frame, ""
    for keyword in ("ContentDate", "ContentTime", "Laterality"):
        delattr(dataset, keyword)
    series = item(SeriesInstanceUID=parent.first.SeriesInstanceUID)
    series.ContourImageSequence = parent.references()
    study = item(
        ReferencedSOPClassUID=STUDY_OF_RT,
        ReferencedSOPInstanceUID=parent.first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    dataset.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])
    ]
    dataset.StructureSetROISequence = [
        item(
            ROINumber=1,
            ReferencedFrameOfReferenceUID=frame,
            ROIName=organ,
            ROIGenerationAlgorithm="AUTOMATIC",
        )
    ]
    contours = [
        _contour(parent, index, points) for index in range(len(mask)) for points in _lines(mask[index])
    ]
    dataset.ROIContourSequence = [
        item(ReferencedROINumber=1, ROIDisplayColor=[220, 60, 60], ContourSequence=contours)
    ]
    dataset.RTROIObservationsSequence = [
        item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN", ROIInterpreter="")
    ]
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def capture(parent: Parent) -> Dataset:
    """Make a screen capture in colour, of what a viewer showed."""
    dataset = belonging(parent, "Screen Save", SecondaryCaptureImageStorage, "OT", 2)
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.ConversionType = "WSD"
    dataset.PatientOrientation = ""
    dataset.BurnedInAnnotation = "YES"
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows = dataset.Columns = CAPTURE_SIZE
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    ramp = np.linspace(0, 255, CAPTURE_SIZE * CAPTURE_SIZE * 3, dtype=np.uint8)
    dataset.PixelData = ramp.tobytes()
    return dataset


def presentation(parent: Parent) -> Dataset:
    """Make a presentation state: how someone windowed the series."""
    dataset = belonging(parent, "Presentation", GrayscaleSoftcopyPresentationStateStorage, "PR", 3)
    for keyword in ("ContentDate", "ContentTime"):
        delattr(dataset, keyword)
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = (
        dataset.SeriesDate,
        dataset.SeriesTime,
    )
    dataset.ContentLabel, dataset.ContentDescription, dataset.ContentCreatorName = "WINDOW", "", ""
    dataset.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=parent.first.SeriesInstanceUID, ReferencedImageSequence=parent.references())
    ]
    rows, columns = parent.frames.shape
    dataset.DisplayedAreaSelectionSequence = [
        item(
            ReferencedImageSequence=parent.references(),
            DisplayedAreaTopLeftHandCorner=[1, 1],
            DisplayedAreaBottomRightHandCorner=[columns, rows],
            PresentationSizeMode="SCALE TO FIT",
            PresentationPixelAspectRatio=[1, 1],
        )
    ]
    for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType"):
        if keyword in parent.first:
            dataset[keyword] = parent.first[keyword]
    dataset.SoftcopyVOILUTSequence = [item(WindowCenter="40", WindowWidth="400")]
    dataset.PresentationLUTShape = "IDENTITY"
    return dataset


def _lines(plane: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Return the outer lines of a mask as (n, 2) columns and rows."""
    found: Any = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(points, np.int32).reshape(-1, 2) for points in found[0]]


def _contour(parent: Parent, index: int, points: NDArray[np.int32]) -> Dataset:
    """Lay a line into the patient: a closed polygon, or a point for a single voxel."""
    frames = parent.frames
    places = (
        frames.positions[index]
        + points[:, :1] * frames.column_step[None]
        + points[:, 1:] * frames.row_step[None]
    )
    return item(
        ContourImageSequence=[parent.reference(index)],
        ContourGeometricType="CLOSED_PLANAR" if len(points) > 1 else "POINT",
        NumberOfContourPoints=len(points),
        ContourData=[decimal(round(float(value), 3)) for value in places.ravel()],
    )
