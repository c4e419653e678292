"""The page: one HTML file that needs nothing beside it, loads nothing, and runs no script.

All text passes Jinja's escaping. Drawings are inline SVG in the page's colours, montages are inline PNG.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from radnet.figures.palette import DARK, LIGHT
from radnet.report.agreement import MAX_PAIRS, Disagreement, Outcome, RuleRecord
from radnet.report.distribution import PAPER_TOTALS, Block, named
from radnet.report.examples import Card
from radnet.report.overview import Refused, Step, Tile
from radnet.report.predicted import PredictedView
from radnet.report.texts import SharedText
from radnet.report.trained import TrainedView

TEMPLATE: Final = "page.html.j2"
STYLE: Final = "page.css"


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


def render(page: Page) -> str:
    """Write the page as HTML that is also well-formed XML."""
    environment = Environment(
        loader=PackageLoader("radnet.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        thousands=thousands, percent=percent, png_source=png_source, named=named, svg=Markup
    )
    style, _, _ = environment.loader.get_source(environment, STYLE)  # type: ignore[union-attr]
    return environment.get_template(TEMPLATE).render(
        page=page,
        style=Markup(style),
        light=LIGHT,
        dark=DARK,
        drawings={name: Markup(svg) for name, svg in page.drawings.items()},  # escaped when drawn
        paper_totals=PAPER_TOTALS,
        max_pairs=MAX_PAIRS,
    )


def thousands(count: int) -> str:
    """Write a count with separators."""
    return f"{count:,}"


def percent(share: float) -> str:
    """Write a share in percent with one decimal."""
    return f"{share:.1%}"


def png_source(picture: bytes) -> str:
    """Write a PNG picture as the source of an image element."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
