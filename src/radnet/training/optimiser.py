"""Optimisers and learning rates.

The learning rate is a function of the step, so that there is no scheduler with a state of its own.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from radnet.config import TrainingConfig


def make_optimizer(module: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Make the configured optimiser.

    Weights decay; what has one dimension (biases, normalisation, learned weights of losses) does not.

    Args:
        module: Its parameters that require a gradient are optimised.
        config: Optimiser, learning rate and decay.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr)


def learning_rate(step: int, total_steps: int, config: TrainingConfig) -> float:
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
    """Give all groups of an optimiser one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
