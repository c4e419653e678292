"""Which layers of an encoder learn, as in table 2 of 3D-RADNet.

Block 0 is the stem, blocks 1 to 4 are the residual ones. Freezing to block k freezes the stem and the blocks
1 to k. Frozen means no gradient, and BatchNorm in evaluation: left in training it would follow each batch,
and frozen features would move after all.
"""

from __future__ import annotations

from typing import Final, Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from radnet.errors import NetworkError
from radnet.networks.resnet import ResNet

Freeze = Literal["all", "3", "2", "1", "none"]
Statistics = Literal["kept", "batch"]
FREEZES: Final[tuple[Freeze, ...]] = ("all", "3", "2", "1", "none")
BLOCKS: Final = 5
"""Of an encoder, the stem among them."""


def encoder_blocks(encoder: nn.Module) -> list[list[nn.Module]]:
    """List the modules of each block, the stem's first.

    Raises:
        NetworkError: If the encoder has other parts than five blocks; one of another package can have a list
            `levels` of five modules, one a feature map.
    """
    if isinstance(encoder, ResNet):
        blocks: list[list[nn.Module]] = [[encoder.conv, encoder.norm], *([stage] for stage in encoder.stages)]
    else:
        blocks = [[level] for level in getattr(encoder, "levels", ())]
    if len(blocks) != BLOCKS:
        raise NetworkError(
            f"{type(encoder).__name__} cannot be frozen block by block; use freeze = 'all' or 'none'"
        )
    return blocks


def frozen_modules(encoder: nn.Module, freeze: Freeze) -> list[nn.Module]:
    """List the modules of an encoder that do not learn.

    Raises:
        NetworkError: If there is no such way, or the encoder has no blocks.
    """
    if freeze not in FREEZES:
        raise NetworkError(f"cannot freeze '{freeze}'; it must be {', '.join(FREEZES)}")
    if freeze == "none":
        return []
    if freeze == "all":
        return [encoder]
    return [module for block in encoder_blocks(encoder)[: int(freeze) + 1] for module in block]


def batch_norms(module: nn.Module) -> list[nn.Module]:
    """List the layers whose statistics follow the batches."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
