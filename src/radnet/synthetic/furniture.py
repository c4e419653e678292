"""What lies around the body in a CT: the table, its mattress and the patient's clothes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.profiles import Vector
from radnet.synthetic.sampling import TEXTURES, Laid, Subject

FURNITURE: Final = ("table", "table_core", "cloth")
"""Tissues of the codes that follow the body's structures."""
TABLE_MM: Final = 600.0
"""How far the table reaches beyond head and feet of the map."""
SKIN_MM: Final = 3.0
"""Thickness of a table's shell, and of a sheet."""


@dataclass(frozen=True, slots=True)
class Furniture:
    """Table and clothes.

    Attributes:
        table: Whether there is a table.
        gap_mm: From the back to the table: the mattress.
        thickness_mm: Of the table.
        half_width_mm: Of the table.
        hollow_mm: By how much its edges are higher than its middle.
        cloth_points: Distance of a sheet from the skin in points of the grid; 0 for none.
    """

    table: bool = False
    gap_mm: float = 12.0
    thickness_mm: float = 45.0
    half_width_mm: float = 220.0
    hollow_mm: float = 35.0
    cloth_points: int = 0


NO_FURNITURE: Final = Furniture()
"""Nothing but the body."""


def content_mm(subject: Subject, furniture: Furniture) -> Vector:
    """Return the box beyond which there is air: the body's, and the table's as long as it is wanted."""
    box = subject.extent_mm.copy()
    if furniture.table:
        box[0, 0] = min(box[0, 0], _middle_mm(subject) - furniture.half_width_mm)
        box[1, 0] = max(box[1, 0], _middle_mm(subject) + furniture.half_width_mm)
        box[0, 2], box[1, 2] = box[0, 2] - TABLE_MM, box[1, 2] + TABLE_MM
        box[1, 1] += furniture.gap_mm + furniture.thickness_mm
    return box


def furnish(subject: Subject, laid: Laid, furniture: Furniture) -> Laid:
    """Put furniture where the grid of a scan holds nothing.

    Args:
        subject: The body.
        laid: The grid, with the codes of the body.
        furniture: What to put.
    """
    if not furniture.table and not furniture.cloth_points:
        return laid
    arrays = subject.arrays
    codes, first = laid.codes, len(subject.body.tissues) * TEXTURES
    outside = codes < TEXTURES
    if furniture.cloth_points:
        sheet = _around(arrays, ~outside, furniture.cloth_points) & outside
        codes = _marked(arrays, codes, sheet, first + 2 * TEXTURES)
    if furniture.table:
        x, y = laid.world(arrays, 0) - _middle_mm(subject), laid.world(arrays, 1)
        depth = y - (_back_mm(subject) + furniture.gap_mm)
        depth = depth + furniture.hollow_mm * (x / furniture.half_width_mm) ** 2
        within = (depth > 0) & (depth < furniture.thickness_mm) & (abs(x) < furniture.half_width_mm)
        shell = (depth < SKIN_MM) | (depth > furniture.thickness_mm - SKIN_MM)
        shell = shell | (abs(x) > furniture.half_width_mm - SKIN_MM)
        free = within & (codes < TEXTURES)
        codes = _marked(arrays, codes, free & ~shell, first + TEXTURES)
        codes = _marked(arrays, codes, free & shell, first)
    return replace(laid, codes=codes)


def _marked(arrays: Arrays, codes: Array, where: Array, code: int) -> Array:
    """Set a structure where a mask says so; the texture of what was there stays."""
    return codes + arrays.cast(where, "int16") * code


def _around(arrays: Arrays, body: Array, points: int) -> Array:
    """Return a sheet at some distance from a mask, within rows and columns."""
    xp = arrays.xp

    def grown(by: int) -> Array:
        shifted = body
        for axis in (1, 2):
            for shift in (-by, by):
                shifted = shifted | xp.roll(body, shift, axis)
        return shifted

    return grown(points) & ~grown(points - 1) if points > 1 else grown(points)


def _middle_mm(subject: Subject) -> float:
    return float(subject.extent_mm[:, 0].mean())


def _back_mm(subject: Subject) -> float:
    return float(subject.extent_mm[1, 1])
