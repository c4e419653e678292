"""Paint the bones of the trunk and the spinal canal.

Heights are those of the reference adult: first cervical vertebra 735, first thoracic 620, first lumbar 350,
sacrum 175, seat 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from radnet.synthetic.shapes import Canvas, Capsule, Ellipsoid, Point, tube
from radnet.synthetic.structures import NUMBER

SPINE_Y: Final = (
    (740.0, 22.0),
    (680.0, 18.0),
    (620.0, 28.0),
    (500.0, 54.0),
    (380.0, 47.0),
    (270.0, 32.0),
    (180.0, 40.0),
    (120.0, 70.0),
)
"""Height and y of the vertebral bodies' centres, mm: the curves of neck, chest and loin."""
SPINE_PARTS: Final = (
    (7, 735.0, 620.0, 11.0, 15.0),
    (12, 620.0, 350.0, 15.0, 21.0),
    (5, 350.0, 175.0, 22.0, 25.0),
)
"""Vertebrae, top and bottom, half depth at the top and at the bottom; mm."""
DISC_SHARE: Final = 0.13
"""Half the height of a disc as a share of its segment."""
CORTEX_MM: Final = 2.0


def spine_y(height: float) -> float:
    """Return y of the vertebral bodies' centres at a height, mm."""
    z, y = np.array(SPINE_Y)[::-1].T
    return float(np.interp(height, z, y))


def vertebra_heights() -> list[tuple[float, float, float]]:
    """Return centre, segment height and half depth of every vertebra from C1 to L5, mm."""
    found = []
    for count, top, bottom, depth_top, depth_bottom in SPINE_PARTS:
        segment = (top - bottom) / count
        for index in range(count):
            depth = depth_top + (depth_bottom - depth_top) * index / count
            found.append((top - (index + 0.5) * segment, segment, depth))
    return found


def paint_spine(canvas: Canvas) -> None:
    """Paint vertebrae, discs, the canal with the cord, and the sacrum."""
    for height, segment, depth in vertebra_heights():
        y, half = spine_y(height), segment / 2
        canvas.paint(
            Ellipsoid((0, y, height - half), (depth * 1.25, depth * 0.95, half), boxy=True), NUMBER["disc"]
        )
        body = Ellipsoid((0, y, height), (depth * 1.3, depth, half * (1 - DISC_SHARE)), boxy=True)
        _shell(canvas, [body], "vertebra", "vertebra_marrow")
        back = y + depth
        arch = Ellipsoid((0, back + 8, height), (14, 11, half * 0.62))
        canvas.paint(arch, NUMBER["vertebra"])
        reach = 1.2 * depth + 8
        spinous: list[Capsule] = tube(
            [(0, back + 16, height - 2), (0, back + 16 + reach * 0.4, height - half)], [4, 3]
        )
        wings = [
            piece
            for side in (-1.0, 1.0)
            for piece in tube(
                [(side * 10, back + 4, height), (side * (14 + reach), back + 8, height)], [5, 3]
            )
        ]
        _shell(canvas, [*spinous, *wings], "vertebra", "vertebra_marrow")
    _canal(canvas)
    sacrum = [
        Ellipsoid((0, spine_y(160) + 8, 150), (48, 17, 30), boxy=True, turn=(-35, 0, 0)),
        Ellipsoid((0, 78, 112), (28, 11, 28), boxy=True, turn=(-10, 0, 0)),
    ]
    _shell(canvas, sacrum, "vertebra", "vertebra_marrow")


def _canal(canvas: Canvas) -> None:
    path: list[Point] = [(0.0, 24.0, 745.0)]
    path += [(0.0, spine_y(height) + depth + 7, height) for height, _, depth in vertebra_heights()]
    canvas.paint(tube(path, 8), NUMBER["spinal_fluid"])
    cord = [point for point in path if point[2] > 335]
    canvas.paint(tube(cord, 4.5), NUMBER["cord"])


def paint_chest_wall(canvas: Canvas) -> None:
    """Paint ribs, sternum, clavicles, shoulder blades and the heads of the arms' bones."""
    for index in range(11):
        for side in (-1.0, 1.0):
            _shell(canvas, tube(_rib(index, side), 4.2), "rib", "marrow", 2.6)
    _shell(canvas, [Ellipsoid((0, -86, 475), (17, 6, 72), boxy=True, turn=(-8, 0, 0))], "rib", "marrow")
    for side in (-1.0, 1.0):
        clavicle = tube([(side * 20, -72, 560), (side * 85, -48, 582), (side * 140, -8, 585)], 6)
        _shell(canvas, clavicle, "bone", "marrow")
        blade = tube([(side * 100, 78, 440), (side * 95, 82, 510), (side * 130, 45, 570)], [4, 5, 7])
        _shell(canvas, blade, "bone", "marrow")
        _shell(canvas, tube([(side * 95, 82, 545), (side * 85, 84, 460)], 4), "bone", "marrow")
        _shell(canvas, [Ellipsoid((side * 155, 8, 566), (22, 22, 22))], "bone", "marrow")


def _rib(index: int, side: float) -> list[Point]:
    """Return the points of a rib from the spine round to the front; the lower ones stay short."""
    start = 598 - 22.5 * index
    width = float(np.interp(index, [0, 1, 3, 7, 10], [62, 84, 110, 128, 122]))
    sweep = 165 if index < 7 else 165 - 18 * (index - 6)
    back = spine_y(start) + 12
    depth = (back + 84) / 2 * float(np.interp(index, [0, 3], [0.75, 1]))
    points = []
    for angle in np.radians(np.linspace(10, sweep, 13)):
        share = float(angle) / np.pi
        x = side * width * float(np.sin(angle)) ** 0.8
        points.append(
            (x, back - depth * (1 - float(np.cos(angle))), start - 75 * share * min(1, 0.4 + index / 8))
        )
    return points


def paint_pelvis_bones(canvas: Canvas) -> None:
    """Paint hip bones and the upper ends of the thighs' bones."""
    for side in (-1.0, 1.0):
        iliac = Ellipsoid((side * 88, 30, 172), (9, 52, 58), turn=(0, side * 22, side * -35))
        neck = tube([(side * 62, 60, 160), (side * 88, 10, 105)], [12, 14])
        socket = Ellipsoid((side * 84, 5, 84), (22, 30, 30))
        pubis = tube([(side * 76, -14, 92), (side * 40, -40, 72), (side * 7, -42, 58)], [8, 7, 9])
        ischium = tube(
            [(side * 84, 24, 72), (side * 66, 42, 22), (side * 42, 5, 26), (side * 8, -40, 50)],
            [12, 13, 6, 7],
        )
        hip: list[Ellipsoid | Capsule] = [iliac, *neck, socket, *pubis, *ischium]
        _shell(canvas, hip, "pelvic_bone", "pelvic_marrow")
        canvas.paint(Ellipsoid((side * 92, 4, 80), (26, 26, 26)), NUMBER["cartilage"])
        head = Ellipsoid((side * 92, 4, 80), (24, 24, 24))
        shaft = tube([(side * 95, 4, 78), (side * 132, 14, 50), (side * 128, 8, -60)], [15, 18, 14])
        thigh: list[Ellipsoid | Capsule] = [head, *shaft]
        _shell(canvas, thigh, "femur", "femur_marrow", 3.0)


def _shell(
    canvas: Canvas,
    solids: Sequence[Ellipsoid | Capsule],
    bone: str,
    marrow: str,
    cortex_mm: float = CORTEX_MM,
) -> None:
    """Paint bone with marrow inside."""
    canvas.paint(solids, NUMBER[bone])
    canvas.paint([solid.shrunk(cortex_mm) for solid in solids], NUMBER[marrow])
