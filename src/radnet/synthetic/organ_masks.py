"""Which voxels of a synthetic series are which organ, and which organs it holds wholly.

A voxel belongs to the organ in which its centre lies; a thick slice shows its neighbours too. Lesions, cysts
and vessels inside an organ belong to it; airways and effusions are no lung, renal pelvis and ureter no
kidney. Sides are the patient's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.anatomy import Body
from radnet.synthetic.coverage import TOLERANCE_MM
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.profiles import Vector
from radnet.synthetic.structures import GUT, NUMBER, REGION_STRUCTURES, VERTEBRAE

ORGAN_STRUCTURES: Final[dict[str, tuple[str, ...]]] = {
    "brain": (*REGION_STRUCTURES["brain"], "oedema"),
    "thyroid": ("thyroid",),
    "lung": ("lung", "lung_vessel"),
    "breast": ("breast_fat", "breast_gland"),
    "heart": ("heart", "left_ventricle", "right_ventricle", "left_atrium", "right_atrium"),
    "aorta": ("aorta",),
    "liver": ("liver", "liver_vessel"),
    "gallbladder": ("gallbladder", "gallstone"),
    "spleen": ("spleen",),
    "pancreas": ("pancreas",),
    "kidney": ("kidney_cortex", "kidney_medulla"),
    "stomach": ("stomach_wall", "stomach_content", "stomach_gas"),
    "intestine": (*GUT, "rectum", "rectum_content", "rectum_gas"),
    "bladder": ("bladder_wall", "bladder"),
    "prostate": ("prostate",),
    "uterus": ("uterus", "uterine_cavity"),
}
"""What each organ is made of; its name is one of `radnet.masks.codes`, of paired organs without the side."""
SIDED: Final = ("lung", "breast", "kidney")
LESION_HOSTS: Final[dict[str, tuple[str, ...]]] = {
    "lesion": ("brain", "breast"),
    "tumour": ("liver", "lung"),
    "cyst": ("liver", "kidney"),
    "lesion_core": ("brain", "liver"),
}
"""Organs in which a lesion may grow (`radnet.synthetic.pathology`); it belongs to the one that it touches."""
ORGANS: Final = tuple(
    name
    for organ in ORGAN_STRUCTURES
    for name in ([f"left_{organ}", f"right_{organ}"] if organ in SIDED else [organ])
)
"""Names of masks; an organ's number in an `OrganMap` is its place here, from 1."""


@dataclass(frozen=True)
class OrganMap:
    """The organs of a body.

    Attributes:
        numbers: (z + 2, y + 2, x + 2) uint8 number of the organ, 0 for none, with a frame of none.
        origin_mm: (3,) LPS position of the first voxel's centre.
        voxel_mm: (3,) size of a voxel along x, y and z.
        surfaces: (n, 3) centres of the outermost voxels of each organ that is there, mm.
    """

    numbers: NDArray[np.uint8]
    origin_mm: Vector
    voxel_mm: Vector
    surfaces: Mapping[str, Vector]


def organ_map(body: Body) -> OrganMap:
    """Find the organs of a body; do it once a body."""
    table = np.zeros(256, np.uint8)
    for organ, structures in ORGAN_STRUCTURES.items():
        table[[NUMBER[name] for name in structures]] = _number(organ)
    numbers = np.pad(table[body.labels], 1)
    labels = np.pad(body.labels, 1)
    _adopt_lesions(numbers, labels)
    _tell_sides(numbers, labels)
    origin = body.origin_mm - body.voxel_mm
    return OrganMap(numbers, origin, body.voxel_mm, dict(_surfaces(numbers, origin, body.voxel_mm)))


def organ_masks(organs: OrganMap, plan: Prescription) -> dict[str, NDArray[np.uint8]]:
    """Return the masks of the organs that a scan shows.

    Args:
        organs: Of the body that was scanned.
        plan: The scan.

    Returns:
        (n, rows, columns) uint8 of 0 and 1 by organ, slices in the order of the plan; organs without a voxel
        are left out.
    """
    numbers = organ_numbers(organs, plan)
    found = np.bincount(numbers.ravel(), minlength=len(ORGANS) + 1) > 0
    return {
        name: (numbers == number).astype(np.uint8) for number, name in enumerate(ORGANS, 1) if found[number]
    }


def organ_numbers(organs: OrganMap, plan: Prescription) -> NDArray[np.uint8]:
    """Return the organ of every voxel of a scan, (n, rows, columns): its place in `ORGANS` from 1, or 0."""
    result = np.empty((len(plan.positions), *plan.shape), np.uint8)
    down, across = plan.column * plan.pixel_mm / organs.voxel_mm, plan.row * plan.pixel_mm / organs.voxel_mm
    rows, columns = np.arange(plan.shape[0])[:, None], np.arange(plan.shape[1])[None]
    flat, sizes = organs.numbers.ravel(), organs.numbers.shape
    strides = {0: 1, 1: sizes[2], 2: sizes[1] * sizes[2]}
    for index, position in enumerate(plan.positions):
        start = (position - organs.origin_mm) / organs.voxel_mm
        place: NDArray[np.int64] = np.zeros((1, 1), np.int64)
        for axis, stride in strides.items():
            along = start[axis] + 0.5
            if down[axis]:
                along = along + rows * down[axis]
            if across[axis]:
                along = along + columns * across[axis]
            place = place + np.clip(np.floor(along), 0, sizes[2 - axis] - 1).astype(np.int64) * stride
        result[index] = flat[place]
    return result


def covered_organs_mm(organs: OrganMap, plan: Prescription) -> dict[str, float]:
    """Return how far each organ that a scan holds wholly reaches along the normal of the slices, mm.

    An organ is held when no voxel of it lies further than `coverage.TOLERANCE_MM` outside the box of the
    scan's voxels; slices that are missing within do not count.
    """
    axes = np.array([plan.row, plan.column, plan.normal])
    firsts = plan.positions @ axes.T
    rows, columns = plan.shape
    half = np.array([plan.pixel_mm, plan.pixel_mm, plan.thickness_mm]) / 2 + TOLERANCE_MM
    low = firsts.min(0) - half
    high = firsts.max(0) + half + np.array([columns - 1, rows - 1, 0]) * plan.pixel_mm
    reach = np.abs(axes) @ organs.voxel_mm / 2
    result = {}
    for name, surface in organs.surfaces.items():
        places = surface @ axes.T
        least, most = places.min(0) - reach, places.max(0) + reach
        if (least >= low).all() and (most <= high).all():
            result[name] = float(most[2] - least[2])
    return result


def organs_cell(covered: Mapping[str, float]) -> str:
    """Write covered organs for a cell of truth.csv: `liver:152;spleen:98`, `none` for none; whole mm."""
    return ";".join(f"{name}:{round(extent)}" for name, extent in covered.items()) or "none"


def _number(organ: str) -> int:
    """Return the number of an organ; of a paired one that of its left."""
    return ORGANS.index(f"left_{organ}" if organ in SIDED else organ) + 1


def _adopt_lesions(numbers: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Let lesions belong to the organ that they grow in: it spreads into them voxel by voxel."""
    for lesion, hosts in LESION_HOSTS.items():
        found = labels == NUMBER[lesion]
        if not found.any():
            continue
        window = tuple(
            slice(max(int(hits[0]) - 1, 0), int(hits[-1]) + 2)
            for axis in range(3)
            for hits in [np.flatnonzero(found.any(axis=tuple({0, 1, 2} - {axis})))]
        )
        while _spread(numbers[window], found[window], [_number(host) for host in hosts]):
            pass


def _spread(near: NDArray[np.uint8], inside: NDArray[np.bool_], hosts: list[int]) -> bool:
    """Give the organ one more layer of the lesion's voxels; say whether there was one."""
    grown = False
    for host in hosts:
        of_host = near == host
        touched = np.zeros(near.shape, bool)
        for axis in range(3):
            ahead: list[slice] = [slice(None)] * 3
            back: list[slice] = [slice(None)] * 3
            ahead[axis], back[axis] = slice(1, None), slice(None, -1)
            touched[tuple(ahead)] |= of_host[tuple(back)]
            touched[tuple(back)] |= of_host[tuple(ahead)]
        touched &= inside & (near == 0)
        near[touched] = host
        grown |= bool(touched.any())
    return grown


def _tell_sides(numbers: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Turn the right one of every pair, which lies on the side of low x, into an organ of its own."""
    spine = np.isin(labels, [NUMBER[name] for name in VERTEBRAE]).any(axis=(0, 1))
    filled = np.flatnonzero(spine if spine.any() else (labels > 0).any(axis=(0, 1)))
    middle = round((filled[0] + filled[-1]) / 2) if len(filled) else 0
    right = numbers[:, :, :middle]
    for organ in SIDED:
        right[right == _number(organ)] = _number(organ) + 1


def _surfaces(
    numbers: NDArray[np.uint8], origin_mm: Vector, voxel_mm: Vector
) -> Iterator[tuple[str, Vector]]:
    """Yield the ends of every row of voxels of every organ: no voxel lies further out in any direction."""
    for number, name in enumerate(ORGANS, 1):
        inside = numbers == number
        lines = inside.any(axis=2)
        z, y = np.nonzero(lines)
        if len(z):
            rows = inside[z, y]
            ends = rows.argmax(axis=1), rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
            index = np.concatenate([np.stack([x, y, z], axis=1) for x in ends])
            yield name, origin_mm + index * voxel_mm
