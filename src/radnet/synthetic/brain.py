"""Paint the brain: folded cortex, white matter, deep nuclei, ventricles, cerebellum and stem.

A sulcus lies where a smooth random field crosses zero. The field is read at points drawn out along the
radius, so that sulci stand upright on the surface; half of it is mirrored, as the two hemispheres are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from radnet.synthetic.frame import Frame
from radnet.synthetic.noise import Lattice, Real
from radnet.synthetic.shapes import Canvas, Ellipsoid, Mask, Point, tube
from radnet.synthetic.structures import NUMBER

CEREBRUM: Final = Ellipsoid((0, 7, 804), (69, 87, 69))
TEMPORAL: Final = tuple(
    Ellipsoid((side * 41, -8, 772), (24, 43, 26), turn=(8, 0, side * 8)) for side in (-1, 1)
)
CEREBELLUM: Final = tuple(Ellipsoid((side * 25, 51, 763), (30, 31, 23)) for side in (-1, 1))
POSTERIOR_FOSSA: Final = Ellipsoid((0, 44, 763), (57, 44, 25))
FRONT_FLOOR_MM: Final = 782.0
"""Height of the roof of the orbits, on which the frontal lobes lie."""
GYRUS_MM: Final = 14.0
"""Cell of the field of sulci: about the distance between two of them."""
SULCUS_DEPTH_MM: Final = 19.0
CORTEX_MM: Final = 2.9


def front_floor(y: Real, z: Real) -> Mask:
    """Say what lies above the floor of the front of the skull."""
    return np.asarray((y > -16) | (z > FRONT_FLOOR_MM))


def tent(x: Real, y: Real, z: Real) -> Real:
    """Return the height above the tentorium, mm; it rises towards the middle."""
    return z - np.float32(781) + np.float32(0.30) * np.abs(x) - np.float32(0.12) * (np.float32(50) - y)


def paint_brain(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint what lies within the fluid of the skull."""
    shrink = 0.4 + 2.6 * frame.atrophy
    _cerebrum(canvas, frame, rng, shrink)
    _cerebellum(canvas, shrink)
    for side in (-1, 1):
        _nuclei(canvas, side)
    stem = tube([(0, 14, 792), (0, 15, 776), (0, 22, 754), (0, 24, 740)], [14, 14, 9, 6.5])
    canvas.paint([*stem, Ellipsoid((0, 10, 768), (16, 11, 13))], "brain_stem", _INTRACRANIAL)
    _ventricles(canvas, frame)
    _sinuses(canvas)


def _cerebrum(canvas: Canvas, frame: Frame, rng: np.random.Generator, shrink: float) -> None:
    """Paint cortex and white matter of both hemispheres."""
    window = canvas.window(CEREBRUM)
    x, y, z = canvas.coordinates(window)
    above = tent(x, y, z)
    floor = np.where(y < -16, z - np.float32(FRONT_FLOOR_MM + 0.5 - 0.6 * shrink), z - np.float32(765))
    depth = np.minimum(_depth(CEREBRUM, x, y, z), floor)
    for lobe in TEMPORAL:
        np.maximum(depth, _depth(lobe, x, y, z), out=depth)
    np.minimum(depth, np.where(y > 22, above - 1, np.float32(99)), out=depth)
    depth -= np.float32(shrink)
    fold = _distance_to_sulcus(x, y, z, canvas.step_mm, rng)
    fissure, lateral = _fissures(x, y, z)
    width = np.float32(1.1 + 1.2 * frame.atrophy)
    open_at = width * (np.float32(1.2) - depth / np.float32(SULCUS_DEPTH_MM))
    wide = width + np.float32(0.6)
    fluid = (fold < open_at) | (fissure < wide) | (lateral < wide)
    near = (fold < width + CORTEX_MM) & (depth < SULCUS_DEPTH_MM + 1)
    near |= (depth < CORTEX_MM) | (fissure < wide + CORTEX_MM) | (lateral < wide + CORTEX_MM)
    region = canvas.labels[window]
    brain = (depth > 0) & (region == NUMBER["brain_csf"])
    region[brain] = NUMBER["white_matter"]
    region[brain & near] = NUMBER["grey_matter"]
    region[brain & fluid] = NUMBER["brain_csf"]


def _depth(lobe: Ellipsoid, x: Real, y: Real, z: Real) -> Real:
    """Return about how deep points lie in a lobe, mm."""
    mm = np.float32(min(lobe.radii))
    return np.asarray(mm - mm * np.sqrt(lobe.radius2(x, y, z)))


def _distance_to_sulcus(x: Real, y: Real, z: Real, step_mm: float, rng: np.random.Generator) -> Real:
    """Return about how far each point is from the nearest sulcus, mm."""
    mirrored, own, bent = (Lattice(cell, rng) for cell in (GYRUS_MM, GYRUS_MM, 26.0))
    cx, cy, cz = CEREBRUM.centre
    out = np.sqrt(CEREBRUM.radius2(x, y, z))
    stretch: Real = np.float32(1) / (np.float32(0.22) + np.float32(0.78) * out)
    px: Real = (x - np.float32(cx)) * stretch
    py: Real = (y - np.float32(cy)) * stretch
    pz: Real = (z - np.float32(cz)) * stretch
    sway = bent.at(px, py, pz) * np.float32(9)
    field = mirrored.at(np.abs(px) + sway, py + sway, pz - sway)
    field += np.float32(0.55) * own.at(px + sway, py, pz + sway)
    slopes = np.gradient(field, np.float32(step_mm))
    steep = np.sqrt(sum(np.square(slope) for slope in slopes))
    return np.asarray(np.abs(field) / np.maximum(steep, np.float32(0.012)))


def _fissures(x: Real, y: Real, z: Real) -> tuple[Real, Real]:
    """Return the distance to the cleft between the hemispheres and to the lateral fissures, mm."""
    far = np.float32(99)
    callosum = Ellipsoid((0, 8, 803), (40, 38, 23)).radius2(x, y, z)
    middle = np.where((callosum > 1) & (z > 778), np.abs(x), far)
    line = np.abs(z - np.float32(783) - np.float32(0.28) * (y + 10))
    insula = np.hypot(np.minimum(np.abs(x) - np.float32(39), 0), line)
    lateral = np.where((y > -28) & (y < 36) & (np.abs(x) > 34), insula, far)
    return middle, lateral


def _cerebellum(canvas: Canvas, shrink: float) -> None:
    """Paint cerebellar cortex in leaves, and its white core."""
    hulls = [hull.shrunk(shrink * 0.6) for hull in CEREBELLUM]
    hulls.append(Ellipsoid((0, 53, 765), (15, 27, 21)))
    for hull in hulls:
        window = canvas.window(hull)
        x, y, z = canvas.coordinates(window)
        region = canvas.labels[window]
        radius2 = hull.radius2(x, y, z)
        allowed = np.isin(region, [NUMBER[name] for name in _INTRACRANIAL])
        inside = (radius2 < 1) & allowed & (tent(x, y, z) < -1)
        leaf = np.abs(np.mod(z + np.float32(0.35) * (y - 50), np.float32(6.5)) - np.float32(3.25))
        region[inside] = NUMBER["cerebellum_grey"]
        region[inside & (leaf < 0.7) & (radius2 > 0.62)] = NUMBER["brain_csf"]
        core = radius2 + np.float32(0.10) * leaf < 0.42
        region[inside & core & (np.abs(x) > 3)] = NUMBER["cerebellum_white"]


def _nuclei(canvas: Canvas, side: int) -> None:
    """Paint thalamus, caudate and lentiform nucleus of one side; the capsule between them stays white."""
    white = ("white_matter", "grey_matter", "brain_csf", "brain_stem")
    canvas.paint(Ellipsoid((side * 11, 17, 800), (8.5, 15, 10), turn=(0, 0, side * -22)), "deep_grey", white)
    canvas.paint(Ellipsoid((side * 25, 0, 797), (7, 17, 12), turn=(0, 0, side * 16)), "deep_grey", white)
    caudate = tube([(side * 12, -20, 800), (side * 14, -6, 811), (side * 19, 14, 814)], [6, 4.5, 3])
    canvas.paint(caudate, "deep_grey", white)


def _ventricles(canvas: Canvas, frame: Frame) -> None:
    """Paint the ventricles; they widen with age."""
    wide = frame.build.organ("ventricles").size * (0.72 + 0.62 * frame.atrophy)
    only = _INTRACRANIAL
    for side in (-1, 1):
        lateral: list[Point] = [
            (side * 9.0, -29.0, 803.0),
            (side * 8.0, -12.0, 812.0),
            (side * 9.0, 8.0, 818.0),
            (side * 15.0, 26.0, 817.0),
            (side * 25.0, 38.0, 806.0),
            (side * 33.0, 24.0, 786.0),
            (side * 34.0, 2.0, 777.0),
        ]
        radii = [4.5, 5.5, 5.0, 6.0, 7.5, 3.8, 2.6]
        canvas.paint(tube(lateral, [r * wide for r in radii]), "ventricle", only)
        horn = tube([lateral[4], (side * 22, 62, 802)], [6.0 * wide, 2.2 * wide])
        canvas.paint(horn, "ventricle", only)
    canvas.paint(Ellipsoid((0, 9, 797), (1.6 + 1.6 * wide, 15, 10)), "ventricle", only)
    canvas.paint(Ellipsoid((0, 33, 764), (7 * wide + 2, 5, 11)), "ventricle", only)
    canvas.paint(tube([(0, 22, 792), (0, 30, 774)], 1.4), "ventricle", only)
    cisterns = [Ellipsoid((0, -4, 777), (12, 10, 5)), Ellipsoid((0, 33, 787), (9, 5, 6))]
    canvas.paint(cisterns, "brain_csf", ("white_matter", "grey_matter"))


def _sinuses(canvas: Canvas) -> None:
    """Paint the sagittal, straight and transverse sinus."""
    angles = np.radians(np.linspace(-60, 118, 14))
    arc: list[Point] = [
        (0.0, float(7 + 88.5 * np.sin(angle)), float(804 + 70.5 * np.cos(angle))) for angle in angles
    ]
    canvas.paint(tube(arc, np.interp(np.arange(14), [0, 13], [1.8, 4.2]).tolist()), "dural_sinus", _DURA)
    canvas.paint(tube([arc[-1], (0, 44, 788)], 2.4), "dural_sinus", _INTRACRANIAL)
    for side in (-1, 1):
        way: list[Point] = [arc[-1], (side * 34, 76, 770), (side * 50, 52, 768), (side * 48, 34, 752)]
        canvas.paint(tube(way, [4, 4, 4, 4]), "dural_sinus", _DURA)


_INTRACRANIAL: Final = (
    "brain_csf",
    "grey_matter",
    "white_matter",
    "deep_grey",
    "cerebellum_grey",
    "cerebellum_white",
    "brain_stem",
)
_DURA: Final = (*_INTRACRANIAL, "skull")
