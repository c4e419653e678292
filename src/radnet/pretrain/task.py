"""The network with its losses, as the loop trains it."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from radnet.config import PretrainConfig
from radnet.networks.build import LabelNetwork
from radnet.pretrain.losses import LabelLosses
from radnet.pretrain.targets import Batch, Target
from radnet.training.augmentation import Draws, Known, augment
from radnet.training.order import Rows
from radnet.training.task import Task


class LabelTask(Task[Batch]):
    """Learn labels.

    Args:
        network: To train.
        losses: Of its heads.
        config: Seed and augmentation.
    """

    def __init__(self, network: LabelNetwork, losses: LabelLosses, config: PretrainConfig) -> None:
        super().__init__()
        self.network = network
        self.losses = losses
        self._config = config

    def vary(self, batch: Batch, rows: Rows, epoch: int) -> Batch:
        """Augment a batch; the spacing label follows what is done along the slices."""
        settings = self._config.augmentation
        if not settings.enabled:
            return batch
        device, n_slices = batch.volumes.device, batch.volumes.shape[1]
        draws = Draws(settings, self._config.seed, epoch, rows, n_slices, device)
        known = Known(batch.targets["view"].known, batch.sagittal, batch.mr)
        spacing = batch.targets["spacing"]
        targets = {**batch.targets, "spacing": Target(spacing.value / draws.slice_scale, spacing.known)}
        return batch._replace(volumes=augment(batch.volumes, known, draws), targets=targets)

    def forward(self, batch: Batch) -> Tensor:
        """Return the sums of losses and measures of a batch."""
        outputs = self.network(self.network.prepare(batch.volumes))
        return cast(Tensor, self.losses(outputs, batch.targets))

    def loss(self, sums: Tensor) -> Tensor:
        """Return the weighted loss of all heads."""
        return self.losses.total(sums)

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return losses and measures by head."""
        return self.losses.figures(sums)
