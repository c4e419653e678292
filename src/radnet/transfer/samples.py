"""Windows of scans with masks, read in batches.

As in the paper each selected window is a training sample (3D-RADNet section 2.3). Windows that are varied are
read with more slices and finer planes than the network sees, so that moving and enlarging them has something
to show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radnet.networks.spec import Triple
from radnet.networks.windows import cover, cover_windows, cut_window, resize_planes
from radnet.training.order import Rows

FINEST: Final = 2
"""Times finer than the network's planes that planes are kept for enlarging, at most."""
MR: Final = "MR"


class Example(Protocol):
    """A scan with its mask, as `radnet.transfer.cases.Case` is one."""

    @property
    def case_id(self) -> str:
        """Unique name."""
        ...

    @property
    def patient_id(self) -> str:
        """Whose scan it is."""
        ...

    @property
    def image(self) -> NDArray[np.uint8]:
        """(slices, rows, columns) grey levels."""
        ...

    @property
    def mask(self) -> NDArray[Any]:
        """(slices, rows, columns), not 0 where the organ is."""
        ...

    @property
    def modality(self) -> str:
        """CT or MR."""
        ...


class Proposals(NamedTuple):
    """Windows in which the organ is looked for.

    Attributes:
        starts: First slices by case.
        slices: Of each window.
    """

    starts: Mapping[str, Sequence[int]]
    slices: int


class Windows(NamedTuple):
    """Some windows.

    Attributes:
        images: (n, slices, rows, columns) uint8.
        masks: (n, slices, rows, columns) uint8, 0 or 1.
        slots: (n,) int64: which measured Dice a window counts for.
        mr: (n,) bool, windows of MR.
    """

    images: Tensor
    masks: Tensor
    slots: Tensor
    mr: Tensor


class WindowReader:
    """Reads windows; may be used by several threads.

    Args:
        cases: The scans.
        starts: First slices of the windows of each.
        window: Slices, rows and columns that the network sees.
        spare_slices: Read more on each side.
        finer: Whether planes are kept finer, where the scans are.
        own_slots: Whether each scan's Dice is measured by itself.
    """

    def __init__(
        self,
        cases: Sequence[Example],
        starts: Sequence[Sequence[int]],
        window: Triple,
        spare_slices: int = 0,
        finer: bool = False,
        own_slots: bool = False,
    ) -> None:
        rows, columns = _plane(cases, window) if finer else window[1:]
        self._images = [_levels(resize_planes(case.image, rows, columns)) for case in cases]
        self._masks = [_flags(case.mask, rows, columns) for case in cases]
        self._mr = [case.modality == MR for case in cases]
        self._samples = [(case, start) for case, own in enumerate(starts) for start in own]
        self._slices, self._spare, self._own_slots = window[0], spare_slices, own_slots

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._samples)

    def read(self, rows: Rows) -> Windows:
        """Read the windows of some rows; row n is window n again after the last."""
        chosen = [self._samples[row % len(self._samples)] for row in rows]
        return Windows(
            self._cut(self._images, chosen),
            self._cut(self._masks, chosen),
            torch.tensor([case if self._own_slots else 0 for case, _ in chosen]),
            torch.tensor([self._mr[case] for case, _ in chosen]),
        )

    def _cut(self, volumes: Sequence[NDArray[np.uint8]], chosen: Sequence[tuple[int, int]]) -> Tensor:
        first, slices = -self._spare, self._slices + 2 * self._spare
        cut = [cut_window(volumes[case], start + first, slices) for case, start in chosen]
        return torch.from_numpy(np.stack(cut))


def training_starts(case: Example, window: Triple, proposals: Proposals | None) -> tuple[int, ...]:
    """Return the windows of a scan that train: those proposed, or all with half an overlap."""
    if proposals is None:
        return cover(len(case.image), window[0])
    return cover_windows(proposals.starts[case.case_id], proposals.slices, len(case.image), window[0])


def validation_starts(case: Example, window: Triple, proposals: Proposals | None) -> tuple[int, ...]:
    """Return the windows of a scan that validate: they cover the same with the least overlap."""
    if proposals is None:
        return cover(len(case.image), window[0], 0.0)
    starts = proposals.starts[case.case_id]
    if proposals.slices != window[0]:
        return cover_windows(starts, proposals.slices, len(case.image), window[0], 0.0)
    kept: list[int] = []
    for start in sorted(starts):
        if not kept or start >= kept[-1] + window[0] or start == max(starts):
            kept.append(int(start))
    return tuple(kept)


def digest_cases(cases: Sequence[Example], starts: Sequence[Sequence[int]]) -> str:
    """Return the SHA-256 of what is trained on or validated: voxels, masks and windows."""
    digest = hashlib.sha256()
    for case, own in zip(cases, starts, strict=True):
        digest.update(json.dumps([case.case_id, case.image.shape, [int(start) for start in own]]).encode())
        digest.update(np.ascontiguousarray(case.image).data)
        digest.update(np.packbits(np.asarray(case.mask) != 0).data)
    return digest.hexdigest()


def _plane(cases: Sequence[Example], window: Triple) -> tuple[int, int]:
    """Return rows and columns that are as fine as the finest scan, within limits."""
    finest = np.max([case.image.shape[1:] for case in cases], axis=0)
    rows, columns = (
        int(min(max(own, least), FINEST * least)) for own, least in zip(finest, window[1:], strict=True)
    )
    return rows, columns


def _levels(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(planes).astype(np.uint8)


def _flags(mask: NDArray[Any], rows: int, columns: int) -> NDArray[np.uint8]:
    return (resize_planes(np.asarray(mask != 0, np.uint8), rows, columns) >= 0.5).astype(np.uint8)
