"""Turn a trained segmenter into the one that comes with the package: `recipes/small-liver.sh` calls it.

The card shows what `radnet evaluate RUN --data` measured, in the order in which the names are given. The
figures are of the weights in 32 bits; how far the shipped ones are from those is measured here and stands
there too.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from radnet.errors import NetworkError
from radnet.networks.inference import Floats, Grey
from radnet.networks.segmenter import load_segmenter
from radnet.networks.ship import PARITY, complete_card, made_aside, ship_segmenter
from radnet.networks.windows import cover, slide
from radnet.transfer.cases import segmenter_preparation
from radnet.transfer.evaluate import CASES_NAME, EVALUATION
from radnet.transfer.readers import prepare_cases, survey

COMPARED_SCANS: Final = 8
"""Scans in whose windows 16 and 32 bits are compared."""
LEAST_OVERLAP: Final = 0.995
"""Dice of the two, below which nothing is shipped."""


def ship_segmenter_run(
    run: Path | str,
    data: Path | str,
    out: Path | str,
    told: Mapping[str, str],
    evaluations: Sequence[str],
    labels: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Write the shipped segmenter of a run, with its card.

    Args:
        run: Folder of the segmenter, with its evaluations.
        data: Scans with masks, in whose windows it is compared with the run's own weights.
        out: Where it goes, e.g. `src/radnet/models/liver`.
        told: Further lines for the card's section on training data.
        evaluations: Names of evaluations for the card, those on real scans first.
        labels: As of `survey`.

    Returns:
        What was compared, as `ship_segmenter` returns it.

    Raises:
        NetworkError: If an evaluation is missing, or the shipped one gives other masks.
        CaseError: If the data cannot be used.
    """
    run, out = Path(run), Path(out)
    segmenter = load_segmenter(run, backend="torch")
    files = survey(data, segmenter.spec.organ, labels).cases[:COMPARED_SCANS]
    windows: list[Grey] = []

    def keep(some: Grey) -> Floats:
        windows.extend(some)
        return np.zeros(some.shape, np.float32)

    for case in prepare_cases(files, segmenter_preparation(segmenter.spec)).cases:
        shape = segmenter.spec.window
        slide(keep, case.image, shape, cover(len(case.image), shape[0], segmenter.spec.overlap))
    training_data = {**told, **segmenter.metadata.get("training_data", {})}
    measured = f"{measured_markdown(run, evaluations)}\n\n{PARITY}"
    with made_aside(out) as made:
        found = ship_segmenter(run, made, windows, training_data, measured)
        if found["overlap"] < LEAST_OVERLAP:
            raise NetworkError(
                f"{out}: its masks overlap with those of {run} by {found['overlap']:.3f} alone"
            )
        complete_card(made, _parity(found))
    return found


def measured_markdown(run: Path, evaluations: Sequence[str]) -> str:
    """Write what was measured as Markdown, a line an evaluation."""
    lines = [
        "| Scans | Number | Mean Dice | Median | Least | HD95, mm | Dice below 0.5 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in evaluations:
        path = run / EVALUATION / name / CASES_NAME
        if not path.exists():
            raise NetworkError(
                f"{path} is missing; `radnet evaluate {run} --data SCANS --name {name}` makes it"
            )
        with path.open(newline="", encoding="utf-8") as table:
            rows = [row for row in csv.DictReader(table) if not row["left_out"]]
        dice = np.array([float(row["dice"]) for row in rows])
        hd95 = np.mean([float(row["hd95_mm"]) for row in rows])
        failed = sum(row["failed"] == "True" for row in rows)
        lines.append(
            f"| {name} | {len(rows)} | {dice.mean():.3f} | {np.median(dice):.3f} | {dice.min():.3f} "
            f"| {hd95:.1f} | {failed} |"
        )
    return "\n".join(lines) + "\n\nOn the scans' own voxels; it was trained on none of them."


def _parity(found: Mapping[str, Any]) -> str:
    return (
        f"Weights are kept in 16 bits and computed with in 32. In {found['windows']} windows the masks of "
        "ONNX Runtime with them overlap with those of torch with the trained ones by "
        f"{found['overlap']:.4f} (Dice)."
    )
