"""What the report reads: tables of the earlier stages, of which those of the volumes may be missing yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.errors import WorkspaceError
from radnet.tables import read_table
from radnet.terms import LABELS
from radnet.workspace import Workspace, digest_file

INSTANCES: Final = "1-scan/instances.parquet"
SKIPPED: Final = "1-scan/skipped.parquet"
STACKS: Final = "2-series/series.parquet"
LABEL_TABLE: Final = "3-labels/labels.parquet"
VOTES: Final = "3-labels/votes.parquet"
FUNNEL: Final = "3-labels/funnel.csv"
VOLUMES: Final = "4-volumes/index.parquet"
FAILURES: Final = "4-volumes/failures.parquet"

FUNNEL_UNITS: Final = ("files", "stacks", "series", "patients")

_LABEL_COLUMNS: Final = [
    *("stack_id", "patient", "StudyInstanceUID", "SeriesInstanceUID", "n_slices", "decision"),
    *("sequence", "view", "contrast", "coverage", "slice_spacing_mm", "effective_spacing_mm"),
    *(f"{label}_{part}" for label in LABELS for part in ("status", "rule")),
]
_STACK_COLUMNS: Final = ["stack_id", "SeriesDescription", "ProtocolName", "BurnedInAnnotation"]


@dataclass(frozen=True, slots=True)
class Artefacts:
    """The tables of a workspace, as far as the report needs them.

    Attributes:
        n_images: Images read; a frame of an enhanced file counts.
        skipped: Reason and error of the files that were not read.
        stacks: Labels of all stacks, with the texts that the page may show when patients share them. The
            evidence, which is free text too, is not read at all.
        votes: Without the texts that the rules matched.
        funnel: All of it.
        volumes: The index, or None when no volumes were built yet.
        failures: Reason and error of the kept stacks that could not be built.
    """

    n_images: int
    skipped: pl.DataFrame
    stacks: pl.DataFrame
    votes: pl.DataFrame
    funnel: pl.DataFrame
    volumes: pl.DataFrame | None
    failures: pl.DataFrame

    @property
    def kept(self) -> pl.DataFrame:
        """The stacks that stay."""
        return self.stacks.filter(pl.col("decision") == "keep")


def read_artefacts(workspace: Workspace) -> Artefacts:
    """Read the tables.

    Raises:
        WorkspaceError: If one but the volumes' index is missing or damaged; it names the verb to run.
    """
    root = workspace.root
    images = read_table(root / INSTANCES, "scan", ["frame"])
    skipped = read_table(root / SKIPPED, "scan", ["reason", "error"])
    texts = read_table(root / STACKS, "group", _STACK_COLUMNS)
    labels = read_table(root / LABEL_TABLE, "label", _LABEL_COLUMNS)
    return Artefacts(
        n_images=len(images),
        skipped=skipped,
        stacks=labels.join(texts, on="stack_id", how="left", maintain_order="left"),
        votes=read_table(root / VOTES, "label", ["stack_id", "label", "value", "rule"]),
        funnel=_read_funnel(root / FUNNEL),
        volumes=read_table(root / VOLUMES, "build", ["stack_id"]) if (root / VOLUMES).exists() else None,
        failures=_read_failures(root / FAILURES),
    )


def digests(workspace: Workspace) -> dict[str, str]:
    """Digest the tables that are there, by name."""
    names = (INSTANCES, SKIPPED, STACKS, LABEL_TABLE, VOTES, FUNNEL, VOLUMES, FAILURES)
    return {name: digest_file(workspace.root / name) for name in names if (workspace.root / name).exists()}


def _read_failures(path: Path) -> pl.DataFrame:
    columns = ["reason", "error"]
    if not path.exists():
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return read_table(path, "build", columns)


def _read_funnel(path: Path) -> pl.DataFrame:
    if not path.exists():
        raise WorkspaceError(
            f"{path} is not there yet; run `radnet label` first (`radnet status` shows the rest)"
        )
    counts = [f"{kind}_{unit}" for kind in ("removed", "remaining") for unit in FUNNEL_UNITS]
    try:
        return pl.read_csv(path).select("step", pl.col(counts).cast(pl.Int64))
    except pl.exceptions.PolarsError as error:
        raise WorkspaceError(f"{path} is no funnel; delete it and run `radnet label` again") from error
