"""Work gets done on every executor, and a worker's death costs the item that killed it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from radnet import executors
from radnet.errors import ExecutorError
from radnet.executors import Crashed, Shard, Workers, map_chunks

SERIAL = Workers("serial")
PROCESSES = Workers("processes", 2)


def squares(numbers: Sequence[int]) -> list[int]:
    return [number * number for number in numbers]


def die_at_13(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(numbers)


def fail_at_13(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        raise ValueError("unlucky")
    return squares(numbers)


def die_once(markers: Sequence[str]) -> list[str]:
    for marker in markers:
        if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return list(markers)


def allocate(sizes: Sequence[int]) -> list[str]:
    outcome = []
    for size in sizes:
        try:
            outcome.append(f"{len(bytearray(size))}")
        except MemoryError:
            outcome.append("MemoryError")
    return outcome


def chunked(count: int, size: int = 5) -> Iterator[list[int]]:
    numbers = list(range(count))
    return (numbers[start : start + size] for start in range(0, count, size))


@pytest.mark.parametrize("workers", [SERIAL, PROCESSES], ids=["serial", "processes"])
def test_every_chunk_gives_its_result(workers: Workers) -> None:
    results = [number for result in map_chunks(squares, chunked(103), workers) for number in result]
    assert sorted(results) == [number * number for number in range(103)]


@pytest.mark.parametrize("workers", [SERIAL, PROCESSES], ids=["serial", "processes"])
def test_no_work_gives_no_results(workers: Workers) -> None:
    assert list(map_chunks(squares, [], workers)) == []


def test_chunks_are_taken_only_a_few_ahead() -> None:
    taken = []

    def watched() -> Iterator[list[int]]:
        for chunk in chunked(500):
            taken.append(chunk)
            yield chunk

    results = map_chunks(squares, watched(), PROCESSES)
    next(results)
    assert len(taken) <= 2 * executors.IN_FLIGHT_PER_WORKER + 2
    results.close()


def test_an_error_of_the_function_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="unlucky"):
        list(map_chunks(fail_at_13, chunked(30), PROCESSES))


def test_a_killed_worker_costs_exactly_the_item_that_kills() -> None:
    results = list(map_chunks(die_at_13, chunked(40), PROCESSES))
    crashed = [result for result in results if isinstance(result, Crashed)]
    done = [number for result in results if isinstance(result, list) for number in result]
    assert crashed == [Crashed(13)]
    assert sorted(done) == [number * number for number in range(40) if number != 13]


def test_a_worker_that_dies_but_once_costs_nothing(tmp_path: Path) -> None:
    names = [str(tmp_path / "marker"), str(tmp_path / "other")]
    Path(names[1]).touch()
    assert list(map_chunks(die_once, [names], PROCESSES)) == [names]


def test_a_worker_holds_no_more_memory_than_allowed() -> None:
    (result,) = map_chunks(allocate, [[1 << 20, 1 << 31]], PROCESSES, memory_bytes=1 << 29)
    assert result == [str(1 << 20), "MemoryError"]


def test_workers_that_cannot_start_are_an_error_and_no_crashed_items(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from radnet.executors import Workers, map_chunks\n"
        "print(list(map_chunks(sorted, [[2, 1]], Workers('processes', 1))))\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "no worker process can start" in run.stderr
    assert "Crashed" not in run.stdout


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from radnet.executors import Workers, map_chunks\n"
        "def note(names):\n"
        "    open(names[0], 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        f"    list(map_chunks(note, [['{tmp_path}/a'], ['{tmp_path}/b']], Workers('processes', 2)))\n"
    )
    parent = subprocess.Popen([sys.executable, script])
    notes = [tmp_path / "a", tmp_path / "b"]
    wait_until(lambda: all(note.exists() and note.read_text() for note in notes))
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(Path(f"/proc/{note.read_text()}").exists() for note in notes))


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize("text", ["", "3", "1/", "/3", "3/3", "-1/3", "1/0", "a/b", "1/3/5"])
def test_a_share_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ExecutorError, match=r"must be i/N"):
        Shard.parse(text)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_key_falls_to_exactly_one_share(count: int) -> None:
    shares = [Shard.parse(f"{index}/{count}") for index in range(count)]
    held = [[share.holds(f"/archive/IM{key:04d}") for share in shares] for key in range(200)]
    assert all(sum(row) == 1 for row in held)
    assert all(any(column) for column in zip(*held, strict=True))


@pytest.mark.parametrize(
    ("kind", "count", "match"),
    [
        ("threads", None, "must be processes, serial or dask"),
        ("processes", 0, "must be at least 1"),
    ],
)
def test_unknown_workers_are_refused(kind: str, count: int | None, match: str) -> None:
    with pytest.raises(ExecutorError, match=match):
        Workers(kind, count)
