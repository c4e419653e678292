"""Bodies that several tests share; each is painted once a process."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.structures import NUMBER

SEEDS = {"F": 5, "M": 5}


@cache
def adult(sex: str) -> Body:
    """A drawn adult with a brain tumour at full resolution."""
    return make_body(SEEDS[sex], "F" if sex == "F" else "M", lesion=True)


@cache
def coarse(seed: int, **given: object) -> Body:
    """A body of 4 mm voxels, in a third of a second."""
    return make_body(seed, step_mm=4.0, **given)  # type: ignore[arg-type]


def mask(body: Body, *names: str) -> NDArray[np.bool_]:
    return np.isin(body.labels, [NUMBER[name] for name in names])


def volume_ml(body: Body, *names: str) -> float:
    return float(mask(body, *names).sum() * body.voxel_mm.prod() / 1000)


def centre_mm(body: Body, *names: str) -> NDArray[np.float64]:
    """Mean LPS position of structures."""
    found = np.argwhere(mask(body, *names))[:, ::-1]
    return np.asarray(body.origin_mm + found.mean(0) * body.voxel_mm)


def grown(seed_mask: NDArray[np.bool_], within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All voxels of a mask that faces connect with a seed."""
    reached = seed_mask & within
    while True:
        wider = reached.copy()
        for axis in range(3):
            low, high = [slice(None)] * 3, [slice(None)] * 3
            low[axis], high[axis] = slice(None, -1), slice(1, None)
            wider[tuple(low)] |= reached[tuple(high)]
            wider[tuple(high)] |= reached[tuple(low)]
        wider &= within
        if wider.sum() == reached.sum():
            return reached
        reached = wider


def largest_share(within: NDArray[np.bool_]) -> float:
    """Share of a mask's voxels that hang together with the one nearest to its middle."""
    found = np.argwhere(within)
    low, high = found.min(0), found.max(0) + 1
    cut = within[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    nearest = found[np.abs(found - np.median(found, axis=0)).sum(1).argmin()] - low
    seed = np.zeros_like(cut)
    seed[tuple(nearest)] = True
    return float(grown(seed, cut).sum() / cut.sum())
