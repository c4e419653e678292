"""Write masks as DICOM SEG and read them back.

A segmentation keeps only the slices on which there is something, so its own slices are fewer than the
series': read it with the headers of the series to get a mask of every slice, in the series' order. Masks
are binary, laid on the stored slices, never on a canonical array (`radnet.masks.geometry.to_series`).

A segmentation is part of the patient's record: it repeats name, number, birth date and sex from the source,
as the standard demands (`radnet.masks.sources`). Share it as you would share the scan.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

from radnet import __version__
from radnet.errors import MaskError
from radnet.geometry import distinct_positions
from radnet.masks.codes import ORGAN_CATEGORY, SCHEME, SIDES, code_of
from radnet.masks.geometry import Frames, frames_of
from radnet.masks.seg_reading import SegMasks, read_seg
from radnet.masks.sources import stand_ins

__all__ = ["SegMasks", "read_seg", "write_seg"]

MAKER: Final = "RADNet"
NO_SERIAL_NUMBER: Final = "none"
"""Software has none; the standard wants a word."""
SERIES_NUMBER: Final = 900
"""Of the new series unless asked otherwise: beyond those that scanners give."""
_ALGORITHM_FAMILY: Final = Code("123110", "DCM", "Artificial Intelligence")


def write_seg(
    path: Path | str,
    masks: Mapping[str, NDArray[np.uint8]],
    sources: Sequence[Dataset],
    *,
    frames: Sequence[int] | None = None,
    description: str = "Organs",
    algorithm: str | None = None,
    series_number: int = SERIES_NUMBER,
    when: datetime | None = None,
) -> None:
    """Write masks as a binary DICOM SEG.

    Equal masks, sources, words and time give equal bytes: identifiers are derived from them.

    Args:
        path: Final name; the file appears whole or not at all.
        masks: (n, rows, columns) of 0 and 1 by organ (a name of `radnet.masks.codes`), one slice for each
            source, in the order of `sources`.
        sources: Headers of the slices in any order; or of one enhanced multi-frame object, whose frames are
            the slices in their order. Pixels are not needed.
        frames: Frames of the multi-frame object that the masks' slices lie on, from 1; all without it.
        description: SeriesDescription of the new series.
        algorithm: Who drew the masks: name of the network. None says that a person did, or that they are
            known.
        series_number: SeriesNumber of the new series.
        when: Time to write into the file; now without it.

    Raises:
        MaskError: If an organ has no code, a mask does not fit the slices, two slices lie at one position,
            or the source lacks what a segmentation must refer to.
        OSError: If the file cannot be written.
    """
    from highdicom.seg import Segmentation

    path, when = Path(path), when or datetime.now()
    places = frames_of(sources, frames)
    pixels = _stacked(masks, places)
    identity = (repr(tuple(masks)), description, repr(algorithm), when.isoformat(), pixels.tobytes())
    keys = [part if isinstance(part, bytes) else part.encode() for part in identity]
    keys += [str(source.get("SOPInstanceUID")).encode() for source in sources] + [repr(frames).encode()]
    stamp = _stamp(when)
    images = stand_ins(sources, places)
    name, images[0].PatientName = images[0].PatientName, ""  # highdicom would print an unusual one
    segmentation = Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=[
            _description(number, organ, algorithm) for number, organ in enumerate(masks, 1)
        ],
        series_instance_uid=_uid("series", *keys),
        series_number=series_number,
        sop_instance_uid=_uid("instance", *keys),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=__version__,
        device_serial_number=NO_SERIAL_NUMBER,
        content_label="ORGANS",
        content_description=description[:64],
        series_description=description[:64],
        specific_character_set="ISO_IR 192",
        content_date=stamp[0],
        content_time=stamp[1],
        series_date=stamp[0],
        series_time=stamp[1],
    )
    segmentation.PatientName = name
    _settle(segmentation, stamp, _uid("dimensions", *keys))
    if frames is not None:
        _renumber(segmentation, frames)
    _write(segmentation, path)


def _stacked(masks: Mapping[str, NDArray[np.uint8]], places: Frames) -> NDArray[np.uint8]:
    """Check the masks and lay them side by side: (n, rows, columns, organs)."""
    if not masks:
        raise MaskError("no organ was given; name at least one mask")
    shape = (len(places.positions), *places.shape)
    for organ, mask in masks.items():
        if code_of(organ) is None:
            raise MaskError(f"organ {organ!r} has no code; use a name of radnet.masks.codes.ORGANS")
        if mask.shape != shape:
            sizes = (" x ".join(map(str, size)) for size in (mask.shape, shape))
            raise MaskError("the mask of {!r} is {}; the slices are {}".format(organ, *sizes))
        if mask.dtype != np.bool_ and (mask.min(initial=0) < 0 or mask.max(initial=0) > 1):
            raise MaskError(f"the mask of {organ!r} holds other values than 0 and 1; make it binary")
    offsets = places.positions @ places.normal
    if len(set(distinct_positions(offsets).tolist())) < len(offsets):
        raise MaskError("two slices lie at one position; give the slices of one volume of the series")
    return np.stack([mask.astype(np.uint8) for mask in masks.values()], axis=-1)


def _description(number: int, organ: str, algorithm: str | None) -> Any:
    """Describe a segment."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept

    code = code_of(organ)
    assert code is not None  # checked before
    kind = None
    if algorithm is not None:
        kind = AlgorithmIdentificationSequence(algorithm[:64], _ALGORITHM_FAMILY, __version__)
    result = SegmentDescription(
        segment_number=number,
        segment_label=organ.replace("_", " "),
        segmented_property_category=CodedConcept(ORGAN_CATEGORY[0], SCHEME, ORGAN_CATEGORY[1]),
        segmented_property_type=CodedConcept(code.value, code.scheme, code.meaning),
        algorithm_type="MANUAL" if algorithm is None else "AUTOMATIC",
        algorithm_identification=kind,
    )
    if code.side is not None:
        side = CodedConcept(SIDES[code.side][0], SCHEME, SIDES[code.side][1])
        result.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [side]
    return result


def _settle(segmentation: Dataset, stamp: tuple[str, str], uid: UID) -> None:
    """Replace what would differ from run to run: the time of writing and a random identifier."""
    segmentation.InstanceCreationDate, segmentation.InstanceCreationTime = stamp
    for equipment in segmentation.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = "".join(stamp)
    segmentation.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid
    for index in segmentation.DimensionIndexSequence:
        index.DimensionOrganizationUID = uid


def _renumber(segmentation: Dataset, frames: Sequence[int]) -> None:
    """Name the frames of the whole source where those of the chosen ones are counted."""
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence") or ():
            for source in derivation.SourceImageSequence:
                source.ReferencedFrameNumber = frames[int(source.ReferencedFrameNumber) - 1]


def _write(dataset: Dataset, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        dataset.save_as(partial, enforce_file_format=True)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _stamp(when: datetime) -> tuple[str, str]:
    return f"{when:%Y%m%d}", f"{when:%H%M%S.%f}"


def _uid(what: str, *keys: bytes) -> UID:
    digest = hashlib.sha256(what.encode())
    for key in keys:
        digest.update(hashlib.sha256(key).digest())
    return UID(f"2.25.{int.from_bytes(digest.digest()[:15], 'big')}")
