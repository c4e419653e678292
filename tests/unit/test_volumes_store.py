"""Shards are ordinary files, volumes come back whole, and damage does not go unnoticed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from radnet.config import VolumesConfig
from radnet.errors import WorkspaceError
from radnet.volumes.merge import merge_parts
from radnet.volumes.parts import Parts
from radnet.volumes.shards import HEADER_BYTES, digest_of, pack
from radnet.volumes.store import VolumeStore

SHAPE = (8, 32, 16)
COMPRESSIONS = ("none", "zstd")


def volume(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, SHAPE, np.uint8)


def fill(folder: Path, numbers: range, compression: str = "none", shard_volumes: int = 4) -> VolumeStore:
    """Build a store of the volumes of these numbers, as the stage does."""
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    parts = Parts(folder / "parts")
    for number in numbers:
        array = volume(number)
        packed = pack(array, compression)
        row = {
            "stack_id": f"{number:016x}",
            "length": len(packed),
            "affine": np.eye(4).ravel().tolist(),
            "effective_spacing_mm": 1.0,
            "window_low": 0.0,
            "window_high": 1.0,
            "pad_before": 0,
            "pad_after": 0,
            "digest": digest_of(array),
            "inputs": "same",
        }
        parts.add_volume(row, packed)
    config = VolumesConfig.model_validate(
        {"shape": SHAPE, "compression": compression, "shard_volumes": shard_volumes}
    )
    merge_parts(folder, parts, {f"{number:016x}": "same" for number in range(99)}, config)
    return VolumeStore(folder)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_volumes_come_back_whole_and_read_only(compression: str, tmp_path: Path) -> None:
    store = fill(tmp_path, range(10), compression)
    assert len(store) == 10
    assert store.ids == tuple(f"{number:016x}" for number in range(10))
    for number, stack_id in enumerate(store.ids):
        read = store.read(stack_id)
        np.testing.assert_array_equal(read, volume(number))
        assert not read.flags.writeable
    assert store.verify() == ()


def test_plain_volumes_are_views_that_start_on_a_page(tmp_path: Path) -> None:
    store = fill(tmp_path, range(6))
    assert all(offset % HEADER_BYTES == 0 for offset in store.index["offset"])
    assert not store.read(store.ids[0]).flags.owndata


def test_plain_shard_is_an_ordinary_npy_file(tmp_path: Path) -> None:
    store = fill(tmp_path, range(3))
    (name,) = set(store.index["shard"])
    np.testing.assert_array_equal(np.load(tmp_path / name), np.stack([volume(n) for n in range(3)]))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_store_travels_to_workers_after_use(compression: str, tmp_path: Path) -> None:
    store = fill(tmp_path, range(3), compression)
    unused = pickle.dumps(store)
    store.read(store.ids[0])
    travelled = pickle.loads(pickle.dumps(store))
    assert len(pickle.dumps(store)) == len(unused)  # no voxels travel along
    np.testing.assert_array_equal(travelled.read(store.ids[2]), volume(2))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_changed_byte_is_found(compression: str, tmp_path: Path) -> None:
    store = fill(tmp_path, range(6), compression)
    row = store.index.row(2, named=True)
    content = bytearray((tmp_path / row["shard"]).read_bytes())
    content[row["offset"] + row["length"] // 2] ^= 1
    (tmp_path / row["shard"]).write_bytes(content)
    assert VolumeStore(tmp_path).verify() == (row["stack_id"],)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_lost_shard_is_found_and_named(compression: str, tmp_path: Path) -> None:
    store = fill(tmp_path, range(6), compression)
    row = store.index.row(5, named=True)
    (tmp_path / row["shard"]).unlink()
    assert store.verify() == store.ids[4:]
    with pytest.raises(
        WorkspaceError, match=r"is missing or damaged; delete it and run `radnet build` again"
    ):
        store.read(row["stack_id"])


def test_unknown_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no volume of stack feed was built; failures\.parquet"):
        fill(tmp_path, range(1)).read("feed")


def test_store_without_index_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="radnet build"):
        VolumeStore(tmp_path)


def test_full_shards_stay_and_others_are_packed_with_the_new(tmp_path: Path) -> None:
    first = fill(tmp_path, range(0, 12, 2))
    full, rest = (first.index["shard"][place] for place in (0, 5))
    store = fill(tmp_path, range(1, 12, 2))
    names = set(store.index["shard"])
    assert full in names
    assert rest not in names
    assert {path.name for path in tmp_path.glob("*.npy")} == names
    assert store.verify() == ()
    assert len(store) == 12


def test_order_of_arrival_does_not_change_the_shards(tmp_path: Path) -> None:
    at_once = fill(tmp_path / "a", range(10))
    backwards = fill(tmp_path / "b", range(9, -1, -1))
    assert at_once.index.equals(backwards.index)


def test_torn_part_is_as_good_as_not_there(tmp_path: Path) -> None:
    fill(tmp_path, range(2))
    (tmp_path / "parts/0000000000000005.part").write_bytes(b'{"stack_id": "00')
    assert len(fill(tmp_path, range(2, 3))) == 3


def test_damaged_part_is_not_merged(tmp_path: Path) -> None:
    fill(tmp_path, range(1))
    parts = Parts(tmp_path / "parts")
    row = {**VolumeStore(tmp_path).index.row(0, named=True), "stack_id": f"{1:016x}"}
    parts.add_volume(row, bytes(row["length"]))
    with pytest.raises(WorkspaceError, match=r"part: is damaged; delete it and run `radnet build` again"):
        fill(tmp_path, range(0))
    assert pl.read_parquet(tmp_path / "index.parquet").height == 1


def test_leftovers_of_killed_runs_go(tmp_path: Path) -> None:
    tmp_path.joinpath(".x.npy.1.partial").touch()
    tmp_path.joinpath("unlisted.npy").touch()
    store = fill(tmp_path, range(2))
    wanted = {*store.index["shard"], "index.parquet", "failures.parquet", "parts"}
    assert {path.name for path in tmp_path.iterdir()} == wanted


def test_what_another_share_adds_during_a_merge_stays(tmp_path: Path) -> None:
    (tmp_path / "0-of-2").mkdir()
    (tmp_path / "1-of-2").mkdir()
    merging, building = (Parts(tmp_path, tmp_path / share) for share in ("0-of-2", "1-of-2"))
    merging.add_note("a" * 16, "truncated", "SliceError", "same")
    present = merging.names()
    (tmp_path / "1-of-2" / ".b.part.1.partial").touch()
    building.add_note("b" * 16, "truncated", "SliceError", "same")
    merging.clear(present, [])
    assert [path.name for path in tmp_path.glob("*.failed")] == ["b" * 16 + ".failed"]
    assert (tmp_path / "1-of-2" / ".b.part.1.partial").exists()
    Parts(tmp_path, tmp_path / "1-of-2")
    assert not (tmp_path / "1-of-2" / ".b.part.1.partial").exists()
