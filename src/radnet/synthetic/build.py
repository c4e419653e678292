"""Who is painted: sex, size, age, posture, the size and place of the organs, and what is wrong with them.

A build is drawn from a seed; whatever the caller names is kept and the rest is drawn around it. Distributions
are chosen to span the adults of a hospital, not to estimate a population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from radnet.errors import BodyError

Sex = Literal["F", "M"]
Arms = Literal["up", "down"]
Finding = Literal[
    "absent_kidney",
    "brain_tumour",
    "breast_tumour",
    "dental_filling",
    "gallstones",
    "hip_prosthesis",
    "kidney_cyst",
    "liver_cyst",
    "liver_tumour",
    "lung_mass",
    "lung_nodule",
    "pleural_effusion",
    "spine_screws",
]

LIMITS: Final = MappingProxyType(
    {
        "height_mm": (1400.0, 2100.0),
        "weight_kg": (35.0, 180.0),
        "age_years": (18.0, 100.0),
        "kyphosis": (0.0, 2.0),
        "lordosis": (0.0, 2.0),
        "scoliosis_mm": (-15.0, 15.0),
        "breath": (0.0, 1.0),
        "visceral_share": (0.3, 2.0),
    }
)
"""Least and greatest value of each number of a build."""

SPREAD: Final = MappingProxyType(
    {
        "liver": 0.07,
        "spleen": 0.10,
        "left_kidney": 0.05,
        "right_kidney": 0.05,
        "pancreas": 0.10,
        "stomach": 0.24,
        "bowel": 0.08,
        "colon": 0.12,
        "gallbladder": 0.18,
        "bladder": 0.25,
        "prostate": 0.12,
        "uterus": 0.10,
        "heart": 0.05,
        "aorta": 0.07,
        "thyroid": 0.12,
        "breast": 0.18,
        "ventricles": 0.12,
        "head": 0.025,
    }
)
"""Organs whose size and place vary, and the deviation of their linear size."""
SHIFT_MM: Final = 4.0
"""Deviation of an organ's place along each axis."""

CHANCES: Final[Mapping[Finding, float]] = MappingProxyType(
    {
        "absent_kidney": 0.02,
        "brain_tumour": 0.06,
        "breast_tumour": 0.06,
        "dental_filling": 0.25,
        "gallstones": 0.06,
        "hip_prosthesis": 0.03,
        "kidney_cyst": 0.15,
        "liver_cyst": 0.10,
        "liver_tumour": 0.08,
        "lung_mass": 0.05,
        "lung_nodule": 0.10,
        "pleural_effusion": 0.08,
        "spine_screws": 0.02,
    }
)
"""How often each finding is drawn."""


@dataclass(frozen=True, slots=True)
class Organ:
    """How one organ departs from the reference adult's.

    Attributes:
        size: Linear, against the reference.
        shift: Of its place along x, y and z, mm.
    """

    size: float = 1.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Build:
    """An adult before it is painted.

    Attributes:
        sex: F or M.
        height_mm: Standing.
        weight_kg: With the height, it says how much fat lies under the skin and in the belly.
        age_years: Widens ventricles and sulci, thins muscles and bones, stiffens the back.
        arms: Beside the head (up) or beside the trunk (down).
        kyphosis: Curve of the chest's spine against the reference.
        lordosis: Curve of the loin's spine against the reference.
        scoliosis_mm: Sideways bow of the spine, to the left when positive.
        breath: From 0, breathed out, to 1, breathed in.
        visceral_share: Fat in the belly against what weight, age and sex let expect.
        organs: By name (`SPREAD`); what is missing is as in the reference adult.
        findings: What is wrong.

    Raises:
        BodyError: If a number lies outside `LIMITS` or a name is unknown.
    """

    sex: Sex = "M"
    height_mm: float = 1750.0
    weight_kg: float = 75.0
    age_years: float = 45.0
    arms: Arms = "up"
    kyphosis: float = 1.0
    lordosis: float = 1.0
    scoliosis_mm: float = 0.0
    breath: float = 0.5
    visceral_share: float = 1.0
    organs: Mapping[str, Organ] = field(default_factory=dict, hash=False)
    findings: frozenset[Finding] = frozenset()

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise BodyError(f"a body's {name} is {value:g}; expected {least:g} to {most:g}")
        _check_names("sex", {self.sex}, {"F", "M"})
        _check_names("arms", {self.arms}, {"up", "down"})
        _check_names("organ", set(self.organs), set(SPREAD))
        _check_names("finding", set(self.findings), set(CHANCES))

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m2."""
        return self.weight_kg / (self.height_mm / 1000) ** 2

    @property
    def fat_percent(self) -> float:
        """Body fat as a share of the weight: 1.20 BMI + 0.23 age - 10.8 (men) - 5.4.

        Source: Deurenberg, Br J Nutr 1991;65:105 (cited from memory).
        """
        share = 1.2 * self.bmi + 0.23 * self.age_years - 10.8 * (self.sex == "M") - 5.4
        return min(max(share, 4.0), 60.0)

    def organ(self, name: str) -> Organ:
        """Return an organ's departure; none if it is not listed."""
        return self.organs.get(name, Organ())


def _check_names(what: str, got: set[str], known: set[str]) -> None:
    unknown = sorted(got - known)
    if unknown:
        raise BodyError(f"unknown {what} '{unknown[0]}' of a body; known are {', '.join(sorted(known))}")


def draw_build(seed: int, **given: Any) -> Build:
    """Draw an adult.

    Args:
        seed: Equal seeds give equal builds.
        given: Fields of `Build` that are not to be drawn.

    Raises:
        BodyError: If a given value is out of bounds, or no field has a given name.
    """
    _check_names("field", set(given), set(Build.__dataclass_fields__))
    rng = np.random.default_rng([seed, 0xB01D])
    sex: Sex = "M" if rng.random() < 0.5 else "F"
    sex = given.get("sex", sex)
    height = float(np.clip(rng.normal(1750 if sex == "M" else 1620, 68), *LIMITS["height_mm"]))
    bmi = float(np.clip(np.exp(rng.normal(3.24, 0.19)), 16.5, 46))
    height = float(given.get("height_mm", height))
    drawn: dict[str, Any] = {
        "sex": sex,
        "height_mm": round(height, 1),
        "weight_kg": round(float(np.clip(bmi * (height / 1000) ** 2, *LIMITS["weight_kg"])), 1),
        "age_years": round(float(rng.triangular(18, 62, 92)), 1),
        "arms": "up" if rng.random() < 0.6 else "down",
        "kyphosis": round(float(np.clip(rng.normal(1, 0.3), 0.2, 2)), 3),
        "lordosis": round(float(np.clip(rng.normal(1, 0.3), 0.2, 2)), 3),
        "scoliosis_mm": round(float(np.clip(rng.normal(0, 4), -12, 12)), 2),
        "breath": round(float(rng.beta(2.5, 1.5)), 3),
        "visceral_share": round(float(np.clip(np.exp(rng.normal(0, 0.25)), 0.45, 1.9)), 3),
        "organs": _draw_organs(rng),
        "findings": frozenset(name for name, chance in CHANCES.items() if rng.random() < chance),
    }
    return replace(Build(**drawn), **given)


def _draw_organs(rng: np.random.Generator) -> Mapping[str, Organ]:
    organs = {}
    for name, deviation in SPREAD.items():
        size = round(float(np.clip(np.exp(rng.normal(0, deviation)), 0.6, 1.6)), 3)
        x, y, z = (round(float(np.clip(value, -8, 8)), 2) for value in rng.normal(0, SHIFT_MM, 3))
        organs[name] = Organ(size, (x, y, z))
    return organs
