"""Paint what is wrong: effusions, cysts, tumours, stones and metal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from radnet.synthetic.build import Finding
from radnet.synthetic.frame import Frame
from radnet.synthetic.shapes import Canvas, Ellipsoid, Point, tube
from radnet.synthetic.spine import vertebra_heights
from radnet.synthetic.structures import NUMBER


def paint_findings(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint every finding of the build; one more or less leaves the others where they are."""
    seeds = rng.integers(0, 2**31, len(_PAINTERS))
    for seed, (name, paint) in zip(seeds, _PAINTERS.items(), strict=True):
        if name in frame.build.findings:
            paint(canvas, frame, np.random.default_rng(int(seed)))


def _place(canvas: Canvas, structure: str, rng: np.random.Generator, side: int = 0) -> Point:
    """Return the bent coordinates of a random voxel of a structure; side -1 right, 1 left, 0 either."""
    labels = canvas.labels
    found = np.flatnonzero(labels == NUMBER[structure])
    if side:
        half = labels.shape[2] // 2
        column = found % labels.shape[2]
        found = found[column > half] if side > 0 else found[column < half]
    z, y, x = np.unravel_index(int(found[int(rng.integers(len(found)))]), labels.shape)
    window = (slice(z, z + 1), slice(y, y + 1), slice(x, x + 1))
    px, py, pz = (round(float(axis[0, 0, 0]), 2) for axis in canvas.coordinates(window))
    return px, py, pz


def _ball(centre: Point, radius: float, rng: np.random.Generator) -> Ellipsoid:
    a, b, c = radius * rng.uniform(0.8, 1.2, 3)
    return Ellipsoid(centre, (float(a), float(b), float(c)))


def _side(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _pleural_effusion(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Fill the back of one or both sides of the chest; fluid sinks to the back of a patient on the back."""
    sides = {_side(rng)} if rng.random() < 0.6 else {-1, 1}
    window = canvas.window(frame.chest)
    x, y, z = canvas.coordinates(window)
    region = canvas.labels[window]
    for side in sides:
        depth = float(rng.uniform(14, 48))
        level = np.float32(92 - depth) + np.float32(0.10) * (z - 380)
        wet = (region == NUMBER["lung"]) | (region == NUMBER["lung_vessel"])
        region[wet & (np.sign(x) == side) & (y > level)] = NUMBER["pleural_effusion"]


def _cysts(structure: str, least: float, most: float) -> _Painter:
    def paint(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
        for _ in range(int(rng.integers(1, 4))):
            centre = _place(canvas, structure, rng)
            cyst = _ball(centre, float(rng.uniform(least, most)), rng)
            canvas.paint(cyst, "cyst", ("liver", "liver_vessel", *_KIDNEY, "inner_fat"))

    return paint


def _liver_tumour(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 6))):
        tumour = _ball(_place(canvas, "liver", rng), float(rng.uniform(6, 24)), rng)
        canvas.paint(tumour, "tumour", ("liver", "liver_vessel"), rough=0.2)
        if min(tumour.radii) > 14:
            canvas.paint(tumour.shrunk(0.55 * min(tumour.radii)), "lesion_core", ("tumour",), rough=0.2)


def _lung(least: float, most: float, count: int) -> _Painter:
    def paint(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
        for _ in range(int(rng.integers(1, count + 1))):
            tumour = _ball(_place(canvas, "lung", rng), float(rng.uniform(least, most)), rng)
            canvas.paint(tumour, "tumour", ("lung", "lung_vessel", "airway_wall"), rough=0.25)

    return paint


def _brain_tumour(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint a ring with a dead core, and swollen white matter around it."""
    side = _side(rng)
    centre = (side * float(rng.uniform(26, 38)), float(rng.uniform(-25, 45)), float(rng.uniform(806, 832)))
    size = float(rng.uniform(10, 17))
    tumour = _ball(centre, size, rng)
    canvas.paint(tumour.shrunk(-float(rng.uniform(5, 14))), "oedema", ("white_matter",), rough=0.3)
    canvas.paint(tumour, "lesion", _BRAIN, rough=0.15)
    canvas.paint(tumour.shrunk(0.5 * size), "lesion_core", ("lesion",), rough=0.2)


def _breast_tumour(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    if frame.build.sex == "F":
        centre = _place(canvas, "breast_gland", rng, _side(rng))
        tumour = _ball(centre, float(rng.uniform(6, 16)), rng)
        canvas.paint(tumour, "lesion", ("breast_gland", "breast_fat"), rough=0.3)


def _gallstones(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 5))):
        stone = _ball(_place(canvas, "gallbladder", rng), float(rng.uniform(2.5, 6)), rng)
        canvas.paint(stone, "gallstone", ("gallbladder",))


def _hip_prosthesis(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    side = _side(rng) * (1.05 if frame.build.sex == "F" else 1.0)
    canvas.paint(Ellipsoid((side * 91, 4, 84), (27, 27, 27)), "metal")
    canvas.paint(tube([(side * 91, 4, 84), (side * 122, 14, 56), (side * 120, 8, -60)], [12, 9, 6]), "metal")


def _dental_filling(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 6))):
        canvas.paint(
            _ball(_place(canvas, "tooth", rng), float(rng.uniform(2.6, 4)), rng), "metal", ("tooth", "metal")
        )


def _spine_screws(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint two screws into each of two or three lumbar vertebrae and the rods that join them."""
    first = int(rng.integers(0, 3))
    places = vertebra_heights()[19 + first : 19 + first + int(rng.integers(2, 4))]
    for side in (-1, 1):
        heads: list[Point] = []
        for height, segment, deep, wide in places:
            y = frame.spine_y(height)
            head = (side * (wide * 0.75 + 3), y + deep + 26, height + 0.12 * segment)
            canvas.paint(
                tube([(side * wide * 0.4, y - deep * 0.4, height + 0.1 * segment), head], [2.6, 3.4]), "metal"
            )
            heads.append(head)
        canvas.paint(tube(heads, 3.2), "metal")


_Painter = Callable[[Canvas, Frame, np.random.Generator], None]
_KIDNEY: Final = ("kidney_cortex", "kidney_medulla", "renal_pelvis")
_BRAIN: Final = ("grey_matter", "white_matter", "brain_csf", "oedema", "deep_grey", "ventricle")
_PAINTERS: Final[dict[Finding, _Painter]] = {
    "brain_tumour": _brain_tumour,
    "breast_tumour": _breast_tumour,
    "dental_filling": _dental_filling,
    "gallstones": _gallstones,
    "hip_prosthesis": _hip_prosthesis,
    "kidney_cyst": _cysts("kidney_cortex", 5, 22),
    "liver_cyst": _cysts("liver", 4, 20),
    "liver_tumour": _liver_tumour,
    "lung_mass": _lung(12, 28, 1),
    "lung_nodule": _lung(2.5, 8, 6),
    "pleural_effusion": _pleural_effusion,
    "spine_screws": _spine_screws,
}
"""All findings but the absent kidney, which is not painted at all."""
