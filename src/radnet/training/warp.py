"""Move volumes in space without losing anything that was in them.

A volume is (slices, rows, columns) in one of the axes of `radnet.geometry`: columns of axial and coronal
volumes and slices of sagittal ones run from right to left. Rotation is within the plane of the slices, so
that the view stays; nothing is enlarged, so that a region that was wholly inside still is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def mirror(volumes: Tensor, chosen: Tensor, sagittal: Tensor) -> Tensor:
    """Exchange left and right.

    Args:
        volumes: (n, slices, rows, columns).
        chosen: (n,) bool, which to mirror.
        sagittal: (n,) bool, those whose slices run from right to left; of the others columns do.
    """
    mirrored = torch.where(_each(sagittal), volumes.flip(1), volumes.flip(3))
    return torch.where(_each(chosen), mirrored, volumes)


def _each(flags: Tensor) -> Tensor:
    return flags[:, None, None, None]


def largest_fit(angle_deg: Tensor, rows: int, columns: int) -> Tensor:
    """Return by how much a plane must shrink so that its corners stay inside when it is rotated.

    Args:
        angle_deg: (n,) up to 45 degrees.
        rows: Of the plane.
        columns: Of the plane.
    """
    angle = torch.deg2rad(angle_deg.abs())
    longest = max(rows / columns, columns / rows)
    return 1 / (angle.cos() + angle.sin() * longest)


def rotate_and_shrink(
    volumes: Tensor, angle_deg: Tensor, plane_scale: Tensor, slice_scale: Tensor, mode: str = "bilinear"
) -> Tensor:
    """Rotate volumes within their planes and make them smaller about their centres.

    Args:
        volumes: (n, slices, rows, columns) float; what comes in from outside is 0.
        angle_deg: (n,) rotation, from rows towards columns.
        plane_scale: (n,) size in rows and columns, at most 1; made smaller where a corner would be lost.
        slice_scale: (n,) size along the slices, at most 1. Slices come to stand for 1 / slice_scale as many
            millimetres.
        mode: `bilinear`, or `nearest` for masks.

    Returns:
        (n, slices, rows, columns).
    """
    n, _, rows, columns = volumes.shape
    scale = torch.minimum(plane_scale, largest_fit(angle_deg, rows, columns))
    angle = angle_deg * (math.pi / 180)
    theta = volumes.new_zeros((n, 3, 4))
    theta[:, 0, 0] = theta[:, 1, 1] = angle.cos() / scale
    theta[:, 0, 1] = angle.sin() / scale * (rows / columns)
    theta[:, 1, 0] = -angle.sin() / scale * (columns / rows)
    theta[:, 2, 2] = 1 / slice_scale
    grid = functional.affine_grid(theta, [n, 1, *volumes.shape[1:]], align_corners=False)
    return functional.grid_sample(volumes[:, None], grid, mode, "zeros", align_corners=False)[:, 0]
