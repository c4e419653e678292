"""Nobody stands on two sides, and what cannot be known is refused."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from radnet.config import PretrainConfig
from radnet.errors import TrainingError
from radnet.labels.splits import drawn_side
from radnet.training.splits import UNSHARED, split_samples


def samples(n: int = 40, **columns: list[Any]) -> pl.DataFrame:
    rows = {
        "stack_id": [f"{number:016x}" for number in range(n)],
        "patient": [f"p{number // 2}" for number in range(n)],
        "StudyInstanceUID": [f"1.2.{number // 2}" for number in range(n)],
        "FrameOfReferenceUID": [f"1.3.{number // 2}" for number in range(n)],
        "acquisition_group": [f"a{number}" for number in range(n)],
        "digest": [f"d{number}" for number in range(n)],
        "collection_id": [("alpha", "beta")[number // 2 % 2] for number in range(n)],
    }
    return pl.DataFrame({**rows, **columns})


def sides_by(name: str, config: PretrainConfig, rows: pl.DataFrame) -> dict[str, set[str]]:
    placed = rows.with_columns(split_samples(rows, config).alias("split"))
    return {key: set(part["split"]) for (key,), part in placed.group_by(name)}


def test_patients_stay_whole_and_all_sides_get_some() -> None:
    sides = sides_by("patient", PretrainConfig(test_share=0.2), samples(200))
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"training", "validation", "test"}


def test_further_scans_move_nobody() -> None:
    few, many = (sides_by("patient", PretrainConfig(), samples(n)) for n in (60, 200))
    assert {name: many[name] for name in few} == few


def test_shares_are_about_those_asked_for() -> None:
    drawn = [drawn_side(f"patient {n}", 0.1, 0.2) for n in range(5000)]
    assert drawn.count("test") == pytest.approx(500, abs=70)
    assert drawn.count("validation") == pytest.approx(900, abs=90)


def test_named_collections_test_as_a_whole_and_alone() -> None:
    sides = sides_by("collection_id", PretrainConfig(test_collections=("beta",)), samples())
    assert sides["beta"] == {"test"}
    assert sides["alpha"] == {"training", "validation"}


def test_an_unknown_collection_is_named() -> None:
    with pytest.raises(TrainingError, match="test_collections names gamma, of which there is no volume"):
        split_samples(samples(), PretrainConfig(test_collections=("beta", "gamma")))


@pytest.mark.parametrize("name", UNSHARED[1:])
def test_what_ties_two_patients_together_is_refused(name: str) -> None:
    rows = samples()
    sides = split_samples(rows, PretrainConfig()).to_list()
    one, other = sides.index("training"), sides.index("validation")
    values = rows[name].to_list()
    values[other] = values[one]
    with pytest.raises(TrainingError, match=f"1 values of {name} stand on two sides .*stacks [0-9a-f]{{16}}"):
        split_samples(rows.with_columns(pl.Series(name, values)), PretrainConfig())


def test_a_patient_in_a_test_collection_and_another_is_refused() -> None:
    rows = samples().with_columns(patient=pl.lit("p0") + (pl.int_range(40) // 4).cast(pl.String))
    with pytest.raises(TrainingError, match="values of patient stand on two sides"):
        split_samples(rows, PretrainConfig(test_collections=("beta",)))


def test_ties_on_one_side_and_unknown_ones_are_no_leak() -> None:
    rows = samples().with_columns(
        FrameOfReferenceUID=pl.lit(None, pl.String), acquisition_group=pl.lit(""), digest=pl.col("patient")
    )
    assert split_samples(rows, PretrainConfig()).null_count() == 0


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_volume_without_a_patient_is_refused(nobody: str | None) -> None:
    rows = samples()
    patients = [nobody, *rows["patient"].to_list()[1:]]
    with pytest.raises(TrainingError, match=r"1 volumes name no patient \(stacks 0000000000000000\)"):
        split_samples(rows.with_columns(pl.Series("patient", patients)), PretrainConfig())


def test_too_few_patients_are_counted() -> None:
    with pytest.raises(TrainingError, match=r"2 volumes of 1 patients are too few .*patients: training"):
        split_samples(samples(2), PretrainConfig())


def test_the_papers_split_is_by_its_collections() -> None:
    rows = samples().with_columns(
        collection_id=pl.when(pl.int_range(40) < 30).then(pl.lit("tcga_gbm")).otherwise(pl.lit("qin_lung_ct"))
    )
    found = set(split_samples(rows, PretrainConfig(split="paper")).to_list())
    assert {"training", "validation"} <= found
    elsewhere = samples()
    with pytest.raises(TrainingError, match="are too few or fall badly"):
        split_samples(elsewhere, PretrainConfig(split="paper"))
