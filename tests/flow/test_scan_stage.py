"""A scan tells of every file what became of it, wherever the files lie."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small_archives import image, pack, write_archive, write_image, write_series

from radnet.config import RadnetConfig, ScanConfig
from radnet.errors import SourceError, WorkspaceError
from radnet.executors import Workers
from radnet.scan.reading import read_chunk
from radnet.scan.skipped import STEPS
from radnet.scan.stage import ScanSummary, inputs, scan_archive
from radnet.sources.entries import REFUSALS
from radnet.workspace import Workspace

SERIAL = Workers("serial")
ORIGIN = ("source", "path", "size", "mtime_ns")


@pytest.fixture
def config(tmp_path: Path) -> RadnetConfig:
    return RadnetConfig(scan=ScanConfig(patient_key=tmp_path / "key", chunk_files=7))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "archive")


Scan = Callable[..., ScanSummary]


@pytest.fixture
def scan(tmp_path: Path, config: RadnetConfig) -> Scan:
    def run(*sources: Path, work: str = "work", workers: Workers = SERIAL) -> ScanSummary:
        return scan_archive(sources, tmp_path / work, config, workers)

    return run


def reasons(summary: ScanSummary) -> dict[str, str]:
    skipped = pl.read_parquet(summary.skipped)
    return dict(skipped.select("path", "reason").iter_rows())


def test_every_file_is_an_instance_or_skipped_with_a_reason(archive: Path, scan: Scan) -> None:
    summary = scan(archive)
    assert summary.n_files == summary.n_read == 41
    assert summary.n_instances == 37
    assert summary.n_skipped == {"duplicate_instance": 2, "empty_file": 1, "not_dicom": 1}
    assert summary.complete
    tables = [pl.read_parquet(path)["path"].to_list() for path in (summary.instances, summary.skipped)]
    files = sorted(str(path) for path in archive.rglob("*") if path.is_file())
    assert sorted([*tables[0], *tables[1]]) == files
    assert all(table == sorted(table) for table in tables)


def test_of_equal_instances_the_first_path_is_kept_and_bytes_are_compared(archive: Path, scan: Scan) -> None:
    skipped = pl.read_parquet(scan(archive).skipped).filter(pl.col("reason") == "duplicate_instance")
    assert dict(skipped.select("path", "error").iter_rows()) == {
        str(archive / "two" / "copy"): "same bytes",
        str(archive / "two" / "edited"): "different bytes",
    }


def test_duplicates_of_equal_size_are_compared_byte_by_byte(tmp_path: Path, scan: Scan) -> None:
    dataset = image(2, 1)
    write_image(tmp_path / "archive" / "a", dataset)
    dataset.PixelData = b"\1\2" * 64
    write_image(tmp_path / "archive" / "b", dataset)
    skipped = pl.read_parquet(scan(tmp_path / "archive").skipped)
    assert skipped["error"].to_list() == ["different bytes"]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_an_archive_gives_the_same_instances_as_the_folder(
    tmp_path: Path, archive: Path, scan: Scan, name: str
) -> None:
    packed = pack(archive, tmp_path / name)
    folder_rows = pl.read_parquet(scan(archive).instances)
    packed_rows = pl.read_parquet(scan(packed, work="packed").instances)
    assert packed_rows.drop(ORIGIN).equals(folder_rows.drop(ORIGIN))
    members = [path.removeprefix(f"{packed}!") for path in packed_rows["path"]]
    assert [str(archive / member) for member in members] == folder_rows["path"].to_list()


def test_the_order_of_sources_does_not_matter(tmp_path: Path, scan: Scan) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_series(one, 2, 9)
    write_series(two, 2, 9)
    packed = pack(two, tmp_path / "x.zip")
    first = scan(one, two, packed)
    second = scan(packed, two, one, work="other")
    assert first.n_skipped == {"duplicate_instance": 18}
    for table in ("instances", "skipped"):
        paths = [Path(getattr(summary, table)) for summary in (first, second)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_whatever_lies_in_a_folder_is_survived(archive: Path, scan: Scan) -> None:
    os.mkfifo(archive / "pipe")
    (archive / "up").symlink_to(archive)
    (archive / "nowhere").symlink_to(archive / "gone")
    (archive / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    name = os.fsdecode(b"Sch\xe4del")
    write_image(archive / name, image(9, 1))
    summary = scan(archive)
    assert summary.n_instances == 38
    assert summary.n_skipped["not_a_file"] == 1
    assert summary.n_skipped["broken_link"] == 1
    assert summary.n_skipped["damaged_archive"] == 1
    assert str(archive / "Sch\\xe4del") in pl.read_parquet(summary.instances)["path"].to_list()


def test_a_file_that_cannot_be_read_is_tried_again(
    archive: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable = str(archive / "one" / "IM0005")
    true_open = os.open

    def fail(path: str, *rest: int) -> int:
        if path == unreadable:
            raise PermissionError(13, "no")
        return true_open(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)  # root may read everything, so that modes prove nothing
        assert reasons(scan(archive))[unreadable] == "unreadable_file"
    again = scan(archive)
    assert (again.n_read, again.n_instances) == (1, 37)
    undisturbed = scan(archive, work="undisturbed")
    assert Path(again.skipped).read_bytes() == Path(undisturbed.skipped).read_bytes()


def test_a_file_that_vanishes_after_listing_is_a_row(tmp_path: Path) -> None:
    from radnet.sources import list_entries

    write_series(tmp_path / "archive", 2, 2)
    entries = list(list_entries([tmp_path / "archive"]))
    (tmp_path / "archive" / "IM0001").unlink()
    rows = read_chunk(entries, b"k" * 16).sort("path")
    assert rows["reason"].to_list() == [None, "vanished"]


def test_a_damaged_member_is_a_lasting_reason(tmp_path: Path, scan: Scan) -> None:
    write_series(tmp_path / "archive", 2, 3)
    packed = pack(tmp_path / "archive", tmp_path / "x.zip")
    data = bytearray(packed.read_bytes())
    data[60:160] = b"\xff" * 100
    packed.write_bytes(data)
    assert reasons(scan(packed)) == {f"{packed}!IM0000": "damaged_archive"}
    assert scan(packed).n_read == 0


def test_a_source_that_does_not_exist_or_is_empty_is_an_error(tmp_path: Path, scan: Scan) -> None:
    with pytest.raises(SourceError, match="nowhere: there is no such source"):
        scan(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="empty: holds no files"):
        scan(tmp_path / "empty")


def test_an_empty_mount_does_not_wipe_the_tables(tmp_path: Path, scan: Scan) -> None:
    summary = scan(write_archive(tmp_path / "archive"))
    before = Path(summary.instances).read_bytes()
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    (tmp_path / "archive").mkdir()
    with pytest.raises(SourceError, match="holds no files"):
        scan(tmp_path / "archive")
    assert Path(summary.instances).read_bytes() == before


def test_a_workspace_in_the_archive_does_not_scan_itself(archive: Path, config: RadnetConfig) -> None:
    first = scan_archive([archive], archive / "work", config, SERIAL)
    again = scan_archive([archive], archive / "work", config, SERIAL)
    assert (again.n_files, again.n_read) == (first.n_files, 0)


def test_patients_are_hashed_with_the_key(tmp_path: Path) -> None:
    write_image(tmp_path / "archive" / "a", image(2, 1, patient="Secret^Name"))
    hashes = []
    for name in ("one", "other"):
        config = RadnetConfig(scan=ScanConfig(patient_key=tmp_path / name))
        summary = scan_archive([tmp_path / "archive"], tmp_path / "work", config, SERIAL)
        assert summary.n_read == 1, "another key reads everything again"
        hashes.append(pl.read_parquet(summary.instances)["patient"][0])
        assert b"Secret" not in Path(summary.instances).read_bytes()
    assert hashes[0] != hashes[1]


def test_the_record_vouches_for_the_files_as_they_are(
    tmp_path: Path, archive: Path, scan: Scan, config: RadnetConfig
) -> None:
    workspace = Workspace(tmp_path / "work")
    assert inputs(workspace, config) == {}
    scan(archive)
    record = workspace.read_record("1-scan")
    assert record is not None
    assert record.config["sources"] == [str(archive)]
    assert inputs(workspace, config) == record.inputs
    (archive / "new").touch()
    assert inputs(workspace, config)["sources"] != record.inputs["sources"]
    other = RadnetConfig(scan=ScanConfig(patient_key=tmp_path / "other"))
    assert inputs(workspace, other)["reader"] != record.inputs["reader"]


def test_the_summary_is_plain_data(archive: Path, scan: Scan) -> None:
    summary = scan(archive)
    assert ScanSummary(**json.loads(json.dumps(dataclasses.asdict(summary)))) == summary


def test_two_scans_of_one_share_at_once_are_refused(tmp_path: Path, archive: Path, scan: Scan) -> None:
    workspace = Workspace(tmp_path / "work")
    with (
        workspace.lock("1-scan/parts/0-of-1"),
        pytest.raises(WorkspaceError, match="being written by another radnet process"),
    ):
        scan(archive)


def test_every_refusal_of_a_listing_is_a_known_reason() -> None:
    assert set(REFUSALS) <= set(STEPS)


def test_a_copy_cut_off_before_its_pixels_does_not_displace_the_whole_file(
    tmp_path: Path, scan: Scan
) -> None:
    first, *_ = write_series(tmp_path / "archive" / "whole", 2, 3)
    headless = image(2, 0)
    del headless.PixelData
    write_image(tmp_path / "archive" / "a cut copy", headless)
    instances = pl.read_parquet(scan(tmp_path / "archive").instances)
    assert len(instances) == 3
    assert str(first) in instances["path"].to_list()


def test_one_source_may_be_named_without_a_list(tmp_path: Path) -> None:
    write_series(tmp_path / "archive", 2, 3)
    assert scan_archive(str(tmp_path / "archive"), tmp_path / "work").n_instances == 3


def test_tables_merged_in_ranges_hold_the_same_rows(
    archive: Path, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pl.read_parquet(scan(archive).instances)
    monkeypatch.setattr("radnet.scan.parts.path_ranges.__defaults__", (7,))
    ranged = scan_archive([archive], tmp_path / "ranges", workers=Workers("serial"))
    again = pl.read_parquet(ranged.instances)
    assert again.drop("patient").equals(whole.drop("patient"))
    assert not list((tmp_path / "ranges" / "1-scan").glob(".*partial*"))
