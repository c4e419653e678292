"""Draw the parameters of a scan as protocols of real departments set them.

Ranges are those of clinical protocols at 1.5 and 3 T, from memory; each technique is drawn again until
physics (`weighting`) gives it the name that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, log
from typing import Final

import numpy as np

from radnet.errors import RadnetError
from radnet.synthetic.ct import CtTechnique, Kernel
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.tissue import Phase, tissues
from radnet.synthetic.weighting import sequence_of

ATTEMPTS: Final = 50
AGENT_PHASES: Final[tuple[Phase, ...]] = ("arterial", "portal", "delayed")
FIELDS_T: Final = (1.5, 3.0)


def draw_technique(sequence: str, contrast: bool, rng: np.random.Generator) -> CtTechnique | MrTechnique:
    """Draw a technique.

    Args:
        sequence: What the pictures show, one of `SEQUENCES_DRAWN`.
        contrast: Whether an agent circulates.
        rng: Where the numbers come from.

    Raises:
        RadnetError: If the sequence is not one that can be drawn.
    """
    if sequence == "ct":
        return _ct(contrast, rng)
    if sequence not in _DRAWS:
        known = ", ".join(SEQUENCES_DRAWN)
        raise RadnetError(f"sequence {sequence!r} has no physics here; ask for one of: {known}")
    for _ in range(ATTEMPTS):
        field_t = float(rng.choice(FIELDS_T))
        technique = _DRAWS[sequence](rng, field_t)
        technique = replace(
            technique,
            field_t=field_t,
            phase=_mr_phase(contrast, rng),
            noise=_between_logs(rng, 0.003, 0.022),
            bandwidth_hz=_between_logs(rng, 120, 500) * (1 if field_t < 2 else 1.5),
        )
        if sequence_of(technique) == sequence:
            return technique
    raise RadnetError(
        f"sequence {sequence!r}: no parameters within {ATTEMPTS} draws make it; mend its ranges"
    )


def _ct(contrast: bool, rng: np.random.Generator) -> CtTechnique:
    kernel: Kernel = rng.choice(["soft", "bone", "lung"], p=[0.7, 0.15, 0.15])
    loudness = 1.0 if kernel == "soft" else 2.5
    return CtTechnique(
        phase=AGENT_PHASES[int(rng.choice(3, p=[0.25, 0.5, 0.25]))] if contrast else "native",
        noise_hu=_between_logs(rng, 4, 25) * loudness,
        kernel=kernel,
        oral=bool(rng.random() < 0.3),
        kvp=int(rng.choice([80, 100, 120, 140], p=[0.08, 0.27, 0.55, 0.10])),
    )


def _mr_phase(contrast: bool, rng: np.random.Generator) -> Phase:
    return AGENT_PHASES[int(rng.choice(3, p=[0.1, 0.3, 0.6]))] if contrast else "native"


def _between_logs(rng: np.random.Generator, low: float, high: float) -> float:
    return float(exp(rng.uniform(log(low), log(high))))


def _t1_se(rng: np.random.Generator, field_t: float) -> MrTechnique:
    tr_ms = rng.uniform(350, 800) if field_t < 2 else rng.uniform(450, 1000)
    train = int(rng.choice([1, 2, 3, 5]))
    saturated = bool(rng.random() < 0.3)
    return MrTechnique(tr_ms, rng.uniform(7, 20), echo_train=train, fat_saturated=saturated)


def _t2_se(rng: np.random.Generator, field_t: float) -> MrTechnique:
    saturated = bool(rng.random() < 0.35)
    kind = rng.choice(["turbo", "single_shot", "spin"], p=[0.7, 0.2, 0.1])
    if kind == "single_shot":
        return MrTechnique(
            rng.uniform(900, 2500), rng.uniform(70, 180), echo_train=128, fat_saturated=saturated
        )
    if kind == "spin":
        return MrTechnique(rng.uniform(2000, 3500), rng.uniform(80, 110))
    train = int(rng.integers(7, 33))
    return MrTechnique(
        rng.uniform(2500, 7500), rng.uniform(70, 130), echo_train=train, fat_saturated=saturated
    )


def _t1_flair(rng: np.random.Generator, field_t: float) -> MrTechnique:
    tr_ms = rng.uniform(1700, 3000)
    ti_ms = _null_ms("csf", field_t, tr_ms) * rng.uniform(0.8, 1.1)
    train = int(rng.integers(4, 11))
    saturated = bool(rng.random() < 0.15)
    return MrTechnique(tr_ms, rng.uniform(7, 30), ti_ms, echo_train=train, fat_saturated=saturated)


def _t2_flair(rng: np.random.Generator, field_t: float) -> MrTechnique:
    tr_ms = rng.uniform(4800, 11500)
    ti_ms = _null_ms("csf", field_t, tr_ms) * rng.uniform(0.93, 1.04)
    train = int(rng.integers(8, 40))
    saturated = bool(rng.random() < 0.35)
    return MrTechnique(tr_ms, rng.uniform(80, 150), ti_ms, echo_train=train, fat_saturated=saturated)


def _pd(rng: np.random.Generator, field_t: float) -> MrTechnique:
    saturated = bool(rng.random() < 0.4)
    train = int(rng.choice([1, 4, 7]))
    return MrTechnique(rng.uniform(2200, 5000), rng.uniform(8, 40), echo_train=train, fat_saturated=saturated)


def _stir(rng: np.random.Generator, field_t: float) -> MrTechnique:
    tr_ms = rng.uniform(3000, 7000)
    ti_ms = _null_ms("fat", field_t, tr_ms) * rng.uniform(0.85, 1.1)
    return MrTechnique(tr_ms, rng.uniform(25, 90), ti_ms, echo_train=int(rng.integers(5, 20)))


def _gre_t1(rng: np.random.Generator, field_t: float) -> MrTechnique:
    kind = rng.choice(["interpolated", "flash", "prepared"], p=[0.4, 0.3, 0.3])
    if kind == "prepared":
        return MrTechnique(
            rng.uniform(1500, 2500),
            rng.uniform(2, 5),
            rng.uniform(700, 1100),
            rng.uniform(7, 15),
            family="gradient_echo",
        )
    if kind == "flash":
        return MrTechnique(
            rng.uniform(80, 250),
            rng.uniform(2, 6),
            flip_deg=rng.uniform(60, 85),
            family="gradient_echo",
            fat_saturated=bool(rng.random() < 0.3),
        )
    return MrTechnique(
        rng.uniform(3.5, 8),
        rng.uniform(1.2, 3),
        flip_deg=rng.uniform(9, 25),
        family="gradient_echo",
        fat_saturated=bool(rng.random() < 0.6),
    )


def _gre_t2star(rng: np.random.Generator, field_t: float) -> MrTechnique:
    return MrTechnique(
        rng.uniform(400, 1000), rng.uniform(14, 35), flip_deg=rng.uniform(10, 25), family="gradient_echo"
    )


def _dwi(rng: np.random.Generator, field_t: float) -> MrTechnique:
    return MrTechnique(
        rng.uniform(3000, 9000),
        rng.uniform(55, 100),
        b_s_mm2=float(rng.choice([400, 600, 800, 1000, 1500])),
        fat_saturated=True,
        echo_train=64,
    )


def _adc(rng: np.random.Generator, field_t: float) -> MrTechnique:
    return MrTechnique(rng.uniform(3000, 9000), rng.uniform(55, 100), family="adc_map", echo_train=64)


_DRAWS: Final[dict[str, Callable[[np.random.Generator, float], MrTechnique]]] = {
    "t1_se": _t1_se,
    "t2_se": _t2_se,
    "t1_flair": _t1_flair,
    "t2_flair": _t2_flair,
    "pd": _pd,
    "stir": _stir,
    "gre_t1": _gre_t1,
    "gre_t2star": _gre_t2star,
    "dwi": _dwi,
    "adc": _adc,
}
SEQUENCES_DRAWN: Final = ("ct", *_DRAWS)
"""Sequences that have physics here, words of `terms.SEQUENCES`."""


def _null_ms(tissue: str, field_t: float, tr_ms: float) -> float:
    """Return the inversion time at which a tissue of the table has no signal."""
    t1_ms = tissues()[tissue].relaxation[field_t].t1_ms
    return t1_ms * log(2 / (1 + exp(-tr_ms / t1_ms)))
