"""Write the organ masks of a synthetic stack beside the archive, as NIfTI and as DICOM SEG.

Both lie on the slices of the series. A SEG has one slice at a position, so of repeated positions (a time
series) the first is marked; NIfTI knows no other than evenly spaced slices, so a stack with a gap or of
several planes has a SEG alone. Equal seeds give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from radnet.geometry import distinct_positions
from radnet.masks.geometry import Frames, frames_of, is_multi_frame
from radnet.masks.nifti import write_nifti_mask
from radnet.masks.seg import write_seg

SEG_NAME: Final = "masks.dcm"
EVEN_MM: Final = 0.01
"""Departure from even spacing that a NIfTI affine may hide."""
FIRST_SERIES_NUMBER: Final = 900
NOON: Final = "%Y%m%d %H"


def write_masks(
    folder: Path | str,
    masks: Mapping[str, NDArray[np.uint8]],
    sources: Sequence[Dataset],
    frames: Sequence[int] | None = None,
    description: str = "Organs",
) -> list[Path]:
    """Write the masks of one stack: `ORGAN.nii.gz` for each organ and `masks.dcm` for all.

    Args:
        folder: Where they go; made if it is not there.
        masks: (n, rows, columns) of 0 and 1 by organ, as `organ_masks.organ_masks` returns them.
        sources: Headers of the stack's slices in the order of the masks, without pixels; or of the one
            enhanced object.
        frames: Frames of the enhanced object that are the stack, from 1; all without it.
        description: SeriesDescription of the segmentation.

    Returns:
        The files; none for a stack that shows no organ.

    Raises:
        MaskError: If the headers do not say where the slices lie.
    """
    folder = Path(folder)
    if not masks:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    places = frames_of(sources, frames)
    order = _first_at_each_position(places)
    written = []
    affine = _affine(places, order)
    if affine is not None:
        for organ, mask in masks.items():
            written.append(folder / f"{organ}.nii.gz")
            write_nifti_mask(written[-1], mask[order], affine)
    path = folder / SEG_NAME
    first = {organ: mask[order] for organ, mask in masks.items()}
    multi = is_multi_frame(sources[0])
    numbers = [(frames or range(1, len(places.positions) + 1))[index] for index in order] if multi else None
    write_seg(
        path,
        first,
        sources if multi else [sources[index] for index in order],
        frames=numbers,
        description=description,
        series_number=FIRST_SERIES_NUMBER + int(sources[0].get("SeriesNumber") or 0),
        when=datetime.strptime(f"{sources[0].StudyDate} 12", NOON),
    )
    return [*written, path]


def _first_at_each_position(places: Frames) -> list[int]:
    """Return one slice of each position, along the normal."""
    numbers = distinct_positions(places.positions @ places.normal)
    return [int(np.flatnonzero(numbers == number)[0]) for number in range(int(numbers.max()) + 1)]


def _affine(places: Frames, order: Sequence[int]) -> NDArray[np.float64] | None:
    """Return the affine of slices in an order, None where they are not evenly spaced on one line."""
    positions = places.positions[list(order)]
    if len(positions) < 2:
        return None
    steps = np.diff(positions, axis=0)
    if np.abs(steps - steps.mean(axis=0)).max() > EVEN_MM:
        return None
    result = np.eye(4)
    result[:3] = np.column_stack([steps.mean(axis=0), places.row_step, places.column_step, positions[0]])
    return result
