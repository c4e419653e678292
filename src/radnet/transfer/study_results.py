"""What a study gives to read: tables as Markdown and CSV, curves, outlines, and the way to a mask.

STUDY/tables.md, scores.csv, differences.csv, and figures/*.png. Pictures bear no name of a case: who looks
for one finds it in cases.parquet, by its scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import polars as pl

from radnet.errors import StudyError
from radnet.figures.drawing import Drawing, to_png
from radnet.figures.learning import learning_panels
from radnet.figures.outlines import OutlinedCase, outlined_cases
from radnet.figures.windows import ShownWindow, window_figure
from radnet.tables import read_table
from radnet.training.history import read_history
from radnet.transfer.cases import Case, unpack_mask
from radnet.transfer.grid import resample_mask
from radnet.transfer.proposal import Proposal
from radnet.transfer.study_runs import MASKS_NAME, RUNS
from radnet.transfer.study_tables import (
    Sheet,
    budget_sheet,
    differences_csv,
    differences_sheet,
    paper_sheet,
    scores_csv,
    scores_sheet,
)
from radnet.transfer.summary import differences, summarise
from radnet.workspace import write_text

STUDY_NAME: Final = "study.json"
RUNS_TABLE: Final = "runs.parquet"
CASES_TABLE: Final = "cases.parquet"
TABLES_NAME: Final = "tables.md"
SCORES_NAME: Final = "scores.csv"
DIFFERENCES_NAME: Final = "differences.csv"
FIGURES: Final = "figures"
FEW_PATIENTS: Final = 10
"""Below which the tables say how little an interval can tell."""
PLACES: Final = ("best", "median", "worst")


class Shown(Protocol):
    """What pictures are made from."""

    def case(self, name: str) -> Case:
        """Return a prepared case."""
        ...

    @property
    def proposals(self) -> Mapping[str, Proposal] | None:
        """Windows by case."""
        ...


def write_results(out: Path, material: Shown | None = None) -> tuple[str, ...]:
    """Write the tables and pictures of a study.

    Args:
        out: Its folder, with runs.parquet and cases.parquet.
        material: The cases; without them, pictures of cases stay as they are.

    Returns:
        Names of the files, relative to the folder.

    Raises:
        StudyError: If there is no study in the folder.
    """
    told, runs, cases = read_study(out)
    texts = {
        TABLES_NAME: tables_text(told, runs, cases),
        SCORES_NAME: scores_csv(summarise(cases)),
        DIFFERENCES_NAME: differences_csv(differences(cases)),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    drawings = dict(curves(out, told, runs))
    if material is not None:
        drawings |= dict(_pictures(out, told, cases, material))
    (out / FIGURES).mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        (out / FIGURES / f"{name}.png").write_bytes(to_png(drawing))
    return (*texts, *(f"{FIGURES}/{name}.png" for name in drawings))


def read_study(out: Path) -> tuple[dict[str, Any], pl.DataFrame, pl.DataFrame]:
    """Return study.json and the tables of runs and of cases.

    Raises:
        StudyError: If there is no study in the folder.
        WorkspaceError: If a table is damaged.
    """
    try:
        told: dict[str, Any] = json.loads((out / STUDY_NAME).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{out}: holds no study; `radnet study freezing` makes one") from error
    if not (out / RUNS_TABLE).exists():
        raise StudyError(f"{out}: no run is finished yet; the command that began it goes on")
    return told, read_table(out / RUNS_TABLE, "study"), read_table(out / CASES_TABLE, "study")


class Section(NamedTuple):
    """A table with its title and how it is read."""

    title: str
    note: str
    sheet: Sheet


def sections(runs: pl.DataFrame, cases: pl.DataFrame) -> tuple[Section, ...]:
    """Return the tables that have rows."""
    lines = summarise(cases)
    found = (
        Section("Scores", HOW_SCORED, scores_sheet(lines)),
        Section("Ahead of what is not pretrained", HOW_COMPARED, differences_sheet(differences(cases))),
        Section("Beside the paper", HOW_PAPER, paper_sheet(lines)),
        Section("Budgets as they were", "Medians of the runs.", budget_sheet(runs)),
    )
    return tuple(section for section in found if section.sheet.rows)


def tables_text(told: Mapping[str, Any], runs: pl.DataFrame, cases: pl.DataFrame) -> str:
    """Write all tables with what must be known to read them."""
    parts = [f"# Transfer: {told['organ']}", protocol(told, runs, cases)]
    for section in sections(runs, cases):
        parts += [f"## {section.title}", section.note, section.sheet.markdown()]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


HOW_SCORED: Final = "Of each arm, by the scans that it trained on; 95 % intervals in brackets."
HOW_COMPARED: Final = (
    "Mean difference, case by case, of the pretrained arm minus the other; sure: the 95 % interval of the "
    "Dice excludes zero. A lower HD95 is better."
)
HOW_PAPER: Final = (
    "3D-RADNet, tables 2 and 3: LiTS, 20 test cases, one run each, without intervals. Other data, so no "
    "difference is to be taken."
)


def protocol(told: Mapping[str, Any], runs: pl.DataFrame, cases: pl.DataFrame) -> str:
    """Say in sentences who was tested, how often, and with which budget."""
    study, transfer = told["study"], told["transfer"]
    n_done, n_runs = len(runs), max(told["n_runs"], len(runs))
    how = (
        f"{study['folds_run'] or study['folds']} of {study['folds']} folds over patients"
        if study["folds"]
        else "one split of 70:15:15 by patient"
    )
    budget = f"{transfer['max_steps']:,} steps of {transfer['batch_size']} windows"
    if transfer["max_minutes"] is not None:
        budget = f"{60 * transfer['max_minutes']:g} seconds of steps (at most {budget})"
    kept = "last" if study["folds"] and not study["validation"] else transfer["keep"]
    weights = "the last weights" if kept == "last" else "the weights with the best validation Dice"
    return (
        f"{told['n_cases']} scans of {told['n_patients']} patients, {len(told['left_out'])} left out; {how}, "
        f"seeds {', '.join(map(str, study['seeds']))}; {n_done} of {n_runs} runs are done. Every run had the "
        f"same budget, {budget}, and kept {weights}. Masks are scored on the voxels of the scan as it was "
        f"stored. A case counts once: its score is the mean over seeds. Brackets are 95 % intervals by "
        f"bootstrap over patients; the surface Dice allows {study['tolerance_mm']:g} mm; a failure is a Dice "
        f"below 50 %.{_few(cases)}"
    )


def _few(cases: pl.DataFrame) -> str:
    """Say that few patients make intervals that are too narrow."""
    count = cases["patient"].n_unique()
    if count >= FEW_PATIENTS:
        return ""
    return f" {count} patients were tested: a bootstrap over so few gives intervals that are too narrow."


def curves(out: Path, told: Mapping[str, Any], runs: pl.DataFrame) -> Iterator[tuple[str, Drawing]]:
    """Draw the losses of all runs (figure A1), one picture a size."""
    no_validation = told["study"]["folds"] and not told["study"]["validation"]
    words = "a training scan, not varied" if no_validation else "validation"
    ordered = runs.sort("size_number", "arm_number", maintain_order=True)
    for (number,), part in ordered.partition_by("size_number", as_dict=True, maintain_order=True).items():
        ways: dict[str, list[Any]] = {}
        for run, title in part.select("run", "title").iter_rows():
            ways.setdefault(title, []).append(read_history(out / RUNS / run))
        yield f"learning-{number}", learning_panels(list(ways.items()), words)


def _pictures(
    out: Path, told: Mapping[str, Any], cases: pl.DataFrame, material: Shown
) -> Iterator[tuple[str, Drawing]]:
    """Draw the best, median and worst case of each arm at its largest size, and figure 2 of the first."""
    for number, (arm, part) in enumerate(_largest(cases)):
        rows = chosen_rows(part)
        shown = [_outlined(out, row, material.case(row["case"]), place) for place, row in rows]
        alt = f"{part['title'][0]}: best, median and worst of {len(part)} masks of {told['organ']}."
        yield f"cases-{arm}", outlined_cases(shown, alt)
        if number == 0 and material.proposals is not None:
            row = dict(rows)["median"]
            yield (
                "windows",
                _windows(_outlined(out, row, material.case(row["case"]), ""), row, told, material.proposals),
            )


def _largest(cases: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each arm's rows at the size that trained on most."""
    for (arm,), part in cases.partition_by("arm", as_dict=True, maintain_order=True).items():
        yield str(arm), part.filter(pl.col("n_training") == pl.col("n_training").max())


def chosen_rows(part: pl.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """Return the best, median and worst row by Dice."""
    ordered = part.sort("dice", "case", "run", descending=[True, False, False])
    places = (0, (len(ordered) - 1) // 2, len(ordered) - 1)
    return [(name, ordered.row(place, named=True)) for name, place in zip(PLACES, places, strict=True)]


def _outlined(out: Path, row: Mapping[str, Any], case: Case, place: str) -> OutlinedCase:
    with np.load(out / RUNS / row["run"] / MASKS_NAME) as masks:
        mask = unpack_mask(masks[row["case"]].tobytes(), case.scan)
    return OutlinedCase(
        f"{row['title']}, {place}" if place else row["title"],
        f"Dice {row['dice']:.3f}, HD95 {row['hd95_mm']:.1f} mm, surface Dice {row['surface_dice']:.3f}, "
        f"{row['mask_ml']:,.0f} ml of {row['truth_ml']:,.0f} ml; trained on {row['n_training']}",
        case.image,
        case.mask,
        resample_mask(mask, case.scan, case.grid),
        case.affine,
    )


def _windows(
    shown: OutlinedCase, row: Mapping[str, Any], told: Mapping[str, Any], proposals: Mapping[str, Proposal]
) -> Drawing:
    own = proposals[row["case"]]
    windows: Sequence[ShownWindow] = [
        ShownWindow(start, score, start in own.chosen)
        for start, score in zip(own.starts, own.scores, strict=True)
    ]
    return window_figure(shown, windows, own.slices, own.threshold, told["organ"])
