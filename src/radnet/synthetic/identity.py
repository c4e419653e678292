"""Invented patients and hospitals, and the unique identifiers of what is done to them.

All of it is made up, and every text in `PHI_CANARIES` is rare enough that finding it in a table, log or page
proves a leak.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID

FAMILY_NAMES: Final = (
    "Quillfeather",
    "Marrowbane",
    "Thistlewick",
    "Oakenhurst",
    "Pembrooklyn",
    "Zandervoort",
    "Kestrelmann",
    "Wolkenstein",
    "Dragomirova",
    "Ashgrovely",
    "Bellweather",
    "Fenwickson",
)
GIVEN_NAMES: Final = ("Ottoline", "Barnabus", "Clementia", "Ignatius", "Philomenia", "Thaddeon")
PATIENT_ID_PREFIX: Final = "CANARYMRN"
ACCESSION_PREFIX: Final = "CANARYACC"
INSTITUTION: Final = "Saint Larkspur Infirmary"
PHYSICIAN: Final = "Vandersnoot"
ADDRESS: Final = "7 Foxglove Mews"
BIRTH_DATES: Final = ("19310704", "19470219", "19521128", "19580613", "19640307", "19711231")

SCRIPT_NAMES: Final = {
    "ISO_IR 101": "Brzęczykiewska^Świętosława",
    "ISO_IR 144": "Кругломыслов^Евстафий",
    "ISO_IR 192": "Žďárskovský^Ľubomír",
    "GB18030": "Ouyangqinghe^Zhuolin=欧阳清禾^卓霖",
    "\\ISO 2022 IR 87": "Kuramochizawa^Tokimune=倉持澤^時宗=くらもちざわ^ときむね",
}
"""Names of the patients whose studies are written in another script, by SpecificCharacterSet."""

PHI_CANARIES: Final = (
    *FAMILY_NAMES,
    *GIVEN_NAMES,
    PATIENT_ID_PREFIX,
    ACCESSION_PREFIX,
    INSTITUTION,
    PHYSICIAN,
    ADDRESS,
    *BIRTH_DATES,
    *(part for name in SCRIPT_NAMES.values() for group in name.split("=") for part in group.split("^")),
)
"""Texts that stand in the headers and may never leave them."""


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient.

    Attributes:
        name: Family and given name as DICOM writes them.
        patient_id: The hospital's number.
        birth_date: YYYYMMDD.
        sex: F or M.
    """

    name: str
    patient_id: str
    birth_date: str
    sex: str


def person(seed: int, index: int, sex: str) -> Person:
    """Invent the patient of an archive at a place in it."""
    family = FAMILY_NAMES[(index + seed) % len(FAMILY_NAMES)]
    given = GIVEN_NAMES[(index + seed // 5) % len(GIVEN_NAMES)]
    birth_date = BIRTH_DATES[(index * 5 + seed) % len(BIRTH_DATES)]
    return Person(f"{family}^{given}", f"{PATIENT_ID_PREFIX}{seed:03d}{index:04d}", birth_date, sex)


def uid(*parts: int | str) -> UID:
    """Derive an identifier from whatever tells two things apart; equal parts give equal identifiers."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:15], 'big')}")
