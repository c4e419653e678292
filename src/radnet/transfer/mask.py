"""From probabilities on the network's grid to a mask on the scan's, of scans new or scored."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.masks.components import largest_component
from radnet.transfer.grid import HALF, Floats, Grid, Mask, restore_mask

NEIGHBOURS: Final = np.ones((3, 3), np.uint8)


def mask_of(probabilities: Floats, threshold: float, grid: Grid, scan: Grid) -> Mask:
    """Keep the largest connected part and bring it to the scan's grid, cutting between voxels.

    Args:
        probabilities: On the network's grid.
        threshold: From which a voxel belongs to the organ.
        grid: The network's grid.
        scan: The scan's, from which it was resampled.
    """
    largest = largest_component(probabilities >= threshold)
    if not largest.any():
        return np.zeros(scan.shape, np.uint8)
    shares = _halved(probabilities, threshold)
    shares[~_widened(largest)] = 0  # its neighbours stay, so that the border is cut where it is
    other = (shares >= HALF) & ~largest
    shares[other] = 0
    return restore_mask(shares, grid, scan)


def _halved(probabilities: Floats, threshold: float) -> Floats:
    """Stretch probabilities so that the threshold becomes one half."""
    return np.interp(probabilities, (0.0, threshold, 1.0), (0.0, HALF, 1.0)).astype(np.float32)


def _widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the voxels next to a mask."""
    planes = np.stack([cv2.dilate(plane.astype(np.uint8), NEIGHBOURS) for plane in mask]) > 0
    wide: NDArray[np.bool_] = planes.copy()
    wide[1:] |= planes[:-1]
    wide[:-1] |= planes[1:]
    return wide
