from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np
import pydicom
import pytest

from radnet.errors import SourceError
from radnet.synthetic import archive as archive_module
from radnet.synthetic.anatomy import Body, Sex, make_body
from radnet.synthetic.archive import ArchiveSummary, write_archive
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import PHI_CANARIES, person
from radnet.synthetic.patients import VISITS
from radnet.synthetic.protocols import Trap
from radnet.synthetic.series import stacks
from radnet.synthetic.truth import Truth, tell
from radnet.terms import EXCLUSION_STEPS, GEOMETRIES, PAPER_SEQUENCES, REGIONS, SEQUENCES, VIEWS

pytestmark = pytest.mark.xdist_group("synthetic archive")  # its fixtures are dear

VIEW_OF_AXIS = {0: "sagittal", 1: "coronal", 2: "axial"}


@cache
def shared_body(sex: Sex) -> Body:
    return make_body(77, sex, lesion=True)


def tree_digest(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        digest.update(str(path.relative_to(root)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def contents(path: Path) -> Iterator[bytes]:
    """Every file of a series, whether loose or in an archive file."""
    if path.is_dir():
        yield from (file.read_bytes() for file in path.rglob("*") if file.is_file())
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            yield from (packed.read(name) for name in packed.namelist())
    else:
        with tarfile.open(path) as packed:
            yield from (packed.extractfile(member).read() for member in packed.getmembers())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ArchiveSummary:
    return write_archive(tmp_path_factory.mktemp("small") / "out", seed=4, small=True)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> ArchiveSummary:
    """All visits with tiny images, of two bodies instead of twelve."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_module, "SMALL_VISITS", VISITS)
        patch.setattr(archive_module, "SMALL_MATRIX", 32)
        patch.setattr(archive_module, "make_body", lambda seed, sex, lesion, **given: shared_body(sex))
        return write_archive(tmp_path_factory.mktemp("all") / "out", small=True)


@pytest.fixture(scope="module")
def truth(everything: ArchiveSummary) -> list[dict[str, str]]:
    with everything.truth.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def datasets(everything: ArchiveSummary, truth: list[dict[str, str]]) -> dict[str, list[pydicom.Dataset]]:
    found = defaultdict(list)
    for path in sorted({row["path"] for row in truth}):
        for content in contents(everything.archive / path):
            dataset = pydicom.dcmread(io.BytesIO(content))
            found[dataset.SeriesInstanceUID].append(dataset)
    return found


def geometry(datasets: list[pydicom.Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """Orientations (n, 6) and positions (n, 3) of all images of a series, classic or enhanced."""
    orientations, positions = [], []
    for dataset in datasets:
        if "PerFrameFunctionalGroupsSequence" in dataset:
            shared = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
            for frame in dataset.PerFrameFunctionalGroupsSequence:
                orientations.append(shared.ImageOrientationPatient)
                positions.append(frame.PlanePositionSequence[0].ImagePositionPatient)
        else:
            orientations.append(dataset.ImageOrientationPatient)
            positions.append(dataset.ImagePositionPatient)
    return np.array(orientations, float), np.array(positions, float)


def view_of(dataset: pydicom.Dataset) -> str:
    cosines = np.array(dataset.ImageOrientationPatient, float)
    return VIEW_OF_AXIS[int(np.abs(np.cross(cosines[:3], cosines[3:])).argmax())]


def stack_of(row: dict[str, str], datasets: dict[str, list[pydicom.Dataset]]) -> list[pydicom.Dataset]:
    series = datasets[row["SeriesInstanceUID"]]
    if row["trap"] == "three_plane":
        return [dataset for dataset in series if view_of(dataset) == row["view"]]
    return [d for d in series if not row["EchoTime"] or float(d.EchoTime) == float(row["EchoTime"])]


def test_equal_seeds_write_equal_bytes_and_others_do_not(small, tmp_path):
    again = write_archive(tmp_path / "again", seed=4, small=True)
    assert tree_digest(again.archive.parent) == tree_digest(small.archive.parent)
    with small.truth.open() as one, again.truth.open() as two:
        assert one.read() == two.read()


def test_seeds_share_no_identifier():
    visit = VISITS[0]
    places = [
        SeriesPlace(person(s, 0, "M"), visit.exams[0], visit.exams[0].series[0], (s, 0, 0, 0)) for s in (1, 2)
    ]
    assert places[0].series_uid != places[1].series_uid
    assert places[0].person.patient_id != places[1].person.patient_id


def test_the_small_archive_is_small(small):
    assert small.patients == 2
    assert 8 <= small.series <= 10
    assert small.images < 500


def test_truth_lies_beside_the_archive_and_not_in_it(small):
    assert small.truth.parent == small.archive.parent
    assert not list(small.archive.rglob("*.csv"))


def test_the_summary_counts_what_was_written(everything, truth, datasets):
    assert everything.stacks == len(truth)
    assert everything.series == len(datasets)
    assert everything.images == sum(map(len, datasets.values()))
    assert everything.kept == sum(row["keep"] == "yes" for row in truth)


def test_every_trap_is_somewhere(truth):
    assert {row["trap"] for row in truth} == set(get_args(Trap))


def test_words_of_the_truth_are_those_of_the_project(truth):
    assert {row["sequence"] for row in truth} <= set(SEQUENCES)
    assert {row["view"] for row in truth} <= {*VIEWS, ""}
    assert {row["geometry"] for row in truth} == set(GEOMETRIES)
    assert {row["reason"] for row in truth} <= {*EXCLUSION_STEPS, ""}


def test_every_reason_but_those_of_files_and_policies_occurs(truth):
    of_files = {"unreadable", "unsupported_object", "duplicate_instance"}
    elsewhere = {"colour", "no_pixel_size", "no_description", "unknown_view", "excluded_by_person"}
    assert {row["reason"] for row in truth} - {""} == set(EXCLUSION_STEPS) - of_files - elsewhere


def test_kept_stacks_show_every_sequence_view_contrast_and_region(truth):
    kept = [row for row in truth if row["keep"] == "yes"]
    assert len(kept) >= 25
    assert {row["sequence"] for row in kept} == set(PAPER_SEQUENCES)
    assert {row["view"] for row in kept} == set(VIEWS)
    assert {row["contrast"] for row in kept} == {"yes", "no"}
    assert set(chain(*(row["coverage"].split(";") for row in kept))) == {*REGIONS, "none"}


def test_view_and_positions_of_the_truth_are_those_of_the_headers(truth, datasets):
    for row in truth:
        if row["geometry"] == "no_position":
            assert not any("ImagePositionPatient" in dataset for dataset in stack_of(row, datasets))
            continue
        orientations, positions = geometry(stack_of(row, datasets))
        assert len(np.unique(positions, axis=0)) == int(row["n_slices"]), row["path"]
        if row["geometry"] == "mixed_orientation":
            assert len(np.unique(orientations, axis=0)) == 3
            continue
        assert len(np.unique(orientations, axis=0)) == 1
        normal = np.cross(orientations[0, :3], orientations[0, 3:])
        if row["view"]:
            assert VIEW_OF_AXIS[int(np.abs(normal).argmax())] == row["view"], row["path"]
        else:
            assert np.abs(normal).max() < np.cos(np.radians(20))


def test_spacing_of_uniform_stacks_is_that_of_the_headers(truth, datasets):
    for row in truth:
        if row["geometry"] == "uniform":
            orientations, positions = geometry(stack_of(row, datasets))
            normal = np.cross(orientations[0, :3], orientations[0, 3:])
            gaps = np.diff(np.sort(positions @ normal))
            np.testing.assert_allclose(gaps, float(row["slice_spacing_mm"]), atol=1e-3)


def test_contrast_of_the_truth_agrees_with_the_agent_in_the_header(truth, datasets):
    for row in truth:
        agents = {bool(d.get("ContrastBolusAgent")) for d in stack_of(row, datasets)}
        assert agents == {row["contrast"] == "yes"}, row["path"]


def test_every_image_can_be_decoded_and_shows_something(datasets):
    for series in datasets.values():
        image = series[len(series) // 2].pixel_array
        assert image.std() > 0


def test_transfer_syntaxes_are_those_promised(datasets):
    names = {d.file_meta.TransferSyntaxUID.name for series in datasets.values() for d in series}
    assert names == {
        "Explicit VR Little Endian",
        "Implicit VR Little Endian",
        "Deflated Explicit VR Little Endian",
        "JPEG 2000 Image Compression (Lossless Only)",
        "RLE Lossless",
    }


def test_instances_have_identifiers_of_their_own(datasets):
    uids = [d.SOPInstanceUID for series in datasets.values() for d in series]
    assert len(uids) == len(set(uids))


def test_some_files_have_no_suffix(everything):
    assert any(path.name.startswith("I") and not path.suffix for path in everything.archive.rglob("I*"))


def test_canaries_stand_in_the_headers(small):
    text = b"".join(path.read_bytes()[:4096] for path in small.archive.rglob("*") if path.is_file())
    found = [canary for canary in PHI_CANARIES if canary.encode() in text]
    assert len(found) >= 8


def test_odd_files_are_what_the_table_says(everything):
    with everything.odd_files.open(newline="") as handle:
        kinds = {row["kind"]: everything.archive / row["path"] for row in csv.DictReader(handle)}
    assert kinds["empty"].stat().st_size == 0
    with pytest.raises(pydicom.errors.InvalidDicomError):
        pydicom.dcmread(kinds["text"])
    assert "Directory" in pydicom.dcmread(kinds["directory"]).file_meta.MediaStorageSOPClassUID.name
    assert pydicom.dcmread(kinds["structured_report"]).Modality == "SR"
    assert pydicom.dcmread(kinds["secondary_capture"]).pixel_array.shape[-1] == 3
    header = pydicom.dcmread(kinds["duplicate"], stop_before_pixels=True)
    same = [
        p
        for p in everything.archive.glob("P001/**/*")
        if p.is_file() and p.read_bytes() == kinds["duplicate"].read_bytes()
    ]
    assert same
    assert "SOPInstanceUID" in header
    cut = kinds["truncated"].stat().st_size
    assert cut < kinds["duplicate"].stat().st_size


@pytest.mark.parametrize("seed", [11, 12])
def test_series_cover_what_their_examination_is_for_in_every_body(seed):
    bodies = {"F": make_body(seed, "F"), "M": make_body(seed, "M")}
    covered: dict[str, set[str]] = defaultdict(set)
    for visit in VISITS:
        for exam in visit.exams:
            for protocol in exam.series:
                place = SeriesPlace(person(1, 0, visit.sex), exam, protocol, (1, 0, 0, 0))
                for stack in stacks(bodies[visit.sex], place):
                    row: Truth = tell(bodies[visit.sex], place, stack, "")
                    if row.keep == "yes":
                        covered[exam.study].add(row.coverage)
    assert covered == {
        "CT Head without contrast": {"brain"},
        "CT SOFT TISSUE NECK W CONTRAST": {"upper_head_neck;lower_head_neck"},
        "CT Chest without contrast": {"lung"},
        "CT CHEST W/ CONTRAST": {"lung"},
        "CT Abdomen with and without contrast": {"liver;kidney"},
        "CT ABDOMEN PELVIS W CONTRAST": {"liver;kidney;intestine;pelvis"},
        "CT Chest Abdomen Pelvis with contrast": {"lung;liver;kidney;intestine;pelvis"},
        "MR Brain with and without contrast": {"brain"},
        "MRI BRAIN W/WO CONTRAST": {"brain"},
        "MRI Brain": {"brain"},
        "MRI Lumbar Spine without contrast": {"none"},
        "MR Breast bilateral with and without contrast": {"breast"},
        "MR Abdomen without contrast": {"liver;kidney"},
        "MRI PELVIS W/WO CONTRAST": {"pelvis"},
        "MRI soft tissue neck without contrast": {"upper_head_neck;lower_head_neck"},
    }


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SourceError, match="not an empty folder"):
        write_archive(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_no_patients_are_refused(tmp_path):
    with pytest.raises(SourceError, match="at least 1"):
        write_archive(tmp_path / "out", patients=0)


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(SourceError, match="must not be negative"):
        write_archive(tmp_path / "out", seed=-1)


def test_progress_counts_series_up_to_all(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "SMALL_VISITS", archive_module.SMALL_VISITS[:1])
    monkeypatch.setattr(archive_module, "SMALL_MATRIX", 16)
    seen: list[tuple[int, int | None]] = []
    summary = write_archive(tmp_path / "out", small=True, progress=lambda *counts: seen.append(counts))
    assert seen == [(n, summary.series) for n in range(1, summary.series + 1)]
