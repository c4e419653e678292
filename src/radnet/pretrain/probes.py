"""What frozen features, or plain grey-level histograms, tell of a label: simple learners, fitted once.

Logistic regression by L-BFGS on standardised features, ridge regression for numbers, and the vote of nearest
neighbours by cosine. They are rulers, not products: few lines, no tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Reals = NDArray[np.float64]

NEIGHBOURS: Final = 5
PENALTY: Final = 1e-3
"""Of the squared weights, beside the mean loss."""
STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class Scaler:
    """Takes features to mean 0 and deviation 1, as the training rows have them."""

    mean: Reals
    deviation: Reals

    @classmethod
    def of(cls, features: Reals) -> Scaler:
        """Measure (n, d) features; one that never changes stays 0."""
        deviation = features.std(0)
        return cls(features.mean(0), np.where(deviation > 0, deviation, np.inf))

    def scale(self, features: Reals) -> Reals:
        """Return (m, d) features on that scale."""
        return (features - self.mean) / self.deviation


def logistic(train: Reals, truth: Reals, test: Reals) -> Reals:
    """Fit logistic regression and return the test rows' scores.

    Args:
        train: (n, d) features.
        truth: (n,) class numbers, or (n, k) of 0 and 1 for k questions at once.
        test: (m, d).

    Returns:
        (m, classes) or (m, k) logits.
    """
    scaler = Scaler.of(train)
    x = torch.from_numpy(scaler.scale(train))
    multiple = truth.ndim == 2
    target = torch.from_numpy(truth) if multiple else torch.from_numpy(truth.astype(np.int64))
    n_outputs = truth.shape[1] if multiple else int(truth.max()) + 1
    weights = torch.zeros(x.shape[1], n_outputs, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(n_outputs, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = x @ weights + bias
        if multiple:
            loss = functional.binary_cross_entropy_with_logits(logits, target)
        else:
            loss = functional.cross_entropy(logits, target)
        loss = loss + PENALTY * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    fitted = torch.from_numpy(scaler.scale(test)) @ weights + bias
    return np.asarray(fitted.detach().numpy())


def ridge(train: Reals, truth: Reals, test: Reals) -> Reals:
    """Fit (n,) numbers linearly with a small penalty and return those of the test rows."""
    scaler = Scaler.of(train)
    x, centre = scaler.scale(train), truth.mean()
    gram = x.T @ x / len(x) + PENALTY * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ (truth - centre) / len(x))
    return np.asarray(scaler.scale(test) @ weights + centre)


def nearest(train: Reals, truth: Reals, test: Reals, neighbours: int = NEIGHBOURS) -> Reals:
    """Ask the nearest training rows, by cosine.

    Args:
        train: (n, d) features.
        truth: (n,) or (n, k) numbers.
        test: (m, d).
        neighbours: How many are asked; at most n.

    Returns:
        (m, neighbours, ...) truths of the nearest.
    """
    likeness = _unit(test) @ _unit(train).T
    order = np.argsort(-likeness, axis=1, kind="stable")[:, : min(neighbours, len(train))]
    return np.asarray(truth[order])


def vote(answers: Reals) -> NDArray[np.int64]:
    """Return the commonest of (m, neighbours) class numbers; of several the least number."""
    n_classes = int(answers.max()) + 1
    counts = np.stack([(answers == number).sum(1) for number in range(n_classes)], 1)
    return np.asarray(counts.argmax(1))


def _unit(features: Reals) -> Reals:
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12))
