"""Paint the bones of chest wall, shoulders, arms, pelvis and thighs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, radians, sin, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.frame import Frame
from radnet.synthetic.outline import arm
from radnet.synthetic.shapes import Canvas, Capsule, Ellipsoid, Point, Shape, tube
from radnet.synthetic.spine import vertebra_heights

RIBS: Final = 12
RIB_SWEEP_DEG: Final = (150, 152, 152, 150, 148, 146, 143, 136, 128, 118, 92, 62)
"""How far each rib goes round the chest, from the spine at 0 to the breastbone at 180."""
RIB_DROP_MM: Final = (26, 36, 44, 52, 58, 64, 70, 74, 76, 74, 56, 38)
"""How far the front end of each rib lies below its head."""
CORTEX_MM: Final = 2.0

Solid = Ellipsoid | Capsule


def paint_chest_wall(canvas: Canvas, frame: Frame) -> None:
    """Paint ribs with their cartilage, breastbone, collarbones and shoulder blades."""
    for index in range(RIBS):
        for side in (-1, 1):
            _rib(canvas, frame, index, side)
    sternum = [(0.0, _front(frame, z) - 5, z) for z in (398, 420, 450, 480, 506, 530, 552)]
    for offset in (-9, -3, 3, 9):
        wide = [5.0, 5.5, 6, 6, 5.5, 6.5, 7]
        share = [0.5, 1.0, 1.1, 1.0, 0.9, 1.6, 2.0]
        path = [(offset * s, y, z) for s, (_, y, z) in zip(share, sternum, strict=True)]
        _shell(canvas, tube(path, wide), "sternum", 1.5)
    for side in (-1, 1):
        _shoulder(canvas, frame, side)
        _arm(canvas, frame, side)


def _front(frame: Frame, height: float) -> float:
    """Return y of the front of the chest's inner wall at a height."""
    return frame.chest.at(height)[1]


def _rib(canvas: Canvas, frame: Frame, index: int, side: int) -> None:
    head, segment, deep, _ = vertebra_heights()[7 + index]
    start = head + 0.35 * segment
    spine = (side * 10.0, frame.spine_y(start) + 0.5 * deep, start)
    angles = np.linspace(16, RIB_SWEEP_DEG[index], 13)
    path = [spine]
    path += [_on_chest(frame, side, angle, start - RIB_DROP_MM[index] * _fall(angle)) for angle in angles]
    for lift in (-2.6, 2.6):
        oval = [(x, y, z + lift) for x, y, z in path]
        _shell(canvas, tube(oval, 3.7), "rib", 1.9)
    end = path[-1]
    if index < 7:
        goal = 552 - 21.5 * index
        target = (side * 12.0, _front(frame, max(goal, 400)) - 4, max(goal, 402.0))
    elif index < 10:
        x, y, z = _on_chest(frame, side, RIB_SWEEP_DEG[index] + 20, end[2] + 12)
        target = (x, y, z)
    else:
        return
    middle = ((end[0] + target[0]) / 2, min(end[1], target[1]) + 3, (end[2] + target[2]) / 2 - 4)
    canvas.paint(tube([end, middle, target], [5.0, 4.6, 4.6]), "costal_cartilage", _WALL)


def _fall(angle: float) -> float:
    """Return how much of its drop a rib has made at an angle: little behind, most at the side."""
    share = angle / 150
    return share * share * (3 - 2 * share) if share < 1 else 1.0


def _on_chest(frame: Frame, side: int, degrees: float, height: float) -> Point:
    """Return the place of a rib's middle: so far round the chest, just outside its inner wall."""
    a, front, back, middle, boxy = frame.chest.at(height)
    u, v = sin(radians(degrees)) ** 2, cos(radians(degrees)) ** 2
    mixed = boxy * u * v
    reach = sqrt((1 - sqrt(1 - 4 * mixed)) / (2 * mixed)) if mixed > 1e-6 else 1.0
    depth = (back if degrees < 90 else 2 * middle - front) - middle
    x = (a * reach + 4.5) * sin(radians(degrees))
    return side * x, middle + (depth * reach + 4.5) * cos(radians(degrees)), height


def _shoulder(canvas: Canvas, frame: Frame, side: int) -> None:
    joint = arm(frame, side).shoulder
    raised = frame.build.arms == "up"
    tip = _moved(joint, -side * 10, 4, 30)
    notch = (side * 16.0, _front(frame, 560) - 10, 560.0)
    middle = (side * 0.55 * abs(joint[0]), -36.0, 578.0 + 8 * raised)
    _shell(canvas, tube([notch, middle, tip], [8, 5.5, 6]), "clavicle", 2.2)
    socket = _moved(joint, -side * 24, 4, -2)
    low = (side * (112.0 if raised else 84.0), 92.0, 448.0)
    high = (side * 66.0, 84.0, 566.0)
    neck = _moved(socket, -side * 8, 6, 0)
    blade = list(plate([neck, neck], [high, low], 7, 3.2))
    _shell(canvas, blade, "scapula", 2.0)
    root = (side * 72.0, 92.0, 545.0)
    _shell(canvas, tube([root, _moved(tip, -side * 20, 22, -8), tip], [4, 5, 6]), "scapula", 2.0)
    _shell(canvas, [Ellipsoid(socket, (8, 13, 18))], "scapula", 2.0)
    canvas.paint(tube([_moved(socket, 0, -6, 14), _moved(socket, side * 6, -26, 12)], 5), "scapula")


def _arm(canvas: Canvas, frame: Frame, side: int) -> None:
    joints = arm(frame, side)
    shoulder, elbow, wrist = (np.array(p) for p in (joints.shoulder, joints.elbow, joints.wrist))
    canvas.paint(Ellipsoid(joints.shoulder, (25, 25, 25)), "cartilage", ("muscle", "fat"))
    head = Ellipsoid(joints.shoulder, (23, 23, 23))
    along = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    points = [shoulder + np.array([side * 3, 0, 0]), shoulder + 40 * along, elbow - 40 * along, elbow]
    shaft = tube([_point(p) for p in points], [16, 11, 10, 15])
    _shell(canvas, [head, *shaft], "humerus", 2.4)
    canvas.paint([piece.shrunk(3.6) for piece in shaft[1:2]], "shaft_marrow", ("humerus_marrow",))
    step = np.cross(wrist - elbow, (0, 1, 0))
    step = 9 * step / np.linalg.norm(step)
    for sign in (-1, 1):
        _shell(
            canvas,
            tube([_point(elbow + sign * step), _point(wrist + 1.1 * sign * step)], [9, 7]),
            "forearm_bone",
            2.6,
        )


def paint_pelvis_bones(canvas: Canvas, frame: Frame) -> None:
    """Paint hip bones and the upper parts of the thighs' bones."""
    wide = 1.05 if frame.build.sex == "F" else 1.0
    for side in (-1, 1):
        _hip_bone(canvas, side, wide)
        _femur(canvas, side * wide)


def _hip_bone(canvas: Canvas, side: int, wide: float) -> None:
    def at(x: float, y: float, z: float) -> Point:
        return side * wide * x, y, z

    crest = [at(46, 78, 172), at(66, 66, 205), at(98, 28, 222), at(120, -14, 212), at(122, -40, 186)]
    waist = [at(46, 78, 150), at(66, 62, 165), at(92, 28, 168), at(108, -6, 160), at(110, -30, 150)]
    base = [at(58, 74, 128), at(72, 50, 122), at(84, 24, 116), at(90, 2, 112), at(92, -16, 110)]
    wing = [*plate(crest, waist, 7, (6.0, 4.2)), *plate(waist, base, 7, (4.2, 9.0))]
    socket = Ellipsoid(at(82, 4, 88), (22, 31, 31))
    pubis = tube([at(78, -18, 98), at(46, -42, 82), at(9, -46, 66)], [10, 8, 9])
    ramus = tube([at(9, -44, 60), at(26, -20, 34), at(48, 14, 18)], [8, 5.5, 7])
    ischium = tube([at(84, 26, 84), at(74, 44, 54), at(58, 46, 18), at(46, 20, 16)], [15, 13, 15, 9])
    canvas.paint(Ellipsoid((0, -46, 62), (6, 8, 18)), "cartilage")
    _shell(canvas, [*wing, socket, *pubis, *ramus, *ischium], "pelvic_bone", CORTEX_MM)


def _femur(canvas: Canvas, side: float) -> None:
    head: Point = (side * 91, 4, 84)
    canvas.paint(Ellipsoid(head, (27, 27, 27)), "cartilage")
    ball = Ellipsoid(head, (24.5, 24.5, 24.5))
    neck = tube([head, (side * 128, 14, 58)], [16, 17])
    trochanter = Ellipsoid((side * 132, 20, 62), (16, 20, 26))
    lesser = Ellipsoid((side * 110, 22, 20), (10, 10, 12))
    shaft = tube([(side * 128, 12, 50), (side * 122, 6, 0), (side * 116, 2, -150)], [18, 16, 14])
    _shell(canvas, [ball, *neck, trochanter, lesser], "femur", 2.2)
    _shell(canvas, shaft, "femur", 5.5)
    canvas.paint([piece.shrunk(6.5) for piece in shaft], "shaft_marrow", ("femur_marrow",))
    canvas.paint(neck[0].shrunk(4), "femur_marrow")


def plate(
    first: Sequence[Point], last: Sequence[Point], step_mm: float, radii: float | tuple[float, float]
) -> Iterator[Capsule]:
    """Fill the sheet between two lines of equally many points with tubes.

    Args:
        first: One edge, mm.
        last: The other edge.
        step_mm: Between tubes.
        radii: Half the thickness of the sheet; or that at the first and at the last line.
    """
    one, other = np.array(first), np.array(last)
    start, end = radii if isinstance(radii, tuple) else (radii, radii)
    count = int(np.ceil(np.linalg.norm(one - other, axis=1).max() / step_mm)) + 1
    for share in np.linspace(0, 1, count):
        line = [_point(p) for p in one + (other - one) * share]
        yield from tube(line, start + (end - start) * float(share))


def _shell(canvas: Canvas, solids: Sequence[Solid], bone: str, cortex_mm: float = CORTEX_MM) -> None:
    """Paint bone with marrow inside."""
    canvas.paint(solids, bone)
    inner: list[Shape] = [solid.shrunk(cortex_mm) for solid in solids]
    canvas.paint(inner, f"{bone}_marrow")


def _moved(at: Point, x: float, y: float, z: float) -> Point:
    return at[0] + x, at[1] + y, at[2] + z


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])


_WALL: Final = ("muscle", "fat", "inner_fat", "lung", "diaphragm", "skin")
