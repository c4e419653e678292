"""A grid names every run once, compares arms on equal cases, and keeps each patient on one side."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from radnet.errors import StudyError
from radnet.studies import (
    FRACTION_SIZES,
    FRACTIONS,
    FREEZING,
    ArmConfig,
    StudyConfig,
    size_name,
    with_medicalnet,
)
from radnet.transfer.study_grid import make_folds, plan_runs

FIFTEEN = {f"case_{number:02d}": f"patient-{number}" for number in range(15)}
TWICE = {f"case_{number:02d}": f"patient-{number // 2}" for number in range(30)}


def test_the_real_comparison_is_57_runs() -> None:
    arms = (
        ArmConfig(name="frozen", freeze="all"),
        ArmConfig(name="fine-tuned"),
        ArmConfig(name="scratch", init="scratch"),
        ArmConfig(name="unet", network="unet", init="scratch", sizes=(12,)),
    )
    study = StudyConfig(sizes=(2, 4, 12), seeds=(1, 2), folds=5, folds_run=3, validation_share=0)
    runs = plan_runs(FIFTEEN, study, arms)
    assert len(runs) == len({run.name for run in runs}) == 3 * 3 * 3 * 2 + 3 * 2
    assert {len(run.test) for run in runs} == {3}
    assert {(run.size, len(run.training)) for run in runs} == {(2, 2), (4, 4), (12, 12)}
    assert {run.size for run in runs if run.arm.name == "unet"} == {12}


def test_arms_of_one_size_fold_and_seed_train_on_the_same_cases() -> None:
    runs = plan_runs(FIFTEEN, StudyConfig(sizes=(3,), folds=3), FREEZING)
    together: dict[tuple[int, int], set[tuple[str, ...]]] = {}
    for run in runs:
        together.setdefault((run.fold, run.seed), set()).add(run.training)
    assert all(len(trained) == 1 for trained in together.values())
    assert len({next(iter(trained)) for trained in together.values()}) > 3  # seeds draw other cases


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.sampled_from([0, 2, 3, 5]), st.sampled_from([0.0, 0.15, 0.3]))
def test_nobody_is_on_two_sides(split_seed: int, folds: int, validation_share: float) -> None:
    study = StudyConfig(split_seed=split_seed, folds=folds, validation_share=validation_share)
    for fold in make_folds(TWICE, study):
        sides = [{TWICE[case] for case in side} for side in (fold.training, fold.validation, fold.test)]
        assert sum(map(len, sides)) == len(set.union(*sides)) == 15
        assert len(fold.training) + len(fold.validation) + len(fold.test) == 30
        assert bool(fold.validation) == bool(validation_share)


def test_folds_test_everybody_once() -> None:
    tested = [case for fold in make_folds(TWICE, StudyConfig(folds=4)) for case in fold.test]
    assert sorted(tested) == sorted(TWICE)


def test_the_papers_split_has_92_19_and_20_of_131() -> None:
    patients = {f"volume-{number}": f"volume-{number}" for number in range(131)}
    (fold,) = make_folds(patients, StudyConfig())
    assert (len(fold.training), len(fold.validation), len(fold.test)) == (92, 19, 20)
    sizes = {
        run.size: len(run.training)
        for run in plan_runs(patients, StudyConfig(sizes=FRACTION_SIZES), FRACTIONS)
    }
    assert sizes == {1.0: 92, 0.8: 74, 0.6: 55, 0.4: 37, 0.2: 18}


def test_smaller_sets_are_parts_of_larger_ones_and_the_test_stays() -> None:
    runs = plan_runs(TWICE, StudyConfig(sizes=FRACTION_SIZES, seeds=(7,)), FRACTIONS[:1])
    assert len({run.test for run in runs}) == 1
    for larger, smaller in itertools.pairwise(runs):
        assert set(smaller.training) < set(larger.training)


def test_more_cases_than_there_are_is_refused() -> None:
    with pytest.raises(StudyError, match="size 12: fold 0 has 10 cases to train on \\(5 test, 0 validate\\)"):
        plan_runs(FIFTEEN, StudyConfig(sizes=(12,), folds=3, validation_share=0), FRACTIONS)


def test_a_size_that_the_grid_lacks_is_refused() -> None:
    arm = ArmConfig(name="a", sizes=(5,))
    with pytest.raises(StudyError, match="arm 'a': size 5 is none of"):
        plan_runs(FIFTEEN, StudyConfig(sizes=(2,)), (arm,))


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(StudyError, match="2 patients are too few"):
        plan_runs({"a": "a", "b": "b"}, StudyConfig(), FRACTIONS)


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
