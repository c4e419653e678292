"""Write the page and its pictures: 8-report/index.html and 8-report/figures/*.png.

Equal tables and volumes give equal bytes: no time and no random choice is on the page.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet import __version__
from radnet.config import RadnetConfig
from radnet.executors import Progress, silent
from radnet.figures.drawing import Drawing, to_png, to_svg
from radnet.report.agreement import disagreements, naming_votes, outcomes, rule_records
from radnet.report.artefacts import Artefacts, digests, read_artefacts
from radnet.report.distribution import distribution
from radnet.report.examples import MAX_COMBINATIONS, Card, combinations, draw_cards
from radnet.report.overview import funnel_steps, headline, refused
from radnet.report.page import Page, render
from radnet.report.pictures import drawings
from radnet.report.predicted import predicted_digests, read_predicted
from radnet.report.studies import read_segmenters, read_studies, study_digests
from radnet.report.texts import open_texts
from radnet.report.trained import read_trained, trained_digests
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace, write_text

FOLDER: Final = "8-report"
PAGE: Final = "index.html"
FIGURES: Final = "figures"
MONTAGE_TABLE: Final = "montage.csv"
VOLUMES_FOLDER: Final = "4-volumes"
LABELS_FOLDER: Final = "3-labels"

SHOWN_SETTINGS: Final = (
    "keep_sequences",
    "keep_geometries",
    "keep_reformats",
    "exact_orientation",
    "max_tilt_deg",
    "require_description",
    "min_slices",
    "max_effective_spacing_mm",
    "contrast_from_agent_alone",
)
"""Keys of the `labels` table that the page shows; paths of rules and decisions stay out."""


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What was written.

    Attributes:
        page: The HTML file.
        figures: Folder of the PNG pictures.
        n_figures: How many pictures there are.
        n_stacks: Stacks in the archive.
        n_kept: Stacks that were kept.
        n_combinations: Combinations of labels among them.
        n_pictured: Combinations with a picture.
        volumes_built: Whether there were volumes to picture.
    """

    page: Path
    figures: Path
    n_figures: int
    n_stacks: int
    n_kept: int
    n_combinations: int
    n_pictured: int
    volumes_built: bool


def write_report(
    work: Path | str, config: RadnetConfig = RadnetConfig(), progress: Progress = silent
) -> ReportSummary:
    """Write the page that shows what an archive held, what was kept, and how the labels came about.

    Args:
        work: The workspace, labelled; volumes are pictured when they are built.
        config: Its `report` table is used, the shape of its volumes, and which rules take regions away.
        progress: Called with pictures drawn.

    Returns:
        What was written and where.

    Raises:
        WorkspaceError: If a table is missing or damaged (the message names the verb to run), or another
            process writes the report.
        RuleError: If a rule table has a fault.
    """
    workspace = Workspace(work)
    read = inputs(workspace, config)
    artefacts = read_artefacts(workspace)
    volumes = artefacts.volumes
    store = VolumeStore(workspace.root / VOLUMES_FOLDER) if volumes is not None else None
    built = pl.Series("stack_id", store.ids if store else (), pl.String)
    found = combinations(artefacts.kept, built, config.report.montage_examples)
    figures = drawings(artefacts, config.volumes.shape[0])
    with workspace.lock(FOLDER):
        cards = draw_cards(found[:MAX_COMBINATIONS], store, progress)
        page = _page(workspace, config, artefacts, cards, len(found) - len(cards), figures)
        pictures = _pictures(figures, cards)
        names = _write(workspace.folder(FOLDER), render(page), pictures, cards)
        workspace.write_record("report", FOLDER, used_config(config), read, names, __version__)
    return ReportSummary(
        page=workspace.root / FOLDER / PAGE,
        figures=workspace.root / FOLDER / FIGURES,
        n_figures=len(pictures),
        n_stacks=len(artefacts.stacks),
        n_kept=len(artefacts.kept),
        n_combinations=len(found),
        n_pictured=sum(bool(card.montages) for card in cards),
        volumes_built=volumes is not None,
    )


def inputs(workspace: Workspace, config: RadnetConfig) -> dict[str, str]:
    """Digest the tables and figures that the report reads; those that are not there are left out."""
    return {
        **digests(workspace),
        **trained_digests(workspace),
        **study_digests(workspace),
        **predicted_digests(workspace),
    }


def used_config(config: RadnetConfig) -> dict[str, Any]:
    """Return the part of the configuration that the page depends on, beside the tables."""
    whole = config.model_dump(mode="json")
    return {
        "report": whole["report"],
        "labels": {"rules": whole["labels"]["rules"]},
        "volumes": {"shape": whole["volumes"]["shape"]},
    }


def _page(
    workspace: Workspace,
    config: RadnetConfig,
    artefacts: Artefacts,
    cards: tuple[Card, ...],
    n_left_out: int,
    figures: Mapping[str, Drawing],
) -> Page:
    stacks, votes = artefacts.stacks, artefacts.votes
    naming = naming_votes(votes, config.labels.rules)
    return Page(
        version=__version__,
        settings=tuple(_settings(workspace)),
        tiles=headline(artefacts),
        steps=funnel_steps(artefacts.funnel),
        skipped=refused(artefacts.skipped),
        failures=refused(artefacts.failures),
        n_kept=len(artefacts.kept),
        blocks=distribution(artefacts.kept),
        outcomes=outcomes(stacks, naming),
        records=rule_records(stacks, votes),
        disagreements=disagreements(stacks, naming),
        texts=open_texts(stacks, config.report.min_patients_for_text),
        min_patients=config.report.min_patients_for_text,
        drawings={name: to_svg(drawing) for name, drawing in figures.items()},
        cards=cards,
        n_left_out=n_left_out,
        volumes_built=artefacts.volumes is not None,
        trained=read_trained(workspace),
        predicted=read_predicted(workspace),
        segmenters=read_segmenters(workspace),
        studies=read_studies(workspace),
    )


def _settings(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield the choices with which the labels were made, from their record."""
    record = workspace.read_record(LABELS_FOLDER)
    table: dict[str, Any] = record.config.get("labels", {}) if record else {}
    for name in SHOWN_SETTINGS:
        if name in table:
            value = table[name]
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()


def _pictures(figures: Mapping[str, Drawing], cards: Sequence[Card]) -> dict[str, bytes]:
    """Return the PNG pictures by file name."""
    drawn = {f"{name}.png": to_png(drawing) for name, drawing in figures.items()}
    return drawn | {montage.name: montage.png for card in cards for montage in card.montages}


def _write(folder: Path, page: str, pictures: Mapping[str, bytes], cards: Sequence[Card]) -> tuple[str, ...]:
    """Write page, pictures and the table of montages; pictures of an earlier run go.

    Returns:
        The names of the files, relative to the folder.
    """
    figures = folder / FIGURES
    figures.mkdir(exist_ok=True)
    for old in figures.glob("*.png"):
        if old.name not in pictures:
            old.unlink()
    for name, content in pictures.items():
        (figures / name).write_bytes(content)
    write_text(figures / MONTAGE_TABLE, _montage_table(cards))
    write_text(folder / PAGE, page)
    return (PAGE, *(f"{FIGURES}/{name}" for name in sorted((*pictures, MONTAGE_TABLE))))


def _montage_table(cards: Sequence[Card]) -> str:
    """Say which stack each montage shows."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("picture", "stack_id", "sequence", "view", "contrast", "coverage", "stacks"))
    for card in cards:
        for montage in card.montages:
            rows.writerow((montage.name, montage.stack_id, *card.combination.words, card.combination.stacks))
    return text.getvalue()
