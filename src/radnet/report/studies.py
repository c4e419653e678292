"""What a study of transfer gave, for the page of a workspace and for a page of its own.

Read from what `radnet study` wrote; nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet import __version__
from radnet.figures.drawing import to_svg
from radnet.report.environment import page_environment
from radnet.transfer.runs import METRICS_NAME, read_metrics
from radnet.transfer.study_results import (
    FIGURES,
    RUNS_TABLE,
    STUDY_NAME,
    Section,
    curves,
    protocol,
    read_study,
    sections,
)
from radnet.workspace import Workspace, digest_file, write_text

FOLDER: Final = "6-transfer"
PAGE: Final = "index.html"
TEMPLATE: Final = "study_page.html.j2"
SHOWN_ARMS: Final = 3
"""Arms whose best, median and worst case the page shows, one a kind; the folder has all."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with what it shows."""

    words: str
    png: bytes


@dataclass(frozen=True, slots=True)
class StudyView:
    """One study, for a reader.

    Attributes:
        name: Of its folder.
        organ: What was outlined.
        protocol: Who was tested, how often, with which budget.
        sections: Tables.
        curves: Words and SVG, one a size.
        pictures: The way to a mask, and cases.
    """

    name: str
    organ: str
    protocol: str
    sections: tuple[Section, ...]
    curves: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class SegmenterView:
    """One segmenter that was trained by itself."""

    name: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StudyPage:
    """Where the page of a study lies."""

    page: Path


def study_digests(workspace: Workspace) -> dict[str, str]:
    """Digest what the page shows of studies and segmenters, by name."""
    folder = workspace.root / FOLDER
    files = [path for name in (RUNS_TABLE, STUDY_NAME, METRICS_NAME) for path in folder.glob(f"*/{name}")]
    return {str(path.relative_to(workspace.root)): digest_file(path) for path in sorted(files)}


def read_studies(workspace: Workspace) -> tuple[StudyView, ...]:
    """Read the studies of a workspace that have a finished run, by name."""
    found = sorted(path.parent for path in (workspace.root / FOLDER).glob(f"*/{RUNS_TABLE}"))
    return tuple(map(study_view, found))


def read_segmenters(workspace: Workspace) -> tuple[SegmenterView, ...]:
    """Read the segmenters of a workspace whose training has ended, by name."""
    found = []
    for path in sorted((workspace.root / FOLDER).glob(f"*/{METRICS_NAME}")):
        metrics = read_metrics(path.parent)
        if metrics is not None:
            summary = metrics["summary"]
            facts = tuple(
                (SPOKEN[key], _shown(summary[key])) for key in SPOKEN if summary.get(key) is not None
            )
            found.append(SegmenterView(path.parent.name, facts))
    return tuple(found)


SPOKEN: Final = {
    "organ": "organ",
    "n_steps": "steps",
    "seconds": "seconds of steps",
    "best_step": "weights of step",
    "dice": "mean Dice in validation, by windows",
}


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def study_view(folder: Path) -> StudyView:
    """Read a study.

    Raises:
        StudyError: If there is none in the folder, or no run is finished.
        WorkspaceError: If a table is damaged.
    """
    told, runs, cases = read_study(folder)
    return StudyView(
        folder.name,
        told["organ"],
        protocol(told, runs, cases),
        sections(runs, cases),
        tuple(_curves(folder, told, runs)),
        tuple(_pictures(folder, cases)),
    )


def _curves(folder: Path, told: Mapping[str, Any], runs: pl.DataFrame) -> Iterator[tuple[str, str]]:
    sizes = runs.sort("size_number")["size"].unique(maintain_order=True)
    for size, (_, drawing) in zip(sizes, curves(folder, told, runs), strict=True):
        words = f"Losses of all runs that trained on {size} {'of the' if '%' in size else ''} scans"
        yield f"{' '.join(words.split())}, as in the paper's figure A1; one panel an arm.", to_svg(drawing)


def _pictures(folder: Path, cases: pl.DataFrame) -> Iterator[Picture]:
    """Yield the way to a mask, and the cases of the first arm of each kind."""
    windows = folder / FIGURES / "windows.png"
    if windows.exists():
        yield Picture(
            "From a scan through windows to a mask, as in the paper's figure 2: a median case.",
            windows.read_bytes(),
        )
    kinds: dict[str, tuple[str, str]] = {}
    for arm, title, kind in cases.select("arm", "title", "kind").iter_rows():
        kinds.setdefault(kind, (arm, title))
    for arm, title in list(kinds.values())[:SHOWN_ARMS]:
        path = folder / FIGURES / f"cases-{arm}.png"
        if path.exists():
            yield Picture(f"{title}: the best, the median and the worst mask.", path.read_bytes())


def write_study_page(folder: Path | str) -> StudyPage:
    """Write the page of one study: index.html in its folder.

    Raises:
        StudyError: If there is no study, or no run is finished.
    """
    folder = Path(folder)
    html = page_environment().get_template(TEMPLATE).render(study=study_view(folder), version=__version__)
    write_text(folder / PAGE, html)
    return StudyPage(folder / PAGE)
