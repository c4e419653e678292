"""Run a function over chunks of work on any `concurrent.futures.Executor`.

`processes` (the default) starts fresh worker processes; `serial` runs in this process; `dask://host:port`
uses a running Dask scheduler. A worker that dies takes its process pool with it: the chunks that were under
way are then run one at a time in a process of their own, halved until the item that kills is alone, and that
item is handed back as crashed.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing import connection
from typing import Any, Final, Generic, TypeVar

from radnet.errors import ExecutorError

Progress = Callable[[int, int | None], None]
"""Called with the work done so far and the whole (None while unknown); counts whatever the stage says."""

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER: Final = 3
"""Chunks handed out ahead, so that no worker waits and a million-file list is never pickled at once."""
DASK_PREFIX: Final = "dask://"
KINDS: Final = re.compile(rf"processes|serial|{DASK_PREFIX}\S+:\d+")
DASK_SECONDS: Final = 10
"""How long a Dask scheduler may take to answer."""
POLL_SECONDS: Final = 1.0
NO_WORKERS_SECONDS: Final = 30.0
"""How long all Dask workers may be gone (they restart) before their work is given up."""


@dataclass(frozen=True, slots=True)
class Crashed(Generic[Item]):
    """An item whose worker died (segmentation fault, killed for memory)."""

    item: Item


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` equal shares of the work, for job arrays; `Shard()` is all of it.

    Attributes:
        index: From 0.
        count: How many shares there are.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a share that does not exist.

        Raises:
            ExecutorError: If the index is not below the count.
        """
        if not 0 <= self.index < self.count:
            raise ExecutorError(f"--shard {self.index}/{self.count}: must be i/N with 0 <= i < N, e.g. 0/3")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `i/N`.

        Raises:
            ExecutorError: If the text is something else.
        """
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal()):
            raise ExecutorError(f"--shard {text}: must be i/N with 0 <= i < N, e.g. 0/3")
        return cls(int(index), int(count))

    def holds(self, key: str) -> bool:
        """Say whether the piece of work of that name falls to this share, on every machine alike."""
        return (
            self.count == 1 or zlib.crc32(key.encode("utf-8", "surrogateescape")) % self.count == self.index
        )


def silent(done: int, total: int | None) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Where work runs.

    Attributes:
        kind: `processes`, `serial` or `dask://host:port`.
        count: Worker processes; None means one a CPU that this process may use. Dask has its own count.
    """

    kind: str = "processes"
    count: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no executor answers to.

        Raises:
            ExecutorError: If the kind is unknown or the count below one.
        """
        if not KINDS.fullmatch(self.kind):
            raise ExecutorError(
                f"--executor {self.kind}: unknown; it must be processes, serial or dask://host:port"
            )
        if self.count is not None and self.count < 1:
            raise ExecutorError(f"--workers {self.count}: must be at least 1")

    @property
    def processes(self) -> int:
        """Worker processes of a local pool."""
        return self.count or len(os.sched_getaffinity(0))


def map_chunks(
    function: Callable[[Sequence[Item]], Result],
    chunks: Iterable[Sequence[Item]],
    workers: Workers = Workers(),
    memory_bytes: int | None = None,
) -> Iterator[Result | Crashed[Item]]:
    """Apply a function to chunks, in whatever order they finish.

    Args:
        function: Importable and picklable; takes a chunk.
        chunks: Read lazily, a few ahead of the workers.
        workers: Where to run.
        memory_bytes: Most data that a worker process of ours may hold; beyond it Python raises MemoryError.
            Nothing is limited in this process (`serial`) nor in Dask's workers, which have a limit of
            their own and other work to do.

    Yields:
        The function's results, and one Crashed for every item that killed its worker.

    Raises:
        ExecutorError: If no worker can be started, or a Dask scheduler or its workers are not there.
    """
    if workers.kind == "serial":
        yield from map(function, chunks)
        return
    remaining = iter(chunks)
    while True:
        broken: list[Sequence[Item]] = []
        with _open_pool(workers, memory_bytes) as pool:
            yield from _drain(pool, function, remaining, broken)
        yield from _isolate(function, broken, memory_bytes)
        following = next(remaining, None)
        if following is None:
            return
        remaining = chain([following], remaining)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Where chunks go.

    Attributes:
        executor: Takes them.
        ahead: How many may be under way.
        has_workers: Whether anyone is there to run them.
    """

    executor: Executor
    ahead: int
    has_workers: Callable[[], bool]


def _drain(
    pool: _Pool,
    function: Callable[[Sequence[Item]], Result],
    remaining: Iterator[Sequence[Item]],
    broken: list[Sequence[Item]],
) -> Iterator[Result]:
    """Feed the pool until the work ends or a worker dies; `broken` then holds what was under way."""
    running: dict[Future[Result], Sequence[Item]] = {}
    lost = _worker_lost()
    while True:
        if not broken:
            for chunk in islice(remaining, pool.ahead - len(running)):
                try:
                    running[pool.executor.submit(function, chunk)] = chunk
                except BrokenProcessPool:
                    broken.append(chunk)
                    break
        if not running:
            return
        for future in _wait(pool, running):
            chunk = running.pop(future)
            try:
                yield future.result()
            except lost:
                broken.append(chunk)


def _wait(pool: _Pool, running: Mapping[Future[Result], Sequence[Item]]) -> set[Future[Result]]:
    """Wait for work to be done; when all workers are gone for good, call it off, which ends it too."""
    patience = time.monotonic() + NO_WORKERS_SECONDS
    while True:
        done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        if done:
            return done
        if pool.has_workers():
            patience = time.monotonic() + NO_WORKERS_SECONDS
        elif time.monotonic() > patience:
            return {future for future in running if future.cancel()}


def _isolate(
    function: Callable[[Sequence[Item]], Result], chunks: list[Sequence[Item]], memory_bytes: int | None
) -> Iterator[Result | Crashed[Item]]:
    """Run chunks one at a time; where the worker dies, halve the chunk until the culprit stands alone."""
    waiting = chunks[::-1]
    while waiting:
        try:
            with _processes(1, memory_bytes) as pool:
                _probe(pool)
                while waiting:
                    result = pool.submit(function, waiting[-1]).result()
                    waiting.pop()
                    yield result
        except BrokenProcessPool:
            chunk = waiting.pop()
            middle = len(chunk) // 2
            if middle:
                waiting += [chunk[middle:], chunk[:middle]]
            else:
                yield Crashed(chunk[0])


def _probe(pool: Executor) -> None:
    """Make sure that a worker can live at all, before its death is laid to an item.

    Raises:
        ExecutorError: If it cannot.
    """
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise ExecutorError(
            "no worker process can start; call from under `if __name__ == '__main__':`, "
            "or use --executor serial"
        ) from error


@contextmanager
def _open_pool(workers: Workers, memory_bytes: int | None) -> Iterator[_Pool]:
    if workers.kind.startswith(DASK_PREFIX):
        with _dask(workers.kind.removeprefix(DASK_PREFIX)) as pool:
            yield pool
        return
    with _processes(workers.processes, memory_bytes) as executor:
        yield _Pool(executor, workers.processes * IN_FLIGHT_PER_WORKER, lambda: True)


@contextmanager
def _processes(count: int, memory_bytes: int | None) -> Iterator[ProcessPoolExecutor]:
    # forking a process that has started polars' threads can deadlock
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(count, context, initializer=_begin_worker, initargs=(memory_bytes,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _dask(address: str) -> Iterator[_Pool]:
    try:
        from distributed import Client  # type: ignore[attr-defined,unused-ignore]
    except ImportError as error:
        raise ExecutorError("--executor dask://… needs Dask; run `pip install 'radnet[dask]'`") from error
    try:
        client: Any = Client(address, timeout=f"{DASK_SECONDS}s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(f"dask://{address}: no scheduler answers there") from error
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ExecutorError(f"dask://{address}: the scheduler has no workers; start some and run again")
        executor: Any = client.get_executor(pure=False, retries=0)
        yield _Pool(executor, threads * IN_FLIGHT_PER_WORKER, partial(_dask_has_workers, client))
    finally:
        client.close()


def _dask_has_workers(client: Any) -> bool:
    try:
        return bool(client.nthreads())
    except (OSError, RuntimeError):  # the scheduler is gone, or its client closed itself
        return False


def _worker_lost() -> tuple[type[BaseException], ...]:
    """Errors by which executors say that a task's worker died, or that the task was called off."""
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool, CancelledError)
    if "distributed" in sys.modules:
        from distributed import CancelledError as DaskCancelledError
        from distributed import KilledWorker

        lost = (*lost, KilledWorker, DaskCancelledError)
    return lost


def _begin_worker(memory_bytes: int | None) -> None:
    """Give a worker one thread (the pool is the parallelism), a memory limit, and its parent's fate."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[variable] = "1"
    if memory_bytes is not None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, most))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, killed included; it would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
