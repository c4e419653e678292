"""Headers of series stored in every way: classic, enhanced, any plane, transposed, flipped, out of order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage, MRImageStorage

from radnet.geometry import STANDARD_ORIENTATIONS

CLASSES = {
    ("CT", False): CTImageStorage,
    ("MR", False): MRImageStorage,
    ("CT", True): EnhancedCTImageStorage,
    ("MR", True): EnhancedMRImageStorage,
}
STUDY, SERIES, FRAME = "1.2.3", "1.2.4", "1.2.5"


@dataclass(frozen=True)
class Stored:
    """A series as it lies on a disk: position of each slice, in the order of the files."""

    modality: str
    enhanced: bool
    positions: np.ndarray
    orientation: np.ndarray
    spacing: tuple[float, float]
    shape: tuple[int, int]

    @property
    def mask_shape(self) -> tuple[int, int, int]:
        return (len(self.positions), *self.shape)

    def headers(self) -> list[Dataset]:
        if not self.enhanced:
            return [self._slice(number, place) for number, place in enumerate(self.positions, 1)]
        dataset = self._named(1)
        dataset.NumberOfFrames = len(self.positions)
        shared = Dataset()
        shared.PixelMeasuresSequence = [self._measures()]
        plane = Dataset()
        plane.ImageOrientationPatient = list(map(float, self.orientation))
        shared.PlaneOrientationSequence = [plane]
        dataset.SharedFunctionalGroupsSequence = [shared]
        dataset.PerFrameFunctionalGroupsSequence = [frame_at(place) for place in self.positions]
        return [dataset]

    def _slice(self, number: int, place: np.ndarray) -> Dataset:
        dataset = self._named(number)
        dataset.update(self._measures())
        dataset.ImageOrientationPatient = list(map(float, self.orientation))
        dataset.ImagePositionPatient = list(map(float, place))
        return dataset

    def _measures(self) -> Dataset:
        dataset = Dataset()
        dataset.PixelSpacing = list(self.spacing)
        dataset.SliceThickness = 2.0
        return dataset

    def _named(self, number: int) -> Dataset:
        dataset = Dataset()
        dataset.SOPClassUID = CLASSES[self.modality, self.enhanced]
        dataset.SOPInstanceUID = f"1.2.6.{number}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
        dataset.FrameOfReferenceUID = FRAME
        dataset.Modality = self.modality
        dataset.PatientName, dataset.PatientID = "Quillfeather^Ottoline", "CANARYMRN1"
        dataset.PatientBirthDate, dataset.PatientSex = "19310704", "F"
        dataset.StudyDate, dataset.StudyTime = "20120305", "101112"
        dataset.AccessionNumber, dataset.StudyID, dataset.ReferringPhysicianName = "", "", ""
        dataset.StudyDescription, dataset.InstitutionName = "Knee of Quillfeather", "Saint Larkspur Infirmary"
        dataset.PatientComments = "lives at 7 Foxglove Mews"
        dataset.Rows, dataset.Columns = self.shape
        return dataset


def frame_at(place: np.ndarray) -> Dataset:
    position, group = Dataset(), Dataset()
    position.ImagePositionPatient = list(map(float, place))
    group.PlanePositionSequence = [position]
    return group


@st.composite
def stored_series(draw: st.DrawFn, even: bool = False) -> Stored:
    """Draw a series; `even` wants evenly spaced slices."""
    view = draw(st.sampled_from(sorted(STANDARD_ORIENTATIONS)))
    row, column = np.array(STANDARD_ORIENTATIONS[view], float).reshape(2, 3)
    if draw(st.booleans()):
        row, column = column, row
    row, column = (axis * draw(st.sampled_from([-1, 1])) for axis in (row, column))
    count = draw(st.integers(1, 6))
    gaps = (
        np.full(count, 2.5)
        if even
        else np.array(draw(st.lists(st.sampled_from([2.5, 5.0, 3.1]), min_size=count, max_size=count)))
    )
    order = draw(st.permutations(range(count)))
    if even:  # on one line still, whichever way it runs
        order = order if draw(st.booleans()) else list(range(count))[:: draw(st.sampled_from([1, -1]))]
    positions = np.array([3.25, -40.5, 11.0]) + np.cumsum(gaps)[list(order), None] * np.cross(row, column)
    return Stored(
        modality=draw(st.sampled_from(["CT", "MR"])),
        enhanced=draw(st.booleans()),
        positions=positions,
        orientation=np.concatenate([row, column]),
        spacing=draw(st.sampled_from([(0.7, 0.7), (0.8, 1.25)])),
        shape=(draw(st.integers(3, 6)), draw(st.integers(3, 6))),
    )
