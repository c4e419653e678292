"""Tables say what the rows of a study say: by case, paired, and by patient."""

from __future__ import annotations

import csv
import io

import numpy as np
import polars as pl
import pytest

from radnet.transfer.study_tables import (
    differences_csv,
    differences_sheet,
    paper_sheet,
    scores_csv,
    scores_sheet,
)
from radnet.transfer.summary import differences, summarise

ARMS = (("frozen-all", "Froze all layers", "pretrained"), ("scratch", "No transfer learning", "scratch"))
SIZES = ("2", "100 %")


def made(patients: int = 8, seeds: int = 3, gain: float = 0.1) -> pl.DataFrame:
    """Rows in which the first arm is ahead by `gain` in every case, and seeds differ by 0.01."""
    rng = np.random.default_rng(5)
    level = rng.uniform(0.3, 0.8, patients)
    rows = [
        {
            "run": f"{arm}{size}{seed}",
            "arm": arm,
            "title": title,
            "kind": kind,
            "arm_number": number,
            "size": size,
            "size_number": size_number,
            "n_training": (2, 9)[size_number],
            "seed": seed,
            "patient": f"p{patient}",
            "case": f"case_{patient}",
            "dice": level[patient] + gain * (number == 0) + 0.01 * seed,
            "iou": level[patient] / 2,
            "hd95_mm": 20.0 - 5 * (number == 0),
            "surface_dice": level[patient],
            "volume_difference_ml": 30.0 * (-1) ** patient,
            "failed": level[patient] + gain * (number == 0) + 0.01 * seed < 0.5,
        }
        for number, (arm, title, kind) in enumerate(ARMS)
        for size_number, size in enumerate(SIZES)
        for seed in range(seeds)
        for patient in range(patients)
    ]
    return pl.DataFrame(rows).sample(fraction=1.0, shuffle=True, seed=1)


def test_three_seeds_are_not_three_patients() -> None:
    one, three = (summarise(made(seeds=seeds)) for seeds in (1, 3))
    assert [line.n_cases for line in three] == [8, 8, 8, 8]
    assert [line.n_runs for line in three] == [3, 3, 3, 3]
    widths = [lines[0].means["dice"].high - lines[0].means["dice"].low for lines in (one, three)]  # type: ignore[operator]
    assert widths[0] == pytest.approx(widths[1])


def test_means_medians_and_errors_are_those_of_the_cases() -> None:
    frame = made()
    line = summarise(frame)[0]
    cases = (
        frame.filter(pl.col("arm") == "frozen-all", pl.col("size") == "2")
        .group_by("case")
        .agg(pl.col("dice").mean())
    )
    assert line.means["dice"].value == pytest.approx(cases["dice"].mean())
    assert line.medians["dice"].value == pytest.approx(cases["dice"].median())
    assert line.means["volume_error_ml"].value == pytest.approx(30.0)  # signs do not cancel
    assert line.spread == pytest.approx(0.01)
    assert (line.arm, line.size, line.n_training, line.kind) == ("frozen-all", "2", 2, "pretrained")


def test_a_gain_that_all_cases_share_has_no_width() -> None:
    found = differences(made())
    assert [(one.size, one.title, one.than) for one in found] == [
        ("2", "Froze all layers", "No transfer learning"),
        ("100 %", "Froze all layers", "No transfer learning"),
    ]
    dice = found[0].gains["dice"]
    assert (dice.value, dice.low, dice.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found[0].gains["hd95_mm"].value == pytest.approx(-5)
    assert found[0].sure


def test_no_gain_is_not_sure() -> None:
    frame = made(gain=0.0).with_columns(
        pl.col("dice") + pl.Series(np.random.default_rng(0).normal(0, 0.2, 96))
    )
    assert not differences(frame)[0].sure


def test_differences_are_over_the_cases_that_both_have() -> None:
    frame = made().filter(~((pl.col("arm") == "scratch") & pl.col("patient").is_in(["p0", "p1"])))
    assert [one.n_patients for one in differences(frame)] == [6, 6]
    assert [line.n_patients for line in summarise(frame)] == [8, 8, 6, 6]


def test_equal_rows_give_equal_tables() -> None:
    assert scores_csv(summarise(made())) == scores_csv(summarise(made().reverse()))


def test_the_markdown_has_the_papers_columns_and_intervals() -> None:
    table = scores_sheet(summarise(made())).markdown()
    head = table.splitlines()[0]
    for heading in (
        "mean Dice",
        "mean IoU",
        "median Dice",
        "median IoU",
        "median HD95",
        "surface Dice",
        "failures",
    ):
        assert heading in head
    assert "| Froze all layers | 2 | 3 | 8 | " in table
    assert "| Froze all layers | 100 % (9) |" in table
    assert table.splitlines()[2].count("[") == 8


def test_the_papers_figures_stand_beside_its_rows_alone() -> None:
    table = paper_sheet(summarise(made())).markdown()
    assert "/ 90.0%" in table
    assert "/ 41.8%" in table
    assert "| 2 |" not in table
    assert not paper_sheet(summarise(made().filter(pl.col("size") == "2"))).rows


def test_gains_have_signs() -> None:
    table = differences_sheet(differences(made())).markdown()
    assert "+10.0% [10.0, 10.0]" in table
    assert "-5.00 mm" in table


@pytest.mark.parametrize(
    "text", [scores_csv(summarise(made())), differences_csv(differences(made()))], ids=["scores", "gains"]
)
def test_the_csv_holds_numbers(text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows
    dice = next(key for key in rows[0] if key.endswith("_dice"))
    assert 0 < float(rows[0][dice]) < 1
    assert float(rows[0][f"{dice}_low"]) <= float(rows[0][dice]) + 1e-9


def test_an_empty_study_has_empty_tables() -> None:
    assert scores_csv(summarise(made().clear())) == ""
    assert differences(made().clear()) == []
