"""The funnel as the page tells it."""

from __future__ import annotations

import polars as pl
import pytest

from radnet.report.artefacts import FUNNEL_UNITS
from radnet.report.overview import INPUT_STEP, KEPT_STEP, MEANINGS, funnel_bars, funnel_steps, refused
from radnet.terms import EXCLUSION_STEPS


def funnel(*rows: tuple[str, int, int]) -> pl.DataFrame:
    """Rows of step, removed and remaining, the same for every unit."""
    return pl.DataFrame(
        {
            "step": step,
            **{f"removed_{unit}": removed for unit in FUNNEL_UNITS},
            **{f"remaining_{unit}": remaining for unit in FUNNEL_UNITS},
        }
        for step, removed, remaining in rows
    )


@pytest.mark.parametrize("step", [INPUT_STEP, *EXCLUSION_STEPS, KEPT_STEP])
def test_every_step_has_a_meaning_for_the_reader(step):
    assert MEANINGS[step]


def test_bars_show_the_whole_and_the_steps_that_removed_something():
    steps = funnel_steps(funnel(("input", 0, 9), ("oblique", 0, 9), ("too_few_slices", 4, 5), ("kept", 0, 5)))
    assert funnel_bars(steps, "stacks") == [("input", 0, 9), ("too few slices", 4, 5)]


def test_a_step_that_is_not_known_is_still_shown():
    (_, step) = funnel_steps(funnel(("input", 0, 9), ("left_by_a_plugin", 4, 5)))
    assert (step.name, step.meaning, step.removed) == ("left by a plugin", "", (4, 4, 4, 4))


def test_refusals_are_counted_by_reason_and_error_commonest_first():
    table = pl.DataFrame({"reason": ["a", "b_c", "b_c"], "error": [None, "EOFError", "EOFError"]})
    assert [(row.reason, row.error, row.count) for row in refused(table)] == [
        ("b c", "EOFError", 2),
        ("a", "", 1),
    ]
