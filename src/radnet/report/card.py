"""The data card beside published labels: what was derived, from what, and how sure it is.

Written in Markdown. It holds counts, label words and names of rules and collections, no header text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from radnet.labels.score import Score
from radnet.labels.splits import SPLITS
from radnet.report.archive_tables import SURE, CollectionRow, Decided, LabelRow
from radnet.report.environment import percent, thousands
from radnet.report.overview import spaced

TEMPLATE: Final = "card.md.j2"
WHOLE: Final = ("archive",)


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that stands on the card.

    Attributes:
        version: RADNet's version.
        policy: Of the configuration.
        paper: Whether these are the paper's series, with its split.
        source: Name of the header table.
        source_digest: Its SHA-256.
        rules_digest: SHA-256 over all rule tables.
        digest: SHA-256 of the labels.
        series: How many there are.
        kept: How many pass every test that a header allows.
        reasons: The others by first reason, in the funnel's order.
        licences: Series by licence, where the table states one.
        collections: Tables A1 and A2.
        lines: Table A3.
        decided: What became of each label.
        scores: Figures on headers with truths.
    """

    version: str
    policy: str
    paper: bool
    source: str
    source_digest: str
    rules_digest: str
    digest: str
    series: int
    kept: int
    reasons: Mapping[str, int]
    licences: tuple[tuple[str, int], ...]
    collections: tuple[CollectionRow, ...]
    lines: tuple[LabelRow, ...]
    decided: tuple[Decided, ...]
    scores: tuple[Score, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """What the counts of table A3 are of."""
        return SPLITS if self.paper else WHOLE


def render_card(card: Card) -> str:
    """Write the card as Markdown."""
    environment = Environment(  # Markdown, not HTML: nothing to escape, and no free text on it
        loader=PackageLoader("radnet.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(thousands=thousands, percent=percent, spaced=spaced)
    return environment.get_template(TEMPLATE).render(card=card, sure=SURE)
