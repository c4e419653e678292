"""Vary training volumes so that every label stays true.

What is done to a row in an epoch depends on seed, epoch and row alone: not on the batch that it is in, nor
on how many devices there are.

- Left and right are exchanged, never up and down or front and back: no scan is stored so. Without a known
  view nothing is mirrored.
- Rotations are within the plane, shrinking never crops: view and coverage stay.
- Shrinking along the slices makes the spacing label larger by as much.
- Grey level 0 stays 0: blank slices around a thin stack stay blank, and so does air in CT.
- Only MR gets other grey levels and a receive field: CT's are Hounsfield units, in which an agent is a few
  levels in a hundred. Slices are lost in the middle half alone, so that no region's end goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from radnet.config import AugmentationConfig
from radnet.training.grey import blank_slices, blur_in_plane, power_and_gain, receive_field
from radnet.training.order import Rows
from radnet.training.warp import mirror, rotate_and_shrink

FIELD_NODES: Final = 3
"""Nodes of a receive field along each axis."""
TOP_LEVEL: Final = 255


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of volumes that may be varied, each (n,) bool.

    Attributes:
        mirrored: Those that may be mirrored: their view is known.
        sagittal: Those whose slices run from right to left.
        mr: Those whose grey levels have no unit: they may get others, and a receive field.
    """

    mirrored: Tensor
    sagittal: Tensor
    mr: Tensor


class Draws:
    """What is done to each of n volumes; the tensors are (n,) unless said otherwise.

    Args:
        config: How far.
        seed: Of the training.
        epoch: Of the training.
        rows: (n,) numbers of the rows.
        n_slices: Of each volume.
        device: Where the tensors go.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        seed: int,
        epoch: int,
        rows: Rows,
        n_slices: int,
        device: torch.device,
    ) -> None:
        drawn = [_draw(config, np.random.default_rng((seed, epoch, int(row))), n_slices) for row in rows]

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([one[name] for one in drawn])).to(device)

        self.mirror = stacked("mirror")
        self.angle_deg = stacked("angle_deg")
        self.plane_scale, self.slice_scale = stacked("plane_scale"), stacked("slice_scale")
        self.gain, self.offset, self.gamma = stacked("gain"), stacked("offset"), stacked("gamma")
        self.field = stacked("field")  # (n, 3, 3, 3)
        self.blur, self.noise = stacked("blur"), stacked("noise")
        self.dropped = stacked("dropped")  # (n, slices) bool
        self.noise_seeds = [int(one["noise_seed"]) for one in drawn]


def _draw(config: AugmentationConfig, rng: np.random.Generator, n_slices: int) -> dict[str, Any]:
    """Draw what is done to one volume, always as many numbers, whatever the configuration."""
    middle = np.arange(n_slices // 4, max(n_slices - n_slices // 4, 1))
    lost = rng.permutation(middle)[: rng.integers(0, config.dropped_slices + 1)]
    dropped = np.zeros(n_slices, bool)
    dropped[lost] = True

    def even(largest: float) -> np.float32:
        return np.float32(rng.uniform(-largest, largest))

    nodes = rng.uniform(-1, 1, (FIELD_NODES,) * 3)
    return {
        "mirror": np.bool_(rng.random() < config.mirror),
        "angle_deg": even(config.rotation_deg),
        "plane_scale": np.float32(1 - rng.uniform(0, config.shrink)),
        "slice_scale": np.float32(1 - rng.uniform(0, config.shrink)),
        "gain": 1 + even(config.intensity),
        "offset": even(config.intensity / 2),
        "gamma": np.exp(even(config.gamma)),
        "field": (config.bias_field * nodes).astype(np.float32),
        "blur": np.float32(rng.uniform(0, config.blur_voxels)),
        "noise": np.float32(rng.uniform(0, config.noise)),
        "noise_seed": np.int64(rng.integers(2**62)),
        "dropped": dropped,
    }


def augment(volumes: Tensor, known: Known, draws: Draws) -> Tensor:
    """Vary volumes.

    Args:
        volumes: (n, slices, rows, columns) uint8, on the device of the rest.
        known: What may be done.
        draws: What is done; `draws.slice_scale` must divide the spacing label.

    Returns:
        (n, slices, rows, columns) uint8.
    """
    varied = volumes.float() / TOP_LEVEL
    varied = mirror(varied, draws.mirror & known.mirrored, known.sagittal)
    varied = rotate_and_shrink(varied, draws.angle_deg, draws.plane_scale, draws.slice_scale)
    blank = varied == 0
    varied = receive_field(varied, draws.field * known.mr[:, None, None, None])
    varied = power_and_gain(
        varied,
        draws.gamma.where(known.mr, torch.ones_like(draws.gamma)),
        draws.gain.where(known.mr, torch.ones_like(draws.gain)),
        draws.offset * known.mr,
    )
    varied = blur_in_plane(varied, draws.blur)
    varied = varied + draws.noise[:, None, None, None] * noise_like(varied, draws.noise_seeds)
    varied = blank_slices(varied.masked_fill(blank, 0), draws.dropped)
    return (varied.clamp(0, 1) * TOP_LEVEL).round().to(torch.uint8)


def noise_like(like: Tensor, seeds: list[int]) -> Tensor:
    """Return normal noise, each volume's from its own seed."""
    noise = torch.empty(like.shape, device=like.device)  # contiguous: it is filled in order of memory
    for one, seed in zip(noise, seeds, strict=True):
        one.normal_(generator=torch.Generator(like.device).manual_seed(seed))
    return noise
