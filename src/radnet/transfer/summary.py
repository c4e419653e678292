"""What the rows of a study say: means and medians with intervals, and differences between arms.

A case counts once an arm and size: its score is the mean over the runs that tested it, so that three seeds
are not three patients. Intervals draw patients with replacement, all cases of a patient together. A
difference is taken case by case before it is averaged, over the cases that both arms have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from radnet.metrics import DRAWS, Measure, Reals, measure, median, patient_draws, share

KEY: Final = ("arm_number", "size_number")
"""Of a line of the tables, in their order."""
TOLD: Final = ("arm", "title", "kind", "size")
SCORES: Final = ("dice", "iou", "hd95_mm", "surface_dice", "volume_error_ml", "failed")
"""Of which means are taken; `volume_error_ml` is the size of the volume difference."""
PRETRAINED: Final = "pretrained"
"""Kind of the arms that are compared with the others."""
COMPARED: Final = ("dice", "surface_dice", "hd95_mm")


@dataclass(frozen=True, slots=True)
class Line:
    """One arm at one size of training set.

    Attributes:
        arm: Its name.
        title: What the table calls it.
        kind: pretrained, scratch or baseline.
        size: The size as it was asked for: a count, or a share of the training cases.
        n_training: Cases that trained, the most of any run.
        n_runs: Runs.
        n_cases: Cases tested.
        n_patients: Of whom they are.
        means: By score.
        medians: By score.
        spread: Standard deviation of the mean Dice between seeds; None with fewer than two.
    """

    arm: str
    title: str
    kind: str
    size: str
    n_training: int
    n_runs: int
    n_cases: int
    n_patients: int
    means: Mapping[str, Measure]
    medians: Mapping[str, Measure]
    spread: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How much one arm is ahead of another at one size.

    Attributes:
        size: The size.
        title: Of the arm.
        than: Title of the other.
        n_patients: Whom both tested.
        gains: Mean of first minus second, by score.
    """

    size: str
    title: str
    than: str
    n_patients: int
    gains: Mapping[str, Measure]

    @property
    def sure(self) -> bool:
        """Whether the interval of the Dice excludes zero."""
        dice = self.gains["dice"]
        return dice.low is not None and dice.high is not None and (dice.low > 0 or dice.high < 0)


def case_means(cases: pl.DataFrame) -> pl.DataFrame:
    """Average the scores of each case over the runs of an arm and size that tested it."""
    return (
        cases.with_columns(
            pl.col("volume_difference_ml").abs().alias("volume_error_ml"), pl.col("failed").cast(pl.Float64)
        )
        .group_by(*KEY, "patient", "case")
        .agg(pl.col(*TOLD).first(), pl.col(*SCORES).mean(), pl.col("n_training").max())
        .sort(*KEY, "patient", "case")
    )


def summarise(cases: pl.DataFrame, draws: int = DRAWS, seed: int = 0) -> list[Line]:
    """Make the lines of the tables.

    Args:
        cases: A row a run and case, as in cases.parquet.
        draws: Of the bootstrap.
        seed: Equal seeds give equal intervals.

    Returns:
        A line an arm and size, in the order of the grid.
    """
    runs = cases.group_by(*KEY, maintain_order=True).agg(pl.col("run").n_unique())
    counts = {(row["arm_number"], row["size_number"]): row["run"] for row in runs.iter_rows(named=True)}
    spreads = _seed_spreads(cases)
    return [
        _line(part, counts[key], spreads[key], draws, seed) for key, part in _parts(case_means(cases)).items()
    ]


def differences(cases: pl.DataFrame, draws: int = DRAWS, seed: int = 0) -> list[Difference]:
    """Compare each pretrained arm with every arm that is none, at each size; arguments as of `summarise`."""
    parts = _parts(case_means(cases))
    transferred = {key: part for key, part in parts.items() if part["kind"][0] == PRETRAINED}
    found = [
        _difference(part, against, draws, seed)
        for (_, size), part in sorted(transferred.items(), key=lambda item: (item[0][1], item[0][0]))
        for (other, other_size), against in parts.items()
        if other_size == size and (other, size) not in transferred
    ]
    return [one for one in found if one is not None]


def _parts(means: pl.DataFrame) -> dict[tuple[int, int], pl.DataFrame]:
    return {
        (int(key[0]), int(key[1])): part
        for key, part in means.partition_by(*KEY, as_dict=True, maintain_order=True).items()
    }


def _line(part: pl.DataFrame, n_runs: int, spread: float | None, draws: int, seed: int) -> Line:
    weights = patient_draws(part["patient"].to_numpy(), draws, seed)
    return Line(
        arm=part["arm"][0],
        title=part["title"][0],
        kind=part["kind"][0],
        size=part["size"][0],
        n_training=int(part["n_training"].max()),  # type: ignore[arg-type]
        n_runs=n_runs,
        n_cases=len(part),
        n_patients=part["patient"].n_unique(),
        means={name: _mean(part[name].to_numpy(), weights) for name in SCORES},
        medians={name: measure(partial(median, part[name].to_numpy()), weights) for name in SCORES},
        spread=spread,
    )


def _mean(values: Reals, weights: Reals) -> Measure:
    return measure(partial(share, values), weights)


def _difference(part: pl.DataFrame, against: pl.DataFrame, draws: int, seed: int) -> Difference | None:
    both = part.join(against, on=["patient", "case"], suffix="_other", maintain_order="left")
    if both.is_empty():
        return None
    weights = patient_draws(both["patient"].to_numpy(), draws, seed)
    gains = {name: _mean((both[name] - both[f"{name}_other"]).to_numpy(), weights) for name in COMPARED}
    return Difference(
        both["size"][0], both["title"][0], both["title_other"][0], both["patient"].n_unique(), gains
    )


def _seed_spreads(cases: pl.DataFrame) -> dict[tuple[int, int], float | None]:
    """Return the standard deviation, over seeds, of the mean Dice of each arm and size."""
    by_seed = cases.group_by(*KEY, "seed").agg(pl.col("dice").mean())
    spread = by_seed.group_by(*KEY).agg(pl.col("dice").std())
    return {
        (row["arm_number"], row["size_number"]): None if row["dice"] is None else float(row["dice"])
        for row in spread.iter_rows(named=True)
    }
