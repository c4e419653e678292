"""Vary grey levels as scanners do: gain, gamma, receive fields, blur, noise, lost slices.

Volumes are (n, slices, rows, columns) float from 0 to 1. None of this moves anything.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

BLUR_REACH: Final = 4
"""Voxels of a blur's kernel on each side."""


def power_and_gain(volumes: Tensor, gamma: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Raise to a power, multiply about the middle grey, and add.

    Args:
        volumes: (n, slices, rows, columns).
        gamma: (n,) exponents.
        gain: (n,) factors.
        offset: (n,) what is added.
    """
    raised = volumes.clamp(min=0) ** _each(gamma)
    return (raised - 0.5) * _each(gain) + 0.5 + _each(offset)


def receive_field(volumes: Tensor, nodes: Tensor) -> Tensor:
    """Multiply by a smooth field.

    Args:
        volumes: (n, slices, rows, columns).
        nodes: (n, k, k, k) logarithms of the field at the nodes of a coarse grid from corner to corner.
    """
    field = functional.interpolate(nodes[:, None], volumes.shape[1:], mode="trilinear", align_corners=True)
    return volumes * field[:, 0].exp()


def blur_in_plane(volumes: Tensor, sigma: Tensor) -> Tensor:
    """Blur rows and columns with a Gaussian each volume its own.

    Args:
        volumes: (n, slices, rows, columns).
        sigma: (n,) standard deviations in voxels.
    """
    offsets = torch.arange(-BLUR_REACH, BLUR_REACH + 1, device=volumes.device, dtype=volumes.dtype)
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)
    weights = (weights / weights.sum(1, keepdim=True))[:, None, None]
    n = len(volumes)
    planes = volumes.transpose(0, 1)  # each volume is a channel with a kernel of its own
    reach = BLUR_REACH
    planes = functional.conv2d(planes, weights, padding=(0, reach), groups=n)
    planes = functional.conv2d(planes, weights.transpose(2, 3), padding=(reach, 0), groups=n)
    return planes.transpose(0, 1)


def blank_slices(volumes: Tensor, dropped: Tensor) -> Tensor:
    """Make slices 0, where the (n, slices) flags say so."""
    return volumes.masked_fill(dropped[:, :, None, None], 0)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
