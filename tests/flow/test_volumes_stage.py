"""Volumes come out the same however the scan is stored, whoever builds them, and whatever interrupts it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from radnet.config import RadnetConfig, load_config
from radnet.errors import WorkspaceError
from radnet.executors import Crashed, Shard, Workers
from radnet.geometry import STANDARD_ORIENTATIONS, canonical_axes
from radnet.scan.stage import scan_archive
from radnet.series.stage import group_series
from radnet.tables import LABEL_COLUMNS, conform, write_table
from radnet.volumes.stage import build_volumes, inputs
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace

SERIAL = Workers("serial")
SMALL = {"volumes": {"shape": (8, 12, 10), "shard_volumes": 4}}
SPACING = (3.0, 0.8, 0.6)
"""Between slices, rows and columns; mm."""


def config(**changes: Any) -> RadnetConfig:
    return load_config(changes={"volumes": {**SMALL["volumes"], **changes}})


def write_series(
    folder: Path,
    voxels: NDArray[np.int16],
    view: str = "axial",
    variant: tuple[bool, bool, bool, bool] = (False, False, False, False),
    modality: str = "CT",
) -> str:
    """Write a series whose canonical array is `voxels`, stored transposed, flipped or in reverse order.

    Returns:
        Its SeriesInstanceUID.
    """
    transpose, flip_rows, flip_columns, backwards = variant
    series = uid.generate_uid(prefix=None)
    row, column = np.reshape(STANDARD_ORIENTATIONS[view], (2, 3)).astype(float)
    normal = canonical_axes(STANDARD_ORIENTATIONS[view]).slice_direction
    folder.mkdir(parents=True)
    for number, plane in enumerate(voxels):
        origin = np.array([-50.0, 20.0, 7.0]) + normal * SPACING[0] * number
        across, down = row * SPACING[2], column * SPACING[1]
        if flip_columns:
            plane, origin, across = plane[:, ::-1], origin + across * (plane.shape[1] - 1), -across
        if flip_rows:
            plane, origin, down = plane[::-1], origin + down * (plane.shape[0] - 1), -down
        if transpose:
            plane, across, down = plane.T, down, across
        place = len(voxels) - number if backwards else number
        save_slice(folder / f"{place:03}", plane, series, place, origin, across, down, modality)
    return str(series)


def save_slice(
    path: Path,
    plane: NDArray[np.int16],
    series: str,
    number: int,
    origin: NDArray[np.float64],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    modality: str,
) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = series + ".1", series
    dataset.FrameOfReferenceUID, dataset.PatientID = series + ".2", "somebody"
    dataset.Modality, dataset.InstanceNumber = modality, number
    column_mm, row_mm = float(np.linalg.norm(across)), float(np.linalg.norm(down))
    dataset.ImagePositionPatient = [f"{value:.6f}" for value in origin]
    dataset.ImageOrientationPatient = [*(across / column_mm).tolist(), *(down / row_mm).tolist()]
    dataset.PixelSpacing = [round(row_mm, 6), round(column_mm, 6)]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -24
    dataset.PixelData = np.ascontiguousarray(plane, np.int16).tobytes()
    dataset.save_as(path, enforce_file_format=True)


def voxels(seed: int, slices: int = 11) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-1000, 1000, (slices, 15, 20)).astype(np.int16)


def prepare(archive: Path, work: Path, keep: int | None = None) -> list[str]:
    """Scan, group and keep stacks (all, or the first by identifier); return those kept."""
    scan_archive([str(archive)], work, workers=SERIAL)
    group_series(work)
    stacks = sorted(pl.read_parquet(work / "2-series/series.parquet")["stack_id"])[:keep]
    decide(work, stacks)
    return stacks


def decide(work: Path, stacks: list[str]) -> None:
    (work / "3-labels").mkdir(exist_ok=True)
    kept = pl.DataFrame({"stack_id": stacks, "decision": ["keep"] * len(stacks)})
    write_table(conform(kept, LABEL_COLUMNS), work / "3-labels/labels.parquet")


def digests(work: Path) -> dict[str, str]:
    index = VolumeStore(work / "4-volumes").index
    return dict(index.select("stack_id", "digest").iter_rows())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number in range(7):
        write_series(folder / f"series{number}", voxels(number))
    return folder


@pytest.fixture(scope="module")
def reference(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    work = tmp_path_factory.mktemp("reference")
    prepare(archive, work)
    build_volumes(work, config(), SERIAL)
    return digests(work)


@pytest.fixture
def work(archive: Path, tmp_path: Path) -> Path:
    prepare(archive, tmp_path / "work")
    return tmp_path / "work"


@pytest.mark.parametrize("view", ["axial", "coronal", "sagittal"])
def test_stored_order_and_direction_do_not_matter(view: str, tmp_path: Path) -> None:
    for variant in itertools.product((False, True), repeat=4):
        write_series(tmp_path / "archive" / "".join(map(str, map(int, variant))), voxels(1), view, variant)
    prepare(tmp_path / "archive", tmp_path / "work")
    summary = build_volumes(tmp_path / "work", config(), SERIAL)
    store = VolumeStore(tmp_path / "work/4-volumes")
    assert summary.n_built == len(store) == 16
    assert len(set(store.index["digest"])) == 1
    affines = np.array(store.index["affine"].to_list()).reshape(-1, 4, 4)
    np.testing.assert_allclose(affines, np.broadcast_to(affines[0], affines.shape), atol=1e-4)


@pytest.mark.parametrize("slices", [5, 11], ids=["padded", "resized"])
def test_affine_leads_each_voxel_to_its_place(slices: int, tmp_path: Path) -> None:
    """A ramp along each axis, in mm, must be found again where the affine says."""
    write_series(tmp_path / "archive/a", voxels(3, slices), "coronal")
    prepare(tmp_path / "archive", tmp_path / "work")
    build_volumes(tmp_path / "work", config(), SERIAL)
    row = VolumeStore(tmp_path / "work/4-volumes").index.row(0, named=True)
    affine = np.reshape(row["affine"], (4, 4))
    before, kept = row["pad_before"], min(slices, 8)
    outer = np.array([before - 0.5, -0.5, -0.5, 1]), np.array([before + kept - 0.5, 11.5, 9.5, 1])
    corner = np.array([-50, 20, 7]) + np.array(
        [-0.3, -1.5, 0.4]
    )  # half a voxel: columns x, slices y, rows -z
    far = corner + np.array([20 * 0.6, slices * 3.0, -15 * 0.8])
    np.testing.assert_allclose((affine @ outer[0])[:3], corner, atol=1e-6)
    np.testing.assert_allclose((affine @ outer[1])[:3], far, atol=1e-6)
    assert row["effective_spacing_mm"] == pytest.approx(slices * 3 / 8 if slices >= 8 else 3)


def test_volume_holds_the_scan(tmp_path: Path) -> None:
    scan = np.zeros((8, 12, 10), np.int16)
    scan[2, 3, 4], scan[5, 6, 7] = 1024, 524
    write_series(tmp_path / "archive/a", scan)
    stack, *_ = prepare(tmp_path / "archive", tmp_path / "work")
    build_volumes(tmp_path / "work", config(), SERIAL)
    volume = VolumeStore(tmp_path / "work/4-volumes").read(stack)
    expected = np.rint((np.clip(scan - 24, -1000, 1000) + 1000) / 2000 * 255)
    assert np.abs(volume - expected).max() <= 1
    assert volume[2, 3, 4] == 255


def test_blank_slices_are_black_and_do_not_move_the_window(tmp_path: Path) -> None:
    write_series(tmp_path / "archive/a", voxels(0, 5) + 500, modality="MR")
    stack, *_ = prepare(tmp_path / "archive", tmp_path / "work")
    build_volumes(tmp_path / "work", config(intensity="min_max"), SERIAL)
    store = VolumeStore(tmp_path / "work/4-volumes")
    volume, row = store.read(stack), store.index.row(0, named=True)
    assert (row["pad_before"], row["pad_after"]) == (1, 2)
    assert not volume[[0, 6, 7]].any()
    assert (volume[1:6].min(), volume[1:6].max()) == (0, 255)
    assert row["window_low"] > -600


def test_processes_and_shares_build_the_same(work: Path, reference: dict[str, str]) -> None:
    left = set(reference)
    for index in (1, 0, 2):
        workers = Workers(count=2) if index else SERIAL
        share = build_volumes(work, config(), workers, Shard(index, 3))
        held = {stack for stack in left if Shard(index, 3).holds(stack)}
        left -= held
        assert (share.n_built, share.n_outstanding) == (len(held), len(left))
        assert (share.index is None) == bool(left)
    assert digests(work) == reference


def test_dask_workers_build_the_same(work: Path, reference: dict[str, str]) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        build_volumes(work, config(), Workers("dask://" + cluster.scheduler_address.split("//")[1]))
    assert digests(work) == reference


def test_second_run_builds_nothing_and_changes_no_file(work: Path) -> None:
    build_volumes(work, config(), SERIAL)
    before = {path.name: path.stat().st_mtime_ns for path in (work / "4-volumes").glob("*.npy")}
    summary = build_volumes(work, config(), SERIAL)
    assert (summary.n_built, summary.n_reused) == (0, 7)
    assert {path.name: path.stat().st_mtime_ns for path in (work / "4-volumes").glob("*.npy")} == before


def test_shards_are_small_plain_arrays_and_hold_everything_once(work: Path) -> None:
    build_volumes(work, config(), SERIAL)
    shapes = [np.load(path, mmap_mode="r").shape for path in (work / "4-volumes").glob("*.npy")]
    assert sorted(shapes) == [(3, 8, 12, 10), (4, 8, 12, 10)]
    assert [path.name for path in (work / "4-volumes/parts").iterdir() if path.is_file()] == []


def test_compressed_store_reads_the_same(work: Path, reference: dict[str, str]) -> None:
    build_volumes(work, config(), SERIAL)
    summary = build_volumes(work, config(compression="zstd"), SERIAL)
    assert summary.n_built == 7
    store = VolumeStore(work / "4-volumes")
    assert digests(work) == reference
    assert store.verify() == ()
    assert not list((work / "4-volumes").glob("*.npy"))


def test_run_killed_at_any_moment_goes_on_to_the_same_store(work: Path, reference: dict[str, str]) -> None:
    code = (
        "import sys; from radnet.volumes.stage import build_volumes; from radnet.config import load_config; "
        "from radnet.executors import Workers; "
        f"build_volumes(sys.argv[1], load_config(changes={SMALL!r}), Workers('serial'), "
        "progress=lambda done, _: print(done, flush=True))"
    )
    for kill_after in ("0", "2", "6"):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(work)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip() == kill_after:
                    os.kill(process.pid, signal.SIGKILL)
        assert not (work / "4-volumes/index.parquet").exists() or digests(work) == reference
    build_volumes(work, config(), SERIAL)
    assert digests(work) == reference
    assert VolumeStore(work / "4-volumes").verify() == ()


def test_changed_slice_is_built_anew_and_only_that(archive: Path, tmp_path: Path) -> None:
    own = tmp_path / "archive"
    for number in range(3):
        write_series(own / str(number), voxels(number))
    prepare(own, tmp_path / "work")
    build_volumes(tmp_path / "work", config(), SERIAL)
    before = digests(tmp_path / "work")
    changed = own / "1/005"
    content = bytearray(changed.read_bytes())
    content[-100:] = bytes(100)
    time.sleep(0.01)
    changed.write_bytes(content)
    prepare(own, tmp_path / "work")
    summary = build_volumes(tmp_path / "work", config(), SERIAL)
    after = digests(tmp_path / "work")
    assert (summary.n_built, summary.n_reused) == (1, 2)
    assert sum(before[stack] != after[stack] for stack in before) == 1


def test_stack_that_is_no_longer_kept_is_forgotten(work: Path, reference: dict[str, str]) -> None:
    build_volumes(work, config(), SERIAL)
    kept = sorted(reference)[2:]
    decide(work, kept)
    summary = build_volumes(work, config(), SERIAL)
    assert (summary.n_built, summary.n_reused) == (0, 5)
    assert digests(work) == {stack: reference[stack] for stack in kept}
    assert VolumeStore(work / "4-volumes").verify() == ()
    assert sum(len(np.load(path)) for path in (work / "4-volumes").glob("*.npy")) == 5


def test_no_kept_stack_makes_an_empty_store(work: Path) -> None:
    build_volumes(work, config(), SERIAL)
    decide(work, [])
    assert build_volumes(work, config(), SERIAL).n_kept == 0
    assert len(VolumeStore(work / "4-volumes")) == 0
    assert not list((work / "4-volumes").glob("*.npy"))


def test_lost_shard_is_built_again(work: Path, reference: dict[str, str]) -> None:
    build_volumes(work, config(), SERIAL)
    next((work / "4-volumes").glob("*.npy")).unlink()
    assert build_volumes(work, config(), SERIAL).n_built in (3, 4)
    assert digests(work) == reference


@pytest.mark.parametrize("harm", [Path.unlink, partial(os.truncate, length=5000)], ids=["lost", "cut"])
def test_harmed_shard_makes_the_stage_stale_until_it_is_built_again(
    harm: Callable[[Path], None], work: Path
) -> None:
    workspace = Workspace(work)
    build_volumes(work, config(), SERIAL)
    harm(next((work / "4-volumes").glob("*.npy")))
    record = workspace.read_record("4-volumes")
    assert record is not None
    assert record.inputs != inputs(workspace, config())
    build_volumes(work, config(), SERIAL)
    assert workspace.read_record("4-volumes").inputs == inputs(workspace, config())  # type: ignore[union-attr]


def test_damaged_slice_costs_its_stack_alone(tmp_path: Path) -> None:
    for number in range(3):
        write_series(tmp_path / "archive" / str(number), voxels(number))
    prepare(tmp_path / "archive", tmp_path / "work")
    damaged = tmp_path / "archive/2/004"
    damaged.write_bytes(damaged.read_bytes()[:-300])
    summary = build_volumes(tmp_path / "work", config(), Workers(count=1))
    failures = pl.read_parquet(tmp_path / "work/4-volumes/failures.parquet")
    assert (summary.n_built, summary.n_failed, summary.n_outstanding) == (2, 1, 0)
    assert failures["reason"].to_list() == ["truncated"]
    assert len(VolumeStore(tmp_path / "work/4-volumes")) == 2


@pytest.mark.parametrize("spacing", [(0, 0), (0.7, -0.7)], ids=["zero", "negative"])
def test_pixels_without_size_cost_their_stack_alone(spacing: tuple[float, float], tmp_path: Path) -> None:
    write_series(tmp_path / "archive/good", voxels(1))
    odd = write_series(tmp_path / "archive/odd", voxels(2))
    for path in (tmp_path / "archive/odd").iterdir():
        dataset = dcmread(path)
        dataset.PixelSpacing = list(spacing)
        dataset.save_as(path)
    prepare(tmp_path / "archive", tmp_path / "work")
    summary = build_volumes(tmp_path / "work", config(), SERIAL)
    assert (summary.n_built, summary.n_failed) == (1, 1)
    failure = pl.read_parquet(tmp_path / "work/4-volumes/failures.parquet")
    stacks = pl.read_parquet(tmp_path / "work/2-series/series.parquet")
    assert failure["reason"].to_list() == ["no_geometry"]
    assert failure.join(stacks, on="stack_id")["SeriesInstanceUID"].to_list() == [odd]


def test_failed_stack_is_tried_again(tmp_path: Path) -> None:
    write_series(tmp_path / "archive/a", voxels(0))
    prepare(tmp_path / "archive", tmp_path / "work")
    hidden = tmp_path / "archive/a/004"
    content, times = hidden.read_bytes(), hidden.stat()
    hidden.unlink()
    assert build_volumes(tmp_path / "work", config(), SERIAL).n_failed == 1
    failures = tmp_path / "work/4-volumes/failures.parquet"
    assert pl.read_parquet(failures)["reason"].to_list() == ["unreadable"]
    assert Workspace(tmp_path / "work").read_record("4-volumes") is None, "a run would not try again"
    hidden.write_bytes(content)
    os.utime(hidden, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert build_volumes(tmp_path / "work", config(), SERIAL).n_built == 1
    assert pl.read_parquet(failures).is_empty()
    assert Workspace(tmp_path / "work").read_record("4-volumes") is not None


def test_crashed_worker_costs_its_stack_alone(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash_on_first(function: Any, chunks: Any, workers: Workers) -> Any:
        first, *others = itertools.chain.from_iterable(chunks)
        yield Crashed(first)
        yield function(others)

    monkeypatch.setattr("radnet.volumes.stage.map_chunks", crash_on_first)
    summary = build_volumes(work, config(), SERIAL)
    assert (summary.n_built, summary.n_failed) == (6, 1)
    assert pl.read_parquet(work / "4-volumes/failures.parquet")["reason"].to_list() == ["crashed"]


def test_record_vouches_for_the_index(work: Path) -> None:
    build_volumes(work, config(), SERIAL)
    workspace = Workspace(work)
    record = workspace.read_record("4-volumes")
    assert record is not None
    assert record.inputs == inputs(workspace, config())
    assert set(record.outputs) == {"index.parquet", "failures.parquet"}
    assert record.config["volumes"]["shape"] == [8, 12, 10]


def test_missing_labels_name_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="radnet label"):
        build_volumes(tmp_path, config(), SERIAL)


def test_same_share_is_not_built_twice_at_a_time(work: Path) -> None:
    with (
        Workspace(work).lock("4-volumes/parts/0-of-1"),
        pytest.raises(WorkspaceError, match="another radnet process"),
    ):
        build_volumes(work, config(), SERIAL)
