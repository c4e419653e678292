"""Masks of new scans lie where the scan lies, in every file that is written, or a reason stands there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import polars as pl
import pytest
from pydicom import dcmread
from transfer_scans import CANARY, body, organ, write_dicom, write_nifti

from radnet.config import RadnetConfig
from radnet.errors import CaseError
from radnet.executors import Workers
from radnet.masks.nifti import read_nifti
from radnet.masks.seg import read_seg
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.spec import NetworkSpec
from radnet.pipeline import run_pipeline
from radnet.predict import outline
from radnet.predict.outline import COLUMNS, EXPLANATIONS, outline_series
from radnet.terms import REGIONS
from radnet.transfer.grid import Grid
from radnet.transfer.mask import mask_of
from radnet.transfer.proposal import Rule

ORGAN_GREY = 137
"""120 HU and more on a scale from -1000 to 1000."""


class Threshold:
    """Finds what is brighter than the body, and a bright spot far from it that is smaller."""

    spec = SegmenterSpec(backbone=NetworkSpec(), window=(16, 48, 48), slice_mm=4.0, threshold=0.4)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts: list[Sequence[int] | None] = []

    def segment(self, image, starts=None, second_pass=None):
        assert image.dtype == np.uint8
        self.starts.append(starts)
        found = np.clip((image.astype(np.float32) - ORGAN_GREY) / 20 + 0.4, 0, 1)
        if (found >= 0.4).any():
            found[0, :3, :3] = 1
        return found.astype(np.float32)


class Everywhere:
    """Sees the liver in every window."""

    spec = NetworkSpec(input_shape=(16, 48, 48))
    folder = Path("everywhere")

    def classify(self, volumes, batch_size=8):
        return {"coverage": np.full((len(list(volumes)), len(self.spec.regions)), 0.95, np.float32)}


def scanned(source: Path, work: Path, until: str = "series") -> Path:
    list(run_pipeline([source], work, RadnetConfig(), workers=Workers("serial"), until=until))
    return work


def table(summary) -> dict[str, dict]:
    frame = pl.read_parquet(summary.outlines)
    assert frame.schema == pl.Schema(COLUMNS)
    return {row["SeriesInstanceUID"] or row["stack_id"]: row for row in frame.iter_rows(named=True)}


@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (0, 1, 0, 1, 0, 0), (0, -1, 0, 1, 0, 0)],
    ids=["as it is", "flipped", "transposed", "both"],
)
def test_masks_lie_on_the_stored_slices(tmp_path, orientation):
    paths = write_dicom(tmp_path / "data", orientation=orientation)
    work = scanned(tmp_path / "data", tmp_path / "work")
    summary = outline_series(work, Threshold(tmp_path / "net"))
    assert (summary.n_series, summary.n_outlined, summary.not_outlined) == (1, 1, {})
    row = table(summary)["1.2.4"]
    folder = Path(summary.outlines).parent
    headers = [dcmread(path) for path in paths]
    expected = np.stack([header.pixel_array >= 115 for header in headers])
    seg = read_seg(folder / row["seg"], headers).masks["liver"]
    assert 2 * (seg & expected).sum() / (seg.sum() + expected.sum()) > 0.93
    # NIfTI holds the same voxels at the same places
    nifti = read_nifti(folder / row["nifti"])
    axial = np.argwhere(nifti.values) @ nifti.affine[:3, :3].T + nifti.affine[:3, 3]
    own = read_seg(folder / row["seg"])
    places = np.argwhere(own.masks["liver"]) @ own.affine[:3, :3].T + own.affine[:3, 3]
    np.testing.assert_allclose(np.sort(axial, axis=0), np.sort(places, axis=0), atol=1e-3)
    # what no one looks at twice: millilitres, slices and the far spot
    assert row["volume_ml"] == pytest.approx(seg.sum() * 4.0 * 3.0 * 3.0 / 1000)
    assert row["volume_ml"] == pytest.approx(organ().sum() * 0.036, rel=0.1)
    assert row["n_voxels"] == seg.sum()
    assert not row["cut_off"]
    assert row["first_slice"] > 3


def test_the_picture_shows_two_slices_with_an_outline(tmp_path):
    write_dicom(tmp_path / "data")
    summary = outline_series(scanned(tmp_path / "data", tmp_path / "work"), Threshold(tmp_path / "net"))
    row = table(summary)["1.2.4"]
    picture = cv2.imread(str(Path(summary.outlines).parent / row["picture"]))
    assert picture.shape == (427, 512 * 2 + 4, 3)
    assert (picture.max(axis=2) != picture.min(axis=2)).sum() > 400


def test_without_pictures_and_with_burned_in_text_none_is_drawn(tmp_path):
    for path in write_dicom(tmp_path / "data"):
        header = dcmread(path)
        header.BurnedInAnnotation = "YES"
        header.save_as(path)
    work = scanned(tmp_path / "data", tmp_path / "work")
    assert table(outline_series(work, Threshold(tmp_path / "net")))["1.2.4"]["picture"] is None


def test_what_cannot_be_outlined_is_a_row_with_a_reason(tmp_path):
    data = tmp_path / "data"
    write_dicom(data / "a")
    write_dicom(data / "b", body()[:3], "1.2.5")
    write_dicom(data / "c", np.minimum(body(), 20), "1.2.6")
    write_dicom(data / "d", series="1.2.7")[7].unlink()
    damaged = write_dicom(data / "e", series="1.2.8")[5]
    damaged.write_bytes(damaged.read_bytes()[:-900])
    for path in write_dicom(data / "f", series="1.2.9"):
        header = dcmread(path)
        del header.FrameOfReferenceUID
        header.save_as(path)
    summary = outline_series(scanned(data, tmp_path / "work"), Threshold(tmp_path / "net"))
    rows = table(summary)
    assert {name: row["reason"] for name, row in rows.items()} == {
        "1.2.4": None,
        "1.2.5": "too_few_slices",
        "1.2.6": "no_organ",
        "1.2.7": "missing_slice",
        "1.2.8": rows["1.2.8"]["reason"],
        "1.2.9": None,
    }
    assert rows["1.2.8"]["reason"] in ("truncated", "missing_slice")
    assert all(row["explanation"] for row in rows.values() if row["reason"])
    assert rows["1.2.6"]["explanation"] == "the segmenter finds no liver in it"
    assert summary.n_series == summary.n_outlined + sum(summary.not_outlined.values()) == 6
    # NIfTI is there although DICOM SEG cannot be
    assert rows["1.2.9"]["seg"] is None
    assert "FrameOfReferenceUID" in rows["1.2.9"]["seg_refused"]
    assert rows["1.2.9"]["nifti"]
    assert CANARY not in str(rows)
    assert "CANARYMRN1" not in str(rows)


def test_localizers_and_what_people_excluded_are_left_out(tmp_path):
    for path in write_dicom(tmp_path / "data"):
        header = dcmread(path)
        header.ImageType, header.SeriesDescription = ["ORIGINAL", "PRIMARY", "LOCALIZER"], "Scout"
        header.save_as(path)
    work = scanned(tmp_path / "data", tmp_path / "work", "labels")
    assert outline_series(work, Threshold(tmp_path / "net")).not_outlined == {"localizer": 1}


@pytest.mark.parametrize("status", ["decided", "unknown"])
def test_series_of_other_parts_of_the_body_are_left_out(status, tmp_path):
    write_dicom(tmp_path / "data")
    work = scanned(tmp_path / "data", tmp_path / "work", "labels")
    labels = pl.read_parquet(work / "3-labels/labels.parquet")
    brain = pl.lit(["brain"]).alias("coverage"), pl.lit(status).alias("coverage_status")
    labels.with_columns(*brain).write_parquet(work / "3-labels/labels.parquet")
    found = outline_series(work, Threshold(tmp_path / "net")).not_outlined
    assert found == ({"elsewhere": 1} if status == "decided" else {})


@pytest.mark.parametrize(
    ("coverage", "elsewhere"),
    [
        (["brain"], True),
        (["upper_head_neck", "lower_head_neck"], True),
        (["pelvis"], True),
        (["lung"], False),
        (["brain", "liver"], False),
        (["intestine", "pelvis"], False),
        ([], False),
        (None, False),
    ],
)
def test_only_regions_away_from_the_organ_are_elsewhere(coverage, elsewhere):
    assert outline._is_elsewhere(coverage, "liver") is elsewhere
    assert {*outline.HEIGHTS} == {*REGIONS}


def test_what_is_outlined_stays_until_networks_settings_or_files_change(tmp_path):
    write_dicom(tmp_path / "data")
    work = scanned(tmp_path / "data", tmp_path / "work")
    network = Threshold(tmp_path)
    first = outline_series(work, network)
    again = outline_series(work, network)
    assert (first.n_reused, again.n_reused, len(network.starts)) == (0, 1, 1)
    assert pl.read_parquet(first.outlines).equals(pl.read_parquet(again.outlines))
    assert outline_series(work, network, second_pass=True).n_reused == 0
    outline_series(work, network)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert outline_series(work, network).n_reused == 0
    (Path(first.outlines).parent / table(first)["1.2.4"]["nifti"]).unlink()
    assert outline_series(work, network).n_reused == 0


def test_only_proposed_windows_are_looked_at(tmp_path):
    write_dicom(tmp_path / "data")
    work = scanned(tmp_path / "data", tmp_path / "work")
    network = Threshold(tmp_path / "net")
    summary = outline_series(work, network, labeller=Everywhere(), rule=Rule(16, 4))
    row = table(summary)["1.2.4"]
    assert network.starts == [(0, 4)]
    assert (row["region_found"], row["n_windows"]) == (True, 2)
    assert row["region_score"] == pytest.approx(0.95)
    network.spec = network.spec.model_copy(update={"organ": "spleen"})
    with pytest.raises(CaseError, match="no region of the coverage head holds 'spleen'"):
        outline_series(work, network, labeller=Everywhere())


@pytest.mark.parametrize("spacing", [(4, 3, 3), (3, 4, 3), (3, 3, 4)], ids=["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("codes", ["LPS", "RAS", "PIR"])
def test_nifti_files_get_masks_of_their_own_shape_and_affine(tmp_path, spacing, codes):
    path = write_nifti(tmp_path / "a.nii.gz", body(), spacing, codes)
    summary = outline_series(tmp_path / "work", Threshold(tmp_path / "net"), nifti={"a": str(path)})
    row = table(summary)["a"]
    assert (row["reason"], row["Modality"], row["seg"], row["kind"]) == (None, "CT", None, "nifti")
    one, other = nib.load(path), nib.load(Path(summary.outlines).parent / row["nifti"])
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    mask, truth = np.asarray(other.dataobj) > 0, np.asarray(one.dataobj) >= 115
    assert mask.shape == truth.shape
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9


def test_nifti_files_that_are_no_scans_are_named(tmp_path):
    files = {
        "labels": write_nifti(tmp_path / "labels.nii.gz", organ()),
        "thin": write_nifti(tmp_path / "thin.nii.gz", body()[:3]),
        "bad": tmp_path / "bad.nii.gz",
        "gone": tmp_path / "gone.nii.gz",
    }
    files["bad"].write_bytes(b"nothing")
    summary = outline_series(
        tmp_path / "work",
        Threshold(tmp_path / "net"),
        nifti={name: str(path) for name, path in files.items()},
    )
    reasons = {name: row["reason"] for name, row in table(summary).items()}
    assert reasons == {
        "labels": "label_map",
        "thin": "too_few_slices",
        "bad": "unusable",
        "gone": "unreadable",
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A small segmenter of random weights in its folder."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from radnet.networks.segmentation import build_segmentation
    from radnet.networks.segmenter import save_segmenter

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("segmenter") / "liver"
    backbone = NetworkSpec(network="resnet10", width=8, input_shape=(16, 32, 32))
    spec = SegmenterSpec(backbone=backbone, window=(16, 32, 32), slice_mm=4.0, threshold=0.05)
    save_segmenter(folder, build_segmentation(spec), {})
    return folder


def test_a_segmenters_folder_is_loaded_and_outlines(tmp_path, trained):
    """Weights are random: there is a mask, or the row says that nothing was found."""
    write_dicom(tmp_path / "data")
    work = scanned(tmp_path / "data", tmp_path / "work")
    row = table(outline_series(work, trained))["1.2.4"]
    assert row["reason"] in (None, "no_organ")
    assert row["organ"] == "liver"
    assert row["network_seconds"] > 0


@pytest.mark.slow
def test_an_exported_segmenter_outlines_as_torch_does(tmp_path, trained):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from radnet.networks.export import export_model
    from radnet.networks.segmenter import load_segmenter

    write_dicom(tmp_path / "data")
    work = scanned(tmp_path / "data", tmp_path / "work")
    one = outline_series(work, trained, out=tmp_path / "torch")
    export_model(trained, "onnx")
    other = outline_series(work, load_segmenter(trained, backend="onnx"), out=tmp_path / "onnx")
    rows = [table(summary)["1.2.4"] for summary in (one, other)]
    assert rows[0]["reason"] == rows[1]["reason"]
    assert rows[0]["n_voxels"] == pytest.approx(rows[1]["n_voxels"], rel=0.01)


def test_outlining_loads_no_torch():
    code = "import radnet.predict.outline, sys; sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_reason_is_documented():
    text = (Path(__file__).parents[2] / "docs/reference/outlines.md").read_text("utf-8")
    missing = {*EXPLANATIONS, "no_organ", "unusable", "unreadable", "out_of_memory"}
    assert {word for word in missing if f"`{word}`" not in text} == set()


def test_a_mask_keeps_its_size_whatever_the_threshold(tmp_path):
    """Probabilities are stretched so that the segmenter's threshold cuts where it says."""
    grid = Grid((8, 16, 16), np.diag([4.0, 3.0, 3.0, 1.0]))
    ramp = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (8, 16, 1))
    for threshold in (0.2, 0.5, 0.8):
        mask = mask_of(ramp, threshold, grid, grid)
        assert mask.sum() == (ramp >= threshold).sum()
    island = ramp.copy()
    island[:2, :2, 0] = 1
    assert mask_of(island, 0.5, grid, grid)[0, 0, 0] == 0


def test_the_border_is_cut_where_the_probability_says():
    """Beside the last column inside lies one of 0.4; half a voxel towards it there is still 0.55."""
    coarse = Grid((4, 16, 16), np.diag([4.0, 4.0, 4.0, 1.0]))
    fine = Grid((4, 32, 32), np.array([[4.0, 0, 0, 0], [0, 2, 0, -1], [0, 0, 2, -1], [0, 0, 0, 1]]))
    probabilities = np.zeros((4, 16, 16), np.float32)
    probabilities[:, :, :8], probabilities[:, :, 8] = 1.0, 0.4
    mask = mask_of(probabilities, 0.5, coarse, fine)
    assert set(mask.sum(2).ravel()) == {17}
