"""What an evaluation leaves: figures as JSON, CSV and Markdown, predictions, mistakes, pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from radnet import __version__
from radnet.figures.confusion import confusion_matrix
from radnet.figures.drawing import to_png
from radnet.figures.reliability import reliability
from radnet.metrics import Calibration, confusion, plain
from radnet.networks.card import render_card
from radnet.networks.folder import CARD_NAME, read_config
from radnet.pretrain import runs
from radnet.pretrain.losses import CLASS_HEADS
from radnet.pretrain.predictions import Predictions
from radnet.pretrain.reliability import Reliability, reliabilities_markdown
from radnet.pretrain.rulers import Ruler, rulers_markdown
from radnet.pretrain.runs import TITLES
from radnet.pretrain.table1 import Table1, as_csv, as_markdown, true_and_said
from radnet.pretrain.worst import Mistake, draw_mistake
from radnet.tables import write_table
from radnet.volumes.store import VolumeStore
from radnet.workspace import digest_file, write_text


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured.

    Attributes:
        split: What was tested on.
        heads: That were trained.
        tested: The predictions.
        table: The paper's table 1.
        rulers: Figures of simpler means.
        reliabilities: Calibration by head.
        mistakes: Those that the network is surest of.
    """

    split: str
    heads: tuple[str, ...]
    tested: Predictions
    table: Table1
    rulers: tuple[Ruler, ...]
    reliabilities: tuple[Reliability, ...]
    mistakes: tuple[Mistake, ...]

    def confusions(self) -> dict[str, np.ndarray]:
        """Return (classes, classes) counts by head, truth by row."""
        found: dict[str, np.ndarray] = {}
        for head in CLASS_HEADS:
            if head in self.heads and self.tested.truths[head].known.any():
                truth, said = true_and_said(self.tested, head)
                found[head] = confusion(truth, said, len(self.tested.words(head)))
        return found


def write_evaluation(folder: Path, evaluation: Evaluation, run: Path, store: VolumeStore) -> None:
    """Write an evaluation; what an earlier one left there goes.

    Args:
        folder: Is made if needed.
        evaluation: What was measured.
        run: Folder of the model.
        store: The tested volumes, for pictures of mistakes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.png"), folder / runs.METRICS_NAME):
        old.unlink(missing_ok=True)
    write_text(folder / runs.TABLE_MARKDOWN, _markdown(evaluation))
    write_text(folder / runs.TABLE_CSV, as_csv(evaluation.table))
    write_table(_predictions(evaluation.tested, evaluation.heads), folder / runs.PREDICTIONS_NAME)
    mistakes = pl.DataFrame([asdict(mistake) for mistake in evaluation.mistakes], infer_schema_length=None)
    write_text(folder / runs.MISTAKES_NAME, mistakes.write_csv())
    for name, content in _pictures(evaluation, store).items():
        (folder / name).write_bytes(content)
    text = json.dumps(_metrics(evaluation, run), indent=1, allow_nan=False)
    write_text(folder / runs.METRICS_NAME, text + "\n")  # last: it vouches for the rest


def _markdown(evaluation: Evaluation) -> str:
    parts = [as_markdown(evaluation.table)]
    if evaluation.rulers:
        told = "Top-1 accuracy, exact set of the coverage, mean absolute error of the spacing:"
        parts.append(f"{told}\n\n{rulers_markdown(evaluation.rulers)}")
    if evaluation.reliabilities:
        told = "Expected calibration error (ECE); temperatures are fitted on validation volumes:"
        parts.append(f"{told}\n\n{reliabilities_markdown(evaluation.reliabilities)}")
    return "\n".join(parts)


def _metrics(evaluation: Evaluation, run: Path) -> dict[str, Any]:
    matrices = evaluation.confusions()
    tested = evaluation.tested
    return {
        "version": __version__,
        "split": evaluation.split,
        "weights": digest_file(run / runs.WEIGHTS_NAME),
        "volumes": len(tested.samples),
        "patients": len(set(tested.patients)),
        "classes": [asdict(row) for row in evaluation.table.classes],
        "totals": [asdict(row) for row in evaluation.table.totals],
        "rulers": [asdict(ruler) for ruler in evaluation.rulers],
        "confusion": {
            head: {"words": tested.words(head), "counts": counts.tolist()}
            for head, counts in matrices.items()
        },
        "calibration": [
            {
                "head": one.head,
                "temperature": one.temperature,
                "before": _bins(one.before),
                "after": None if one.after is None else _bins(one.after),
            }
            for one in evaluation.reliabilities
        ],
    }


def _bins(found: Calibration) -> dict[str, Any]:
    return {name: plain(getattr(found, name)) for name in ("error", "counts", "confidence", "accuracy")}


def _predictions(tested: Predictions, heads: tuple[str, ...]) -> pl.DataFrame:
    """Return truth, answer and probabilities a volume, for figures of one's own."""
    columns: dict[str, Any] = {"stack_id": tested.samples["stack_id"]}
    for head in heads:
        truth = tested.truths[head]
        if head == "spacing":
            columns |= {"spacing_mm": truth.value, "spacing_mm_said": tested.logits[head]}
            continue
        words, shares = tested.words(head), tested.probabilities(head)
        label = "coverage" if head == "coverage" else head
        columns[label] = tested.samples[label]
        if head in CLASS_HEADS:
            columns[f"{head}_said"] = [words[number] for number in shares.argmax(1)]
        else:
            columns["coverage_said"] = [
                [word for word, share in zip(words, row, strict=True) if share > 0.5] for row in shares
            ]
        columns |= {f"{head}_{word}": shares[:, number] for number, word in enumerate(words)}
    return pl.DataFrame(columns)


def _pictures(evaluation: Evaluation, store: VolumeStore) -> dict[str, bytes]:
    """Draw confusion matrices, reliability and mistakes, by file name."""
    tested = evaluation.tested
    found = {
        f"{runs.CONFUSION_PREFIX}{head}.png": to_png(
            confusion_matrix(counts, tested.words(head), TITLES[head])
        )
        for head, counts in evaluation.confusions().items()
    }
    if evaluation.reliabilities:
        panels = [
            (TITLES[one.head], one.before, one.temperature, one.after) for one in evaluation.reliabilities
        ]
        found[runs.RELIABILITY_NAME] = to_png(reliability(panels))
    for mistake in evaluation.mistakes:
        if mistake.picture is not None:
            found[mistake.picture] = draw_mistake(mistake, tested, store)
    return found


def update_card(run: Path) -> None:
    """Put the tables of all evaluations onto the card of a model folder."""
    model = read_config(run)
    tables = [
        f"### {folder.name}\n\n{(folder / runs.TABLE_MARKDOWN).read_text('utf-8')}"
        for folder in runs.evaluation_folders(run)
    ]
    measured = "\n".join(tables) + (
        "\n95 % intervals in brackets, by bootstrap over patients; one class against the rest in the rows of "
        "classes.\n"
    )
    card = render_card(run.name, model["network"], model["metadata"], model["versions"], measured)
    write_text(run / CARD_NAME, card)
