"""Paint what is seen from outside: skin, fat and muscle of neck, trunk, arms and thighs, and the breasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.frame import SKIN_MM, Frame
from radnet.synthetic.noise import noise_planes
from radnet.synthetic.shapes import Canvas, Capsule, Ellipsoid, Point, Shape, tube
from radnet.synthetic.structures import NUMBER

SEPTUM_CELL_MM: Final = 30.0
"""Distance between the sheets of fat that part muscles."""
GAP_MM: Final = 6.0
"""Air between an arm at the side and the trunk."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Where the joints of one arm lie.

    Attributes:
        shoulder: Centre of the humeral head, mm.
        elbow: mm.
        wrist: mm.
    """

    shoulder: Point
    elbow: Point
    wrist: Point


def arm(frame: Frame, side: int) -> Arm:
    """Lay an arm beside the head or beside the trunk, clear of the fat at hip and flank."""
    shoulder = (side * (frame.inner.knots[11][1] + 16), 14.0, 566.0)
    if frame.build.arms == "up":
        return Arm(
            (side * (abs(shoulder[0]) - 10), 10.0, 582.0), (side * 222, -12, 835), (side * 130, -34, 1050)
        )
    fat = 0.5 * frame.fat_mm
    flank = frame.skin.at(300.0)[0] + fat + 46 * frame.muscle + GAP_MM
    hip = frame.skin.at(60.0)[0] + fat + 30 * frame.muscle + GAP_MM
    return Arm(shoulder, (side * max(205, flank), 34, 292), (side * max(212, hip), 8, 45))


def paint_outline(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint skin, fat and muscle of neck, trunk, arms and thighs."""
    _trunk(canvas, frame)
    fat, muscle = frame.fat_mm, frame.muscle
    limbs = [(part, fat * share) for side in (-1, 1) for part, share in _limbs(frame, side, muscle)]
    for name, depth in (("skin", SKIN_MM), ("fat", 0.0), ("muscle", None)):
        only = ("outside",) if name == "skin" else None if name == "muscle" else ("outside", "skin")
        for part, thickness in limbs:
            grown = part if depth is None else _grown(part, thickness + depth)
            canvas.paint(grown, name, only)
    canvas.paint(Ellipsoid((0, 0, -100), (7, 150, 96)), "outside")
    _part_muscles(canvas, frame, rng)


def _trunk(canvas: Canvas, frame: Frame) -> None:
    for window in canvas.slabs(canvas.window(frame.skin)):
        x, y, z = canvas.coordinates(window)
        region = canvas.labels[window]
        level = frame.skin.level(x, y, z)
        region[level < 1] = NUMBER["skin"]
        depth_mm = frame.skin.profile(z.mean(axis=(1, 2), keepdims=True))[0]
        region[level < 1 - 2.6 * SKIN_MM / depth_mm] = NUMBER["fat"]
        region[frame.inner.level(x, y, z) < 1] = NUMBER["muscle"]


def _limbs(frame: Frame, side: int, muscle: float) -> list[tuple[Capsule | Ellipsoid, float]]:
    """Return the muscles of one side's limbs, and how thick the fat over each is against the mean."""
    joints = arm(frame, side)
    hand = np.array(joints.wrist) + 0.35 * (np.array(joints.wrist) - np.array(joints.elbow))
    ends = (float(hand[0]), float(hand[1]), float(hand[2]))
    thick = [(44, 37), (34, 24), (26, 22)]
    points = [(joints.shoulder, joints.elbow), (joints.elbow, joints.wrist), (joints.wrist, ends)]
    parts: list[tuple[Capsule | Ellipsoid, float]] = []
    for (start, end), (first, last) in zip(points, thick, strict=True):
        parts.append((Capsule(start, end, (first * muscle, last * muscle)), 0.5))
    x, y, z = joints.shoulder
    lean = 10 if frame.build.arms == "up" else -10
    parts.append((Ellipsoid((x, y, z + lean), (46 * muscle, 44 * muscle, 50)), 0.5))
    parts += [
        (piece, 0.5) for piece in tube([(side * 30, 52, 640), (side * 100, 46, 600), (x, y, z)], [26, 26, 30])
    ]
    hips = 1.3 if frame.build.sex == "F" else 0.9
    thigh = tube([(side * 90, 6, 70), (side * 88, 10, -150)], [82 * muscle, 76 * muscle])
    parts += [(piece, hips) for piece in thigh]
    seat = Ellipsoid((side * 58, 84, 66), (60, 42 * muscle, 84))
    parts.append((seat, 1.1 * hips))
    return parts


def _grown(part: Capsule | Ellipsoid, mm: float) -> Shape:
    if isinstance(part, Capsule):
        return Capsule(part.start, part.end, (part.radii[0] + mm, part.radii[1] + mm))
    x, y, z = part.radii
    return Ellipsoid(part.centre, (x + mm, y + mm, z + mm), part.boxy, part.turn)


def _part_muscles(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Put sheets of fat between the muscles, and streaks into those of the old and the fat."""
    lean = max(1.2 - frame.muscle, 0.0)
    width = np.float32(0.018 + 0.035 * lean + 0.0005 * frame.fat_mm)
    shape = canvas.labels.shape
    for plane, field in zip(
        canvas.labels, noise_planes(shape, SEPTUM_CELL_MM / canvas.step_mm, rng), strict=True
    ):
        plane[(plane == NUMBER["muscle"]) & (np.abs(field) < width)] = NUMBER["fat"]


def paint_breasts(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint breasts before a chest: fat, and glandular tissue in strands; they lie flat and outwards."""
    size = frame.build.organ("breast").size * (0.72 + 0.016 * frame.fat_mm)
    glandular = min(max(1.25 - frame.build.age_years / 90, 0.25), 1.0)
    front = frame.skin.at(455.0)[1]
    for side in (-1, 1):
        uneven = rng.uniform(0.93, 1.07)
        high, wide, deep = 60 * size * uneven, 64 * size, 44 * size * uneven
        centre = (side * 84.0, front + 22 - 0.2 * deep, 455.0)
        breast = Ellipsoid(centre, (wide, deep, high), turn=(0, 0, side * 14))
        canvas.paint(breast, "skin", ("outside",), rough=0.03)
        canvas.paint(breast.shrunk(SKIN_MM), "breast_fat", ("skin", "fat"), rough=0.03)
        nipple = (centre[0] + side * 0.18 * wide, centre[1] - deep * 0.97, centre[2] - 4)
        canvas.paint(Ellipsoid(nipple, (6, 5, 6)), "skin", ("outside", "skin", "breast_fat"))
        core = (centre[0], centre[1] - 0.38 * deep, centre[2])
        gland = Ellipsoid(core, (0.52 * wide * glandular, 0.42 * deep, 0.52 * high * glandular))
        canvas.paint(gland, "breast_gland", ("breast_fat",), rough=0.55)
        for _ in range(int(70 * glandular)):
            middle = rng.normal(core, (0.26 * wide, 0.2 * deep, 0.26 * high))
            start: Point = (float(middle[0]), float(middle[1]), float(middle[2]))
            strand = tube([start, nipple], [float(rng.uniform(3, 8)) * size, 1.0])
            canvas.paint(strand, "breast_gland", ("breast_fat",))
