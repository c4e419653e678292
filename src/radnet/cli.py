"""The command line: one verb a stage, nothing but parsing, calling and printing.

Exit codes: 0, 2 for an error that the user can mend (one sentence), 1 for a bug (a traceback). Progress and
messages go to stderr; stdout holds the outcome alone.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from radnet.errors import RadnetError

if TYPE_CHECKING:
    from radnet.config import RadnetConfig
    from radnet.executors import Progress, Shard, Workers
    from radnet.pipeline import Stage

DEFAULT_CONFIG: Final = Path("radnet.toml")
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

Sources = Annotated[list[Path], typer.Argument(help="Folders, zip or tar(.gz) archives, or DICOM files.")]
Work = Annotated[Path, typer.Option(help="Workspace: the folder that holds what the stages make.")]
Config = Annotated[
    Path | None, typer.Option(help="Configuration file; by default radnet.toml in this folder, if there.")
]
Policy = Annotated[
    str | None, typer.Option(help="Set of defaults: default, or paper for the way of 3D-RADNet section 2.1.")
]
ExecutorName = Annotated[
    str, typer.Option("--executor", help="Where work runs: serial, processes or dask://host:port.")
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", help="Worker processes; by default one a CPU.", show_default=False)
]
ShardText = Annotated[
    str | None, typer.Option("--shard", help="Do share i of N, e.g. 0/3, for job arrays.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


@app.command()
def run(
    sources: Sources,
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
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
    with _progress() as bar:
        steps = run_pipeline(
            sources, work, _config(config, policy), _workers(executor, workers), _shard(shard), until, bar
        )
        for stage, summary in steps:
            outcome[stage.name] = summary
            if not as_json:
                _say(stage, summary)
    if as_json:
        _print_json({name: _plain(summary) for name, summary in outcome.items()})


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
    settings = _config(config, policy)
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
    _run_stage("series", as_json, work, _config(config, policy))


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
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Label every stack of the workspace, or every row of a table of header attributes.

    Examples: radnet label --work work; radnet label pacs-export.csv --out labels.csv
    """
    _whole("label", executor, workers, shard)
    settings = _config(config, policy)
    if table is None and out is None:
        _run_stage("labels", as_json, work, settings)
        return
    if table is None or out is None:
        raise typer.BadParameter("TABLE and --out go together: radnet label TABLE.csv --out labels.csv")
    from radnet.labels.table import label_file

    with _progress() as bar:
        summary = label_file(table, out, settings, progress=bar("label"))
    _print_outcome(summary, as_json)


@app.command()
def build(
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Build the volumes of the kept stacks: 4-volumes.

    Example: radnet build --work work --shard 0/8
    """
    _run_stage("volumes", as_json, work, _config(config, policy), _workers(executor, workers), _shard(shard))


@app.command()
def report(
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    executor: ExecutorName = "processes",
    workers: WorkerCount = None,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Write the page: 8-report/index.html.

    Example: radnet report --work work
    """
    _whole("report", executor, workers, shard)
    _run_stage("report", as_json, work, _config(config, policy))


@app.command()
def status(
    work: Work = Path("work"), config: Config = None, policy: Policy = None, as_json: Json = False
) -> None:
    """Say what is there, what is stale and why.

    Example: radnet status --work work
    """
    from radnet import pipeline

    found = pipeline.status(work, _config(config, policy))
    if as_json:
        _print_json([dataclasses.asdict(stage) for stage in found])
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table("stage", "command", "state", "made", "why", box=None, pad_edge=False)
    for stage in found:
        made = (stage.made or "").replace("T", " ").removesuffix("+00:00")
        shown.add_row(stage.folder, f"radnet {stage.verb}", stage.state, made, "; ".join(stage.why))
    Console().print(shown)


@app.command()
def explain(
    uid: Annotated[
        str, typer.Argument(help="A stack_id (or its beginning) or a SeriesInstanceUID.", metavar="UID")
    ],
    work: Work = Path("work"),
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Explain the labels of a stack: attributes, votes, rules, decision, and what would change it.

    Shows header texts: for use where the archive itself may be read.

    Example: radnet explain 3f2a9c0d1b7e4655 --work work
    """
    from radnet.labels.explain import explain as explain_stack
    from radnet.labels.explain import render

    found = explain_stack(work, uid, _config(config, policy))
    if as_json:
        _print_json(found)
    else:
        typer.echo(render(found))


@app.command()
def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to make; must be new or empty.")],
    patients: Annotated[int, typer.Option(min=1, help="How many bodies.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 1,
    small: Annotated[bool, typer.Option("--small", help="A few short series, for tests.")] = False,
    as_json: Json = False,
) -> None:
    """Write a synthetic DICOM archive with known truth, to try everything on.

    Example: radnet synthesize demo && radnet run demo/archive --work demo/work
    """
    from radnet.synthetic.archive import write_archive

    with _progress() as bar:
        summary = write_archive(out, patients=patients, seed=seed, small=small, progress=bar("synthesize"))
    _print_outcome(summary, as_json)


def main() -> None:
    """Run the command line; our own errors are one sentence and exit code 2."""
    try:
        app()
    except RadnetError as error:
        sys.stderr.write(f"radnet: {error}\n")
        sys.exit(2)
    except OSError as error:
        if error.errno not in WAYS_OUT:
            raise
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"radnet: {place}{error.strerror}; {WAYS_OUT[error.errno]}, then run again\n")
        sys.exit(2)


def _run_stage(name: str, as_json: bool, *arguments: Any) -> None:
    from radnet.pipeline import find_stage

    stage = find_stage(name)
    with _progress() as bar:
        summary = stage.load()(*arguments, progress=bar(stage))
    _print_outcome(summary, as_json)


def _config(path: Path | None, policy: str | None) -> RadnetConfig:
    from radnet.config import load_config

    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    return load_config(path, policy)  # type: ignore[arg-type]  # an unknown policy is refused there


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


@contextmanager
def _progress() -> Iterator[Callable[[Stage | str], Progress]]:
    """Show a bar a stage on stderr when that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def start(stage: Stage | str) -> Callable[[int, int | None], None]:
            task = bars.add_task(stage if isinstance(stage, str) else stage.verb, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield start


def _print_outcome(summary: Any, as_json: bool) -> None:
    if as_json:
        _print_json(_plain(summary))
    else:
        typer.echo("\n".join(_lines(_plain(summary))))


def _say(stage: Stage, summary: Any) -> None:
    typer.echo(f"{stage.folder}: " + ("fresh, left as it is" if summary is None else ""))
    if summary is not None:
        typer.echo("\n".join(f"  {line}" for line in _lines(_plain(summary))))


def _plain(summary: Any) -> Any:
    return dataclasses.asdict(summary) if dataclasses.is_dataclass(summary) else summary  # type: ignore[arg-type]


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    """Write counts and paths one a line, and counts by name as `name 3, other 5`."""
    for key, value in summary.items():
        if isinstance(value, dict):
            shown = ", ".join(f"{name} {count}" for name, count in value.items())
        else:
            shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        if shown:
            yield f"{key.replace('_', ' ').removeprefix('n '):<14} {shown}"


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, default=str))
