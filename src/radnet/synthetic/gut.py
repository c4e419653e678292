"""Paint stomach, small and large bowel, and what fills them.

Gas rises to the front of a patient who lies on the back. The large bowel is a chain of pouches with stool or
gas; the small bowel a long winding tube, here and there collapsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.frame import Frame
from radnet.synthetic.shapes import Canvas, Ellipsoid, Point, tube
from radnet.synthetic.structures import NUMBER

COLON: Final[tuple[Point, ...]] = (
    (-82, 4, 148), (-90, 12, 175), (-94, 16, 205), (-96, 18, 235), (-95, 16, 262), (-86, -6, 282),
    (-72, -40, 282), (-48, -66, 270), (-18, -74, 258), (14, -74, 262), (44, -68, 280), (70, -46, 306),
    (92, -12, 330), (102, 12, 336), (104, 22, 305), (104, 24, 268), (102, 24, 232), (98, 20, 196),
    (90, 8, 164), (74, -12, 140), (48, -22, 136), (22, -30, 150), (0, -22, 170), (-14, 4, 164),
    (-8, 30, 146), (0, 48, 130),
)  # fmt: skip
"""From the caecum to where the rectum begins."""
RECTUM: Final[tuple[Point, ...]] = ((0, 48, 130), (3, 62, 104), (0, 60, 76), (0, 48, 50), (0, 44, 24))
HAUSTRUM_MM: Final = 17.0
"""Length of a pouch of the large bowel."""
SEGMENT_MM: Final = 13.0
"""Length of a piece of small bowel."""
LOOPS: Final = 460
"""Pieces of small bowel."""


def paint_stomach(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint the stomach and the duodenum."""
    size = frame.build.organ("stomach").size
    path = frame.organ(
        "stomach",
        (54, 18, 398),
        (66, -8, 374),
        (62, -40, 344),
        (36, -60, 314),
        (4, -56, 302),
        (-24, -40, 306),
    )
    path = [frame.outward(point) for point in path]
    radii = [26 * size, 33 * size, 30 * size, 22 * size, 15, 10]
    pieces = tube(path, radii)
    canvas.paint(pieces, "stomach_wall", ("inner_fat", "liver", "spleen", "pancreas"))
    fill = 4.5 + 1.5 * float(rng.random())
    inner = [piece.shrunk(fill) for piece in pieces]
    canvas.paint(inner, "stomach_content", ("stomach_wall",))
    surface = path[1][1] - 30 * size + 48 * size * float(rng.beta(2, 2.5))
    for piece in inner:
        window = canvas.window(piece)
        _, y, _ = canvas.coordinates(window)
        region = canvas.labels[window]
        region[(region == NUMBER["stomach_content"]) & (y < surface)] = NUMBER["stomach_gas"]
    duodenum: list[Point] = [
        (-26, -40, 306),
        (-48, -20, 308),
        (-50, 0, 280),
        (-34, 6, 258),
        (14, -8, 264),
        (36, -30, 290),
    ]
    _loop(canvas, rng, [frame.outward(point) for point in duodenum], 11.5, gas=0.25)


def paint_bowel(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint rectum, large and small bowel."""
    colon = [frame.outward(point) for point in _wander(COLON, rng)]
    size = frame.build.organ("colon").size
    stool = float(rng.beta(2, 2))
    _colon(canvas, rng, colon, 19.0 * size, stool)
    radii = np.array([16, 20, 21, 15, 9.0]) * size
    rectum = tube(RECTUM, [float(r) for r in radii])
    canvas.paint(rectum, "rectum", _SOFT)
    canvas.paint([piece.shrunk(3.5) for piece in rectum[:-1]], "rectum_content", ("rectum",))
    if rng.random() < 0.6:
        x, y, z = RECTUM[1]
        canvas.paint(Ellipsoid((x, y - 6, z), (9, 7, 13)), "rectum_gas", ("rectum_content",))
    _small_bowel(canvas, frame, rng)


def _wander(path: Sequence[Point], rng: np.random.Generator) -> list[Point]:
    """Move the points of a path a little, the sigmoid more than the rest."""
    moved = []
    for index, (x, y, z) in enumerate(path):
        loose = 9.0 if 19 <= index < 24 or 6 < index < 11 else 3.0
        dx, dy, dz = rng.normal(0, 1, 3) * loose
        moved.append((x + float(dx), y + 0.5 * float(dy), z + float(dz)))
    return moved


def _even(path: Sequence[Point], step_mm: float) -> NDArray[np.float64]:
    """Return points at even distances along a path, (n, 3)."""
    points = np.array(path)
    at = np.concatenate([[0.0], np.cumsum(np.sqrt(np.square(np.diff(points, axis=0)).sum(1)))])
    places = np.arange(0, at[-1], step_mm)
    return np.stack([np.interp(places, at, row) for row in points.T], axis=1)


def _colon(
    canvas: Canvas, rng: np.random.Generator, path: Sequence[Point], radius: float, stool: float
) -> None:
    """Paint the pouches one after the other, walls before contents, so that each opens into the next."""
    places = _even(path, HAUSTRUM_MM)
    share = np.linspace(0, 1, len(places))
    wide = radius * np.interp(share, [0, 0.15, 0.5, 0.75, 1], [1.35, 1.1, 1.0, 0.85, 0.75])
    wide = wide * rng.uniform(0.75, 1.15, len(places))
    pouches = [
        Ellipsoid(_point(p), (r, r, max(r, HAUSTRUM_MM * 0.72))) for p, r in zip(places, wide, strict=True)
    ]
    canvas.paint(pouches, "colon_wall", _SOFT, rough=0.1)
    for pouch in pouches:
        # further down the stool is firmer and more of it
        full = rng.random() < stool
        inner = pouch.shrunk(2.6)
        canvas.paint(inner, "colon_content", ("colon_wall",), rough=0.1)
        window = canvas.window(inner)
        _, y, _ = canvas.coordinates(window)
        region = canvas.labels[window]
        content = region == NUMBER["colon_content"]
        grain = canvas.grain(window, 9)
        if full:
            region[content & (grain > np.float32(0.8))] = NUMBER["colon_gas"]
        else:
            top = np.float32(pouch.centre[1] + pouch.radii[1] * float(rng.uniform(-1.1, 0.4)))
            region[content & (y + 2 * grain < top)] = NUMBER["colon_gas"]


def _small_bowel(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Lay a long tube that turns at random and stays within the belly."""
    size = frame.build.organ("bowel").size
    centre, radii = np.array([0.0, -30.0, 205.0]), np.array([94.0, 44.0, 92.0])
    at, way = np.array([36.0, -30.0, 285.0]), np.array([1.0, 0.0, 0.0])
    path: list[Point] = []
    for _ in range(LOOPS):
        way = 0.72 * way + rng.normal(0, 0.55, 3)
        offset = (at - centre) / radii
        out = float(np.sqrt((offset * offset).sum()))
        if out > 0.9:
            way = way - 0.9 * offset / out
        way = way / np.sqrt((way * way).sum())
        at = at + SEGMENT_MM * way
        offset = (at - centre) / radii
        at = centre + radii * offset / max(1.0, float(np.sqrt((offset * offset).sum())))
        path.append(frame.outward(_point(at)))
    _loop(canvas, rng, path, 13.0 * size, gas=0.06)


def _loop(canvas: Canvas, rng: np.random.Generator, path: Sequence[Point], radius: float, gas: float) -> None:
    """Paint a tube of small bowel piece by piece, each collapsed or filled with content or gas."""
    swing = np.interp(
        np.arange(len(path)),
        np.arange(0, len(path) + 8, 8),
        rng.uniform(0.65, 1.15, len(path) // 8 + 2)[: len(np.arange(0, len(path) + 8, 8))],
    )
    for piece in tube(path, [radius * float(share) for share in swing]):
        canvas.paint(piece, "bowel_wall", _SOFT)
        wall = 2.2 if piece.radii[0] > 0.78 * radius else 4.5
        canvas.paint(piece.shrunk(wall), "bowel_content", ("bowel_wall",))
        if rng.random() < gas:
            x, y, z = ((a + b) / 2 for a, b in zip(piece.start, piece.end, strict=True))
            bubble = Ellipsoid((x, y - radius * 0.3, z), (radius * 0.8, radius * 0.5, radius * 0.9))
            canvas.paint(bubble, "bowel_gas", ("bowel_content",), rough=0.15)


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])


_SOFT: Final = ("inner_fat",)
