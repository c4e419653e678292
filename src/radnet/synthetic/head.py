"""Paint head and neck: skull, brain, eyes, sinuses, the airway down to the larynx.

Heights are those of the reference adult: foramen magnum 745, vertex 885, larynx 625 to 655.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.shapes import Canvas, Cut, Ellipsoid, smooth_noise, tube
from radnet.synthetic.structures import NUMBER

SKULL: Final = Ellipsoid((0, 6, 795), (74, 92, 84))
BRAIN: Final = Ellipsoid((0, 8, 799), (65, 82, 69))
FOLD_CELL_MM: Final = 8.0
"""Distance between folds of the cortex."""
SULCUS_DEPTH: Final = 0.62
"""Squared radius of the brain below which no sulcus reaches."""
FALX: Final = 0.25
"""Squared radius above which the hemispheres are apart in the midline; the corpus callosum lies below."""
CORTEX: Final = 0.86
"""Squared radius above which all is cortex or sulcus."""


def paint_head(canvas: Canvas, rng: np.random.Generator, lesion: bool) -> None:
    """Paint everything above the larynx, and the neck's front.

    Args:
        canvas: Neck and head must be skin and muscle already, the spine may follow.
        rng: Draws the folds of the cortex and the place of a lesion.
        lesion: Whether there is a tumour in the brain.
    """
    _skull(canvas)
    _face(canvas)
    _brain(canvas, rng)
    if lesion:
        side = 1 if rng.random() < 0.5 else -1
        centre = (side * rng.uniform(28, 38), rng.uniform(-25, 40), rng.uniform(810, 830))
        canvas.paint(Ellipsoid(centre, (13, 15, 12)), NUMBER["lesion"])
        canvas.paint(Ellipsoid(centre, (6, 7, 5)), NUMBER["ventricle"])
    _eyes(canvas)
    _sinuses(canvas)
    _throat(canvas)


def paint_outline(canvas: Canvas) -> None:
    """Paint skin, fat and muscle of the head; the trunk's outline follows."""
    parts = (
        Ellipsoid((0, 6, 793), (80, 99, 92)),
        Ellipsoid((0, -28, 725), (62, 66, 82)),
        Ellipsoid((0, -100, 742), (13, 16, 20)),
        *(Ellipsoid((side * 81, 15, 762), (6, 16, 28)) for side in (-1, 1)),
    )
    for name, depth in (("skin", 0.0), ("fat", 2.5), ("muscle", 6.0)):
        canvas.paint([part.shrunk(depth) for part in parts], NUMBER[name])


def _skull(canvas: Canvas) -> None:
    vault = Cut(SKULL, (0, 0, 742), (0, -0.25, 1))
    canvas.paint(vault, NUMBER["skull"])
    canvas.paint(Cut(SKULL.shrunk(2.5), (0, 0, 765), (0, 0, 1)), NUMBER["skull_marrow"])
    canvas.paint(Cut(SKULL.shrunk(5), (0, 0, 746), (0, -0.25, 1)), NUMBER["skull"])
    # what lies below the floor of the skull is face and neck, not bone
    canvas.paint(Cut(SKULL.shrunk(5), (0, 10, 744), (0, -0.42, -1)), NUMBER["muscle"])
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 55, 22, 752), (15, 17, 14)), NUMBER["skull"])
        cells = [
            (side * (50 + 5 * i), 22 + 8 * j, 750 + 6 * k) for i in range(3) for j in (-1, 1) for k in (0, 1)
        ]
        canvas.paint([Ellipsoid(cell, (2.2, 3, 2.4)) for cell in cells], NUMBER["sinus"])


def _brain(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint fluid, folded cortex and white matter, then what lies in the depth."""
    floor = ((0.0, 10.0, 752.0), (0.0, 0.42, 1.0))
    canvas.paint(Cut(SKULL.shrunk(7.5), (0, 10, 748), (0, 0.42, 1)), NUMBER["brain_csf"])
    canvas.paint(tube([(0, 20, 752), (0, 22, 738)], 13), NUMBER["brain_csf"])
    _cerebrum(canvas, rng, Cut(BRAIN, *floor))
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 23, 48, 762), (26, 27, 19)), NUMBER["grey_matter"])
        canvas.paint(Ellipsoid((side * 20, 46, 763), (15, 16, 8)), NUMBER["white_matter"])
        canvas.paint(Ellipsoid((side * 11, 12, 803), (8, 14, 9)), NUMBER["grey_matter"])
        canvas.paint(
            Ellipsoid((side * 25, -8, 803), (6, 19, 12), turn=(0, 0, side * 18)), NUMBER["grey_matter"]
        )
    canvas.paint(
        tube([(0, 14, 790), (0, 14, 772), (0, 21, 752), (0, 22, 738)], [15, 15, 9, 6]), NUMBER["brain_stem"]
    )
    _ventricles(canvas)


def _cerebrum(canvas: Canvas, rng: np.random.Generator, hull: Cut) -> None:
    window = canvas.window(BRAIN)
    x, y, z = canvas.coordinates(window)
    radius2 = BRAIN.radius2(x, y, z)
    mask = hull.inside(x, y, z)
    folds = smooth_noise(mask.shape, FOLD_CELL_MM / canvas.step_mm, rng)
    depth = np.abs(folds)
    region = canvas.labels[window]
    white = mask & (radius2 < CORTEX)
    region[mask] = NUMBER["grey_matter"]
    region[white & ((depth > 0.38) | (radius2 < SULCUS_DEPTH))] = NUMBER["white_matter"]
    sulcus = (depth < 0.15) & (radius2 > SULCUS_DEPTH)
    fissure = (np.abs(x) < 1.6) & (z > 795) & (radius2 > FALX)
    lateral = (np.abs(z - 786 - 0.25 * y) < 1.5) & (np.abs(x) > 42) & (y < 25)
    region[mask & (sulcus | fissure | lateral)] = NUMBER["brain_csf"]


def _ventricles(canvas: Canvas) -> None:
    for side in (-1, 1):
        lateral = [
            (side * 8.0, -30.0, 808.0),
            (side * 9.0, -5.0, 816.0),
            (side * 14.0, 20.0, 817.0),
            (side * 25.0, 36.0, 805.0),
            (side * 32.0, 22.0, 785.0),
            (side * 33.0, 0.0, 778.0),
        ]
        canvas.paint(tube(lateral, [5, 5.5, 5.5, 7, 4, 2.5]), NUMBER["ventricle"])
        canvas.paint(tube([lateral[3], (side * 22, 58, 802)], [5, 2]), NUMBER["ventricle"])
    canvas.paint(Ellipsoid((0, 8, 798), (2.5, 14, 10)), NUMBER["ventricle"])
    canvas.paint(Ellipsoid((0, 34, 762), (8, 5, 9)), NUMBER["ventricle"])


def _eyes(canvas: Canvas) -> None:
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 31, -58, 768), (18, 29, 18), turn=(0, 0, side * 12)), NUMBER["skull"])
        canvas.paint(Ellipsoid((side * 31, -60, 768), (16, 29, 16), turn=(0, 0, side * 12)), NUMBER["fat"])
        canvas.paint(tube([(side * 31, -62, 768), (side * 14, -22, 770)], 2.5), NUMBER["cord"])
        canvas.paint(tube([(side * 44, -66, 768), (side * 20, -28, 768)], 2.5), NUMBER["muscle"])
        canvas.paint(tube([(side * 20, -66, 768), (side * 14, -28, 768)], 2.5), NUMBER["muscle"])
        canvas.paint(Ellipsoid((side * 31, -75, 768), (12.5, 12.5, 12.5)), NUMBER["muscle"])
        canvas.paint(Ellipsoid((side * 31, -75, 768), (11, 11, 11)), NUMBER["eye"])
        canvas.paint(Ellipsoid((side * 31, -84, 768), (5, 2.5, 5)), NUMBER["lens"])


def _face(canvas: Canvas) -> None:
    """Paint jaws, teeth, tongue and cheeks."""
    canvas.paint(Ellipsoid((0, -48, 738), (42, 32, 32), boxy=True), NUMBER["skull"])
    canvas.paint(Ellipsoid((0, -48, 738), (39, 29, 30), boxy=True), NUMBER["marrow"])
    angles = np.radians(np.linspace(0, 180, 9))
    arch = [(float(25 * np.cos(a)), float(-52 - 30 * np.sin(a)), 0.0) for a in angles]
    for height, number, radius in ((706.0, "tooth", 5.0), (696.0, "tooth", 5.0), (680.0, "bone", 9.0)):
        path = [(x * (1 if number == "tooth" else 1.15), y, height) for x, y, _ in arch]
        canvas.paint(tube(path, radius), NUMBER[number])
        if number == "bone":
            canvas.paint(tube(path, radius - 3), NUMBER["marrow"])
    for side in (-1, 1):
        ramus = tube([(side * 29, -50, 682), (side * 44, -10, 695), (side * 50, -8, 745)], [8, 7, 5])
        canvas.paint(ramus, NUMBER["bone"])
        canvas.paint([piece.shrunk(2.5) for piece in ramus], NUMBER["marrow"])
        canvas.paint(tube([(side * 56, -62, 752), (side * 66, -20, 752)], 4), NUMBER["skull"])
    canvas.paint(Ellipsoid((0, -46, 692), (21, 33, 21)), NUMBER["tongue"])


def _sinuses(canvas: Canvas) -> None:
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 29, -52, 734), (14, 19, 17)), NUMBER["skull"])
        canvas.paint(Ellipsoid((side * 29, -52, 734), (12, 17, 15)), NUMBER["sinus"])
        canvas.paint(Ellipsoid((side * 8, -56, 734), (6, 32, 20)), NUMBER["nasal_cavity"])
        canvas.paint(Ellipsoid((side * 9, -48, 728), (2.5, 24, 5)), NUMBER["mucosa"])
        canvas.paint(Ellipsoid((side * 12, -78, 790), (10, 5, 10)), NUMBER["sinus"])
        cells = [(side * (4.5 + 5 * (i % 2)), -66 + 9 * i, 765) for i in range(5)]
        canvas.paint([Ellipsoid(cell, (3.6, 4, 8)) for cell in cells], NUMBER["sinus"])
    canvas.paint(Ellipsoid((0, -14, 761), (16, 14, 12)), NUMBER["skull"])
    canvas.paint(Ellipsoid((0, -14, 761), (13, 11, 9.5), boxy=True), NUMBER["sphenoid_sinus"])


def _throat(canvas: Canvas) -> None:
    """Paint the airway from nasopharynx to larynx, palate, thyroid and the vessels of the neck."""
    canvas.paint(tube([(0, -8, 742), (0, -3, 722)], [9, 8]), NUMBER["nasopharynx"])
    canvas.paint(tube([(0, -70, 712), (0, -18, 715), (0, -11, 704)], [3, 3.5, 3.5]), NUMBER["mucosa"])
    canvas.paint(tube([(0, -3, 716), (0, -4, 672)], [8, 8]), NUMBER["oropharynx"])
    canvas.paint(tube([(0, -12, 672), (0, -10, 662)], [4, 8]), NUMBER["cartilage"])
    canvas.paint(tube([(0, -17, 658), (0, -17, 628)], [17, 13]), NUMBER["cartilage"])
    canvas.paint(tube([(0, -16, 658), (0, -15, 628)], [15, 11]), NUMBER["muscle"])
    canvas.paint(
        tube([(0, -12, 662), (0, -15, 645), (0, -15, 640), (0, -14, 628)], [8, 4, 5, 8]), NUMBER["larynx"]
    )
    for side in (-1, 1):
        canvas.paint(Ellipsoid((side * 17, -14, 616), (8, 9, 20)), NUMBER["thyroid"])
        canvas.paint(
            tube([(side * 22, -2, 740), (side * 25, -4, 660), (side * 20, 0, 585)], 3.5), NUMBER["artery"]
        )
        canvas.paint(
            tube([(side * 30, 4, 740), (side * 33, -2, 660), (side * 27, -4, 585)], 5), NUMBER["vein"]
        )
    canvas.paint(Ellipsoid((0, -19, 612), (14, 5, 6)), NUMBER["thyroid"])
