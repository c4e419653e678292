"""From a folder of scans with masks to a segmenter that was measured: what `radnet transfer` does.

RUN/ holds what `radnet.transfer.train` writes, and split.csv, proposals.json, left_out.csv and test.csv.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from radnet.config import RadnetConfig, TransferConfig
from radnet.executors import Progress, silent
from radnet.networks.model import load_model
from radnet.networks.segmenter import load_segmenter, update_card
from radnet.networks.spec import NetworkSpec
from radnet.transfer.backbone import MEDICALNET_SUFFIX, read_backbone
from radnet.transfer.cases import Case, training_preparation
from radnet.transfer.evaluate import CaseScore, evaluate_segmenter, write_rows
from radnet.transfer.proposal import REGION_OF, Rule, propose, report_proposals
from radnet.transfer.readers import prepare_cases, survey
from radnet.transfer.samples import Proposals
from radnet.transfer.splits import SIDES, SPLIT_NAME, TEST, TRAINING, VALIDATION, split_cases
from radnet.transfer.train import TransferSummary, train_segmenter
from radnet.workspace import write_text

PROPOSALS_NAME: Final = "proposals.json"
LEFT_OUT_NAME: Final = "left_out.csv"
TEST_NAME: Final = "test.csv"


@dataclass(frozen=True, slots=True)
class OrganSummary:
    """What `transfer_organ` did.

    Attributes:
        training: Of the training.
        left_out: Scans that could not be used; left_out.csv says why.
        proposal_recall: Mean share of the organ's voxels inside the chosen windows of the test scans.
        tested: Scans.
        test_dice: Their mean Dice, a dot between the pass: `first`, and `second` where it was asked for.
        test_median: Their median Dice, alike.
        test: Where the scores lie; None when the training was stopped.
    """

    training: TransferSummary
    left_out: int
    proposal_recall: float | None
    tested: int
    test_dice: dict[str, float]
    test_median: dict[str, float]
    test: str | None


def transfer_organ(
    data: Path | str,
    model: Path | str,
    out: Path | str,
    config: RadnetConfig = RadnetConfig(),
    labels: Sequence[int] | None = None,
    cache: Path | None = None,
    progress: Callable[[str], Progress] = lambda name: silent,
) -> OrganSummary:
    """Train a segmenter of an organ and measure it on patients who are strange to it.

    Args:
        data: A folder of scans and masks, in any layout of `radnet.transfer.readers`.
        model: A model folder, or a MedicalNet weight file.
        out: Folder of the segmenter; a training that was stopped there goes on.
        config: Its `transfer` table, how grey levels are made, and of a MedicalNet file, which network it is.
        labels: Numbers in the masks that are the organ, where the data does not name them.
        cache: A folder that keeps prepared scans and scores of windows.
        progress: Gives each part (prepare, train, test) its progress function.

    Returns:
        What was reached.

    Raises:
        CaseError: If the data cannot be used.
        TrainingError: As `train_segmenter`.
        NetworkError: If the model cannot be used.
    """
    settings, out = config.transfer, Path(out)
    backbone = read_backbone(model, config.pretrain.network)
    grey = config.volumes.model_copy(update={"intensity": backbone.spec.intensity})
    files = survey(data, settings.organ, labels)
    split = split_cases(files.cases, out / SPLIT_NAME, settings.seed)
    prepared = prepare_cases(files.cases, training_preparation(settings, grey), cache, progress("prepare"))
    left_out = (*files.left_out, *prepared.left_out)
    write_rows(out / LEFT_OUT_NAME, ("case", "reason"), left_out)
    known = {case.case_id: case for case in prepared.cases}
    sides = {side: [known[name] for name in split.cases(side) if name in known] for side in SIDES}
    proposals, recall = _propose(model, backbone.spec, prepared.cases, sides[TEST], settings, out, cache)
    summary = train_segmenter(
        sides[TRAINING], sides[VALIDATION], backbone, out, settings, proposals, grey, progress("train")
    )
    if not summary.finished:
        return OrganSummary(summary, len(left_out), recall, 0, {}, {}, None)
    scores = _test(out, sides[TEST], proposals, settings, progress("test"))
    dice = {name: [score.dice for score in own] for name, own in scores.items()}
    return OrganSummary(
        training=summary,
        left_out=len(left_out),
        proposal_recall=recall,
        tested=len(sides[TEST]),
        test_dice={name: round(float(np.mean(own)), 4) for name, own in dice.items() if own},
        test_median={name: round(float(np.median(own)), 4) for name, own in dice.items() if own},
        test=str(out / TEST_NAME),
    )


def _propose(
    model: Path | str,
    spec: NetworkSpec,
    cases: Sequence[Case],
    tested: Sequence[Case],
    settings: TransferConfig,
    out: Path,
    cache: Path | None,
) -> tuple[Proposals | None, float | None]:
    """Choose windows by the model's coverage head, and write how well they hold the organ."""
    region = REGION_OF.get(settings.organ)
    if not settings.propose or Path(model).suffix == MEDICALNET_SUFFIX or region not in spec.regions:
        return None, None
    rule = Rule(settings.proposal_slices, settings.proposal_stride, settings.proposal_threshold)
    found = propose(load_model(model), cases, settings.organ, rule, cache)
    reports: dict[str, Any] = {"all": report_proposals(found, cases, settings.organ, spec).to_dict()}
    if tested:
        reports["test"] = report_proposals(found, tested, settings.organ, spec).to_dict()
    write_text(out / PROPOSALS_NAME, json.dumps(reports, indent=1) + "\n")
    starts = {name: proposal.chosen for name, proposal in found.items()}
    return Proposals(starts, rule.slices), reports.get("test", {}).get("recall_mean")


def _test(
    out: Path,
    cases: Sequence[Case],
    proposals: Proposals | None,
    settings: TransferConfig,
    progress: Progress,
) -> dict[str, list[CaseScore]]:
    """Score the test scans by each pass, write the table, and put it onto the card."""
    segmenter = load_segmenter(out)
    passes = {"first": False, **({"second": True} if settings.second_pass == "on" else {})}
    scores = {
        name: evaluate_segmenter(segmenter, cases, proposals, again, progress)
        for name, again in passes.items()
    }
    columns = ("pass", *(CaseScore.__slots__))
    rows = [(name, *asdict(score).values()) for name, own in scores.items() for score in own]
    write_rows(out / TEST_NAME, columns, rows)
    update_card(out, _measured(scores))
    return scores


def _measured(scores: Mapping[str, Sequence[CaseScore]]) -> str:
    lines = ["| Test scans | Pass | Mean Dice | Median Dice | Least Dice |", "|---|---|---|---|---|"]
    for name, own in scores.items():
        dice = [score.dice for score in own]
        if dice:
            figures = " | ".join(
                f"{100 * value:.1f}" for value in (np.mean(dice), np.median(dice), min(dice))
            )
            lines.append(f"| {len(dice)} | {name} | {figures} |")
    return "\n".join(lines) + "\n\nIn percent; scans are of patients who neither trained nor validated."
