"""Say what a sequence is, from its parameters and physics alone: the truth of a series' label.

The weighting of a spin echo is how strongly its signal follows T1 and T2: the derivatives of its logarithm by
theirs, for grey matter. An inversion recovery is named by what it makes dark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from typing import Final

from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.signal import MrTechnique, mr_signal
from radnet.synthetic.tissue import Relaxation, tissues

WEIGHTED: Final = 0.45
"""Least weighting by T1 or T2 that counts; a spin echo with less of both shows proton density."""
SUPPRESSED: Final = 0.35
"""Share of a tissue's signal that may be left when it counts as made dark."""
STEP: Final = 1.001
"""Factor by which a time is changed to see what the signal does."""


def sequence_of(technique: CtTechnique | MrTechnique) -> str:
    """Return the word of `terms.SEQUENCES` that a technique makes.

    Args:
        technique: CT or MR parameters.
    """
    if isinstance(technique, CtTechnique):
        return "ct"
    if technique.family == "adc_map":
        return "adc"
    if technique.b_s_mm2:
        return "dwi"
    if technique.family == "gradient_echo":
        return "gre_t2star" if t2_weighting(technique) > t1_weighting(technique) else "gre_t1"
    return _spin_echo(technique) if technique.ti_ms is None else _inversion(technique)


def t1_weighting(technique: MrTechnique) -> float:
    """Return minus d log(signal) / d log(T1) of grey matter."""
    return -_slope(technique, lambda times: replace(times, t1_ms=times.t1_ms * STEP))


def t2_weighting(technique: MrTechnique) -> float:
    """Return d log(signal) / d log(T2) of grey matter; of T2* in a gradient echo."""
    return _slope(
        technique, lambda times: replace(times, t2_ms=times.t2_ms * STEP, t2star_ms=times.t2star_ms * STEP)
    )


def _slope(technique: MrTechnique, longer: Callable[[Relaxation], Relaxation]) -> float:
    native = replace(technique, phase="native")
    tissue = tissues()["grey_matter"]
    field_t = technique.field_t
    other = replace(tissue, relaxation={field_t: longer(tissue.relaxation[field_t])})
    return (log(mr_signal(other, native)) - log(mr_signal(tissue, native))) / log(STEP)


def _spin_echo(technique: MrTechnique) -> str:
    t1, t2 = t1_weighting(technique), t2_weighting(technique)
    if max(t1, t2) < WEIGHTED:
        return "pd"
    return "t1_se" if t1 > t2 else "t2_se"


def _inversion(technique: MrTechnique) -> str:
    native = replace(technique, phase="native", fat_saturated=False)
    plain = replace(native, ti_ms=None)
    table = tissues()
    left = {name: mr_signal(table[name], native) / mr_signal(table[name], plain) for name in ("fat", "csf")}
    if left["fat"] < SUPPRESSED and left["fat"] < left["csf"]:
        return "stir"
    grey, white = (mr_signal(table[name], native) for name in ("grey_matter", "white_matter"))
    return "t1_flair" if white > grey else "t2_flair"
