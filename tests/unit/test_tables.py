"""What the tables between stages promise."""

from __future__ import annotations

import resource
from pathlib import Path

import polars as pl
import pytest

from radnet import tables
from radnet.errors import WorkspaceError
from radnet.tables import REAL, TEXT, conform, read_table, write_table

COLUMNS = {"name": TEXT, "size": REAL}


def test_conform_orders_casts_and_fills() -> None:
    frame = conform(pl.DataFrame({"more": [1, 2], "size": [3, 4]}), COLUMNS)
    assert frame.schema == COLUMNS
    assert frame.rows() == [(None, 3.0), (None, 4.0)]


@pytest.mark.parametrize("frame", [pl.DataFrame(), pl.DataFrame({"name": []})], ids=["no columns", "no rows"])
def test_nothing_stays_nothing(frame: pl.DataFrame) -> None:
    assert conform(frame, COLUMNS).equals(pl.DataFrame(schema=COLUMNS))


def test_rows_survive_when_no_column_is_shared() -> None:
    assert len(conform(pl.DataFrame({"more": [1, 2]}), COLUMNS)) == 2


def test_a_table_comes_back_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    frame = pl.DataFrame({"name": ["ä"], "size": [1.5]}, schema=COLUMNS)
    write_table(frame, tmp_path / "table.parquet")
    assert read_table(tmp_path / "table.parquet", "scan").equals(frame)
    assert read_table(tmp_path / "table.parquet", "scan", ["size"]).columns == ["size"]
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_a_table_that_finds_no_room_names_the_way_out_and_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(WorkspaceError, match="free some room"):
            write_table(pl.DataFrame({"number": range(1000)}), tmp_path / "t.parquet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_missing_or_damaged_table_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="is not there yet; run `radnet scan` first"):
        read_table(tmp_path / "table.parquet", "scan")
    (tmp_path / "table.parquet").write_text("no table")
    with pytest.raises(WorkspaceError, match="delete it and run `radnet scan` again"):
        read_table(tmp_path / "table.parquet", "scan")


def test_no_two_contracts_give_a_column_two_types() -> None:
    contracts = [value for name, value in vars(tables).items() if name.endswith("_COLUMNS")]
    seen: dict[str, pl.DataType] = {}
    for contract in contracts:
        for name, dtype in contract.items():
            assert seen.setdefault(name, dtype) == dtype, name
