"""Paint the organs of the pelvis and the floor below them."""

from __future__ import annotations

from typing import Final

from radnet.synthetic.frame import Frame
from radnet.synthetic.shapes import Canvas, Ellipsoid, tube


def paint_pelvis(canvas: Canvas, frame: Frame) -> None:
    """Paint bladder and inner organs, obturator muscles and the pelvic floor."""
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 60, 2, 78), (9, 34, 34)), "muscle", ("inner_fat",))
        canvas.paint(Ellipsoid((side * 40, 62, 20), (24, 26, 44)), "fat", ("muscle", "inner_fat"))
        levator = tube([(side * 52, 14, 76), (side * 30, 40, 46), (side * 8, 52, 30)], [3, 3, 4])
        canvas.paint(levator, "muscle", ("inner_fat", "fat"))
        piriform = tube([(side * 30, 76, 120), (side * 80, 66, 104), (side * 120, 40, 84)], [12, 12, 6])
        canvas.paint(piriform, "muscle", ("inner_fat", "fat"))
    size = frame.build.organ("bladder").size
    (centre,) = frame.organ("bladder", (0.0, -18.0, 82.0))
    x, y, z = centre
    bladder = Ellipsoid((x, y, z), (43 * size, 33 * size, 32 * size), turn=(-12, 0, 0))
    only = ("inner_fat", "muscle", *_GUT)
    canvas.paint(bladder, "bladder_wall", only, rough=0.05)
    canvas.paint(bladder.shrunk(3), "bladder", ("bladder_wall",), rough=0.05)
    (_woman if frame.build.sex == "F" else _man)(canvas, frame)


def _man(canvas: Canvas, frame: Frame) -> None:
    size = frame.build.organ("prostate").size * (0.9 + 0.004 * max(frame.build.age_years - 40, 0))
    prostate = Ellipsoid((0, 6, 46), (24 * size, 16 * size, 18 * size))
    canvas.paint(prostate, "prostate", ("inner_fat", "muscle", "fat", "bladder_wall", "bladder"), rough=0.06)
    for side in (-1, 1):
        horn = tube([(side * 4, 22, 66), (side * 18, 24, 74), (side * 32, 24, 82)], [4.5, 6, 4.5])
        canvas.paint(horn, "seminal_vesicle", ("inner_fat", "muscle"))
        testis = Ellipsoid((side * 15, -66, -34), (13, 16, 21))
        canvas.paint(testis.shrunk(-5), "skin", ("outside",))
        canvas.paint(testis.shrunk(-2.5), "fat", ("skin", "muscle"))
        canvas.paint(testis, "testis", ("fat", "skin"))
    shaft = tube([(0, -58, 44), (0, -92, 18), (2, -98, -34)], [12, 13, 12])
    canvas.paint([piece.shrunk(-2) for piece in shaft], "skin", ("outside",))
    canvas.paint(shaft, "muscle", ("fat", "skin", "outside"))


def _woman(canvas: Canvas, frame: Frame) -> None:
    size = frame.build.organ("uterus").size * (0.78 if frame.build.age_years > 55 else 1.0)
    (centre,) = frame.organ("uterus", (2.0, 8.0, 116.0))
    x, y, z = centre
    only = ("inner_fat", "muscle", "bladder", "bladder_wall", *_GUT)
    body = Ellipsoid((x, y - 6, z), (25 * size, 33 * size, 19 * size), turn=(28, 0, 0))
    canvas.paint(
        [body, *tube([(x, y + 12, z - 14), (0, 24, 76), (0, 26, 40)], [15 * size, 13, 9])], "uterus", only
    )
    canvas.paint(
        Ellipsoid((x, y - 8, z + 1), (13 * size, 20 * size, 4.0), turn=(28, 0, 0)),
        "uterine_cavity",
        ("uterus",),
    )
    for side in (-1, 1):
        ovary = Ellipsoid(
            (side * 42 + x, 18, 118), (13, 10, 16) if frame.build.age_years < 52 else (9, 7, 11)
        )
        canvas.paint(ovary, "ovary", ("inner_fat", "muscle", *_GUT), rough=0.08)


_GUT: Final = ("bowel_wall", "bowel_content", "bowel_gas", "colon_wall", "colon_content", "colon_gas")
