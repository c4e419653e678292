"""The command line: one verb a stage, nothing but parsing, calling and printing.

Exit codes: 0, 2 for an error that the user can mend (one sentence), 1 for a bug (a traceback), 3 when rules
did not pass. Progress and messages go to stderr; stdout holds the outcome alone.
"""

from __future__ import annotations

import errno
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from radnet.cli_networks import export, networks
from radnet.cli_predict import audit, neighbours, predict
from radnet.cli_pretrain import evaluate, pretrain
from radnet.cli_release import release
from radnet.cli_rules import rules_app
from radnet.cli_study import study_app
from radnet.cli_synthetic import contact_sheet, synthesize
from radnet.cli_transfer import transfer
from radnet.console import print_json, print_outcome, print_stage, print_status, progress_bars
from radnet.errors import RadnetError
from radnet.options import INTERRUPTED, Config, Json, Policy, Rules, Work, resolve_config

if TYPE_CHECKING:
    from radnet.config import RadnetConfig
    from radnet.executors import Shard, Workers

_RIGHTS: Final = "get the right to read and write there, or name another place"
_ROOM: Final = "free some room on the disk"
WAYS_OUT: Final = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
}
"""Refusals of the system that the user can mend wherever they come from, and how."""

app = typer.Typer(
    name="radnet",
    help="From a DICOM archive to labelled 3D volumes. Begin with: radnet run FOLDER --work work",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(rules_app)
app.add_typer(study_app)

Sources = Annotated[list[Path], typer.Argument(help="Folders, zip or tar(.gz) archives, or DICOM files.")]
ExecutorName = Annotated[
    str, typer.Option("--executor", help="Where work runs: serial, processes or dask://host:port.")
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", help="Worker processes; by default one a CPU.", show_default=False)
]
ShardText = Annotated[
    str | None, typer.Option("--shard", help="Do share i of N, e.g. 0/3, for job arrays.", show_default=False)
]


@app.command()
def run(
    sources: Sources,
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    until: Annotated[
        str, typer.Option(help="Last stage: scan, series, labels, volumes or report.")
    ] = "report",
    as_json: Json = False,
) -> None:
    """Run the whole chain, from DICOM to labelled volumes and a page.

    What is there already and fresh is not made again.

    Example: radnet run archive/ more.zip --work work
    """
    from radnet.pipeline import find_stage, run_pipeline

    find_stage(until)
    outcome = {}
    with progress_bars() as bar:
        steps = run_pipeline(
            sources,
            work,
            resolve_config(config, policy, rules),
            _workers(executor, workers),
            _shard(shard),
            until,
            bar,
        )
        for stage, summary in steps:
            outcome[stage.name] = summary
            if not as_json:
                print_stage(stage, summary)
    if as_json:
        print_json(outcome)


@app.command()
def scan(
    sources: Sources,
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Read the headers of every file, once, into 1-scan/instances.parquet.

    A second scan reads only what is new or changed.

    Example: radnet scan archive/ --work work --shard 0/8
    """
    settings = resolve_config(config, policy)
    _run_stage("scan", as_json, sources, work, settings, _workers(executor, workers), _shard(shard))


@app.command()
def group(
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Group instances into stacks and judge their geometry: 2-series/series.parquet.

    Example: radnet group --work work
    """
    _whole("group", executor, workers, shard)
    _run_stage("series", as_json, work, resolve_config(config, policy))


@app.command()
def label(
    table: Annotated[
        Path | None,
        typer.Argument(help="A CSV or Parquet table of DICOM keywords; without it, the workspace's stacks."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the labels of TABLE go: .csv or .parquet.", show_default=False)
    ] = None,
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Label every stack of the workspace, or every row of a table of header attributes.

    Examples: radnet label --work work; radnet label pacs-export.csv --out labels.csv
    """
    _whole("label", executor, workers, shard)
    settings = resolve_config(config, policy, rules)
    if table is None and out is None:
        _run_stage("labels", as_json, work, settings)
        return
    if table is None or out is None:
        raise typer.BadParameter("TABLE and --out go together: radnet label TABLE.csv --out labels.csv")
    from radnet.labels.table import label_file

    with progress_bars() as bar:
        summary = label_file(table, out, settings, progress=bar("label"))
    print_outcome(summary, as_json)


@app.command()
def build(
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Build the volumes of the kept stacks: 4-volumes.

    Example: radnet build --work work --shard 0/8
    """
    settings = resolve_config(config, policy, rules)
    _warn_of_other_settings(work, settings, "volumes")
    _run_stage("volumes", as_json, work, settings, _workers(executor, workers), _shard(shard))


@app.command()
def report(
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Write the page: 8-report/index.html.

    Example: radnet report --work work
    """
    _whole("report", executor, workers, shard)
    settings = resolve_config(config, policy, rules)
    _warn_of_other_settings(work, settings, "report")
    _run_stage("report", as_json, work, settings)


@app.command()
def status(
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Say what is there, what is stale and why.

    Example: radnet status --work work
    """
    from radnet import pipeline

    found = pipeline.status(work, resolve_config(config, policy, rules))
    if as_json:
        print_json(found)
    else:
        print_status(found)


@app.command()
def explain(
    uid: Annotated[
        str, typer.Argument(help="A stack_id (or its beginning) or a SeriesInstanceUID.", metavar="UID")
    ],
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Explain the labels of a stack: attributes, votes, rules, decision, and what would change it.

    Shows header texts: for use where the archive itself may be read.

    Example: radnet explain 3f2a9c0d1b7e4655 --work work
    """
    from radnet.labels.explain import explain as explain_stack
    from radnet.labels.explain import render

    settings = resolve_config(config, policy, rules)
    found = explain_stack(work, uid, settings)
    _warn_of_other_settings(work, settings, "volumes")
    if as_json:
        print_json(found)
    else:
        typer.echo(render(found))


app.command()(synthesize)
app.command("contact-sheet")(contact_sheet)
app.command()(networks)
app.command()(export)
app.command()(release)
app.command()(pretrain)
app.command()(evaluate)
app.command()(predict)
app.command()(audit)
app.command()(neighbours)
app.command()(transfer)


def main() -> None:
    """Run the command line; our own errors are one sentence and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold what the terminal cannot show
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            sys.stderr.write("radnet: stopped; the same command goes on where it was\n")
        raise
    except RadnetError as error:
        sys.stderr.write(f"radnet: {error}\n")
        sys.exit(2)
    except OSError as error:
        if error.errno not in WAYS_OUT:
            raise
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"radnet: {place}{error.strerror}; {WAYS_OUT[error.errno]}, then run again\n")
        sys.exit(2)


def _warn_of_other_settings(work: Path, config: RadnetConfig, before: str) -> None:
    """Say when a verb reads what was made with other settings than it has; only `run` makes it again."""
    from radnet.pipeline import made_otherwise

    for stage, why in made_otherwise(work, config, before):
        sys.stderr.write(
            f"radnet: warning: {stage.folder} was made with other settings ({'; '.join(why)}); give this "
            f"command the same --policy, --config and --rules, or run `radnet {stage.verb}` again\n"
        )


def _run_stage(name: str, as_json: bool, *arguments: Any) -> None:
    from radnet.pipeline import find_stage

    stage = find_stage(name)
    with progress_bars() as bar:
        summary = stage.load()(*arguments, progress=bar(stage))
    print_outcome(summary, as_json)


def _workers(executor: str, count: int | None) -> Workers:
    from radnet.executors import Workers

    return Workers(executor, count)


def _shard(text: str | None) -> Shard:
    from radnet.executors import Shard

    return Shard.parse(text) if text else Shard()


def _whole(verb: str, executor: str, count: int | None, shard: str | None) -> None:
    """Check the common options of a verb that works on the whole archive at once."""
    _workers(executor, count)
    if _shard(shard).count > 1:
        raise RadnetError(f"radnet {verb} needs the whole archive; run it once, without --shard")
