"""Paint the throat and the neck: airway from nose to windpipe, larynx, thyroid, muscles and vessels."""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.frame import Frame
from radnet.synthetic.shapes import Canvas, Ellipsoid, Point, tube
from radnet.synthetic.skeleton import plate


def paint_neck(canvas: Canvas, frame: Frame) -> None:
    """Paint the neck's spaces and what runs through them."""
    for side in (-1, 1):
        _side(canvas, frame, side)
    canvas.paint(
        plate([(0, 60, 738), (0, 50, 650)], [(0, 82, 738), (0, 70, 650)], 4, 1.4), "tendon", ("muscle", "fat")
    )
    _throat(canvas)
    _larynx(canvas)
    size = frame.build.organ("thyroid").size
    for side in (-1, 1):
        lobe = Ellipsoid((side * 17, -16, 622), (8 * size, 9 * size, 22 * size), turn=(8, 0, 0))
        canvas.paint(lobe, "thyroid", _SOFT, rough=0.06)
    canvas.paint(Ellipsoid((0, -25, 616), (13, 4 * size, 7 * size)), "thyroid", _SOFT)


def _side(canvas: Canvas, frame: Frame, side: int) -> None:
    """Paint fat and muscles of one side of the neck, then its great vessels."""
    plump = 0.8 + 0.25 * frame.belly
    space = tube(
        [(side * 30, -6, 726), (side * 33, -8, 670), (side * 30, -8, 610)],
        [11 * plump, 14 * plump, 15 * plump],
    )
    canvas.paint(space, "fat", ("muscle",))
    back = tube(
        [(side * 44, 26, 700), (side * 48, 24, 650), (side * 60, 20, 612)],
        [8 * plump, 11 * plump, 16 * plump],
    )
    canvas.paint(back, "fat", ("muscle",))
    strap: list[Point] = [
        (side * 58, 30, 738),
        (side * 50, 0, 690),
        (side * 36, -26, 640),
        (side * 14, -50, 574),
    ]
    for shift in (-4.0, 4.0):
        path = [(x, y + shift, z) for x, y, z in strap]
        canvas.paint(tube(path, 7 * frame.muscle), "neck_muscle", ("muscle", "fat", "skin", "salivary_gland"))
    front = tube([(side * 9, -34, 668), (side * 10, -34, 630), (side * 12, -46, 580)], 3.5)
    canvas.paint(front, "neck_muscle", ("muscle", "fat"))
    scalene = tube([(side * 24, 14, 690), (side * 30, 16, 640), (side * 46, 14, 596)], 9)
    canvas.paint(scalene, "neck_muscle", ("fat",))
    _vessels(canvas, side)


def _vessels(canvas: Canvas, side: int) -> None:
    """Paint carotid arteries, jugular and vertebral vessels of one side."""
    artery: list[Point] = [
        (side * 20, -6, 742),
        (side * 24, -6, 690),
        (side * 23, -6, 650),
        (side * 20, -2, 590),
    ]
    canvas.paint(tube(artery, [2.6, 3.6, 3.4, 3.6]), "artery")
    canvas.paint(
        tube([(side * 24, -8, 688), (side * 32, -20, 712), (side * 44, -8, 730)], [2.4, 1.8, 1.4]), "artery"
    )
    vein: list[Point] = [
        (side * 29, 6, 744),
        (side * 33, -1, 690),
        (side * 33, -8, 640),
        (side * 28, -16, 590),
    ]
    right = 1.15 if side < 0 else 0.95
    canvas.paint(tube(vein, [4 * right, 5.5 * right, 6.5 * right, 7 * right]), "vein")
    canvas.paint(tube([(side * 15, 20, 720), (side * 16, 20, 630)], 2), "artery", ("muscle", "fat"))


def _throat(canvas: Canvas) -> None:
    """Paint nasopharynx, soft palate, oropharynx and the root of the tongue."""
    canvas.paint(tube([(0, -20, 746), (0, -9, 738), (0, -7, 722)], [10, 13, 12]), "mucosa", _SOFT)
    canvas.paint(tube([(0, -22, 744), (0, -12, 738), (0, -9, 722)], [7, 8.5, 8]), "nasopharynx")
    canvas.paint(Ellipsoid((0, -13, 730), (13, 5, 6)), "nasopharynx", ("mucosa",))
    canvas.paint(tube([(0, -9, 720), (0, -10, 672)], [13, 13]), "muscle", ("fat", "muscle", "tongue"))
    canvas.paint([Ellipsoid((0, -9, z), (11, 6, 9)) for z in range(680, 720, 7)], "oropharynx")
    canvas.paint(tube([(0, -26, 721), (0, -15, 716), (0, -12, 706)], [4, 4.5, 3.5]), "mucosa")
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 13, -13, 704), (5, 8, 11)), "mucosa", ("muscle", "oropharynx"))


def _larynx(canvas: Canvas) -> None:
    """Paint hyoid, epiglottis, thyroid and cricoid cartilage, and the airway within."""
    angles = np.radians(np.linspace(0, 180, 9))
    bow: list[Point] = [(float(20 * np.cos(a)), float(-14 - 24 * np.sin(a)), 684.0) for a in angles]
    canvas.paint(tube(bow, [2.4, 2.6, 2.8, 3.4, 4, 3.4, 2.8, 2.6, 2.4]), "hyoid")
    canvas.paint(tube([(0, -22, 690), (0, -18, 672)], [3.0, 2.2]), "larynx_cartilage")
    for height in np.arange(648, 673, 3.0):
        wing: list[Point] = [(float(s * 17), -8.0, float(height)) for s in (-1,)]
        wing += [(0.0, -36.0, float(height)), (17.0, -8.0, float(height))]
        canvas.paint(tube(wing, 2.2), "larynx_cartilage")
    canvas.paint(tube([(0, -20, 670), (0, -20, 648)], [12, 12]), "muscle", ("fat", "muscle"))
    canvas.paint(tube([(0, -17, 645), (0, -15, 635)], [14, 13]), "larynx_cartilage", _SOFT)
    path: list[Point] = [
        (0, -11, 680),
        (0, -14, 668),
        (0, -17, 658),
        (0, -17, 653),
        (0, -16, 645),
        (0, -13, 634),
    ]
    canvas.paint(tube(path, [8, 7, 5, 4, 8, 9]), "larynx")
    for side in (-1, 1):
        cord = tube([(side * 3, -24, 655), (side * 5, -11, 655)], 2.8)
        canvas.paint(cord, "muscle", ("larynx",))
        canvas.paint(tube([(side * 12, -4, 672), (side * 11, -4, 655)], 4), "larynx", ("muscle", "fat"))


_SOFT: Final = ("muscle", "fat", "inner_fat", "neck_muscle")
