"""What the workspace promises: records, locks, and one key for all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from radnet.errors import WorkspaceError
from radnet.workspace import Workspace, patient_key, write_text


def test_a_record_comes_back_as_written(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (workspace.folder("1-scan") / "table").write_text("rows")
    workspace.write_record("scan", "1-scan", {"scan": {"a": 1}}, {"in": "d"}, ("table",), "9")
    record = workspace.read_record("1-scan")
    assert record is not None
    assert (record.stage, record.config, record.inputs) == ("scan", {"scan": {"a": 1}}, {"in": "d"})
    assert len(record.outputs["table"]) == 64


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stage": "scan"}'], ids=repr)
def test_a_damaged_record_counts_as_none(text: str, tmp_path: Path) -> None:
    (Workspace(tmp_path).folder("1-scan") / "record.json").write_text(text)
    assert Workspace(tmp_path).read_record("1-scan") is None


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="is a file; --work needs a folder"):
        Workspace(tmp_path / "file")


def test_a_name_that_tables_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no UTF-8 name"):
        Workspace(tmp_path / os.fsdecode(b"work\xff"))


def test_a_second_process_is_refused_while_the_first_holds_the_stage(tmp_path: Path) -> None:
    code = f"from radnet.workspace import Workspace\nwith Workspace({str(tmp_path)!r}).lock('2-series'): pass"
    with Workspace(tmp_path).lock("2-series"):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is being written by another radnet process" in second.stderr
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_key_is_made_once_and_is_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "patient.key"
    key = patient_key(path)
    assert patient_key(path) == key
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["patient.key"]


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    code = (
        f"from radnet.workspace import patient_key; from pathlib import Path; "
        f"print(patient_key(Path({str(tmp_path / 'key')!r})).decode())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    with pytest.raises(WorkspaceError, match="shorter than 16 bytes"):
        patient_key(tmp_path / "key")


def test_text_replaces_the_old_file_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "page", "old")
    write_text(tmp_path / "page", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]
