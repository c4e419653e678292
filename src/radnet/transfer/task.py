"""The segmentation network with its losses and measures, as the loop trains it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from radnet.config import TransferConfig
from radnet.networks.segmentation import SegmentationNetwork
from radnet.training.order import Rows
from radnet.training.task import Task
from radnet.transfer.samples import Windows
from radnet.transfer.variation import Variations, move, vary_grey

ENCODER: Final = "network.encoder."
TERMS: Final = ("dice_loss", "cross_entropy")
"""Sums that come before those of the slots."""
SMOOTH: Final = 1.0
"""Voxels added on both sides of a Dice, so that an empty window has one."""


def soft_dice(logits: Tensor, masks: Tensor, squared: bool) -> Tensor:
    """Return 1 - Dice of each window.

    Args:
        logits: (n, slices, rows, columns).
        masks: Alike, 0 or 1.
        squared: Whether probabilities are squared below, as Milletari et al. 2016 (arXiv 1606.04797) do.

    Returns:
        (n,) from 0 to 1.
    """
    shares, truth = torch.sigmoid(logits).flatten(1), masks.flatten(1).float()
    below = (shares * shares).sum(1) + truth.sum(1) if squared else shares.sum(1) + truth.sum(1)
    return 1 - (2 * (shares * truth).sum(1) + SMOOTH) / (below + SMOOTH)


class SegmentTask(Task[Windows]):
    """Learn masks.

    Args:
        network: To train; is held as `config` says.
        config: Loss, rates, freezing, augmentation.
        n_slots: Scans whose Dice is measured by itself.
    """

    def __init__(self, network: SegmentationNetwork, config: TransferConfig, n_slots: int) -> None:
        super().__init__()
        self.network = network
        self._config, self._n_slots = config, max(n_slots, 1)
        self._pretrained = config.init == "pretrained"
        network.hold(config.freeze, config.encoder_statistics if self._pretrained else "batch")
        self._resting = False

    def vary(self, batch: Windows, rows: Rows, epoch: int) -> Windows:
        """Vary a batch, image and mask alike."""
        settings = self._config.augmentation
        if not settings.enabled:
            return batch
        drawn = Variations(settings, self._config.seed, epoch, rows, batch.images.device)
        images, masks = move(batch.images, batch.masks, self.network.spec.window, drawn)
        return batch._replace(images=vary_grey(images, batch.mr, drawn), masks=masks)

    def forward(self, batch: Windows) -> Tensor:
        """Return (terms + slots, 2): sums of losses with windows, and twice the common voxels with all."""
        logits = self.network(self.network.prepare(batch.images))
        masks = batch.masks.float()
        dice = soft_dice(logits, masks, squared=self._config.loss == "dice")
        entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none")
        n = logits.new_tensor(float(len(logits)))
        losses = torch.stack([torch.stack([dice.sum(), n]), torch.stack([entropy.mean((1, 2, 3)).sum(), n])])
        with torch.no_grad():
            said, true = logits > 0, batch.masks > 0
            common = 2.0 * (said & true).sum((1, 2, 3))
            both = (said.sum((1, 2, 3)) + true.sum((1, 2, 3))).float()
            slots = losses.new_zeros((self._n_slots, 2))
            slots.index_add_(0, batch.slots, torch.stack([common, both], 1))
        return torch.cat([losses, slots])

    def loss(self, sums: Tensor) -> Tensor:
        """Return the mean Dice loss, with the cross-entropy where it is asked for."""
        means = sums[: len(TERMS), 0] / sums[: len(TERMS), 1]
        return means.sum() if self._config.loss == "dice_ce" else means[0]

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return the losses and the mean Dice of the scans (in training, of all windows together)."""
        found = {name: float(sums[n, 0] / sums[n, 1]) for n, name in enumerate(TERMS)}
        slots = sums[len(TERMS) :]
        there = slots[:, 1] > 0
        dice = float((slots[there, 0] / slots[there, 1]).mean()) if bool(there.any()) else math.nan
        return {"loss": float(self.loss(sums)), "dice": dice, **found}

    def merit(self, figures: Mapping[str, float]) -> float:
        """Choose the weights with the largest mean Dice."""
        return -figures["dice"]

    def rate_share(self, name: str) -> float:
        """Let a pretrained encoder learn slower."""
        return self._config.encoder_lr_share if self._pretrained and name.startswith(ENCODER) else 1.0

    def begin_step(self, spent: float) -> None:
        """Let a pretrained encoder rest over the first share of the budget."""
        resting = self._pretrained and spent < self._config.decoder_first
        if resting != self._resting:
            self.network.rest_encoder(resting)
            self._resting = resting
