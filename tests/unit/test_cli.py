"""What the command line promises: help, exit codes, light imports."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from radnet.cli import app
from radnet.pipeline import STAGES

VERBS = get_command(app).commands  # type: ignore[attr-defined]
GROUPED_VERBS = [(group, verb) for group in ("rules", "study") for verb in VERBS[group].commands]
STAGE_VERBS = [stage.verb for stage in STAGES]
COMMON = ("work", "config", "policy", "executor", "workers", "shard", "as_json")


def radnet(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "radnet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_all_verbs_are_there() -> None:
    others = {
        *("run", "status", "explain", "synthesize", "contact-sheet", "release", "rules"),
        *("networks", "export", "pretrain", "evaluate", "transfer", "study"),
        *("predict", "audit", "neighbours"),
    }
    assert set(VERBS) == others | set(STAGE_VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    command = VERBS[verb]
    assert f"radnet {verb}" in command.help
    assert "Example" in command.help
    assert all(option.help for option in command.params), "an option or argument lacks help"


@pytest.mark.parametrize(("group", "verb"), GROUPED_VERBS)
def test_every_verb_of_a_group_has_help_with_an_example(group: str, verb: str) -> None:
    command = VERBS[group].commands[verb]
    assert f"Example: radnet {group} {verb}" in command.help
    assert all(option.help for option in command.params), "an option or argument lacks help"


@pytest.mark.parametrize("verb", ["run", *STAGE_VERBS])
def test_every_stage_takes_the_common_options(verb: str) -> None:
    assert set(COMMON) <= {option.name for option in VERBS[verb].params}


@pytest.mark.parametrize("code", ["import radnet", "from radnet.cli import app"], ids=str)
def test_imports_are_light(code: str) -> None:
    heavy = "{'torch', 'cv2', 'polars', 'pydicom', 'matplotlib', 'numpy'}"
    check = f"{code}; import sys; found = {heavy} & set(sys.modules); assert not found, found"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_every_public_name_can_be_imported() -> None:
    import radnet as package

    assert len(package.__all__) <= 12
    for name in package.__all__:
        assert getattr(package, name).__doc__


def test_an_unknown_public_name_is_refused() -> None:
    with pytest.raises(ImportError, match="cannot import name 'scan_everything'"):
        from radnet import scan_everything  # noqa: F401


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["group", "--work", "nowhere"], "run `radnet scan` first"),
        (["scan", "absent", "--work", "w"], "absent"),
        (["status", "--work", "nowhere"], "nowhere does not exist"),
        (["group", "--policy", "papers"], "policy is 'papers'"),
        (["group", "--config", "absent.toml"], "absent.toml: cannot be read"),
        (["group", "--executor", "threads"], "must be processes, serial or dask"),
        (["group", "--executor", "dask://machine"], "dask://host:port"),
        (["group", "--workers", "0"], "must be at least 1"),
        (["group", "--shard", "0/3"], "needs the whole archive"),
        (["build", "--shard", "3/3"], "i/N with 0 <= i < N"),
        (["run", "absent", "--until", "train"], "no such stage"),
        (["explain", "123", "--work", "nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_our_errors_are_one_sentence_and_exit_code_2(
    arguments: list[str], match: str, tmp_path: Path
) -> None:
    outcome = radnet(*arguments, cwd=tmp_path)
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("radnet: ")
    assert outcome.stderr.count("\n") == 1
    assert match in outcome.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_bug_is_a_traceback_and_exit_code_1(tmp_path: Path) -> None:
    code = "import radnet.pipeline as p, sys; p.status = lambda *a: 1 / 0; sys.argv = ['radnet', 'status']; "
    code += "from radnet.cli import main; main()"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "ZeroDivisionError" in outcome.stderr


@pytest.mark.parametrize(
    ("refusal", "match"),
    [("EACCES", "get the right"), ("EROFS", "get the right"), ("ENOSPC", "free some room")],
)
def test_a_refusal_of_the_system_that_can_be_mended_is_no_bug(refusal: str, match: str) -> None:
    code = f"""
import errno, os, sys, radnet.pipeline
from radnet.cli import main
def refuse(*arguments):
    raise OSError(errno.{refusal}, os.strerror(errno.{refusal}), "work/.lock")
radnet.pipeline.status = refuse
sys.argv = ["radnet", "status"]
main()
"""
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("radnet: work/.lock: ")
    assert outcome.stderr.count("\n") == 1
    assert match in outcome.stderr


def test_a_configuration_in_the_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "radnet.toml").write_text("[lables]\n")
    outcome = radnet("group", cwd=tmp_path)
    assert outcome.returncode == 2
    assert "unknown key 'lables'; did you mean 'labels'?" in outcome.stderr


def test_status_of_an_empty_workspace_is_json(tmp_path: Path) -> None:
    outcome = radnet("status", "--work", str(tmp_path), "--json")
    assert [stage["state"] for stage in json.loads(outcome.stdout)] == ["missing"] * len(STAGES)


def test_rules_given_on_the_command_line_lie_over_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    rule = 'name = "ours"\nvalue = "stir"\ntier = "series"\nwhen = { series = { says = ["zorgblatt"] } }\n'
    rule += 'why = "a house word"\ncases = { stir = ["zorgblatt"] }\n'
    (tmp_path / "site" / "sequence.toml").write_text(f'label = "sequence"\n[[rule]]\n{rule}')
    (tmp_path / "table.csv").write_text("Modality,SeriesDescription\nMR,zorgblatt\n")
    label = ["label", "table.csv", "--out", "labels.csv"]
    for options, expected in ([], ""), (["--rules", "site"], "stir"):
        assert radnet(*label, *options, cwd=tmp_path).returncode == 0
        with (tmp_path / "labels.csv").open() as table:
            assert [row["sequence"] for row in csv.DictReader(table)] == [expected]


def test_a_faulty_rule_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sequence.toml").write_text('label = "sequence"\n[[rule]]\nnam = "x"\n')
    (tmp_path / "table.csv").write_text("Modality\nMR\n")
    outcome = radnet("label", "table.csv", "--out", "labels.csv", "--rules", "site", cwd=tmp_path)
    assert outcome.returncode == 2
    assert "sequence.toml" in outcome.stderr
    assert "did you mean 'name'?" in outcome.stderr
