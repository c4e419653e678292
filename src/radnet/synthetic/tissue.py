"""What scanners see of each tissue: the one table, `tissues.csv`, with a source for every row.

Values are typical means of healthy adults; `varied` spreads them as patients differ. CT numbers and
concentrations of gadolinium are given without an agent and in three phases after it: late arterial (35 s),
portal venous (70 s) and delayed (5 min), for the usual dose of 0.1 mmol/kg in MR.

Sources: Stanisz, Magn Reson Med 2005;54:507. de Bazelaire, Radiology 2004;230:652. Rooney, Magn Reson Med
2007;57:308. Wansapura, J Magn Reson Imaging 1999;9:531. Peters, Magn Reson Imaging 2007;25:748. Rakow-Penner,
J Magn Reson Imaging 2006;23:87. Bae, Radiology 2010;256:32. Prokop, Spiral and Multislice CT of the Body,
2003. Rohrer, Invest Radiol 2005;40:715. All values are from memory of these papers and were not read again
for this table; a row that says estimate has no paper of its own, and the concentrations of gadolinium are
estimates throughout: they follow the CT numbers of the phases.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Final, Literal

import numpy as np

R1_PER_MMOL: Final = {1.5: 4.1, 3.0: 3.7}
"""Longitudinal relaxivity of gadopentetate in plasma, 1/s per mmol/l, by field (Rohrer 2005)."""
R2_PER_MMOL: Final = {1.5: 4.6, 3.0: 5.2}
"""Transverse relaxivity of gadopentetate in plasma, 1/s per mmol/l, by field (Rohrer 2005)."""

Phase = Literal["native", "arterial", "portal", "delayed"]
"""Time after an injection; native is without an agent."""
PHASES: Final[tuple[Phase, ...]] = ("native", "arterial", "portal", "delayed")

_FIELDS: Final = ((1.5, "1p5t"), (3.0, "3t"))


@dataclass(frozen=True, slots=True)
class Relaxation:
    """How a tissue relaxes at one field strength.

    Attributes:
        t1_ms: Longitudinal relaxation time.
        t2_ms: Transverse relaxation time of a spin echo.
        t2star_ms: Transverse relaxation time of a gradient echo.
    """

    t1_ms: float
    t2_ms: float
    t2star_ms: float

    def with_gadolinium(self, mmol: float, field_t: float) -> Relaxation:
        """Shorten the times by an agent's relaxivities.

        Args:
            mmol: Concentration of gadolinium in the tissue, mmol/l.
            field_t: 1.5 or 3.0 tesla.
        """
        r1 = R1_PER_MMOL[field_t] * mmol / 1000
        r2 = R2_PER_MMOL[field_t] * mmol / 1000
        return Relaxation(1 / (1 / self.t1_ms + r1), 1 / (1 / self.t2_ms + r2), 1 / (1 / self.t2star_ms + r2))


@dataclass(frozen=True, slots=True)
class Tissue:
    """A row of the table.

    Attributes:
        name: The row's key.
        hu: CT number by phase, HU.
        relaxation: By field strength in tesla: 1.5 and 3.0.
        proton_density: Relative to water.
        fat_fraction: Share of the protons that are fat's: they are saturated, shifted and rephased as fat.
        gadolinium_mmol: Concentration by phase, mmol/l.
        adc_um2_ms: Apparent diffusion coefficient, square micrometres a millisecond (1e-3 mm2/s).
        flow_void: Share of a spin echo's signal that is lost because the tissue flows away between pulses.
        texture: Standard deviation of the values inside an organ, as a share of them (of 100 HU in CT).
    """

    name: str
    hu: dict[Phase, float]
    relaxation: dict[float, Relaxation]
    proton_density: float
    fat_fraction: float
    gadolinium_mmol: dict[Phase, float]
    adc_um2_ms: float
    flow_void: float
    texture: float


@cache
def tissues() -> dict[str, Tissue]:
    """Read the table: tissues by name."""
    text = resources.files("radnet.synthetic").joinpath("tissues.csv").read_text("utf-8")
    return {row["tissue"]: _tissue(row) for row in csv.DictReader(text.splitlines())}


def _tissue(row: dict[str, str]) -> Tissue:
    number = {key: float(value) for key, value in row.items() if key not in ("tissue", "source")}
    return Tissue(
        name=row["tissue"],
        hu={phase: number["hu" if phase == "native" else f"hu_{phase}"] for phase in PHASES},
        relaxation={
            tesla: Relaxation(number[f"t1_{key}_ms"], number[f"t2_{key}_ms"], number[f"t2star_{key}_ms"])
            for tesla, key in _FIELDS
        },
        gadolinium_mmol={phase: 0.0 if phase == "native" else number[f"gd_{phase}_mmol"] for phase in PHASES},
        **{
            key: number[key]
            for key in ("proton_density", "fat_fraction", "adc_um2_ms", "flow_void", "texture")
        },
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the tissues of a patient lie from the table: standard deviations.

    Attributes:
        hu: Of a CT number, HU.
        uptake: Of the uptake of an agent, as a share of it.
        t1: Of T1, as a share of it.
        t2: Of T2 and T2*, as a share of them.
        proton_density: As a share of it.
        steatosis: Of the fat that every second patient's liver and pancreas hold besides.
        flow: Of the logarithm of the exponent by which flow empties vessels more or less.
    """

    hu: float = 4.0
    uptake: float = 0.3
    t1: float = 0.07
    t2: float = 0.10
    proton_density: float = 0.04
    steatosis: float = 0.06
    flow: float = 0.5


NO_SPREAD: Final = Spread(0, 0, 0, 0, 0, 0, 0)
"""The values of the table."""
FATTY: Final = frozenset({"liver", "pancreas"})
"""Organs that may hold fat."""
STEATOSIS_HU: Final = 150.0
"""Fall of the CT number for a whole share of fat (from memory: about 1.5 HU for one percent)."""
RIGID: Final = frozenset({"air", "metal", "table", "table_core", "cloth"})
"""What no patient is made of; its values stay."""


def varied(tissue: Tissue, spread: Spread, rng: np.random.Generator) -> Tissue:
    """Return a tissue as one patient has it.

    Args:
        tissue: A row of the table.
        spread: How far patients differ.
        rng: Draws seven numbers, whatever the tissue.
    """
    z = np.clip(rng.standard_normal(7), -2.5, 2.5).tolist()
    if tissue.name in RIGID or spread == NO_SPREAD:
        return tissue
    t1, t2 = np.exp(spread.t1 * z[2]), np.exp(spread.t2 * z[3])
    uptake = float(np.exp(spread.uptake * z[1]))
    native = tissue.hu["native"] + spread.hu * z[0] * max(1.0, abs(tissue.hu["native"]) / 150)
    steatosis = spread.steatosis * max(0.0, z[5]) if tissue.name in FATTY else 0.0
    native -= steatosis * STEATOSIS_HU
    relaxation = {}
    for tesla, times in tissue.relaxation.items():
        t2_ms = min(times.t2_ms * t2, times.t1_ms * t1)
        relaxation[tesla] = Relaxation(times.t1_ms * t1, t2_ms, min(times.t2star_ms * t2, t2_ms))
    return replace(
        tissue,
        hu={phase: native + uptake * (hu - tissue.hu["native"]) for phase, hu in tissue.hu.items()},
        relaxation=relaxation,
        fat_fraction=tissue.fat_fraction + steatosis,
        flow_void=tissue.flow_void ** float(np.exp(spread.flow * z[6])),
        proton_density=min(tissue.proton_density * float(np.exp(spread.proton_density * z[4])), 1.05),
        gadolinium_mmol={phase: mmol * uptake for phase, mmol in tissue.gadolinium_mmol.items()},
    )
