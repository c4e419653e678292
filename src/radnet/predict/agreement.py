"""Network against header: where they agree, contradict each other, and where the header was silent.

A header is compared only where its word is one that the network knows: of a gradient echo or a diffusion
series the network, which learnt five sequences, can only say the likest of them. That a silent header is
filled says nothing about how right the network is; the shares of agreement do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from radnet.networks.spec import NetworkSpec
from radnet.predict.columns import CLASS_LABELS, COMPARED, probability_columns

AGREE: Final = "agree"
CONFLICT: Final = "conflict"
FILLED: Final = "filled"
NO_CLASS: Final = "no_class"
OUTCOMES: Final = (AGREE, CONFLICT, FILLED, NO_CLASS)
SURE: Final = 0.9
"""Probability from which an answer counts as sure; of a coverage, that of its least certain region."""
SPACING_TOLERANCE_MM: Final = 1.0
"""Network and header agree on a spacing up to this difference."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One label of all predicted series.

    Attributes:
        label: Its name.
        agree: Network and header say the same.
        conflict: They say different things.
        filled: The header is silent, the network is not.
        sure_conflict: Conflicts of which the network is sure.
        sure_filled: Silences that it fills surely.
        no_class: The header's word is none of the network's.
    """

    label: str
    agree: int = 0
    conflict: int = 0
    filled: int = 0
    sure_conflict: int = 0
    sure_filled: int = 0
    no_class: int = 0

    @property
    def share(self) -> float | None:
        """Agreement as a share of what can be compared."""
        compared = self.agree + self.conflict
        return self.agree / compared if compared else None

    def plus(self, other: Agreement) -> Agreement:
        """Add the counts of other series."""
        counts = asdict(self)
        return Agreement(
            **{
                **{name: counts[name] + value for name, value in asdict(other).items() if name != "label"},
                "label": self.label,
            }
        )


def with_agreement(table: pl.DataFrame, spec: NetworkSpec) -> pl.DataFrame:
    """Add a column `<label>_agreement` each: agree, conflict, filled or no_class; null without an answer."""
    classes: Mapping[str, Any] = {"sequence": spec.sequences, "view": spec.views, "contrast": spec.contrasts}
    found = [_of_class(name, classes[name]) for name in CLASS_LABELS]
    same_set = pl.col("coverage").list.set_symmetric_difference("header_coverage").list.len() == 0
    found.append(_outcome("coverage", pl.col("header_coverage"), same_set, pl.lit(True)))
    near = (pl.col("spacing_mm") - pl.col("header_spacing_mm")).abs() <= SPACING_TOLERANCE_MM
    found.append(_outcome("spacing", pl.col("header_spacing_mm"), near, pl.lit(True)))
    return table.with_columns(found)


def _of_class(name: str, words: tuple[str, ...]) -> pl.Expr:
    header = pl.col(f"header_{name}")
    return _outcome(name, header, header == pl.col(name), header.is_in(list(words)))


def _outcome(name: str, header: pl.Expr, same: pl.Expr, known: pl.Expr) -> pl.Expr:
    answered = pl.col("spacing_mm").is_not_null()
    return (
        pl.when(~answered)
        .then(pl.lit(None, pl.String))
        .when(header.is_null())
        .then(pl.lit(FILLED))
        .when(~known)
        .then(pl.lit(NO_CLASS))
        .when(same)
        .then(pl.lit(AGREE))
        .otherwise(pl.lit(CONFLICT))
        .alias(f"{name}_agreement")
    )


def count_agreement(table: pl.DataFrame, spec: NetworkSpec) -> list[Agreement]:
    """Count the outcomes of each label.

    Args:
        table: As `with_agreement` returns it.
        spec: Names the classes.
    """
    found = []
    for name in COMPARED:
        outcome = pl.col(f"{name}_agreement")
        sure = confidence(name, spec) >= SURE if name != "spacing" else pl.lit(False)
        counts = table.select(
            **{kind: (outcome == kind).sum() for kind in OUTCOMES},
            sure_conflict=((outcome == CONFLICT) & sure).sum(),
            sure_filled=((outcome == FILLED) & sure).sum(),
        ).row(0, named=True)
        found.append(Agreement(name, **counts))
    return found


def confidence(label: str, spec: NetworkSpec) -> pl.Expr:
    """Return how sure the network is: of a coverage, of the region of which it is least so."""
    columns = [pl.col(name) for name in probability_columns(spec, label)]
    if label != "coverage":
        return pl.max_horizontal(columns)
    return pl.min_horizontal(pl.max_horizontal(p, 1 - p) for p in columns)
