"""How well a mask holds the truth, on the voxels of the scan itself, in millimetres.

Every score is defined for every pair of masks, so that no failure leaves a mean: two empty masks agree
entirely; when only one is empty, Dice, IoU and surface Dice are 0 and HD95 is the diagonal of the scan, the
largest distance there can be.

A surface is the voxels of a mask that touch one outside it by a face; the edge of the scan counts as outside.
Distances are between centres of such voxels, as MONAI and most challenges take them.

Source: Dice 1945; Huttenlocher et al. 1993 with the 95th percentile of each direction, the larger of the two
(Taha and Hanbury 2015, doi 10.1186/s12880-015-0068-x); surface Dice is that of Nikolov et al. 2018 (arXiv
1809.04430).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radnet.errors import MaskError
from radnet.extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

Flags = NDArray[np.bool_]
Reals = NDArray[np.float64]

FAILED_DICE: Final = 0.5
"""A mask below this Dice, or an empty one, is a failure: it must be drawn anew."""
TOLERANCE_MM: Final = 5.0
"""Of the surface Dice where none is given: about one slice of the resampled scan."""
PERCENTILE: Final = 95.0
ML: Final = 1000.0
"""Cubic millimetres."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one mask.

    Attributes:
        dice: 0 to 1.
        iou: Intersection over union, 0 to 1.
        hd95_mm: 95 % Hausdorff distance.
        surface_dice: Share of both surfaces within the tolerance of the other, 0 to 1.
        mask_ml: Volume of the mask.
        truth_ml: Volume of the truth.
        volume_difference_ml: Mask minus truth.
        failed: Dice below 0.5, or the mask is empty and the truth is not.
    """

    dice: float
    iou: float
    hd95_mm: float
    surface_dice: float
    mask_ml: float
    truth_ml: float
    volume_difference_ml: float
    failed: bool


def score_mask(
    mask: ArrayLike, truth: ArrayLike, spacing_mm: Sequence[float] | Reals, tolerance_mm: float = TOLERANCE_MM
) -> Scores:
    """Score a mask against the truth.

    Args:
        mask: (slices, rows, columns), true inside the organ.
        truth: Of the same shape.
        spacing_mm: (3,) distance between slices, rows and columns.
        tolerance_mm: Of the surface Dice.

    Raises:
        MaskError: If the shapes differ or a spacing is no positive number.
    """
    said, true = np.asarray(mask, bool), np.asarray(truth, bool)
    spacing = np.asarray(spacing_mm, float)
    if said.shape != true.shape or said.ndim != 3:
        raise MaskError(
            f"a mask of {_shape(said)} voxels cannot be scored against a truth of {_shape(true)}; "
            "both must lie on the scan's own grid"
        )
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise MaskError(f"the spacing {spacing.tolist()} mm is none; expected three positive numbers")
    n_said, n_true = int(said.sum()), int(true.sum())
    both = int((said & true).sum())
    dice, iou = _shares(n_said, n_true, both)
    hd95, surface = _surface_scores(said, true, spacing, tolerance_mm)
    voxel_ml = float(spacing.prod()) / ML
    return Scores(
        dice=dice,
        iou=iou,
        hd95_mm=hd95,
        surface_dice=surface,
        mask_ml=n_said * voxel_ml,
        truth_ml=n_true * voxel_ml,
        volume_difference_ml=(n_said - n_true) * voxel_ml,
        failed=dice < FAILED_DICE,
    )


def _shape(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape))


def _shares(n_said: int, n_true: int, both: int) -> tuple[float, float]:
    """Return Dice and intersection over union."""
    if not n_said + n_true:
        return 1.0, 1.0
    return 2 * both / (n_said + n_true), both / (n_said + n_true - both)


def _surface_scores(said: Flags, true: Flags, spacing: Reals, tolerance_mm: float) -> tuple[float, float]:
    """Return HD95 in mm and surface Dice."""
    if not said.any() or not true.any():
        if said.any() or true.any():
            return float(np.linalg.norm(np.array(said.shape) * spacing)), 0.0
        return 0.0, 1.0
    box = _box(said | true)
    own, other = _surface(said[box]), _surface(true[box])
    to_truth, to_mask = _distances(own, other, spacing), _distances(other, own, spacing)
    hd95 = max(float(np.percentile(side, PERCENTILE)) for side in (to_truth, to_mask))
    near = int((to_truth <= tolerance_mm).sum() + (to_mask <= tolerance_mm).sum())
    return hd95, near / (to_truth.size + to_mask.size)


def _box(flags: Flags) -> tuple[slice, ...]:
    """Return the smallest box around what is true; outside it there is no surface."""
    box = []
    for axis in range(flags.ndim):
        rest = tuple(other for other in range(flags.ndim) if other != axis)
        places = np.flatnonzero(flags.any(axis=rest))
        box.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(box)


def _surface(flags: Flags) -> Flags:
    """Return the voxels that touch one outside by a face."""
    padded = np.pad(flags, 1)
    inner = tuple(slice(1, -1) for _ in range(flags.ndim))
    inside = flags.copy()
    for axis in range(flags.ndim):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)[inner]
    return flags & ~inside


def _distances(surface: Flags, other: Flags, spacing: Reals) -> Reals:
    """Return the distance in mm from each voxel of a surface to the nearest one of another."""
    ndimage = require("scipy.ndimage", "train", "scoring masks")
    away: Reals = ndimage.distance_transform_edt(~other, sampling=spacing)
    return away[surface]
