"""A grid names every run once, compares arms on equal cases, and keeps each patient on one side."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from radnet.errors import CaseError, StudyError
from radnet.studies import (
    FRACTION_SIZES,
    FRACTIONS,
    FREEZING,
    ArmConfig,
    StudyConfig,
    size_name,
    with_medicalnet,
)
from radnet.transfer.cases import CaseFiles
from radnet.transfer.splits import read_split
from radnet.transfer.study_grid import Run, make_splits, plan_runs


def files(count: int, per_patient: int = 1) -> list[CaseFiles]:
    return [
        CaseFiles(f"case_{number:03d}", f"patient-{number // per_patient}", (), (), (), "liver", "lits")
        for number in range(count)
    ]


def planned(cases: list[CaseFiles], study: StudyConfig, arms: Sequence[ArmConfig], folder: Path) -> list[Run]:
    return plan_runs(make_splits(cases, study, folder), study, arms)


def test_the_real_comparison_is_57_runs(tmp_path: Path) -> None:
    arms = (
        ArmConfig(name="frozen", freeze="all"),
        ArmConfig(name="fine-tuned"),
        ArmConfig(name="scratch", init="scratch"),
        ArmConfig(name="unet", network="unet", init="scratch", sizes=(12,), seeds=(1,)),
    )
    study = StudyConfig(sizes=(2, 4, 12), seeds=(1, 2), folds=5, folds_run=3, validation=0)
    runs = planned(files(15), study, arms, tmp_path)
    assert len(runs) == len({run.name for run in runs}) == 3 * 3 * 3 * 2 + 3
    assert {len(run.test) for run in runs} == {3}
    assert {(run.size, len(run.training)) for run in runs} == {(2, 2), (4, 4), (12, 12)}
    assert {run.size for run in runs if run.arm.name == "unet"} == {12}
    assert all(not run.validation for run in runs)


def test_arms_of_one_size_fold_and_seed_train_on_the_same_cases(tmp_path: Path) -> None:
    runs = planned(files(15), StudyConfig(sizes=(3,), folds=3), FREEZING, tmp_path)
    together: dict[tuple[int, int], set[tuple[str, ...]]] = {}
    for run in runs:
        together.setdefault((run.fold, run.seed), set()).add(run.training)
    assert all(len(trained) == 1 for trained in together.values())
    assert len({next(iter(trained)) for trained in together.values()}) > 3  # seeds draw other cases


@pytest.mark.parametrize("folds", [0, 2, 5])
def test_nobody_is_on_two_sides_of_any_run(folds: int, tmp_path: Path) -> None:
    cases = files(30, per_patient=2)
    owners = {case.case_id: case.patient_id for case in cases}
    for run in planned(cases, StudyConfig(folds=folds, sizes=(1.0, 0.5)), FRACTIONS[:1], tmp_path):
        sides = [{owners[case] for case in side} for side in (run.training, run.validation, run.test)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides))


def test_folds_test_everybody_once(tmp_path: Path) -> None:
    runs = planned(files(30, per_patient=2), StudyConfig(folds=4, seeds=(1,)), FRACTIONS[:1], tmp_path)
    assert sorted(case for run in runs for case in run.test) == [case.case_id for case in files(30)]


def test_the_papers_split_has_92_19_and_20_of_131(tmp_path: Path) -> None:
    runs = planned(files(131), StudyConfig(sizes=FRACTION_SIZES, seeds=(1,)), FRACTIONS, tmp_path)
    assert {(len(run.validation), len(run.test)) for run in runs} == {(19, 20)}
    assert {run.size: len(run.training) for run in runs} == {1.0: 92, 0.8: 74, 0.6: 55, 0.4: 37, 0.2: 18}


def test_smaller_sets_are_parts_of_larger_ones_and_the_test_stays(tmp_path: Path) -> None:
    study = StudyConfig(sizes=FRACTION_SIZES, seeds=(7,))
    runs = planned(files(30), study, FRACTIONS[:1], tmp_path)
    assert len({run.test for run in runs}) == 1
    for larger, smaller in itertools.pairwise(runs):
        assert set(smaller.training) < set(larger.training)


def test_a_split_is_kept_in_a_file_and_read_from_there(tmp_path: Path) -> None:
    (split,) = make_splits(files(20), StudyConfig(), tmp_path)
    assert make_splits(files(20), StudyConfig(split_seed=9), tmp_path) == (split,)
    folds = make_splits(files(20), StudyConfig(folds=3), tmp_path)
    assert read_split(tmp_path / "split-fold2.csv", files(20)) == folds[2]


def test_more_cases_than_there_are_is_refused(tmp_path: Path) -> None:
    study = StudyConfig(sizes=(12,), folds=3, validation=0)
    with pytest.raises(CaseError, match="12 training patients were asked for; there are 10"):
        planned(files(15), study, FRACTIONS, tmp_path)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"sizes": (5,)}, "arm 'a': size 5 is none of"),
        ({"sizes": (1,)}, "arm 'a': size 1 is none of"),  # one case is not all of them
        ({"seeds": (4,)}, "arm 'a': seed 4 is none of"),
    ],
    ids=["size", "count-or-share", "seed"],
)
def test_a_size_or_seed_that_the_grid_lacks_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(StudyError, match=match):
        plan_runs((), StudyConfig(sizes=(2, 1.0)), (ArmConfig(name="a", **fields),))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"name": "a", "network": "unet"}, "has no pretrained weights"),
        ({"name": "a", "init": "scratch", "freeze": "all"}, "cannot be frozen"),
        ({"name": "a", "settings": {"seed": 3}}, "set by the study itself"),
        ({"name": "A b"}, "pattern"),
        ({"name": "a", "sizes": (1.5,)}, "less than or equal to 1"),
    ],
    ids=["pretrained-unet", "frozen-scratch", "seed", "name", "size"],
)
def test_arms_that_cannot_be_are_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        ArmConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"arms": ({"name": "a"}, {"name": "a"})}, "two arms are called 'a'"),
        ({"folds": 1}, "one fold tests and trains"),
        ({"folds": 3, "folds_run": 4}, "folds_run is 4 of 3 folds"),
        ({"seeds": (1, 1)}, "stands twice"),
        ({"sizes": ()}, "at least 1"),
    ],
    ids=["twin-arms", "one-fold", "folds-run", "seeds", "no-size"],
)
def test_grids_that_cannot_be_are_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        StudyConfig(**fields)


def test_sizes_say_what_they_are() -> None:
    assert [size_name(size) for size in (12, 1, 1.0, 0.2)] == ["12", "1", "100 %", "20 %"]


def test_medicalnet_joins_once() -> None:
    assert [arm.init for arm in with_medicalnet(with_medicalnet(FRACTIONS))].count("medicalnet") == 1
