"""Optimisers and learning rates.

The learning rate is a function of the step, so that there is no scheduler with a state of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from radnet.config import LearningConfig

SHARE: Final = "rate_share"
"""Key of a parameter group: its share of the learning rate."""


def make_optimizer(
    module: nn.Module, config: LearningConfig, share: Callable[[str], float] = lambda name: 1.0
) -> torch.optim.Optimizer:
    """Make the configured optimiser.

    Weights decay; what has one dimension (biases, normalisation, learned weights of losses) does not.

    Args:
        module: Its parameters that require a gradient are optimised.
        config: Optimiser, learning rate and decay.
        share: Share of the learning rate of a parameter, by its name.
    """
    learning = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    groups: list[dict[str, Any]] = []
    for rate in sorted({share(name) for name, _ in learning}, reverse=True):
        own = [value for name, value in learning if share(name) == rate]
        groups += [
            {"params": [p for p in own if p.ndim > 1], "weight_decay": config.weight_decay, SHARE: rate},
            {"params": [p for p in own if p.ndim <= 1], "weight_decay": 0.0, SHARE: rate},
        ]
    groups = [group for group in groups if group["params"]]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr)


def learning_rate(step: int, total_steps: int, config: LearningConfig) -> float:
    """Return the learning rate of a step.

    Args:
        step: From 0.
        total_steps: Of the whole training.
        config: Largest rate, warm-up and schedule.

    Source: Loshchilov and Hutter, ICLR 2017 (cosine); Goyal et al. 2017, arXiv 1706.02677 (linear warm-up).
    """
    warm = round(total_steps * config.warmup)
    if step < warm:
        return config.lr * (step + 1) / warm
    if config.schedule == "constant":
        return config.lr
    done = (step - warm) / max(total_steps - warm, 1)
    return config.lr * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give each group of an optimiser its share of a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(SHARE, 1.0)
