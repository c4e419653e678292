"""The largest connected part of a mask, without SciPy.

OpenCV labels the parts of each slice; parts of neighbouring slices that share a pixel are one, and so are
those that touch within a slice by a corner. Between slices a corner does not join: slices lie millimetres
apart.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def label_components(mask: Flags) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the connected parts of a mask.

    Args:
        mask: (slices, rows, columns) bool.

    Returns:
        (slices, rows, columns) numbers from 1, 0 where there is nothing, and the voxels of each part, whose
        first entry is 0.
    """
    labels = np.zeros(mask.shape, np.int64)
    links: list[NDArray[np.int64]] = []
    count = 0
    for number, plane in enumerate(mask):
        parts, found = cv2.connectedComponents(np.ascontiguousarray(plane, np.uint8), connectivity=8)
        inside = found > 0
        labels[number][inside] = found[inside] + count
        count += parts - 1
        if number:
            both = inside & (labels[number - 1] > 0)
            links.append(np.stack([labels[number - 1][both], labels[number][both]], 1))
    if not count:
        return labels, np.zeros(1, np.int64)
    pairs = np.unique(np.concatenate(links), axis=0) if links else np.zeros((0, 2), np.int64)
    names = _joined(pairs, count)
    labels = names[labels]
    sizes = np.bincount(labels.ravel(), minlength=int(names.max()) + 1)
    sizes[0] = 0
    return labels, sizes


def largest_component(mask: Flags) -> Flags:
    """Keep the largest connected part of a mask; of equal ones the first, of nothing nothing.

    Args:
        mask: (slices, rows, columns) bool.
    """
    labels, sizes = label_components(mask)
    return labels == sizes.argmax() if sizes.any() else np.zeros(mask.shape, np.bool_)


def _joined(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Give parts that are linked one number, and number all anew from 1."""
    parents = list(range(count + 1))

    def root(part: int) -> int:
        while parents[part] != part:
            parents[part] = parents[parents[part]]
            part = parents[part]
        return part

    for one, other in pairs.tolist():
        first, second = sorted((root(one), root(other)))
        parents[second] = first  # the smaller number wins, so that 0 stays alone
    roots = np.array([root(part) for part in range(count + 1)])
    _, names = np.unique(roots, return_inverse=True)
    return names.astype(np.int64)
