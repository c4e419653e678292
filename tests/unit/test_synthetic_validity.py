"""The archive is valid DICOM but for what is put in on purpose, as dciodvfy and dcentvfy judge it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from blank_series import every_kind
from dicom_judges import errors_between, errors_of_object
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from radnet.synthetic.archive import write_archive

ON_PURPOSE = {
    r"InversionTime> Module=<MRImage>": "scanners write it where they call the sequence SE",
    r"(ImagePositionPatient|ImageOrientationPatient)> Module=<ImagePlane>": "exports without positions",
    r"PatientName|Patient's Name.*Length invalid": "the judge counts bytes of Japanese, not characters",
    r"invalid data values for Value Representations": "follows from the Japanese name",
}
"""Errors that the archive has by intention, and why."""


def unintended(errors: list[str]) -> list[str]:
    return [error for error in errors if not any(re.search(known, error) for known in ON_PURPOSE)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("tiny") / "out", preset_name="tiny")


@pytest.fixture(scope="module")
def odd(tiny) -> dict[str, Path]:
    with tiny.odd_files.open(newline="") as handle:
        return {row["kind"]: tiny.archive / row["path"] for row in csv.DictReader(handle)}


def test_every_kind_of_image_is_valid(tmp_path):
    faults, seen, classes = {}, set(), set()
    for number, (place, content) in enumerate(every_kind()):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(content)
        classes.add(dcmread(path, stop_before_pixels=True, force=True).SOPClassUID.name)
        errors = errors_of_object(path)
        wrong = unintended(errors)
        seen |= {known for known in ON_PURPOSE for error in errors if re.search(known, error)}
        if wrong:
            faults[place.exam.vendor, place.exam.modality, place.protocol.description] = wrong
    assert faults == {}
    assert seen == set(ON_PURPOSE)  # what no longer occurs is no longer excused
    assert classes == {
        "CT Image Storage",
        "MR Image Storage",
        "Enhanced CT Image Storage",
        "Enhanced MR Image Storage",
        "Secondary Capture Image Storage",
    }


@pytest.mark.parametrize(
    "kind",
    [
        "directory",
        "dose_report",
        "duplicate",
        "presentation_state",
        "secondary_capture",
        "segmentation",
        "structure_set",
        "structured_report",
    ],
)
def test_every_odd_object_is_valid(odd, kind):
    assert errors_of_object(odd[kind]) == []


def test_objects_agree_on_patients_studies_and_series(tiny, odd, tmp_path):
    left_out = {odd[kind] for kind in ("text", "truncated", "empty", "directory")}
    paths = [path for path in tiny.archive.rglob("*") if path.is_file() and path not in left_out]
    paths = [path for path in paths if path.suffix not in (".zip", ".gz")]
    errors = errors_between(paths, tmp_path)
    study = dcmread(odd["structure_set"]).StudyInstanceUID  # which it refers to as if it were an instance
    purposes = ["Duplicate SOPInstanceUID", f"Missing SOPInstanceUID that was referenced - {study}"]
    assert len(errors) == len(purposes)
    assert all(any(purpose in error for error in errors) for purpose in purposes)


def test_the_judges_see_what_is_wrong(odd, tmp_path):
    dataset = dcmread(odd["duplicate"])
    assert dataset.SOPClassUID == CTImageStorage
    del dataset.KVP
    dataset.PatientName = "Somebody^Else"
    dataset.save_as(tmp_path / "broken.dcm")
    assert any("KVP" in error for error in errors_of_object(tmp_path / "broken.dcm"))
    assert any(
        "Duplicate" in e for e in errors_between([odd["duplicate"], tmp_path / "broken.dcm"], tmp_path)
    )
