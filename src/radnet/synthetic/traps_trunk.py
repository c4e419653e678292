"""Trap visits of the trunk, neck and spine in MR: fat, phases, dynamics, languages."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radnet.synthetic import protocols as p
from radnet.synthetic.protocols import Elements, Exam, Part, Visit
from radnet.synthetic.trap_series import (
    B_500,
    EARLY_VIBE,
    FAT,
    IN_PHASE,
    OPPOSED,
    SPIR_T2,
    UNTOLD_CONTRAST,
    WATER,
    after,
    localizer,
    mr,
)

INJECTED: Final = (("ContrastBolusStartTime", "083200"), ("ContrastBolusVolume", "10"))
"""After the first series of a study and before the second."""
FLIPPED: Final = replace(p.VIBE, fat_saturated=False)


def usage(administered: str) -> Elements:
    """Say in an enhanced object whether the agent was administered (PS3.3 C.8.13.2)."""
    item = Dataset()
    item.ContrastBolusAgentNumber = 1
    item.ContrastBolusAgentAdministered = administered
    item.ContrastBolusAgentDetected = administered
    return (("ContrastBolusAgent", None), ("ContrastBolusUsageSequence", Sequence([item])))


BREAST: Final = Exam(
    "MR",
    "siemens",
    "MR Mamma beidseits mit KM",
    "BREAST",
    (
        localizer("localizer", p.BREAST_LONG),
        mr("t2_se", "t2_tse_tra", p.BREAST, p.T2_SE),
        mr("gre_t1", "t1_fl3d_tra_pre", p.BREAST, p.VIBE),
        mr("dynamic", "t1_fl3d_tra_dynaVIEWS_post", p.BREAST, p.VIBE_GD, trap="time_series"),
        mr("derived", "t1_fl3d_tra_post_SUB", p.BREAST, p.VIBE_GD, form="subtraction", note="difference"),
        mr(
            "derived",
            "t1_fl3d_tra_post_SUB_MIP",
            p.BREAST,
            p.VIBE_GD,
            form="projection",
            note="projection of a difference",
        ),
    ),
    "Dotarem",
)
LIVER: Final = Exam(
    "MR",
    "philips",
    "MRI ABDOMEN W/WO CONTRAST",
    "LIVER",
    (
        localizer("Survey", p.ABDOMEN_LONG),
        mr("t2_se", "T2W_SSh cor", p.ABDOMEN_LONG, p.SINGLE_SHOT, view="coronal"),
        mr(
            "t2_se",
            "T2W_SPIR ax",
            p.ABDOMEN,
            SPIR_T2,
            header=(("InversionTime", "100"),),
            note="SPIR has a TI",
        ),
        mr("stir", "STIR_TSE ax", p.ABDOMEN, p.STIR),
        mr(
            "gre_t1",
            "T1W in/out phase ax",
            p.ABDOMEN,
            IN_PHASE,
            parts=(
                Part(OPPOSED, "gre_t1", (("EchoNumbers", 1),)),
                Part(IN_PHASE, "gre_t1", (("EchoNumbers", 2),)),
            ),
            note="in and opposed phase in one series",
        ),
        mr(
            "gre_t1",
            "mDIXON ax pre",
            p.ABDOMEN,
            WATER,
            parts=(
                Part(WATER, "gre_t1", (("ImageType", ["ORIGINAL", "PRIMARY", "W", "W", "DERIVED"]),)),
                Part(FAT, "gre_t1", (("ImageType", ["ORIGINAL", "PRIMARY", "F", "F", "DERIVED"]),)),
            ),
            note="water and fat in one series",
        ),
        mr("gre_t1", "THRIVE arterial", p.ABDOMEN, EARLY_VIBE),
        mr("gre_t1", "THRIVE portal venous", p.ABDOMEN, p.VIBE_GD),
        mr(
            "dwi",
            "DWI b50 b500",
            p.ABDOMEN,
            after(B_500),
        ),
    ),
    "Primovist",
)
LAVA_TIMED: Final = Exam(
    "MR",
    "ge",
    "MRI LIVER",
    "ABDOMEN",
    (
        mr("gre_t1", "AX LAVA 1", p.ABDOMEN, p.VIBE, header=INJECTED, note="begins before the injection"),
        mr("gre_t1", "AX LAVA 2", p.ABDOMEN, p.VIBE_GD, header=INJECTED, note="begins after the injection"),
        mr("t2_se", "AX T2 SSFSE", p.ABDOMEN, after(p.SINGLE_SHOT), header=INJECTED),
        mr(
            "gre_t1",
            "AX LAVA flip angles",
            p.ABDOMEN,
            after(FLIPPED),
            header=INJECTED,
            parts=tuple(
                Part(replace(after(FLIPPED), flip_deg=angle), "gre_t1", (("FlipAngle", str(angle)),))
                for angle in (8, 15, 25)
            ),
            note="several flip angles in one series",
        ),
    ),
    "EOVIST",
)
LIVER_ENHANCED: Final = Exam(
    "MR",
    "philips",
    "MRI LIVER",
    "LIVER",
    (
        mr(
            "gre_t1",
            "eTHRIVE 1",
            p.ABDOMEN,
            p.VIBE,
            storage="enhanced",
            header=usage("NO"),
            note="an enhanced object whose agent was not administered",
        ),
        mr(
            "gre_t1",
            "eTHRIVE 4",
            p.ABDOMEN,
            p.VIBE_GD,
            storage="enhanced",
            header=usage("YES"),
            note="an enhanced object whose agent was administered",
        ),
    ),
    "Primovist",
)
WO_W: Final = Exam(
    "MR",
    "siemens",
    "MRI ABDOMEN WITHOUT CONTRAST",
    "ABDOMEN",
    (
        localizer("localizer", p.ABDOMEN_LONG),
        mr("t2_se", "t2_haste_cor", p.ABDOMEN_LONG, p.SINGLE_SHOT, view="coronal"),
        mr("gre_t1", "t1_vibe_dixon_tra_wo_W", p.ABDOMEN, WATER, note="W is water, wo is without"),
        mr("gre_t1", "t1_vibe_dixon_tra_wo_F", p.ABDOMEN, FAT, shares=1, note="fat of one acquisition"),
        mr("gre_t1", "t1_fl2d_in_out_phase", p.ABDOMEN, IN_PHASE),
    ),
)
PELVIS: Final = Exam(
    "MR",
    "ge",
    "MRI PELVIS W/WO CONTRAST",
    "PELVIS",
    (
        mr("localizer", "3-PLANE LOC", p.PELVIS_LONG, p.FLASH, 10.0, trap="localizer"),
        mr("t2_se", "AX T2 FRFSE", p.PELVIS, p.T2_SE_3T, order="reversed", untold=UNTOLD_CONTRAST),
        mr("t1_se", "AX T1 FSE", p.PELVIS, p.T1_SE, note="before its enhanced twin"),
        mr("t1_se", "AX T1 FSE +C", p.PELVIS, p.T1_SE_GD),
        mr("t2_se", "SAG T2 FRFSE POST BX", p.PELVIS_LONG, after(p.T2_SE_3T), view="sagittal"),
    ),
    "GADAVIST",
)
NECK: Final = Exam(
    "MR",
    "philips",
    "MR hals zonder contrast",
    "NECK",
    (
        localizer("Survey", p.NECK_LONG),
        mr("t1_se", "T1W_TSE cor", p.NECK_LONG, p.T1_SE, view="coronal"),
        mr("stir", "STIR cor", p.NECK_LONG, p.STIR, view="coronal"),
    ),
)
SPINE: Final = Exam(
    "MR",
    "siemens",
    "RM columna lumbar sin contraste",
    "LSPINE",
    (
        localizer("localizer", p.LUMBAR),
        mr("t1_se", "t1_tse_sag", p.LUMBAR, p.SPINE_T1, 4.0, view="sagittal"),
        mr("t2_se", "t2_tse_sag", p.LUMBAR, p.SPINE_T2, 4.0, view="sagittal"),
        mr("stir", "t2_tirm_sag", p.LUMBAR, p.SPINE_STIR, 4.0, view="sagittal", note="tirm that nulls fat"),
    ),
)
UIH_ABDOMEN: Final = Exam(
    "MR",
    "uih",
    "RM ABDOME SEM CONTRASTE",
    "ABDOMEN",
    (
        mr("t2_se", "t2_ssfse_cor", p.ABDOMEN_LONG, p.SINGLE_SHOT, view="coronal"),
        mr("gre_t1", "t1_quick3d_tra_bh", p.ABDOMEN, p.VIBE),
        mr("stir", "t2_fse_stir_tra", p.ABDOMEN, p.STIR),
    ),
)
HITACHI_ABDOMEN: Final = Exam(
    "MR",
    "hitachi",
    "RM addome senza mdc",
    "ABDOMEN",
    (
        mr("t2_se", "T2 FSE AX", p.ABDOMEN, p.T2_SE),
        mr("gre_t1", "TIGRE AX", p.ABDOMEN, p.VIBE),
    ),
)

TRUNK_VISITS: Final[tuple[Visit, ...]] = (
    Visit("F", (BREAST, WO_W, LAVA_TIMED, PELVIS)),
    Visit("M", (LIVER, NECK, SPINE, LIVER_ENHANCED, UIH_ABDOMEN, HITACHI_ABDOMEN)),
)
