"""Rows come in an order that seed and epoch decide, and errors of readers come as they are."""

from __future__ import annotations

import time

import numpy as np
import pytest

from radnet.errors import WorkspaceError
from radnet.training.order import Rows, epoch_steps, plain_batches, read_ahead


def test_every_row_is_seen_each_epoch_and_orders_differ() -> None:
    first, again, second = (epoch_steps(23, 1, epoch, 4, 1, 1) for epoch in (0, 0, 1))
    assert first.shape == (6, 1, 1, 4)
    assert set(first.ravel()) == set(range(23))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, epoch_steps(23, 2, 0, 4, 1, 1))


@pytest.mark.parametrize(("batch", "accumulate", "world"), [(8, 1, 1), (4, 1, 2), (4, 2, 1), (2, 2, 2)])
def test_devices_and_accumulation_share_out_the_rows_of_one_large_batch(
    batch: int, accumulate: int, world: int
) -> None:
    whole = epoch_steps(20, 5, 3, 8, 1, 1).reshape(3, -1)
    shared = epoch_steps(20, 5, 3, batch, accumulate, world).reshape(3, -1)
    np.testing.assert_array_equal(whole, shared)


def test_fewer_rows_than_a_batch_are_repeated() -> None:
    rows = epoch_steps(3, 1, 0, 8, 1, 1)
    assert rows.shape == (1, 1, 1, 8)
    assert np.bincount(rows.ravel()).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_validation_rows_are_shared_out_each_once() -> None:
    rows = [row for rank in range(3) for batch in plain_batches(10, 2, rank, 3) for row in batch]
    assert sorted(rows) == list(range(10))
    assert plain_batches(1, 4, 1, 2) == []


def test_batches_come_in_order_whoever_is_first() -> None:
    def read(rows: Rows) -> int:
        time.sleep(0.02 if rows[0] == 0 else 0)
        return int(rows[0])

    assert list(read_ahead(read, (np.array([n]) for n in range(20)), 4)) == list(range(20))


def test_an_error_of_a_reader_comes_as_it_is() -> None:
    def read(rows: Rows) -> int:
        if rows[0] == 3:
            raise WorkspaceError("cut short")
        return int(rows[0])

    batches = read_ahead(read, (np.array([n]) for n in range(6)), 2)
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(WorkspaceError, match="cut short"):
        next(batches)


def test_no_more_is_read_than_ahead() -> None:
    asked = []

    def read(rows: Rows) -> int:
        asked.append(int(rows[0]))
        return 0

    batches = read_ahead(read, (np.array([n]) for n in range(100)), 2)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(asked) <= 4
