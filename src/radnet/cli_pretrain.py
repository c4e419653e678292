"""The verbs `radnet pretrain` and `radnet evaluate`, nothing but parsing, calling and printing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radnet.console import print_outcome, progress_bars
from radnet.options import (
    INTERRUPTED,
    Config,
    Json,
    Policy,
    Work,
    parse_labels,
    parse_shape,
    resolve_config,
)

SEGMENTERS = "6-transfer"
"""Folder of a workspace in which segmenters lie."""


def pretrain(
    work: Work = Path("work"),
    run: Annotated[str | None, typer.Option(help="Name of the run; by default that of the network.")] = None,
    network: Annotated[
        str | None, typer.Option(help="Backbone, or paper; `radnet networks` lists them.")
    ] = None,
    input_shape: Annotated[
        str | None, typer.Option(help="Slices, rows, columns that the network sees.", metavar="D,H,W")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that each volume is seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Volumes that one device takes at a time.")] = None,
    lr: Annotated[float | None, typer.Option(help="Largest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of first weights, order and augmentation.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, 32-true or bf16-mixed.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="auto, cpu or gpu.")] = None,
    devices: Annotated[int | None, typer.Option(help="GPUs, or processes on a CPU, a machine.")] = None,
    nodes: Annotated[int | None, typer.Option(help="Machines.")] = None,
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Train the network on the labels of the volumes: 5-pretrain/RUN.

    SIGTERM, SIGUSR1 and Ctrl-C save and stop; the same command goes on. All settings stand in [pretrain] of
    radnet.toml.

    Example: radnet pretrain --work work --network resnet18 --input-shape 24,96,96 --epochs 30
    """
    from radnet.extras import require
    from radnet.pipeline import PRETRAIN

    for package in ("torch", "safetensors", "lightning_fabric", "tensorboard"):
        require(package, "train", "radnet pretrain")
    given: dict[str, Any] = {
        "network": network,
        "input_shape": parse_shape(input_shape) if input_shape else None,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "precision": precision,
        "accelerator": accelerator,
        "devices": devices,
        "nodes": nodes,
    }
    changes = {"pretrain": {name: value for name, value in given.items() if value is not None}}
    settings = resolve_config(config, policy, changes=changes)
    with progress_bars() as bar:
        summary = PRETRAIN.load()(work, settings, run, progress=bar(PRETRAIN))
    if summary is None:  # one of several processes, of which the first reports
        return
    print_outcome(summary, as_json)
    if not summary.finished:
        raise typer.Exit(INTERRUPTED)


def evaluate(
    run: Annotated[
        str, typer.Argument(help="Name of a run of the workspace, any run's folder, or a segmenter's.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="For a segmenter: scans with masks, as radnet transfer takes them.", show_default=False
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="For a segmenter: numbers in the masks that are the organ, e.g. 1,2.",
            metavar="N[,N]…",
            show_default=False,
        ),
    ] = None,
    work: Work = Path("work"),
    split: Annotated[
        str | None,
        typer.Option(
            help="test (the default), validation, training, or all volumes of a workspace that did not "
            "train it.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Folder under RUN/evaluation; by default the split, the workspace or the data."),
    ] = None,
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Measure a run as in table 1 of 3D-RADNet, with intervals, beside simpler means.

    Refuses volumes that have to do with any that trained it. A segmenter is measured on scans with masks:
    Dice, IoU, HD95 and surface Dice on the scans' own voxels.

    Example: radnet evaluate resnet18 --work work --split test

    Example: radnet evaluate work/6-transfer/liver --data scans --labels 1
    """
    from radnet.extras import require

    if data is not None:
        if split is not None or config is not None or policy is not None:
            raise typer.BadParameter("--split, --config and --policy are for runs of radnet pretrain")
        from radnet.networks.folder import SHIPPED_FOLDER, WEIGHTS_NAME, find_model
        from radnet.transfer.evaluate import measure_segmenter

        own = work / SEGMENTERS / run
        folder = own if (own / WEIGHTS_NAME).is_file() else find_model(run)
        out = own if folder.parent == SHIPPED_FOLDER else None
        with progress_bars() as bar:
            measured = measure_segmenter(folder, data, name, parse_labels(labels), out, bar("evaluate"))
        print_outcome(measured, as_json)
        return
    if labels is not None:
        raise typer.BadParameter("--labels is for a segmenter; give --data too")
    for package in ("torch", "safetensors"):
        require(package, "train", "radnet evaluate")
    from radnet.pretrain.evaluate import evaluate_run

    settings = resolve_config(config, policy)
    with progress_bars() as bar:
        summary = evaluate_run(run, work, split or "test", name, settings, bar("evaluate"))
    print_outcome(summary, as_json)
