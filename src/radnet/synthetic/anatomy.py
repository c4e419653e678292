"""Make one adult body as a label map, different for every seed.

The body is painted in the coordinates of a reference adult that are bent, scaled and laid on a grid of cubic
voxels. World coordinates are millimetres in LPS; z is 0 at the seat.

Equal builds and seeds give equal maps: the random numbers are numpy's stable streams, and whatever is decided
voxel by voxel is computed by single additions, multiplications, divisions and square roots of float32, which
IEEE 754 fixes to the last bit on every processor; numpy's code for old and new processors was compared. Sines
and interpolations enter only through a shape's few parameters, in float64 rounded to float32, where a
library's last bit is lost save in about one parameter of a hundred million.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic import (
    abdomen,
    brain,
    chest,
    gut,
    head,
    neck,
    outline,
    pathology,
    pelvis,
    skeleton,
    spine,
)
from radnet.synthetic.build import Build, Finding, Sex, draw_build
from radnet.synthetic.frame import Frame
from radnet.synthetic.regions import Box, find_boxes
from radnet.synthetic.shapes import Canvas, Point, members
from radnet.synthetic.stature import Stature
from radnet.synthetic.structures import NUMBER, OLD_MARROW, REGION_NUMBERS, TISSUE_OF

__all__ = ["STEP_MM", "Body", "Box", "Sex", "make_body"]

STEP_MM: Final = 2.0
"""Voxel of a body unless asked otherwise."""
LOW_MM: Final = -110.0
"""Height at which the thighs are cut, in the reference adult."""
HIGH_MM: Final = {"up": 985.0, "down": 904.0}
"""Upper end of the map, in the reference adult, by the place of the arms."""
BRITTLE_YEARS: Final = 68.0
"""Age from which a man's marrow counts as old."""
BLOCK: Final = 8
"""Every side of a map is a multiple of so many voxels."""


@dataclass(frozen=True)
class Body:
    """An adult lying on the back, or a label map from a file.

    Attributes:
        labels: (z, y, x) structure numbers.
        tissues: Tissue of each structure number.
        voxel_mm: (3,) size of a voxel along x, y and z.
        origin_mm: (3,) LPS position of the first voxel's centre.
        boxes: Lowest and highest corner of each region that the body has, (2, 3) mm in LPS.
        stature: Size against the reference adult.
        sex: F or M.
        build: Who was painted; None for a map from a file.
    """

    labels: NDArray[np.uint8]
    tissues: tuple[str, ...]
    voxel_mm: NDArray[np.float64]
    origin_mm: NDArray[np.float64]
    boxes: dict[str, Box]
    stature: Stature
    sex: Sex
    build: Build | None = None

    def world(self, point: Point) -> NDArray[np.float64]:
        """Turn a point of the reference adult into one of this body, mm."""
        return self.stature.world(point)


def make_body(
    seed: int,
    sex: Sex | None = None,
    lesion: bool = False,
    *,
    build: Build | None = None,
    step_mm: float = STEP_MM,
    **given: Any,
) -> Body:
    """Paint a body.

    Args:
        seed: Equal seeds give equal bodies.
        sex: Women have breasts and a uterus; None draws it.
        lesion: Whether there must be an enhancing tumour in the brain.
        build: Who is painted; None draws the build from the seed.
        step_mm: Voxel of the map.
        given: Fields of the drawn build that are not to be drawn.

    Raises:
        BodyError: If the build is impossible.
    """
    if build is None:
        if sex is not None:
            given["sex"] = sex
        build = draw_build(seed, **given)
    if lesion:
        found: frozenset[Finding] = build.findings | {"brain_tumour"}
        build = replace(build, findings=found)
    frame = Frame(build)
    rng = np.random.default_rng([seed, 0xB0D1])
    canvas = _canvas(frame, step_mm)
    heights = canvas.heights
    canvas.bend(rng, frame.pliant(heights), *frame.sway(heights))
    _paint(canvas, frame, seed)
    labels = canvas.labels
    voxel, origin = np.full(3, step_mm), np.array(canvas.low)
    boxes = find_boxes(labels, voxel, origin, REGION_NUMBERS)
    return Body(labels, _tissues(build), voxel, origin, boxes, frame.stature, build.sex, build)


def _tissues(build: Build) -> tuple[str, ...]:
    """Return the tissue of each structure number; bones lose trabeculae in the old, in women earlier."""
    old = build.age_years > (BRITTLE_YEARS - 8 * (build.sex == "F"))
    return tuple("old_marrow" if old and name in OLD_MARROW else tissue for name, tissue in TISSUE_OF.items())


def _canvas(frame: Frame, step_mm: float) -> Canvas:
    """Return an empty map that is just large enough."""
    (x0, y0, _), (x1, y1, _) = frame.skin.bounds()
    fat = frame.fat_mm
    joints = outline.arm(frame, 1)
    reach = max(point[0] for point in (joints.shoulder, joints.elbow, joints.wrist)) + 50 + 0.5 * fat
    half = max(x1 - x0, 2 * reach) / 2 + 12
    front = min(y0, -170.0 - 0.8 * fat if frame.build.sex == "F" else -125.0) - 12
    back = max(y1, 150.0 + 1.6 * fat) + 12
    size = frame.stature
    low = np.array([-half, front, 0]) * size.scale[0] + (0, 0, size.world((0, 0, LOW_MM))[2])
    high = np.array([half, back, 0]) * size.scale[0] + (
        0,
        0,
        size.world((0, 0, HIGH_MM[frame.build.arms]))[2],
    )
    low = np.floor(low / step_mm) * step_mm
    counts = np.ceil((high - low) / step_mm / BLOCK).astype(int) * BLOCK
    x, y, z = (int(count) for count in counts)
    return Canvas((float(low[0]), float(low[1]), float(low[2])), (z, y, x), step_mm, size)


def _paint(canvas: Canvas, frame: Frame, seed: int) -> None:
    """Paint from the outside in; every part draws from its own stream, so that none disturbs another."""

    def stream(number: int) -> np.random.Generator:
        return np.random.default_rng([seed, 0xB0D1, number])

    outline.paint_outline(canvas, frame, stream(1))
    head.paint_outline(canvas, frame)
    if frame.build.sex == "F":
        outline.paint_breasts(canvas, frame, stream(2))
    chest.paint_cavities(canvas, frame)
    abdomen.paint_upper_abdomen(canvas, frame, stream(3))
    gut.paint_stomach(canvas, frame, stream(4))
    gut.paint_bowel(canvas, frame, stream(5))
    chest.paint_chest(canvas, frame, stream(6))
    skeleton.paint_chest_wall(canvas, frame)
    skeleton.paint_pelvis_bones(canvas, frame)
    pelvis.paint_pelvis(canvas, frame)
    head.paint_head(canvas, frame)
    brain.paint_brain(canvas, frame, stream(7))
    spine.paint_spine(canvas, frame)
    neck.paint_neck(canvas, frame)
    pathology.paint_findings(canvas, frame, stream(8))
    _cover(canvas.labels)


def _cover(labels: NDArray[np.uint8]) -> None:
    """Put skin on whatever lies bare, and leave the faces of the map outside, as all beyond them is."""
    air = members([name for name, tissue in TISSUE_OF.items() if tissue == "air"])
    for plane in labels:
        bare = np.zeros(plane.shape, bool)
        outside = plane == NUMBER["outside"]
        bare[1:] |= outside[:-1]
        bare[:-1] |= outside[1:]
        bare[:, 1:] |= outside[:, :-1]
        bare[:, :-1] |= outside[:, 1:]
        plane[bare & ~air[plane]] = NUMBER["skin"]
    for edge in (0, -1):
        labels[edge] = labels[:, edge] = labels[:, :, edge] = NUMBER["outside"]
