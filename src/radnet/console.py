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
            yield name + ", ".join(f"{part} {count:,}" for part, count in value.items())


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
