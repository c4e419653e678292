"""Say what each synthesised stack is, from what was synthesised and never from its header.

A region is covered when its box lies wholly inside the imaged box. Breasts count on breast examinations
alone: a woman's chest CT is an examination of the lung.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from pydicom.uid import SecondaryCaptureImageStorage

from radnet.synthetic.anatomy import Body
from radnet.synthetic.coverage import covered_regions
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.planning import GEOMETRY, NORMAL_AXIS, POSITION_DECIMALS
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.protocols import View
from radnet.synthetic.series import Stack, file_of, is_enhanced
from radnet.terms import PAPER_SEQUENCES

MIN_SLICES: Final = 16
MAX_SPACING_MM: Final = 15.0
UNSPACED: Final = ("mixed_orientation", "single_position", "no_position")
"""Geometries without a distance between slices."""
FOREIGN_CLASSES: Final = (SecondaryCaptureImageStorage,)
"""Storage classes that hold no CT or MR image."""
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
        form: A word of `terms.FORMS`.
        view: Plane; empty when oblique or mixed.
        contrast: yes or no.
        coverage: Regions joined by ';', `none` for none of them.
        n_slices: Distinct positions in the header.
        slice_spacing_mm: Median of the plan, along the normal; None when there is no one spacing.
        geometry: Verdict on the positions.
        keep: yes or no, under the default policy.
        reason: First reason for leaving it out; empty when kept.
        trap: What is unusual about the series, and why labels are untold; empty for nothing.
        path: Folder or archive file of the series, relative to the archive.
        file: A file in it that holds an image of the stack.
        frame: Number of such an image in the file, from 1; None for an object of one image.
        untold: Labels that nothing in the header tells, joined by ';': the right answer is unknown.
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
    file: str = ""
    frame: int | None = None
    untold: str = ""


def tell(body: Body, place: SeriesPlace, stack: Stack, path: str) -> Truth:
    """Tell the truth about a stack.

    Args:
        body: The patient.
        place: Patient, study and series.
        stack: The stack.
        path: Where its series lies, relative to the archive.
    """
    protocol = place.protocol
    geometry = "single_position" if protocol.storage == "mosaic" else GEOMETRY.get(protocol.trap, "uniform")
    positions = _count(stack, geometry)
    spacing_mm = None if geometry in UNSPACED else _spacing_mm(stack.plans[0])
    reason = _reason(place, geometry, stack.sequence, positions, spacing_mm or 0.0)
    return Truth(
        SeriesInstanceUID=place.series_uid,
        EchoTime=getattr(stack.technique, "te_ms", None) if protocol.trap == "dual_echo" else None,
        Modality=place.exam.modality,
        sequence=stack.sequence,
        form=stack.form,
        view="" if protocol.trap in ("oblique", "localizer") else _view(stack.plans[0]),
        contrast="yes" if stack.technique.contrast else "no",
        coverage=_coverage(body, place, stack),
        n_slices=positions,
        slice_spacing_mm=spacing_mm,
        geometry=geometry,
        keep="no" if reason else "yes",
        reason=reason,
        trap="; ".join(filter(None, (protocol.trap, protocol.note))),
        path=path,
        file=_member(place, stack, path),
        frame=stack.first if is_enhanced(place) else None,
        untold=";".join(protocol.untold),
    )


def _member(place: SeriesPlace, stack: Stack, path: str) -> str:
    """Return the file of a stack's first image below its series' folder, or in its archive file."""
    name = file_of(place, stack.first)
    return f"{PurePosixPath(path).stem}/{name}" if place.protocol.trap == "zip" else name


def _count(stack: Stack, geometry: str) -> int:
    """Count the distinct positions in the header."""
    if geometry == "no_position":
        return 0
    if geometry == "single_position":
        return 1
    return len(np.unique(np.vstack([plan.positions for plan in stack.plans]), axis=0))


def _spacing_mm(plan: Prescription) -> float:
    """Return the median distance between neighbouring positions."""
    places = np.unique(np.round(plan.positions @ plan.normal, POSITION_DECIMALS - 1))
    return round(float(np.median(np.diff(places))), POSITION_DECIMALS - 1)


def _view(plan: Prescription) -> View:
    """Return the plane whose normal is nearest."""
    axis = int(np.argmax(np.abs(plan.normal)))
    return next(view for view, normal_axis in NORMAL_AXIS.items() if normal_axis == axis)


def _coverage(body: Body, place: SeriesPlace, stack: Stack) -> str:
    if stack.sequence == "localizer" or place.protocol.trap == "single_position":
        return "none"
    of_breast = "breast" in place.protocol.field.holds
    return ";".join(covered_regions(body, stack.plans[0], of_breast)) or "none"


def _reason(place: SeriesPlace, geometry: str, sequence: str, slices: int, spacing_mm: float) -> str:
    """Return the first reason in the funnel's order for leaving a stack out, empty for none."""
    protocol = place.protocol
    effective_mm = slices * spacing_mm / PADDED_SLICES if slices >= PADDED_SLICES else spacing_mm
    unknown = protocol.trap == "unknown_sequence" or "sequence" in protocol.untold
    faults = (
        ("unsupported_object", dict(protocol.header).get("SOPClassUID") in FOREIGN_CLASSES),
        (geometry, geometry not in ("uniform", "time_series")),
        ("oblique", protocol.trap == "oblique"),
        ("too_few_slices", slices < MIN_SLICES),
        ("excluded_sequence", sequence not in PAPER_SEQUENCES and not unknown),
        ("time_series", geometry == "time_series"),
        ("unknown_sequence", unknown),
        ("spacing_above_15mm", effective_mm > MAX_SPACING_MM),
    )
    return next((reason for reason, found in faults if found), "")
