"""Outline the organ of one scan: from its slices to probabilities on the network's grid, and back to a mask.

Nothing here knows files. The scan's grey levels are made as the segmenter's training scans' were; where a
labelling network is given, only the windows that it proposes are looked at.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.windows import cover_windows
from radnet.transfer.cases import Preparation, Scan, prepare_image, segmenter_preparation
from radnet.transfer.grid import Mask
from radnet.transfer.mask import mask_of
from radnet.transfer.proposal import PAPER, Labeller, Proposal, Rule, propose_image
from radnet.volumes.intensity import Window

Floats = NDArray[np.float32]


class SegmenterLike(Protocol):
    """A segmenter as `radnet.load_segmenter` gives it."""

    folder: Path
    spec: SegmenterSpec

    def segment(
        self, image: Any, starts: Sequence[int] | None = None, second_pass: bool | None = None
    ) -> Floats:
        """Return (slices, rows, columns) probabilities."""
        ...


@dataclass(frozen=True)
class Tools:
    """What outlines.

    Attributes:
        segmenter: Draws the mask.
        labeller: Proposes windows; None looks at the whole scan.
        rule: How windows are proposed.
        second_pass: Whether the box around the first mask is looked at again; None does as the segmenter's
            spec says.
    """

    segmenter: SegmenterLike
    labeller: Labeller | None = None
    rule: Rule = PAPER
    second_pass: bool | None = None

    @property
    def preparation(self) -> Preparation:
        """Grid and grey levels that the segmenter takes."""
        others = self.labeller.spec.input_shape[1:] if self.labeller else ()
        return segmenter_preparation(self.segmenter.spec, self.second_pass, others)


@dataclass(frozen=True)
class Outline:
    """What was found in a scan.

    Attributes:
        mask: 0 or 1 on the scan's grid.
        window: Values that became grey levels 0 and 255.
        proposal: Windows; None when the whole scan was looked at.
        read_seconds: That reading and resampling took.
        network_seconds: That the networks took.
    """

    mask: Mask
    window: Window
    proposal: Proposal | None
    read_seconds: float
    network_seconds: float


def outline_scan(scan: Scan, tools: Tools) -> Outline:
    """Outline one scan; the mask is empty when the segmenter finds nothing.

    Raises:
        CaseError: If a slice cannot be read, all is padding, or no region of the labelling network holds the
            organ.
        NetworkError: If a network cannot run.
    """
    spec, began = tools.segmenter.spec, time.perf_counter()
    image, grid, window = prepare_image(scan, tools.preparation)
    read = time.perf_counter()
    proposal = starts = None
    if tools.labeller is not None:
        proposal = propose_image(tools.labeller, image, spec.organ, tools.rule)
        starts = cover_windows(proposal.chosen, proposal.slices, len(image), spec.window[0], spec.overlap)
    probabilities = tools.segmenter.segment(image, starts, tools.second_pass)
    done = time.perf_counter()
    mask = mask_of(probabilities, spec.threshold, grid, scan.grid)
    return Outline(mask, window, proposal, read - began, done - read)
