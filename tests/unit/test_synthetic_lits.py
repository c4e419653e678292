from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from radnet.errors import SourceError
from radnet.executors import Workers
from radnet.masks.nifti import read_nifti
from radnet.synthetic import lits
from radnet.synthetic.anatomy import make_body
from radnet.synthetic.lits import liver_mask, write_lits
from radnet.synthetic.structures import NUMBER
from radnet.transfer.readers import survey

pytestmark = pytest.mark.xdist_group("synthetic liver")
HERE = Workers("serial")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs with coarse bodies and images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lits, "MATRIX", 64)
        patch.setattr(lits, "make_body", lambda seed, build: make_body(seed, build=build, step_mm=4.0))
        summary = write_lits(tmp_path_factory.mktemp("liver") / "out", 2, seed=1, workers=HERE)
    assert summary.pairs == summary.with_tumour == 2
    return summary.folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_names_are_those_of_lits(folder, rows):
    names = {f"{kind}-{number}.nii" for kind in ("volume", "segmentation") for number in range(2)}
    assert {path.name for path in folder.iterdir()} == {*names, "truth.csv"}
    assert [(row["volume"], row["segmentation"]) for row in rows] == [
        (f"volume-{number}.nii", f"segmentation-{number}.nii") for number in range(2)
    ]


def test_volume_and_mask_lie_on_one_grid_in_hounsfield_units(folder, rows):
    for row in rows:
        volume, mask = read_nifti(folder / row["volume"]), read_nifti(folder / row["segmentation"])
        np.testing.assert_array_equal(volume.affine, mask.affine)
        assert volume.values.shape == mask.values.shape == (int(row["slices"]), 64, 64)
        assert volume.spacing_mm[0] == pytest.approx(float(row["slice_spacing_mm"]), abs=1e-3)
        assert volume.spacing_mm[1] == pytest.approx(float(row["pixel_mm"]), abs=1e-3)
        assert set(np.unique(mask.values)) == {0, 1, 2}
        assert volume.values.min() < -900
        assert 60 < np.median(volume.values[mask.values == 1]) < 220
        assert np.median(volume.values[mask.values == 2]) < np.median(volume.values[mask.values == 1])


def test_the_liver_lies_on_the_right_and_its_millilitres_are_those_of_the_truth(folder, rows):
    for row in rows:
        image = nib.load(folder / row["segmentation"])
        mask = np.asarray(image.dataobj)
        x, *_ = (image.affine @ [*np.argwhere(mask > 0).mean(axis=0), 1])[:3]
        assert x > 15  # RAS as NIfTI has it: x grows to the right
        voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
        assert np.count_nonzero(mask) * voxel_ml == pytest.approx(float(row["liver_ml"]), rel=0.01)
        assert 700 < float(row["liver_ml"]) < 3000
        assert np.count_nonzero(mask == 2) * voxel_ml == pytest.approx(float(row["tumour_ml"]), abs=0.1)


def test_the_whole_liver_is_in_the_field(folder, rows):
    for row in rows:
        mask = read_nifti(folder / row["segmentation"]).values > 0
        assert not any(mask.take(end, axis=axis).any() for axis in range(3) for end in (0, -1))


def test_every_second_scan_is_mr_where_that_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(lits, "MATRIX", 64)
    monkeypatch.setattr(lits, "make_body", lambda seed, build: make_body(seed, build=build, step_mm=4.0))
    write_lits(tmp_path / "out", 4, seed=1, workers=HERE, modalities=("CT", "MR"))
    found = survey(tmp_path / "out", "liver")
    assert found.left_out == ()
    assert {case.labels for case in found.cases} == {(1, 2)}
    assert [case.modality for case in found.cases] == ["CT", "MR", "CT", "MR"]
    for case in found.cases:
        values = read_nifti(Path(case.image[0])).values
        mask = read_nifti(Path(case.mask[0])).values
        assert (values.min() < -900) == (case.modality == "CT")
        assert mask.shape == values.shape
        assert np.count_nonzero(mask) > 100


def test_vessels_are_liver_and_cysts_are_not():
    names = ["liver", "liver_vessel", "tumour", "lesion_core", "cyst", "spleen"]
    structures = np.array([[[NUMBER[name] for name in names]]], np.uint8)
    assert liver_mask(structures).ravel().tolist() == [1, 1, 2, 2, 0, 0]


def test_a_pair_is_the_same_whoever_makes_it(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(lits, "MATRIX", 64)
    monkeypatch.setattr(lits, "make_body", lambda seed, build: make_body(seed, build=build, step_mm=4.0))
    write_lits(tmp_path / "out", 1, seed=1, workers=HERE)
    assert (tmp_path / "out" / "volume-0.nii").read_bytes() == (folder / "volume-0.nii").read_bytes()


@pytest.mark.parametrize(("pairs", "seed", "match"), [(0, 1, "at least 1"), (1, -1, "not be negative")])
def test_numbers_that_no_archive_has_are_refused(tmp_path, pairs, seed, match):
    with pytest.raises(SourceError, match=match):
        write_lits(tmp_path / "out", pairs, seed)
