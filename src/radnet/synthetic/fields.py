"""What is examined: targets as hospitals order them, and the box of the body that is imaged for each.

Boxes are built on a body's own regions and its outline, so that any label map with regions can be examined.
Axes of a box are x, y, z in mm, LPS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.profiles import Vector
from radnet.synthetic.sampling import Subject

SPINE_HALF_MM: Final = (30.0, 60.0)
"""Half the width of a sagittal spine or joint examination."""
CUT_SHARE: Final = 0.2
"""How often a box stops short of its target at one end."""
FOCUSED_SHARE: Final = 0.15
"""How often the field of view is that of the region and not of the whole cross-section."""
LEAST_FIELD_MM: Final = 140.0
"""Smallest side of a field of view in the axial plane."""


@dataclass(frozen=True, slots=True)
class Target:
    """An examination as it is ordered.

    Attributes:
        name: In a hospital's words.
        regions: What it means to cover.
        weight: How common it is among those of a region.
        head: Whether the slices follow the head's own tilt.
        core: Whether raised arms are left out.
    """

    name: str
    regions: tuple[str, ...]
    weight: float = 1.0
    head: bool = False
    core: bool = False


TARGETS: Final = (
    Target("brain", ("brain",), 4, head=True, core=True),
    Target("head", ("brain", "upper_head_neck"), 1, head=True, core=True),
    Target("face", ("upper_head_neck",), 2, head=True, core=True),
    Target("neck", ("upper_head_neck", "lower_head_neck"), 2, core=True),
    Target("larynx", ("lower_head_neck",), 2, core=True),
    Target("head and neck", ("brain", "upper_head_neck", "lower_head_neck"), 1, core=True),
    Target("neck and chest", ("lower_head_neck", "lung"), 0.7),
    Target("chest", ("lung",), 4),
    Target("breast", ("breast",), 3),
    Target("chest and liver", ("lung", "liver"), 0.7),
    Target("chest and abdomen", ("lung", "liver", "kidney"), 1),
    Target("trunk", ("lung", "liver", "kidney", "intestine", "pelvis"), 1.5),
    Target("liver", ("liver",), 3),
    Target("abdomen", ("liver", "kidney"), 2),
    Target("kidneys", ("kidney",), 3),
    Target("abdomen and pelvis", ("liver", "kidney", "intestine", "pelvis"), 2),
    Target("bowel", ("intestine",), 2),
    Target("pelvis", ("pelvis",), 4),
    Target(
        "whole body",
        ("brain", "upper_head_neck", "lower_head_neck", "lung", "liver", "kidney", "intestine", "pelvis"),
        0.4,
    ),
    Target("part", ()),
)
"""The last covers none of the nine regions: a spine, a hip, a thigh, a part of an organ."""


def targets_for(subject: Subject) -> list[Target]:
    """List the targets whose regions a body has."""
    return [target for target in TARGETS if set(target.regions) <= set(subject.body.boxes)]


def draw_box(subject: Subject, target: Target, rng: np.random.Generator) -> Vector:
    """Draw the box that is imaged, (2, 3) mm.

    Args:
        subject: Who is examined.
        target: What for.
        rng: Where the numbers come from.
    """
    if not target.regions:
        return _part_box(subject, rng)
    boxes = np.array([subject.body.boxes[region] for region in target.regions])
    region = np.array([boxes[:, 0].min(0), boxes[:, 1].max(0)])
    margin = rng.uniform(2, 22, 2) if target.head else rng.uniform(3, 40, 2)
    low_z, high_z = region[0, 2] - margin[0], region[1, 2] + margin[1]
    if rng.random() < CUT_SHARE:
        cut = rng.uniform(0.1, 0.45) * (high_z - low_z)
        low_z, high_z = (low_z + cut, high_z) if rng.random() < 0.5 else (low_z, high_z - cut)
    outline = subject.outline_mm(low_z, high_z, target.core)
    box = np.array([[*region[0, :2], low_z], [*region[1, :2], high_z]])
    focused = rng.random() < FOCUSED_SHARE
    for axis in (0, 1):
        around = region[:, axis] if focused else outline[:, axis]
        span = float(np.ptp(around))
        low, high = around + np.array([-1, 1]) * rng.uniform(-0.06, 0.16, 2) * span
        lacking = max(0.0, LEAST_FIELD_MM - float(high - low)) / 2
        box[:, axis] = low - lacking, high + lacking
    return box


def _part_box(subject: Subject, rng: np.random.Generator) -> Vector:
    """Draw a box somewhere in the body that is too small or too low for any region."""
    low, high = subject.extent_mm
    height = rng.uniform(90, 320)
    bottom = rng.uniform(low[2], max(low[2], high[2] - height))
    outline = subject.outline_mm(bottom, bottom + height)
    box = np.array([[*outline[0], bottom], [*outline[1], bottom + height]])
    kind = rng.choice(["spine", "side", "slab"])
    middle = float(outline[:, 0].mean())
    if kind == "spine":
        half = rng.uniform(*SPINE_HALF_MM)
        box[:, 0] = middle - half, middle + half
        box[0, 1] += rng.uniform(0.2, 0.5) * float(np.ptp(outline[:, 1]))
    elif kind == "side":
        box[rng.integers(2), 0] = middle + rng.uniform(-20, 20)
    else:
        thick = rng.uniform(0.3, 0.7) * height
        box[0, 2] += (height - thick) * rng.random()
        box[1, 2] = box[0, 2] + max(thick, 60)
    return box
