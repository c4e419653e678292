"""Killed, changed, shared out: a scan ends with the tables of an undisturbed one, byte for byte."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from small_archives import image, pack, write_archive, write_image, write_series

from radnet.config import RadnetConfig, ScanConfig
from radnet.executors import Shard, Workers
from radnet.scan import parts, stage
from radnet.scan.stage import ScanSummary, scan_archive
from radnet.workspace import Workspace

SERIAL = Workers("serial")

SCANNER = """
import os, signal, sys
from pathlib import Path
from radnet.config import RadnetConfig, ScanConfig
from radnet.executors import Shard, Workers
from radnet.scan import parts
from radnet.scan.stage import scan_archive

source, work, key, workers, shard, die_at = sys.argv[1:]
moments = 0

def moment():
    # every moment at which the disk changes is one at which to die
    global moments
    moments += 1
    if moments == int(die_at):
        os.kill(os.getpid(), signal.SIGKILL)

def watched(change):
    def wrapper(*arguments, **options):
        moment()
        result = change(*arguments, **options)
        moment()
        return result
    return wrapper

if __name__ == "__main__":
    Path.replace, Path.unlink = watched(Path.replace), watched(Path.unlink)
    parts._PART_SECONDS = 0.0
    config = RadnetConfig(scan=ScanConfig(patient_key=Path(key), chunk_files=7))
    show = lambda done, total: print(done, flush=True)
    scan_archive([source], work, config, Workers(workers, 2), Shard.parse(shard), show)
"""


class Desk:
    """An archive, a workspace and a script that scans the one into the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = write_archive(folder / "archive")
        self.config = RadnetConfig(scan=ScanConfig(patient_key=folder / "key", chunk_files=7))
        (folder / "scanner.py").write_text(SCANNER)

    def scan(self, work: str = "work", shard: str = "0/1", *sources: Path) -> ScanSummary:
        chosen = sources or (self.archive,)
        return scan_archive(chosen, self.folder / work, self.config, SERIAL, Shard.parse(shard))

    def start(self, workers: str = "serial", shard: str = "0/1", die_at: int = 0) -> "subprocess.Popen[str]":
        words = [self.archive, self.folder / "work", self.folder / "key", workers, shard, die_at]
        command = [sys.executable, self.folder / "scanner.py", *words]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)

    def tables(self, work: str = "work") -> list[bytes]:
        names = (stage.INSTANCES, stage.SKIPPED)
        return [(self.folder / work / stage.FOLDER / name).read_bytes() for name in names]

    def undisturbed(self, *sources: Path) -> list[bytes]:
        self.scan("undisturbed", "0/1", *sources)
        return self.tables("undisturbed")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_killed_at_any_moment_a_scan_still_ends_undisturbed(desk: Desk) -> None:
    undisturbed = desk.undisturbed()
    for die_at in itertools.count(1):
        with desk.start(die_at=die_at) as process:
            process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        desk.scan()
        assert desk.tables() == undisturbed, f"killed at moment {die_at}"
        shutil.rmtree(desk.folder / "work")
    assert die_at > 20, "six parts, digests, two tables, a record: twice each"


def test_killed_at_random_with_worker_processes_a_scan_still_ends_undisturbed(desk: Desk) -> None:
    write_series(desk.archive / "more", 5, 150)
    chance = random.Random(4)
    for _ in range(3):
        with desk.start("processes") as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 6)):
                process.stdout.readline()
            time.sleep(chance.random() / 100)
            process.kill()
    known = desk.scan()
    assert known.n_read < known.n_files, "what was read before a kill is kept"
    assert desk.tables() == desk.undisturbed()


def test_a_second_scan_reads_nothing_and_changes_no_byte(desk: Desk) -> None:
    desk.scan()
    before = desk.tables()
    assert desk.scan().n_read == 0
    assert desk.tables() == before


def test_only_what_is_new_or_changed_is_read_and_what_is_gone_is_forgotten(desk: Desk) -> None:
    desk.scan()
    one = desk.archive / "one"
    write_image(one / "new", image(7, 1))
    (one / "IM0000").unlink()
    write_image(one / "IM0001", image(8, 1))
    os.utime(one / "IM0002", ns=(0, 0))
    summary = desk.scan()
    assert (summary.n_read, summary.n_forgotten) == (3, 1)
    assert desk.tables() == desk.undisturbed()
    rows = pl.concat(
        pl.read_parquet(path) for path in (desk.folder / "work/1-scan/parts").glob("*/*.parquet")
    )
    assert str(one / "IM0000") not in rows["path"].to_list(), "the log forgets too"


def test_when_the_kept_instance_goes_its_duplicate_takes_its_place(desk: Desk) -> None:
    desk.scan()
    (desk.archive / "one" / "IM0003").unlink()
    assert desk.scan().n_skipped["duplicate_instance"] == 1
    assert desk.tables() == desk.undisturbed()


def test_a_changed_archive_is_read_again_as_a_whole(desk: Desk) -> None:
    packed = pack(desk.archive, desk.folder / "x.zip")
    desk.scan("work", "0/1", packed)
    (desk.archive / "one" / "IM0000").unlink()
    pack(desk.archive, packed)
    assert desk.scan("work", "0/1", packed).n_read == 40
    assert desk.tables() == desk.undisturbed(packed)


def test_another_source_is_another_table(desk: Desk) -> None:
    before = desk.scan()
    after = desk.scan("work", "0/1", desk.archive / "one")
    assert (before.n_forgotten, after.n_read) == (0, 0)
    assert after.n_forgotten == before.n_files - after.n_files, "said, not done in silence"
    assert desk.tables() == desk.undisturbed(desk.archive / "one")


def test_a_new_reader_reads_everything_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = desk.scan()
    monkeypatch.setattr(parts, "READER_VERSION", parts.READER_VERSION + 1)
    assert desk.scan().n_read == summary.n_read
    assert len(list((desk.folder / "work/1-scan/parts").glob("*/*.parquet"))) == 1


def test_a_damaged_part_is_read_again(desk: Desk) -> None:
    desk.scan()
    (part,) = (desk.folder / "work/1-scan/parts").glob("*/*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    assert desk.scan().n_read == 41
    assert desk.tables() == desk.undisturbed()


def test_many_parts_are_packed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_PART_SECONDS", 0.0)
    monkeypatch.setattr(stage, "MANY_PARTS", 3)
    desk.scan()
    assert len(list((desk.folder / "work/1-scan/parts").glob("*/*.parquet"))) == 1
    assert desk.scan().n_read == 0
    assert desk.tables() == desk.undisturbed()


def test_parts_are_left_alone_while_another_share_is_read(desk: Desk) -> None:
    desk.scan("work", "0/2")
    desk.scan("work", "1/2")
    (desk.archive / "one" / "IM0000").unlink()
    log = desk.folder / "work/1-scan/parts"
    before = sorted(log.glob("*/*.parquet"))
    with Workspace(desk.folder / "work").lock("1-scan/parts/1-of-2"):
        assert desk.scan("work", "0/2").complete
        assert sorted(log.glob("*/*.parquet")) == before
    desk.scan("work", "0/2")
    assert sorted(log.glob("*/*.parquet")) != before
    assert desk.tables() == desk.undisturbed()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shards_one_after_the_other_merge_with_the_last(desk: Desk, order: tuple[int, ...]) -> None:
    summaries = [desk.scan("work", f"{index}/3") for index in order]
    assert [summary.complete for summary in summaries] == [False, False, True]
    assert sum(summary.n_read for summary in summaries) == summaries[0].n_files
    assert all(summary.n_read for summary in summaries)
    assert desk.tables() == desk.undisturbed()
    assert desk.scan().n_read == 0


def test_shards_at_once_merge(desk: Desk) -> None:
    processes = [desk.start(shard=f"{index}/3") for index in range(3)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert desk.tables() == desk.undisturbed()


def test_another_number_of_shards_goes_on_from_what_is_there(desk: Desk) -> None:
    first = desk.scan("work", "0/3")
    rest = [desk.scan("work", f"{index}/2") for index in range(2)]
    assert first.n_read + sum(summary.n_read for summary in rest) == first.n_files
    assert desk.tables() == desk.undisturbed()


def test_a_compressed_archive_falls_to_one_shard(desk: Desk) -> None:
    packed = pack(desk.archive, desk.folder / "x.tgz")
    read = sorted(desk.scan("work", f"{index}/3", packed).n_read for index in range(3))
    assert read == [0, 0, 41]


def test_a_whole_scan_and_a_shard_at_once_are_safe(desk: Desk) -> None:
    processes = [desk.start(), desk.start(shard="1/2")]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert desk.tables() == desk.undisturbed()
