"""Draw visits after the mix of 3D-RADNet's training set (paper, table A3, 12,000 series).

The table counts sequences, views, contrast and regions apart from each other; `GROUPS` lays them together so
that all of its sums hold: a scan of the trunk counts for the lung, the liver, the kidney, the intestine and
the pelvis, FLAIRs are of the brain, and breasts are seen by MR alone. How the regions go together, and which
of them CT sees, is our reading: the paper does not say.

Contrast: the table's test column has 216 with and 100 without an agent, table 1 has them the other way round,
and its other numbers agree with each other. So the two rows are read as swapped, in the training column too:
3,381 of 12,000 series have an agent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np

from radnet.synthetic import naming
from radnet.synthetic import protocols as p
from radnet.synthetic.build import Sex
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.planning import NORMAL_AXIS
from radnet.synthetic.protocols import Exam, Field, Protocol, View, Visit
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.techniques import draw_technique

GOLDEN: Final = (sqrt(5) - 1) / 2
"""Steps of this share of a circle fall evenly at any number of them."""

AGENT_SHARE: Final = {"ct": 2060 / 5149, "t1_se": 1321 / 2650, "t1_flair": 1321 / 2650}
"""Share of series with an agent; T2-weighted ones have none. 2,060 CT and 1,321 MR make 3,381."""
VIEW_SHARES: Final = {
    "CT": {"axial": 4119 / 5149, "coronal": 515 / 5149, "sagittal": 515 / 5149},
    "MR": {"axial": 4305 / 6851, "coronal": 783 / 6851, "sagittal": 1763 / 6851},
}
"""Together 8,424 axial, 1,298 coronal and 2,278 sagittal series."""
SERIES: Final = (2, 3, 4, 5)
"""Series of a visit besides the localizer, each as often."""
LOCALIZER_SHARE: Final = 0.5
LESION_SHARE: Final = 0.3
"""Of visits for the brain."""
SLICES: Final = (22, 40)
"""Least and most slices of a series, as far as `SPACING_MM` lets it."""
SPACING_MM: Final = (2.5, 10.0)
MATRICES: Final = (192, 224, 256)
HEAD_NOISE: Final = 0.4
"""Noise of a head's CT against a body's."""


@dataclass(frozen=True, slots=True)
class Group:
    """Examinations of one kind.

    Attributes:
        name: Of the examination, a key of `naming`.
        modality: CT or MR.
        wide: What axial slices image.
        long: What coronal and sagittal ones image.
        sequences: Number of series in the training set by sequence.
        sex: Of the patients; None for both.
    """

    name: naming.Examination
    modality: naming.Modality
    wide: Field
    long: Field
    sequences: dict[str, int]
    sex: Sex | None = None

    @property
    def series(self) -> int:
        """How many series of the training set are of the kind."""
        return sum(self.sequences.values())


HEAD_NECK: Final = Field((-125, -120, 572), (125, 125, 895), ("brain", "upper_head_neck", "lower_head_neck"))
HEAD_FACE: Final = Field((-115, -115, 676), (115, 122, 895), ("brain", "upper_head_neck"))
KIDNEYS: Final = Field((-180, -180, 222), (180, 180, 372), ("kidney",))
KIDNEYS_LONG: Final = Field((-120, -60, 205), (120, 112, 385), ("kidney",))

GROUPS: Final = (
    Group("head", "CT", p.HEAD, p.HEAD_LONG, {"ct": 300}),
    Group(
        "head",
        "MR",
        p.HEAD,
        p.HEAD_LONG,
        {"t1_se": 1200, "t2_se": 1466, "t1_flair": 463, "t2_flair": 724},
    ),
    Group("face", "CT", HEAD_FACE, HEAD_FACE, {"ct": 117}),
    Group("head_neck", "CT", HEAD_NECK, HEAD_NECK, {"ct": 696}),
    Group("neck", "CT", p.NECK, p.NECK_LONG, {"ct": 157}),
    Group("neck", "MR", p.NECK, p.NECK_LONG, {"t1_se": 30, "t2_se": 70}),
    Group("chest", "CT", p.CHEST, p.CHEST_LONG, {"ct": 500}),
    Group("trunk", "CT", p.TRUNK, p.TRUNK_LONG, {"ct": 502}),
    Group("breast", "MR", p.BREAST, p.BREAST_LONG, {"t1_se": 340, "t2_se": 671}, "F"),
    Group("abdomen", "CT", p.ABDOMEN, p.ABDOMEN_LONG, {"ct": 352}),
    Group("abdomen", "MR", p.ABDOMEN, p.ABDOMEN_LONG, {"t1_se": 94, "t2_se": 193}),
    Group("abdomen_pelvis", "CT", p.ABDOMEN_PELVIS, p.ABDOMEN_PELVIS_LONG, {"ct": 1677}),
    Group("kidney", "CT", KIDNEYS, KIDNEYS_LONG, {"ct": 426}),
    Group("kidney", "MR", KIDNEYS, KIDNEYS_LONG, {"t1_se": 98, "t2_se": 202}),
    Group("pelvis", "CT", p.PELVIS, p.PELVIS_LONG, {"ct": 422}),
    Group("pelvis", "MR", p.PELVIS, p.PELVIS_LONG, {"t1_se": 425, "t2_se": 875}),
)
"""Series of the training set that are read as brain 4,966, upper head-neck 1,070, lower head-neck 953, lung
1,002, breast 1,011, liver 2,818, kidney 3,544, intestine 2,179 and pelvis 3,901."""


def draw_visit(seed: int, index: int) -> Visit:
    """Draw the visit of a patient.

    Args:
        seed: Of the archive.
        index: Place of the patient; kinds of examinations are spread evenly over neighbouring places.
    """
    rng = host_generator("mix", seed, index)
    start = host_generator("mix", seed).random()
    group = _at(float((start + index * GOLDEN) % 1))
    sex: Sex = group.sex or ("F" if rng.random() < 0.5 else "M")
    lesion = group.name == "head" and bool(rng.random() < LESION_SHARE)
    return Visit(sex, (_exam(group, rng),), lesion)


def _at(place: float) -> Group:
    """Return the group in whose share of the series a place between 0 and 1 falls."""
    ends = np.cumsum([group.series for group in GROUPS])
    return GROUPS[int(np.searchsorted(ends, place * ends[-1], side="right"))]


def _exam(group: Group, rng: np.random.Generator) -> Exam:
    vendor = naming.VENDORS[group.modality][int(rng.integers(len(naming.VENDORS[group.modality])))]
    agents = naming.AGENTS[group.modality]
    drawn = [_series(group, vendor, rng) for _ in range(int(rng.choice(SERIES)))]
    # the agent is given once, and what follows has it
    series = [
        *([_localizer(group, vendor)] if rng.random() < LOCALIZER_SHARE else []),
        *sorted(drawn, key=lambda protocol: protocol.technique.contrast),
    ]
    agent = any(protocol.technique.contrast for protocol in series)
    return Exam(
        group.modality,
        vendor,
        naming.study(group.name, group.modality, agent),
        naming.BODY_PARTS[group.name],
        tuple(series),
        agents[int(rng.integers(len(agents)))] if agent else "",
    )


def _series(group: Group, vendor: p.Vendor, rng: np.random.Generator) -> Protocol:
    names = list(group.sequences)
    shares = np.array(list(group.sequences.values())) / group.series
    sequence = names[int(rng.choice(len(names), p=shares))]
    views: list[View] = ["axial", "coronal", "sagittal"]
    view = views[int(rng.choice(3, p=[VIEW_SHARES[group.modality][name] for name in views]))]
    contrast = bool(rng.random() < AGENT_SHARE.get(sequence, 0.0))
    technique = draw_technique(sequence, contrast, rng)
    if isinstance(technique, CtTechnique) and group.name in naming.HEADS:
        technique = replace(technique, noise_hu=technique.noise_hu * HEAD_NOISE, oral=False)
    field = group.wide if view == "axial" else group.long
    extent_mm = field.high[NORMAL_AXIS[view]] - field.low[NORMAL_AXIS[view]]
    spacing_mm = float(np.clip(round(2 * extent_mm / rng.integers(*SLICES)) / 2, *SPACING_MM))
    return Protocol(
        sequence,
        naming.series(vendor, group.name, sequence, view, technique, spacing_mm),
        field,
        view,
        technique,
        spacing_mm,
        name=naming.protocol(vendor, group.name, sequence),
        matrix=int(rng.choice(MATRICES)),
        reformat=group.modality == "CT" and view != "axial",
    )


def _localizer(group: Group, vendor: p.Vendor) -> Protocol:
    name = naming.LOCALIZERS[group.modality][vendor]
    if group.modality == "CT":
        return Protocol("localizer", name, group.long, "coronal", p.SCOUT, trap="scout")
    return Protocol("localizer", name, group.long, "axial", p.FLASH, 10.0, trap="localizer", matrix=128)
