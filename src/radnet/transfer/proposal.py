"""Propose where an organ is: windows along a scan, scored by the coverage head of a pretrained network.

A window of 48 slices moves over the resampled scan in steps of 8. Those scored at least 0.9 are chosen, else
the best one alone (3D-RADNet section 2.3 and figure 2). Grey levels are the scan's, not the window's. A scan
shorter than the window is centred among blank slices, as the network's training volumes were.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from radnet.errors import CaseError
from radnet.networks.folder import WEIGHTS_NAME
from radnet.networks.spec import NetworkSpec
from radnet.transfer.cases import Case
from radnet.volumes.resize import pad_slices, resize_plane, slice_weights
from radnet.workspace import digest_file, write_text

Grey = NDArray[np.uint8]

REGION_OF: Final = {
    "brain": "brain",
    "lung": "lung",
    "left_lung": "lung",
    "right_lung": "lung",
    "breast": "breast",
    "liver": "liver",
    "gallbladder": "liver",
    "kidney": "kidney",
    "left_kidney": "kidney",
    "right_kidney": "kidney",
    "intestine": "intestine",
    "small_intestine": "intestine",
    "large_intestine": "intestine",
    "bladder": "pelvis",
    "prostate": "pelvis",
    "uterus": "pelvis",
}
"""Word of the coverage head whose region holds an organ (3D-RADNet figure 1)."""
BATCH: Final = 8
"""Windows that the network sees at a time."""
CACHE_FORMAT: Final = 1


class Labeller(Protocol):
    """A pretrained network as `radnet.load_model` gives it."""

    folder: Path
    spec: NetworkSpec

    def classify(self, volumes: Any, batch_size: int = BATCH) -> dict[str, Any]:
        """Return `coverage` (n, regions) among others."""
        ...


@dataclass(frozen=True)
class Rule:
    """How windows are laid and chosen.

    Attributes:
        slices: Of a window.
        stride: From one window to the next, in slices.
        threshold: Score from which a window is chosen.
    """

    slices: int = 48
    stride: int = 8
    threshold: float = 0.9

    def __post_init__(self) -> None:
        if self.slices < 1 or self.stride < 1 or not 0 <= self.threshold <= 1:
            raise CaseError(
                f"windows of {self.slices} slices, stride {self.stride}, threshold {self.threshold:g}: the "
                "first two must be at least 1, the threshold between 0 and 1"
            )


PAPER: Final = Rule()


@dataclass(frozen=True)
class Proposal:
    """Windows of one scan.

    Attributes:
        case_id: The scan.
        slices: Of a window.
        starts: First slice of each window, ascending; negative where blank slices come first.
        scores: Probability that the region is in it.
        threshold: From which a window was chosen.
        seconds: That scoring took; 0 when it was known.
    """

    case_id: str
    slices: int
    starts: tuple[int, ...]
    scores: tuple[float, ...]
    threshold: float
    seconds: float

    @property
    def fallback(self) -> bool:
        """Whether no window reached the threshold."""
        return max(self.scores) < self.threshold

    @property
    def chosen(self) -> tuple[int, ...]:
        """First slices of the chosen windows; the best one when none reached the threshold."""
        if self.fallback:
            return (self.starts[int(np.argmax(self.scores))],)
        return tuple(
            start for start, score in zip(self.starts, self.scores, strict=True) if score >= self.threshold
        )

    def inside(self, n_slices: int) -> NDArray[np.bool_]:
        """(n_slices,) whether a chosen window holds each slice."""
        held = np.zeros(n_slices, bool)
        for start in self.chosen:
            held[max(start, 0) : max(start + self.slices, 0)] = True
        return held

    def recall(self, mask: NDArray[Any]) -> float:
        """Share of a mask's voxels inside the chosen windows; of an empty mask 1."""
        per_slice = np.count_nonzero(mask, axis=(1, 2))
        total = int(per_slice.sum())
        return float(per_slice[self.inside(len(mask))].sum()) / total if total else 1.0

    def at(self, threshold: float) -> Proposal:
        """Return the same windows, chosen by another threshold."""
        return Proposal(self.case_id, self.slices, self.starts, self.scores, threshold, self.seconds)


@dataclass(frozen=True)
class ProposalReport:
    """How well windows hold an organ.

    Attributes:
        organ: What is looked for.
        region: Word of the coverage head.
        threshold: From which windows were chosen.
        n_cases: Scans.
        n_windows: Of all scans.
        n_chosen: Of them.
        fallback_rate: Share of scans in which none reached the threshold.
        recall_mean: Mean over scans of the share of organ voxels inside chosen windows.
        recall_least: The least of them.
        slices_kept: Share of slices inside chosen windows.
        seconds: That scoring took, without what was known.
    """

    organ: str
    region: str
    threshold: float
    n_cases: int
    n_windows: int
    n_chosen: int
    fallback_rate: float
    recall_mean: float
    recall_least: float
    slices_kept: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def region_of(organ: str, spec: NetworkSpec) -> str:
    """Return the coverage word whose region holds an organ.

    Raises:
        CaseError: If none does, or the network does not know it.
    """
    region = REGION_OF.get(organ)
    if region is None or region not in spec.regions:
        raise CaseError(
            f"no region of the coverage head holds '{organ}' (it has {', '.join(spec.regions)}; organs with "
            f"one: {', '.join(REGION_OF)}); train and outline without region proposal"
        )
    return region


def window_starts(n_slices: int, slices: int, stride: int) -> tuple[int, ...]:
    """Lay windows over a scan; the last one ends with it.

    Returns:
        First slices, ascending; of a scan shorter than the window one that centres it, 0 or less.
    """
    if n_slices <= slices:
        return (-((slices - n_slices) // 2),)
    last = n_slices - slices
    return tuple(dict.fromkeys((*range(0, last, stride), last)))


def propose_image(
    model: Labeller, image: Grey, organ: str, rule: Rule = PAPER, case_id: str = "", batch_size: int = BATCH
) -> Proposal:
    """Score the windows of one scan.

    Args:
        model: The pretrained network.
        image: (slices, rows, columns) grey levels on the network's grid.
        organ: What is looked for.
        rule: How windows are laid and chosen.
        case_id: For the result.
        batch_size: Windows at a time.

    Raises:
        CaseError: If no region holds the organ.
        NetworkError: If the network cannot run.
    """
    region = region_of(organ, model.spec)
    began = time.perf_counter()
    starts = window_starts(len(image), rule.slices, rule.stride)
    rows, columns = model.spec.input_shape[1:]
    planes = np.stack([resize_plane(plane, rows, columns) for plane in image])
    windows = [_window(planes, start, rule.slices, model.spec.input_shape[0]) for start in starts]
    coverage = model.classify(windows, batch_size)["coverage"]
    scores = coverage[:, model.spec.regions.index(region)]
    seconds = time.perf_counter() - began
    return Proposal(case_id, rule.slices, starts, tuple(map(float, scores)), rule.threshold, seconds)


def propose(
    model: Labeller, cases: Sequence[Case], organ: str, rule: Rule = PAPER, cache: Path | None = None
) -> dict[str, Proposal]:
    """Score the windows of prepared scans.

    Args:
        model: The pretrained network.
        cases: Prepared scans.
        organ: What is looked for.
        rule: How windows are laid and chosen.
        cache: A folder that keeps scores by digest of scan, weights and windows; a threshold is none of it.

    Returns:
        Proposals by case.
    """
    weights = digest_file(model.folder / WEIGHTS_NAME) if cache is not None else ""
    return {case.case_id: _known_or_scored(model, case, organ, rule, cache, weights) for case in cases}


def report_proposals(
    proposals: Mapping[str, Proposal], cases: Sequence[Case], organ: str, spec: NetworkSpec
) -> ProposalReport:
    """Measure proposals against the masks of their cases.

    Raises:
        CaseError: If there is no case, or one has no proposal.
    """
    pairs = _paired(proposals, cases)
    recalls = [proposal.recall(case.mask) for proposal, case in pairs]
    kept = sum(int(proposal.inside(len(case.image)).sum()) for proposal, case in pairs)
    return ProposalReport(
        organ=organ,
        region=region_of(organ, spec),
        threshold=pairs[0][0].threshold,
        n_cases=len(pairs),
        n_windows=sum(len(proposal.starts) for proposal, _ in pairs),
        n_chosen=sum(len(proposal.chosen) for proposal, _ in pairs),
        fallback_rate=float(np.mean([proposal.fallback for proposal, _ in pairs])),
        recall_mean=float(np.mean(recalls)),
        recall_least=float(min(recalls)),
        slices_kept=kept / sum(len(case.image) for _, case in pairs),
        seconds=float(sum(proposal.seconds for proposal, _ in pairs)),
    )


def choose_threshold(
    proposals: Mapping[str, Proposal], validation: Sequence[Case], least_recall: float = 0.99
) -> float:
    """Return the highest threshold at which the validation scans' mean recall is high enough.

    Args:
        proposals: Of the validation scans, at least.
        validation: Scans that neither train nor test.
        least_recall: Mean share of organ voxels that must be inside; where no threshold gives it, the one
            that gives most.
    """
    pairs = _paired(proposals, validation)
    candidates = sorted({score for proposal, _ in pairs for score in proposal.scores}, reverse=True)
    best = (-1.0, 0.0)
    for threshold in candidates:
        recall = float(np.mean([proposal.at(threshold).recall(case.mask) for proposal, case in pairs]))
        if recall >= least_recall:
            return threshold
        best = max(best, (recall, threshold))
    return best[1]


def _window(planes: NDArray[np.float32], start: int, slices: int, wanted: int) -> Grey:
    """Cut a window, blank where it leaves the scan, and bring it to the network's slices."""
    first, end = max(start, 0), min(start + slices, len(planes))
    held = planes[first:end]
    blank = np.zeros((slices, *planes.shape[1:]), np.float32)
    blank[first - start : end - start] = held
    lower, upper, weight = slice_weights(slices, wanted)
    mixed = blank[lower] + weight[:, None, None] * (blank[upper] - blank[lower])
    return np.asarray(pad_slices(np.rint(mixed).astype(np.uint8), wanted), np.uint8)


def _known_or_scored(
    model: Labeller, case: Case, organ: str, rule: Rule, cache: Path | None, weights: str
) -> Proposal:
    if cache is None:
        return propose_image(model, case.image, organ, rule, case.case_id)
    known = [CACHE_FORMAT, case.digest, weights, region_of(organ, model.spec), rule.slices, rule.stride]
    path = cache / f"{hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]}.json"
    try:
        kept = json.loads(path.read_text("utf-8"))
        starts, scores = tuple(map(int, kept["starts"])), tuple(map(float, kept["scores"]))
        if starts == window_starts(len(case.image), rule.slices, rule.stride) and len(scores) == len(starts):
            return Proposal(case.case_id, rule.slices, starts, scores, rule.threshold, 0.0)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not kept yet, or damaged: it is scored again
    found = propose_image(model, case.image, organ, rule, case.case_id)
    cache.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"starts": found.starts, "scores": found.scores}) + "\n")
    return found


def _paired(proposals: Mapping[str, Proposal], cases: Sequence[Case]) -> list[tuple[Proposal, Case]]:
    missing = [case.case_id for case in cases if case.case_id not in proposals]
    if missing or not cases:
        raise CaseError(
            f"no windows were proposed for {', '.join(missing[:3]) or 'any case'}; propose them first"
        )
    return [(proposals[case.case_id], case) for case in cases]
