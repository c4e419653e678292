"""A study: the grid of runs, done once each, and what they say as tables and pictures.

STUDY/ holds runs/NAME/ (a folder a run), cases/ (prepared scans), runs.parquet and cases.parquet (a row a
run, and a run and case), study.json (what was asked for), tables and figures. Runs are independent: workers
and shards on other machines share them by name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from pydantic import ValidationError

from radnet import __version__
from radnet.config import RadnetConfig, TransferConfig
from radnet.errors import StudyError
from radnet.executors import Crashed, Progress, Shard, Workers, map_chunks, silent
from radnet.networks.folder import WEIGHTS_NAME, read_config
from radnet.studies import ArmConfig, StudyConfig, size_name
from radnet.tables import read_table, write_table
from radnet.transfer.cases import Case, CaseFiles, Preparation, files_digest, training_preparation
from radnet.transfer.proposal import REGION_OF, Proposal, Rule, propose, report_proposals
from radnet.transfer.readers import prepare_cases, survey
from radnet.transfer.study_grid import Run, make_splits, plan_runs
from radnet.transfer.study_results import CASES_TABLE, RUNS_TABLE, STUDY_NAME, write_results
from radnet.transfer.study_runs import (
    CASES_NAME,
    RUNS,
    Ended,
    Job,
    do_runs,
    read_run,
    refuse_other_run,
    run_digest,
    settings_of,
)
from radnet.workspace import digest_file, write_text

CACHE: Final = "cases"
NETWORK_DECODERS: Final = ("unet", "segresnet")
FORMAT: Final = 1
"""Of a run's digest."""


@dataclass(frozen=True)
class Material:
    """What all runs share.

    Attributes:
        files: Cases that can be used, by name.
        left_out: Case and reason.
        preparation: How they were prepared.
        cache: Where they lie prepared: a large set never is in memory as a whole while runs are done.
        proposals: Windows by case; None where all slices are looked at.
        proposal_report: How well they hold the organ.
        model_digest: Of the pretrained weights.
    """

    files: Mapping[str, CaseFiles]
    left_out: tuple[tuple[str, str], ...]
    preparation: Preparation
    cache: Path
    proposals: Mapping[str, Proposal] | None
    proposal_report: Mapping[str, Any] | None
    model_digest: str

    def case(self, name: str) -> Case:
        """Return a prepared case."""
        (case,) = prepare_cases([self.files[name]], self.preparation, self.cache).cases
        return case


@dataclass(frozen=True, slots=True)
class StudySummary:
    """What a study did.

    Attributes:
        study: Its folder.
        n_cases: Scans with masks.
        n_left_out: Scans that could not be used.
        n_runs: Of the grid, or of this shard of it.
        n_finished: Runs finished now.
        n_known: Runs that were finished before.
        n_waiting: Runs that were stopped or not begun; the same command goes on with them.
        failed: Names of runs that failed, and why.
    """

    study: str
    n_cases: int
    n_left_out: int
    n_runs: int
    n_finished: int
    n_known: int
    n_waiting: int
    failed: dict[str, str]

    @property
    def finished(self) -> bool:
        """Whether all runs are done."""
        return self.n_finished + self.n_known == self.n_runs


def run_study(
    data: Path | str,
    model: Path | str,
    out: Path | str,
    config: RadnetConfig,
    arms: Sequence[ArmConfig],
    labels: Sequence[int] | None = None,
    medicalnet: Path | None = None,
    workers: Workers = Workers("serial"),
    shard: Shard = Shard(),
    progress: Callable[[str], Progress] = lambda name: silent,
) -> StudySummary:
    """Do the runs of a grid that are not done yet.

    Args:
        data: Scans with masks, in any layout of `radnet.transfer.readers`.
        model: Model folder with the pretrained encoder.
        out: Folder of the study.
        config: Its `study` table is the grid, its `transfer` table what all arms share.
        arms: What is compared.
        labels: Numbers in the masks that are the organ, where the data does not name them.
        medicalnet: A MedicalNet weight file, for arms that take it.
        workers: Where runs are done; `serial` gives each all cores, `processes` one core each.
        shard: The share of the runs that this call does.
        progress: Gives each part (prepare, runs) its progress function.

    Returns:
        What became of the runs.

    Raises:
        StudyError: If the grid cannot be, or a run of the folder was made with other cases or settings.
        CaseError: If the data cannot be used.
        NetworkError: If the model cannot be used.
    """
    out = Path(out).resolve()
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    needs_file = [arm.name for arm in arms if arm.init == "medicalnet"]
    if needs_file and medicalnet is None:
        raise StudyError(f"arm '{needs_file[0]}' takes MedicalNet's weights; name their file by --medicalnet")
    material = gather(data, Path(model), out, config, labels, progress("prepare"))
    splits = make_splits(list(material.files.values()), config.study, out)
    runs = [run for run in plan_runs(splits, config.study, arms) if shard.holds(run.name)]
    jobs = list(_jobs(runs, material, Path(model).resolve(), medicalnet, out, config))
    waiting = [job for job in jobs if not refuse_other_run(job)]
    write_text(out / STUDY_NAME, json.dumps(_told(runs, material, config, arms), indent=1) + "\n")
    ended = list(_do(waiting, workers, progress("runs")))
    if any(read_run(job.place) for job in jobs):
        collect(out, [job.run for job in jobs])
        write_results(out, material)
    return _summary(out, material, len(jobs), len(jobs) - len(waiting), ended)


def gather(
    data: Path | str,
    model: Path,
    out: Path,
    config: RadnetConfig,
    labels: Sequence[int] | None = None,
    progress: Progress = silent,
) -> Material:
    """Find and prepare the cases of a study, and propose their windows; arguments as of `run_study`."""
    settings, spec = config.transfer, read_config(model)["network"]
    grey = config.volumes.model_copy(update={"intensity": spec.intensity})
    found = survey(data, settings.organ, labels)
    wanted = training_preparation(settings, grey)
    prepared = prepare_cases(found.cases, wanted, out / CACHE, progress)
    usable = {case.case_id for case in prepared.cases}
    proposals, report = None, None
    if settings.propose and REGION_OF.get(settings.organ) in spec.regions:
        from radnet.networks.model import load_model

        rule = Rule(settings.proposal_slices, settings.proposal_stride, settings.proposal_threshold)
        proposals = propose(load_model(model), prepared.cases, settings.organ, rule, out / CACHE)
        report = report_proposals(proposals, prepared.cases, settings.organ, spec).to_dict()
    return Material(
        {files.case_id: files for files in found.cases if files.case_id in usable},
        (*found.left_out, *prepared.left_out),
        wanted,
        out / CACHE,
        proposals,
        report,
        digest_file(model / WEIGHTS_NAME),
    )


def arm_settings(arm: ArmConfig, seed: int, study: StudyConfig, shared: TransferConfig) -> TransferConfig:
    """Return the settings of a run: the shared ones, the arm's own, and what the grid sets.

    Raises:
        StudyError: If a setting of the arm is unknown or wrong.
    """
    own: dict[str, Any] = {
        **shared.model_dump(),
        **arm.settings,
        "init": "scratch" if arm.init == "scratch" else "pretrained",
        "freeze": arm.freeze,
        "seed": seed,
    }
    if arm.network in NETWORK_DECODERS:
        own["decoder"] = arm.network
    if study.folds and not study.validation:
        own["keep"] = "last"
    try:
        return TransferConfig.model_validate(own)
    except ValueError as error:
        raise StudyError(f"arm '{arm.name}': {_first_fault(error)}") from None


def _first_fault(error: ValueError) -> str:
    faults = error.errors() if isinstance(error, ValidationError) else []
    return "; ".join(f"settings.{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults) or str(
        error
    )


def _jobs(
    runs: Sequence[Run],
    material: Material,
    model: Path,
    medicalnet: Path | None,
    out: Path,
    config: RadnetConfig,
) -> Iterator[Job]:
    grey = config.volumes.model_copy(update={"intensity": material.preparation.intensity})
    numbers = {
        name: number for number, name in enumerate(sorted({f.patient_id for f in material.files.values()}))
    }
    patients = {case: f"p{numbers[files.patient_id]:03d}" for case, files in material.files.items()}
    digests = {case: files_digest(files, material.preparation) for case, files in material.files.items()}
    weights = {"pretrained": material.model_digest, "scratch": "none"}
    if medicalnet is not None:
        weights["medicalnet"] = digest_file(medicalnet)
    for run in runs:
        settings = arm_settings(run.arm, run.seed, config.study, config.transfer)
        starts = _starts(run, material.proposals)
        sides = [[digests[case] for case in side] for side in (run.training, run.validation, run.test)]
        known = [
            FORMAT,
            settings_of(settings),
            sides,
            starts,
            weights[run.arm.init],
            config.study.tolerance_mm,
        ]
        taken = medicalnet if run.arm.init == "medicalnet" else model
        assert taken is not None
        yield Job(
            run,
            out,
            {case: material.files[case] for case in run.cases},
            patients,
            material.preparation,
            material.cache,
            taken,
            config.pretrain.network,
            settings,
            grey,
            starts,
            config.transfer.proposal_slices,
            config.study.tolerance_mm,
            config.study.keep_models,
            run_digest(known),
        )


def _starts(run: Run, proposals: Mapping[str, Proposal] | None) -> dict[str, tuple[int, ...]] | None:
    return None if proposals is None else {case: proposals[case].chosen for case in run.cases}


def _do(jobs: Sequence[Job], workers: Workers, progress: Progress) -> Iterator[Ended]:
    """Do runs and tell how many are done; one whose worker died is a failed one."""
    progress(0, len(jobs))
    for done, ended in enumerate(map_chunks(do_runs, ([job] for job in jobs), workers), 1):
        progress(done, len(jobs))
        if isinstance(ended, Crashed):
            yield Ended(ended.item.run.name, "failed", "its worker process died, perhaps for lack of memory")
            continue
        yield from ended
        if workers.kind == "serial" and ended[0].outcome == "stopped":
            return  # the signal that stopped it meant all of them


def collect(out: Path, runs: Sequence[Run] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write runs.parquet and cases.parquet of the finished runs of a study's folder, and return both.

    Args:
        out: Folder of the study.
        runs: Whose places in the grid count now; those of other runs are as they were.

    Raises:
        StudyError: If no run is finished.
    """
    places = {run.name: (run.arm_number, run.size_number, run.arm.shown) for run in runs or ()}
    told, cases = [], []
    for place in sorted((out / RUNS).glob("*/")):
        found = read_run(place)
        if found is not None:
            told.append({key: value for key, value in found.items() if key not in ("settings", "digest")})
            cases.append(read_table(place / CASES_NAME, "study"))
    if not told:
        raise StudyError(f"{out}: no run is finished yet; the same command goes on")
    frames = []
    for frame, name in (
        (pl.DataFrame(told, infer_schema_length=None), RUNS_TABLE),
        (pl.concat(cases), CASES_TABLE),
    ):
        placed = _placed(frame, places).sort("arm_number", "size_number", "fold", "seed", maintain_order=True)
        write_table(placed, out / name)
        frames.append(placed)
    return frames[0], frames[1]


def _placed(frame: pl.DataFrame, places: Mapping[str, tuple[int, int, str]]) -> pl.DataFrame:
    """Give rows the places and titles of the present grid, which may have grown since they were written."""
    if not places:
        return frame
    now = pl.DataFrame(
        [{"run": name, "a": place[0], "s": place[1], "t": place[2]} for name, place in places.items()]
    )
    joined = frame.join(now, on="run", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce("a", "arm_number").alias("arm_number"),
        pl.coalesce("s", "size_number").alias("size_number"),
        pl.coalesce("t", "title").alias("title"),
    ).drop("a", "s", "t")


def _told(
    runs: Sequence[Run], material: Material, config: RadnetConfig, arms: Sequence[ArmConfig]
) -> dict[str, Any]:
    """Return what study.json says: enough to write tables and pictures without the command."""
    return {
        "version": __version__,
        "organ": config.transfer.organ,
        "study": config.study.model_dump(mode="json", exclude={"arms"}),
        "arms": [arm.model_dump(mode="json") for arm in arms],
        "transfer": config.transfer.model_dump(mode="json"),
        "n_cases": len(material.files),
        "n_patients": len({files.patient_id for files in material.files.values()}),
        "left_out": [reason for _, reason in material.left_out],
        "model": material.model_digest,
        "proposal": material.proposal_report,
        "n_runs": len(runs),
        "sizes": [size_name(size) for size in config.study.sizes],
    }


def _summary(
    out: Path, material: Material, n_runs: int, n_known: int, ended: Sequence[Ended]
) -> StudySummary:
    counts = Counter(one.outcome for one in ended)
    return StudySummary(
        study=str(out),
        n_cases=len(material.files),
        n_left_out=len(material.left_out),
        n_runs=n_runs,
        n_finished=counts["finished"],
        n_known=n_known + counts["known"],
        n_waiting=n_runs - n_known - counts["finished"] - counts["known"] - counts["failed"],
        failed={one.name: one.why for one in ended if one.outcome == "failed"},
    )
