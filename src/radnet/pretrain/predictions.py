"""Run a trained network over volumes of a store, and hold what it says beside the truths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from radnet.executors import Progress, silent
from radnet.metrics import sigmoid, softmax
from radnet.networks.folder import read_config, read_network
from radnet.networks.inference import TorchBackend, run_batches
from radnet.networks.spec import NetworkSpec
from radnet.pretrain.losses import CLASS_HEADS
from radnet.pretrain.targets import encode_targets
from radnet.volumes.store import VolumeStore

BATCH: Final = 8
BINS: Final = 64
"""Of a volume's grey-level histogram."""
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """Truths of one head, as numbers.

    Attributes:
        value: (n,) class numbers, (n, regions) 0 or 1, or (n,) mm.
        known: (n,) bool.
    """

    value: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a network says of volumes, and what is true.

    Attributes:
        samples: One row a volume.
        spec: Of the network.
        logits: (n, classes) by head, and `spacing` (n,) mm.
        features: (n, embedding) that the heads read.
        histograms: (n, 64) shares of grey levels, which need no network.
        truths: By head.
    """

    samples: pl.DataFrame
    spec: NetworkSpec
    logits: dict[str, Reals]
    features: Reals
    histograms: Reals
    truths: dict[str, Truth]

    @property
    def patients(self) -> list[str]:
        """Patient of each row; a row without one stands for itself."""
        names = self.samples.select(pl.coalesce("patient", "StudyInstanceUID", "stack_id"))
        return names.to_series().to_list()

    def probabilities(self, head: str, temperature: float = 1.0) -> Reals:
        """Return (n, classes) probabilities of a head with classes or regions."""
        scaled = self.logits[head] / temperature
        return softmax(scaled) if head in CLASS_HEADS else sigmoid(scaled)

    def words(self, head: str) -> tuple[str, ...]:
        """Name the classes of a head."""
        names = {"coverage": "regions"}.get(head, f"{head}s")
        words: tuple[str, ...] = getattr(self.spec, names)
        return words


def predict(
    folder: Path, samples: pl.DataFrame, store: VolumeStore, progress: Progress = silent
) -> Predictions:
    """Run the network of a model folder over all rows.

    Args:
        folder: The model.
        samples: One row a volume; at least one.
        store: That holds them.
        progress: Called with volumes done.

    Raises:
        NetworkError: If the model cannot be loaded.
        WorkspaceError: If a volume cannot be read.
    """
    spec: NetworkSpec = read_config(folder)["network"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    backend = TorchBackend(read_network(folder, spec), device)
    histograms: list[Reals] = []

    def volumes() -> Iterator[NDArray[np.uint8]]:
        for number, stack_id in enumerate(samples["stack_id"], 1):
            volume = store.read(stack_id)
            counts = np.bincount(volume.ravel() // (256 // BINS), minlength=BINS)
            histograms.append(counts / volume.size)
            yield volume
            progress(number, len(samples))

    outputs = run_batches(backend, spec, volumes(), BATCH)
    features = outputs.pop("embedding").astype(float)
    return Predictions(
        samples,
        spec,
        {name: values.astype(float) for name, values in outputs.items()},
        features,
        np.array(histograms),
        read_truths(samples, spec),
    )


def read_truths(samples: pl.DataFrame, spec: NetworkSpec) -> dict[str, Truth]:
    """Make arrays of the labels of all rows, by head."""
    return {
        head: Truth(target.value.numpy().astype(float), target.known.numpy())
        for head, target in encode_targets(samples, spec).items()
    }
