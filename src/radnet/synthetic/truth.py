"""Say what each synthesised stack is, from what was synthesised and never from its header.

A region is covered when its box lies wholly inside the imaged box. Breasts count on breast examinations
alone: a woman's chest CT is an examination of the lung.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.anatomy import Body
from radnet.synthetic.coverage import covered_regions
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.planning import GEOMETRY, NORMAL_AXIS, POSITION_DECIMALS
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.protocols import View
from radnet.synthetic.series import Stack
from radnet.terms import PAPER_SEQUENCES

MIN_SLICES: Final = 16
MAX_SPACING_MM: Final = 15.0
UNSPACED: Final = ("mixed_orientation", "single_position", "no_position")
"""Geometries without a distance between slices."""
PADDED_SLICES: Final = 48
"""Slices of a volume; only longer stacks change their spacing (paper, section 2.1.5)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A row of truth.csv: one stack.

    Attributes:
        SeriesInstanceUID: Of the series.
        EchoTime: ms; tells the two stacks of a dual echo apart, None for all others. The stacks of a
            three-plane localizer are told apart by their view.
        Modality: CT or MR.
        sequence: A word of `terms.SEQUENCES`.
        form: original or reformat.
        view: Plane; empty when oblique or mixed.
        contrast: yes or no.
        coverage: Regions joined by ';', `none` for none of them, empty for localizers.
        n_slices: Distinct positions in the header.
        slice_spacing_mm: Median of the plan, along the normal; None when there is no one spacing.
        geometry: Verdict on the positions.
        keep: yes or no, under the default policy.
        reason: First reason for leaving it out; empty when kept.
        trap: What is unusual about the series; empty for nothing.
        path: Folder or archive file of the series, relative to the archive.
    """

    SeriesInstanceUID: str
    EchoTime: float | None
    Modality: str
    sequence: str
    form: str
    view: str
    contrast: str
    coverage: str
    n_slices: int
    slice_spacing_mm: float | None
    geometry: str
    keep: str
    reason: str
    trap: str
    path: str


def tell(body: Body, place: SeriesPlace, stack: Stack, path: str) -> Truth:
    """Tell the truth about a stack.

    Args:
        body: The patient.
        place: Patient, study and series.
        stack: The stack.
        path: Where its series lies, relative to the archive.
    """
    protocol = place.protocol
    geometry = GEOMETRY.get(protocol.trap, "uniform")
    positions = len(np.unique(np.vstack([plan.positions for plan in stack.plans]), axis=0))
    spacing_mm = None if geometry in UNSPACED else _spacing_mm(stack.plans[0])
    reason = _reason(protocol.trap, geometry, stack.sequence, positions, spacing_mm or 0.0)
    return Truth(
        SeriesInstanceUID=place.series_uid,
        EchoTime=getattr(stack.technique, "te_ms", None) if protocol.trap == "dual_echo" else None,
        Modality=place.exam.modality,
        sequence=stack.sequence,
        form="reformat" if protocol.reformat else "original",
        view="" if protocol.trap in ("oblique", "localizer") else _view(stack.plans[0]),
        contrast="yes" if stack.technique.contrast else "no",
        coverage="" if stack.sequence == "localizer" else _coverage(body, place, stack),
        n_slices=0 if geometry == "no_position" else positions,
        slice_spacing_mm=spacing_mm,
        geometry=geometry,
        keep="no" if reason else "yes",
        reason=reason,
        trap=protocol.trap,
        path=path,
    )


def _spacing_mm(plan: Prescription) -> float:
    """Return the median distance between neighbouring positions."""
    places = np.unique(np.round(plan.positions @ plan.normal, POSITION_DECIMALS - 1))
    return round(float(np.median(np.diff(places))), POSITION_DECIMALS - 1)


def _view(plan: Prescription) -> View:
    """Return the plane whose normal is nearest."""
    axis = int(np.argmax(np.abs(plan.normal)))
    return next(view for view, normal_axis in NORMAL_AXIS.items() if normal_axis == axis)


def _coverage(body: Body, place: SeriesPlace, stack: Stack) -> str:
    covered = covered_regions(body, stack.plans[0], of_breast=place.exam.body_part == "BREAST")
    return ";".join(covered) or "none"


def _reason(trap: str, geometry: str, sequence: str, slices: int, spacing_mm: float) -> str:
    """Return the first reason in the funnel's order for leaving a stack out, empty for none."""
    effective_mm = slices * spacing_mm / PADDED_SLICES if slices >= PADDED_SLICES else spacing_mm
    faults = (
        (geometry, geometry not in ("uniform", "time_series")),
        ("oblique", trap == "oblique"),
        ("too_few_slices", slices < MIN_SLICES),
        ("unknown_sequence", trap == "unknown_sequence"),
        ("excluded_sequence", sequence not in PAPER_SEQUENCES),
        ("time_series", geometry == "time_series"),
        ("spacing_above_15mm", effective_mm > MAX_SPACING_MM),
    )
    return next((reason for reason, found in faults if found), "")
