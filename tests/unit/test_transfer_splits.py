"""Splits are by patient, stay as they were drawn, and refuse data that they were not drawn for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.errors import CaseError
from radnet.transfer.cases import CaseFiles
from radnet.transfer.splits import (
    PAPER_SHARES,
    TEST,
    TRAINING,
    VALIDATION,
    draw_folds,
    draw_split,
    read_split,
    split_cases,
    write_split,
)


def files(count: int, scans: int = 1) -> list[CaseFiles]:
    """So many patients with so many scans each."""
    return [
        CaseFiles(f"c{patient}-{scan}", f"p{patient}", (), (), (), "liver", "pairs")
        for patient in range(count)
        for scan in range(scans)
    ]


def test_131_patients_are_split_as_in_the_paper():
    split = draw_split(files(131))
    assert [len(split.patients(side)) for side in (TRAINING, VALIDATION, TEST)] == [92, 19, 20]


@settings(max_examples=60, deadline=None)
@given(count=st.integers(3, 60), scans=st.integers(1, 3), seed=st.integers(1, 99))
def test_every_case_is_on_one_side_and_no_patient_on_two(count, scans, seed):
    cases = files(count, scans)
    split = draw_split(cases, seed)
    sides = [set(split.cases(side)) for side in (TRAINING, VALIDATION, TEST)]
    assert set.union(*sides) == {case.case_id for case in cases}
    assert sum(map(len, sides)) == len(cases)
    assert all(sides)
    people = [set(split.patients(side)) for side in (TRAINING, VALIDATION, TEST)]
    assert sum(map(len, people)) == count


def test_the_order_of_the_cases_changes_nothing_and_another_seed_does():
    cases = files(20)
    assert draw_split(cases, 3) == draw_split(cases[::-1], 3)
    assert draw_split(cases, 3) != draw_split(cases, 4)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(4, 60), seed=st.integers(1, 9))
def test_smaller_subsets_lie_in_larger_ones(count, seed):
    split = draw_split(files(count, 2))
    sizes = [*PAPER_SHARES, *range(len(split.patients(TRAINING)), 0, -1)]
    subsets = sorted((set(split.subset(size, seed)) for size in sizes), key=len)
    assert all(small <= large for small, large in pairwise(subsets))
    assert subsets[-1] == set(split.cases(TRAINING))


def test_a_whole_number_counts_patients_and_a_share_is_one_of_them():
    split = draw_split(files(131, 2))
    assert len(split.subset(1)) == 2
    assert len(split.subset(1.0)) == 184
    assert [len(split.subset(share)) // 2 for share in PAPER_SHARES] == [92, 74, 55, 37, 18]


@pytest.mark.parametrize("size", [0, 93, 0.0, 1.5, -0.1])
def test_sizes_that_cannot_be_are_refused(size):
    with pytest.raises(CaseError, match="asked for"):
        draw_split(files(131)).subset(size)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(4, 40), folds=st.integers(2, 5), validation=st.integers(0, 1))
def test_in_folds_everybody_tests_once(count, folds, validation):
    if count < folds + 1:
        return
    drawn = draw_folds(files(count, 2), folds, validation=validation)
    tested = [patient for fold in drawn for patient in fold.patients(TEST)]
    assert sorted(tested) == sorted({case.patient_id for case in files(count)})
    for fold in drawn:
        assert len(fold.patients(VALIDATION)) == validation
        assert fold.patients(TRAINING)
        assert not set(fold.patients(TRAINING)) & {*fold.patients(TEST), *fold.patients(VALIDATION)}
    sizes = {len(fold.patients(TEST)) for fold in drawn}
    assert max(sizes) - min(sizes) <= 1


def test_too_few_patients_are_refused():
    with pytest.raises(CaseError, match="2 cases of 2 patients: at least 3 patients"):
        draw_split(files(2))
    with pytest.raises(CaseError, match="2 patients cannot make 3 folds"):
        draw_folds(files(2), 3)


def test_a_split_is_kept_in_its_file(tmp_path):
    path = tmp_path / "run" / "split.csv"
    cases = files(9, 2)
    first = split_cases(cases, path, seed=1)
    assert split_cases(cases, path, seed=2) == first
    assert path.read_text().startswith("patient,case,side\np0,c0-0,")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("p3,c3-0,", "p3,c99-0,"), "1 cases are not in the data \\(c99-0\\)"),
        (lambda text: text[: text.index("p8,")], "1 cases of the data are not in it \\(c8-0\\)"),
        (lambda text: text.replace("p3,c3-0", "p4,c3-0"), "belong to other patients \\(c3-0\\)"),
        (lambda text: text + "p3,c3-0,training\n", "more than once \\(c3-0\\)"),
        (lambda text: text.replace(",training", ",train", 1), "side 'train' is none of training"),
        (lambda text: "patient,case\np0,c0-0\n", "columns patient, case, side"),
    ],
    ids=["unknown", "missing", "other patient", "twice", "side", "columns"],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, change, message):
    path = tmp_path / "split.csv"
    cases = files(9)
    write_split(draw_split(cases), path)
    path.write_text(change(path.read_text()))
    with pytest.raises(CaseError, match=message):
        read_split(path, cases)


def test_a_patient_on_two_sides_is_refused(tmp_path):
    cases = files(3, 2)
    rows = "".join(f"{case.patient_id},{case.case_id},training\n" for case in cases)
    path = tmp_path / "split.csv"
    path.write_text("patient,case,side\n" + rows.replace("c1-0,training", "c1-0,test"))
    with pytest.raises(CaseError, match="two sides: p1"):
        read_split(path, cases)
