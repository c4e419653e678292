"""Keep bfloat16 convolutions of torch's CPU builds from gradients of memory that nobody wrote.

oneDNN 3.12, which torch 2.13 brings, reads beyond its buffers when it makes the gradient of the weights of a
bfloat16 Conv3d whose kernel is longer than its volume along the slices: the gradient is wrong, and now and
then no number. The last stage of a network for 24 slices has two, under kernels of three. Blank slices behind
make the volume long enough; what they add is cut off again, so that nothing else changes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LengthenedConv3d(nn.Conv3d):
    """A Conv3d that never sees fewer slices than its kernel has, unless it is one."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, channels, slices, rows, columns)."""
        missing = self.kernel_size[0] - x.shape[2]
        if missing <= 0 or x.shape[2] == 1 or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        return super().forward(functional.pad(x, (0, 0, 0, 0, 0, missing)))[:, :, :-missing]


def lengthen_convolutions(module: nn.Module) -> None:
    """Make the convolutions of a module `LengthenedConv3d`, in place: those that the fault concerns.

    Args:
        module: Its weights and their names stay.
    """
    for layer in module.modules():
        if type(layer) is not nn.Conv3d or layer.padding_mode != "zeros":
            continue
        if layer.kernel_size[0] > 2 and layer.stride[0] == layer.dilation[0] == 1:
            layer.__class__ = LengthenedConv3d
