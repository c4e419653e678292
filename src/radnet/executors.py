"""Run a function over chunks of work on any `concurrent.futures.Executor`.

`processes` (the default) starts fresh worker processes; `serial` runs in this process; `dask://host:port`
uses a running Dask scheduler. A worker that dies takes its process pool with it: the chunks that were in
flight are then run one at a time, halved until the item that kills is alone, and that item is handed back as
crashed.
"""

from __future__ import annotations

import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from radnet.errors import ExecutorError

Progress = Callable[[int, int | None], None]
"""Called with the work done so far and the whole (None while unknown); counts whatever the stage says."""

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER: Final = 3
"""Chunks handed out ahead, so that no worker waits and a million-file list is never pickled at once."""
DASK_PREFIX: Final = "dask://"


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
        if self.kind not in ("processes", "serial") and not self.kind.startswith(DASK_PREFIX):
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
) -> Iterator[Result | Crashed[Item]]:
    """Apply a function to chunks, in whatever order they finish.

    Args:
        function: Importable and picklable; takes a chunk.
        chunks: Read lazily, a few ahead of the workers.
        workers: Where to run.

    Yields:
        The function's results, and one Crashed for every item that killed its worker.

    Raises:
        ExecutorError: If a Dask scheduler cannot be reached.
    """
    if workers.kind == "serial":
        yield from map(function, chunks)
        return
    remaining = iter(chunks)
    while True:
        broken: list[Sequence[Item]] = []
        with _pool(workers) as (pool, ahead):
            yield from _drain(pool, ahead, function, remaining, broken)
        if not broken:
            return
        for chunk in broken:
            yield from _isolate(function, chunk)


def _drain(
    pool: Executor,
    ahead: int,
    function: Callable[[Sequence[Item]], Result],
    remaining: Iterator[Sequence[Item]],
    broken: list[Sequence[Item]],
) -> Iterator[Result]:
    """Feed the pool until the work ends or the pool breaks; `broken` then holds what was in flight."""
    running: dict[Future[Result], Sequence[Item]] = {}
    while True:
        if not broken:
            for chunk in islice(remaining, ahead - len(running)):
                try:
                    running[pool.submit(function, chunk)] = chunk
                except BrokenProcessPool:
                    broken.append(chunk)
                    break
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            chunk = running.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                broken.append(chunk)
            except _worker_lost():
                broken.append(chunk)


def _isolate(
    function: Callable[[Sequence[Item]], Result], chunk: Sequence[Item]
) -> Iterator[Result | Crashed[Item]]:
    """Run a chunk alone; when its worker dies, halve it until the culprit stands alone."""
    try:
        with ProcessPoolExecutor(1, mp_context=_context(), initializer=_quiet) as pool:
            result = pool.submit(function, chunk).result()
    except BrokenProcessPool:
        if len(chunk) == 1:
            yield Crashed(chunk[0])
            return
        middle = len(chunk) // 2
        yield from _isolate(function, chunk[:middle])
        yield from _isolate(function, chunk[middle:])
        return
    yield result


@contextmanager
def _pool(workers: Workers) -> Iterator[tuple[Executor, int]]:
    if workers.kind.startswith(DASK_PREFIX):
        with _dask(workers.kind.removeprefix(DASK_PREFIX)) as found:
            yield found
        return
    pool = ProcessPoolExecutor(workers.processes, mp_context=_context(), initializer=_quiet)
    try:
        yield pool, workers.processes * IN_FLIGHT_PER_WORKER
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import Client  # type: ignore[attr-defined,unused-ignore]
    except ImportError as error:
        raise ExecutorError("--executor dask://… needs Dask; run `pip install 'radnet[dask]'`") from error
    try:
        client: Any = Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(f"dask://{address}: no scheduler answers there") from error
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ExecutorError(f"dask://{address}: the scheduler has no workers; start some and run again")
        executor: Any = client.get_executor(pure=False, retries=0)
        yield executor, threads * IN_FLIGHT_PER_WORKER
    finally:
        client.close()


def _worker_lost() -> tuple[type[BaseException], ...]:
    """Errors by which Dask says that a task's workers died."""
    try:
        from distributed import KilledWorker
    except ImportError:
        return ()
    return (KilledWorker,)


def _context() -> multiprocessing.context.BaseContext:
    # forking a process that has started polars' threads can deadlock
    return multiprocessing.get_context("forkserver")


def _quiet() -> None:
    """Give each worker one thread: the pool is the parallelism."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[variable] = "1"
