"""The page: one HTML file that needs nothing beside it, loads nothing, and runs no script.

All text passes Jinja's escaping. Drawings are inline SVG in the page's colours, montages are inline PNG.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from radnet.report.agreement import MAX_PAIRS, Disagreement, Outcome, RuleRecord
from radnet.report.distribution import PAPER_TOTALS, Block, named
from radnet.report.environment import page_environment
from radnet.report.examples import Card
from radnet.report.overview import Refused, Step, Tile
from radnet.report.predicted import PredictedView
from radnet.report.studies import SegmenterView, StudyView
from radnet.report.texts import SharedText
from radnet.report.trained import TrainedView

TEMPLATE: Final = "page.html.j2"


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that stands on the page.

    Attributes:
        version: RADNet's version.
        settings: Name and value of the choices behind the labels.
        tiles: Headline numbers.
        steps: The funnel.
        skipped: Files not read, by reason.
        failures: Kept stacks of which no volume could be built, by reason.
        n_kept: Kept stacks.
        blocks: The distribution of labels.
        outcomes: Decided, conflict and unknown by label.
        records: How often each rule decided.
        disagreements: Pairs of rules.
        texts: Texts that may be shown.
        min_patients: How many patients share each of them.
        drawings: SVG by name.
        cards: Combinations shown.
        n_left_out: Combinations not shown.
        volumes_built: Whether there is a store of volumes.
        trained: Runs of training that have ended.
        predicted: What a network says beside the header; None when nothing was predicted.
        segmenters: Segmenters whose training has ended.
        studies: Studies of transfer that have a finished run.
    """

    version: str
    settings: tuple[tuple[str, str], ...]
    tiles: tuple[Tile, ...]
    steps: tuple[Step, ...]
    skipped: tuple[Refused, ...]
    failures: tuple[Refused, ...]
    n_kept: int
    blocks: tuple[Block, ...]
    outcomes: tuple[Outcome, ...]
    records: tuple[RuleRecord, ...]
    disagreements: tuple[Disagreement, ...]
    texts: tuple[SharedText, ...]
    min_patients: int
    drawings: Mapping[str, str]
    cards: tuple[Card, ...]
    n_left_out: int
    volumes_built: bool
    trained: tuple[TrainedView, ...] = ()
    predicted: PredictedView | None = None
    segmenters: tuple[SegmenterView, ...] = ()
    studies: tuple[StudyView, ...] = ()


def render(page: Page) -> str:
    """Write the page as HTML that is also well-formed XML."""
    environment = page_environment(named=named)
    return environment.get_template(TEMPLATE).render(
        page=page,
        drawings={name: Markup(svg) for name, svg in page.drawings.items()},  # escaped when drawn
        paper_totals=PAPER_TOTALS,
        max_pairs=MAX_PAIRS,
    )
