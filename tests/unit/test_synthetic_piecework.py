from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from radnet.errors import ExecutorError, SourceError
from radnet.executors import Workers
from radnet.synthetic.piecework import DESK_NAME, Piecework, make_pieces, piecework

HERE = Workers("serial")
PLAN = {"preset": "demo", "patients": 3}
NAMES = ["a", "b", "c"]
SLOW_RUN = """
import sys, time
from functools import partial
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_synthetic_piecework import NAMES, PLAN, HERE, write_slowly
from radnet.synthetic.piecework import make_pieces, piecework
with piecework(Path({out!r}), PLAN, "last.csv") as work:
    list(make_pieces(work, NAMES, partial(write_slowly, work=work), HERE))
"""


def write(places: Sequence[int], work: Piecework, content: bytes = b"whole") -> Sequence[int]:
    """Make pieces of two files each."""
    for place in places:
        name = NAMES[place]
        folder = work.begin(name) / "deep" / name
        folder.mkdir(parents=True)
        for number in range(2):
            (folder / f"{number}.bin").write_bytes(content)
        work.finish(name, {"place": place})
    return places


def write_slowly(places: Sequence[int], work: Piecework) -> Sequence[int]:
    """Make the first piece, and stay within the second for ever."""
    if places[0] == 0:
        return write(places, work)
    folder = work.begin(NAMES[places[0]]) / "deep" / NAMES[places[0]]
    folder.mkdir(parents=True)
    (folder / "0.bin").write_bytes(b"ha")
    (work.out / DESK_NAME / "halfway").touch()
    time.sleep(600)
    return places


def write_where_there_is_no_room(places: Sequence[int], work: Piecework) -> Sequence[int]:
    with files_of_at_most(1000):
        return write(places, work, bytes(5000))


def die(places: Sequence[int]) -> Sequence[int]:
    os._exit(1)


def fill(out: Path, plan: dict[str, str | int] = PLAN, content: bytes = b"whole") -> list[int]:
    with piecework(out, plan, "last.csv") as work:
        made = list(make_pieces(work, NAMES, partial(write, work=work, content=content), HERE))
        work.write_csv("last.csv", ["name", "place"], [(name, work.record(name)["place"]) for name in NAMES])
    return made


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def held(out: Path) -> list[str]:
    """Files outside the desk."""
    paths = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if path.parts[0] != DESK_NAME)


WHOLE = [*(f"deep/{name}/{number}.bin" for name in NAMES for number in range(2)), "last.csv"]


def test_a_filled_folder_holds_the_pieces_and_no_desk(tmp_path):
    assert fill(tmp_path / "out") == [0, 1, 2]
    assert held(tmp_path / "out") == WHOLE
    assert not (tmp_path / "out" / DESK_NAME).exists()
    assert (tmp_path / "out" / "last.csv").read_text() == "name,place\na,0\nb,1\nc,2\n"


def test_a_killed_run_leaves_no_half_file_and_goes_on(tmp_path):
    out = tmp_path / "out"
    code = SLOW_RUN.format(tests=str(Path(__file__).parent), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        while not (out / DESK_NAME / "halfway").exists():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert held(out) == WHOLE[:2]
    finished = (out / WHOLE[0]).stat()
    fill(out)
    assert held(out) == WHOLE
    assert (out / WHOLE[0]).stat().st_ino == finished.st_ino
    assert {(out / name).read_bytes() for name in WHOLE[:-1]} == {b"whole"}
    assert not (out / DESK_NAME).exists()


def test_a_full_disk_leaves_no_half_file_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "out"
    with (
        files_of_at_most(1000),
        pytest.raises(SourceError, match=r"to its end \(File too large\); free some"),
    ):
        fill(out, content=bytes(5000))
    assert held(out) == []
    fill(out, content=bytes(5000))
    assert {(out / name).stat().st_size for name in WHOLE[:-1]} == {5000}


def test_a_full_disk_of_a_worker_is_told_too(tmp_path):
    with pytest.raises(SourceError, match="free some room"), piecework(tmp_path, PLAN, "last.csv") as work:
        list(make_pieces(work, NAMES, partial(write_where_there_is_no_room, work=work), Workers(count=1)))
    assert held(tmp_path) == []


def test_a_full_disk_leaves_no_half_table(tmp_path):
    out = tmp_path / "out"
    with (
        files_of_at_most(1000),
        pytest.raises(SourceError, match="to its end"),
        piecework(out, PLAN, "last.csv") as work,
    ):
        work.write_csv("last.csv", ["n"], [(number,) for number in range(10_000)])
    assert held(out) == []


def test_an_unfinished_folder_of_another_plan_is_refused(tmp_path):
    out = tmp_path / "out"
    with files_of_at_most(1000), pytest.raises(SourceError):
        fill(out, content=bytes(5000))
    with pytest.raises(SourceError, match="was begun with preset demo, patients 3 and is not finished"):
        fill(out, {"preset": "demo", "patients": 4})
    fill(out)


def test_a_whole_folder_is_refused(tmp_path):
    fill(tmp_path / "out")
    with pytest.raises(SourceError, match=r"already whole: it has its last\.csv"):
        fill(tmp_path / "out")


def test_a_folder_of_someone_else_is_refused_and_kept(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SourceError, match="not an empty folder"):
        fill(tmp_path)
    assert held(tmp_path) == ["notes.txt"]


def test_a_folder_that_is_being_filled_is_refused(tmp_path):
    with piecework(tmp_path, PLAN, "last.csv"), pytest.raises(SourceError, match="another radnet process"):
        fill(tmp_path)


@pytest.mark.parametrize(
    ("name", "match"), [("notes.txt", "is a file"), ("notes.txt/out", "Not a directory")]
)
def test_a_path_that_can_be_no_folder_is_refused(tmp_path, name, match):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SourceError, match=match):
        fill(tmp_path / name)


def test_a_damaged_plan_is_told(tmp_path):
    (tmp_path / DESK_NAME).mkdir()
    (tmp_path / DESK_NAME / "plan.json").write_text("{")
    with pytest.raises(SourceError, match=r"plan\.json is damaged"):
        fill(tmp_path)


def test_a_worker_that_dies_is_told_with_its_piece(tmp_path):
    told = pytest.raises(ExecutorError, match=r"made [abc] died")
    with piecework(tmp_path, PLAN, "last.csv") as work, told:
        list(make_pieces(work, NAMES, die, Workers(count=1)))
