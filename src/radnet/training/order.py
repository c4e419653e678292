"""Which rows are read when: a function of seed and epoch alone.

Nothing of it is state, so that a training that was stopped goes on with the very batch that was next, and
several devices together take the rows that one device with a batch as large would take.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
T = TypeVar("T")


def steps_in_epoch(n_rows: int, batch_size: int, accumulate: int, world_size: int) -> int:
    """Return how many steps show every row at least once."""
    return -(-n_rows // (batch_size * accumulate * world_size))


def epoch_steps(
    n_rows: int, seed: int, epoch: int, batch_size: int, accumulate: int, world_size: int
) -> Rows:
    """Order the rows of an epoch.

    The last step is filled up from the beginning of the order, so that all steps are whole.

    Args:
        n_rows: Rows there are.
        seed: Of the training.
        epoch: From 0.
        batch_size: Rows that a device takes at a time.
        accumulate: Batches a step.
        world_size: Devices.

    Returns:
        (steps, accumulate, world_size, batch_size) row numbers.
    """
    order = np.random.default_rng((seed, epoch)).permutation(n_rows)
    steps = steps_in_epoch(n_rows, batch_size, accumulate, world_size)
    shape = (steps, accumulate, world_size, batch_size)
    return np.resize(order, shape)  # repeats the order as often as it takes


def plain_batches(n_rows: int, batch_size: int, rank: int = 0, world_size: int = 1) -> list[Rows]:
    """Share rows out among devices, each once and in order, in batches; the last may be smaller."""
    own = np.arange(rank, n_rows, world_size)
    return [own[start : start + batch_size] for start in range(0, len(own), batch_size)]


def read_ahead(read: Callable[[Rows], T], batches: Iterable[Rows], readers: int) -> Iterator[T]:
    """Read batches in threads, and yield them in order.

    Threads suffice: what reading costs is copying memory, for which the interpreter's lock is released.
    An error of a reader is raised here as it is.

    Args:
        read: Reads the rows of one batch.
        batches: Their rows.
        readers: Threads; as many batches and one more are read ahead.
    """
    waiting: deque[Future[T]] = deque()
    remaining = iter(batches)
    with ThreadPoolExecutor(readers) as pool:
        try:
            waiting.extend(pool.submit(read, rows) for rows in islice(remaining, readers + 1))
            while waiting:
                ready = waiting.popleft().result()
                waiting.extend(pool.submit(read, rows) for rows in islice(remaining, 1))
                yield ready
        finally:
            for future in waiting:
                future.cancel()
