"""The verb `radnet transfer`, nothing but parsing, calling and printing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radnet.console import print_outcome, progress_bars
from radnet.options import INTERRUPTED, Config, Json, Policy, parse_labels, parse_shape, resolve_config


def transfer(
    data: Annotated[
        Path,
        typer.Argument(help="Scans with masks: LiTS, Decathlon, nnU-Net, pairs of NIfTI files, DICOM."),
    ],
    model: Annotated[
        Path, typer.Option(help="Model folder with the pretrained encoder, or a MedicalNet .pth file.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the segmenter.")] = Path("work/6-transfer/liver"),
    organ: Annotated[str | None, typer.Option(help="What is outlined, e.g. liver.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Numbers in the masks that are the organ, e.g. 1,2.", metavar="N[,N]…"),
    ] = None,
    freeze: Annotated[
        str | None, typer.Option(help="Encoder blocks that do not learn: all, 3, 2, 1 or none.")
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="First weights of the encoder: pretrained or scratch.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="Slices, rows, columns that the network sees.", metavar="D,H,W")
    ] = None,
    slice_mm: Annotated[float | None, typer.Option(help="Distance of slices, in mm.")] = None,
    decoder: Annotated[str | None, typer.Option(help="light or paper.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Steps of the training.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Minutes of steps, if that is sooner.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows at a time.")] = None,
    lr: Annotated[float | None, typer.Option(help="Largest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of split, first weights, order and augmentation.")] = None,
    second_pass: Annotated[
        str | None, typer.Option(help="on: look again at the box around the first mask; off.")
    ] = None,
    propose: Annotated[
        bool | None,
        typer.Option("--propose/--no-propose", help="Choose windows by the model's coverage head."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps prepared scans for further runs.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, 32-true or bf16-mixed.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="auto, cpu or gpu.")] = None,
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Train a segmenter of an organ on a pretrained encoder, and measure it on other patients.

    SIGTERM, SIGUSR1 and Ctrl-C save and stop; the same command goes on. All settings stand in [transfer] of
    radnet.toml.

    Example: radnet transfer lits --model work/5-pretrain/run --organ liver --out work/6-transfer/liver
    """
    from radnet.extras import require

    for package in ("torch", "safetensors", "lightning_fabric", "tensorboard"):
        require(package, "train", "radnet transfer")
    from radnet.pipeline import TRANSFER

    given: dict[str, Any] = {
        "organ": organ,
        "freeze": freeze,
        "init": init,
        "window": parse_shape(window) if window else None,
        "slice_mm": slice_mm,
        "decoder": decoder,
        "max_steps": max_steps,
        "max_minutes": max_minutes,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "second_pass": second_pass,
        "propose": propose,
        "precision": precision,
        "accelerator": accelerator,
    }
    changes = {"transfer": {name: value for name, value in given.items() if value is not None}}
    settings = resolve_config(config, policy, changes=changes)
    with progress_bars() as bar:
        summary = TRANSFER.load()(data, model, out, settings, parse_labels(labels), cache, bar)
    print_outcome(summary, as_json)
    if not summary.training.finished:
        raise typer.Exit(INTERRUPTED)
