"""The verbs that put a network to work, nothing but parsing, calling and printing; none needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radnet.console import print_agreement, print_json, print_neighbours, print_outcome, progress_bars
from radnet.options import Config, Json, Policy, Rules, Work, resolve_config

WORK_SUFFIX = ".work"
"""Of the workspace beside the table, when none is named."""


def predict(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders, archives, DICOM or NIfTI files; without any, the volumes built in --work.",
            metavar="[SOURCE]…",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("predictions.parquet"),
    model: Annotated[
        str, typer.Option(help="Model folder, or the name of one that comes with RADNet.")
    ] = "small",
    work: Annotated[
        Path | None,
        typer.Option(help="Workspace; by default OUT with the suffix .work.", show_default=False),
    ] = None,
    coded: Annotated[
        Path | None, typer.Option(help="Write SNOMED CT and DICOM codes too, as .csv.", show_default=False)
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="Write the features too: .npy or .parquet.", show_default=False)
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            help="Segmenter for --outline: its folder; by default the liver's that comes with RADNet.",
            show_default=False,
        ),
    ] = None,
    outline: Annotated[
        bool, typer.Option("--outline", help="Write the organ's masks as NIfTI, DICOM SEG and pictures.")
    ] = False,
    backend: Annotated[str, typer.Option(help="auto, onnx, openvino or torch.")] = "auto",
    config: Config = None,
    policy: Policy = None,
    rules: Rules = None,
    executor: Annotated[
        str, typer.Option("--executor", help="Where work runs: serial, processes or dask://host:port.")
    ] = "processes",
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Worker processes; by default one a CPU.", show_default=False),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", help="Do share i of N, e.g. 0/3, for job arrays.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Label scans by their pixels: words, probabilities and features beside the header's labels.

    The same command goes on where it was stopped, and reads only what is new.

    Example: radnet predict archive/ --out predictions.parquet

    Example: radnet predict archive/ --outline
    """
    from radnet.executors import Shard, Workers
    from radnet.networks.folder import DEFAULT_SEGMENTER
    from radnet.networks.model import load_model
    from radnet.networks.segmenter import load_segmenter
    from radnet.pipeline import PREDICT, run_pipeline
    from radnet.predict.exports import EMBEDDING_SUFFIXES, checked_out, write_coded, write_embeddings

    if not sources and work is None:
        raise typer.BadParameter("name what to predict: radnet predict SOURCE, or --work with built volumes")
    for file, suffixes in ((out, (".parquet",)), (coded, (".csv",)), (embeddings, EMBEDDING_SUFFIXES)):
        if file is not None:
            checked_out(file, suffixes)
    workspace = work or out.with_suffix(WORK_SUFFIX)
    settings = resolve_config(config, policy, rules)
    where, share = Workers(executor, workers), Shard.parse(shard) if shard else Shard()
    if segmenter is not None and not outline:
        raise typer.BadParameter("--segmenter says by what to outline; give --outline too")
    load_model(model, backend=backend)  # refused before an hour of scanning, not after
    outliner = load_segmenter(segmenter or DEFAULT_SEGMENTER, backend=backend) if outline else None
    with progress_bars() as bar:
        if sources:
            steps = run_pipeline(sources, workspace, settings, where, share, "labels", bar, allow_none=True)
            made = {stage.name: found for stage, found in steps}
            if not made["scan"].complete:
                typer.echo("other shares are still to be scanned; run this again when they are", err=True)
                return
        summary = PREDICT.load()(
            workspace, settings, where, share, bar(PREDICT), model, backend, out, stored=not sources
        )
    if summary.predictions and coded:
        write_coded(out, coded)
    if summary.predictions and embeddings:
        write_embeddings(out, embeddings)
    outlines = None
    if outliner is not None and summary.predictions:
        from radnet.predict.outline import nifti_of, outline_series

        with progress_bars() as bar:
            outlines = outline_series(workspace, outliner, nifti=nifti_of(out), progress=bar("outline"))
    if as_json:
        print_json(summary if outlines is None else {"predict": summary, "outline": outlines})
        return
    print_agreement(summary)
    if outlines is not None:
        print_outcome(outlines, as_json=False)


def audit(
    work: Work = Path("work"),
    shown: Annotated[int, typer.Option(min=1, help="Pictures a label on the page.")] = 20,
    judge: Annotated[
        str, typer.Option(help="auto, network, or probe: a linear probe fitted on other patients.")
    ] = "auto",
    config: Config = None,
    policy: Policy = None,
    as_json: Json = False,
) -> None:
    """List the labels that are likely wrong, with a picture each: 7-predict/audit.

    Needs what `radnet predict --work W` wrote.

    Example: radnet audit --work predictions.work
    """
    from radnet.report.audit import write_audit

    if judge not in ("auto", "network", "probe"):
        raise typer.BadParameter(f"--judge {judge}: must be auto, network or probe")
    with progress_bars() as bar:
        summary = write_audit(work, resolve_config(config, policy), shown, judge, bar("audit"))  # type: ignore[arg-type]
    print_outcome(summary, as_json)


def neighbours(
    uid: Annotated[
        str, typer.Argument(help="A SeriesInstanceUID, or a stack_id or its beginning.", metavar="UID")
    ],
    predictions: Annotated[Path, typer.Option(help="Table of `radnet predict`.")] = Path(
        "predictions.parquet"
    ),
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    other_patients: Annotated[
        bool, typer.Option("--other-patients", help="Leave out series of the same patient.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the series most like one, by the cosine of their features.

    Example: radnet neighbours 3f2a9c0d --predictions predictions.parquet --other-patients
    """
    from radnet.predict.neighbours import find_neighbours

    found = find_neighbours(predictions, uid, count, other_patients)
    if as_json:
        print_json(found)
    else:
        print_neighbours(found)
