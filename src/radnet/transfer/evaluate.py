"""Measure one segmenter on scans with masks: Dice, IoU and volume of each, with and without a second pass.

Masks are compared on the network's grid, as they were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radnet.executors import Progress, silent
from radnet.masks.components import largest_component
from radnet.networks.segmenter import Segmenter
from radnet.networks.windows import cover_windows
from radnet.transfer.samples import Example, Proposals


@dataclass(frozen=True, slots=True)
class CaseScore:
    """How well one scan was outlined.

    Attributes:
        case_id: Of the scan.
        dice: 1 when mask and truth are both empty.
        iou: Likewise.
        voxels: Of the mask.
        true_voxels: Of the truth.
        seconds: Taken.
    """

    case_id: str
    dice: float
    iou: float
    voxels: int
    true_voxels: int
    seconds: float


def dice_and_iou(mask: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Compare two masks of one shape; both are 1 when there is nothing in either."""
    said, true = mask != 0, truth != 0
    common, both = np.count_nonzero(said & true), np.count_nonzero(said) + np.count_nonzero(true)
    return (2 * common / both, common / (both - common)) if both else (1.0, 1.0)


def evaluate_segmenter(
    segmenter: Segmenter,
    cases: Sequence[Example],
    proposals: Proposals | None = None,
    second_pass: bool | None = None,
    progress: Progress = silent,
) -> list[CaseScore]:
    """Outline scans and compare with their masks.

    Args:
        segmenter: What outlines.
        cases: Scans that did not train it.
        proposals: Windows to look at; None looks at all slices.
        second_pass: As of `Segmenter.segment`.
        progress: Called with scans done.

    Returns:
        A score each, in order.
    """
    scores = []
    for number, case in enumerate(cases, 1):
        begun = perf_counter()
        probability = segmenter.segment(case.image, starts_of(segmenter, case, proposals), second_pass)
        mask = largest_component(probability >= segmenter.spec.threshold)
        seconds = perf_counter() - begun
        dice, iou = dice_and_iou(mask, case.mask)
        sizes = int(np.count_nonzero(mask)), int(np.count_nonzero(case.mask))
        scores.append(CaseScore(case.case_id, dice, iou, *sizes, round(seconds, 3)))
        progress(number, len(cases))
    return scores


def starts_of(segmenter: Segmenter, case: Example, proposals: Proposals | None) -> tuple[int, ...] | None:
    """Return the segmenter's windows for a scan; None for all slices."""
    if proposals is None:
        return None
    starts = proposals.starts[case.case_id]
    return cover_windows(
        starts, proposals.slices, len(case.image), segmenter.spec.window[0], segmenter.spec.overlap
    )
