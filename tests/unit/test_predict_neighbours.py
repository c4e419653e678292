"""Nearest rows by cosine are those of brute force, however the rows are cut into blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.errors import TableError
from radnet.predict.neighbours import find_neighbours, nearest

NUMBERS = np.random.default_rng(5)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), count=st.integers(1, 12), block=st.integers(1, 25), queries=st.integers(1, 4))
def test_blocks_change_nothing(n: int, count: int, block: int, queries: int) -> None:
    rows = np.random.default_rng(n).normal(size=(n, 6)).astype(np.float32)
    asked = np.random.default_rng(queries).normal(size=(queries, 6)).astype(np.float32)
    found, likeness = nearest(asked, (rows[i : i + block] for i in range(0, n, block)), count)
    cosines = (asked @ rows.T) / np.linalg.norm(asked, axis=1)[:, None] / np.linalg.norm(rows, axis=1)
    expected = np.sort(cosines, axis=1)[:, ::-1][:, :count]
    assert np.allclose(likeness, expected, atol=1e-5)
    assert np.allclose(np.take_along_axis(cosines, found, axis=1), likeness, atol=1e-5)


def test_length_does_not_matter_and_zeros_are_like_nothing() -> None:
    rows = np.array([[0, 0], [1, 1], [100, 0]], np.float32)
    found, likeness = nearest(np.array([[3, 0]], np.float32), [rows], 3)
    assert found.tolist() == [[2, 1, 0]]
    assert likeness[0].tolist() == pytest.approx([1, 0.7071, 0], abs=1e-4)


def table(path: Path) -> Path:
    features = NUMBERS.random((6, 4)).astype(np.float32)
    features[3] = features[0] * 2
    rows: list[dict[str, Any]] = [
        {
            "stack_id": f"{number:08x}ab",
            "patient": f"p{number % 3}",
            "SeriesInstanceUID": "1.2.9" if number in (4, 5) else f"1.2.{number}",
            "reason": "colour" if number == 1 else None,
            "explanation": "its pixels are colours" if number == 1 else None,
            **dict.fromkeys(("sequence", "view", "contrast"), "ct"),
            "coverage": ["liver"],
            "spacing_mm": 2.0,
            "embedding": features[number],
        }
        for number in range(6)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"embedding": pl.Array(pl.Float32, 4)})
    frame.write_parquet(path)
    return path


def test_the_likest_series_comes_first_and_never_itself(tmp_path: Path) -> None:
    found = find_neighbours(table(tmp_path / "p.parquet"), "1.2.0", 10)
    assert found[0].stack_id == "00000003ab"
    assert found[0].likeness == 1
    assert len(found) == 4  # without itself and the one that was not predicted
    others = find_neighbours(tmp_path / "p.parquet", "00000000", 10, other_patients=True)
    assert [one.stack_id for one in others if one.stack_id == "00000003ab"] == []
    assert len(others) == 3


@pytest.mark.parametrize(
    ("uid", "sentence"),
    [
        ("1.9.9", "no series or stack is named '1.9.9'"),
        ("1.2.1", "1.2.1 was not predicted: its pixels are colours"),
        ("1.2.9", "1.2.9 names 2 stacks; take one of 00000004ab, 00000005ab"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(uid: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=sentence):
        find_neighbours(table(tmp_path / "p.parquet"), uid)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"is not there; `radnet predict SOURCE --out p\.parquet` makes it"):
        find_neighbours(tmp_path / "p.parquet", "1")
    (tmp_path / "p.parquet").write_text("no parquet")
    with pytest.raises(TableError, match="is not a readable Parquet file"):
        find_neighbours(tmp_path / "p.parquet", "1")
    pl.DataFrame({"stack_id": ["a"]}).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(TableError, match="has no column SeriesInstanceUID, reason, embedding"):
        find_neighbours(tmp_path / "p.parquet", "1")
