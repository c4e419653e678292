"""The proportions of one body: its scale, the outlines of its trunk and its cavities, where its spine runs.

All shapes are those of a reference adult of 1750 mm who lies on the back, in millimetres, LPS, z from the
seat; a build changes how much fat and muscle they carry and how its spine bends. Heights of the reference
adult: vertex 885, first cervical vertebra 735, first thoracic 620, first lumbar 350, sacrum 175, apex of the
lung 605, dome of the liver 425, kidneys 245 to 360, bladder 70.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.build import Build
from radnet.synthetic.noise import Real
from radnet.synthetic.shapes import Loft, Point
from radnet.synthetic.stature import Stature

MUSCLE: Final = (
    (-10, 152, -62, 92, 12, 0.5),
    (30, 164, -76, 100, 12, 0.45),
    (90, 164, -82, 104, 10, 0.45),
    (150, 152, -84, 102, 6, 0.45),
    (190, 142, -84, 98, 2, 0.4),
    (230, 136, -84, 95, 0, 0.35),
    (285, 134, -88, 95, 0, 0.35),
    (350, 143, -94, 101, 0, 0.35),
    (420, 154, -101, 106, 2, 0.35),
    (500, 158, -99, 110, 4, 0.4),
    (545, 158, -87, 108, 8, 0.4),
    (575, 148, -68, 100, 14, 0.3),
    (600, 104, -48, 88, 18, 0.2),
    (625, 68, -44, 76, 18, 0.1),
    (650, 57, -44, 70, 14, 0.1),
    (690, 55, -44, 70, 12, 0.1),
    (735, 57, -40, 72, 12, 0.1),
)
"""Outer surface of the muscles of a thin trunk: knots of a `Loft`."""
CHEST: Final = (
    (326, 128, -83, 93, 4, 0.35),
    (420, 131, -86, 94, 4, 0.35),
    (500, 124, -80, 93, 8, 0.35),
    (550, 102, -63, 90, 14, 0.3),
    (582, 75, -45, 82, 22, 0.2),
    (600, 48, -22, 72, 26, 0.1),
    (611, 22, 2, 54, 28, 0.0),
)
"""Inner wall of the ribs."""
ABDOMEN: Final = (
    (28, 40, -50, 66, 14, 0.2),
    (70, 54, -58, 76, 14, 0.3),
    (110, 68, -66, 84, 14, 0.3),
    (150, 90, -70, 80, 0, 0.3),
    (195, 108, -74, 70, 0, 0.3),
    (250, 116, -77, 72, 0, 0.35),
    (300, 120, -80, 80, 0, 0.35),
    (345, 127, -84, 88, 2, 0.35),
    (430, 129, -85, 92, 2, 0.35),
)
"""Inner wall of the muscles of belly and pelvis; the diaphragm closes it above."""
FAT_SHARE: Final = (
    (-10, 1.1, 0.6, 1.1),
    (40, 1.2, 0.8, 1.45),
    (110, 1.3, 1.3, 1.6),
    (180, 1.1, 1.35, 1.25),
    (260, 0.95, 1.1, 1.0),
    (350, 0.75, 0.8, 0.75),
    (450, 0.6, 0.55, 0.65),
    (560, 0.5, 0.5, 0.7),
    (600, 0.4, 0.35, 0.7),
    (640, 0.32, 0.3, 0.55),
    (735, 0.28, 0.25, 0.45),
)
"""Height, and the thickness of the fat under the skin at the sides, in front and behind, against its mean."""
SPINE_Y: Final = (
    (120.0, 72.0),
    (180.0, 42.0),
    (270.0, 30.0),
    (380.0, 46.0),
    (500.0, 54.0),
    (620.0, 32.0),
    (680.0, 18.0),
    (740.0, 22.0),
)
"""Height and y of the vertebral bodies' centres, mm: the curves of loin, chest and neck."""
BELLY: Final = ((60, 0.0), (140, 0.8), (200, 1.0), (300, 1.0), (370, 0.55), (430, 0.1), (470, 0.0))
"""Height, and how far the belly's fat drives its wall out."""
BELLY_FRONT_MM: Final = 46.0
BELLY_SIDE_MM: Final = 15.0
SKIN_MM: Final = 2.0
HIP_SHARE_OF_WOMEN: Final = 1.35
"""Fat at hips and seat against men's."""


@dataclass(frozen=True)
class Frame:
    """What a build's numbers mean in millimetres of the reference adult.

    Attributes:
        build: Who.
    """

    build: Build

    @cached_property
    def stature(self) -> Stature:
        """Size against the reference adult; heads differ by 4 % between the sexes, hardly with the height."""
        tall, woman = self.build.height_mm / 1750, self.build.sex == "F"
        wide = (0.55 + 0.45 * tall) * (0.965 if woman else 1.0)
        head = (0.85 + 0.15 * tall) * (0.985 if woman else 1.0) * self.build.organ("head").size
        return Stature((round(wide, 4), round(wide, 4), round(tall, 4)), round(head, 4))

    @cached_property
    def fat_mm(self) -> float:
        """Mean thickness of the fat under the skin."""
        percent = self.build.fat_percent
        return 0.0115 * percent**2 + 0.22 * percent

    @cached_property
    def belly(self) -> float:
        """How full of fat the belly is: 0 lean, about 0.5 in the mean, 1 and more obese."""
        percent, male = self.build.fat_percent, self.build.sex == "M"
        share = (percent - 11) / 30 if male else (percent - 20) / 38
        return min(max(share * self.build.visceral_share, 0.03), 1.8)

    @cached_property
    def muscle(self) -> float:
        """Thickness of the muscles against the reference adult's."""
        lean_kg = self.build.weight_kg * (1 - self.build.fat_percent / 100)
        expected_kg = 57.0 * (self.build.height_mm / 1750) ** 2
        age = 1 - 0.003 * max(self.build.age_years - 45, 0)
        return float(min(max((lean_kg / expected_kg) ** 0.6 * age, 0.72), 1.25))

    @cached_property
    def atrophy(self) -> float:
        """How far the brain has shrunk: 0 in the young, 1 at about 90 years."""
        return min(max((self.build.age_years - 35) / 55, 0.0), 1.1)

    @cached_property
    def inner(self) -> Loft:
        """Outer surface of the muscles."""
        grown = (self.muscle - 1) * 26
        hip = 4.0 if self.build.sex == "F" else 0.0
        rows = []
        for z, a, front, back, y, boxy in MUSCLE:
            out = self.belly * float(_at(BELLY, z))
            limb = grown if z < 200 or z > 480 else 0.35 * grown
            wide = a + limb + out * BELLY_SIDE_MM + (hip if z < 160 else -hip if z > 520 else 0)
            rows.append((z, wide, front - out * BELLY_FRONT_MM, back + 0.7 * grown, y, boxy))
        return Loft(tuple(rows))

    @cached_property
    def skin(self) -> Loft:
        """Outer surface of the skin."""
        rows = []
        women = self.build.sex == "F"
        for z, a, front, back, y, boxy in self.inner.knots:
            side, before, behind = (float(value) for value in _columns(FAT_SHARE, z))
            hips = HIP_SHARE_OF_WOMEN if women and z < 160 else 1.0
            fat = self.fat_mm
            rows.append(
                (
                    z,
                    a + fat * side * hips + SKIN_MM,
                    front - fat * before - SKIN_MM,
                    back + fat * behind * hips + SKIN_MM,
                    y,
                    boxy,
                )
            )
        return Loft(tuple(rows))

    @cached_property
    def chest(self) -> Loft:
        """Inner wall of the ribs."""
        deep = 6.0 * (self.build.breath - 0.5)
        return Loft(tuple((z, a, front - deep, back, y, boxy) for z, a, front, back, y, boxy in CHEST))

    @cached_property
    def abdomen(self) -> Loft:
        """Inner wall of the muscles of belly and pelvis."""
        rows = []
        for z, a, front, back, y, boxy in ABDOMEN:
            out = self.belly * float(_at(BELLY, z))
            rows.append((z, a + out * BELLY_SIDE_MM, front - out * BELLY_FRONT_MM, back, y, boxy))
        return Loft(tuple(rows))

    def spine_y(self, height: float) -> float:
        """Return y of the vertebral bodies' centres at a height, mm."""
        return float(_at(SPINE_Y, height))

    def outward(self, point: Point) -> Point:
        """Return where a point of the belly's inside goes when fat spreads its organs.

        Organs keep their size; what lies before the spine moves forwards, what lies at the sides outwards.
        """
        x, y, z = point
        out = self.belly * float(_at(BELLY, z))
        share = max(0.0, (38 - y) / 115)
        return x * (1 + 0.10 * out), y - out * 0.72 * BELLY_FRONT_MM * share, z

    def organ(self, name: str, *points: Point) -> list[Point]:
        """Return points of an organ, moved as the build says."""
        x, y, z = self.build.organ(name).shift
        return [(px + x, py + y, pz + z) for px, py, pz in points]

    def pliant(self, heights: Real) -> Real:
        """Return how far planes may be bent: the head is stiffer than the trunk."""
        return _soft(heights, [600, 700], np.array([1.0, 0.5]))

    def sway(self, heights: Real) -> tuple[Real, Real]:
        """Return by how much the planes of a map are displaced against the reference, x and y; mm."""
        age = max(self.build.age_years - 60, 0) / 30
        hump = 7 * (self.build.kyphosis - 1) + 5 * age
        hollow = 6 * (self.build.lordosis - 1)
        bow = self.build.scoliosis_mm
        knots = [150, 210, 280, 350, 420, 480, 560, 640, 720, 800]
        aside = bow * np.array([0, 0.15, 0.35, 0.1, -0.55, -0.9, -0.6, -0.1, 0, 0])
        behind = np.array([0, -0.4, -1, -0.6, 0, 0, 0, 0, 0, 0]) * hollow
        behind += np.array([0, 0, 0, 0.2, 0.8, 1, 0.5, -0.6, -1, -1]) * hump
        # the coordinates are displaced, so that the body goes the other way
        return _soft(heights, knots, -aside), _soft(heights, knots, -behind)


def _at(table: tuple[tuple[float, float], ...], height: float) -> NDArray[np.float64]:
    z, value = np.array(table).T
    return np.asarray(np.interp(height, z, value))


def _columns(table: tuple[tuple[float, ...], ...], height: float) -> list[NDArray[np.float64]]:
    z, *columns = np.array(table).T
    return [np.asarray(np.interp(height, z, column)) for column in columns]


def _soft(heights: Real, knots: list[int], values: NDArray[np.float64]) -> Real:
    """Interpolate with rounded corners; rounded to 1/64 mm, so that no library's last bit matters."""
    offsets = np.arange(-24, 25, 4)
    mean = np.mean([np.interp(heights + offset, knots, values) for offset in offsets], axis=0)
    return np.asarray(np.rint(mean * 64) / 64, np.float32)
