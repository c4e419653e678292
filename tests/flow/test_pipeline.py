"""What the chain promises: each stage is made once, and `status` says what is stale and why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_archives import write_series

from radnet.config import load_config
from radnet.errors import RadnetError, SourceError, WorkspaceError
from radnet.executors import Shard, Workers
from radnet.pipeline import STAGES, Stage, made_otherwise, run_pipeline, status
from radnet.workspace import Workspace

SERIAL = Workers("serial")
ALL = [stage.name for stage in STAGES]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive and a workspace in which every stage ran."""
    folder = tmp_path_factory.mktemp("made")
    write_series(folder / "archive", 2, 20)
    assert run(folder) == ALL
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil; its archive stays where it was scanned."""
    shutil.copytree(made / "work", tmp_path / "work", copy_function=shutil.copy2)
    (tmp_path / "archive").symlink_to(made / "archive")
    return tmp_path


def run(folder: Path, until: str = "report", shard: Shard = Shard()) -> list[str]:
    """Run the chain; return the stages that were made."""
    steps = run_pipeline(
        [(folder / "archive").resolve()], folder / "work", workers=SERIAL, shard=shard, until=until
    )
    return [stage.name for stage, summary in steps if summary is not None]


def states(folder: Path) -> dict[str, str]:
    return {stage.stage: stage.state for stage in status(folder / "work")}


def why(folder: Path, stage: str) -> str:
    return next("; ".join(found.why) for found in status(folder / "work") if found.stage == stage)


def forget_a_table(folder: Path) -> None:
    (folder / "work" / "3-labels" / "votes.parquet").unlink()


def edit_a_table(folder: Path) -> None:
    (folder / "work" / "3-labels" / "funnel.csv").write_text("step")


def age_the_record(folder: Path) -> None:
    path = folder / "work" / "3-labels" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "0.0.1"}))


def change_a_rule(folder: Path) -> None:
    path = folder / "work" / "3-labels" / "record.json"
    record = json.loads(path.read_text())
    record["inputs"]["rules/view.toml"] = "0"
    path.write_text(json.dumps(record))


def kill_the_stage(folder: Path) -> None:
    (folder / "work" / "3-labels" / "record.json").unlink()


def test_nothing_is_missing_or_stale_after_a_run(folder: Path) -> None:
    assert states(folder) == dict.fromkeys(ALL, "fresh")
    assert run(folder) == ["scan"]


@pytest.mark.parametrize("stage", STAGES, ids=ALL)
def test_a_record_vouches_for_all_that_its_stage_is_said_to_write(stage: Stage, folder: Path) -> None:
    record = Workspace(folder / "work").read_record(stage.folder)
    assert record is not None
    assert record.stage == stage.name
    assert set(stage.writes) <= set(record.outputs)


@pytest.mark.parametrize(
    ("spoil", "state", "reason"),
    [
        (forget_a_table, "stale", "votes.parquet was deleted"),
        (edit_a_table, "stale", "funnel.csv was changed by something else"),
        (age_the_record, "stale", "made by RADNet 0.0.1"),
        (change_a_rule, "stale", "rules/view.toml changed"),
        (kill_the_stage, "incomplete", "begun and not ended"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_stage_that_is_not_what_it_was_is_named_and_mended(
    spoil: Callable[[Path], None], state: str, reason: str, folder: Path
) -> None:
    spoil(folder)
    assert states(folder) == {
        "scan": "fresh",
        "series": "fresh",
        "labels": state,
        "volumes": "stale",
        "report": "stale",
    }
    assert reason in why(folder, "labels")
    assert why(folder, "volumes") == f"3-labels is {state}"
    assert "labels" in run(folder)
    assert states(folder) == dict.fromkeys(ALL, "fresh")


def test_new_files_and_lost_sources_are_noticed(tmp_path: Path) -> None:
    write_series(tmp_path / "archive", 2, 3)
    run(tmp_path, until="series")
    write_series(tmp_path / "archive" / "more", 3, 3)
    assert why(tmp_path, "scan") == "sources changed"
    shutil.rmtree(tmp_path / "archive")
    assert "there is no such source" in why(tmp_path, "scan")


def test_a_changed_key_is_told_with_both_values(folder: Path) -> None:
    config = load_config(changes={"volumes": {"intensity": "min_max"}})
    found = {stage.stage: stage for stage in status(folder / "work", config)}
    assert found["volumes"].why == ("volumes.intensity was windows, is min_max",)
    assert found["labels"].state == "fresh"


def test_the_chain_ends_where_it_is_told_to(tmp_path: Path) -> None:
    write_series(tmp_path / "archive", 2, 3)
    assert run(tmp_path, until="group") == ["scan", "series"]
    assert states(tmp_path)["labels"] == "missing"
    with pytest.raises(RadnetError, match="no such stage; it must be one of scan, series, labels"):
        run(tmp_path, until="train")


def test_the_share_that_ends_the_scan_goes_on_alone(tmp_path: Path) -> None:
    write_series(tmp_path / "archive", 2, 20)
    assert run(tmp_path, "labels", Shard(0, 2)) == ["scan"]
    assert states(tmp_path)["scan"] == "incomplete"
    assert run(tmp_path, "labels", Shard(1, 2)) == ["scan", "series", "labels"]


def test_what_was_made_with_other_settings_is_told_with_its_stage(folder: Path) -> None:
    assert list(made_otherwise(folder / "work", load_config(), "report")) == []

    told = {
        stage.name: why
        for stage, why in made_otherwise(folder / "work", load_config(policy="paper"), "report")
    }

    assert [*told] == ["labels", "volumes"]
    assert "volumes.intensity was windows, is min_max" in told["volumes"]


def test_sources_without_any_image_are_refused_and_say_where_the_reasons_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    steps = run_pipeline(tmp_path, tmp_path / "work", workers=SERIAL)
    assert next(steps)[1].n_skipped == {"not_dicom": 1}
    with pytest.raises(
        SourceError, match=r"none of the 1 files found is a CT or MR image; .*skipped.parquet"
    ):
        next(steps)


def test_no_workspace_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="does not exist"):
        status(tmp_path / "absent")
