"""MONAI's own segmentation networks: the baselines beside which a transferred backbone is measured.

They stand in the place of a decoder and look at the image alone: there is no backbone to transfer. Both halve
the image three times; a window whose sides eight does not divide is filled up at its end with air, and the
logits are cut back.

Source: MONAI 1.6; UNet is Kerfoot et al. 2018 (doi 10.1007/978-3-030-12029-0_40) with two residual units a
level, as MONAI's tutorials build it; SegResNet is Myronenko 2018 (arXiv 1810.11654) with MONAI's defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from torch import Tensor, nn
from torch.nn import functional

from radnet.errors import NetworkError
from radnet.extras import require

UNET_CHANNELS: Final = (16, 32, 64, 128)
"""Of its four levels."""
RESIDUAL_UNITS: Final = 2
SEGRESNET_FILTERS: Final = 8
MULTIPLE: Final = 8
"""Voxels of a window that become one at the deepest level."""


class NoEncoder(nn.Module):
    """Stands where a network has an encoder; gives no maps."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return nothing."""
        return []


class WholeSegmenter(nn.Module):
    """A MONAI network from a window to one logit a voxel.

    Args:
        name: One of `WHOLE`.

    Raises:
        NetworkError: If there is none of that name.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in WHOLE:
            raise NetworkError(f"unknown segmentation network '{name}'; known are {', '.join(WHOLE)}")
        nets = require("monai.networks.nets", "train", f"network '{name}'")
        self.net: nn.Module = WHOLE[name](nets)

    def forward(self, image: Tensor, maps: Sequence[Tensor] = ()) -> Tensor:
        """Segment windows.

        Args:
            image: (n, 1, slices, rows, columns), from 0 to 1.
            maps: Of an encoder; not looked at.

        Returns:
            (n, 1, slices, rows, columns) logits.
        """
        slices, rows, columns = image.shape[2:]
        missing = [-side % MULTIPLE for side in (columns, rows, slices)]
        filled = functional.pad(image, [part for side in missing for part in (0, side)])
        logits: Tensor = self.net(filled)
        return logits[:, :, :slices, :rows, :columns]


def _unet(nets: Any) -> nn.Module:
    net: nn.Module = nets.UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        channels=UNET_CHANNELS,
        strides=(2,) * (len(UNET_CHANNELS) - 1),
        num_res_units=RESIDUAL_UNITS,
        norm="batch",
    )
    return net


def _segresnet(nets: Any) -> nn.Module:
    net: nn.Module = nets.SegResNet(
        spatial_dims=3, in_channels=1, out_channels=1, init_filters=SEGRESNET_FILTERS
    )
    return net


WHOLE: Final[dict[str, Callable[[Any], nn.Module]]] = {"unet": _unet, "segresnet": _segresnet}
"""What builds a network from `monai.networks.nets`, by name."""
