"""The tables of a study as Markdown and CSV, in the form of the paper's tables 2 and 3.

The paper's four columns stand first; what a clinic asks for follows: millimetres, surfaces, failures.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from radnet.metrics import Measure, shown
from radnet.studies import size_name
from radnet.transfer.summary import Difference, Line

PAPER_TABLE_2: Final = {
    "Froze all layers": (90.0, 80.7, 90.0, 81.8),
    "Froze to block 3": (72.1, 59.7, 81.0, 68.1),
    "Froze to block 2": (84.3, 76.8, 90.3, 82.3),
    "Froze to block 1": (77.6, 65.1, 81.8, 69.3),
    "Weights only": (44.8, 38.1, 43.0, 27.4),
    "No transfer learning": (41.8, 38.0, 43.0, 27.3),
}
"""Mean Dice, mean IoU, median Dice, median IoU in percent, of 20 of the 131 CT of LiTS."""
PAPER_TABLE_3: Final = {
    "100 %": (90.0, 81.6, 90.1, 82.0),
    "80 %": (84.7, 75.0, 89.0, 80.0),
    "60 %": (84.2, 73.9, 87.2, 77.3),
    "40 %": (87.0, 77.9, 90.9, 83.4),
    "20 %": (80.0, 69.3, 86.5, 76.1),
}
COLUMNS: Final = (
    ("mean Dice", "means", "dice", "%"),
    ("mean IoU", "means", "iou", "%"),
    ("median Dice", "medians", "dice", "%"),
    ("median IoU", "medians", "iou", "%"),
    ("median HD95", "medians", "hd95_mm", "mm"),
    ("mean surface Dice", "means", "surface_dice", "%"),
    ("mean volume error", "means", "volume_error_ml", "ml"),
    ("failures", "means", "failed", "%"),
)
"""Heading, statistic, score and unit."""
GAINS: Final = (("Dice", "dice", "%"), ("surface Dice", "surface_dice", "%"), ("HD95", "hd95_mm", "mm"))
COUNTS: Final = ("size", "n_training", "n_runs", "n_cases", "n_patients")


class Sheet(NamedTuple):
    """A table of texts."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Write it as Markdown."""
        lines = ["| " + " | ".join(self.heads) + " |", "|" + "---|" * len(self.heads)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


def scores_sheet(lines: Sequence[Line]) -> Sheet:
    """Return the table of all arms and sizes."""
    heads = ("arm", "trained on", "runs", "tested", *(heading for heading, *_ in COLUMNS), "spread of seeds")
    return Sheet(heads, tuple(tuple(_row(line)) for line in lines))


def _row(line: Line) -> Iterator[str]:
    yield line.title
    yield trained_on(line)
    yield str(line.n_runs)
    yield str(line.n_cases)
    for _, statistic, score, unit in COLUMNS:
        yield shown(getattr(line, statistic)[score], unit)
    yield "-" if line.spread is None else f"{100 * line.spread:.1f}%"


def trained_on(line: Line) -> str:
    """Write a size with its cases: `12`, or `20 % (18)`."""
    return line.size if line.size == str(line.n_training) else f"{line.size} ({line.n_training})"


def differences_sheet(found: Sequence[Difference]) -> Sheet:
    """Return how far the pretrained arms are ahead of the others."""
    heads = ("trained on", "arm", "against", "patients", *(heading for heading, *_ in GAINS), "sure")
    rows = tuple(
        (
            one.size,
            one.title,
            one.than,
            str(one.n_patients),
            *(_signed(one.gains[score], unit) for _, score, unit in GAINS),
            "yes" if one.sure else "no",
        )
        for one in found
    )
    return Sheet(heads, rows)


def _signed(gain: Measure, unit: str) -> str:
    text = shown(gain, unit)
    return text if gain.value is None or gain.value < 0 else f"+{text}"


def budget_sheet(runs: pl.DataFrame) -> Sheet:
    """Return what each arm's runs took, as medians."""
    heads = (
        *("arm", "trained on", "steps", "seconds of steps", "seconds in all", "seconds a scan"),
        "weights that learn",
    )
    grouped = runs.group_by("arm_number", "size_number", maintain_order=True).agg(
        pl.col("title", "size").first(),
        pl.col("steps", "training_seconds", "wall_seconds", "outline_seconds", "n_learning").median(),
    )
    rows = tuple(
        (
            row["title"],
            row["size"],
            f"{row['steps']:,.0f}",
            f"{row['training_seconds']:,.1f}",
            f"{row['wall_seconds']:,.1f}",
            f"{row['outline_seconds']:.2f}",
            f"{row['n_learning'] / 1e6:.2f} M",
        )
        for row in grouped.sort("arm_number", "size_number").iter_rows(named=True)
    )
    return Sheet(heads, rows)


def paper_sheet(lines: Sequence[Line]) -> Sheet:
    """Return the paper's own figures beside ours, for the rows that it has."""
    heads = ("arm", "trained on", *(f"{heading}, ours / paper" for heading, *_ in COLUMNS[:4]))
    rows = []
    for line in lines:
        paper = _paper_row(line)
        if paper is not None:
            own = (getattr(line, kind)[score].value for _, kind, score, _ in COLUMNS[:4])
            cells = (f"{100 * ours:.1f}% / {theirs:.1f}%" for ours, theirs in zip(own, paper, strict=True))
            rows.append((line.title, trained_on(line), *cells))
    return Sheet(heads, tuple(rows))


def _paper_row(line: Line) -> tuple[float, ...] | None:
    if line.size == size_name(1.0):
        return PAPER_TABLE_2.get(line.title)
    return PAPER_TABLE_3.get(line.size) if line.title == "Froze all layers" else None


def scores_csv(lines: Sequence[Line]) -> str:
    """Write every mean and median with its interval: a line an arm and size."""
    rows = []
    for line in lines:
        row: dict[str, Any] = {"arm": line.arm, "title": line.title, "kind": line.kind}
        row |= {name: getattr(line, name) for name in COUNTS}
        for statistic, figures in (("mean", line.means), ("median", line.medians)):
            row |= _spelled(statistic, figures)
        row["seed_spread_dice"] = line.spread
        rows.append(row)
    return _csv(rows)


def differences_csv(found: Sequence[Difference]) -> str:
    """Write the differences with their intervals."""
    return _csv(
        [
            {
                "size": one.size,
                "arm": one.title,
                "than": one.than,
                "n_patients": one.n_patients,
                **_spelled("gain", one.gains),
                "sure": one.sure,
            }
            for one in found
        ]
    )


def _spelled(statistic: str, figures: Mapping[str, Measure]) -> dict[str, float | None]:
    return {
        f"{statistic}_{score}{suffix}": getattr(figure, part)
        for score, figure in figures.items()
        for suffix, part in (("", "value"), ("_low", "low"), ("_high", "high"))
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _plain(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
