"""Find the boxes of the nine regions in a label map."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Box = NDArray[np.float64]


def find_boxes(
    labels: NDArray[np.uint8],
    voxel_mm: NDArray[np.float64],
    origin_mm: NDArray[np.float64],
    regions: Mapping[str, tuple[int, ...]],
) -> dict[str, Box]:
    """Return the lowest and highest corner of every region that is there, (2, 3) mm each.

    The lower head and neck reaches down to the apex of the lung, where there is a lung.

    Args:
        labels: (z, y, x) structure numbers.
        voxel_mm: (3,) along x, y and z.
        origin_mm: (3,) centre of the first voxel.
        regions: The structure numbers of each.
    """
    bits = np.zeros(256, np.uint16)
    for index, numbers in enumerate(regions.values()):
        bits[list(numbers)] |= np.uint16(1 << index)
    along = [np.zeros(n, np.uint16) for n in labels.shape]
    for index, plane in enumerate(labels):
        found = bits[plane]
        rows = np.bitwise_or.reduce(found, axis=1)
        along[0][index] = np.bitwise_or.reduce(rows)
        along[1] |= rows
        along[2] |= np.bitwise_or.reduce(found, axis=0)
    boxes = {}
    for index, region in enumerate(regions):
        hits = [np.flatnonzero(plane & np.uint16(1 << index)) for plane in reversed(along)]
        if len(hits[0]):
            edges = np.array([[hit[0] - 0.5, hit[-1] + 0.5] for hit in hits]).T
            boxes[region] = np.asarray(origin_mm + voxel_mm * edges)
    if "lower_head_neck" in boxes and "lung" in boxes:
        boxes["lower_head_neck"][0, 2] = boxes["lung"][1, 2]
    return boxes
