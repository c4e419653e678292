"""Who trains, who validates, who tests a segmenter, drawn by patient and kept in a file.

A seed draws an order of the patients that depends on their names alone. Subsets of the training part are
beginnings of one order, so each smaller one lies in every larger one; validation and test never change with
them. A file that does not fit the data is refused: a patient on two sides would make every score worthless.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radnet.errors import CaseError
from radnet.transfer.cases import CaseFiles
from radnet.workspace import write_text

TRAINING: Final = "training"
VALIDATION: Final = "validation"
TEST: Final = "test"
SIDES: Final = (TRAINING, VALIDATION, TEST)
SPLIT_NAME: Final = "split.csv"
COLUMNS: Final = ("patient", "case", "side")
TRAINING_SHARE: Final = 0.70
VALIDATION_SHARE: Final = 0.15
"""Of the patients; the rest tests (3D-RADNet section 2.3: 92, 19 and 20 of 131)."""
PAPER_SHARES: Final = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Of the training part (3D-RADNet table 3)."""
LEAST_PATIENTS: Final = 3
SHOWN: Final = 5
"""Names that an error gives."""


@dataclass(frozen=True)
class Split:
    """Every case on one side.

    Attributes:
        rows: Patient, case and side, sorted by case.
    """

    rows: tuple[tuple[str, str, str], ...]

    def cases(self, side: str) -> tuple[str, ...]:
        """Return the cases of a side, sorted."""
        return tuple(case for _, case, own in self.rows if own == side)

    def patients(self, side: str) -> tuple[str, ...]:
        """Return the patients of a side, sorted."""
        return tuple(sorted({patient for patient, _, own in self.rows if own == side}))

    def subset(self, size: float, seed: int = 1) -> tuple[str, ...]:
        """Return the training cases of some patients; a smaller size lies in every larger one.

        Args:
            size: A share of the training patients (a float up to 1) or a number of them (an int).
            seed: Draws the order.

        Raises:
            CaseError: If the size is not above 0 or there are not so many.
        """
        patients = drawn_order(self.patients(TRAINING), f"subset {seed}")
        kept = set(patients[: _count(size, len(patients))])
        return tuple(case for patient, case, side in self.rows if side == TRAINING and patient in kept)


def draw_split(cases: Iterable[CaseFiles], seed: int = 1) -> Split:
    """Draw 70 : 15 : 15 of the patients.

    Raises:
        CaseError: If there are fewer than three patients.
    """
    owners = _owners(cases)
    patients = drawn_order(set(owners.values()), f"split {seed}")
    if len(patients) < LEAST_PATIENTS:
        raise CaseError(
            f"{len(owners)} cases of {len(patients)} patients: at least {LEAST_PATIENTS} patients are "
            "needed, one to train, one to validate, one to test"
        )
    n_validation = max(1, int(VALIDATION_SHARE * len(patients)))
    n_test = max(1, len(patients) - n_validation - int(TRAINING_SHARE * len(patients) + 0.5))
    sides = dict.fromkeys(patients, TRAINING)
    sides.update(dict.fromkeys(patients[:n_test], TEST))
    sides.update(dict.fromkeys(patients[n_test : n_test + n_validation], VALIDATION))
    return _placed(owners, sides)


def draw_folds(
    cases: Iterable[CaseFiles], folds: int, seed: int = 1, validation: int = 1
) -> tuple[Split, ...]:
    """Deal the patients into folds; each tests once, and of the others some validate.

    Args:
        cases: All cases.
        folds: How many, at least 2.
        seed: Draws the order.
        validation: Patients of each fold's others that validate; 0 takes none.

    Raises:
        CaseError: If there are too few patients.
    """
    owners = _owners(cases)
    patients = drawn_order(set(owners.values()), f"folds {seed}")
    if folds < 2 or len(patients) < folds or len(patients) - -(-len(patients) // folds) <= validation:
        raise CaseError(
            f"{len(patients)} patients cannot make {folds} folds that each leave {validation} to validate "
            "and at least one to train; ask for at least 2 and fewer than there are patients"
        )
    result = []
    for fold in range(folds):
        test = patients[fold::folds]
        others = [patient for number, patient in enumerate(patients) if number % folds != fold]
        sides = {**dict.fromkeys(others, TRAINING), **dict.fromkeys(test, TEST)}
        first = sum(len(patients[other::folds]) for other in range(fold)) % max(1, len(others))
        turned = others[first:] + others[:first]
        sides.update(dict.fromkeys(turned[:validation], VALIDATION))
        result.append(_placed(owners, sides))
    return tuple(result)


def split_cases(cases: Sequence[CaseFiles], path: Path, seed: int = 1) -> Split:
    """Read the split of a file, or draw one and write it there.

    Raises:
        CaseError: If the file does not fit the cases (see `read_split`), or there are too few patients.
    """
    if path.exists():
        return read_split(path, cases)
    split = draw_split(cases, seed)
    write_split(split, path)
    return split


def write_split(split: Split, path: Path) -> None:
    """Write patient, case and side as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(split.rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def read_split(path: Path, cases: Iterable[CaseFiles]) -> Split:
    """Read a split and check that it is one of these cases.

    Raises:
        CaseError: If the file is no such table, a case is missing, unknown, named twice or of another
            patient, or a patient stands on two sides.
    """
    rows = _read_rows(path)
    owners = _owners(cases)
    named = [case for _, case, _ in rows]
    _refuse(path, "stand in it more than once", {case for case in named if named.count(case) > 1})
    _refuse(path, "are not in the data", set(named) - set(owners))
    _refuse(path, "of the data are not in it", set(owners) - set(named))
    _refuse(path, "belong to other patients", {case for patient, case, _ in rows if owners[case] != patient})
    sides: dict[str, set[str]] = {}
    for patient, _, side in rows:
        sides.setdefault(patient, set()).add(side)
    both = {patient for patient, own in sides.items() if len(own) > 1}
    if both:
        raise CaseError(f"{path}: patients stand on two sides: {_some(both)}; put all their cases on one")
    return Split(tuple(sorted(rows, key=lambda row: row[1])))


def drawn_order(names: Iterable[str], seed: str) -> list[str]:
    """Sort names by a hash of each with the seed: an order that no further name changes."""
    return sorted(set(names), key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())


def _count(size: float, n_patients: int) -> int:
    if isinstance(size, int) and not isinstance(size, bool):
        if not 1 <= size <= n_patients:
            raise CaseError(f"{size} training patients were asked for; there are {n_patients}")
        return size
    if not 0 < size <= 1:
        raise CaseError(
            f"a share of {size:g} of the training patients was asked for; it must be above 0, up to 1"
        )
    return max(1, int(size * n_patients + 0.5))


def _owners(cases: Iterable[CaseFiles]) -> dict[str, str]:
    return {case.case_id: case.patient_id for case in cases}


def _placed(owners: Mapping[str, str], sides: Mapping[str, str]) -> Split:
    return Split(tuple((owners[case], case, sides[owners[case]]) for case in sorted(owners)))


def _read_rows(path: Path) -> list[tuple[str, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            table = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseError(f"{path}: cannot be read as a CSV table in UTF-8") from error
    if not table or not set(COLUMNS) <= set(table[0]):
        raise CaseError(f"{path}: needs rows and the columns {', '.join(COLUMNS)}")
    rows = [(row["patient"] or "", row["case"] or "", row["side"] or "") for row in table]
    for number, (_, _, side) in enumerate(rows, 2):
        if side not in SIDES:
            raise CaseError(f"{path}, line {number}: side '{side}' is none of {', '.join(SIDES)}")
    return rows


def _refuse(path: Path, what: str, cases: set[str]) -> None:
    if cases:
        raise CaseError(
            f"{path}: {len(cases)} cases {what} ({_some(cases)}); mend it, or delete it to draw a new one"
        )


def _some(names: set[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more
