"""Read the masks of a DICOM SEG, of ours or of any other tool's.

A segmentation holds a frame for each organ and slice on which there is something; all else is understood to
be empty. Only with the headers of its series is it known how many slices there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, SegmentationStorage

from radnet.errors import MaskError
from radnet.geometry import distinct_positions
from radnet.masks.codes import SIDES, OrganCode, name_of
from radnet.masks.geometry import Frames, frames_of, is_multi_frame

LABEL_MAP_STORAGE: Final = UID("1.2.840.10008.5.1.4.1.1.66.7")
"""Label Map Segmentation Storage."""
SAME_PLACE_MM: Final = 0.05
"""A frame of a segmentation lies on a slice of the series when it is nearer than this."""


@dataclass(frozen=True)
class SegMasks:
    """What a DICOM SEG holds.

    Attributes:
        masks: (n, rows, columns) uint8 of 0 and 1 by organ; names as `radnet.masks.codes` has them, or the
            file's own label in lower case.
        codes: Code of each organ.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm; None where the slices are unevenly spaced.
        series_uid: SeriesInstanceUID of the source.
        sop_uids: SOPInstanceUID of the source of each slice; None where the file names none.
    """

    masks: Mapping[str, NDArray[np.uint8]]
    codes: Mapping[str, OrganCode]
    affine: NDArray[np.float64] | None
    series_uid: str
    sop_uids: tuple[str | None, ...]


def read_seg(
    path: Path | str, sources: Sequence[Dataset] | None = None, frames: Sequence[int] | None = None
) -> SegMasks:
    """Read the masks of a DICOM SEG.

    Args:
        path: The file: binary, fractional (cut at half of its highest value) or a label map.
        sources: Headers of the series, as `write_seg` takes them; the masks then have a slice for each, in
            their order. Without them the slices are those from the first to the last that hold something,
            along their normal, at the spacing of the file.
        frames: Frames of a multi-frame source that count.

    Raises:
        MaskError: If the file is no segmentation, cannot be read, does not fit the series, or its slices
            are unevenly spaced and the series was not given.
    """
    path = Path(path)
    dataset = _opened(path)
    try:
        planes = [_plane(dataset, index) for index in range(int(dataset.NumberOfFrames))]
        found = frames_of([dataset])
        pixels = _pixels(dataset, (len(planes), *found.shape))
        segments = {int(item.SegmentNumber): item for item in dataset.SegmentSequence}
        series_uid = str(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID)
    except (AttributeError, IndexError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise MaskError(
            f"{path} cannot be read as a segmentation ({type(error).__name__}); export it again"
        ) from error
    affine: NDArray[np.float64] | None
    if sources is None:
        slices, affine, sop_uids = _own_slices(found, planes, dataset, path)
    else:
        slices, affine, sop_uids = _series_slices(found, sources, frames, series_uid, path)
    names = _codes(segments)
    masks = {name: np.zeros((len(sop_uids), *found.shape), np.uint8) for name, _ in names.values()}
    for plane, frame, place in zip(planes, pixels, slices, strict=True):
        for number, inside in _split(dataset, plane.segment, frame, names):
            if number not in names:
                raise MaskError(f"{path} holds a frame of segment {number}, which it does not describe")
            masks[names[number][0]][place] |= inside
    return SegMasks(masks, dict(names.values()), affine, series_uid, sop_uids)


@dataclass(frozen=True, slots=True)
class _Plane:
    """A frame of a segmentation: its segment (None in a label map) and the instance it was drawn on."""

    segment: int | None
    sop_uid: str | None


def _opened(path: Path) -> Dataset:
    if not path.is_file():
        raise MaskError(f"{path} is not there; name a DICOM SEG file")
    try:
        dataset = dcmread(path)
    except (InvalidDicomError, OSError, ValueError) as error:
        raise MaskError(f"{path} is no DICOM file ({type(error).__name__})") from error
    if dataset.get("SOPClassUID") not in (SegmentationStorage, LABEL_MAP_STORAGE):
        kind = UID(str(dataset.get("SOPClassUID", ""))).name or "object of no class"
        raise MaskError(f"{path} is a {kind}; expected a segmentation")
    return dataset


def _pixels(dataset: Dataset, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return the frames; bits of frames are packed one after the other, a frame may begin within a byte."""
    if dataset.BitsAllocated == 1 and not dataset.file_meta.TransferSyntaxUID.is_compressed:
        count = int(np.prod(shape))
        packed = np.frombuffer(dataset.PixelData, np.uint8, -(-count // 8))
        return np.unpackbits(packed, count=count, bitorder="little").reshape(shape)
    return np.asarray(dataset.pixel_array).reshape(shape)


def _plane(dataset: Dataset, index: int) -> _Plane:
    group, shared = dataset.PerFrameFunctionalGroupsSequence[index], dataset.SharedFunctionalGroupsSequence[0]
    number = None
    for holder in (group, shared):
        for item in holder.get("SegmentIdentificationSequence") or ():
            number = number or int(item.ReferencedSegmentNumber)
    sources = [
        source
        for derivation in group.get("DerivationImageSequence") or ()
        for source in derivation.get("SourceImageSequence") or ()
    ]
    return _Plane(number, str(sources[0].ReferencedSOPInstanceUID) if sources else None)


def _own_slices(
    found: Frames, planes: Sequence[_Plane], dataset: Dataset, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[str | None, ...]]:
    """Lay the frames on slices of their own, evenly spaced along their normal."""
    numbers = distinct_positions(found.positions @ found.normal)
    firsts = [int(np.flatnonzero(numbers == number)[0]) for number in range(int(numbers.max()) + 1)]
    positions = found.positions[firsts]
    step = _step(positions, dataset, path)
    length = float(np.linalg.norm(step))
    places = np.rint((positions - positions[0]) @ step / length**2).astype(np.int64)
    off_mm = np.linalg.norm(positions - positions[0] - places[:, None] * step, axis=1).max()
    if off_mm > max(SAME_PLACE_MM, 0.05 * length):
        raise MaskError(f"{path} has unevenly spaced slices; give the headers of its series as well")
    uids: list[str | None] = [None] * (int(places[-1]) + 1)
    for plane, number in zip(planes, numbers, strict=True):
        uids[places[number]] = uids[places[number]] or plane.sop_uid
    return places[numbers], _affine(found, positions[0], step), tuple(uids)


def _step(positions: NDArray[np.float64], dataset: Dataset, path: Path) -> NDArray[np.float64]:
    """Return the way from a slice to the next: the smallest gap, or the file's word for a single slice."""
    if len(positions) > 1:
        steps = np.diff(positions, axis=0)
        return np.asarray(steps[int(np.argmin(np.linalg.norm(steps, axis=1)))])
    found = frames_of([dataset])
    measures = (dataset.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence") or [Dataset()])[0]
    length = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    if not length:
        raise MaskError(f"{path} has one slice of unknown thickness; give the headers of its series as well")
    return np.asarray(found.normal * abs(float(length)))


def _series_slices(
    found: Frames, sources: Sequence[Dataset], frames: Sequence[int] | None, series_uid: str, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None, tuple[str | None, ...]]:
    """Lay the frames on the slices of the series by their positions."""
    places = frames_of(sources, frames)
    if series_uid != str(sources[0].get("SeriesInstanceUID")):
        raise MaskError(f"{path} was drawn on another series (SeriesInstanceUID); give the headers of that")
    same = found.shape == places.shape and np.allclose(found.pixel_spacing, places.pixel_spacing, rtol=1e-3)
    if not same or not np.allclose(found.orientation, places.orientation, atol=1e-3):
        raise MaskError(f"{path} has other rows, columns, pixel spacing or directions than its series")
    distances = np.linalg.norm(found.positions[:, None] - places.positions[None], axis=2)
    if distances.min(axis=1).max() > SAME_PLACE_MM:
        raise MaskError(f"{path} has a frame where its series has no slice; give all slices of the series")
    uids = [str(source.SOPInstanceUID) for source in sources]
    if is_multi_frame(sources[0]):
        uids *= len(places.positions)
    steps = np.diff(places.positions, axis=0)
    even = len(steps) > 0 and np.abs(steps - steps.mean(axis=0)).max() <= SAME_PLACE_MM
    affine = _affine(places, places.positions[0], steps.mean(axis=0)) if even else None
    return distances.argmin(axis=1), affine, tuple(uids)


def _affine(frames: Frames, first: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.eye(4)
    result[:3] = np.column_stack([step, frames.row_step, frames.column_step, first])
    return result


def _codes(segments: Mapping[int, Dataset]) -> dict[int, tuple[str, OrganCode]]:
    """Name each segment; two that would bear one name are told apart by their numbers."""
    result: dict[int, tuple[str, OrganCode]] = {}
    for number, segment in segments.items():
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        modifiers = kind.get("SegmentedPropertyTypeModifierCodeSequence") or ()
        sides = {number: side for side, (number, _) in SIDES.items()}
        side = next((sides[str(m.CodeValue)] for m in modifiers if str(m.get("CodeValue")) in sides), None)
        values = (kind.get("CodeValue"), kind.get("CodingSchemeDesignator"), kind.get("CodeMeaning"))
        value, scheme, meaning = (str(text or "") for text in values)
        code = OrganCode(value, scheme, meaning, side)
        name = name_of(code, str(segment.get("SegmentLabel") or ""))
        taken = {other for other, _ in result.values()}
        result[number] = (f"{name}_{number}" if name in taken else name, code)
    return result


def _split(
    dataset: Dataset, segment: int | None, frame: NDArray[Any], names: Mapping[int, object]
) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return the segments of a frame and where each is."""
    if segment is None:
        return [(number, (frame == number).astype(np.uint8)) for number in names]
    if dataset.SegmentationType == "FRACTIONAL":
        return [(segment, (frame >= int(dataset.MaximumFractionalValue) / 2).astype(np.uint8))]
    return [(segment, (frame > 0).astype(np.uint8))]
