"""What the drawn examinations are called: descriptions of studies and series as departments write them.

Descriptions are in the manner of the vendors (from memory of their protocols), not copied from any archive.
"""

from __future__ import annotations

from typing import Final, Literal

from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.protocols import Vendor, View
from radnet.synthetic.signal import MrTechnique

Modality = Literal["CT", "MR"]
Examination = Literal[
    "head",
    "face",
    "head_neck",
    "neck",
    "chest",
    "trunk",
    "breast",
    "abdomen",
    "abdomen_pelvis",
    "kidney",
    "pelvis",
]

VENDORS: Final[dict[Modality, tuple[Vendor, ...]]] = {
    "CT": ("siemens", "ge", "philips", "toshiba"),
    "MR": ("siemens", "ge", "philips"),
}
AGENTS: Final[dict[Modality, tuple[str, ...]]] = {
    "CT": ("OMNIPAQUE 350", "Ultravist 370", "Iopamidol 300", "VISIPAQUE 320"),
    "MR": ("Magnevist", "GADAVIST", "Dotarem", "MULTIHANCE"),
}
HEADS: Final[tuple[Examination, ...]] = ("head", "face")
"""Examinations of nothing wider than a head."""

BODY_PARTS: Final[dict[Examination, str]] = {
    "head": "HEAD",
    "face": "HEAD",
    "head_neck": "HEADNECK",
    "neck": "NECK",
    "chest": "CHEST",
    "trunk": "CHEST_TO_PELVIS",
    "breast": "BREAST",
    "abdomen": "ABDOMEN",
    "abdomen_pelvis": "ABDOMEN PELVIS",
    "kidney": "KIDNEY",
    "pelvis": "PELVIS",
}
PARTS: Final[dict[Examination, str]] = {
    "head": "Brain",
    "face": "Brain and Sinuses",
    "head_neck": "Head and Neck",
    "neck": "soft tissue neck",
    "chest": "Chest",
    "trunk": "Chest Abdomen Pelvis",
    "breast": "Breast bilateral",
    "abdomen": "Abdomen",
    "abdomen_pelvis": "Abdomen Pelvis",
    "kidney": "Kidneys",
    "pelvis": "Pelvis",
}
LOCALIZERS: Final[dict[Modality, dict[Vendor, str]]] = {
    "CT": {"siemens": "Topogram", "ge": "Scout", "philips": "Surview", "toshiba": "Scano"},
    "MR": {"siemens": "localizer", "ge": "3 Plane Loc", "philips": "Survey"},
}
_PLANES: Final[dict[str, dict[View, str]]] = {
    "siemens": {"axial": "tra", "coronal": "cor", "sagittal": "sag"},
    "other": {"axial": "AX", "coronal": "COR", "sagittal": "SAG"},
}
_PULSES: Final[dict[str, dict[str, str]]] = {
    "siemens": {"t1_se": "t1_se", "t2_se": "t2_tse", "t1_flair": "t1_tirm", "t2_flair": "t2_tirm"},
    "ge": {"t1_se": "T1 FSE", "t2_se": "T2 FRFSE", "t1_flair": "T1 FLAIR", "t2_flair": "T2 FLAIR"},
    "other": {"t1_se": "T1W_TSE", "t2_se": "T2W_TSE", "t1_flair": "T1 FLAIR", "t2_flair": "FLAIR"},
}
DARK_FLUID: Final = "_dark-fluid"
"""End of a Siemens FLAIR's name."""


def study(examination: Examination, modality: Modality, agent: bool) -> str:
    """Return a study description.

    Args:
        examination: What is examined.
        modality: CT or MR.
        agent: Whether any of its series has a contrast agent.
    """
    machine = "CT" if modality == "CT" else "MRI"
    return f"{machine} {PARTS[examination]} {'with' if agent else 'without'} contrast"


def protocol(vendor: Vendor, examination: Examination, sequence: str) -> str:
    """Return a protocol name: one for all series of a CT study; empty for MR, which names every series."""
    if sequence != "ct":
        return ""
    return f"{PARTS[examination].replace(' ', '')}{'Routine' if vendor == 'siemens' else ''}"


def series(
    vendor: Vendor,
    examination: Examination,
    sequence: str,
    view: View,
    technique: CtTechnique | MrTechnique,
    spacing_mm: float,
) -> str:
    """Return a series description as a scanner of the vendor would have it."""
    plane = _PLANES.get(vendor, _PLANES["other"])[view]
    if isinstance(technique, CtTechnique):
        return _ct(vendor, PARTS[examination], plane, technique, spacing_mm)
    pulse = _PULSES.get(vendor, _PULSES["other"])[sequence]
    if vendor == "siemens":
        dark = DARK_FLUID if sequence == "t2_flair" else ""
        fat = "_fs" if technique.fat_saturated else ""
        return f"{pulse}{fat}_{plane}{dark}{'_KM' if technique.contrast else ''}"
    fat = " FS" if technique.fat_saturated else ""
    agent = (" +C" if vendor == "ge" else " GD") if technique.contrast else ""
    return f"{plane} {pulse}{fat}{agent}"


def _ct(vendor: Vendor, part: str, plane: str, technique: CtTechnique, spacing_mm: float) -> str:
    width = f"{spacing_mm:.1f}"
    if vendor == "siemens":
        phase = "" if technique.phase == "native" else f" {technique.phase}"
        return f"{part}{phase} {plane} {width}"
    agent = " W" if technique.contrast else ""
    return f"{plane} {part.upper()}{agent} {width}MM"
