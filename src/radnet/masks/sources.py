"""The little of a series' headers that a DICOM object made from it must repeat.

A derived object belongs to the same patient and study, so the standard demands the patient's name, number,
birth date and sex and the study's identifiers in it, copied from the source. Nothing else is copied: no
description, institution, device, comment or private element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from radnet.errors import MaskError
from radnet.masks.geometry import Frames, is_multi_frame

DEMANDED: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Elements of type 1 and 2 of the modules Patient and General Study (PS3.3 C.7.1.1, C.7.2.1)."""
IDENTIFIERS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
SEXES: Final = ("M", "F", "O")


def common_elements(source: Dataset) -> Dataset:
    """Return what an object derived from a header has in common with it, as text of any script.

    Values that the standard does not allow are left empty: a derived object is checked more strictly than
    the scanner's own.

    Raises:
        MaskError: If an identifier is missing.
    """
    for keyword in (*IDENTIFIERS, "FrameOfReferenceUID"):
        if not source.get(keyword):
            raise MaskError(
                f"a slice has no {keyword}, which a DICOM mask refers to; write the mask as NIfTI instead"
            )
    result = Dataset()
    for keyword in DEMANDED:
        setattr(result, keyword, _clean(keyword, source.get(keyword)))
    result.FrameOfReferenceUID = source.FrameOfReferenceUID
    result.PositionReferenceIndicator = ""
    result.Modality = str(source.get("Modality") or "OT")
    result.SeriesInstanceUID = source.SeriesInstanceUID
    return result


def stand_ins(sources: Sequence[Dataset], frames: Frames) -> list[Dataset]:
    """Return headers that say no more than identity and place, clean enough for any check.

    Args:
        sources: Headers of the slices, or of one multi-frame object.
        frames: Where the slices lie.

    Raises:
        MaskError: If an identifier is missing or the slices are not of one series.
    """
    first = common_elements(sources[0])
    series = {(source.get("SeriesInstanceUID"), source.get("FrameOfReferenceUID")) for source in sources}
    if len(series) > 1:
        raise MaskError("the slices are of several series or frames of reference; write a mask for each")
    thickness = _thickness_mm(sources[0]) or _gap_mm(frames)
    if is_multi_frame(sources[0]):
        return [_multi_frame(sources[0], first, frames, thickness)]
    return [_classic(source, first, frames, index, thickness) for index, source in enumerate(sources)]


def _classic(source: Dataset, first: Dataset, frames: Frames, index: int, thickness: float | None) -> Dataset:
    result = _named(source, first, frames)
    result.ImagePositionPatient = list(map(decimal, frames.positions[index]))
    result.ImageOrientationPatient = list(map(decimal, frames.orientation))
    result.PixelSpacing = list(map(decimal, frames.pixel_spacing))
    result.SliceThickness = None if thickness is None else decimal(thickness)
    return result


def _multi_frame(source: Dataset, first: Dataset, frames: Frames, thickness: float | None) -> Dataset:
    result = _named(source, first, frames)
    result.NumberOfFrames = len(frames.positions)
    measures = item(PixelSpacing=list(map(decimal, frames.pixel_spacing)))
    if thickness is not None:
        measures.SliceThickness = decimal(thickness)
    plane = item(ImageOrientationPatient=list(map(decimal, frames.orientation)))
    result.SharedFunctionalGroupsSequence = [
        item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[plane])
    ]
    result.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=list(map(decimal, position)))])
        for position in frames.positions
    ]
    return result


def _named(source: Dataset, first: Dataset, frames: Frames) -> Dataset:
    result = Dataset()
    result.update(first)
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not source.get(keyword):
            raise MaskError(f"a slice has no {keyword}, which a DICOM mask refers to; leave it out")
        setattr(result, keyword, source.get(keyword))
    result.Rows, result.Columns = frames.shape
    return result


def _thickness_mm(source: Dataset) -> float | None:
    """Return the nominal thickness of the slices, wherever the header keeps it."""
    holders = [source]
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (source.get(name) or ())[:1]:
            holders += (group.get("PixelMeasuresSequence") or ())[:1]
    for holder in holders:
        try:
            value = float(holder.get("SliceThickness") or 0)
        except (TypeError, ValueError):
            continue
        if value > 0:
            return value
    return None


def _gap_mm(frames: Frames) -> float | None:
    """Return the median distance between neighbours: what a header without a thickness must mean."""
    gaps = np.diff(np.sort(frames.positions @ frames.normal))
    return float(np.median(gaps)) if len(gaps) else None


def _clean(keyword: str, value: Any) -> Any:
    text = "" if value is None else str(value).strip()
    if keyword == "PatientSex":
        return text if text in SEXES else ""
    try:
        if keyword.endswith("Date"):
            return str(DA(text) or "")
        if keyword.endswith("Time"):
            return str(TM(text) or "")
    except ValueError:
        return ""
    return text


def decimal(value: float) -> str:
    """Write a decimal string: at most 16 characters."""
    text = f"{float(value) + 0.0:.10f}"[:16]
    return text.rstrip("0").rstrip(".") or "0"


def item(**elements: object) -> Dataset:
    """Return a data set of some elements."""
    result = Dataset()
    for keyword, value in elements.items():
        setattr(result, keyword, value)
    return result
