"""Draw examinations: what is imaged of a body, in which plane, with which technique and which faults.

Everything follows from a generator, so that equal seeds give equal examinations on every device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from radnet.geometry import effective_spacing
from radnet.synthetic.coils import Coils
from radnet.synthetic.coverage import covered_regions
from radnet.synthetic.ct import CtArtefacts, CtTechnique
from radnet.synthetic.fields import Target, draw_box
from radnet.synthetic.furniture import Furniture
from radnet.synthetic.mr import MrArtefacts
from radnet.synthetic.planning import DIRECTIONS, NORMAL_AXIS
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.profiles import Vector
from radnet.synthetic.protocols import View
from radnet.synthetic.sampling import Subject
from radnet.synthetic.shapes import rotation
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.techniques import draw_technique

MIN_SLICES: Final = 16
"""Of a stack that becomes a volume (paper, section 3)."""
MAX_SLICES: Final = 800
MAX_TILT_DEG: Final = 18.0
"""Angle of the normal against the body's axis that still has a view; beyond 20 a stack is oblique."""
OBLIQUE_DEG: Final = (25.0, 45.0)
HEAD_DOSE_NOISE: Final = 0.5
"""Noise of a head's CT against that of a body's: a skull is given more dose."""
ALONG_BODY: Final = 0.5
"""Part of a direction along the body from which it is oversampled, so that nothing wraps."""
MATRICES: Final = {"ct": (512,), "mr": (192, 224, 256, 288, 320, 384, 448, 512)}
"""Pixels along the longer side."""

Plane = Literal["axial", "coronal", "sagittal", "oblique"]
SLICE_DIRECTION: Final[dict[View, int]] = {"axial": 1, "coronal": 1, "sagittal": -1}
"""Sign of the direction in which canonical slices follow each other, along the normal's axis."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One series, drawn.

    Attributes:
        target: What was ordered.
        plane: Of the slices.
        plan: Where they lie, in the canonical order of `radnet.geometry`.
        spacing_mm: From slice to slice.
        technique: How they are made.
        artefacts: What is imperfect.
    """

    target: Target
    plane: Plane
    plan: Prescription
    spacing_mm: float
    technique: CtTechnique | MrTechnique
    artefacts: CtArtefacts | MrArtefacts

    def coverage(self, subject: Subject) -> list[str]:
        """List the regions that lie wholly inside."""
        return covered_regions(subject.body, self.plan, "breast" in self.target.regions)

    def effective_spacing_mm(self, slices: int) -> float:
        """Return the distance of slices after the resize to a number of slices."""
        return effective_spacing(len(self.plan.positions), self.spacing_mm, slices)


def draw_examination(
    subject: Subject,
    target: Target,
    sequence: str,
    plane: Plane,
    contrast: bool,
    rng: np.random.Generator,
) -> Examination:
    """Draw an examination.

    Args:
        subject: Who is examined; the target's regions must be among the body's boxes.
        target: What for.
        sequence: One of `techniques.SEQUENCES_DRAWN`.
        plane: Of the slices.
        contrast: Whether an agent circulates.
        rng: Where the numbers come from.
    """
    technique = draw_technique(sequence, contrast, rng)
    if target.head and isinstance(technique, CtTechnique):
        technique = replace(technique, noise_hu=technique.noise_hu * HEAD_DOSE_NOISE)
    box = draw_box(subject, target, rng)
    is_ct = isinstance(technique, CtTechnique)
    plan, spacing_mm = _draw_plan(box, plane, is_ct, target.head, rng)
    artefacts = _ct_artefacts(rng) if is_ct else _mr_artefacts(plan, target.core, rng)
    return Examination(target, plane, plan, spacing_mm, technique, artefacts)


def _draw_plan(
    box: Vector, plane: Plane, is_ct: bool, head: bool, rng: np.random.Generator
) -> tuple[Prescription, float]:
    """Lay slices over a box, in canonical order."""
    view: View = "coronal" if plane == "oblique" else plane
    axis = NORMAL_AXIS[view]
    spacing_mm, thickness_mm = _draw_spacing(float(np.ptp(box[:, axis])), is_ct, rng)
    count = int(np.clip(np.ceil(np.ptp(box[:, axis]) / spacing_mm), MIN_SLICES, MAX_SLICES))
    turn = rotation(_draw_angles(plane, is_ct, head, rng))
    row, column = (turn @ direction for direction in DIRECTIONS[view])
    normal = np.cross(row, column)
    shape, pixel_mm = _draw_matrix(box, view, is_ct, rng)
    middle = box.mean(0)
    corner = middle - (row * (shape[1] - 1) + column * (shape[0] - 1)) * pixel_mm / 2
    offsets = (np.arange(count) - (count - 1) / 2) * spacing_mm
    positions = corner + offsets[:, None] * normal
    return Prescription(positions, row, column, shape, pixel_mm, thickness_mm), spacing_mm


def _draw_spacing(extent_mm: float, is_ct: bool, rng: np.random.Generator) -> tuple[float, float]:
    """Draw distance and thickness of slices: CT overlaps or touches, MR leaves gaps or is a block."""
    if is_ct:
        low, high = ((0.6, 1.5), (1.5, 3.0), (3.0, 5.0), (5.0, 10.0))[
            int(rng.choice(4, p=[0.3, 0.3, 0.3, 0.1]))
        ]
        spacing = rng.uniform(low, high)
        thickness = spacing * rng.choice([1.0, 1.25, 1.6])
    elif rng.random() < 0.2:
        spacing = thickness = rng.uniform(0.8, 2.0)
    else:
        spacing = rng.uniform(2.5, 8.0)
        thickness = spacing / (1 + rng.uniform(0, 0.3))
    shrunk = min(1.0, extent_mm / MIN_SLICES / spacing)
    return float(spacing * shrunk), float(thickness * shrunk)


def _draw_angles(
    plane: Plane, is_ct: bool, head: bool, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Draw how far the slices are turned about x, y and z, degrees."""
    if plane == "oblique":
        about = int(rng.choice([0, 2]))
        angle = float(rng.uniform(*OBLIQUE_DEG) * rng.choice([-1, 1]))
        return (angle, 0.0, 0.0) if about == 0 else (0.0, 0.0, angle)
    if rng.random() < (0.6 if is_ct else 0.3) and not head:
        return 0.0, 0.0, 0.0
    spread = np.array([7.0, 3.0, 3.0]) if head else np.array([3.0, 2.0, 2.0])
    x, y, z = np.clip(rng.standard_normal(3) * spread, -MAX_TILT_DEG / 1.5, MAX_TILT_DEG / 1.5).tolist()
    return x, y, z


def _draw_matrix(
    box: Vector, view: View, is_ct: bool, rng: np.random.Generator
) -> tuple[tuple[int, int], float]:
    """Draw rows, columns and pixel size: axial CT is square, all else may be cut to the body."""
    size = np.ptp(box, axis=0)
    height, width = (float(size[np.abs(direction).argmax()]) for direction in DIRECTIONS[view][::-1])
    longer = int(rng.choice(MATRICES["ct" if is_ct else "mr"]))
    square = rng.random() < (0.9 if is_ct and view == "axial" else 0.5)
    pixel_mm = max(height, width) / longer
    if square:
        return (longer, longer), pixel_mm
    rows, columns = (max(64, int(np.ceil(side / pixel_mm))) for side in (height, width))
    return (rows, columns), pixel_mm


def _ct_artefacts(rng: np.random.Generator) -> CtArtefacts:
    furniture = Furniture(
        table=bool(rng.random() < 0.85),
        gap_mm=rng.uniform(2, 30),
        thickness_mm=rng.uniform(20, 70),
        half_width_mm=rng.uniform(180, 270),
        hollow_mm=rng.uniform(0, 70),
        cloth_points=int(rng.choice([0, 1, 2, 3, 4], p=[0.5, 0.15, 0.15, 0.1, 0.1])),
    )
    fillings = float(rng.choice([0, 0.05, 0.15], p=[0.5, 0.3, 0.2]))
    return CtArtefacts(furniture, fillings, float(rng.uniform(0, 1)), bool(rng.random() < 0.3))


def _mr_artefacts(plan: Prescription, core: bool, rng: np.random.Generator) -> MrArtefacts:
    coils = Coils(
        count=int(rng.choice([0, 1, 2, 4, 8, 12], p=[0.15, 0.05, 0.1, 0.3, 0.3, 0.1])),
        width=float(np.exp(rng.uniform(np.log(0.16), np.log(0.7)))),
        uniformity=rng.uniform(0, 0.95),
        seed=int(rng.integers(1 << 31)),
    )
    ghost = float(np.exp(rng.uniform(np.log(0.01), np.log(0.08)))) if rng.random() < 0.35 else 0.0
    phase_axis = int(rng.choice([1, 2]))
    along_body = abs((plan.column if phase_axis == 1 else plan.row)[2]) > ALONG_BODY
    return MrArtefacts(
        coils,
        phase_axis=phase_axis,
        wrap=bool(rng.random() < 0.2) and not along_body and not core,
        ghost=ghost,
        ghost_share=rng.uniform(0.08, 0.5),
        cross_talk=float(rng.uniform(0, 0.08) * (rng.random() < 0.3)),
        cut_off=float(rng.uniform(1.0, 1.7)),
    )
