"""The runs of a study: every arm at every size, fold and seed, and which cases each trains and is tested on.

Arms share their cases: at one size, fold and seed all train on the same, so that a difference is the arm's.
A seed draws the order of the training cases, and a smaller set is the beginning of a larger one. Validation
and test cases are the same for all runs of a fold; nobody is on two sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radnet.errors import StudyError
from radnet.studies import ArmConfig, StudyConfig, size_name

Patients = Mapping[str, str]
"""The patient of each case."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Which cases are where, before a size is taken.

    Attributes:
        number: From 0.
        training: All that may train.
        validation: None of them trains or tests; may be empty.
        test: Never seen in training.
    """

    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One training of the grid.

    Attributes:
        arm: How it is trained.
        arm_number: Place of the arm in the grid.
        size: As it was asked for.
        size_number: Place of the size in the grid.
        fold: Its number.
        seed: Of weights, order, augmentation and the draw of the training cases.
        training: Cases.
        validation: Cases.
        test: Cases.
    """

    arm: ArmConfig
    arm_number: int
    size: float
    size_number: int
    fold: int
    seed: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        size = f"n{self.size}" if isinstance(self.size, int) else f"p{100 * self.size:g}"
        return f"{self.arm.name}_{size}_fold{self.fold}_seed{self.seed}"


def plan_runs(patients: Patients, study: StudyConfig, arms: Sequence[ArmConfig]) -> list[Run]:
    """List the runs of a grid, those that are needed for a first comparison first.

    Args:
        patients: Of each case that there is.
        study: The grid.
        arms: What is compared.

    Returns:
        Runs, by fold and seed, then size, then arm.

    Raises:
        StudyError: If there are too few patients or cases, or an arm asks for a size that the grid has not.
    """
    for arm in arms:
        missing = [size_name(size) for size in arm.sizes if size not in study.sizes]
        if missing:
            raise StudyError(f"arm '{arm.name}': size {missing[0]} is none of [study] sizes; add it there")
    runs = []
    for fold in make_folds(patients, study):
        for seed in study.seeds:
            order = _drawn_order(fold.training, patients, (study.split_seed, fold.number, seed))
            for size_number, size in enumerate(study.sizes):
                training = _taken(order, size, fold)
                runs += [
                    Run(
                        arm,
                        number,
                        size,
                        size_number,
                        fold.number,
                        seed,
                        training,
                        fold.validation,
                        fold.test,
                    )
                    for number, arm in enumerate(arms)
                    if not arm.sizes or size in arm.sizes
                ]
    return runs


def make_folds(patients: Patients, study: StudyConfig) -> list[Fold]:
    """Divide the cases by patient.

    Raises:
        StudyError: If there are too few patients.
    """
    drawn = _shuffled(sorted(set(patients.values())), (study.split_seed,))
    count = len(drawn)
    if not study.folds:
        n_test, n_validation = _parts(count, study)
        sides = [(drawn[:n_test], drawn[n_test : n_test + n_validation], drawn[n_test + n_validation :])]
    else:
        sides = list(_folds(drawn, study))
    if any(not test or not training for test, _, training in sides):
        wanted = f"{study.folds} folds" if study.folds else "a split in three"
        raise StudyError(f"{count} patients are too few for {wanted}; add cases or ask for fewer folds")
    return [
        Fold(number, *(_cases_of(side, patients) for side in (training, validation, test)))
        for number, (test, validation, training) in enumerate(sides)
    ]


def _parts(count: int, study: StudyConfig) -> tuple[int, int]:
    """Return how many patients test and validate; rounded so that 131 give the paper's 92, 19 and 20."""
    n_test = _rounded(study.test_share, count)
    if not study.validation_share:
        return n_test, 0
    return n_test, max(1, count - n_test - round((1 - study.test_share - study.validation_share) * count))


def _folds(drawn: list[str], study: StudyConfig) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Yield those who test, validate and train, of each fold that runs."""
    edges = np.rint(np.linspace(0, len(drawn), study.folds + 1)).astype(int)
    for number in range(study.folds_run or study.folds):
        test = drawn[edges[number] : edges[number + 1]]
        rest = drawn[edges[number + 1] :] + drawn[: edges[number]]
        n_validation = _rounded(study.validation_share, len(rest))
        yield test, rest[:n_validation], rest[n_validation:]


def _rounded(share: float, count: int) -> int:
    """Return a share of a count; at least one unless the share is nothing."""
    return max(1, round(share * count)) if share else 0


def _cases_of(side: Sequence[str], patients: Patients) -> tuple[str, ...]:
    wanted = set(side)
    return tuple(sorted(case for case, patient in patients.items() if patient in wanted))


def _shuffled(words: Sequence[str], seeds: tuple[int, ...]) -> list[str]:
    order = np.random.default_rng(seeds).permutation(len(words))
    return [words[place] for place in order]


def _drawn_order(cases: Sequence[str], patients: Patients, seeds: tuple[int, ...]) -> list[str]:
    """Order cases by drawn patients; the cases of one stand together."""
    own: dict[str, list[str]] = {}
    for case in sorted(cases):
        own.setdefault(patients[case], []).append(case)
    return [case for patient in _shuffled(sorted(own), seeds) for case in own[patient]]


def _taken(order: Sequence[str], size: float, fold: Fold) -> tuple[str, ...]:
    """Return the first cases of an order.

    Raises:
        StudyError: If there are fewer.
    """
    wanted = size if isinstance(size, int) else max(1, round(size * len(order)))
    if wanted > len(order):
        raise StudyError(
            f"size {size}: fold {fold.number} has {len(order)} cases to train on ({len(fold.test)} test, "
            f"{len(fold.validation)} validate); ask for fewer, or for more folds"
        )
    return tuple(sorted(order[:wanted]))
