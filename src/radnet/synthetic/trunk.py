"""Paint the soft parts of chest, abdomen and pelvis.

Heights are those of the reference adult: apex of the lung 605, dome of the liver 425, kidneys 245 to 360,
bowel 100 to 345, bladder 70.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.shapes import Canvas, Ellipsoid, Loft, Point, tube
from radnet.synthetic.skeleton import spine_y
from radnet.synthetic.structures import NUMBER

OUTLINE: Final = Loft(
    (
        (-60, 160, 82, 8),
        (20, 164, 90, 8),
        (80, 166, 96, 4),
        (150, 156, 94, 2),
        (220, 142, 92, 0),
        (285, 130, 92, -2),
        (350, 138, 95, -2),
        (450, 150, 98, 0),
        (520, 158, 96, 4),
        (562, 182, 82, 10),
        (590, 166, 66, 14),
        (612, 92, 56, 14),
        (632, 60, 52, 12),
        (665, 52, 52, 10),
        (720, 54, 54, 14),
    )
)
"""Outer surface of the muscles."""
CHEST: Final = Loft(
    (
        (335, 118, 84, 6),
        (420, 122, 84, 6),
        (500, 112, 78, 8),
        (560, 88, 62, 12),
        (592, 55, 42, 18),
        (610, 22, 22, 16),
    )
)
"""Inner wall of the ribs."""
ABDOMEN: Final = Loft(
    (
        (40, 40, 62, 10),
        (80, 56, 70, 12),
        (120, 74, 76, 14),
        (180, 92, 76, -2),
        (230, 112, 76, -8),
        (300, 114, 78, -6),
        (345, 120, 84, 0),
        (360, 120, 84, 4),
    )
)
"""Inner wall of the muscles below the diaphragm."""
DOMES: Final = (
    Ellipsoid((-58, 0, 335), (66, 84, 92)),
    Ellipsoid((52, 6, 335), (66, 82, 80)),
)
"""Right and left half of the diaphragm."""


def paint_outline(canvas: Canvas, fat_mm: float) -> None:
    """Paint skin, fat and muscle of neck, trunk and thighs.

    Args:
        canvas: Empty where the trunk goes.
        fat_mm: Thickness of the fat under the skin.
    """
    for name, depth in (("skin", -fat_mm - 2), ("fat", -fat_mm), ("muscle", 0.0)):
        knots = tuple(
            (z, a - depth * _fat_share(z), b - depth * _fat_share(z), y) for z, a, b, y in OUTLINE.knots
        )
        canvas.paint(Loft(knots), NUMBER[name], (NUMBER["outside"],) if name == "skin" else None)
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 50, 86, 30), (52, 20 + fat_mm, 70)), NUMBER["fat"])
        canvas.paint(Ellipsoid((side * 52, 74, 60), (48, 26, 70)), NUMBER["muscle"])
    canvas.paint(Ellipsoid((0, 0, -70), (9, 140, 55)), NUMBER["outside"])


def _fat_share(height: float) -> float:
    """Return how much of the trunk's fat lies under the skin at a height; little at the neck."""
    return float(np.interp(height, [150, 350, 560, 620], [1.0, 0.8, 0.6, 0.35]))


def paint_cavities(canvas: Canvas) -> None:
    """Paint the fat of the abdomen, the muscles beside the spine, and the mediastinum with its lungs."""
    canvas.paint(ABDOMEN, NUMBER["fat"])
    for side in (-1, 1):
        canvas.paint(
            tube(
                [(side * 36, spine_y(330) + 5, 330), (side * 46, 35, 220), (side * 72, -8, 100)], [9, 20, 14]
            ),
            NUMBER["muscle"],
        )
    canvas.paint(CHEST, NUMBER["fat"])
    window = canvas.window(CHEST)
    x, y, z = canvas.coordinates(window)
    front = np.interp(z.mean((1, 2)), [360, 440, 520, 600], [34, 30, 20, 14]).astype(np.float32)[
        :, None, None
    ]
    pleura = CHEST.shrunk(2).inside(x, y, z) & (np.abs(x - 4) > front)
    canvas.labels[window][pleura] = NUMBER["lung"]
    for dome in DOMES:
        canvas.paint(dome, NUMBER["muscle"], (NUMBER["lung"],))
        canvas.paint(dome.shrunk(3), NUMBER["fat"])


def paint_chest(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint heart, great vessels, airways and the vessels of the lungs."""
    for side in (-1, 1):
        hilum = (side * 26.0, 12.0, 500.0)
        for _ in range(70):
            _branch(canvas, rng, hilum, side)
    heart = Ellipsoid((22, -32, 428), (56, 42, 52), turn=(0, 25, 30))
    canvas.paint(heart, NUMBER["heart"])
    chambers = (
        Ellipsoid((42, -20, 420), (26, 19, 30), turn=(0, 25, 30)),
        Ellipsoid((8, -52, 424), (28, 14, 30), turn=(0, 20, 25)),
        Ellipsoid((-20, -22, 440), (16, 22, 24)),
        Ellipsoid((8, 6, 456), (26, 14, 18)),
    )
    canvas.paint(chambers, NUMBER["heart_chamber"])
    aorta: list[Point] = [
        (6, -28, 455),
        (-8, -38, 500),
        (-2, -25, 532),
        (14, 5, 540),
        (24, 34, 525),
        (26, 46, 480),
    ]
    canvas.paint(tube(aorta, [15, 15, 14, 13, 12, 12]), NUMBER["artery"])
    canvas.paint(tube([(10, -46, 450), (16, -28, 492), (-24, -2, 497)], [13, 13, 9]), NUMBER["artery"])
    canvas.paint(tube([(16, -28, 492), (34, 8, 500)], [12, 9]), NUMBER["artery"])
    canvas.paint(tube([(-24, -28, 555), (-22, -26, 455)], 9), NUMBER["vein"])
    canvas.paint(tube([(0, -14, 628), (0, 2, 575), (0, 18, 525)], [8.5, 8.5, 9]), NUMBER["airway"])
    for side, drop in ((-1, 18), (1, 24)):
        canvas.paint(
            tube([(0, 18, 526), (side * 34, 20, 526 - drop), (side * 55, 26, 478)], [8, 6, 3.5]),
            NUMBER["airway"],
        )
    canvas.paint(tube([(0, 4, 630), (4, 34, 500), (14, 26, 400), (26, 10, 372)], 5), NUMBER["muscle"])


def _branch(canvas: Canvas, rng: np.random.Generator, hilum: Point, side: int) -> None:
    """Paint one vessel that leaves the hilum and forks on its way."""
    end = np.array([side * rng.uniform(40, 110), rng.uniform(-65, 80), rng.uniform(370, 590)])
    middle = np.array(hilum) + (end - np.array(hilum)) * 0.5 + rng.normal(0, 9, 3)
    path: list[Point] = [hilum, tuple(middle), tuple(end)]
    canvas.paint(tube(path, [4.0, 2.4, 1.1]), NUMBER["lung_vessel"], (NUMBER["lung"],))


def paint_upper_abdomen(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint the solid organs, the stomach and the great vessels."""
    canvas.paint(Ellipsoid((88, 44, 372), (24, 36, 48), turn=(0, -12, -25)), NUMBER["spleen"], _BELOW)
    _liver(canvas, rng)
    _stomach(canvas)
    for side in (-1, 1):
        _kidney(canvas, (side * 62.0, spine_y(300) + 12, 310.0 - 8 * (side < 0)), side)
    pancreas: list[Point] = [(-35, -18, 305), (0, -24, 318), (40, 2, 338), (72, 24, 350)]
    canvas.paint(tube(pancreas, [14, 10, 10, 8]), NUMBER["pancreas"])
    _great_vessels(canvas)


def _liver(canvas: Canvas, rng: np.random.Generator) -> None:
    lobes = (
        Ellipsoid((-62, 2, 350), (56, 74, 74)),
        Ellipsoid((-78, 12, 315), (36, 50, 52)),
        Ellipsoid((-5, -38, 376), (58, 38, 32), turn=(0, 12, 0)),
    )
    canvas.paint(lobes, NUMBER["liver"], _BELOW)
    porta: Point = (-28.0, 0.0, 345.0)
    for _ in range(26):
        end = (rng.uniform(-110, 10), rng.uniform(-55, 60), rng.uniform(300, 410))
        canvas.paint(tube([porta, end], [4.5, 1.2]), NUMBER["liver_vessel"], (NUMBER["liver"],))
    canvas.paint(Ellipsoid((-46, -50, 302), (13, 19, 22), turn=(25, 0, 0)), NUMBER["gallbladder"])


def _great_vessels(canvas: Canvas) -> None:
    """Paint aorta, vena cava, portal vein, and the vessels of the legs."""
    aorta: list[Point] = [(26, 46, 480)]
    aorta += [(x, spine_y(z) - y, z) for x, y, z in ((18, 30, 420), (10, 32, 340), (4, 36, 225))]
    canvas.paint(tube(aorta, [11, 11, 10, 9]), NUMBER["artery"])
    cava: list[Point] = [(-20, -22, 440), (-22, 14, 400)]
    cava += [(x, spine_y(z) - y, z) for x, y, z in ((-24, 28, 320), (-22, 32, 220))]
    canvas.paint(tube(cava, [11, 12, 11, 11]), NUMBER["vein"])
    canvas.paint(tube([(-26, 2, 345), (-8, -8, 325), (60, 20, 350)], [6, 6, 4]), NUMBER["vein"])
    for side in (-1, 1):
        start = 4 - 8 * (side < 0)
        artery: list[Point] = [
            (start, 0, 222),
            (side * 42, 2, 170),
            (side * 62, -30, 105),
            (side * 74, -40, 20),
        ]
        canvas.paint(tube(artery, [7, 6, 5, 5]), NUMBER["artery"])
        vein: list[Point] = [(-12, 6, 218), (side * 46, 14, 165), (side * 56, -22, 100), (side * 64, -32, 20)]
        canvas.paint(tube(vein, [8, 7, 6, 6]), NUMBER["vein"])


def _kidney(canvas: Canvas, centre: Point, side: int) -> None:
    turn = (10.0, side * -14.0, side * 25.0)
    canvas.paint(
        Ellipsoid(centre, (38, 34, 64), turn=turn),
        NUMBER["fat"],
        (NUMBER["liver"], NUMBER["spleen"], NUMBER["muscle"]),
    )
    canvas.paint(Ellipsoid(centre, (27, 24, 54), turn=turn), NUMBER["kidney_cortex"])
    x, y, z = centre
    pyramids = [(x + side * 7, y + 9 * np.cos(k * 2.4), z - 36 + 12 * k) for k in range(7)]
    canvas.paint(
        [Ellipsoid(point, (9, 8, 6)) for point in pyramids],
        NUMBER["kidney_medulla"],
        (NUMBER["kidney_cortex"],),
    )
    canvas.paint(Ellipsoid((x - side * 9, y - 3, z), (15, 9, 30), turn=turn), NUMBER["fat"])
    canvas.paint(tube([(x - side * 6, y - 3, z), (x - side * 38, y - 20, z)], [5, 4]), NUMBER["vein"])


def _stomach(canvas: Canvas) -> None:
    """Paint the stomach: gas in front, content behind, since the patient lies on the back."""
    parts = tube([(62, 2, 392), (66, -22, 350), (34, -52, 318), (-14, -48, 312)], [36, 34, 24, 13])
    canvas.paint(parts, NUMBER["stomach_wall"])
    inner = [part.shrunk(4) for part in parts]
    canvas.paint(inner, NUMBER["stomach_content"])
    for part in inner:
        window = canvas.window(part)
        x, y, z = canvas.coordinates(window)
        canvas.labels[window][part.inside(x, y, z) & (y < -32)] = NUMBER["stomach_gas"]


def paint_bowel(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint small and large bowel with content and gas."""
    centre, radii = np.array([0, -32, 200]), np.array([76, 40, 68])
    at = centre.astype(float)
    path: list[Point] = []
    for _ in range(150):
        at = at + rng.normal(0, 26, 3)
        offset = (at - centre) / radii
        at = centre + radii * offset / max(1.0, float(np.linalg.norm(offset)))
        path.append((float(at[0]), float(at[1]), float(at[2])))
    _gut(canvas, rng, path, 11, gas=0.12)
    colon: list[Point] = [
        (-84, 8, 160), (-92, 12, 205), (-94, 8, 250), (-88, -10, 285), (-62, -58, 272), (-10, -72, 258),
        (40, -70, 272), (84, -30, 318), (96, 8, 332), (100, 16, 280), (98, 16, 220), (88, 10, 170),
        (60, -8, 140), (25, -18, 150), (-5, 15, 140), (0, 44, 118),
    ]  # fmt: skip
    _gut(canvas, rng, colon, 19, gas=0.55)
    _gut(canvas, rng, [(0, 44, 118), (0, 55, 90), (0, 46, 55)], 15, gas=0.3)


def _gut(canvas: Canvas, rng: np.random.Generator, path: list[Point], radius: float, gas: float) -> None:
    """Paint a tube of bowel piece by piece, each filled with content or gas."""
    for piece in tube(path, [radius * rng.uniform(0.8, 1.1) for _ in path]):
        canvas.paint(piece, NUMBER["bowel_wall"], _SOFT)
        canvas.paint(piece.shrunk(2.5), NUMBER["bowel_content"], (NUMBER["bowel_wall"],))
        if rng.random() < gas:
            x, y, z = ((a + b) / 2 for a, b in zip(piece.start, piece.end, strict=True))
            bubble = Ellipsoid((x, y - radius * 0.25, z), (radius * 0.75, radius * 0.55, radius * 0.95))
            canvas.paint(bubble, NUMBER["bowel_gas"], (NUMBER["bowel_content"],))


def paint_pelvis(canvas: Canvas, female: bool) -> None:
    """Paint bladder and inner organs, and the muscles around the hips."""
    canvas.paint(Ellipsoid((0, -8, 84), (40, 32, 32)), NUMBER["bladder"])
    canvas.paint(Ellipsoid((0, 58, 20), (20, 26, 34)), NUMBER["fat"])
    if female:
        canvas.paint(Ellipsoid((0, 10, 122), (26, 30, 19), turn=(25, 0, 0)), NUMBER["uterus"])
        canvas.paint(Ellipsoid((0, 10, 122), (5, 18, 5), turn=(25, 0, 0)), NUMBER["bladder"])
    else:
        canvas.paint(Ellipsoid((0, -2, 42), (23, 18, 16)), NUMBER["prostate"])


def paint_breasts(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint breasts before a chest: fat, and glandular tissue in strands."""
    for side in (-1, 1):
        breast = Ellipsoid((side * 76, -104, 455), (58, 62, 58))
        canvas.paint(breast, NUMBER["skin"], (NUMBER["outside"],))
        canvas.paint(breast.shrunk(2), NUMBER["breast_fat"], (NUMBER["skin"],))
        gland = Ellipsoid((side * 78, -126, 452), (36, 34, 36))
        for _ in range(60):
            middle = rng.normal((side * 78, -122, 452), (14, 12, 14))
            nipple = (side * 80.0, -158.0, 450.0)
            canvas.paint(
                tube([tuple(middle), nipple], [5.0, 1.0]), NUMBER["breast_gland"], (NUMBER["breast_fat"],)
            )
        canvas.paint(gland.shrunk(18), NUMBER["breast_gland"], (NUMBER["breast_fat"],))


_BELOW: Final = tuple(NUMBER[name] for name in ("fat", "muscle"))
_SOFT: Final = tuple(NUMBER[name] for name in ("fat", "bowel_wall", "bowel_content", "bowel_gas"))
