"""What the command line shows: progress on stderr, outcomes on stdout as text or JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from radnet.executors import Progress
    from radnet.networks.sizes import NetworkSize
    from radnet.pipeline import Stage, StageStatus
    from radnet.predict.neighbours import Neighbour
    from radnet.predict.stage import PredictSummary

NAME_WIDTH: Final = 14


@contextmanager
def progress_bars() -> Iterator[Callable[[Stage | str], Progress]]:
    """Show a bar a stage on stderr, when that is a terminal; yields what starts one."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def start(stage: Stage | str) -> Callable[[int, int | None], None]:
            task = bars.add_task(stage if isinstance(stage, str) else stage.verb, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield start


def print_outcome(summary: Any, as_json: bool) -> None:
    """Print a stage's summary (a dataclass of counts and paths), one line a field or as JSON."""
    if as_json:
        print_json(summary)
    else:
        _write("\n".join(_lines(dataclasses.asdict(summary))))


def print_stage(stage: Stage, summary: Any) -> None:
    """Print the outcome of one stage of many; None means that it was fresh."""
    if summary is None:
        _write(f"{stage.folder}: fresh, left as it is")
        return
    _write("\n  ".join([f"{stage.folder}:", *_lines(dataclasses.asdict(summary))]))


def print_status(found: Sequence[StageStatus]) -> None:
    """Print what is there, one line a stage."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("stage", "command", "state", "made", "why", box=None, pad_edge=False)
    for stage in found:
        made = (stage.made or "").replace("T", " ").removesuffix("+00:00")
        shown.add_row(stage.folder, f"radnet {stage.verb}", stage.state, made, "; ".join(stage.why))
    Console().print(shown)


def print_networks(found: Sequence[NetworkSize]) -> None:
    """Print what networks cost, one line each; the lines are as long as they are, for terminals and grep."""
    rows = [("network", "Gmul-adds", "Mparams", "feature maps: channels x slices x rows x columns")]
    for size in found:
        maps = "  ".join("x".join(map(str, shape)) for shape in size.feature_maps)
        rows.append((size.name, f"{size.multiply_adds / 1e9:.1f}", f"{size.parameters / 1e6:.1f}", maps))
    for name, multiply_adds, parameters, maps in rows:
        _write(f"{name:<{NAME_WIDTH}} {multiply_adds:>9} {parameters:>8}  {maps}")
    heads = ", ".join(f"{name} {count}" for name, count in found[0].outputs.items())
    shape = "x".join(map(str, found[0].input_shape))
    _write(f"\nInput 1x{shape}, fully connected layer of {found[0].embedding}, heads: {heads}.")


def print_agreement(summary: PredictSummary) -> None:
    """Print what predicting did, and network against header: a line a label."""
    told = {name: getattr(summary, name) for name in summary.__slots__ if name != "agreement"}
    _write("\n".join(_lines(told)))
    names = ("agree", "conflict", "sure", "silence filled", "sure", "other word", "agreement")
    widths = [max(9, len(name)) for name in names]
    if not summary.agreement:
        return
    _write("\n" + _row("network and header", names, widths))
    for row in summary.agreement:
        counts = (row.agree, row.conflict, row.sure_conflict, row.filled, row.sure_filled, row.no_class)
        share = "" if row.share is None else f"{row.share:.1%}"
        _write(_row(row.label, (*(f"{count:,}" for count in counts), share), widths))


def _row(first: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"{first:<18}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def print_neighbours(found: Sequence[Neighbour]) -> None:
    """Print series by likeness, one line each."""
    for one in found:
        words = [", ".join(word) if isinstance(word, list) else word for word in one.words.values()]
        told = "; ".join(
            f"{word:.1f} mm" if isinstance(word, float) else str(word or "none") for word in words
        )
        _write(f"{one.likeness:.4f}  {one.stack_id}  {one.SeriesInstanceUID or '-'}  {told}")


def print_json(value: Any) -> None:
    """Print dataclasses, lists and mappings as JSON."""
    _write(json.dumps(value, indent=1, default=_plain))


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)  # type: ignore[arg-type]


def _lines(summary: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write counts and paths one a line, and counts by name as `name 3, other 5`."""
    for key, value in summary.items():
        name = f"{indent}{key.removeprefix('n_').replace('_', ' '):<{NAME_WIDTH}} "
        if value is None:
            continue
        if not isinstance(value, Mapping):
            yield name + (f"{value:,}" if type(value) is int else str(value))
        elif any(isinstance(part, Mapping) for part in value.values()):
            yield name.rstrip()
            yield from _lines(value, indent + "  ")
        elif value:
            yield name + ", ".join(f"{part} {_figure(figure)}" for part, figure in value.items())


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
