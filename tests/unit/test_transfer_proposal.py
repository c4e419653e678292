"""Windows are laid as in the paper, scored by the coverage head, chosen by threshold or as the best one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.errors import CaseError
from radnet.networks.spec import NetworkSpec
from radnet.transfer.cases import Case, CaseFiles, Preparation, Scan, prepare_scan
from radnet.transfer.grid import Grid
from radnet.transfer.proposal import (
    Proposal,
    Rule,
    choose_threshold,
    propose,
    propose_image,
    region_of,
    report_proposals,
    window_starts,
)

ORGAN = slice(40, 60)
SLICES = 100


class Bright:
    """Scores a window by how much of the bright slab, 20 of 100 slices, it holds."""

    spec = NetworkSpec(input_shape=(24, 16, 16))

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "model.safetensors").write_bytes(b"weights")
        self.seen: list[np.ndarray] = []

    def classify(self, volumes, batch_size=8):
        volumes = list(volumes)
        self.seen += volumes
        assert all(volume.shape == self.spec.input_shape and volume.dtype == np.uint8 for volume in volumes)
        share = np.array([(volume > 128).mean() for volume in volumes]) / (20 / 48)
        coverage = np.zeros((len(volumes), len(self.spec.regions)), np.float32)
        coverage[:, self.spec.regions.index("liver")] = share.clip(0, 1)
        return {"coverage": coverage}


@pytest.fixture
def model(tmp_path):
    return Bright(tmp_path)


def case(name: str = "a", organ: slice = ORGAN, slices: int = SLICES) -> Case:
    """A scan of dark slices 5 mm apart, bright where the organ is."""
    values = np.full((slices, 20, 20), -900, np.int16)
    values[organ] = 900
    mask = np.zeros(values.shape, np.uint8)
    mask[organ, 5:15, 5:15] = 1
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 5, 3, 3, 1
    scan = Scan(values.__getitem__, Grid(values.shape, affine), "CT", mask)
    files = CaseFiles(name, name, (), (), (), "liver", "pairs")
    return prepare_scan(scan, files, Preparation(5.0, 16))


@settings(max_examples=100, deadline=None)
@given(n_slices=st.integers(1, 300), slices=st.integers(1, 64), stride=st.integers(1, 16))
def test_windows_cover_every_slice_and_lie_inside_the_scan_where_they_fit(n_slices, slices, stride):
    starts = window_starts(n_slices, slices, stride)
    held = np.zeros(n_slices, bool)
    for start in starts:
        held[max(start, 0) : start + slices] = True
    if stride <= slices:
        assert held.all()
    assert list(starts) == sorted(set(starts))
    if n_slices > slices:
        assert starts[0] == 0
        assert starts[-1] + slices == n_slices
        assert all(step == stride for step in np.diff(starts[:-1]))
        assert np.diff(starts).max(initial=0) <= stride
    else:
        assert len(starts) == 1
        assert starts[0] + slices >= n_slices


def test_the_paper_windows_of_100_slices():
    assert window_starts(100, 48, 8) == (0, 8, 16, 24, 32, 40, 48, 52)
    assert window_starts(48, 48, 8) == (0,)
    assert window_starts(30, 48, 8) == (-9,)


def test_windows_that_hold_the_organ_are_chosen(model):
    found = propose_image(model, case().image, "liver")
    # a window holds all 20 slices when it begins at 12 to 40
    assert found.chosen == (16, 24, 32, 40)
    assert not found.fallback
    assert found.recall(case().mask) == 1.0
    assert found.inside(SLICES).tolist() == [16 <= number < 88 for number in range(SLICES)]


def test_the_best_window_stands_in_when_none_is_good_enough(model):
    scan = case(organ=slice(44, 50))
    found = propose_image(model, scan.image, "liver")
    assert max(found.scores) < 0.9
    assert found.fallback
    assert len(found.chosen) == 1
    assert found.recall(scan.mask) == 1.0
    assert found.at(0.25).chosen == (8, 16, 24, 32, 40)
    assert not found.at(0.25).fallback


def test_a_short_scan_is_centred_among_blank_slices(model):
    scan = case(slices=30, organ=slice(0, 20))
    found = propose_image(model, scan.image, "liver")
    assert found.starts == (-9,)
    (window,) = model.seen
    bright = (window > 128).any(axis=(1, 2))
    # nine blank slices before and after; of 48 slices two become one, and half of bright is dim
    assert bright.tolist() == [False] * 5 + [True] * 9 + [False] * 10
    assert (window[:4] == 0).all()
    assert (window[-4:] == 0).all()
    assert found.inside(30).all()


def test_windows_are_the_scans_own_grey_levels(model):
    propose_image(model, case().image, "liver")
    assert {int(level) for window in model.seen for level in np.unique(window)} <= {13, 242, *range(100, 160)}


def test_scores_are_kept_by_scan_weights_and_windows_whatever_the_threshold(model, tmp_path):
    cases = [case("a"), case("b", slice(10, 30))]
    first = propose(model, cases, "liver", cache=tmp_path / "cache")
    n_seen = len(model.seen)
    again = propose(model, cases, "liver", Rule(threshold=0.5), tmp_path / "cache")
    assert len(model.seen) == n_seen
    assert again["b"].scores == first["b"].scores
    assert again["b"].seconds == 0
    assert len(again["a"].chosen) > len(first["a"].chosen)
    propose(model, cases[:1], "liver", Rule(stride=4), tmp_path / "cache")
    assert len(model.seen) == n_seen + len(window_starts(SLICES, 48, 4))
    (model.folder / "model.safetensors").write_bytes(b"others")
    propose(model, cases[:1], "liver", cache=tmp_path / "cache")
    assert len(model.seen) > n_seen + len(window_starts(SLICES, 48, 4))
    for path in (tmp_path / "cache").iterdir():
        path.write_text("{}")
    assert propose(model, cases, "liver", cache=tmp_path / "cache")["b"].scores == first["b"].scores


def proposal(name: str, scores: tuple[float, ...], threshold: float = 0.9) -> Proposal:
    return Proposal(name, 48, (0, 8, 16, 24, 32, 40, 48, 52), scores, threshold, 0.5)


def test_the_report_counts_what_is_inside():
    cases = [case("a"), case("b", slice(0, 20))]
    found = {
        "a": proposal("a", (0, 0.1, 0.95, 0.2, 0.1, 0, 0, 0)),  # slices 16 to 63: all
        "b": proposal("b", (0, 0.4, 0.1, 0.2, 0.1, 0, 0, 0)),  # best: slices 8 to 55 of 0 to 19
    }
    report = report_proposals(found, cases, "liver", NetworkSpec())
    assert (report.n_cases, report.n_windows, report.n_chosen, report.region) == (2, 16, 2, "liver")
    assert report.fallback_rate == 0.5
    assert report.recall_mean == pytest.approx(0.8)
    assert report.recall_least == pytest.approx(0.6)
    assert report.slices_kept == pytest.approx(0.48)
    assert report.seconds == 1.0
    assert report.to_dict()["threshold"] == 0.9
    with pytest.raises(CaseError, match="no windows were proposed for c"):
        report_proposals(found, [case("c")], "liver", NetworkSpec())


def test_the_threshold_is_the_highest_that_keeps_the_organ_of_validation():
    cases = [case("a"), case("b", slice(0, 20))]
    found = {
        "a": proposal("a", (0, 0.1, 0.95, 0.2, 0.1, 0, 0, 0)),
        "b": proposal("b", (0.3, 0.4, 0.1, 0.2, 0.1, 0, 0, 0)),
    }
    assert choose_threshold(found, cases) == 0.3
    assert choose_threshold(found, cases, least_recall=0.75) == 0.95
    never = {"b": proposal("b", (0, 0.4, 0.1, 0.2, 0.1, 0, 0, 0))}
    assert choose_threshold(never, cases[1:], least_recall=1.1) == 0.0


def test_an_organ_without_a_region_is_refused(model):
    assert region_of("left_kidney", model.spec) == "kidney"
    with pytest.raises(CaseError, match="no region of the coverage head holds 'spleen'"):
        propose_image(model, case().image, "spleen")
    with pytest.raises(CaseError, match="no region of the coverage head holds 'liver' \\(it has brain"):
        region_of("liver", NetworkSpec(regions=("brain",)))


@pytest.mark.parametrize("fields", [{"slices": 0}, {"stride": 0}, {"threshold": 1.2}])
def test_impossible_rules_are_refused(fields):
    with pytest.raises(CaseError, match="windows of"):
        Rule(**fields)
