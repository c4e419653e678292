"""Paint the spine: every vertebra with its own number, the discs, the sacrum, the canal and the cord."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from radnet.synthetic.frame import Frame
from radnet.synthetic.shapes import Canvas, Capsule, Ellipsoid, Point, rotation, tube
from radnet.synthetic.structures import VERTEBRAE

PARTS: Final = (
    (7, 735.0, 620.0, 8.5, 9.5, 9.5, 12.5),
    (12, 620.0, 350.0, 9.5, 15.5, 12.5, 20.0),
    (5, 350.0, 175.0, 16.0, 18.5, 21.0, 25.0),
)
"""Vertebrae, top and bottom, half depth and half width of the bodies at top and bottom; mm."""
DISC_SHARE: Final = {"c": 0.15, "t": 0.10, "l": 0.145}
"""Half the height of a disc as a share of its segment."""
CORTEX_MM: Final = 1.6
CORD_END_MM: Final = 325.0
"""Height at which the cord ends, between the first and second lumbar vertebra."""


def vertebra_heights() -> list[tuple[float, float, float, float]]:
    """Return centre, segment height, half depth and half width of every vertebra from C1 to L5, mm."""
    found = []
    for count, top, bottom, deep_top, deep_bottom, wide_top, wide_bottom in PARTS:
        # a segment grows by a fifth from the first to the last
        share = 0.9 + 0.2 * np.arange(count) / (count - 1)
        segments = (top - bottom) * share / share.sum()
        height = top
        for index, segment in enumerate(segments):
            part = index / (count - 1)
            deep = deep_top + (deep_bottom - deep_top) * part
            wide = wide_top + (wide_bottom - wide_top) * part
            found.append((float(height - segment / 2), float(segment), deep, wide))
            height -= segment
    return found


def paint_spine(canvas: Canvas, frame: Frame) -> None:
    """Paint vertebrae, discs, the canal with the cord, and the sacrum."""
    worn = 1 - 0.004 * max(frame.build.age_years - 40, 0)
    for name, place in zip(VERTEBRAE, vertebra_heights(), strict=False):
        _disc(canvas, frame, place, worn if name[0] == "l" else 1.0)
        if name == "c1":
            _atlas(canvas, frame, place)
        else:
            _vertebra(canvas, frame, name, place)
    _dens(canvas, frame)
    _sacrum(canvas)
    _canal(canvas, frame)


def _tilt(frame: Frame, height: float) -> float:
    """Return the angle about x by which a vertebra leans, degrees."""
    slope = (frame.spine_y(height + 12) - frame.spine_y(height - 12)) / 24
    return -float(np.degrees(np.arctan(slope)))


def _disc(canvas: Canvas, frame: Frame, place: tuple[float, float, float, float], worn: float) -> None:
    height, segment, deep, wide = place
    low = height - segment / 2
    half = segment * 0.22 * worn
    centre = (0.0, frame.spine_y(low), low)
    turn = (_tilt(frame, low), 0.0, 0.0)
    canvas.paint(Ellipsoid(centre, (wide * 1.03, deep * 1.05, half), boxy=True, turn=turn), "disc")


def _vertebra(canvas: Canvas, frame: Frame, name: str, place: tuple[float, float, float, float]) -> None:
    """Paint body, arch and processes of one vertebra."""
    height, segment, deep, wide = place
    y, tilt = frame.spine_y(height), _tilt(frame, height)
    half = segment / 2 * (1 - 2 * DISC_SHARE[name[0]])
    body = Ellipsoid((0, y, height), (wide, deep, half), boxy=True, turn=(tilt, 0, 0))
    waist = [
        Ellipsoid((side * wide * 1.22, y - deep * 0.5, height), (wide * 0.32, deep * 0.9, half * 0.55))
        for side in (-1, 1)
    ]
    covered = tuple(n for n in ("inner_fat", "lung", "disc", "diaphragm", "muscle", "fat"))
    canvas.paint(body, name)
    canvas.paint(waist, "fat" if name[0] == "c" else "inner_fat", (name,))
    canvas.paint(body.shrunk(CORTEX_MM), f"{name}_marrow", (name,))
    arch = _arch(name, place, y)
    turned = [_turned(piece, (0, y, height), tilt) for piece in arch]
    canvas.paint(turned, name, (*covered, f"{name}_marrow", name))
    thick = [piece.shrunk(1.7) for piece in turned if min(piece.radii) > 2.6]
    canvas.paint(thick, f"{name}_marrow", (name,))


def _arch(name: str, place: tuple[float, float, float, float], y: float) -> list[Capsule]:
    """Return pedicles, laminae, facets, transverse and spinous process of an upright vertebra."""
    height, segment, deep, wide = place
    kind = name[0]
    canal = y + deep + 8
    up = height + segment * 0.12
    pieces: list[Capsule] = []
    reach = {"c": wide + 12, "t": wide + 18, "l": wide + 22}[kind]
    back = {"c": canal - 10, "t": canal + 14, "l": canal + 2}[kind]
    for side in (-1.0, 1.0):
        foot, facet = (side * (8 + 0.15 * wide), y + deep * 0.7, up), (side * 12.5, canal + 2, up)
        pieces += tube([foot, facet, (0, canal + 11, height - segment * 0.1)], [3.4, 4.2, 3.2])
        pieces += tube([facet, (side * reach, back, up)], [3.8, 3.0 if kind != "l" else 2.6])
        pieces += tube(
            [
                (side * 14, canal + 4, height + segment * 0.38),
                (side * 14.5, canal + 5, height - segment * 0.42),
            ],
            [4.6, 4.6],
        )
    length, drop = {"c": (18, 0.3), "t": (28, 0.95), "l": (27, 0.2)}[kind]
    root = (0.0, canal + 10, height - 2)
    pieces += tube([root, (0, canal + 10 + length, height - drop * segment)], [3.6, 3.4])
    if kind == "l":
        pieces += tube(
            [(0, canal + 13, height + 4), (0, canal + 8 + length, height - segment * 0.3)], [3.2, 4.2]
        )
    return pieces


def _turned(piece: Capsule, about: Point, degrees: float) -> Capsule:
    turn = rotation((degrees, 0, 0))
    ends = [turn @ (np.array(end) - about) + about for end in (piece.start, piece.end)]
    start, end = ((float(p[0]), float(p[1]), float(p[2])) for p in ends)
    return Capsule(start, end, piece.radii)


def _atlas(canvas: Canvas, frame: Frame, place: tuple[float, float, float, float]) -> None:
    """Paint the ring of the first vertebra with its lateral masses."""
    height = place[0]
    y = frame.spine_y(height)
    angles = np.radians(np.linspace(0, 360, 17))
    ring = [(float(20 * np.sin(a)), float(y + 10 - 21 * np.cos(a)), height) for a in angles]
    canvas.paint(tube(ring, 3.6), "c1")
    for side in (-1, 1):
        mass = Ellipsoid((side * 20, y + 2, height), (9, 10, 8))
        canvas.paint(mass, "c1")
        canvas.paint(tube([(side * 24, y + 3, height), (side * 38, y + 4, height)], [5, 4]), "c1")
        canvas.paint(mass.shrunk(CORTEX_MM), "c1_marrow")


def _dens(canvas: Canvas, frame: Frame) -> None:
    (top, _, _, _), (axis, segment, _, _) = vertebra_heights()[:2]
    y = frame.spine_y(axis)
    peg = Capsule((0, y, axis + segment * 0.3), (0, frame.spine_y(top) - 6, top + 5), (6.5, 5.0))
    canvas.paint(peg, "c2")
    canvas.paint(peg.shrunk(CORTEX_MM), "c2_marrow")


def _sacrum(canvas: Canvas) -> None:
    """Paint sacrum and coccyx with the holes for the nerves."""
    base = Ellipsoid((0, 52, 158), (30, 19, 24), boxy=True, turn=(-38, 0, 0))
    middle = Ellipsoid((0, 80, 128), (27, 12, 26), boxy=True, turn=(-24, 0, 0))
    low = Ellipsoid((0, 92, 96), (19, 8, 24), boxy=True, turn=(8, 0, 0))
    tail = tube([(0, 89, 76), (0, 78, 55)], [8, 4])
    wings = [
        Ellipsoid((side * 40, 66, 152), (24, 17, 24), boxy=True, turn=(-36, side * 12, side * 22))
        for side in (-1, 1)
    ]
    solids: Sequence[Ellipsoid | Capsule] = [base, middle, low, *wings, *tail]
    canvas.paint(solids, "sacrum")
    canvas.paint([solid.shrunk(CORTEX_MM) for solid in solids], "sacrum_marrow", ("sacrum",))
    for height, y in ((148, 68), (128, 82), (108, 90)):
        for side in (-1, 1):
            hole = tube([(side * 17, y - 16, height - 8), (side * 14, y + 14, height + 4)], [4.2, 3.4])
            canvas.paint(hole, "inner_fat", ("sacrum", "sacrum_marrow"))
    canal = tube([(0, 66, 165), (0, 90, 132), (0, 98, 104)], [8, 6.5, 4])
    canvas.paint(canal, "fat", ("sacrum", "sacrum_marrow"))


def _canal(canvas: Canvas, frame: Frame) -> None:
    """Paint fat, fluid and cord from the skull down to the sacrum."""
    path: list[Point] = [(0.0, 24.0, 748.0)]
    path += [(0.0, frame.spine_y(height) + deep + 8.5, height) for height, _, deep, _ in vertebra_heights()]
    path.append((0.0, 72.0, 158.0))
    radii = np.interp([p[2] for p in path], [160, 350, 480, 640, 745], [7.5, 8.5, 7.5, 8.5, 10])
    canvas.paint(tube([(x, y + 1.5, z) for x, y, z in path], [float(r) + 2 for r in radii]), "fat", _BONY)
    canvas.paint(tube(path, [float(r) for r in radii]), "spinal_fluid")
    cord = [point for point in path if point[2] > CORD_END_MM]
    wide = np.interp([p[2] for p in cord], [350, 372, 400, 600, 640, 680, 745], [3, 5, 4, 4.2, 5.2, 5, 5.5])
    canvas.paint(tube(cord, [float(r) for r in wide]), "cord")


_BONY: Final = (*VERTEBRAE, *(f"{name}_marrow" for name in VERTEBRAE), "muscle", "fat", "disc", "inner_fat")
