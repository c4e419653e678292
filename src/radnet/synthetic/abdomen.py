"""Paint the solid organs of the belly and its great vessels.

Liver and spleen fill what diaphragm and wall leave them and end in sharp edges, as they do in the body.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.chest import domes
from radnet.synthetic.frame import ABDOMEN, Frame
from radnet.synthetic.noise import Real
from radnet.synthetic.shapes import Canvas, Ellipsoid, Loft, Mask, Point, tube
from radnet.synthetic.structures import NUMBER
from radnet.synthetic.trees import grow

PORTA: Final[Point] = (-30.0, -4.0, 342.0)


def paint_upper_abdomen(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint kidneys and adrenals, liver, spleen, pancreas, gallbladder and the great vessels."""
    absent = _absent_side(frame, rng)
    for side in (-1, 1):
        if side != absent:
            _kidney(canvas, frame, rng, side)
        _adrenal(canvas, frame, side)
    _liver(canvas, frame)
    _spleen(canvas, frame)
    _great_vessels(canvas, frame)
    _liver_vessels(canvas, rng)
    pancreas: list[Point] = [(-34, -14, 296), (-28, -16, 312), (0, -22, 320), (40, 4, 336), (74, 24, 352)]
    size = frame.build.organ("pancreas").size
    path = [frame.outward(point) for point in frame.organ("pancreas", *pancreas)]
    knobs = [
        Ellipsoid(point, (radius * size,) * 3) for point, radius in _along(path, [17, 15, 12, 12, 9.5], 5)
    ]
    canvas.paint(knobs, "pancreas", ("inner_fat",), rough=0.28)


def _absent_side(frame: Frame, rng: np.random.Generator) -> int:
    """Return the side without a kidney, 0 for none; draws either way, so that all else stays the same."""
    side = -1 if rng.random() < 0.5 else 1
    return side if "absent_kidney" in frame.build.findings else 0


def _along(path: list[Point], radii: list[float], step_mm: float) -> list[tuple[Point, float]]:
    """Return points at even distances along a path, and the radius at each."""
    points = np.array(path)
    lengths = np.sqrt(np.square(np.diff(points, axis=0)).sum(1))
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    places = np.arange(0, at[-1], step_mm)
    x, y, z, r = (np.interp(places, at, row) for row in (*points.T, radii))
    return [((float(a), float(b), float(c)), float(d)) for a, b, c, d in zip(x, y, z, r, strict=True)]


def _under_dome(frame: Frame, x: Real, y: Real, z: Real, margin_mm: float) -> Mask:
    """Say what lies below the diaphragm and within a lean belly's walls, so far from both."""
    wall = Loft(ABDOMEN).shrunk(margin_mm).inside(x, y, z)
    low = z < 336
    for dome in domes(frame):
        low |= dome.shrunk(3.0 + margin_mm).inside(x, y, z)
    return wall & low


def _liver(canvas: Canvas, frame: Frame) -> None:
    """Paint the liver under the right dome: a slanting lower face, a left lobe that thins out."""
    size = frame.build.organ("liver").size
    grown = 90 * (size - 1)
    (shift,) = frame.organ("liver", (0.0, 0.0, 0.0))
    window = canvas.window(Ellipsoid((-30, 0, 340), (125, 150, 105)))
    x, y, z = canvas.coordinates(window)
    uneven = 5 * canvas.grain(window, 11)
    floor = np.float32(258 + shift[2] - grown) + np.float32(0.52) * (x + 108) - np.float32(0.10) * y + uneven
    hollow = Ellipsoid((-20 + shift[0], -10, 312), (46, 50, 26)).radius2(x, y, z) < 1
    reach = np.float32(44 + shift[0] + 0.6 * grown) - np.float32(0.62) * y + uneven
    np.minimum(reach, np.float32(64 + shift[0] + 0.6 * grown) + uneven, out=reach)
    mask = _under_dome(frame, x, y, z, 1.0) & (z > floor) & (x < reach) & (y < 78) & ~hollow
    mask &= ~((np.abs(x - 2 - 0.1 * y) < 2.5) & (z < 350) & (y < -18))
    # the bare area ends where spine, great vessels and crura begin
    mask &= ~((x > -26) & (y > 12))
    region = canvas.labels[window]
    allowed = np.zeros(256, bool)
    allowed[[NUMBER[name] for name in ("inner_fat",)]] = True
    region[mask & allowed[region]] = NUMBER["liver"]
    bladder = frame.build.organ("gallbladder").size
    neck = frame.organ("gallbladder", (-40, -14, 326), (-48, -40, 306), (-56, -62, 288))
    bulb = tube([frame.outward(point) for point in neck], [5 * bladder, 12 * bladder, 14 * bladder])
    canvas.paint([piece.shrunk(-1.8) for piece in bulb], "bowel_wall", ("inner_fat", "liver"))
    canvas.paint(bulb, "gallbladder", ("inner_fat", "liver", "bowel_wall"))


def _spleen(canvas: Canvas, frame: Frame) -> None:
    """Paint the spleen: a bowl along the wall under the left dome."""
    size = frame.build.organ("spleen").size
    (centre,) = frame.organ("spleen", (94.0, 34.0, 366.0))
    whole = Ellipsoid(centre, (58 * size, 68 * size, 68 * size), turn=(20, -10, -20))
    window = canvas.window(whole)
    x, y, z = canvas.coordinates(window)
    uneven = np.float32(0.12) * canvas.grain(window, 5)
    mask = (whole.radius2(x, y, z) < 1 + uneven) & _under_dome(frame, x, y, z, 1.5)
    inner = Ellipsoid((centre[0] - 52 * size, centre[1] - 22, centre[2] - 4), (42, 60, 76))
    mask &= inner.radius2(x, y, z) > 1 + uneven
    region = canvas.labels[window]
    region[mask & (region == NUMBER["inner_fat"])] = NUMBER["spleen"]


def _kidney(canvas: Canvas, frame: Frame, rng: np.random.Generator, side: int) -> None:
    name = "left_kidney" if side > 0 else "right_kidney"
    size = frame.build.organ(name).size
    height = 312.0 if side > 0 else 300.0
    (centre,) = frame.organ(name, (side * (59.0 + 5 * frame.belly), frame.spine_y(300) + 12, height))
    turn = (14.0, side * -13.0, side * 28.0)
    x, y, z = centre
    pad = 5 + 14 * frame.belly
    canvas.paint(
        Ellipsoid(centre, (25 * size + pad, 20 * size + pad, 54 * size + pad), turn=turn),
        "inner_fat",
        ("muscle", "liver") if pad > 9 else ("liver",),
    )
    whole = Ellipsoid(centre, (32 * size, 26.5 * size, 57 * size), turn=turn)
    canvas.paint(whole, "kidney_cortex", _SOFT, rough=0.05)
    for k in range(11):
        angle = k * 2.4 + rng.uniform(-0.3, 0.3)
        out = 10.5 * size
        point = (
            x + out * (side * 0.55 + 0.75 * float(np.cos(angle))),
            y + out * 0.75 * float(np.sin(angle)),
            z + size * (-35 + 7 * k),
        )
        pyramid = Ellipsoid(point, (7.5 * size, 7 * size, 6 * size))
        canvas.paint(pyramid, "kidney_medulla", ("kidney_cortex",), rough=0.1)
    inward = (x - side * 9 * size, y - 6, z)
    canvas.paint(Ellipsoid(inward, (17 * size, 9 * size, 25 * size), turn=turn), "inner_fat", _KIDNEY)
    canvas.paint(
        Ellipsoid((x - side * 8, y - 5, z), (11, 5.5, 12), turn=turn), "renal_pelvis", ("inner_fat",)
    )
    _hilum(canvas, centre, side)


def _hilum(canvas: Canvas, centre: Point, side: int) -> None:
    """Paint the vein of a kidney and its ureter."""
    x, y, z = centre
    for lift in (-14, 13):
        branch = tube([(x - side * 20, y - 9, z), (x + side * 2, y - 3, z + lift)], [4.5, 2.5])
        canvas.paint(branch, "vein", ("inner_fat", "renal_pelvis"))
    aim = (-22.0, 10.0) if side < 0 else (8.0, 4.0)
    vein: list[Point] = [(x - side * 18, y - 10, z), (side * 30, y - 26, z + 8), (aim[0], aim[1], z + 12)]
    canvas.paint(tube(vein, [5, 5, 5.5]), "vein", _SOFT)
    ureter = [
        (x - side * 14, y - 6, z - 10),
        (side * 40, 14, 240),
        (side * 38, 10, 180),
        (side * 30, 22, 100),
    ]
    canvas.paint(tube(ureter, [4, 2, 2, 2]), "renal_pelvis", ("inner_fat",))


def _adrenal(canvas: Canvas, frame: Frame, side: int) -> None:
    """Paint two thin limbs that meet above the kidney."""
    x, y = (side * 36.0, frame.spine_y(360) - 6)
    top = 366.0 if side > 0 else 362.0
    stem = tube([(x, y - 12, top - 8), (x + side * 2, y, top)], [3, 3])
    limbs = tube([(x + side * 11, y + 16, top - 18), (x, y - 4, top), (x + side * 1, y + 18, top - 20)], 2.9)
    canvas.paint([*stem, *limbs], "adrenal", ("inner_fat", "liver", "diaphragm"))


def _great_vessels(canvas: Canvas, frame: Frame) -> None:
    """Paint aorta, vena cava, the trunks to the organs, and what goes to the legs."""
    size = frame.build.organ("aorta").size * (1 + 0.002 * max(frame.build.age_years - 45, 0))
    aorta: list[Point] = [
        (x, frame.spine_y(z) - y, z)
        for x, y, z in ((20, 26, 420), (12, 29, 380), (8, 31, 330), (7, 33, 280), (4, 34, 224))
    ]
    canvas.paint(tube(aorta, [r * size for r in (11, 10.5, 10, 9, 8.5)]), "aorta")
    cava: list[Point] = [(-23, 10, 382)]
    cava += [(x, frame.spine_y(z) - y, z) for x, y, z in ((-23, 26, 340), (-22, 31, 290), (-20, 32, 218))]
    canvas.paint(tube(cava, [12.5, 12, 11, 10.5]), "vena_cava")
    splenic = [(-14, -8, 324), (10, -6, 330), (46, 12, 342), (76, 26, 352)]
    portal: list[Point] = [(-14, -8, 322), (-22, -6, 334), PORTA]
    canvas.paint(tube([frame.outward(p) for p in splenic], [5, 4.5, 4.2, 4]), "portal_vein", _SOFT)
    canvas.paint(tube(portal, [7, 7, 7]), "portal_vein")
    mesenteric = [(-14, -8, 324), (-10, -22, 290), (-12, -28, 240), (-18, -30, 190)]
    canvas.paint(tube([frame.outward(p) for p in mesenteric], [6, 5.5, 4, 2.5]), "portal_vein", _SOFT)
    root = frame.spine_y(335) - 36
    canvas.paint(
        tube([(8, root, 338), (6, root - 18, 330), (2, -24, 270), (0, -28, 200)], [4, 4, 3.4, 2]),
        "artery",
        _SOFT,
    )
    canvas.paint(tube([(9, root, 352), (8, root - 18, 354), (-22, -6, 348)], [4, 3.6, 2.6]), "artery", _SOFT)
    canvas.paint(tube([(8, root - 18, 354), (40, 10, 352), (76, 30, 360)], [3.6, 3, 2.6]), "artery", _SOFT)
    for side in (-1, 1):
        _leg_vessels(canvas, frame, side)


def _leg_vessels(canvas: Canvas, frame: Frame, side: int) -> None:
    """Paint the artery and the veins of one leg, from where they leave the trunks."""
    start = 4 + 3 * side
    artery: list[Point] = [
        (start, frame.spine_y(222) - 34, 226),
        (side * 34, 6, 176),
        (side * 56, -22, 118),
        (side * 68, -42, 70),
        (side * 74, -40, -120),
    ]
    canvas.paint(tube(artery, [6.5, 6, 5, 5, 4]), "artery")
    vein: list[Point] = [
        (-18, frame.spine_y(218) - 32, 220),
        (side * 34, 20, 170),
        (side * 50, -10, 112),
        (side * 60, -36, 70),
        (side * 64, -32, -120),
    ]
    canvas.paint(tube(vein, [8, 7, 6.5, 6.5, 5.5]), "vein")
    inner = tube([(side * 34, 10, 176), (side * 46, 38, 128), (side * 50, 44, 90)], [4.5, 4, 3])
    canvas.paint(inner, "vein", ("inner_fat", "muscle"))


def _liver_vessels(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint the portal tree and the three hepatic veins."""
    for way in ((-0.9, 0.3, 0.1), (-0.7, 0.2, 0.75), (-0.6, -0.7, 0.2), (0.6, -0.6, 0.4)):
        branches = grow(PORTA, way, 5.2, 32.0, 4, rng, thinnest=0.8)
        canvas.paint(branches, "liver_vessel", ("liver",))
    for way in ((-0.85, 0.4, -0.15), (-0.4, -0.8, -0.2), (0.5, -0.8, -0.1)):
        branches = grow((-24, 4, 394), way, 5.0, 40.0, 3, rng, thinnest=0.9)
        canvas.paint(branches, "liver_vessel", ("liver",))


_SOFT: Final = ("inner_fat", "muscle", "diaphragm")
_KIDNEY: Final = ("kidney_cortex", "kidney_medulla")
