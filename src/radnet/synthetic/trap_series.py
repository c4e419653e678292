"""Short ways to set up the series of the trap visits; all of them small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from radnet.synthetic import protocols as p
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.protocols import Field, Protocol, View
from radnet.synthetic.signal import MrTechnique

MATRIX: Final = 64
"""Rows and columns."""
UNTOLD_CONTRAST: Final = ("contrast",)


def ct(
    description: str,
    field: Field,
    technique: CtTechnique = p.NATIVE,
    spacing_mm: float = 12.0,
    view: View = "axial",
    **given: Any,
) -> Protocol:
    """Set up a CT series."""
    sequence = given.pop("sequence", "ct")
    return Protocol(sequence, description, field, view, technique, spacing_mm, matrix=MATRIX, **given)


def scout(description: str, field: Field, **given: Any) -> Protocol:
    """Set up the projection from which a CT is planned."""
    return ct(description, field, p.SCOUT, view="coronal", sequence="localizer", trap="scout", **given)


def mr(
    sequence: str,
    description: str,
    field: Field,
    technique: MrTechnique,
    spacing_mm: float = 8.0,
    view: View = "axial",
    **given: Any,
) -> Protocol:
    """Set up an MR series."""
    return Protocol(sequence, description, field, view, technique, spacing_mm, matrix=MATRIX, **given)


def localizer(description: str, field: Field, **given: Any) -> Protocol:
    """Set up three single planes from which an MR is planned."""
    return mr("localizer", description, field, p.FLASH, 10.0, trap="localizer", **given)


def after(technique: MrTechnique) -> MrTechnique:
    """Return a technique as it is after gadolinium."""
    return replace(technique, phase="delayed")


ARTERIAL: Final = CtTechnique(phase="arterial", noise_hu=12)
DELAYED: Final = CtTechnique(phase="delayed", noise_hu=12)
ORAL: Final = CtTechnique(oral=True, noise_hu=12)
BONE: Final = CtTechnique(noise_hu=18, kernel="bone")
BONE_CONTRAST: Final = CtTechnique(phase="portal", noise_hu=18, kernel="bone")
LOW_KVP: Final = CtTechnique(phase="portal", noise_hu=16, kvp=80)
HIGH_KVP: Final = CtTechnique(phase="portal", noise_hu=14, kvp=140)

T1_IR: Final = MrTechnique(tr_ms=2000, te_ms=12, ti_ms=800, echo_train=7)
T2_STAR: Final = MrTechnique(tr_ms=650, te_ms=20, flip_deg=20, family="gradient_echo")
SWI: Final = MrTechnique(tr_ms=28, te_ms=20, flip_deg=15, family="gradient_echo", field_t=3.0)
TOF: Final = MrTechnique(tr_ms=24, te_ms=6.8, flip_deg=20, family="gradient_echo")
BOLD: Final = MrTechnique(tr_ms=2000, te_ms=30, flip_deg=80, family="gradient_echo", bandwidth_hz=2000)
BOLUS: Final = replace(BOLD, tr_ms=1500, phase="arterial")
LABELLED: Final = MrTechnique(tr_ms=4800, te_ms=11, field_t=3.0, echo_train=20)
IN_PHASE: Final = MrTechnique(tr_ms=150, te_ms=4.6, flip_deg=70, family="gradient_echo")
OPPOSED: Final = replace(IN_PHASE, te_ms=2.3)
WATER: Final = replace(p.VIBE, fat_saturated=False, species="water")
FAT: Final = replace(p.VIBE, fat_saturated=False, species="fat")
SPIR_T2: Final = replace(p.T2_SE, fat_saturated=True)
EARLY_VIBE: Final = replace(p.VIBE, phase="arterial")
B_ZERO: Final = replace(p.DWI, b_s_mm2=0.0)
B_500: Final = replace(p.DWI, b_s_mm2=500.0)
DUAL_ECHO_PD: Final = replace(p.PD, tr_ms=3500, te_ms=14)
DUAL_ECHO_T2: Final = replace(p.T2_SE, tr_ms=3500, te_ms=92)
