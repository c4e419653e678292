"""The closed formulas of MR signal: from the header's own parameters and a tissue to a number.

Signals keep their sign, and in gradient echoes the phase between fat and water, since a voxel on a border
adds them before the magnitude is taken: that makes the dark rims of opposed phases and of inversion. They are
relative: 1 is water that has relaxed fully and is read at once.
"""

from __future__ import annotations

from cmath import exp as complex_exp
from dataclasses import dataclass
from math import cos, exp, pi, radians, sin
from typing import Final, Literal

from radnet.synthetic.tissue import Phase, Relaxation, Tissue, tissues

FAT_SATURATION: Final = 0.92
"""Share of the fat's signal that saturation takes."""
FAT_SHIFT_PPM: Final = 3.4
"""Chemical shift between water and the main peak of fat."""
PROTON_MHZ_PER_T: Final = 42.577
ECHO_TRAIN: Final = 4
"""Echoes after one excitation from which fat is bright."""
FAT_TRAIN_T2: Final = 2.5
"""How much longer fat's T2 seems in an echo train, where J-coupling does not dephase it (Henkelman, J Magn
Reson Imaging 1992;2:533; the factor is an estimate)."""
ADC_FULL_SCALE: Final = 3.5
"""Diffusion coefficient that a map shows as 1, square micrometres a millisecond."""

Family = Literal["spin_echo", "gradient_echo", "adc_map"]
Species = Literal["both", "water", "fat"]


@dataclass(frozen=True, slots=True)
class MrTechnique:
    """How an MR series is made.

    Attributes:
        tr_ms: Repetition time.
        te_ms: Echo time.
        ti_ms: Inversion time; None without an inversion pulse.
        flip_deg: Flip angle; matters to gradient echoes.
        field_t: 1.5 or 3.0 tesla.
        family: Echo that is read, or a map computed from diffusion.
        b_s_mm2: Diffusion weighting.
        fat_saturated: Whether fat is suppressed by its frequency.
        phase: Whether gadolinium circulates, and since when.
        echo_train: Echoes read after one excitation.
        bandwidth_hz: Receiver bandwidth of a pixel.
        species: What a Dixon reconstruction shows.
        noise: Standard deviation of each channel's noise as a share of the brightest tissue.
        surface_coil: Whether the coil lies behind the back, as in spine imaging.
    """

    tr_ms: float
    te_ms: float
    ti_ms: float | None = None
    flip_deg: float = 90.0
    field_t: float = 1.5
    family: Family = "spin_echo"
    b_s_mm2: float = 0.0
    fat_saturated: bool = False
    phase: Phase = "native"
    echo_train: int = 1
    bandwidth_hz: float = 220.0
    species: Species = "both"
    noise: float = 0.012
    surface_coil: bool = False

    @property
    def contrast(self) -> bool:
        """Whether an agent circulates."""
        return self.phase != "native"


@dataclass(frozen=True, slots=True)
class Signal:
    """Signal of a voxel of one tissue.

    Attributes:
        water: Of its water.
        fat: Of its fat, with the phase that it has against water when the echo is read.
    """

    water: float
    fat: complex

    @property
    def magnitude(self) -> float:
        """What an image without noise shows."""
        return abs(self.water + self.fat)


def mr_signal(tissue: Tissue, technique: MrTechnique) -> float:
    """Return the magnitude that a tissue shows; see `signal_of`."""
    return signal_of(tissue, technique).magnitude


def signal_of(tissue: Tissue, technique: MrTechnique, fat: Tissue | None = None) -> Signal:
    """Return the signal of a tissue's water and fat.

    Spin echo: PD (1 - exp(-TR/T1)) exp(-TE/T2). With an inversion: PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) and
    the same decay. Spoiled gradient echo: PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*) with
    E1 = exp(-TR/T1); after an inversion, the recovery above times sin(a). All times exp(-b ADC), what
    saturation leaves of fat, what flow leaves of blood in a spin echo, and in a gradient echo fat's phase
    exp(2 pi i df TE).

    Args:
        tissue: A row of the table.
        technique: The header's parameters.
        fat: How the patient's fat relaxes; the table's without it.

    Source: Bernstein, King and Zhou, Handbook of MRI Pulse Sequences, 2004, chapters 14, 16 and 17.
    """
    if technique.family == "adc_map":
        return Signal(tissue.adc_um2_ms / ADC_FULL_SCALE, 0)
    share = tissue.fat_fraction
    diffusion = exp(-technique.b_s_mm2 * tissue.adc_um2_ms * 1e-3)
    own = tissue.relaxation[technique.field_t]
    if technique.contrast:
        own = own.with_gadolinium(tissue.gadolinium_mmol[technique.phase], technique.field_t)
    flow = 1.0 if technique.family == "gradient_echo" else 1 - tissue.flow_void
    water = tissue.proton_density * (1 - share) * _echo(own, technique) * diffusion * flow
    lipid = (fat or tissues()["fat"]).relaxation[technique.field_t]
    if technique.echo_train >= ECHO_TRAIN:
        lipid = Relaxation(lipid.t1_ms, min(lipid.t2_ms * FAT_TRAIN_T2, lipid.t1_ms), lipid.t2star_ms)
    kept = 1 - FAT_SATURATION * technique.fat_saturated
    oil = tissue.proton_density * share * _echo(lipid, technique) * diffusion * kept
    if technique.species == "water":
        return Signal(water, 0)
    if technique.species == "fat":
        return Signal(0, oil)
    return Signal(water, oil * fat_phase(technique))


def fat_phase(technique: MrTechnique) -> complex:
    """Return the phase of fat against water at the echo: 1 in phase, -1 in opposed phase.

    A spin echo refocuses the shift.
    """
    if technique.family != "gradient_echo":
        return 1
    return complex_exp(2j * pi * fat_shift_hz(technique.field_t) * technique.te_ms / 1000)


def fat_shift_hz(field_t: float) -> float:
    """Return the frequency between water and fat."""
    return FAT_SHIFT_PPM * PROTON_MHZ_PER_T * field_t


def _echo(times: Relaxation, technique: MrTechnique) -> float:
    """Return what one proton in full relaxation gives: the recovery before the pulse times the decay."""
    gradient = technique.family == "gradient_echo"
    flip = radians(technique.flip_deg)
    recovered = exp(-technique.tr_ms / times.t1_ms)
    if technique.ti_ms is not None:
        excited = 1 - 2 * exp(-technique.ti_ms / times.t1_ms) + recovered
        excited *= sin(flip) if gradient else 1.0
    elif gradient:
        excited = sin(flip) * (1 - recovered) / (1 - cos(flip) * recovered)
    else:
        excited = 1 - recovered
    return excited * exp(-technique.te_ms / (times.t2star_ms if gradient else times.t2_ms))
