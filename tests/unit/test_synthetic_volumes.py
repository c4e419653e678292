from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import islice

import numpy as np
import polars as pl
import pytest

from radnet.config import VolumesConfig
from radnet.errors import ExecutorError, RadnetError, SourceError
from radnet.executors import Crashed, Workers
from radnet.geometry import canonical_axes, effective_spacing, nearest_view
from radnet.pretrain.samples import read_samples
from radnet.synthetic import volume_files
from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.coverage import covered_regions, holds
from radnet.synthetic.ct import CtArtefacts, CtTechnique
from radnet.synthetic.examinations import draw_examination
from radnet.synthetic.fields import TARGETS, targets_for
from radnet.synthetic.mr import MrArtefacts
from radnet.synthetic.sampling import Subject, prepare
from radnet.synthetic.scans import take_scan
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.tissue import tissues
from radnet.synthetic.volumes import (
    Design,
    LabelledVolume,
    acquire,
    draw_case,
    draw_volume,
    draw_volumes,
    make_volume,
)
from radnet.synthetic.weighting import sequence_of
from radnet.terms import PAPER_SEQUENCES, REGIONS, SEQUENCES, VIEWS
from radnet.volumes.intensity import choose_window, grey_levels
from radnet.volumes.resize import average_volume, pad_slices, resize_stack
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace

pytestmark = pytest.mark.xdist_group("synthetic volumes")  # its fixtures are dear

SMALL = Design(shape=(12, 24, 24))
HERE = Workers("serial")


@cache
def body(sex: str = "F") -> Body:
    return make_body(8, "F" if sex == "F" else "M")


@cache
def someone(device: str = NUMPY, sex: str = "F") -> Subject:
    return prepare(body(sex), Arrays(device))


@cache
def drawn() -> list[LabelledVolume]:
    subjects = [someone(), someone(sex="M")]
    return [draw_volume(subjects, 5, number, SMALL) for number in range(40)]


def target(name: str):
    return next(target for target in TARGETS if target.name == name)


def examination(sequence: str, name: str = "abdomen", plane: str = "axial", seed: int = 1):
    rng = np.random.default_rng(seed)
    return draw_examination(someone(), target(name), sequence, plane, False, rng)


def test_volumes_have_the_form_of_the_store_and_labels_of_the_project():
    for volume in drawn():
        assert volume.voxels.shape == SMALL.shape
        assert volume.voxels.dtype == np.uint8
        assert volume.voxels.max() > 100
        assert volume.sequence in SEQUENCES
        assert volume.view in VIEWS
        assert set(volume.coverage) <= set(REGIONS)
        assert volume.labels["coverage"] == set(volume.coverage)
        assert 0.5 < volume.effective_spacing_mm < 60
        assert volume.examination.plan.positions.shape[0] >= 16


def test_a_whole_factorial_is_balanced():
    cases = [draw_case([someone()], 5, number, SMALL).examination for number in range(300)]
    assert Counter(sequence_of(case.technique) for case in cases) == dict.fromkeys(PAPER_SEQUENCES, 60)
    assert Counter(case.technique.contrast for case in cases) == {True: 150, False: 150}
    assert Counter(case.plane for case in cases) == dict.fromkeys(VIEWS, 100)
    coverages = [case.coverage(someone()) for case in cases]
    covered = Counter(region for coverage in coverages for region in coverage)
    assert min(covered[region] for region in REGIONS) >= 9
    assert sum(not coverage for coverage in coverages) >= 30


def test_a_volume_depends_on_its_seed_and_number_alone():
    bodies = [body()]
    late = next(iter(draw_volumes(bodies, 5, start=7, count=1, device=NUMPY, design=SMALL)))
    eighth = list(islice(draw_volumes(bodies, 5, device=NUMPY, design=SMALL), 8))[-1]
    assert late.voxels.tobytes() == eighth.voxels.tobytes()
    other = next(iter(draw_volumes(bodies, 6, start=7, device=NUMPY, design=SMALL)))
    assert other.voxels.tobytes() != late.voxels.tobytes()


def test_torch_makes_the_volumes_of_numpy_to_a_grey_level():
    pytest.importorskip("torch")
    for number in range(6):
        here = draw_volume([someone()], 5, number, SMALL)
        there = draw_volume([someone("cpu")], 5, number, SMALL)
        assert here.labels == there.labels
        difference = np.abs(here.voxels.astype(int) - there.voxels.numpy().astype(int))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize(
    ("sequence", "intensity"), [("ct", "windows"), ("t2_se", "windows"), ("t1_se", "min_max")]
)
def test_a_volume_is_what_the_pipeline_makes_of_the_scan(sequence, intensity):
    drawn_ = examination(sequence, "kidneys", seed=4)
    quiet = CtTechnique(noise_hu=1e-4) if sequence == "ct" else replace(drawn_.technique, noise=1e-7)
    plain = CtArtefacts(streaks=0) if sequence == "ct" else MrArtefacts(cross_talk=0.1, cut_off=1.3)
    drawn_ = replace(drawn_, technique=quiet, artefacts=plain)
    config = VolumesConfig(shape=(24, 40, 40), intensity=intensity)
    volume = make_volume(someone(), drawn_, (1,), config)
    scan = acquire(someone(), drawn_, (1,))
    values = resize_stack(scan.__getitem__, len(scan), config.shape)
    window = choose_window(values, "CT" if sequence == "ct" else "MR", config)
    expected = pad_slices(grey_levels(values, window), config.shape[0])
    difference = np.abs(volume.voxels.astype(int) - expected.astype(int))
    assert difference.max() <= 2
    assert difference.mean() < 0.05
    assert volume.window.low == pytest.approx(window.low, abs=1e-3 * window.high)
    assert volume.window.high == pytest.approx(window.high, rel=1e-3)


@pytest.mark.parametrize("view", VIEWS)
def test_slices_stand_in_the_canonical_order_of_their_view(view):
    drawn_ = examination("t2_se", plane=view)
    plan = drawn_.plan
    axes = canonical_axes((*plan.row, *plan.column))
    assert (axes.view, axes.transpose, axes.flip_rows, axes.flip_columns) == (view, False, False, False)
    step = plan.positions[1] - plan.positions[0]
    np.testing.assert_allclose(step / np.linalg.norm(step), axes.slice_direction, atol=1e-9)
    assert drawn_.effective_spacing_mm(48) == pytest.approx(
        effective_spacing(len(plan.positions), np.linalg.norm(step))
    )


def test_views_are_tilted_less_than_oblique_ones():
    angles = {"view": [], "oblique": []}
    for seed in range(60):
        angles["view"].append(nearest_view(examination("ct", "brain", "coronal", seed).plan.normal)[1])
        angles["oblique"].append(nearest_view(examination("ct", "brain", "oblique", seed).plan.normal)[1])
    assert max(angles["view"]) < 20 < min(angles["oblique"])
    assert max(angles["view"]) > 5
    volume = make_volume(
        someone(), examination("ct", plane="oblique"), (1,), VolumesConfig(shape=SMALL.shape)
    )
    assert volume.view is None


def test_the_affine_puts_the_liver_where_the_body_has_it():
    where = body().tissues.index("liver")
    found = np.argwhere(body().labels == where)[:, ::-1].mean(0) * body().voxel_mm + body().origin_mm
    for view in VIEWS:
        drawn_ = examination("ct", "trunk", view)
        volume = make_volume(someone(), drawn_, (1,), VolumesConfig(shape=(48, 64, 64)))
        index = np.linalg.solve(volume.affine, [*found, 1])[:3]
        assert (index > -1).all()
        assert (index < volume.voxels.shape).all()
        slice_, row, column = np.rint(index).astype(int)
        hu = volume.voxels[slice_, row - 1 : row + 2, column - 1 : column + 2].mean() * 2000 / 255 - 1000
        assert 0 < hu < 130


def test_regions_are_covered_when_wholly_inside():
    plan = examination("ct", "trunk").plan
    low, high = plan.corners()
    inside = np.array([low + 20, high - 20])
    assert holds(plan, inside) or np.ptp(inside[:, 2]) <= 0
    assert not holds(plan, inside + np.array([0, 0, 60]))


def test_breasts_count_on_their_own_examination_alone():
    drawn_ = examination("t1_se", "breast")
    assert "breast" not in covered_regions(body(), drawn_.plan, of_breast=False)
    ever = [examination("t1_se", "breast", seed=seed).coverage(someone()) for seed in range(8)]
    assert any("breast" in regions for regions in ever)


def test_a_man_has_no_examination_of_the_breast():
    names = {target.name for target in targets_for(someone(sex="M"))}
    assert "breast" not in names
    assert {"brain", "part", "trunk"} <= names


def test_a_scan_says_what_each_pixel_is():
    drawn_ = examination("ct", "kidneys", seed=3)
    small = replace(drawn_.plan, positions=drawn_.plan.positions[::4], shape=(64, 64), pixel_mm=5.0)
    drawn_ = replace(
        drawn_, plan=small, technique=CtTechnique("portal", noise_hu=1), artefacts=CtArtefacts(streaks=0)
    )
    scan = take_scan(someone(), drawn_, (1,))
    assert scan.images.shape == scan.structures.shape
    for name in ("liver", "spleen"):
        values = scan.images[scan.structures == body().tissues.index(name)]
        assert np.median(values) == pytest.approx(tissues()[name].hu["portal"], abs=12)


def test_an_examination_of_ct_with_faults_of_mr_is_refused():
    mixed = replace(examination("ct"), artefacts=MrArtefacts())
    with pytest.raises(RadnetError, match="both be CT's or both be MR's"):
        acquire(someone(), mixed, (1,))


def test_no_bodies_are_refused():
    with pytest.raises(RadnetError, match="at least one body"):
        next(iter(draw_volumes([], 1)))


def test_written_volumes_are_read_by_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "make_body", lambda seed, sex: body(sex))
    seen = []
    summary = volume_files.write_volumes(
        tmp_path / "out", 5, 2, 3, NUMPY, SMALL, lambda *n: seen.append(n), workers=HERE
    )
    store = VolumeStore(summary.store)
    labels = pl.read_parquet(summary.labels)
    assert store.verify() == ()
    assert list(store.ids) == labels["stack_id"].to_list()
    expected = list(draw_volumes([body("M"), body("F")], 3, 5, device=NUMPY, design=SMALL))
    for name, volume, row in zip(store.ids, expected, labels.iter_rows(named=True), strict=True):
        assert store.read(name).tobytes() == volume.voxels.tobytes()
        assert {**row, "coverage": set(row["coverage"])}.items() >= volume.labels.items()
    assert seen == [(5, 5)]


def test_written_volumes_are_a_workspace_to_train_on(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "make_body", lambda seed, sex: body(sex))
    design = replace(SMALL, sequences=("ct", "t2_se"))
    for folder in ("one", "two"):
        volume_files.write_volumes(tmp_path / folder, 9, 2, 3, NUMPY, design, workers=HERE)
    samples = read_samples(Workspace(tmp_path / "one"))
    told = pl.read_parquet(tmp_path / "one" / "labels.parquet").sort("stack_id")
    assert samples["sequence"].to_list() == told["sequence"].to_list()
    assert samples["coverage"].to_list() == told["coverage"].to_list()
    shown = told["sequence"].is_in(["ct"]).to_list()
    assert 0 < sum(shown) < len(shown)
    for sample, truth, tells in zip(samples["contrast"], told["contrast"], shown, strict=True):
        assert sample == (truth if tells else None)
    assert samples["patient"].n_unique() == told["body"].n_unique()
    assert set(samples["collection_id"]) == {"synthetic-3"}
    other = read_samples(Workspace(tmp_path / "two"))
    assert other["patient"].to_list() == samples["patient"].to_list()  # a body is one patient everywhere


def test_no_fluid_is_darkened_in_examinations_without_a_head():
    design = Design(sequences=("t1_flair", "t2_flair"))
    cases = [draw_case([someone()], 5, number, design).examination for number in range(120)]
    heads = {"brain", "upper_head_neck", "lower_head_neck"}
    assert all(heads & {*case.target.regions} or not case.target.regions for case in cases)
    assert {bool(case.target.regions) for case in cases} == {True, False}


def test_a_group_without_volumes_draws_no_bodies(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(volume_files, "make_body", lambda seed, sex: drawn.append(seed) or body(sex))
    monkeypatch.setattr(volume_files, "BODIES_AT_A_TIME", 2)
    volume_files.write_volumes(tmp_path / "out", 1, 8, 3, NUMPY, SMALL, workers=HERE)
    assert len(drawn) == 2


def test_averaged_volumes_are_those_of_the_full_size_averaged():
    design = Design(shape=(24, 96, 96), varied_intensity=False)
    for number in range(6):
        full = draw_volume([someone()], 5, number, design)
        small = draw_volume([someone()], 5, number, replace(design, averaged_to=(12, 48, 48)))
        expected = average_volume(full.voxels, (12, 48, 48)).astype(float)
        assert np.abs(small.voxels - expected).mean() < 3
        assert np.corrcoef(small.voxels.ravel(), expected.ravel())[0, 1] > 0.995
        assert small.labels == full.labels
        assert small.pad_before == full.pad_before // 2
        corners = np.array([[-0.5, -0.5, -0.5, 1], [11.5, 47.5, 47.5, 1]])
        outer = np.array([[-0.5, -0.5, -0.5, 1], [23.5, 95.5, 95.5, 1]])
        np.testing.assert_allclose(small.affine @ corners.T, full.affine @ outer.T, atol=1e-6)


def test_bodies_come_in_groups_and_each_is_a_patient(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "make_body", lambda seed, sex: body(sex))
    monkeypatch.setattr(volume_files, "BODIES_AT_A_TIME", 2)
    volume_files.write_volumes(tmp_path / "out", 20, 5, 3, NUMPY, SMALL, workers=HERE)
    labels = pl.read_parquet(tmp_path / "out" / "labels.parquet")
    assert labels["stack_id"].n_unique() == 20
    groups = [sorted(set(labels["body"][first:last])) for first, last in ((0, 8), (8, 16), (16, 20))]
    assert groups == [[0, 1], [2, 3], [4]]
    assert read_samples(Workspace(tmp_path / "out"))["patient"].n_unique() == 5


def test_no_more_voxels_can_be_kept_than_there_are():
    with pytest.raises(RadnetError, match="12,24,24 slices, rows and columns; not 12,24,48"):
        replace(SMALL, averaged_to=(12, 24, 48))


def test_a_worker_that_ends_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "map_chunks", lambda *_: iter([Crashed(3000)]))
    with pytest.raises(ExecutorError, match="body 3000 died"):
        volume_files.write_volumes(tmp_path / "out", 1, 1, 3, NUMPY, SMALL)


def test_all_bodies_weigh_what_is_asked(tmp_path, monkeypatch):
    weights = []

    def heavy(seed, sex, weight_kg):
        weights.append(weight_kg)
        return body(sex)

    monkeypatch.setattr(volume_files, "make_body", heavy)
    volume_files.write_volumes(tmp_path / "out", 1, 3, 1, NUMPY, SMALL, weight_kg=140.0, workers=HERE)
    assert weights == [140.0] * 3


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SourceError, match="not an empty folder"):
        volume_files.write_volumes(tmp_path, 1)


def test_no_volumes_are_refused(tmp_path):
    with pytest.raises(SourceError, match="at least 1"):
        volume_files.write_volumes(tmp_path / "out", 0)


def test_techniques_of_a_stream_hardly_ever_repeat():
    mr = {v.examination.technique for v in drawn() if isinstance(v.examination.technique, MrTechnique)}
    assert len(mr) > 25
