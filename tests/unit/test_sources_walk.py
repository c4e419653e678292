"""The walk finds every file once and survives whatever lies between."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from radnet.errors import SourceError
from radnet.sources import Entry, Refused, list_entries, open_blob, walk


def listed(*sources: Path, exclude: Path | None = None) -> dict[str, Entry | Refused]:
    found = list(walk(sources, exclude))
    assert len({item.path for item in found}) == len(found)
    return {item.path: item for item in found}


def entries(*sources: Path) -> set[str]:
    return {path for path, item in listed(*sources).items() if isinstance(item, Entry)}


def refusals(*sources: Path) -> dict[str, str]:
    return {path: item.reason for path, item in listed(*sources).items() if isinstance(item, Refused)}


def write(path: Path, data: bytes = b"data") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def test_files_of_any_depth_and_name_are_listed(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 60, "IM0001")
    names = [tmp_path / "x.dcm", tmp_path / "a b" / "no suffix", tmp_path / ".hidden", deep]
    paths = {write(name) for name in names}
    assert entries(tmp_path) == paths


def test_an_entry_says_where_how_big_and_when(tmp_path: Path) -> None:
    path = write(tmp_path / "sub" / "x", b"12345")
    (entry,) = walk([tmp_path])
    assert entry == Entry(str(tmp_path), path, 5, Path(path).stat().st_mtime_ns)


def test_relative_sources_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "sub" / "x")
    monkeypatch.chdir(tmp_path)
    (entry,) = walk(["sub/../sub/"])
    assert (entry.source, entry.path) == (str(tmp_path / "sub"), path)


def test_an_empty_file_is_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "empty", b"")
    assert entries(tmp_path) == {path}


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "b" / "x")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    assert entries(tmp_path) == {path}


@pytest.mark.parametrize("link_name", ["0-before", "z-after"])
def test_a_file_reached_by_links_is_listed_once_under_its_own_name(tmp_path: Path, link_name: str) -> None:
    path = write(tmp_path / "m" / "x")
    (tmp_path / link_name).symlink_to(path)
    (tmp_path / f"{link_name}-folder").symlink_to(tmp_path / "m")
    assert entries(tmp_path) == {path}


def test_links_out_of_the_source_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "folder" / "x")
    target = write(tmp_path / "outside" / "y")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a", "b"):
        (source / name).symlink_to(tmp_path / "outside" / "folder")
        (source / f"{name}-file").symlink_to(target)
    assert entries(source) == {str(source / "a" / "x"), str(source / "a-file")}


def test_overlapping_sources_list_a_file_once_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path / "sub" / "x")
    sources = [tmp_path, tmp_path / "sub", Path(path)]
    for order in (sources, sources[::-1]):
        assert list(walk(order)) == list(walk([tmp_path]))


def test_hard_links_are_names_in_their_own_right(tmp_path: Path) -> None:
    path = write(tmp_path / "x")
    os.link(path, tmp_path / "y")
    assert entries(tmp_path) == {path, str(tmp_path / "y")}


@pytest.fixture
def socket_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        yield str(tmp_path / "socket")


def test_sockets_pipes_and_broken_links_are_refused(tmp_path: Path, socket_path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    path = write(tmp_path / "x")
    assert entries(tmp_path) == {path}
    assert refusals(tmp_path) == {
        socket_path: "not_a_file",
        str(tmp_path / "pipe"): "not_a_file",
        str(tmp_path / "nowhere"): "broken_link",
        str(tmp_path / "itself"): "broken_link",
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(PermissionError(13, "no"), "unreadable_folder", id="forbidden"),
        pytest.param(OSError(5, "input/output"), "unreadable_folder", id="medium"),
        pytest.param(FileNotFoundError(2, "gone"), "vanished", id="deleted meanwhile"),
    ],
)
def test_a_folder_that_cannot_be_looked_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    path = write(tmp_path / "good" / "x")
    write(tmp_path / "bad" / "x")
    scandir = os.scandir

    def fail(name: str) -> object:
        if name.endswith("bad"):
            raise error
        return scandir(name)

    monkeypatch.setattr(os, "scandir", fail)  # root may read everything, so that modes prove nothing
    assert entries(tmp_path) == {path}
    assert refusals(tmp_path) == {str(tmp_path / "bad"): reason}


def test_a_file_that_vanishes_during_the_walk_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    found = walk([tmp_path])
    first = next(found)
    (other,) = {str(tmp_path / "a"), str(tmp_path / "b")} - {first.path}
    Path(other).unlink()
    assert next(found) == Refused(str(tmp_path), other, "vanished", "FileNotFoundError")


def test_a_source_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: there is no such source"):
        list(walk([tmp_path, tmp_path / "nowhere"]))


def test_a_workspace_inside_the_source_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "x")
    write(tmp_path / "work" / "1-scan" / "instances.parquet")
    assert set(listed(tmp_path, exclude=tmp_path / "work")) == {path}


def test_a_name_that_is_no_utf8_can_be_opened(tmp_path: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/Sch\xe4del")), b"bytes")
    (entry,) = list_entries([tmp_path])
    assert entry.path == f"{tmp_path}/Sch\\xe4del"
    with open_blob(entry.path) as blob:
        assert (blob.size, blob.pread(0, 99)) == (5, b"bytes")


def test_a_pipe_in_place_of_a_listed_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_blob(str(tmp_path / "pipe"))


def test_a_workspace_is_no_source_of_itself(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is the workspace itself; name the folder"):
        list(walk([tmp_path], exclude=tmp_path))
