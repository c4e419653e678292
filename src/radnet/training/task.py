"""What the loop asks of a thing to train.

Losses go through the loop as sums and weights, one pair a term: pairs of several devices add up to those of
the whole batch, so that a loss does not depend on how its rows, some of them without a label, are spread over
devices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from radnet.training.order import Rows

B = TypeVar("B")


class Task(nn.Module, ABC, Generic[B]):
    """A module with its loss.

    Its `forward` takes a batch and returns (terms, 2): the sum of each term and the weight that it has.
    """

    @abstractmethod
    def vary(self, batch: B, rows: Rows, epoch: int) -> B:
        """Augment a training batch on its device; must depend on seed, row and epoch alone."""

    @abstractmethod
    def loss(self, sums: Tensor) -> Tensor:
        """Return the scalar that is minimised, from the (terms, 2) sums of a whole batch."""

    @abstractmethod
    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return what the history shows, from sums over an epoch; `loss` must be among it."""

    def merit(self, figures: Mapping[str, float]) -> float:
        """Return by what the best weights are chosen, from figures of the validation: the least is best."""
        return figures["loss"]

    def rate_share(self, name: str) -> float:
        """Return the share of the learning rate that the parameter of that name gets."""
        return 1.0

    def begin_step(self, spent: float) -> None:
        """Prepare for a step; `spent` is the share of the budget that is used up."""


@dataclass(frozen=True, slots=True)
class Part(Generic[B]):
    """Rows to train or validate on.

    Attributes:
        n_rows: How many.
        read: Reads a batch of them; called by several threads.
    """

    n_rows: int
    read: Callable[[Rows], B]


Batch = Any
"""A tuple or mapping of tensors, which Fabric moves to a device."""
