"""MONAI networks as backbones: their encoders alone, level by level, behind the interface of our ResNets.

Source: MONAI 1.6; SegResNet is Myronenko 2018 (arXiv 1810.11654).
"""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor, nn

from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.resnet import group_count, normalise
from radnet.networks.spec import NetworkSpec, Triple

BLOCKS: Final = (1, 2, 2, 4, 4)
"""Residual blocks of each level: five, where MONAI's SegResNet has four by default, so that a decoder
finds as many scales as in a ResNet."""
WIDTH_SHARE: Final = 8
"""The first level works at full resolution and has an eighth of the spec's width: MONAI's default of 8
channels at width 64."""


class MonaiEncoder(nn.Module):
    """The encoder of a MONAI network.

    Attributes:
        channels: Of the five feature maps, finest first.
        strides: Input voxels a feature voxel, by axis, of the five.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        if spec.close_up is not None:
            raise NetworkError(f"network '{spec.network}' has no close_up; that is for ResNets")
        nets = require("monai.networks.nets", "train", f"network '{spec.network}'")
        filters = max(1, spec.width // WIDTH_SHARE)
        norm = "batch" if spec.norm == "batch" else ("group", {"num_groups": group_count(filters)})
        self.levels = nn.ModuleList(LEVELS[spec.network](nets, filters, norm))
        self.channels: tuple[int, ...] = tuple(filters * 2**level for level in range(len(BLOCKS)))
        self.strides: tuple[Triple, ...] = tuple((2**level,) * 3 for level in range(len(BLOCKS)))
        # the blocks are pre-activation ones: what leaves the last level is not normalised yet
        self.last = nn.Sequential(normalise(spec.norm, self.channels[-1]), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode (n, 1, slices, rows, columns) into five feature maps, finest first."""
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return [*maps[:-1], self.last(maps[-1])]


def _segresnet(nets: Any, filters: int, norm: Any) -> list[nn.Module]:
    whole = nets.SegResNet(init_filters=filters, blocks_down=BLOCKS, blocks_up=(1,) * 4, norm=norm)
    first, *others = whole.down_layers
    return [nn.Sequential(whole.convInit, first), *others]


def _segresnet_ds(nets: Any, filters: int, norm: Any) -> list[nn.Module]:
    whole = nets.segresnet_ds.SegResEncoder(init_filters=filters, blocks_down=BLOCKS, norm=norm)
    between = [whole.conv_init, *(level["downsample"] for level in whole.layers[:-1])]
    return [
        nn.Sequential(before, level["blocks"]) for before, level in zip(between, whole.layers, strict=True)
    ]


LEVELS: Final = {"segresnet": _segresnet, "segresnet_ds": _segresnet_ds}
"""What takes a MONAI network apart into levels, each of which reads the one before."""
