"""Masked losses of the five heads, as sums that add up over batches and devices.

Cross-entropy for classes, binary cross-entropy for regions, root-mean-square error for the spacing (paper,
section 2.2), the last in units of the training data's standard deviation, so that it is of the size of the
others. What has no label adds nothing, to the sum as little as to the weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from radnet.config import PretrainConfig
from radnet.networks.spec import NetworkSpec
from radnet.pretrain.targets import Target

CLASS_HEADS: Final = ("sequence", "view", "contrast")
LARGEST_CLASS_WEIGHT: Final = 10.0
LEAST_SQUARE: Final = 1e-12
"""Under the root of the mean square, whose slope at 0 is infinite."""
LOG_VARIANCE_LIMIT: Final = 4.0
"""Learned weights stay between exp(-4) and exp(4)."""
MEASURES: Final = {
    "sequence": "accuracy",
    "view": "accuracy",
    "contrast": "accuracy",
    "coverage": "exact",
    "spacing": "mae_mm",
}
"""What is shown of each head in the history."""


class LabelLosses(nn.Module):
    """Losses and measures of the heads that are trained.

    Args:
        spec: Of the network.
        config: Heads, their weights, and class weights.
        targets: All training targets, of which class weights are counted.
    """

    class_weights: Tensor

    def __init__(self, spec: NetworkSpec, config: PretrainConfig, targets: Mapping[str, Target]) -> None:
        super().__init__()
        self.heads = tuple(config.heads)
        self._scale_mm = spec.spacing_std_mm
        learned = config.learn_head_weights
        self.log_variance = nn.Parameter(torch.zeros(len(self.heads))) if learned else None
        fixed = torch.tensor([config.head_weights.get(head, 1.0) for head in config.heads])
        self.register_buffer("fixed_weights", fixed, persistent=False)
        balanced = config.class_weights == "balanced"
        for name in {*CLASS_HEADS, "coverage"} & {*self.heads}:
            weights = _balanced(name, targets[name], spec.outputs[name]) if balanced else None
            weights = torch.ones(spec.outputs[name]) if weights is None else weights
            self.register_buffer(f"{name}_weights", weights, persistent=False)

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Target]) -> Tensor:
        """Return sums of losses, then of measures, each (heads, 2): a sum and the weight that it has.

        Args:
            outputs: Of a `LabelNetwork`.
            targets: Of the same rows.

        Returns:
            (2 heads, 2) float32.
        """
        losses = [self._loss(head, outputs[head].float(), targets[head]) for head in self.heads]
        with torch.no_grad():
            measures = [_measure(head, outputs[head], targets[head]) for head in self.heads]
        return torch.stack([*losses, *measures])

    def _loss(self, head: str, output: Tensor, target: Target) -> Tensor:
        known = target.known.float()
        if head == "spacing":
            square = ((output - target.value) / self._scale_mm) ** 2
            return _pair(square.masked_fill(~target.known, 0).sum(), known.sum())
        weights: Tensor = getattr(self, f"{head}_weights")
        if head == "coverage":
            each = functional.binary_cross_entropy_with_logits(
                output, target.value, pos_weight=weights, reduction="none"
            )
            # without a class weight of their own, regions share the row's weight
            return _pair((each.mean(1) * known).sum(), known.sum())
        each = functional.cross_entropy(output, target.value, weight=weights, reduction="none")
        return _pair((each * known).sum(), (weights[target.value] * known).sum())

    def head_losses(self, sums: Tensor) -> Tensor:
        """Return (heads,) losses of the sums of a whole batch; 0 where nothing had a label."""
        sums = sums[: len(self.heads)]
        means = sums[:, 0] / sums[:, 1].clamp(min=LEAST_SQUARE)
        is_spacing = torch.tensor([head == "spacing" for head in self.heads], device=sums.device)
        roots = means.clamp(min=LEAST_SQUARE).sqrt()
        return torch.where(is_spacing & (sums[:, 1] > 0), roots, means)

    def total(self, sums: Tensor) -> Tensor:
        """Weigh the losses and add them.

        Learned weights: exp(-s) L + s / 2 a head, s being the logarithm of its variance.

        Source: Kendall et al., CVPR 2018, equation 10.
        """
        losses = self.head_losses(sums)
        if self.log_variance is None:
            return (losses * self.fixed_weights.to(losses)).sum()  # type: ignore[operator]
        s = self.log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT).to(losses)
        has_labels = (sums[: len(self.heads), 1] > 0).to(losses)
        return (has_labels * (torch.exp(-s) * losses + s / 2)).sum()

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return the total and, for each head, its loss and its measure; NaN where nothing had a label."""
        sums = sums.detach()
        found = {"loss": self.total(sums).item()}
        losses = self.head_losses(sums)
        for number, head in enumerate(self.heads):
            total, weight = sums[len(self.heads) + number].tolist()
            found[f"{head}_loss"] = float(losses[number]) if weight else float("nan")
            found[f"{head}_{MEASURES[head]}"] = total / weight if weight else float("nan")
        return found


def _measure(head: str, output: Tensor, target: Target) -> Tensor:
    if head == "spacing":
        hits = (output - target.value).abs()
    elif head == "coverage":
        hits = ((output > 0) == (target.value > 0)).all(1).float()
    else:
        hits = (output.argmax(1) == target.value).float()
    return _pair(hits.masked_fill(~target.known, 0).sum(), target.known.float().sum())


def _pair(total: Tensor, weight: Tensor) -> Tensor:
    return torch.stack([total.float(), weight])


def _balanced(head: str, target: Target, n_outputs: int) -> Tensor:
    """Weigh classes by how rare they are; for regions, positives against negatives."""
    values = target.value[target.known]
    if head == "coverage":
        positives = values.sum(0)
        ratio = (len(values) - positives) / positives.clamp(min=1)
        return ratio.clamp(1 / LARGEST_CLASS_WEIGHT, LARGEST_CLASS_WEIGHT)
    counts = torch.bincount(values, minlength=n_outputs).float()
    weights = len(values) / (n_outputs * counts.clamp(min=1))
    return weights.clamp(max=LARGEST_CLASS_WEIGHT)


def class_counts(targets: Mapping[str, Target], heads: Sequence[str]) -> dict[str, list[int]]:
    """Count known labels by class, and positives by region; for the spacing known labels alone."""
    found = {}
    for head in heads:
        values = targets[head].value[targets[head].known]
        if head == "spacing":
            found[head] = [len(values)]
        elif head == "coverage":
            found[head] = values.sum(0).long().tolist()
        else:
            found[head] = torch.bincount(values).tolist()
    return found
