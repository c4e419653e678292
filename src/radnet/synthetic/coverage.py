"""Say which regions of a body a scan holds wholly."""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.anatomy import Body, Box
from radnet.synthetic.prescription import Prescription
from radnet.terms import REGIONS

TOLERANCE_MM: Final = 1.0
"""How far a region may stick out of the scan and still count as covered."""


def covered_regions(body: Body, plan: Prescription, of_breast: bool) -> list[str]:
    """List the regions that lie wholly inside a scan, in the order of `terms.REGIONS`.

    Args:
        body: Who is scanned.
        plan: The scan.
        of_breast: Whether it is an examination of the breast; breasts count on no other, since a woman's
            chest CT is an examination of the lung.
    """
    boxes = {
        region: body.boxes[region]
        for region in REGIONS
        if region in body.boxes and (region != "breast" or of_breast)
    }
    return [region for region, box in boxes.items() if holds(plan, box)]


def holds(plan: Prescription, box: Box) -> bool:
    """Say whether a box lies wholly inside a scan, whichever way the slices are turned.

    Along the body's axes the box itself counts; along others the ellipsoid that fills it.
    """
    axes = np.array([plan.row, plan.column, plan.normal])
    middle = axes @ box.mean(0)
    reach = np.sqrt(np.square(axes) @ np.square((box[1] - box[0]) / 2))
    firsts = plan.positions @ axes.T
    rows, columns = plan.shape
    half = np.array([plan.pixel_mm, plan.pixel_mm, plan.thickness_mm]) / 2
    low = firsts.min(0) - half
    high = firsts.max(0) + half + np.array([columns - 1, rows - 1, 0]) * plan.pixel_mm
    inside = (middle - reach >= low - TOLERANCE_MM) & (middle + reach <= high + TOLERANCE_MM)
    return bool(inside.all())
