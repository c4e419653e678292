"""What scanners see of each tissue: the one table, `tissues.csv`, with a source for every row.

Values are typical means of healthy adults, not a model of their spread. CT numbers with contrast are those
of the portal venous phase; gadolinium is the concentration some minutes after 0.1 mmol/kg.

Sources: Stanisz, Magn Reson Med 2005;54:507. de Bazelaire, Radiology 2004;230:652. Rooney, Magn Reson Med
2007;57:308. Wansapura, J Magn Reson Imaging 1999;9:531. Peters, Magn Reson Imaging 2007;25:748. Rakow-Penner,
J Magn Reson Imaging 2006;23:87. Bae, Radiology 2010;256:32. Prokop, Spiral and Multislice CT of the Body,
2003. Rohrer, Invest Radiol 2005;40:715.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

R1_PER_MMOL: Final = {1.5: 4.1, 3.0: 3.7}
"""Longitudinal relaxivity of gadopentetate in plasma, 1/s per mmol/l, by field (Rohrer 2005)."""
R2_PER_MMOL: Final = {1.5: 4.6, 3.0: 5.2}
"""Transverse relaxivity of gadopentetate in plasma, 1/s per mmol/l, by field (Rohrer 2005)."""


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
        hu: CT number without contrast, HU.
        hu_contrast: CT number in the portal venous phase, HU.
        relaxation: By field strength in tesla: 1.5 and 3.0.
        proton_density: Relative to water.
        fat_fraction: Share of the signal that fat saturation takes.
        gadolinium_mmol: Concentration after an injection, mmol/l.
        adc_um2_ms: Apparent diffusion coefficient, square micrometres a millisecond (1e-3 mm2/s).
        flow_void: Share of a spin echo's signal that is lost because the tissue flows away between pulses.
        texture: Standard deviation of the values inside an organ, as a share of them (of 100 HU in CT).
    """

    name: str
    hu: float
    hu_contrast: float
    relaxation: dict[float, Relaxation]
    proton_density: float
    fat_fraction: float
    gadolinium_mmol: float
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
        relaxation={
            tesla: Relaxation(number[f"t1_{key}_ms"], number[f"t2_{key}_ms"], number[f"t2star_{key}_ms"])
            for tesla, key in ((1.5, "1p5t"), (3.0, "3t"))
        },
        **{
            key: number[key]
            for key in (
                "hu",
                "hu_contrast",
                "proton_density",
                "fat_fraction",
                "gadolinium_mmol",
                "adc_um2_ms",
                "flow_void",
                "texture",
            )
        },
    )
