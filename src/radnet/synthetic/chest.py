"""Paint the chest's inside: lungs and diaphragm, heart and great vessels, airways and gullet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.frame import SPINE_Y, Frame
from radnet.synthetic.noise import Real
from radnet.synthetic.shapes import Canvas, Cut, Ellipsoid, Mask, Point, Window, tube
from radnet.synthetic.structures import NUMBER, VERTEBRAE
from radnet.synthetic.trees import grow

DOME_BASE_MM: Final = 335.0
"""Height at which the diaphragm leaves the wall of the chest."""
AXIS_DEG: Final[Point] = (-6.0, 24.0, 36.0)
"""How the heart's long axis is turned about x, y and z."""
HILUM: Final[Point] = (30.0, 14.0, 492.0)
LUNG_PARTS: Final = (
    (0.5, -0.7, 0.5),
    (0.7, 0.5, 0.7),
    (0.9, -0.3, 0.2),
    (0.9, -0.6, -0.3),
    (0.9, 0.4, -0.2),
    (0.6, -0.3, -0.8),
    (0.8, 0.3, -0.8),
    (0.4, 0.8, -0.7),
    (0.3, 0.5, -1.0),
    (0.25, 0.0, 1.0),
    (0.6, 0.9, 0.1),
)
"""Where the vessels of a lung's segments go from its root; x outwards."""


def domes(frame: Frame) -> list[Ellipsoid]:
    """Return the right and left half of the diaphragm and the saddle between them on which the heart lies."""
    lift = 26 * (0.5 - frame.build.breath) + 9 * (frame.belly - 0.5)
    return [
        Ellipsoid((-64, 2, DOME_BASE_MM), (68, 87, 96 + lift)),
        Ellipsoid((62, 6, DOME_BASE_MM), (68, 85, 84 + lift)),
        Ellipsoid((4, -22, DOME_BASE_MM), (60, 58, 62 + lift)),
    ]


def paint_cavities(canvas: Canvas, frame: Frame) -> None:
    """Paint the fat of belly and mediastinum, both lungs, the diaphragm, and the muscles beside the spine."""
    canvas.paint(frame.abdomen, "inner_fat")
    for side in (-1, 1):
        _loin(canvas, frame, side)
    canvas.paint(frame.chest, "inner_fat")
    for window in canvas.slabs(canvas.window(frame.chest)):
        _lungs(canvas, frame, window)
    for shrink, name in ((0.0, "diaphragm"), (3.0, "inner_fat")):
        for dome in domes(frame):
            upper = Cut(dome.shrunk(shrink), (0, 0, DOME_BASE_MM - 24), (0, 0, 1))
            canvas.paint(upper, name, ("lung", "inner_fat", "diaphragm"))
    # the crura beside the aorta
    for side in (-1, 1):
        crus = tube([(side * 16, 16, 392), (side * 17, 24, 350), (side * 12, 14, 290)], [4.5, 6, 4])
        canvas.paint(crus, "diaphragm", ("inner_fat",))


def _lungs(canvas: Canvas, frame: Frame, window: Window) -> None:
    """Paint lungs, which end higher in front, and muscle behind the spine; the rest stays fat."""
    region = canvas.labels[window]
    x, y, z = canvas.coordinates(window)
    cavity = frame.chest.shrunk(1.5).inside(x, y, z)
    recess = z > np.float32(332) + np.float32(0.28) * (np.float32(40) - y)
    lung = cavity & recess & ~_mediastinum(frame, x, y, z)
    region[lung] = NUMBER["lung"]
    back = y > np.interp(z.mean(axis=(1, 2), keepdims=True), *np.array(SPINE_Y).T) + 13
    region[(region == NUMBER["inner_fat"]) & back & (z > 340)] = NUMBER["muscle"]


def _mediastinum(frame: Frame, x: Real, y: Real, z: Real) -> Mask:
    """Say what lies between the lungs: a slab, narrow in front, wider around heart and great vessels."""
    height = z.mean(axis=(1, 2), keepdims=True)
    knots = (330, 380, 430, 470, 500, 540, 575, 620)
    plump = 2.5 * frame.belly
    front = np.interp(height, knots, (34, 30, 13, 9, 10, 15, 17, 16)).astype(np.float32) + np.float32(plump)
    deep = np.interp(height, knots, (26, 24, 17, 16, 22, 24, 20, 18)).astype(np.float32)
    half = np.where(y < -30, front, deep)
    offset = x - np.where(y < -30, np.float32(2), np.float32(4))
    slab = (np.abs(offset) < half) & (y < 58)
    heart = _heart(frame)
    walls = [heart.left, heart.right, heart.right_atrium, heart.left_atrium]
    arch = Ellipsoid((4, 4, 524), (37, 47, 34))
    hila = [Ellipsoid((side * 28, 14, 488), (17, 22, 26)) for side in (-1, 1)]
    rounded = [wall.shrunk(-4.0 - plump) for wall in walls]
    behind = y - np.interp(height, *np.array(SPINE_Y).T).astype(np.float32)
    slab |= (behind > -6) & (np.abs(x) < 17 + 0.75 * np.maximum(behind - 6, 0))
    for shape in (*rounded, arch, *hila):
        slab |= shape.inside(x, y, z)
    return np.asarray(slab)


@dataclass(frozen=True, slots=True)
class _Heart:
    """The solids of a heart: it lies on the diaphragm, its tip to the left, to the front and down.

    Attributes:
        middle: Where it lies, mm.
        size: Linear, against the reference adult.
        left: Left ventricle with its wall.
        right: Right ventricle with its wall, before the left one.
        right_atrium: With its wall.
        left_atrium: With its wall, behind.
    """

    middle: Point
    size: float
    left: Ellipsoid
    right: Ellipsoid
    right_atrium: Ellipsoid
    left_atrium: Ellipsoid

    def at(self, x: float, y: float, z: float) -> Point:
        """Return a place in the heart, from its middle, mm."""
        cx, cy, cz = self.middle
        return cx + x * self.size, cy + y * self.size, cz + z * self.size


def _heart(frame: Frame) -> _Heart:
    size = 1.30 * frame.build.organ("heart").size
    lift = 10 * (0.5 - frame.build.breath)
    (middle,) = frame.organ("heart", (22.0, -30.0, 438.0 + lift))
    cx, cy, cz = middle

    def part(x: float, y: float, z: float, radii: Point, turn: Point) -> Ellipsoid:
        a, b, c = radii
        centre = (cx + x * size, cy + y * size, cz + z * size)
        return Ellipsoid(centre, (a * size, b * size, c * size), turn=turn)

    return _Heart(
        middle,
        size,
        left=part(18, 6, -6, (42, 28, 31), AXIS_DEG),
        right=part(4, -17, -5, (44, 20, 33), AXIS_DEG),
        right_atrium=part(-40, -4, 0, (21, 25, 32), (0, 0, 15)),
        left_atrium=part(-10, 31, 14, (31, 16, 21), (0, 0, 8)),
    )


def _loin(canvas: Canvas, frame: Frame, side: int) -> None:
    """Paint psoas, the square muscle of the loin and the iliac muscle."""
    strong = frame.muscle
    psoas = tube(
        [
            (side * 26, frame.spine_y(350) + 6, 352),
            (side * 36, frame.spine_y(280) + 8, 280),
            (side * 45, 30, 215),
            (side * 56, 4, 160),
            (side * 76, -26, 105),
            (side * 92, -22, 60),
        ],
        [6, 15 * strong, 20 * strong, 19 * strong, 16 * strong, 13 * strong],
    )
    canvas.paint(psoas, "muscle", ("inner_fat",))
    square = tube([(side * 46, 74, 340), (side * 68, 66, 230)], [9 * strong, 13 * strong])
    canvas.paint(square, "muscle", ("inner_fat",))
    iliac = tube([(side * 92, 20, 205), (side * 88, -6, 150), (side * 88, -26, 100)], [11, 15, 12])
    canvas.paint(iliac, "muscle", ("inner_fat",))


def paint_chest(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint heart, great vessels, airways, gullet and the vessels of the lungs."""
    for side in (-1, 1):
        _lung_vessels(canvas, rng, side)
    _paint_heart(canvas, frame)
    _great_vessels(canvas, frame)
    _airways(canvas, rng)
    gullet = [
        (1, 8, 636),
        (2, 20, 590),
        (5, 32, 530),
        (4, 36, 480),
        (12, 24, 420),
        (24, 8, 388),
        (34, -2, 372),
    ]
    points: list[Point] = [(float(x), float(y), float(z)) for x, y, z in gullet]
    canvas.paint(tube(points, [6, 6.5, 6.5, 6.5, 7, 7.5, 8]), "oesophagus", _CHEST_SOFT)


def _paint_heart(canvas: Canvas, frame: Frame) -> None:
    """Paint heart muscle and the four chambers, parted by the septum; fat lies in the grooves."""
    heart = _heart(frame)
    walls = [heart.left, heart.right, heart.right_atrium, heart.left_atrium]
    canvas.paint([wall.shrunk(-3.5) for wall in walls], "inner_fat", ("lung", "lung_vessel"))
    canvas.paint(walls, "heart", _CHEST_SOFT)
    canvas.paint(heart.right_atrium.shrunk(2.5), "right_atrium")
    canvas.paint(heart.left_atrium.shrunk(2.5), "left_atrium")
    canvas.paint(heart.right.shrunk(4), "right_ventricle", ("heart",))
    canvas.paint(heart.left, "heart", ("right_ventricle", "heart", "right_atrium"))
    canvas.paint(heart.left.shrunk(9.5 * heart.size), "left_ventricle", ("heart",))

    def part(x: float, y: float, z: float, a: float, b: float, c: float) -> Ellipsoid:
        return Ellipsoid(heart.at(x, y, z), (a * heart.size, b * heart.size, c * heart.size), turn=AXIS_DEG)

    canvas.paint(part(-12, 20, 4, 13, 12, 12), "left_ventricle", ("heart",))
    canvas.paint(part(-20, -14, -2, 14, 11, 14), "right_ventricle", ("heart", "inner_fat"))
    canvas.paint(part(-16, -26, 14, 8, 5, 24), "inner_fat", ("heart",))
    canvas.paint(tube([heart.at(-18, -26, 22), heart.at(-24, -20, -18)], 2.2), "artery")
    # muscles that stand into the chamber
    for x, y in ((18, -8), (22, 14)):
        canvas.paint(
            tube([heart.at(30, y * 0.8, -14), heart.at(x, y * 0.5, -4)], [4.5, 3]),
            "heart",
            ("left_ventricle",),
        )


def _great_vessels(canvas: Canvas, frame: Frame) -> None:
    """Paint aorta and its arch, the trunk of the lung's arteries, both venae cavae, veins of the lungs."""
    size = frame.build.organ("aorta").size * (1 + 0.002 * max(frame.build.age_years - 45, 0))
    hx, hy, hz = np.array(_heart(frame).middle) - (22, -30, 438)
    aorta: list[Point] = [
        (hx + 2, hy - 26, hz + 452),
        (-14, -32, 480),
        (-16, -32, 508),
        (-8, -22, 532),
        (6, 0, 542),
        (20, 26, 534),
        (26, 44, 510),
        (26, frame.spine_y(470) - 8, 470),
        (20, frame.spine_y(420) - 26, 420),
    ]
    canvas.paint(tube(aorta, [r * size for r in (15, 16, 15, 14, 13, 12.5, 12, 11.5, 11)]), "aorta")
    trunk: list[Point] = [(hx + 8, hy - 44, hz + 460), (hx + 16, hy - 34, 490), (6, -8, 500), (-34, 6, 494)]
    canvas.paint(tube(trunk, [12, 14, 11, 9]), "pulmonary_artery")
    canvas.paint(
        tube([(hx + 16, hy - 32, 492), (34, 10, 503), (44, 20, 490)], [13, 11, 8]), "pulmonary_artery"
    )
    canvas.paint(
        tube([(-20, -26, 566), (-24, -24, 520), (hx - 26, hy - 24, hz + 452)], [8, 9, 10]), "vena_cava"
    )
    canvas.paint(
        tube([(hx - 26, hy - 14, hz + 420), (-24, 2, 400), (-23, 10, 380)], [12, 12.5, 12.5]), "vena_cava"
    )
    _arch_branches(canvas)
    for side in (-1, 1):
        for drop in (0, 24):
            start: Point = (hx + side * 18 - 6, hy + 2, hz + 454 - drop / 2)
            path: list[Point] = [start, (side * 34, 10 + drop / 3, 470 - drop), (side * 56, 16, 462 - drop)]
            canvas.paint(tube(path, [7, 6, 4]), "left_atrium", _CHEST_SOFT)
    azygos = tube([(-6, frame.spine_y(z) - 20, z) for z in (520, 460, 400)], 3.2)
    canvas.paint(azygos, "vein", _CHEST_SOFT)


def _arch_branches(canvas: Canvas) -> None:
    """Paint the vessels that run to arms and head."""
    canvas.paint(tube([(50, -40, 572), (10, -42, 556), (-20, -26, 562)], [6.5, 6.5, 7]), "vein")
    canvas.paint(tube([(-50, -38, 574), (-20, -26, 560)], [6.5, 7.5]), "vein")
    canvas.paint(tube([(-10, -24, 534), (-18, -20, 566), (-24, -8, 590)], [7, 6, 4.5]), "artery")
    canvas.paint(tube([(4, -6, 540), (12, -14, 570), (20, -4, 600)], [5, 4, 3.5]), "artery")
    canvas.paint(tube([(16, 10, 540), (24, 4, 575), (52, -6, 596), (90, -26, 586)], [6, 5, 5, 4.5]), "artery")
    canvas.paint(tube([(-18, -18, 568), (-50, -8, 596), (-90, -28, 586)], [5, 5, 4.5]), "artery")


def _airways(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint windpipe and bronchi, which thin out into the lungs."""
    windpipe: list[Point] = [(0, -13, 636), (-1, -2, 590), (0, 10, 550), (2, 14, 524)]
    canvas.paint(tube(windpipe, 10.5), "airway_wall")
    canvas.paint(tube(windpipe, [8.5, 8.8, 9, 9]), "airway")
    for side, drop in ((-1, 14), (1, 24)):
        main: list[Point] = [(2, 15, 526), (side * 28, 18, 526 - drop), (side * 44, 22, 494 - drop)]
        canvas.paint(tube(main, [9, 8, 6]), "airway_wall", _CHEST_SOFT)
        canvas.paint(tube(main, [7.5, 6.2, 4.5]), "airway")
        branches = grow(main[-1], (side * 0.7, 0.2, -0.5), 4.0, 40.0, 4, rng, thinnest=1.6)
        canvas.paint(branches, "airway_wall", ("lung",))
        canvas.paint([branch.shrunk(1.1) for branch in branches if branch.radii[1] > 1.8], "airway")


def _lung_vessels(canvas: Canvas, rng: np.random.Generator, side: int) -> None:
    """Paint the trees of arteries and veins of one lung."""
    x, y, z = HILUM
    root: Point = (side * x, y, z)
    for gx, gy, gz in LUNG_PARTS:
        way = (side * gx, gy + float(rng.normal(0, 0.12)), gz + float(rng.normal(0, 0.12)))
        branches = grow(root, way, 4.8, 36.0, 6, rng, thinnest=1.0)
        canvas.paint(branches, "lung_vessel", ("lung",))


_CHEST_SOFT: Final = ("inner_fat", "lung", "lung_vessel", "diaphragm", "heart", *VERTEBRAE)
