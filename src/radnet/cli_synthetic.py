"""Verbs of the command line that make synthetic data and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radnet.console import print_outcome, progress_bars
from radnet.options import Json

Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")]
Device = Annotated[
    str | None,
    typer.Option(
        help="numpy, cpu or cuda; by default a GPU if there is one, else numpy.", show_default=False
    ),
]


def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to make; must be new or empty.")],
    patients: Annotated[int, typer.Option(min=1, help="How many bodies.")] = 12,
    seed: Seed = 1,
    small: Annotated[bool, typer.Option("--small", help="A few short series, for tests.")] = False,
    volumes: Annotated[
        int | None,
        typer.Option(min=1, help="Write so many training volumes and labels instead.", show_default=False),
    ] = None,
    weight_kg: Annotated[
        float | None,
        typer.Option(min=35, max=180, help="Weight of all bodies of training volumes.", show_default=False),
    ] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Write a synthetic DICOM archive with known truth, or volumes with labels, to try everything on.

    Example: radnet synthesize demo && radnet run demo/archive --work demo/work

    Example: radnet synthesize training --volumes 600 --patients 40
    """
    with progress_bars() as bar:
        if volumes is None:
            from radnet.synthetic.archive import write_archive

            print_outcome(
                write_archive(out, patients=patients, seed=seed, small=small, progress=bar("synthesize")),
                as_json,
            )
            return
        from radnet.synthetic.volume_files import write_volumes

        summary = write_volumes(
            out, volumes, patients, seed, device, progress=bar("synthesize"), weight_kg=weight_kg
        )
    print_outcome(summary, as_json)


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
