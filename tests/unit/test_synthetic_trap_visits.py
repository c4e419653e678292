"""The trap visits: complete, small, and true of whatever body they are scanned on."""

from __future__ import annotations

from collections import defaultdict
from typing import get_args

import pytest

from radnet.synthetic.anatomy import make_body
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import person
from radnet.synthetic.protocols import Order, Storage, Stray, Syntax, Vendor
from radnet.synthetic.series import stacks
from radnet.synthetic.trap_visits import TRAP_VISITS
from radnet.synthetic.truth import tell
from radnet.terms import LABELS

ALL = [(visit, exam, protocol) for visit in TRAP_VISITS for exam in visit.exams for protocol in exam.series]
SEEDS = (11, 12, 13)
STEP_MM = 8.0


def test_every_vendor_storage_order_syntax_and_stray_is_there() -> None:
    assert {exam.vendor for _, exam, _ in ALL} == set(get_args(Vendor))
    assert {protocol.storage for _, _, protocol in ALL} == set(get_args(Storage))
    assert {protocol.order for _, _, protocol in ALL} == set(get_args(Order))
    assert {stray for _, _, protocol in ALL for stray in protocol.strays} == set(get_args(Stray))
    compressed = {protocol.syntax for _, _, protocol in ALL} | {"deflated"}  # as scouts are
    assert compressed == set(get_args(Syntax))


def test_untold_labels_are_labels_and_have_a_reason_where_it_is_not_contrast() -> None:
    for _, _, protocol in ALL:
        assert set(protocol.untold) <= set(LABELS)
        if set(protocol.untold) - {"contrast"}:
            assert protocol.note


def test_the_first_patient_ends_with_an_image_of_a_volume() -> None:
    """Of it the archive makes a copy and a file cut off."""
    last = TRAP_VISITS[0].exams[0].series[-1]
    assert "SOPClassUID" not in dict(last.header)


@pytest.mark.parametrize("sex", ["F", "M"])
def test_the_truth_is_the_same_of_every_body(sex: str) -> None:
    told = defaultdict(set)
    for seed in SEEDS:
        body = make_body(seed, "F" if sex == "F" else "M", lesion=True, step_mm=STEP_MM)
        for number, (visit, exam, protocol) in enumerate(ALL):
            # what a turned box holds wholly hangs on the body; it is left out anyhow
            if visit.sex == sex and protocol.trap != "oblique":
                place = SeriesPlace(person(1, 0, sex), exam, protocol, (1, 0, 0, number))
                for part, stack in enumerate(stacks(body, place)):
                    row = tell(body, place, stack, "")
                    told[protocol.description, number, part].add((row.coverage, row.keep, row.reason))
    assert {name: truths for name, truths in told.items() if len(truths) > 1} == {}
