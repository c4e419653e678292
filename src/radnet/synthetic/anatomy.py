"""Make one adult body as a label map, different for every seed.

The body is painted in the coordinates of a reference adult and then scaled: the map always has the same
shape, and a tall patient has longer voxels. World coordinates are millimetres in LPS; z is 0 at the seat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic import head, skeleton, trunk
from radnet.synthetic.shapes import Canvas, Point
from radnet.synthetic.structures import NUMBER, REGION_STRUCTURES, TISSUE_OF

STEP_MM: Final = 2.0
"""Voxel of the reference adult."""
LOW: Final[Point] = (-202.0, -178.0, -50.0)
HIGH: Final[Point] = (202.0, 132.0, 896.0)

Sex = Literal["F", "M"]
Box = NDArray[np.float64]


@dataclass(frozen=True)
class Body:
    """An adult, lying on the back with arms up.

    Attributes:
        labels: (z, y, x) structure numbers, as in `structures.NUMBER`.
        scale: Size along x, y and z against the reference adult.
        sex: F or M.
        boxes: Lowest and highest corner of each region that the body has, (2, 3) mm in LPS.
    """

    labels: NDArray[np.uint8]
    scale: Point
    sex: Sex
    boxes: dict[str, Box]

    @property
    def tissues(self) -> tuple[str, ...]:
        """Tissue of each structure number."""
        return tuple(TISSUE_OF.values())

    @property
    def voxel_mm(self) -> NDArray[np.float64]:
        """Size of a voxel along x, y and z."""
        return np.asarray(STEP_MM * np.array(self.scale))

    @property
    def origin_mm(self) -> NDArray[np.float64]:
        """LPS position of the first voxel's centre."""
        return np.asarray(np.array(LOW) * np.array(self.scale))

    def world(self, point: Point) -> NDArray[np.float64]:
        """Turn a point of the reference adult into one of this body, mm."""
        return np.asarray(np.array(point) * np.array(self.scale))


def make_body(seed: int, sex: Sex = "M", lesion: bool = False) -> Body:
    """Paint a body.

    Args:
        seed: Equal seeds give equal bodies.
        sex: Women have breasts and a uterus.
        lesion: Whether there is an enhancing tumour in the brain.
    """
    rng = np.random.default_rng([seed, 0xB0D1])
    scale = _size(rng, sex)
    canvas = Canvas(LOW, HIGH, STEP_MM, rng)
    trunk.paint_outline(canvas, fat_mm=rng.uniform(7, 20))
    head.paint_outline(canvas)
    trunk.paint_cavities(canvas)
    trunk.paint_upper_abdomen(canvas, rng)
    trunk.paint_bowel(canvas, rng)
    trunk.paint_chest(canvas, rng)
    skeleton.paint_chest_wall(canvas)
    skeleton.paint_pelvis_bones(canvas)
    head.paint_head(canvas, rng, lesion)
    skeleton.paint_spine(canvas)
    trunk.paint_pelvis(canvas, female=sex == "F")
    if sex == "F":
        trunk.paint_breasts(canvas, rng)
    labels = canvas.labels
    for edge in (0, -1):  # so that whatever lies beyond the map reads as outside
        labels[edge] = labels[:, edge] = labels[:, :, edge] = NUMBER["outside"]
    return Body(labels, scale, sex, _boxes(labels, scale))


def _size(rng: np.random.Generator, sex: Sex) -> Point:
    height = rng.normal(1.0, 0.03) if sex == "M" else rng.normal(0.94, 0.03)
    girth = rng.normal(1.0, 0.03, 2) * (1.0 if sex == "M" else 0.95)
    x, y, z = np.clip([girth[0], girth[1], height], 0.87, 1.08)
    return float(x), float(y), float(z)


def _boxes(labels: NDArray[np.uint8], scale: Point) -> dict[str, Box]:
    """Find the corners of every region from the painted voxels."""
    boxes = {}
    for region, names in REGION_STRUCTURES.items():
        member = np.zeros(len(TISSUE_OF), bool)
        member[[NUMBER[name] for name in names]] = True
        mask = member[labels]
        if mask.any():
            boxes[region] = _corners(mask) * np.array(scale)
    boxes["lower_head_neck"][0, 2] = boxes["lung"][1, 2]
    return boxes


def _corners(mask: NDArray[np.bool_]) -> Box:
    """Return the outer corners of a mask in reference millimetres, x y z."""
    found = (np.any(mask, axis=(0, 1)), np.any(mask, axis=(0, 2)), np.any(mask, axis=(1, 2)))
    hits = [np.flatnonzero(any_in_plane) for any_in_plane in found]
    edges = np.array([[hit[0] - 0.5, hit[-1] + 0.5] for hit in hits]).T
    return np.asarray(np.array(LOW) + STEP_MM * edges)
