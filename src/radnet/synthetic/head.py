"""Paint the head: outline, skull, face with orbits, sinuses, jaws and tongue.

Heights are those of the reference adult: foramen magnum 742, vertex 885.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.brain import CEREBRUM, POSTERIOR_FOSSA, TEMPORAL, front_floor
from radnet.synthetic.frame import Frame
from radnet.synthetic.noise import Real
from radnet.synthetic.shapes import Canvas, Cut, Ellipsoid, Loft, Mask, Point, tube
from radnet.synthetic.skeleton import plate
from radnet.synthetic.structures import NUMBER

FACE: Final = Loft(
    (
        (650, 20, -74, 4, -30, 0.0),
        (664, 34, -88, 16, -30, 0.2),
        (682, 48, -92, 40, -20, 0.2),
        (705, 57, -94, 60, -10, 0.1),
        (735, 64, -96, 84, -6, 0.1),
        (770, 70, -97, 96, 0, 0.1),
        (805, 72, -94, 98, 0, 0.0),
    )
)
"""Skin of the face; the jaw's lower edge is cut from it."""
CAVITY_MM: Final = 2.0
"""Fluid and membranes between brain and skull."""
VAULT_MM: Final = 7.0
BASE_MM: Final = 3.0


def paint_outline(canvas: Canvas, frame: Frame) -> None:
    """Paint skin, fat and muscle of the head; the trunk's outline comes before."""
    plump = 0.12 * frame.fat_mm
    for name, depth in (("skin", 0.0), ("fat", 2.0), ("muscle", 5.0 + plump)):
        grown = plump - depth
        face = Cut(FACE.shrunk(-grown), (0, -80, 660 - grown), (0, -0.36, 1))
        only = ("outside",) if name == "skin" else ("outside", "skin") if name == "fat" else None
        canvas.paint([face, *(part.shrunk(-grown) for part in _knobs())], name, only)
    for side in (-1, 1):
        ear = Ellipsoid((side * 79, 18, 765), (5, 14, 30), turn=(0, 0, side * 25))
        canvas.paint(ear, "skin", ("outside",))
        canvas.paint(ear.shrunk(2.2), "cartilage", ("skin",))


def _knobs() -> list[Ellipsoid]:
    """Return scalp, nose, lips and chin."""
    return [
        Ellipsoid((0, 7, 803), (82, 100, 87)),
        Ellipsoid((0, 30, 770), (70, 72, 56)),
        Ellipsoid((0, -103, 741), (13, 15, 12)),
        Ellipsoid((0, -98, 754), (8, 12, 20), turn=(-18, 0, 0)),
        Ellipsoid((0, -93, 706), (24, 10, 11)),
        Ellipsoid((0, -88, 674), (20, 10, 13)),
    ]


def paint_head(canvas: Canvas, frame: Frame) -> None:
    """Paint skull and face; the brain's place is filled with fluid."""
    _skull(canvas)
    _base(canvas)
    _jaws(canvas)
    _soft_parts(canvas, frame)
    _cheeks(canvas)
    _nose(canvas)
    _orbits(canvas)


def _hull(x: Real, y: Real, z: Real, grown_mm: float, base_mm: float) -> Mask:
    """Say what lies within the brain's cavity, grown by so much above and at the base."""
    vault = CEREBRUM.shrunk(-CAVITY_MM - grown_mm).inside(x, y, z)
    vault &= front_floor(y, z + np.float32(base_mm + CAVITY_MM)) & (z > 757 - base_mm)
    for part in (*TEMPORAL, POSTERIOR_FOSSA):
        side = grown_mm if part is POSTERIOR_FOSSA else base_mm
        grown = part.shrunk(-CAVITY_MM - side)
        vault |= grown.inside(x, y, z)
    return vault


def _skull(canvas: Canvas) -> None:
    window = canvas.window(CEREBRUM, margin_mm=14)
    x, y, z = canvas.coordinates(window)
    region = canvas.labels[window]
    uneven = np.float32(0.8) * canvas.grain(window, 21)
    outer, inner = _hull(x, y, z, VAULT_MM, BASE_MM), _hull(x, y, z, 0, 0)
    region[outer] = NUMBER["skull"]
    diploe = _hull(x, y, z + uneven, 4.6, -9) & ~_hull(x, y, z + uneven, 2.2, 0.5) & (z > 772)
    region[diploe] = NUMBER["skull_marrow"]
    region[inner] = NUMBER["brain_csf"]
    canvas.paint(tube([(0, 24, 756), (0, 24, 738)], [16, 13]), "brain_csf", ("skull", "muscle", "fat"))


def _base(canvas: Canvas) -> None:
    """Paint petrous bones with their air cells, clivus, sphenoid with its sinus, and the pterygoids."""
    canvas.paint(tube([(0, -4, 770), (0, 4, 758), (0, 12, 742)], [7, 7, 5]), "skull")
    canvas.paint(tube([(0, -2, 766), (0, 10, 746)], [4, 2.5]), "skull_marrow", ("skull",))
    canvas.paint(Ellipsoid((0, -20, 764), (21, 20, 13), boxy=True), "skull")
    canvas.paint(Ellipsoid((1, -22, 763), (13, 15, 9.5), boxy=True), "sphenoid_sinus")
    canvas.paint(Ellipsoid((1, -20, 763), (0.9, 15, 9)), "skull", ("sphenoid_sinus",))
    canvas.paint(Ellipsoid((0, -11, 776), (7, 6, 4)), "deep_grey", ("brain_csf", "skull"))
    for side in (-1, 1):
        petrous = tube([(side * 14, 2, 756), (side * 38, 20, 757), (side * 58, 24, 756)], [6, 10, 13])
        canvas.paint(petrous, "skull")
        mastoid = Ellipsoid((side * 58, 28, 744), (12, 15, 18))
        canvas.paint(mastoid, "skull")
        window = canvas.window(mastoid)
        x, y, z = canvas.coordinates(window)
        cells = (mastoid.shrunk(2.5).radius2(x, y, z) < 1) & (canvas.grain(window, 3) > 0.05)
        canvas.labels[window][cells] = NUMBER["sinus"]
        canvas.paint(tube([(side * 48, 16, 757), (side * 78, 16, 757)], 3.2), "sinus")
        pterygoid = list(
            plate(
                [(side * 15, -16, 756), (side * 17, -14, 722)],
                [(side * 18, -30, 756), (side * 18, -26, 722)],
                3,
                1.6,
            )
        )
        canvas.paint(pterygoid, "skull")


def _jaws(canvas: Canvas) -> None:
    """Paint upper jaw, lower jaw and teeth."""
    angles = np.radians(np.linspace(8, 172, 17))
    arch = [(float(27 * np.cos(a)), float(-46 - 36 * np.sin(a))) for a in angles]

    def at(height: float, grow: float) -> list[Point]:
        return [(x * grow, -46 + (y + 46) * grow, height) for x, y in arch]

    canvas.paint(plate(at(722, 1.0), at(714, 1.0), 4, 6.5), "skull")
    canvas.paint(plate(at(722, 1.0), at(716, 1.0), 4, 4.0), "skull_marrow", ("skull",))
    canvas.paint(plate(at(684, 1.04), at(670, 1.1), 4, 6.8), "mandible")
    canvas.paint(plate(at(682, 1.04), at(671, 1.1), 4, 4.4), "mandible_marrow", ("mandible",))
    for height, low in ((711.0, 702.0), (698.0, 686.0)):
        for x, y, _ in at(height, 1.0)[::1]:
            canvas.paint(tube([(x, y, height), (x * 1.01, y, low)], [4.1, 3.4]), "tooth")
    for side in (-1, 1):
        ramus = list(
            plate(
                [(side * 33, -50, 690), (side * 45, -22, 712), (side * 47, -18, 737)],
                [(side * 40, -24, 678), (side * 49, 0, 700), (side * 51, 3, 739)],
                5,
                3.8,
            )
        )
        canvas.paint(ramus, "mandible")
        canvas.paint([piece.shrunk(2.2) for piece in ramus], "mandible_marrow", ("mandible",))
        canvas.paint(Ellipsoid((side * 50, 3, 739), (9, 5, 4.5)), "mandible")


def _soft_parts(canvas: Canvas, frame: Frame) -> None:
    """Paint tongue, chewing muscles, salivary glands and the fat between them."""
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 46, -46, 716), (15, 26, 26)), "fat", ("muscle",))
        canvas.paint(Ellipsoid((side * 26, -22, 730), (14, 16, 22)), "fat", ("muscle",))
        masseter = tube([(side * 58, -36, 742), (side * 53, -16, 690)], [9, 8])
        canvas.paint(masseter, "chewing_muscle", ("muscle", "fat"))
        temporal = Ellipsoid((side * 66, -22, 778), (8, 34, 34), turn=(0, 0, side * -14))
        canvas.paint(temporal, "chewing_muscle", ("muscle", "fat"))
        inner = tube([(side * 26, -22, 744), (side * 42, -12, 696)], [8, 7])
        canvas.paint(inner, "chewing_muscle", ("muscle", "fat"))
        canvas.paint(
            Ellipsoid((side * 55, 8, 718), (11, 17, 24)), "salivary_gland", ("muscle", "fat"), rough=0.1
        )
        canvas.paint(
            Ellipsoid((side * 29, -40, 668), (9, 15, 11)), "salivary_gland", ("muscle", "fat"), rough=0.1
        )
    canvas.paint(Ellipsoid((0, -46, 693), (23, 33, 20)), "tongue", ("muscle", "fat"))
    canvas.paint(Ellipsoid((0, -48, 672), (18, 28, 7)), "muscle", ("fat",))
    canvas.paint(
        plate([(0, -70, 690), (0, -30, 690)], [(0, -66, 704), (0, -34, 704)], 4, 0.8), "fat", ("tongue",)
    )


def _cheeks(canvas: Canvas) -> None:
    """Paint cheekbones and the cavities of the upper jaw."""
    for side in (-1, 1):
        canvas.paint(
            tube([(side * 48, -64, 750), (side * 66, -34, 750), (side * 69, -6, 754)], [6, 4, 4]), "skull"
        )
        antrum = Ellipsoid((side * 28, -50, 737), (15, 20, 18), boxy=True, turn=(0, 0, side * 10))
        canvas.paint(antrum, "skull")
        canvas.paint(antrum.shrunk(2), "mucosa", ("skull",))
        canvas.paint(antrum.shrunk(3.2), "sinus", ("mucosa",), rough=0.06)


def _nose(canvas: Canvas) -> None:
    """Paint nasal cavity, septum, turbinates, ethmoid and frontal sinuses, palate."""
    canvas.paint(
        plate(
            [(-22, -70, 721), (0, -78, 721), (22, -70, 721)],
            [(-18, -26, 721), (0, -26, 721), (18, -26, 721)],
            4,
            2.2,
        ),
        "skull",
    )
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 6.5, -52, 740), (8.5, 38, 20), boxy=True), "mucosa", _FACE_SOFT)
        canvas.paint(
            Ellipsoid((side * 5.5, -52, 740), (4.5, 36, 18), boxy=True),
            "nasal_cavity",
            ("mucosa",),
            rough=0.2,
        )
        canvas.paint(tube([(side * 6, -84, 734), (side * 6, -108, 737)], [5, 4]), "nasal_cavity", _FACE_SOFT)
        canvas.paint(Ellipsoid((side * 9, -48, 731), (3.8, 25, 7.5)), "mucosa", ("nasal_cavity",))
        canvas.paint(Ellipsoid((side * 9, -46, 747), (3.4, 21, 6.5)), "mucosa", ("nasal_cavity",))
        labyrinth = Ellipsoid((side * 8.5, -48, 767), (8.5, 26, 13), boxy=True)
        canvas.paint(labyrinth, "skull", _FACE_SOFT)
        cells = [
            Ellipsoid((side * (4.8 + 7 * (i % 2)), -68 + 9.5 * (i // 2), 766.0), (3.4, 4.6, 10))
            for i in range(10)
        ]
        canvas.paint(cells, "sinus", ("skull",))
        frontal = Ellipsoid((side * 12, -82, 794), (13, 6, 13), turn=(-14, 0, side * 12))
        canvas.paint(frontal.shrunk(-2.5), "skull")
        canvas.paint(frontal, "sinus", ("skull", "skull_marrow"), rough=0.15)
    canvas.paint(
        plate([(0, -82, 748), (0, -26, 748)], [(0, -78, 724), (0, -26, 724)], 3, 1.2),
        "mucosa",
        ("nasal_cavity",),
    )


def _orbits(canvas: Canvas) -> None:
    for side in (-1, 1):
        cone = Ellipsoid((side * 31, -62, 767), (19, 34, 18), turn=(0, 0, side * 16))
        canvas.paint(cone, "skull", ("muscle", "fat", "skull", "chewing_muscle", "sinus"))
        canvas.paint(cone.shrunk(2.2), "fat", ("skull", "muscle"))
        canvas.paint(Ellipsoid((side * 32, -92, 767), (17, 9, 13)), "fat", ("skull", "muscle"))
        apex = (side * 14.0, -26.0, 768.0)
        canvas.paint(tube([(side * 32, -66, 767), apex], [2.6, 2.2]), "optic_nerve")
        for dx, dz in ((14, 0), (-13, 0), (0, 13), (0, -13)):
            start = (side * (32 + dx), -72.0, 767.0 + dz)
            belly = (side * (27 + 0.8 * dx), -52.0, 767.0 + 0.8 * dz)
            canvas.paint(tube([start, belly, apex], [1.4, 3.0, 1.6]), "eye_muscle", ("fat",))
        ball = Ellipsoid((side * 32, -80, 767), (12.3, 12.3, 12.3))
        canvas.paint(ball, "eye_wall")
        canvas.paint(ball.shrunk(1.3), "eye")
        canvas.paint(Ellipsoid((side * 32.5, -88, 767), (4.8, 2.6, 4.8)), "lens")


_FACE_SOFT: Final = ("muscle", "fat", "skull", "skull_marrow", "mucosa", "skin", "chewing_muscle")
