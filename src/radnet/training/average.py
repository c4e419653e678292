"""The moving average of a module's weights, which generalises better than the last weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """A copy of a module whose weights follow the module's.

    Early on it follows faster, so that the random first weights are soon forgotten.

    Args:
        module: What is trained.
        decay: Share of the average that a step keeps; 0 makes the average the module itself.

    Attributes:
        module: The average, to be evaluated and kept.

    Source: Polyak and Juditsky 1992; the ramp min(decay, (1 + t) / (10 + t)) is that of TensorFlow's
        ExponentialMovingAverage.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._live, self._decay = module, decay
        self.module = copy.deepcopy(module).requires_grad_(False).eval() if decay else module

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the module after a step, counted from 0."""
        if not self._decay:
            return
        pull = 1 - min(self._decay, (1 + step) / (10 + step))
        averages, news = self.module.state_dict(), self._live.state_dict()
        floats = [name for name, value in averages.items() if value.is_floating_point()]
        # state_dict shares memory with the module, so this changes the average in place
        torch._foreach_lerp_([averages[name] for name in floats], [news[name] for name in floats], pull)
        for name in averages.keys() - set(floats):
            averages[name].copy_(news[name])
