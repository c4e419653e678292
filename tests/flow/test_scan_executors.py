"""A scan gives one table on every executor: serial, processes, and a real Dask cluster on loopback."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from small_archives import write_archive

from radnet import executors
from radnet.config import RadnetConfig, ScanConfig
from radnet.errors import ExecutorError
from radnet.executors import Crashed, Workers, map_chunks
from radnet.scan.reading import read_chunk
from radnet.scan.stage import scan_archive
from radnet.sources import Entry

Client = pytest.importorskip("distributed", reason="needs the extra `dask`").Client

START_SECONDS = 30
DEADLY = "IM0017"


@dataclass
class Cluster:
    """A scheduler and two worker processes, each under a nanny that starts it again."""

    address: str
    scheduler: "subprocess.Popen[str]"
    workers: "list[subprocess.Popen[str]]"

    def stop(self) -> None:
        for process in (self.scheduler, *self.workers):  # a worker ends with its nanny
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def dask(verb: str, *options: str, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dask", verb, "--no-dashboard", *options]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "DASK_LOGGING__DISTRIBUTED": "error",
    }
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, text=True)


def start_cluster(folder: Path, n_workers: int = 2) -> Cluster:
    port = free_port()
    address = f"127.0.0.1:{port}"
    scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", str(port), folder=folder)
    options = ("--nworkers", "1", "--nthreads", "1", "--host", "127.0.0.1", "--local-directory", str(folder))
    workers = [dask("worker", f"tcp://{address}", *options, folder=folder) for _ in range(n_workers)]
    cluster = Cluster(address, scheduler, workers)
    try:
        with Client(f"tcp://{address}", timeout=f"{START_SECONDS}s", set_as_default=False) as client:
            if n_workers:
                client.wait_for_workers(n_workers, timeout=START_SECONDS)
    except (OSError, TimeoutError):
        cluster.stop()
        raise
    return cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = start_cluster(tmp_path_factory.mktemp("dask"))
    yield running
    running.stop()


def pids(numbers: list[int]) -> tuple[int, list[int]]:
    time.sleep(0.05)
    return os.getpid(), numbers


def read_or_die(entries: list[Entry], patient_key: bytes) -> pl.DataFrame:
    if any(entry.path.endswith(DEADLY) for entry in entries):
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_chunk(entries, patient_key)


def die_at_3(numbers: list[int]) -> list[int]:
    if 3 in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return numbers


def test_dask_shares_work_between_its_processes(cluster: Cluster) -> None:
    chunks = [[number] for number in range(20)]
    results = list(map_chunks(pids, chunks, Workers(f"dask://{cluster.address}")))
    assert sorted(number for _, (number,) in results) == list(range(20))
    assert len({pid for pid, _ in results}) == 2
    assert os.getpid() not in {pid for pid, _ in results}


def test_every_executor_gives_the_same_tables(tmp_path: Path, cluster: Cluster) -> None:
    archive = write_archive(tmp_path / "archive")
    config = RadnetConfig(scan=ScanConfig(patient_key=tmp_path / "key", chunk_files=7))
    tables = []
    for kind in ("serial", "processes", f"dask://{cluster.address}"):
        work = tmp_path / re.sub(r"\W", "", kind)
        summary = scan_archive([archive], work, config, Workers(kind, 2))
        assert summary.n_read == 41
        tables.append([Path(summary.instances).read_bytes(), Path(summary.skipped).read_bytes()])
    assert tables[0] == tables[1] == tables[2]


def test_a_file_that_kills_its_worker_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_archive(tmp_path / "archive")
    monkeypatch.setattr("radnet.scan.stage.read_chunk", read_or_die)
    config = RadnetConfig(scan=ScanConfig(chunk_files=7))
    summary = scan_archive([archive], tmp_path / "work", config, Workers("processes", 2))
    skipped = pl.read_parquet(summary.skipped).filter(reason="worker_crashed")
    assert skipped["path"].to_list() == [str(archive / "one" / DEADLY)]
    assert (summary.n_files, summary.n_instances) == (41, 36)
    monkeypatch.undo()
    again = scan_archive([archive], tmp_path / "work", config, Workers("processes", 2))
    assert again.n_read == 0, "the file stays in quarantine"


def test_a_dask_worker_that_dies_costs_the_item_that_kills_it(cluster: Cluster) -> None:
    chunks = [[0, 1], [2, 3], [4, 5]]
    results = list(map_chunks(die_at_3, chunks, Workers(f"dask://{cluster.address}")))
    assert Crashed(3) in results
    lists = [result for result in results if isinstance(result, list)]
    assert sorted(number for result in lists for number in result) == [0, 1, 2, 4, 5]


def test_a_cluster_that_is_gone_is_an_error_that_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "NO_WORKERS_SECONDS", 0.5)
    monkeypatch.setattr(executors, "DASK_SECONDS", 1)
    running = start_cluster(tmp_path, n_workers=1)
    results = map_chunks(pids, ([number] for number in range(100)), Workers(f"dask://{running.address}"))
    done = [next(results)]
    running.stop()
    with pytest.raises(
        ExecutorError, match=re.escape(f"dask://{running.address}: no scheduler answers there")
    ):
        done.extend(results)
    numbers = [number for _, (number,) in done]
    assert sorted(numbers) == list(range(len(numbers))), "what was under way is done here"


def test_a_scheduler_without_workers_is_an_error(tmp_path: Path) -> None:
    running = start_cluster(tmp_path, n_workers=0)
    try:
        with pytest.raises(ExecutorError, match="the scheduler has no workers; start some"):
            list(map_chunks(pids, [[1]], Workers(f"dask://{running.address}")))
    finally:
        running.stop()


def test_no_scheduler_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "DASK_SECONDS", 1)
    with pytest.raises(ExecutorError, match="no scheduler answers there"):
        list(map_chunks(pids, [[1]], Workers(f"dask://127.0.0.1:{free_port()}")))
