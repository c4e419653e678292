"""Write the page of labels to look at: 7-predict/audit/index.html, and audit.parquet with all of them.

The page bears pictures and the numbers of stacks, so that a person can decide; it is for those who may read
the archive itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet import __version__
from radnet.config import RadnetConfig
from radnet.executors import Progress, silent
from radnet.predict.audit import AUDITED, Judge, find_suspects, read_answered
from radnet.predict.columns import FOLDER, TABLE_NAME
from radnet.predict.pictures import Pictures
from radnet.predict.rows import check_predictions
from radnet.pretrain.runs import TITLES
from radnet.report.environment import page_environment
from radnet.tables import write_table
from radnet.workspace import Workspace, write_text

AUDIT: Final = f"{FOLDER}/audit"
TABLE: Final = "audit.parquet"
PAGE: Final = "index.html"
TEMPLATE: Final = "audit.html.j2"
SHOWN: Final = 20
"""Pictures a label on the page."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label to look at.

    Attributes:
        stack_id: The stack.
        header: The header's word.
        network: The likest other.
        judge: Who judged: network or probe.
        p_header: Probability of the header's word.
        p_network: Of the other.
        png: Its picture, or None.
        why: Why there is none.
    """

    stack_id: str
    header: str
    network: str
    judge: str
    p_header: float
    p_network: float
    png: bytes | None
    why: str


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What the audit found.

    Attributes:
        n_series: Series that the network answered.
        suspects: Labels in doubt, by label.
        probed: Of them, judged by the probe.
        n_pictures: On the page.
        table: All of them, the surest first.
        page: The first of each label, with pictures.
    """

    n_series: int
    suspects: dict[str, int]
    probed: int
    n_pictures: int
    table: str
    page: str


def write_audit(
    work: Path | str,
    config: RadnetConfig = RadnetConfig(),
    shown: int = SHOWN,
    judge: Judge = "auto",
    progress: Progress = silent,
) -> AuditSummary:
    """List where network and header disagree, and draw the surest of them.

    Args:
        work: The workspace that `radnet predict` wrote.
        config: How its volumes are built.
        shown: Pictures a label.
        judge: As in `find_suspects`.
        progress: Called with pictures drawn.

    Raises:
        TableError: If nothing was predicted in that workspace.
        WorkspaceError: If a table is missing, or another process writes the audit.
    """
    workspace = Workspace(work)
    answered = read_answered(check_predictions(workspace.root / FOLDER / TABLE_NAME))
    suspects = find_suspects(answered, judge)
    first = suspects.group_by("label", maintain_order=True).head(shown)
    with workspace.lock(AUDIT):
        folder = workspace.folder(AUDIT)
        cards = _draw(workspace, config, first, progress)
        write_table(suspects, folder / TABLE)
        write_text(folder / PAGE, _render(suspects, cards))
    counts = dict(suspects["label"].value_counts().iter_rows())
    return AuditSummary(
        n_series=len(answered),
        suspects={label: counts.get(label, 0) for label in AUDITED},
        probed=int((suspects["judge"] == "probe").sum()),
        n_pictures=sum(card.png is not None for found in cards.values() for card in found),
        table=str(folder / TABLE),
        page=str(folder / PAGE),
    )


def _draw(
    workspace: Workspace, config: RadnetConfig, first: pl.DataFrame, progress: Progress
) -> dict[str, list[Suspect]]:
    table = pl.scan_parquet(workspace.root / FOLDER / TABLE_NAME)
    wanted = first.lazy().select("stack_id").unique()
    rows = (
        table.select("stack_id", "kind", "path", "showable").join(wanted, on="stack_id", how="semi").collect()
    )
    pictures = Pictures(workspace, config, rows)
    found: dict[str, list[Suspect]] = {}
    fields = ("stack_id", "header", "network", "judge", "p_header", "p_network")
    for number, row in enumerate(first.iter_rows(named=True), 1):
        png, why = pictures.draw(row["stack_id"])
        card = Suspect(**{name: row[name] for name in fields}, png=png, why=why)
        found.setdefault(row["label"], []).append(card)
        progress(number, len(first))
    return found


def _render(suspects: pl.DataFrame, cards: dict[str, list[Suspect]]) -> str:
    counts: dict[str, Any] = dict(suspects["label"].value_counts().iter_rows())
    sections = [(TITLES[label], counts[label], cards[label]) for label in AUDITED if label in cards]
    return page_environment().get_template(TEMPLATE).render(version=__version__, sections=sections)
