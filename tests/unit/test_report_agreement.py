"""Which rules decided, which disagree, and what nobody could tell."""

from __future__ import annotations

import polars as pl
import pytest

from radnet.labels.rules import load_rules
from radnet.report.agreement import MAX_PAIRS, disagreements, naming_votes, outcomes, rule_records
from radnet.terms import LABELS


def stacks(*changes: dict[str, str | None]) -> pl.DataFrame:
    decided = {
        f"{label}_{part}": word for label in LABELS for part, word in (("status", "decided"), ("rule", "r"))
    }
    rows = [
        {"stack_id": str(number), "decision": "keep", **decided, **change}
        for number, change in enumerate(changes)
    ]
    return pl.DataFrame(rows, schema_overrides={f"{label}_rule": pl.String for label in LABELS})


def votes(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("stack_id", "label", "rule", "value"), pl.String), orient="row"
    )


def test_every_stack_is_decided_or_in_conflict_or_unknown():
    table = stacks(
        {},
        {"contrast_status": "conflict", "decision": "exclude"},
        {"contrast_status": "unknown", "contrast_rule": None},
    )
    contrast = {row.title: row for row in outcomes(table, votes())}["Contrast"]
    assert contrast.counts == (1, 1, 1)
    assert sum(contrast.shares) == pytest.approx(1)
    assert contrast.kept == (1, 0, 1)


def test_unknown_stacks_on_which_nobody_voted_are_told_apart():
    table = stacks({"view_status": "unknown"}, {"view_status": "unknown"})
    spoken = votes(("0", "view", "tilted", "oblique"), ("1", "sequence", "named", "ct"))
    assert {row.title: row.silent for row in outcomes(table, spoken)}["View"] == 1


def test_rules_are_counted_by_votes_and_by_what_they_decided():
    table = stacks(
        {"view_rule": "a"}, {"view_rule": "a"}, {"view_rule": "person"}, {"view_status": "conflict"}
    )
    spoken = votes(*[(stack, "view", "a", "axial") for stack in "0123"], ("3", "view", "b", "coronal"))
    records = {row.rule: row for row in rule_records(table, spoken) if row.title == "View"}
    assert (records["a"].votes, records["a"].decided, records["a"].conflicts) == (4, 2, 1)
    assert (records["b"].votes, records["b"].decided, records["b"].conflicts) == (1, 0, 1)
    assert (records["person"].votes, records["person"].decided) == (0, 1)


def test_a_disagreement_is_open_only_where_the_label_is_in_conflict():
    table = stacks({"contrast_status": "conflict"}, {})
    pair = [(stack, "contrast", *vote) for stack in "01" for vote in (("agent", "yes"), ("words", "no"))]
    (found,) = disagreements(table, votes(*pair))
    assert (found.one, found.other) == (("agent", "yes"), ("words", "no"))
    assert (found.stacks, found.open) == (2, 1)


@pytest.mark.parametrize(
    ("label", "values", "count"),
    [
        ("view", ("axial", "axial"), 0),
        ("view", ("axial", "coronal"), 1),
        ("coverage", ("liver", "kidney"), 0),
        ("coverage", ("liver", "none"), 1),
        ("form", ("original", "other"), 0),
    ],
    ids=["agree", "differ", "regions add up", "none against a region", "no label"],
)
def test_what_counts_as_disagreement(label, values, count):
    spoken = votes(("0", label, "a", values[0]), ("0", label, "b", values[1]))
    assert len(disagreements(stacks({}), spoken)) == count


def test_a_rule_that_takes_regions_away_names_no_value():
    taking = next(rule.name for rule in load_rules().tables["coverage"].rules if rule.remove)
    spoken = votes(
        ("0", "coverage", taking, "liver"), ("0", "coverage", "limb", "none"), ("0", "view", taking, "axial")
    )
    assert naming_votes(spoken, []).rows() == spoken[1:].rows()


def test_only_the_commonest_pairs_are_listed():
    spoken = [("0", "view", f"a{number:03d}", "axial") for number in range(MAX_PAIRS + 5)]
    spoken += [("0", "view", "z", "coronal"), ("1", "view", "a034", "axial"), ("1", "view", "z", "coronal")]
    found = disagreements(stacks({}, {}), votes(*spoken))
    assert len(found) == MAX_PAIRS
    assert (found[0].one[0], found[0].stacks) == ("a034", 2)


def test_pairs_that_left_conflicts_come_first():
    table = stacks({"contrast_status": "conflict"}, {}, {})
    spoken = [("0", "contrast", "agent", "yes"), ("0", "contrast", "words", "no")]
    spoken += [(stack, "view", *vote) for stack in "12" for vote in (("a", "axial"), ("b", "coronal"))]
    assert [row.title for row in disagreements(table, votes(*spoken))] == ["Contrast", "View"]


def test_an_empty_archive_has_neither_rules_nor_pairs():
    nothing = stacks({}).clear()
    assert rule_records(nothing, votes()) == ()
    assert disagreements(nothing, votes()) == ()
    assert all(row.counts == (0, 0, 0) for row in outcomes(nothing, votes()))
