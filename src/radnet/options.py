"""Options that several verbs of the command line share, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from radnet.config import RadnetConfig

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, and after a signal that asked a training to stop."""
DEFAULT_CONFIG: Final = Path("radnet.toml")

Work = Annotated[Path, typer.Option(help="Workspace: the folder that holds what the stages make.")]
Config = Annotated[
    Path | None, typer.Option(help="Configuration file; by default radnet.toml in this folder, if there.")
]
Policy = Annotated[
    str | None, typer.Option(help="Set of defaults: default, or paper for the way of 3D-RADNet section 2.1.")
]
Rules = Annotated[
    list[Path] | None,
    typer.Option("--rules", help="Folder of rule tables over the shipped ones; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


def parse_shape(text: str) -> tuple[int, int, int]:
    """Read slices, rows and columns from `48,192,192`.

    Raises:
        typer.BadParameter: If the text is not three whole numbers above 0.
    """
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"a shape is slices,rows,columns, e.g. 48,192,192; this one is {text!r}")
    slices, rows, columns = (int(part) for part in parts)
    return slices, rows, columns


def parse_labels(text: str | None) -> tuple[int, ...] | None:
    """Read labels from `1,2`."""
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter(f"labels are whole numbers, e.g. 1,2; these are {text!r}")
    return tuple(int(part) for part in parts)


def resolve_config(
    path: Path | None,
    policy: str | None,
    rules: list[Path] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> RadnetConfig:
    """Read the configuration that the options name.

    Args:
        path: The file; None takes radnet.toml in this folder, if there.
        policy: Wins over the file's.
        rules: Folders of rule tables, laid over those of the file.
        changes: Keys by table that win over file and policy.

    Raises:
        ConfigError: If the file or the policy has a fault.
    """
    from radnet.config import load_config

    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    config = load_config(path, policy, changes)  # type: ignore[arg-type]  # an unknown policy is refused there
    if not rules:
        return config
    # a folder that the file names too is laid over once: its rules would otherwise replace themselves
    folders = tuple(dict.fromkeys((*config.labels.rules, *(folder.resolve() for folder in rules))))
    return config.model_copy(update={"labels": config.labels.model_copy(update={"rules": folders})})
