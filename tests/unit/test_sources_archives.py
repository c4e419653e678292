"""Archives are read in place, and whatever is wrong with one becomes a row."""

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from radnet.errors import SourceError
from radnet.sources import Entry, Refused, list_entries, open_blob
from radnet.sources.archive import recognise

Contents = dict[str, bytes]

CONTENTS: Contents = {
    "IM0001": random.Random(1).randbytes(300_000),
    "deep/er/IM 2.dcm": b"2" * 100_000,
    "deep/empty": b"",
    "Schädel!x": b"with mark",
}


def write_zip(path: Path, contents: Contents, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("deep/", b"")
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def write_deflated(path: Path, contents: Contents) -> Path:
    return write_zip(path, contents, zipfile.ZIP_DEFLATED)


def write_tar(path: Path, contents: Contents, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        folder = tarfile.TarInfo("deep")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_tar_gz(path: Path, contents: Contents) -> Path:
    return write_tar(path, contents, "w:gz")


WRITERS = {
    "stored.zip": write_zip,
    "deflated.ZIP": write_deflated,
    "plain.tar": write_tar,
    "x.tar.gz": write_tar_gz,
    "x.tgz": write_tar_gz,
}

each_archive = pytest.mark.parametrize(
    ("name", "write"), [pytest.param(*item, id=item[0]) for item in WRITERS.items()]
)
Writer = Callable[[Path, Contents], Path]


def refusals(*sources: Path) -> dict[str, str]:
    return {item.path: item.reason for item in list_entries(sources) if isinstance(item, Refused)}


@each_archive
def test_members_are_listed_with_their_size_and_the_archives_time(
    tmp_path: Path, name: str, write: Writer
) -> None:
    archive = write(tmp_path / name, CONTENTS)
    time = archive.stat().st_mtime_ns
    stream = str(archive) if name.endswith("gz") else None
    assert list(list_entries([tmp_path])) == [
        Entry(str(tmp_path), f"{archive}!{member}", len(data), time, stream)
        for member, data in CONTENTS.items()
    ]


@each_archive
def test_members_are_read_in_any_order_and_from_any_place(tmp_path: Path, name: str, write: Writer) -> None:
    write(tmp_path / name, CONTENTS)
    found = list(list_entries([tmp_path]))
    chance = random.Random(0)
    for _ in range(30):
        entry = chance.choice(found)
        data = CONTENTS[entry.path.removeprefix(f"{tmp_path / name}!")]
        with open_blob(entry.path) as blob:
            assert blob.size == len(data)
            for _ in range(3):
                start = chance.randrange(len(data) + 10)
                length = chance.randrange(len(data) + 10)
                assert blob.pread(start, length) == data[start : start + length]


def test_a_named_archive_needs_no_suffix(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "export", {"x": b"1"})
    assert [entry.path for entry in list_entries([archive])] == [f"{archive}!x"]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz", "x.gz"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes(128) + b"DICM" + bytes(2000), id="DICOM"),
        pytest.param(b"", id="empty"),
        pytest.param(gzip.compress(b"no tar file"), id="gzip of something else"),
        pytest.param(bytes(10_240), id="zeros"),
    ],
)
def test_a_wrong_suffix_costs_nothing(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert [(type(item), item.path) for item in list_entries([tmp_path])] == [(Entry, str(path))]


def test_a_mark_in_a_real_name_is_no_archive(tmp_path: Path) -> None:
    folder = tmp_path / "a!b.zip!c"
    folder.mkdir()
    (folder / "x!y").write_bytes(b"real")
    write_zip(folder / "s!.zip", {"m!n": b"member"})
    contents = set()
    for entry in list_entries([tmp_path]):
        with open_blob(entry.path) as blob:
            contents.add(blob.pread(0, 99))
    assert contents == {b"real", b"member"}


def test_names_that_point_outside_are_only_names(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "x.zip", {"/etc/passwd": b"1", "../../up": b"2"})
    found = [entry.path for entry in list_entries([archive])]
    assert found == [f"{archive}!/etc/passwd", f"{archive}!../../up"]
    for path, data in zip(found, (b"1", b"2"), strict=True):
        with open_blob(path) as blob:
            assert blob.pread(0, 9) == data


def test_of_equal_names_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    write_tar(path, {"a": b"old", "b": b"."})
    write_tar(path, {"a": b"newer"}, "a")
    sizes = {entry.path: entry.size for entry in list_entries([tmp_path]) if isinstance(entry, Entry)}
    assert sizes == {f"{path}!a": 5, f"{path}!b": 1}


@each_archive
def test_an_archive_cut_short_is_refused_and_what_stands_before_is_kept(
    tmp_path: Path, name: str, write: Writer
) -> None:
    whole = write(tmp_path / "whole", CONTENTS).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[:350_000] if name == "plain.tar" else whole[:-200])
    assert refusals(tmp_path / name) == {str(path): "damaged_archive"}
    kept = [item for item in list_entries([path]) if isinstance(item, Entry)]
    assert bool(kept) == ("zip" not in name.lower())


@pytest.mark.parametrize("write", [write_tar, write_tar_gz])
def test_a_damaged_header_within_a_tar_file_is_no_silent_end(tmp_path: Path, write: Writer) -> None:
    path = write_tar(tmp_path / "x.tar", {"a": b"1", "b": b"2", "c": b"3"})
    data = bytearray(path.read_bytes())
    data[3 * 512 + 20] ^= 0xFF  # folder, a, its data, then b's header
    path.write_bytes(gzip.compress(data) if write is write_tar_gz else data)
    found = list(list_entries([path]))
    assert [item.path for item in found] == [f"{path}!a", str(path)]
    assert isinstance(found[1], Refused)


def test_damaged_bytes_of_a_member_are_a_source_error(tmp_path: Path) -> None:
    path = write_deflated(tmp_path / "x.zip", {"a": random.Random(2).randbytes(90_000)})
    data = bytearray(path.read_bytes())
    data[40_000:40_100] = bytes(100)
    path.write_bytes(data)
    with open_blob(f"{path}!a") as blob, pytest.raises(SourceError, match="damaged"):
        blob.pread(0, 90_000)


def test_a_lost_local_header_is_a_source_error(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a": b"1" * 100})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x03\x04", 4) if data.count(b"PK\x03\x04") > 1 else 0
    data[at] = 0
    path.write_bytes(data)
    with pytest.raises(SourceError, match="damaged"):
        open_blob(f"{path}!a")


def test_encrypted_and_exotic_members_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"secret": b"1", "open": b"2"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("bzip2", b"3" * 100)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4) + 8] |= 1  # flags of the second row: secret
    path.write_bytes(data)
    assert refusals(path) == {f"{path}!secret": "encrypted_member", f"{path}!bzip2": "unsupported_member"}


def test_links_and_devices_in_a_tar_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in {
            "link": tarfile.SYMTYPE,
            "hard": tarfile.LNKTYPE,
            "pipe": tarfile.FIFOTYPE,
        }.items():
            info = tarfile.TarInfo(name)
            info.type = kind
            archive.addfile(info)
    assert set(refusals(path).values()) == {"not_a_file"}
    assert len(refusals(path)) == 3


@each_archive
@pytest.mark.parametrize("outer_name", ["outer-stored.zip", "outer-deflated.zip", "outer.tar", "outer.tgz"])
def test_an_archive_in_an_archive_is_opened(
    tmp_path: Path, name: str, write: Writer, outer_name: str
) -> None:
    inner = write(tmp_path / "inner", CONTENTS).read_bytes()
    write_outer = {
        "outer-stored.zip": write_zip,
        "outer-deflated.zip": write_deflated,
        "outer.tar": write_tar,
    }
    outer = write_outer.get(outer_name, write_tar_gz)(tmp_path / outer_name, {f"sub/{name}": inner})
    found = list(list_entries([outer]))
    assert [item.path for item in found] == [f"{outer}!sub/{name}!{member}" for member in CONTENTS]
    chance = random.Random(0)
    for _ in range(10):
        entry = chance.choice(found)
        data = CONTENTS[entry.path.removeprefix(f"{outer}!sub/{name}!")]
        with open_blob(entry.path) as blob:
            start = chance.randrange(len(data) + 1)
            assert (blob.size, blob.pread(start, len(data))) == (len(data), data[start:])


def test_an_archive_deeper_still_is_refused_unless_only_named_so(tmp_path: Path) -> None:
    deepest = write_zip(tmp_path / "deepest", {"x": b"1"}).read_bytes()
    middle = write_zip(tmp_path / "middle", {"a.zip": deepest, "b.zip": b"DICM", "c": b"2"}).read_bytes()
    outer = write_zip(tmp_path / "outer.zip", {"m.zip": middle, "really-dicom.zip": bytes(128) + b"DICM"})
    assert refusals(outer) == {f"{outer}!m.zip!a.zip": "nested_archive"}
    assert [item.path for item in list_entries([outer]) if isinstance(item, Entry)] == [
        f"{outer}!m.zip!b.zip",
        f"{outer}!m.zip!c",
        f"{outer}!really-dicom.zip",
    ]


def test_a_compressed_archive_too_large_for_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radnet.sources.listing.MAX_NESTED_BYTES", 1000)
    inner = write_zip(tmp_path / "inner", CONTENTS).read_bytes()
    outer = write_deflated(tmp_path / "deflated.zip", {"x.zip": inner})
    assert refusals(outer) == {f"{outer}!x.zip": "nested_archive"}
    assert refusals(write_zip(tmp_path / "stored.zip", {"x.zip": inner})) == {}


def test_a_damaged_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    outer = write_zip(tmp_path / "outer.zip", {"x.zip": b"PK\x03\x04 and no more", "a": b"1"})
    assert refusals(outer) == {f"{outer}!x.zip": "damaged_archive"}


def test_a_bomb_is_inflated_no_further_than_asked(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as member:
        for _ in range(512):
            member.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_blob(f"{path}!a") as blob:
        assert blob.size == 512 << 20
        assert blob.pread(0, 32_768) == bytes(32_768)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_a_tar_file_that_inflates_beyond_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radnet.sources.tars.MAX_INFLATED_BYTES", 1 << 20)
    path = write_tar_gz(tmp_path / "x.tgz", {"a": b"1", "bomb": bytes(4 << 20), "c": b"3"})
    assert refusals(path) == {str(path): "damaged_archive"}


def test_a_changed_archive_is_opened_anew(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a": b"old"})
    with open_blob(f"{path}!a") as blob:
        assert blob.pread(0, 9) == b"old"
    write_zip(path, {"a": b"newer"})
    with open_blob(f"{path}!a") as blob:
        assert blob.pread(0, 9) == b"newer"
    write_zip(path, {"b": b"x"})
    with pytest.raises(SourceError, match=r"lost a member"):
        open_blob(f"{path}!a")


def test_a_path_that_is_nowhere_is_the_systems_error(tmp_path: Path) -> None:
    for name in ("gone", "gone.zip!member", "x" * 300 + "!member"):
        with pytest.raises(OSError, match=r"No such file|too long"):
            open_blob(str(tmp_path / name))


@pytest.mark.parametrize("head", [b"", b"PK", b"\x1f\x8b\x08\xff", bytes(600), b"DICM" * 300])
def test_other_bytes_are_no_archive(head: bytes) -> None:
    assert recognise(head) is None
