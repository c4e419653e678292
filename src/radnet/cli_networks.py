"""The verbs on networks themselves: what there are and what they cost, and to export a trained one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radnet.console import print_json, print_networks, print_outcome
from radnet.extras import require
from radnet.options import Json, parse_shape


def networks(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Networks to measure; by default all.", metavar="[NETWORK]…", show_default=False),
    ] = None,
    input_shape: Annotated[str, typer.Option(help="Slices, rows and columns of a volume.")] = "48,192,192",
    width: Annotated[int, typer.Option(min=1, help="Channels of a ResNet's first stage.")] = 64,
    stem: Annotated[
        str | None,
        typer.Option(help="A ResNet's first convolution: anisotropic, isotropic, dense or small."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the networks with their feature maps, parameters and multiply-adds of one volume.

    Example: radnet networks paper resnet18 --input-shape 24,96,96
    """
    shape = parse_shape(input_shape)
    require("torch", "train", "radnet networks")
    from radnet.networks.sizes import measure_networks

    chosen = {} if stem is None else {"stem": stem}
    found = measure_networks(names or (), input_shape=shape, width=width, **chosen)
    if as_json:
        print_json(found)
    else:
        print_networks(found)


def export(
    run: Annotated[Path, typer.Argument(help="A model folder, as `radnet pretrain` makes them.")],
    to: Annotated[str, typer.Option(help="Form: onnx or openvino.")] = "onnx",
    work: Annotated[
        Path | None,
        typer.Option(
            help="Workspace whose first volumes are compared; by default noise.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a model, and keep the file only when it gives torch's labels and numbers.

    `radnet.load_model` then runs it by itself.

    Example: radnet export work/5-pretrain/run --to openvino --work work
    """
    require("torch", "train", "radnet export")
    from radnet.networks.export import export_model

    print_outcome(export_model(run, to, work / "4-volumes" if work else None), as_json)
