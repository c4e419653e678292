"""`radnet rules`: the tools around the rule tables, nothing but parsing, calling and printing.

Exit code 3 says that what was asked for ran well and the rules did not pass: a case fails, a floor is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from radnet.console import print_json, progress_bars
from radnet.options import Config, Json, Policy, Rules, resolve_config

NOT_PASSED: Final = 3
T = TypeVar("T")

rules_app = typer.Typer(
    name="rules",
    help=(
        "Check, measure and read the rules that label.\n\n"
        "Examples: radnet rules check; radnet rules trace 'Ax T2 FRFSE FS BH' --modality MR"
    ),
    no_args_is_help=True,
)

Gold = Annotated[Path, typer.Argument(help="CSV of headers with truths: sequence (or kind), view (plane), …")]
Floor = Annotated[
    list[str] | None,
    typer.Option(help="Least percent of a figure, e.g. sequence=95; may be repeated.", metavar="NAME=PCT"),
]
LeaveOut = Annotated[
    bool,
    typer.Option(
        "--leave-collection-out",
        help="Score each collection without the rules and phrases that it alone supports.",
    ),
]
Beside = Annotated[
    list[Path] | None,
    typer.Option(help="Another such table, which supports rules and phrases too; may be repeated."),
]
Table = Annotated[Path, typer.Argument(help="A CSV or Parquet table of DICOM keywords.")]


@rules_app.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of rule tables over the shipped ones.", metavar="[DIR]")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Table on which rules are looked for that do nothing there.")
    ] = None,
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Load the rules, run all their cases, and say which do nothing on a table.

    Exit code 3 when a case fails.

    Example: radnet rules check rules --table pacs-export.csv
    """
    from radnet.labels.check import check_rules, render

    settings = resolve_config(config, policy, [folder] if folder else None)
    with progress_bars() as bar:
        found = check_rules(settings, table, bar("check"))
    _tell(found, render, as_json)
    if found.failures:
        raise typer.Exit(NOT_PASSED)


@rules_app.command("score")
def score_gold(
    gold: Gold,
    floor: Floor = None,
    leave_collection_out: LeaveOut = False,
    beside: Beside = None,
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Measure the rules on headers that people labelled: figures, 95 % intervals, and every mistake.

    Exit code 3 when a figure is below its floor.

    Example: radnet rules score gold.csv --floor sequence=95 --floor coverage=90
    """
    from radnet.labels import held_out, score

    floors = _floors(floor or [])
    score.check_floors(floors)
    if beside and not leave_collection_out:
        raise typer.BadParameter("--beside goes with --leave-collection-out")
    settings = resolve_config(config, policy, rules)
    if leave_collection_out:
        without = held_out.score_held_out(gold, settings, beside or ())
        measures = without.without
        _tell(without, held_out.render, as_json)
    else:
        scored = score.score_rules(gold, settings)
        measures = scored.measures
        _tell(scored, score.render, as_json)
    below = score.missed(measures, floors)
    if below:
        typer.echo("radnet: below the floor: " + ", ".join(below), err=True)
        raise typer.Exit(NOT_PASSED)


@rules_app.command()
def trace(
    text: Annotated[list[str], typer.Argument(help="One description; its words may stand unquoted.")],
    modality: Annotated[str | None, typer.Option(help="CT or MR; many rules ask for it.")] = None,
    attribute: Annotated[
        str, typer.Option(help="The DICOM attribute that the text stands in.")
    ] = "SeriesDescription",
    header: Annotated[
        list[str] | None,
        typer.Option(help="A further attribute, e.g. StudyDescription='CT CAP'.", metavar="NAME=VALUE"),
    ] = None,
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Show how one description is read: word by word, phrase by phrase, rule by rule.

    Example: radnet rules trace T1_POST-GD 5.0 I70f --modality MR
    """
    from radnet.labels.trace import render
    from radnet.labels.trace import trace as trace_text

    given = dict(_pairs(header or [], "--header", "NAME=VALUE"))
    if modality:
        given["Modality"] = modality
    found = trace_text(" ".join(text), attribute, given, resolve_config(config, policy, rules))
    _tell(found, render, as_json)


@rules_app.command()
def calibrate(
    gold: Annotated[list[Path], typer.Argument(help="CSV tables of headers with truths.")],
    out: Annotated[
        Path, typer.Option(help="File to write; as confidence.csv in a rule folder, labelling reads it.")
    ],
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Measure how often each rule is right and write it, for labels to carry as their confidence.

    Example: radnet rules calibrate gold.csv --rules rules --out rules/confidence.csv
    """
    from radnet.labels.calibration import calibrate_rules, render

    found = calibrate_rules(gold, out, resolve_config(config, policy, rules))
    _tell(found, render, as_json)


@rules_app.command()
def protocols(
    table: Annotated[
        Path | None, typer.Argument(help="A CSV or Parquet table of DICOM keywords; or --work.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Workspace whose labels are summed up.")] = None,
    top: Annotated[int, typer.Option(min=0, help="How many groups are shown.")] = 30,
    out: Annotated[Path | None, typer.Option(help="Write all groups as .csv.")] = None,
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Sum series up by protocol, largest first, and say how many a person must look at.

    Example: radnet rules protocols pacs-export.csv --out protocols.csv
    """
    from radnet.labels import protocols as by_protocol

    settings = resolve_config(config, policy, rules)
    if (table is None) == (work is None):
        raise typer.BadParameter("give either TABLE or --work")
    if table is not None:
        with progress_bars() as bar:
            found = by_protocol.protocols_of_table(table, settings, bar("label"))
    elif work is not None:
        found = by_protocol.protocols_of_work(work, settings)
    if out is not None:
        by_protocol.write_protocols(found, out)
    if as_json:
        print_json(found.as_json())
    else:
        typer.echo(by_protocol.render(found, top))


@rules_app.command()
def stability(
    table: Table,
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Drop each attribute in turn and say how many labels change.

    Example: radnet rules stability pacs-export.csv
    """
    from radnet.labels.stability import measure_stability, render

    settings = resolve_config(config, policy, rules)
    with progress_bars() as bar:
        found = measure_stability(table, settings, bar("stability"))
    _tell(found, render, as_json)


def _tell(outcome: T, render: Callable[[T], str], as_json: bool) -> None:
    if as_json:
        print_json(outcome)
    else:
        typer.echo(render(outcome))


def _pairs(texts: Sequence[str], option: str, form: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts]
    if not all(name and sign for name, sign, _ in pairs):
        raise typer.BadParameter(f"{option} must be written {form}")
    return [(name, value) for name, _, value in pairs]


def _floors(texts: Sequence[str]) -> dict[str, float]:
    form = "NAME=PCT, e.g. sequence=95"
    try:
        return {name: float(value) for name, value in _pairs(texts, "--floor", form)}
    except ValueError as error:
        raise typer.BadParameter(f"--floor must be written {form}") from error
