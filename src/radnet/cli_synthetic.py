"""Verbs of the command line that make synthetic data and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from radnet.console import print_outcome, progress_bars
from radnet.options import Json, parse_shape

Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")]
Device = Annotated[
    str | None,
    typer.Option(
        help="numpy, cpu or cuda; by default a GPU if there is one, else numpy.", show_default=False
    ),
]

PAIRS: Final[dict[str, tuple[Literal["CT", "MR"], ...]]] = {"liver": ("CT",), "livers": ("CT", "MR")}
"""Presets that are pairs of scan and mask, with the modalities that follow each other."""
BODIES: Final = 12
"""Bodies of training volumes, unless asked otherwise."""


def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to make; must be new, empty or left unfinished.")],
    patients: Annotated[
        int | None,
        typer.Option(help="How many bodies; by default as many as the preset has.", show_default=False),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="What is written: tiny, demo (the default), traps, paper, liver or livers.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 1,
    masks: Annotated[
        bool, typer.Option("--masks", help="Write organ masks of every kept series too, NIfTI and DICOM SEG.")
    ] = False,
    volumes: Annotated[
        int | None,
        typer.Option(min=1, help="Write so many training volumes and labels instead.", show_default=False),
    ] = None,
    weight_kg: Annotated[
        float | None,
        typer.Option(min=35, max=180, help="Weight of all bodies of training volumes.", show_default=False),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            help="Slices, rows and columns to which training volumes are averaged, e.g. 24,96,96; by default "
            "they stay 48,192,192.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    executor: Annotated[str, typer.Option(help="processes, serial or dask://host:port.")] = "processes",
    workers: Annotated[
        int | None, typer.Option(help="Worker processes; by default one a CPU.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a synthetic DICOM archive with known truth, or volumes with labels, to try everything on.

    Example: radnet synthesize demo && radnet run demo/archive --work demo/work

    Example: radnet synthesize poor --preset paper --patients 100 --masks

    Example: radnet synthesize training --volumes 600 --patients 40
    """
    from radnet.executors import Workers

    _check_options(preset, masks, volumes, weight_kg, shape, device)
    where = Workers(executor, workers)
    with progress_bars() as bar:
        if volumes is not None:
            from radnet.synthetic.arrays import keep_freed_memory
            from radnet.synthetic.volume_files import write_volumes
            from radnet.synthetic.volumes import Design

            keep_freed_memory()
            bodies = BODIES if patients is None else patients
            design = Design(varied_intensity=False, averaged_to=parse_shape(shape) if shape else None)
            made = write_volumes(
                out, volumes, bodies, seed, device, design, bar("synthesize"), weight_kg, where
            )
            print_outcome(made, as_json)
            return
        if preset is not None and preset in PAIRS:
            from radnet.synthetic.lits import write_lits

            pairs = write_lits(out, patients, seed, where, bar("synthesize"), PAIRS[preset])
            print_outcome(pairs, as_json)
            return
        from radnet.synthetic.archive import write_archive

        summary = write_archive(out, patients, seed, preset or "demo", masks, where, bar("synthesize"))
    print_outcome(summary, as_json)


def _check_options(
    preset: str | None,
    masks: bool,
    volumes: int | None,
    weight_kg: float | None,
    shape: str | None,
    device: str | None,
) -> None:
    """Refuse options that would have no effect."""
    if volumes is not None and preset is not None:
        raise typer.BadParameter("--volumes makes training volumes and --preset scans; give one of them")
    if masks and (volumes is not None or preset in PAIRS):
        raise typer.BadParameter(
            "--masks is for archives; training volumes have none, livers always have them"
        )
    for name, value in (("--weight-kg", weight_kg), ("--shape", shape), ("--device", device)):
        if volumes is None and value is not None:
            raise typer.BadParameter(f"{name} is for training volumes; give --volumes too")


def contact_sheet(
    out: Annotated[Path, typer.Argument(help="PNG file to write.")],
    seed: Seed = 1,
    real: Annotated[
        Path | None,
        typer.Option(help="A workspace whose volumes are shown below.", show_default=False),
    ] = None,
    cell: Annotated[int, typer.Option(min=32, help="Side of one picture in pixels.")] = 112,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Show every synthetic sequence in every view and region, and real scans below, on one sheet.

    Example: radnet contact-sheet sheet.png --seed 3 --real work
    """
    from radnet.synthetic.showcase import write_contact_sheet

    with progress_bars() as bar:
        summary = write_contact_sheet(out, seed, real, device, cell, bar("contact-sheet"))
    print_outcome(summary, as_json)
