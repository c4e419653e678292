"""Refuse scans that no segmenter can be trained on, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from radnet.config import TransferConfig
from radnet.errors import TrainingError
from radnet.networks.segmenter_spec import LEAST_WINDOW
from radnet.transfer.samples import Example, Proposals

SPACING_TOLERANCE: Final = 0.05
"""Largest departure of a scan's slice distance from the one asked for, as a share of it."""


def refuse_unusable(
    training: Sequence[Example],
    validation: Sequence[Example],
    config: TransferConfig,
    proposals: Proposals | None,
) -> None:
    """Refuse scans and settings that cannot be used.

    Raises:
        TrainingError: If there are no scans on a side, a scan or patient stands on both, an image is none of
            grey levels, a mask does not fit, nobody has the organ, a scan is of another organ or slice
            distance, or has no proposed window.
    """
    for side, cases in (("train", training), ("validate", validation)):
        if side == "validate" and not cases and config.keep == "last":
            continue
        if not cases:
            raise TrainingError(f"no scan is there to {side}; a segmenter needs at least one on each side")
        for case in cases:
            _refuse_case(case, config, proposals)
        if not any(np.any(case.mask) for case in cases):
            raise TrainingError(
                f"none of the {len(cases)} masks to {side} holds {config.organ}; check their labels"
            )
    _refuse_shared(training, validation)
    if min(config.window) < LEAST_WINDOW:
        raise TrainingError(
            f"window is {_form(config.window)}; it needs at least {LEAST_WINDOW} slices, rows and columns"
        )


def _refuse_case(case: Example, config: TransferConfig, proposals: Proposals | None) -> None:
    image, mask = np.asarray(case.image), np.asarray(case.mask)
    if image.dtype != np.uint8 or image.ndim != 3 or not image.size:
        raise TrainingError(
            f"case {case.case_id}: its image is {_form(image.shape)} {image.dtype}; expected slices x rows x "
            "columns of uint8 grey levels"
        )
    if mask.shape != image.shape:
        raise TrainingError(
            f"case {case.case_id}: its mask is {_form(mask.shape)} and its image {_form(image.shape)}; "
            "resample one to the other"
        )
    if mask.dtype.kind == "f" and not np.isfinite(mask).all():
        raise TrainingError(f"case {case.case_id}: its mask holds what is no number; make it 0 and 1")
    organ = getattr(case, "organ", config.organ)
    if organ != config.organ:
        raise TrainingError(
            f"case {case.case_id}: its mask is of {organ}, and {config.organ} is to be learnt"
        )
    spacing = getattr(case, "spacing_mm", None)
    if spacing is not None and abs(float(spacing[0]) / config.slice_mm - 1) > SPACING_TOLERANCE:
        raise TrainingError(
            f"case {case.case_id}: its slices are {float(spacing[0]):.3g} mm apart and slice_mm is "
            f"{config.slice_mm:g}; resample it"
        )
    if proposals is not None and not len(proposals.starts.get(case.case_id, ())):
        raise TrainingError(
            f"case {case.case_id}: has no proposed window; propose windows of all scans first"
        )


def _refuse_shared(training: Sequence[Example], validation: Sequence[Example]) -> None:
    names = [case.case_id for case in (*training, *validation)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TrainingError(f"case {twice[0]} stands twice among the scans; name each once, on one side")
    both = {case.patient_id for case in training} & {case.patient_id for case in validation}
    if both:
        shared = sorted(case.case_id for case in (*training, *validation) if case.patient_id in both)
        raise TrainingError(
            f"{len(both)} patients both train and validate (cases {', '.join(shared[:3])}); split by patient"
        )


def _form(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
