"""What is scanned: the examinations of each patient, series by series, as scanners name them.

Fields of view are boxes in the reference adult (millimetres, LPS, z from the seat); a series covers a region
when the region lies wholly inside, which the archive works out from each body.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from radnet.synthetic.build import Arms, Sex
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.shapes import Point
from radnet.synthetic.signal import MrTechnique

View = Literal["axial", "coronal", "sagittal"]
Vendor = Literal["siemens", "ge", "philips", "toshiba", "canon", "uih", "hitachi"]
Form = Literal["original", "reformat", "projection", "subtraction", "parametric", "other"]
Syntax = Literal["", "bare", "implicit", "big_endian", "deflated", "rle", "jpeg", "jpeg_ls", "jpeg_2000"]
"""Transfer syntax; empty is explicit VR little endian, `bare` implicit without preamble and meta elements."""
Storage = Literal["", "enhanced", "mosaic", "pairs"]
"""How slices become objects; empty is one object a slice, `pairs` too, but two slices are an acquisition."""
Order = Literal["", "reversed", "transposed", "flipped"]
"""In which order slices, or rows and columns, are stored; empty is the standard's."""
Stray = Literal["copy", "recompressed", "truncated", "foreign"]
"""Files among a series' own that are none of its images: an equal copy, one compressed anew, one cut off, a
file of another program."""
Elements = tuple[tuple[str, object], ...]
"""Header elements by keyword; None leaves one out, an empty text is written as such."""
Trap = Literal[
    "",
    "localizer",
    "three_plane",
    "scout",
    "oblique",
    "missing_slice",
    "duplicate_position",
    "variable_spacing",
    "single_position",
    "gantry_tilt",
    "time_series",
    "no_position",
    "too_few_slices",
    "no_description",
    "unknown_sequence",
    "wide_spacing",
    "dual_echo",
    "enhanced",
    "zip",
    "tar_gz",
    "jpeg2000",
    "rle",
    "implicit_vr",
]


@dataclass(frozen=True, slots=True)
class Field:
    """A box that is imaged; slices are square, as wide as its longer side.

    Attributes:
        low: Lowest corner, mm of the reference adult.
        high: Highest corner.
        holds: Regions that the technologist sees to it that the box holds, whatever the body.
    """

    low: Point
    high: Point
    holds: tuple[str, ...] = ()


HEAD: Final = Field((-115, -110, 726), (115, 120, 893), ("brain",))
HEAD_LONG: Final = Field((-80, -86, 686), (80, 106, 906), ("brain",))
NECK: Final = Field((-110, -105, 572), (110, 125, 800), ("upper_head_neck", "lower_head_neck"))
NECK_LONG: Final = Field((-60, -70, 575), (60, 80, 800), ("upper_head_neck", "lower_head_neck"))
CHEST: Final = Field((-190, -195, 318), (190, 185, 630), ("lung",))
CHEST_LONG: Final = Field((-172, -95, 300), (172, 115, 640), ("lung",))
ABDOMEN: Final = Field((-190, -190, 222), (190, 190, 452), ("liver", "kidney"))
ABDOMEN_LONG: Final = Field((-172, -98, 150), (172, 112, 470), ("liver", "kidney"))
ABDOMEN_PELVIS: Final = Field((-190, -190, -12), (190, 190, 452), ("liver", "kidney", "intestine", "pelvis"))
ABDOMEN_PELVIS_LONG: Final = Field(
    (-180, -98, -14), (180, 112, 454), ("liver", "kidney", "intestine", "pelvis")
)
TRUNK: Final = Field((-190, -190, -12), (190, 190, 630), ("lung", "liver", "kidney", "intestine", "pelvis"))
TRUNK_LONG: Final = Field(
    (-180, -98, -12), (180, 112, 628), ("lung", "liver", "kidney", "intestine", "pelvis")
)
PELVIS: Final = Field((-190, -190, -12), (190, 190, 240), ("pelvis",))
PELVIS_LONG: Final = Field((-132, -66, -12), (132, 92, 240), ("pelvis",))
BREAST: Final = Field((-180, -195, 382), (180, 145, 530), ("breast",))
BREAST_LONG: Final = Field((-150, -180, 385), (150, 55, 525), ("breast",))
LUMBAR: Final = Field((-38, -70, 135), (38, 160, 400))
LUMBAR_DISCS: Final = Field((-90, -70, 175), (90, 110, 290))


ARMPIT_MM: Final = 650.0
"""What reaches no higher images the trunk alone, mm of the reference adult."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several volumes that a scanner stores as one series.

    Attributes:
        technique: How it is made.
        sequence: True kind of its images.
        header: Elements that tell it from the others.
        view: Plane, where it differs from the protocol's.
        form: How the pixels came about.
    """

    technique: CtTechnique | MrTechnique
    sequence: str
    header: Elements = ()
    view: View | None = None
    form: Form = "original"


@dataclass(frozen=True, slots=True)
class Protocol:
    """One series as it is set up.

    Attributes:
        sequence: True kind of images, a word of `terms.SEQUENCES`.
        description: Series description.
        field: What is imaged.
        view: Plane of the slices.
        technique: CT or MR parameters.
        spacing_mm: From slice to slice.
        thickness_mm: Of a slice; 0 for the spacing.
        name: Protocol name; the description when empty.
        matrix: Rows and columns.
        reformat: Whether the slices are computed from others.
        trap: What is wrong or unusual about it, empty for nothing.
        form: How the pixels came about, where `reformat` does not say it.
        parts: Its volumes, when there are several.
        header: Elements as this series bears them, whatever is true; written last.
        syntax: Transfer syntax.
        storage: How slices become objects.
        order: How they are stored.
        strays: Further files that lie among its own.
        tilt_deg: Angles by which the slices are turned about the patient's x, y and z axis.
        shares: Series back in the study with which it shares one acquisition; 0 for none.
        untold: Labels that nothing in the header tells.
        note: What is unusual about its texts, and why labels are untold.
    """

    sequence: str
    description: str
    field: Field
    view: View
    technique: CtTechnique | MrTechnique
    spacing_mm: float = 5.0
    thickness_mm: float = 0.0
    name: str = ""
    matrix: int = 192
    reformat: bool = False
    trap: Trap = ""
    form: Form = "original"
    parts: tuple[Part, ...] = ()
    header: Elements = ()
    syntax: Syntax = ""
    storage: Storage = ""
    order: Order = ""
    strays: tuple[Stray, ...] = ()
    tilt_deg: Point = (0, 0, 0)
    shares: int = 0
    untold: tuple[str, ...] = ()
    note: str = ""

    @property
    def true_form(self) -> Form:
        """How the pixels came about."""
        return "reformat" if self.reformat else self.form


@dataclass(frozen=True, slots=True)
class Exam:
    """One study.

    Attributes:
        modality: CT or MR.
        vendor: Whose scanner.
        study: Study description.
        body_part: As the scanner fills BodyPartExamined; None leaves it out.
        series: In order of acquisition.
        agent: Contrast agent of the series that have one.
        charset: SpecificCharacterSet; the patient's name is written in its script.
        header: Elements as all series of the study bear them.
    """

    modality: Literal["CT", "MR"]
    vendor: Vendor
    study: str
    body_part: str | None
    series: tuple[Protocol, ...]
    agent: str = ""
    charset: str = "ISO_IR 100"
    header: Elements = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """A patient and what was done.

    Attributes:
        sex: F or M.
        exams: One or more studies.
        lesion: Whether there is a tumour in the brain.
    """

    sex: Sex
    exams: tuple[Exam, ...] = field(default=())
    lesion: bool = False

    @property
    def arms(self) -> Arms:
        """Where the arms lie: beside the head for a CT of the trunk, else beside the trunk."""
        trunk = all(
            exam.modality == "CT" and protocol.field.high[2] <= ARMPIT_MM
            for exam in self.exams
            for protocol in exam.series
        )
        return "up" if trunk else "down"


NATIVE: Final = CtTechnique(noise_hu=10)
PORTAL: Final = CtTechnique(phase="portal", noise_hu=12)
HEAD_CT: Final = CtTechnique(noise_hu=3.5)
HEAD_CT_CONTRAST: Final = replace(HEAD_CT, phase="delayed")
LUNG_CT: Final = CtTechnique(noise_hu=28, kernel="lung")
LUNG_CT_CONTRAST: Final = replace(LUNG_CT, phase="portal")
SCOUT: Final = CtTechnique(noise_hu=20)

T1_SE: Final = MrTechnique(tr_ms=520, te_ms=12)
T1_SE_GD: Final = replace(T1_SE, phase="delayed")
T2_SE: Final = MrTechnique(tr_ms=4200, te_ms=98, echo_train=15)
T2_FLAIR: Final = MrTechnique(tr_ms=9000, te_ms=112, ti_ms=2480, echo_train=15)
T1_FLAIR_3T: Final = MrTechnique(tr_ms=2300, te_ms=14, ti_ms=860, field_t=3.0, echo_train=7)
T1_FLAIR_3T_GD: Final = replace(T1_FLAIR_3T, phase="delayed")
T2_SE_3T: Final = MrTechnique(tr_ms=4800, te_ms=102, field_t=3.0, echo_train=15)
T2_FLAIR_3T: Final = MrTechnique(tr_ms=9500, te_ms=120, ti_ms=2500, field_t=3.0, echo_train=15)
PD: Final = MrTechnique(tr_ms=3000, te_ms=15)
STIR: Final = MrTechnique(tr_ms=4000, te_ms=60, ti_ms=200, echo_train=15)
MPRAGE: Final = MrTechnique(tr_ms=1900, te_ms=3, ti_ms=900, flip_deg=9, family="gradient_echo")
VIBE: Final = MrTechnique(
    tr_ms=4.6, te_ms=2.1, flip_deg=10, family="gradient_echo", fat_saturated=True, bandwidth_hz=450
)
VIBE_GD: Final = replace(VIBE, phase="portal")
DWI: Final = MrTechnique(
    tr_ms=5200, te_ms=88, b_s_mm2=1000, fat_saturated=True, echo_train=15, bandwidth_hz=1500, noise=0.03
)
ADC: Final = MrTechnique(tr_ms=5200, te_ms=88, family="adc_map", echo_train=15, bandwidth_hz=1500, noise=0.02)
FLASH: Final = MrTechnique(tr_ms=8, te_ms=4, flip_deg=20, family="gradient_echo")
SINGLE_SHOT: Final = MrTechnique(tr_ms=1200, te_ms=92, echo_train=128, bandwidth_hz=450)
SPINE_T1: Final = replace(T1_SE, surface_coil=True)
SPINE_T2: Final = replace(T2_SE, surface_coil=True)
SPINE_STIR: Final = replace(STIR, surface_coil=True)
