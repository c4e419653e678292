"""Publish the labels of a header table: labels by series, a card that says how sure they are, and digests.

What is published are label words, names of rules and UIDs: no description, no patient. Rows are sorted by
series, so that equal labels give equal digests however the table was ordered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet import __version__
from radnet.config import RadnetConfig
from radnet.errors import TableError, WorkspaceError
from radnet.executors import Progress, silent
from radnet.labels.collections import find_collections
from radnet.labels.decisions import KEEP, load_decisions
from radnet.labels.exclusions import add_exclusions
from radnet.labels.headers import read_headers, typed_headers
from radnet.labels.rules import RULES_FOLDER, load_rules
from radnet.labels.score import Score, score_rules
from radnet.labels.splits import paper_split
from radnet.labels.table import label_table, with_flat_regions
from radnet.report.archive_tables import LabelRow, collection_rows, decided_by, label_rows
from radnet.report.card import Card, render_card
from radnet.terms import EXCLUSION_STEPS, LABELS
from radnet.workspace import digest_file, write_text

LABELS_NAME: Final = "labels.csv"
COLLECTIONS_NAME: Final = "collections.csv"
TABLE_A3_NAME: Final = "table-a3.csv"
CARD_NAME: Final = "README.md"
SUMS_NAME: Final = "SHA256SUMS"
PUBLISHED: Final = (LABELS_NAME, COLLECTIONS_NAME, TABLE_A3_NAME, CARD_NAME)
MODALITIES: Final = ("CT", "MR")
SERIES: Final = "SeriesInstanceUID"
PATIENT: Final = "PatientID"
LICENCE: Final = "license_short_name"
"""Column of the Imaging Data Commons index."""
PARTS: Final = ("status", "rule", "confidence")
COLUMNS: Final = (
    SERIES,
    "StudyInstanceUID",
    "collection_id",
    "split",
    "decision",
    "reason",
    "form",
    *LABELS,
    *(f"{label}_{part}" for label in LABELS for part in PARTS),
)
"""Of labels.csv, where the input has them."""


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """What was published.

    Attributes:
        series: CT and MR series labelled.
        kept: Those that pass every test that a header allows.
        digest: SHA-256 of labels.csv.
        out: The folder.
    """

    series: int
    kept: int
    digest: str
    out: str


def write_release(
    table: Path | str,
    out: Path | str,
    config: RadnetConfig = RadnetConfig(),
    paper: bool = False,
    gold: Iterable[Path] = (),
    progress: Progress = silent,
) -> ReleaseSummary:
    """Label a table of headers and publish the labels with a data card and the paper's tables.

    Args:
        table: A CSV or Parquet file of headers with `SeriesInstanceUID`; other modalities than CT and MR are
            left out.
        out: Folder to write, made if needed.
        config: Its `labels` table is used.
        paper: Whether to publish the paper's collections alone, with its split.
        gold: Header tables with truths; how well the rules hold them goes onto the card.
        progress: Counts rows.

    Raises:
        RuleError: If a rule table or the decisions file has a fault.
        TableError: If a table cannot be used, a series stands in it twice, or the split cannot be made.
        WorkspaceError: If the folder cannot be made.
    """
    table, out = Path(table), Path(out)
    headers = _headers(table, paper)
    labels, _ = label_table(headers, config, progress, votes=False)
    judged = _judged(headers, labels, config)
    scores = tuple(score_rules(path, config) for path in gold)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{out} cannot be made ({error.strerror})") from error
    write_text(out / LABELS_NAME, _published(judged).write_csv())
    card = _card(table, out, headers, judged, config, paper, scores)
    write_text(out / COLLECTIONS_NAME, pl.DataFrame([asdict(row) for row in card.collections]).write_csv())
    write_text(out / TABLE_A3_NAME, _a3(card.lines, card.parts).write_csv())
    write_text(out / CARD_NAME, render_card(card))
    write_text(out / SUMS_NAME, "".join(f"{digest_file(out / name)}  {name}\n" for name in PUBLISHED))
    return ReleaseSummary(judged.height, card.kept, card.digest, str(out))


def _headers(table: Path, paper: bool) -> pl.DataFrame:
    """Read the CT and MR series, sorted, with their split."""
    headers = read_headers(table, (PATIENT, LICENCE))
    if SERIES not in headers.columns:
        raise TableError(f"{table}: published labels need the column {SERIES}")
    if "Modality" in headers.columns:
        headers = headers.filter(pl.col("Modality").is_in(MODALITIES))
    if paper:
        if "collection_id" not in headers.columns:
            raise TableError(f"{table}: the paper's series are found by the column collection_id")
        headers = headers.filter(find_collections(headers["collection_id"]).is_not_null())
        headers = headers.with_columns(paper_split(headers).alias("split"))
    if headers.is_empty():
        raise TableError(f"{table}: holds no CT or MR series to publish")
    twice = headers.height - headers[SERIES].drop_nulls().n_unique()
    if twice:
        raise TableError(f"{table}: {twice} rows have no {SERIES} of their own; one row must be one series")
    return headers.sort(SERIES)


def _judged(headers: pl.DataFrame, labels: pl.DataFrame, config: RadnetConfig) -> pl.DataFrame:
    """Add `decision` and reasons as far as a header tells them: images stand for slices."""
    known = typed_headers(headers)
    wanted = {
        "n_slices": ("n_slices", "instanceCount", pl.Int64),
        "geometry": ("geometry", "", pl.String),
        "slice_spacing_mm": ("slice_spacing_mm", "", pl.Float64),
        "SeriesDescription": ("SeriesDescription", "", pl.String),
    }
    columns = [
        next((known[name] for name in names if name in known.columns), pl.lit(None)).cast(dtype).alias(column)
        for column, (*names, dtype) in wanted.items()
    ]
    carried = [name for name in ("split", PATIENT, "Modality") if name in headers.columns]
    stacks = labels.with_columns(*columns, *(headers[name] for name in carried))
    return add_exclusions(
        stacks, config.labels, load_decisions(config.labels.decisions), config.volumes.shape[0]
    )


def _published(judged: pl.DataFrame) -> pl.DataFrame:
    return with_flat_regions(judged.select(name for name in COLUMNS if name in judged.columns))


def _card(
    table: Path,
    out: Path,
    headers: pl.DataFrame,
    judged: pl.DataFrame,
    config: RadnetConfig,
    paper: bool,
    scores: Sequence[Score],
) -> Card:
    kept = judged.filter(pl.col("decision") == KEEP)
    reasons = dict(judged["reason"].drop_nulls().value_counts().iter_rows())
    contrast = "contrast_paper" if config.labels.contrast_from_agent_alone else "contrast"
    licences = headers[LICENCE].value_counts(sort=True).rows() if LICENCE in headers.columns else []
    return Card(
        version=__version__,
        policy=config.policy,
        paper=paper,
        source=table.name,
        source_digest=digest_file(table),
        rules_digest=_rules_digest(config),
        digest=digest_file(out / LABELS_NAME),
        series=judged.height,
        kept=kept.height,
        reasons={step: reasons[step] for step in EXCLUSION_STEPS if step in reasons},
        licences=tuple((name or "not stated", count) for name, count in licences),
        collections=collection_rows(judged, paper),
        lines=label_rows(kept),
        decided=decided_by(judged, load_rules(config.labels.rules, contrast)),
        scores=tuple(scores),
    )


def _rules_digest(config: RadnetConfig) -> str:
    """Digest all rule tables and measured confidences that were read, by name and content."""
    digest = hashlib.sha256()
    for folder in (RULES_FOLDER, *config.labels.rules):
        for path in sorted((*folder.rglob("*.toml"), *folder.glob("*.csv"))):
            digest.update(f"{path.relative_to(folder)} {digest_file(path)}\n".encode())
    return digest.hexdigest()


def _a3(lines: Sequence[LabelRow], parts: Sequence[str]) -> pl.DataFrame:
    rows = [
        {
            "label": line.title,
            "value": line.name,
            **dict(zip(parts, line.counts, strict=True)),
            **dict(zip(("paper_training", "paper_validation", "paper_test"), line.paper or (), strict=False)),
        }
        for line in lines
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
