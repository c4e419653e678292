"""What an archive holds, by the name of its preset: the visit of every patient.

A visit follows from the archive's seed and the patient's place alone, so that any patient can be written
without the others, in any order and on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Final

from radnet.errors import SourceError
from radnet.synthetic.dirt import soil
from radnet.synthetic.mix import draw_visit
from radnet.synthetic.patients import SMALL_VISITS, VISITS
from radnet.synthetic.protocols import Visit
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.trap_visits import TRAP_VISITS

TINY_MATRIX: Final = 64
"""Rows and columns of the tiny archive."""
LIVERS: Final = ("liver", "livers")
"""The presets that are no archives but pairs of volume and mask (`radnet.synthetic.lits`)."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A kind of archive.

    Attributes:
        about: What it is for, in a few words.
        patients: How many there are unless asked otherwise.
        visit: Visit by seed of the archive and place of the patient, from 0.
        matrix: Rows and columns of every image; None as the protocol has it.
    """

    about: str
    patients: int
    visit: Callable[[int, int], Visit]
    matrix: int | None = None


def _nth(visits: Sequence[Visit], _seed: int, index: int) -> Visit:
    """Repeat visits in order; the bodies are others."""
    return visits[index % len(visits)]


def _listed(about: str, visits: Sequence[Visit], matrix: int | None = None) -> Preset:
    return Preset(about, len(visits), partial(_nth, visits), matrix)


def _soiled(seed: int, index: int) -> Visit:
    """Draw a visit after the paper's mix and soil its headers."""
    return soil(draw_visit(seed, index), host_generator("dirt", seed, index))


PRESETS: Final[dict[str, Preset]] = {
    "tiny": _listed("nine small series of two patients, for tests", SMALL_VISITS, TINY_MATRIX),
    "demo": _listed("every region, sequence and trap once", VISITS),
    "traps": _listed("all that misleads in real archives", TRAP_VISITS),
    "paper": Preset("the mix of 3D-RADNet's training data, headers as poor as real ones", 100, _soiled),
}


def preset(name: str) -> Preset:
    """Return a preset.

    Raises:
        SourceError: If there is none of that name.
    """
    if name not in PRESETS:
        names = [*PRESETS, *LIVERS]
        near = get_close_matches(name, names, 1)
        known = ", ".join(names)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SourceError(f"--preset {name}: unknown; it must be one of {known}{hint}")
    return PRESETS[name]
