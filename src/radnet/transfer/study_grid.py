"""The runs of a study: every arm at every size, fold and seed, and which cases each trains and is tested on.

Arms share their cases: at one size, fold and seed all train on the same, so that a difference is the arm's.
A seed draws the order of the training patients, and a smaller set is the beginning of a larger one.
Validation and test cases are the same for all runs of a fold; nobody is on two sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radnet.errors import StudyError
from radnet.studies import ArmConfig, StudyConfig, size_name
from radnet.transfer.cases import CaseFiles
from radnet.transfer.splits import SPLIT_NAME, TEST, VALIDATION, Split, draw_folds, split_cases, write_split

FOLD_NAME: Final = "split-fold{}.csv"


@dataclass(frozen=True, slots=True)
class Run:
    """One training of the grid.

    Attributes:
        arm: How it is trained.
        arm_number: Place of the arm in the grid.
        size: As it was asked for.
        size_number: Place of the size in the grid.
        fold: Its number, from 0.
        seed: Of weights, order, augmentation and the draw of the training patients.
        training: Cases.
        validation: Cases; may be none.
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

    @property
    def cases(self) -> tuple[str, ...]:
        """All that it needs."""
        return (*self.training, *self.validation, *self.test)


def make_splits(cases: Sequence[CaseFiles], study: StudyConfig, folder: Path) -> tuple[Split, ...]:
    """Divide the cases by patient, once or in folds; what was drawn is written as CSV.

    Args:
        cases: All that can be used.
        study: Its folds.
        folder: Where `split.csv` is read or written, or a file a fold is written.

    Raises:
        CaseError: If there are too few patients, or the file does not fit the cases.
    """
    if not study.folds:
        return (split_cases(cases, folder / SPLIT_NAME, study.split_seed),)
    splits = draw_folds(cases, study.folds, study.split_seed, study.validation)
    for number, split in enumerate(splits):
        write_split(split, folder / FOLD_NAME.format(number))
    return splits[: study.folds_run]


def plan_runs(splits: Iterable[Split], study: StudyConfig, arms: Sequence[ArmConfig]) -> list[Run]:
    """List the runs of a grid, by fold and seed, then size, then arm.

    Args:
        splits: One a fold.
        study: The grid.
        arms: What is compared.

    Raises:
        StudyError: If an arm asks for a size that the grid has not.
        CaseError: If a fold has fewer patients than a size asks for.
    """
    for arm in arms:
        _refuse_other(arm.name, "size", map(size_name, arm.sizes), map(size_name, study.sizes))
        _refuse_other(arm.name, "seed", map(str, arm.seeds), map(str, study.seeds))
    return [
        Run(
            arm,
            arm_number,
            size,
            size_number,
            fold,
            seed,
            split.subset(size, seed),
            split.cases(VALIDATION),
            split.cases(TEST),
        )
        for fold, split in enumerate(splits)
        for seed in study.seeds
        for size_number, size in enumerate(study.sizes)
        for arm_number, arm in enumerate(arms)
        if (not arm.sizes or size_name(size) in map(size_name, arm.sizes))
        and (not arm.seeds or seed in arm.seeds)
    ]


def _refuse_other(arm: str, what: str, asked: Iterable[str], known: Iterable[str]) -> None:
    known = set(known)
    for value in asked:
        if value not in known:
            raise StudyError(f"arm '{arm}': {what} {value} is none of [study] {what}s; add it there")
