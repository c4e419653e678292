"""The verbs `radnet study …`, nothing but parsing, calling and printing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radnet.console import print_outcome, progress_bars
from radnet.options import INTERRUPTED, Config, Json, Policy, parse_labels, resolve_config

if TYPE_CHECKING:
    from radnet.config import RadnetConfig
    from radnet.studies import ArmConfig

study_app = typer.Typer(
    name="study",
    help=(
        "Measure what a pretrained network gives: freezing, fewer annotations, baselines; equal budgets.\n\n"
        "Example: radnet study freezing SCANS --model work/5-pretrain/first"
    ),
    no_args_is_help=True,
)

Data = Annotated[
    Path, typer.Argument(help="Scans with masks: LiTS, Decathlon, nnU-Net, pairs of NIfTI files, DICOM.")
]
Model = Annotated[Path, typer.Option(help="Model folder with the pretrained encoder.")]
Out = Annotated[Path, typer.Option(help="Folder of the study; one that is there goes on.")]
Organ = Annotated[str | None, typer.Option(help="What is outlined, e.g. liver.")]
Labels = Annotated[
    str | None,
    typer.Option(help="Numbers in the masks that are the organ, e.g. 1,2.", metavar="N[,N]…"),
]
Medicalnet = Annotated[
    Path | None, typer.Option(help="MedicalNet .pth file; adds its weights as one more arm.")
]
Arms = Annotated[str | None, typer.Option(help="Names of the arms to run, comma between; by default all.")]
MaxSteps = Annotated[int | None, typer.Option(help="Steps of each run.")]
MaxMinutes = Annotated[float | None, typer.Option(help="Minutes of steps of each run, if that is sooner.")]
ExecutorName = Annotated[
    str,
    typer.Option("--executor", help="serial (each run has all cores), processes or dask://host:port."),
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", help="Runs side by side, one core each; by default one a CPU.")
]
ShardText = Annotated[
    str | None, typer.Option("--shard", help="Do share i of N of the runs, e.g. 0/3, for job arrays.")
]


@study_app.command()
def freezing(
    data: Data,
    model: Model,
    out: Out = Path("work/6-transfer/freezing"),
    organ: Organ = None,
    labels: Labels = None,
    medicalnet: Medicalnet = None,
    arms: Arms = None,
    max_steps: MaxSteps = None,
    max_minutes: MaxMinutes = None,
    executor: ExecutorName = "serial",
    workers: WorkerCount = None,
    shard: ShardText = None,
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Compare what is frozen (the paper's table 2), beside scratch and MONAI's networks.

    Example: radnet study freezing lits --model work/5-pretrain/run --out work/6-transfer/freezing
    """
    from radnet.studies import FREEZING

    settings = _settings(config, policy, organ, max_steps, max_minutes)
    _run(data, model, out, settings, FREEZING, labels, medicalnet, arms, executor, workers, shard, as_json)


@study_app.command()
def fractions(
    data: Data,
    model: Model,
    out: Out = Path("work/6-transfer/fractions"),
    organ: Organ = None,
    labels: Labels = None,
    medicalnet: Medicalnet = None,
    arms: Arms = None,
    max_steps: MaxSteps = None,
    max_minutes: MaxMinutes = None,
    executor: ExecutorName = "serial",
    workers: WorkerCount = None,
    shard: ShardText = None,
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Compare fewer and fewer training scans (the paper's table 3), beside scratch and MONAI's UNet.

    Example: radnet study fractions lits --model work/5-pretrain/run --out work/6-transfer/fractions
    """
    from radnet.studies import FRACTION_SIZES, FRACTIONS

    settings = _settings(config, policy, organ, max_steps, max_minutes, list(FRACTION_SIZES))
    _run(data, model, out, settings, FRACTIONS, labels, medicalnet, arms, executor, workers, shard, as_json)


@study_app.command()
def grid(
    file: Annotated[Path, typer.Argument(help="Configuration whose [study] names arms, sizes and folds.")],
    data: Data,
    model: Model,
    out: Out = Path("work/6-transfer/grid"),
    organ: Organ = None,
    labels: Labels = None,
    medicalnet: Medicalnet = None,
    arms: Arms = None,
    max_steps: MaxSteps = None,
    max_minutes: MaxMinutes = None,
    executor: ExecutorName = "serial",
    workers: WorkerCount = None,
    shard: ShardText = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """Run a grid of your own: any arms, counts or shares of cases, folds, seeds.

    Example: radnet study grid recipes/liver.toml scans --model work/5-pretrain/run --labels 1
    """
    from radnet.errors import StudyError

    settings = _settings(file, policy, organ, max_steps, max_minutes)
    if not settings.study.arms:
        raise StudyError(f"{file}: [study] names no arms; add [[study.arms]] tables")
    _run(data, model, out, settings, (), labels, medicalnet, arms, executor, workers, shard, as_json)


@study_app.command()
def show(
    out: Annotated[Path, typer.Argument(help="Folder of a study.")],
    as_json: Json = False,
) -> None:
    """Write tables, curves and page of a study's finished runs again, and print the tables.

    Example: radnet study show work/6-transfer/freezing
    """
    from radnet.report.studies import write_study_page
    from radnet.transfer.study_results import TABLES_NAME, write_results

    write_results(out)
    page = write_study_page(out)
    if as_json:
        print_outcome(page, as_json)
    else:
        typer.echo((out / TABLES_NAME).read_text("utf-8"))


def _settings(
    path: Path | None,
    policy: str | None,
    organ: str | None,
    max_steps: int | None,
    max_minutes: float | None,
    sizes: list[float] | None = None,
) -> RadnetConfig:
    """Resolve the configuration; sizes of a verb give way to those of the file."""
    given: dict[str, Any] = {"organ": organ, "max_steps": max_steps, "max_minutes": max_minutes}
    changes: dict[str, Any] = {"transfer": {key: value for key, value in given.items() if value is not None}}
    settings = resolve_config(path, policy, changes=changes)
    if sizes is not None and "sizes" not in settings.study.model_fields_set:
        study = settings.study.model_copy(update={"sizes": tuple(sizes)})
        settings = settings.model_copy(update={"study": study})
    return settings


def _run(
    data: Path,
    model: Path,
    out: Path,
    settings: RadnetConfig,
    arms: Sequence[ArmConfig],
    labels: str | None,
    medicalnet: Path | None,
    wanted: str | None,
    executor: str,
    workers: int | None,
    shard: str | None,
    as_json: bool,
) -> None:
    from radnet.executors import Shard, Workers
    from radnet.extras import require
    from radnet.report.studies import write_study_page
    from radnet.studies import chosen_arms, with_medicalnet
    from radnet.transfer.study import run_study

    for package in ("torch", "safetensors", "lightning_fabric", "tensorboard", "monai", "scipy"):
        require(package, "train", "radnet study")
    compared = settings.study.arms or tuple(arms)
    compared = with_medicalnet(compared) if medicalnet else compared
    with progress_bars() as bar:
        summary = run_study(
            data,
            model,
            out,
            settings,
            chosen_arms(compared, wanted.split(",") if wanted else ()),
            parse_labels(labels),
            medicalnet,
            Workers(executor, workers),
            Shard.parse(shard) if shard else Shard(),
            bar,
        )
    if summary.n_finished + summary.n_known:
        write_study_page(out)
    print_outcome(summary, as_json)
    if summary.failed:
        raise typer.Exit(2)
    if not summary.finished:
        raise typer.Exit(INTERRUPTED)
