from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from blank_series import files_of
from dicom_judges import errors_of_object
from header_samples import KEY, MemoryBlob
from pydicom import dcmread
from synthetic_bodies import coarse

from radnet.masks.geometry import frames_of
from radnet.masks.seg import read_seg
from radnet.scan.reader import read_instances
from radnet.scan.skipped import DICOMDIR, UNSUPPORTED_OBJECT, Skipped
from radnet.synthetic import protocols as p
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import person
from radnet.synthetic.oddities import write_oddities
from radnet.synthetic.organ_masks import OrganMap, organ_map

OBJECTS = (
    "secondary_capture",
    "presentation_state",
    "structured_report",
    "dose_report",
    "structure_set",
    "segmentation",
)


@cache
def organs() -> OrganMap:
    return organ_map(coarse(7, sex="F"))


def series_in(folder: Path, modality: str) -> list[Path]:
    """A classic CT or an enhanced MR of the abdomen."""
    technique = p.PORTAL if modality == "CT" else p.T2_SE
    trap: p.Trap = "" if modality == "CT" else "enhanced"
    protocol = p.Protocol("t2_se", "abdomen", p.ABDOMEN, "coronal", technique, 10.0, matrix=96, trap=trap)
    exam = p.Exam("CT" if modality == "CT" else "MR", "siemens", "Abdomen", "ABDOMEN", (protocol,))
    place = SeriesPlace(person(1, 0, "F"), exam, protocol, (1, 0, 0, 0))
    for name, content in files_of(place, coarse(7, sex="F")).items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


@pytest.fixture(params=["CT", "MR"])
def made(request, tmp_path):
    (tmp_path / "series").mkdir()
    files = series_in(tmp_path / "series", request.param)
    (tmp_path / "series" / "notes.txt").write_text("no image")
    kinds = write_oddities(tmp_path / "out", files[0], organs(), 1)
    return files, {kind: tmp_path / "out" / name for name, kind in kinds.items()}


def test_every_object_is_valid_and_refers_to_the_series(made):
    files, odd = made
    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    images = {header.SOPInstanceUID for header in headers}
    wanted = [kind for kind in OBJECTS if kind != "dose_report" or headers[0].Modality == "CT"]
    assert ("dose_report" in odd) == (headers[0].Modality == "CT")
    for kind in (*wanted, "directory"):
        assert errors_of_object(odd[kind]) == [], kind
    for kind in wanted:
        dataset = dcmread(odd[kind])
        assert dataset.StudyInstanceUID == headers[0].StudyInstanceUID
        assert dataset.SeriesInstanceUID != headers[0].SeriesInstanceUID
        named = {e.value for e in dataset.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert named - {dataset.StudyInstanceUID} <= images
        assert named or kind == "secondary_capture"


def test_contours_enclose_the_organ(made):
    files, odd = made
    dataset = dcmread(odd["structure_set"])
    organ = dataset.StructureSetROISequence[0].ROIName
    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    frames = frames_of(headers)
    mask = read_seg(odd["segmentation"], headers).masks[organ]
    inside = np.zeros_like(mask)
    into = np.linalg.inv(np.column_stack([frames.column_step, frames.row_step, frames.normal]))
    uids = [header.SOPInstanceUID for header in headers]
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        source = contour.ContourImageSequence[0]
        enhanced = "ReferencedFrameNumber" in source
        index = source.ReferencedFrameNumber - 1 if enhanced else uids.index(source.ReferencedSOPInstanceUID)
        points = np.array(contour.ContourData, float).reshape(-1, 3) - frames.positions[index]
        places = points @ into.T
        assert np.abs(places[:, 2]).max() < 0.01  # in the plane of the slice
        cv2.fillPoly(inside[index], [np.rint(places[:, :2]).astype(np.int32)], 1)
    assert mask.sum() > 200
    assert not (mask & ~inside & 1).any()
    assert inside.sum() <= 1.05 * mask.sum()  # the outer lines leave no hole


def test_the_scan_skips_every_object_by_name(made):
    _, odd = made
    for kind, path in odd.items():
        if kind not in (*OBJECTS, "directory"):
            continue
        with pytest.raises(Skipped) as caught:
            read_instances(MemoryBlob(path.read_bytes()), KEY)
        assert caught.value.reason == (DICOMDIR if kind == "directory" else UNSUPPORTED_OBJECT), kind


def test_equal_seeds_give_equal_bytes(made, tmp_path):
    files, odd = made
    write_oddities(tmp_path / "again", files[0], organs(), 1)
    for path in odd.values():
        again = tmp_path / "again" / path.relative_to(tmp_path / "out")
        assert again.read_bytes() == path.read_bytes()
