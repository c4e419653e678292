"""Labels as numbers, with a mask beside them, and volumes read in batches.

A label that is not known, or is a word that is no class of the network, is masked: it is never a negative.
Its number is 0 and means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from radnet.networks.inference import fit_volume
from radnet.networks.spec import NetworkSpec
from radnet.training.order import Rows
from radnet.volumes.store import VolumeStore

CT: Final = "ct"
SAGITTAL: Final = "sagittal"


class Target(NamedTuple):
    """Truths of one head.

    Attributes:
        value: (n,) class numbers int64, (n, regions) 0 or 1, or (n,) mm; float32 but for classes.
        known: (n,) bool.
    """

    value: Tensor
    known: Tensor


class Batch(NamedTuple):
    """Some volumes with their truths.

    Attributes:
        volumes: (n, slices, rows, columns) uint8.
        targets: By head.
        sagittal: (n,) bool, known to be sagittal.
        mr: (n,) bool, known to be no CT.
    """

    volumes: Tensor
    targets: dict[str, Target]
    sagittal: Tensor
    mr: Tensor


def encode_targets(samples: pl.DataFrame, spec: NetworkSpec) -> dict[str, Target]:
    """Make numbers of the labels of all rows, for every head of a network.

    Args:
        samples: As `read_samples` returns them.
        spec: Names the classes.
    """
    classes = {"sequence": spec.sequences, "view": spec.views, "contrast": spec.contrasts}
    targets = {name: _classes(samples[name], words) for name, words in classes.items()}
    targets["coverage"] = _regions(samples["coverage"], spec.regions)
    spacing = samples["effective_spacing_mm"].to_numpy().astype(np.float32)
    targets["spacing"] = Target(torch.from_numpy(spacing), torch.ones(len(samples), dtype=torch.bool))
    return targets


def _classes(labels: pl.Series, words: Sequence[str]) -> Target:
    numbers = labels.cast(pl.String).replace_strict(
        {word: number for number, word in enumerate(words)}, default=None, return_dtype=pl.Int64
    )
    known = numbers.is_not_null().to_numpy().copy()
    return Target(torch.from_numpy(numbers.fill_null(0).to_numpy().copy()), torch.from_numpy(known))


def _regions(labels: pl.Series, regions: Sequence[str]) -> Target:
    value = np.zeros((len(labels), len(regions)), np.float32)
    for row, covered in enumerate(labels.to_list()):
        value[row] = [region in (covered or ()) for region in regions]
    known = labels.is_not_null().to_numpy().copy()
    return Target(torch.from_numpy(value), torch.from_numpy(known))


class VolumeReader:
    """Reads batches of volumes; may be used by several threads.

    Volumes larger than the network's input are resized once and kept, as far as the room goes: on a small
    machine resizing took a third of the time of training.

    Args:
        store: The volumes.
        samples: One row a volume.
        spec: Of the network.
        room_gb: Most memory of resized volumes that are kept.
    """

    def __init__(
        self, store: VolumeStore, samples: pl.DataFrame, spec: NetworkSpec, room_gb: float = 4.0
    ) -> None:
        self._store, self._spec = store, spec
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._most_kept = int(room_gb * 1e9 / math.prod(spec.input_shape))
        self._ids = samples["stack_id"].to_list()
        self.targets = encode_targets(samples, spec)
        is_mr = (samples["sequence"].fill_null(CT) != CT).to_numpy().copy()
        is_sagittal = (samples["view"].fill_null("") == SAGITTAL).to_numpy().copy()
        self._mr, self._sagittal = torch.from_numpy(is_mr), torch.from_numpy(is_sagittal)

    def __len__(self) -> int:
        """Return the number of volumes."""
        return len(self._ids)

    def read(self, rows: Rows) -> Batch:
        """Read the volumes of some rows, in the shape of the network's input.

        Raises:
            WorkspaceError: If a volume cannot be read.
        """
        volumes = np.stack([self._resized(int(row)) for row in rows])
        chosen = torch.from_numpy(rows)
        targets = {
            name: Target(target.value[chosen], target.known[chosen]) for name, target in self.targets.items()
        }
        return Batch(torch.from_numpy(volumes), targets, self._sagittal[chosen], self._mr[chosen])

    def _resized(self, row: int) -> NDArray[np.uint8]:
        """Return a volume in the shape of the network's input."""
        if row in self._kept:
            return self._kept[row]
        stored = self._store.read(self._ids[row])
        if stored.shape == self._spec.input_shape:
            return stored
        resized = fit_volume(stored, self._spec.input_shape, self._spec.shrinking)
        if len(self._kept) < self._most_kept:
            self._kept[row] = resized
        return resized
