"""The verb `radnet release`: it reads a header table and writes a folder to publish; it has no workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radnet.console import print_outcome, progress_bars
from radnet.options import Config, Json, Policy, Rules, resolve_config


def release(
    table: Annotated[Path, typer.Argument(help="A CSV or Parquet table of headers, one row a series.")],
    out: Annotated[Path, typer.Option(help="Folder to write, made if needed.")],
    paper: Annotated[
        bool, typer.Option("--paper", help="The paper's collections alone, with its split.")
    ] = False,
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="CSV table of headers with truths: its figures go onto the card; may be repeated."),
    ] = None,
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Publish the labels of a header table: labels by series, data card, tables A1 to A3, digests.

    Example: radnet release idc_index.parquet --paper --out labels
    """
    from radnet.report.release import write_release

    settings = resolve_config(config, policy, rules)
    with progress_bars() as bar:
        summary = write_release(table, out, settings, paper, gold or (), bar("release"))
    print_outcome(summary, as_json)
