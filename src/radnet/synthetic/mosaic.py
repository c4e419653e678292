"""Tile the slices of a volume into one image, as Siemens scanners store echo-planar runs.

Every object is a whole volume; its position is that of the tiled sheet, so all objects of a run share one.
Source: dcm2niix and NiBabel document the layout.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from radnet.synthetic.prescription import Prescription

VOLUMES: Final = 6
"""Times that are stored."""


def mosaic(dataset: Dataset, plan: Prescription, images: NDArray[Any]) -> tuple[Prescription, NDArray[Any]]:
    """Turn the slices of a volume into one sheet, stored once a time.

    Args:
        dataset: Template of the series; its matrix and ImageType are changed.
        plan: Where the slices lie.
        images: (slices, rows, columns).

    Returns:
        A plan with the sheet's position for each time, and the (times, rows, columns) sheets.
    """
    slices, rows, columns = images.shape
    side = ceil(sqrt(slices))
    sheet = np.zeros((side * side, rows, columns), images.dtype)
    sheet[:slices] = images
    tiled = sheet.reshape(side, side, rows, columns).swapaxes(1, 2).reshape(side * rows, side * columns)
    dataset.Rows, dataset.Columns = tiled.shape
    dataset.ImageType = [*dataset.ImageType, "MOSAIC"]
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "US", slices)
    half = (np.array([columns, rows]) * (side - 1) / 2) * plan.pixel_mm
    corner = plan.positions[0] - plan.row * half[0] - plan.column * half[1]
    positions = np.tile(np.round(corner, 4), (VOLUMES, 1))
    return replace(plan, positions=positions, shape=tiled.shape), np.stack([tiled] * VOLUMES)
