"""The organs that masks are named after, and their codes in SNOMED CT.

A name is a plain word; `left_` and `right_` before it say the side of a paired organ, which DICOM writes as a
modifier of the organ's code. Sides are the patient's, never the picture's.

Source: DICOM PS3.16, CID 7150 for the category, CID 7151 for the organs, CID 244 for the sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEME: Final = "SCT"
"""Coding scheme designator of SNOMED CT."""
ORGAN_CATEGORY: Final = ("91723000", "Anatomical Structure")
SIDES: Final = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}

ORGANS: Final[dict[str, tuple[str, str]]] = {
    "liver": ("10200004", "Liver"),
    "spleen": ("78961009", "Spleen"),
    "kidney": ("64033007", "Kidney"),
    "lung": ("39607008", "Lung"),
    "brain": ("12738006", "Brain"),
    "heart": ("80891009", "Heart"),
    "aorta": ("15825003", "Aorta"),
    "pancreas": ("15776009", "Pancreas"),
    "gallbladder": ("28231008", "Gallbladder"),
    "stomach": ("69695003", "Stomach"),
    "intestine": ("113276009", "Intestine"),
    "small_intestine": ("30315005", "Small intestine"),
    "large_intestine": ("14742008", "Large intestine"),
    "bladder": ("89837001", "Bladder"),
    "prostate": ("41216001", "Prostate"),
    "uterus": ("35039007", "Uterus"),
    "breast": ("76752008", "Breast"),
    "thyroid": ("69748006", "Thyroid"),
    "adrenal": ("23451007", "Adrenal gland"),
    "oesophagus": ("32849002", "Esophagus"),
    "spinal_cord": ("2748008", "Spinal cord"),
    "pelvic_bones": ("118645006", "Pelvis"),
}
"""Value and meaning of each organ."""

PAIRED: Final = ("kidney", "lung", "breast", "adrenal")
"""Organs of which there is a left and a right one; without a side, both."""


@dataclass(frozen=True, slots=True)
class OrganCode:
    """What a mask is of, as a DICOM file says it.

    Attributes:
        value: Code value.
        scheme: Coding scheme designator; SCT is SNOMED CT.
        meaning: The code in words.
        side: left, right, or None.
    """

    value: str
    scheme: str
    meaning: str
    side: str | None = None


def code_of(organ: str) -> OrganCode | None:
    """Return the code of an organ, None for a name that is in no table."""
    side, _, rest = organ.partition("_")
    if side in SIDES and rest in PAIRED:
        return OrganCode(ORGANS[rest][0], SCHEME, ORGANS[rest][1], side)
    return OrganCode(ORGANS[organ][0], SCHEME, ORGANS[organ][1]) if organ in ORGANS else None


def name_of(code: OrganCode, label: str) -> str:
    """Name the organ of a code: our own word, or the label of the file made one.

    Args:
        code: From a file.
        label: What the file calls it; used for codes that are in no table.
    """
    words = {value: name for name, (value, _) in ORGANS.items()} if code.scheme == SCHEME else {}
    name = words.get(code.value)
    if name is None:
        return "_".join(label.lower().split()) or "unnamed"
    return f"{code.side}_{name}" if code.side in SIDES and name in PAIRED else name
