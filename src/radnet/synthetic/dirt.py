"""Soil the headers of a visit as real archives are soiled: what is true of the images stays as it was.

Rates are those of 1,044,191 real series (the index of the Imaging Data Commons, idc-index-data 25) unless a
source is named. Each series takes the same count of random numbers, so that one rate can be changed and the
dirt of the others stays where it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from radnet.synthetic.protocols import Elements, Exam, Protocol, View, Visit

Modality = Literal["CT", "MR"]


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what is wrong, as shares of the series of a modality.

    Attributes:
        no_body_part: BodyPartExamined is absent or empty.
        no_description: SeriesDescription is absent or empty.
        plane_word: The description names the plane.
        contrast_word: It says whether there is an agent.
        equal_number: SeriesNumber is that of another series of the study.
        wrong_agent: The agent is missing after an injection, or stands in a series before it.
    """

    no_body_part: float
    no_description: float
    plane_word: float
    contrast_word: float
    equal_number: float
    wrong_agent: float


RATES: Final[dict[Modality, Rates]] = {
    "CT": Rates(0.117, 0.015, 0.055, 0.009, 0.042, 0.756),
    "MR": Rates(0.331, 0.013, 0.536, 0.154, 0.025, 0.30),
}
"""Wrong agents of CT after Ye (2021: missing or wrong in 75.6 % of 1,979 series); those of MR are a guess."""
WRONG_BODY_PART: Final = 0.15
"""Share of the filled body parts that are wrong (Guld 2002)."""
WRONG_PROTOCOL: Final = 0.10
"""Share of series whose protocol is named after another (descriptions wrong, MR-Class 2023)."""
EMPTY_NOT_ABSENT: Final = 0.5
"""Share of missing attributes that are there without a value (an estimate)."""

BODY_PARTS: Final = ("HEAD", "NECK", "CHEST", "ABDOMEN", "PELVIS", "SPINE", "BREAST", "EXTREMITY", "HEART")
OTHER_PROTOCOLS: Final[dict[Modality, tuple[str, ...]]] = {
    "CT": ("Service", "Copy of Routine", "DEFAULT PS SERIES", "Neues Protokoll 1", "5.11 SURVEY"),
    "MR": ("WIP test", "localizer", "Untitled", "BEAT", "default"),
}
"""Names under which technologists keep what they changed."""
PLANE_WORDS: Final[dict[View, tuple[str, ...]]] = {
    "axial": ("AX", "tra", "axial"),
    "coronal": ("COR", "cor", "coronal"),
    "sagittal": ("SAG", "sag", "sagittal"),
}
CONTRAST_WORDS: Final[dict[bool, tuple[str, ...]]] = {
    True: ("+C", "post", "CE"),
    False: ("W/O", "pre", "nativ"),
}
_EDGE: Final = r"(?:^|(?<=[\s_,\-]))"
_END: Final = r"(?=$|[\s_,\-])"
PLANE: Final = re.compile(f"{_EDGE}(ax|axial|tra|cor|coronal|sag|sagittal){_END}", re.IGNORECASE)
CONTRAST: Final = re.compile(
    f"{_EDGE}(\\+c|post|ce|km|gd|w/o|pre|nativ|native|w iv|w|portal venous|pv){_END}", re.IGNORECASE
)
STICKS: Final = "agent sticks"
"""Note of a plain series that bears the agent; without a word against it the header misleads."""
AGENT: Final = ("ContrastBolusAgent", "ContrastBolusRoute", "ContrastBolusVolume")


def soil(visit: Visit, rng: np.random.Generator) -> Visit:
    """Soil the headers of a visit.

    Args:
        visit: As it is scanned.
        rng: Equal states soil alike.

    Returns:
        The visit with other texts and header elements; images, and thus their truth, are the same.
    """
    return replace(visit, exams=tuple(_soil_exam(exam, rng) for exam in visit.exams))


def _soil_exam(exam: Exam, rng: np.random.Generator) -> Exam:
    rates = RATES[exam.modality]
    soiled: list[Protocol] = []
    for number, protocol in enumerate(exam.series, 1):
        draws = rng.random(10)
        dirt = [
            _soil_body_part(exam, rates, draws[:3]),
            _soil_agent(exam, protocol, rates, draws[3]),
            _soil_protocol(exam, draws[4]),
            _soil_number(number, rates, draws[5]),
        ]
        worded = _reword(protocol, rates, draws[6:8])
        dirt.append(_soil_description(rates, draws[8:10]))
        misled = dirt[1][1] == STICKS and not CONTRAST.search(worded)
        elements = tuple(element for found, _ in dirt for element in found)
        note = ", ".join(filter(None, (protocol.note, *(said for _, said in dirt))))
        soiled.append(
            replace(
                protocol,
                description=worded,
                header=(*elements, *protocol.header),
                untold=(*protocol.untold, "contrast") if misled else protocol.untold,
                note=note,
            )
        )
    return replace(exam, series=tuple(soiled))


def _soil_body_part(exam: Exam, rates: Rates, draws: np.ndarray) -> tuple[Elements, str]:
    """Empty BodyPartExamined, or name another part."""
    if exam.body_part is None:
        return (), ""
    if draws[0] < rates.no_body_part:
        return (("BodyPartExamined", _nothing(draws[1])),), "no body part"
    if draws[1] < WRONG_BODY_PART:
        others = [part for part in BODY_PARTS if part not in exam.body_part]
        return (("BodyPartExamined", others[int(draws[2] * len(others))]),), "wrong body part"
    return (), ""


def _soil_agent(exam: Exam, protocol: Protocol, rates: Rates, draw: float) -> tuple[Elements, str]:
    """Lose the agent of an enhanced series, or let it stick to one before the injection."""
    if not exam.agent or protocol.sequence == "localizer" or draw >= rates.wrong_agent:
        return (), ""
    if protocol.technique.contrast:
        return tuple((keyword, None) for keyword in AGENT), "agent missing"
    return ((AGENT[0], exam.agent),), STICKS


def _soil_protocol(exam: Exam, draw: float) -> tuple[Elements, str]:
    if draw >= WRONG_PROTOCOL:
        return (), ""
    others = OTHER_PROTOCOLS[exam.modality]
    return (("ProtocolName", others[int(draw / WRONG_PROTOCOL * len(others))]),), "other protocol's name"


def _soil_number(number: int, rates: Rates, draw: float) -> tuple[Elements, str]:
    """Give a series the number of the one before: two then share it, hence half the rate."""
    if number == 1 or draw >= rates.equal_number / 2:
        return (), ""
    return (("SeriesNumber", number - 1),), "number of the series before"


def _soil_description(rates: Rates, draws: np.ndarray) -> tuple[Elements, str]:
    if draws[0] >= rates.no_description:
        return (), ""
    return (("SeriesDescription", _nothing(draws[1])),), "no description"


def _nothing(draw: float) -> str | None:
    """Return an empty value, or None for an absent one."""
    return "" if draw < EMPTY_NOT_ABSENT else None


def _reword(protocol: Protocol, rates: Rates, draws: np.ndarray) -> str:
    """Name plane and contrast as often as real descriptions do, and truly.

    Where nothing else was written the slice distance stays, as Canon's consoles write it.
    """
    text = protocol.description
    if not text or protocol.sequence == "localizer":
        return text
    planes = PLANE_WORDS[protocol.view]
    text = _worded(text, PLANE, planes, draws[0], rates.plane_word)
    said = CONTRAST_WORDS[protocol.technique.contrast]
    text = _worded(text, CONTRAST, said, draws[1], rates.contrast_word)
    return text or f"{protocol.spacing_mm:.1f}"


def _worded(text: str, pattern: re.Pattern[str], words: tuple[str, ...], draw: float, rate: float) -> str:
    """Put a word into a text, or take those of its kind out."""
    if draw < rate:
        word = words[int(draw / rate * len(words))]
        return text if pattern.search(text) else f"{text} {word}".strip()
    return re.sub(r"([\s_,\-])[\s_,\-]+", r"\1", pattern.sub("", text)).strip(" _,-")
