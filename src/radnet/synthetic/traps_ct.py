"""Trap visits of CT: positions, kernels, energies, copies, agents, languages and scripts."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydicom.uid import SecondaryCaptureImageStorage

from radnet.synthetic import protocols as p
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.protocols import Exam, Field, Part, Visit
from radnet.synthetic.trap_series import (
    ARTERIAL,
    BONE,
    BONE_CONTRAST,
    DELAYED,
    HIGH_KVP,
    LOW_KVP,
    ORAL,
    UNTOLD_CONTRAST,
    ct,
    scout,
)

LUNG_BASES: Final = Field((-190, -195, 318), (190, 185, 430))
CERVICAL_SPINE: Final = Field((-60, 10, 590), (60, 110, 800))

HEAD_GERMAN: Final = Exam(
    "CT",
    "siemens",
    "CT Schädel nativ",
    "HEAD",
    (
        scout("Topogramm  0.6  T20s", p.HEAD_LONG),
        ct("Schädel  5.0  H31s", p.HEAD, p.HEAD_CT, 8.0),
        ct("Schädel  5.0  H60s", p.HEAD, BONE, 8.0, shares=1, note="kernel of the same acquisition"),
        ct("Schädel cor  4.0  MPR", p.HEAD_LONG, p.HEAD_CT, 8.0, "coronal", reformat=True, shares=2),
        ct("Schädel sag  4.0  MPR", p.HEAD_LONG, p.HEAD_CT, 8.0, "sagittal", reformat=True, shares=3),
        ct(
            "Schädel MIP  10.0",
            p.HEAD,
            p.HEAD_CT,
            8.0,
            sequence="derived",
            form="projection",
            note="maximum intensity projection",
        ),
        ct("Schädel gekippt  5.0", p.HEAD, p.HEAD_CT, 8.0, trap="gantry_tilt"),
        ct("Schädel  4.8  H31s", p.HEAD, p.HEAD_CT, 8.0, order="reversed", note="stored from the last slice"),
        ct("Schädel  4.6  H31s", p.HEAD, p.HEAD_CT, 8.0, order="transposed", note="stored transposed"),
        ct("Schädel  4.4  H31s", p.HEAD, p.HEAD_CT, 8.0, order="flipped", note="stored mirrored"),
        ct(
            "Patientenprotokoll",
            p.HEAD,
            p.HEAD_CT,
            40.0,
            sequence="derived",
            form="other",
            header=(
                ("SOPClassUID", SecondaryCaptureImageStorage),
                ("ConversionType", "WSD"),
                ("PatientOrientation", ""),
            ),
            note="secondary capture that says CT",
        ),
        ct("Schädel  9.0  H31s", p.HEAD, p.HEAD_CT, 12.0, note="fewer than 16 slices"),
    ),
)
HEAD_FOREIGN_FILES: Final = Exam(
    "CT",
    "ge",
    "CT HEAD WITHOUT CONTRAST",
    "HEAD",
    (
        scout("SCOUT", p.HEAD_LONG),
        ct(
            "AXIAL HEAD",
            p.HEAD,
            p.HEAD_CT,
            8.0,
            syntax="big_endian",
            strays=("copy", "recompressed", "truncated", "foreign"),
            note="copies, a file cut off and a foreign one",
        ),
        ct("AXIAL BONE", p.HEAD, BONE, 8.0, shares=1, syntax="jpeg", note="kernel of the same acquisition"),
        ct("AXIAL HEAD THIN", p.HEAD, p.HEAD_CT, 8.0, trap="missing_slice", syntax="jpeg_ls"),
        ct("AXIAL HEAD REPEAT", p.HEAD, p.HEAD_CT, 8.0, trap="duplicate_position", syntax="jpeg_2000"),
        ct("AXIAL HEAD UNEVEN", p.HEAD, p.HEAD_CT, 8.0, trap="variable_spacing", syntax="rle"),
        ct(
            "AXIAL HEAD PAIRS",
            p.HEAD,
            p.HEAD_CT,
            8.0,
            storage="pairs",
            syntax="bare",
            note="slice pairs are acquisitions; no preamble and no meta information",
        ),
        ct("AXIAL HEAD OVERLAP", p.HEAD, p.HEAD_CT, 5.0, thickness_mm=10.0, note="overlapping slices"),
        ct("AXIAL HEAD EXPORT", p.HEAD, p.HEAD_CT, 8.0, trap="no_position", syntax="implicit"),
    ),
)
NECK_DUTCH: Final = Exam(
    "CT",
    "philips",
    "CT hals met contrast",
    "NECK",
    (
        scout("Surview", p.NECK_LONG),
        ct("Hals 3mm", p.NECK, p.PORTAL, 8.0),
        ct("Hals cor MPR", p.NECK_LONG, p.PORTAL, 8.0, "coronal", reformat=True),
    ),
    "Iomeron 350",
)
CHEST_FRENCH: Final = Exam(
    "CT",
    "ge",
    "TDM thorax sans et avec injection",
    "CHEST",
    (
        scout("Mode radio", p.CHEST_LONG),
        ct(
            "Thorax sans injection",
            p.CHEST,
            header=(("ContrastBolusAgent", "IOMERON 400"), ("ContrastBolusRoute", "IV")),
            note="agent sticks to the plain series",
        ),
        ct("Thorax après injection", p.CHEST, p.PORTAL, header=(("SeriesNumber", 2),), note="number repeats"),
        ct("Poumon après injection", p.CHEST, p.LUNG_CT_CONTRAST, shares=1, note="kernel of one acquisition"),
    ),
    "IOMERON 400",
)
CHEST_PORTUGUESE: Final = Exam(
    "CT",
    "philips",
    "TC TORAX SEM CONTRASTE",
    None,
    (
        ct("TORAX 5.0", p.CHEST, note="no body part"),
        ct("PULMAO 5.0", p.CHEST, p.LUNG_CT, shares=1, note="kernel of one acquisition"),
    ),
)
CHEST_SPANISH: Final = Exam(
    "CT",
    "toshiba",
    "TAC TORAX CON CONTRASTE",
    "CHEST",
    (
        ct("2.0", p.CHEST_LONG, p.SCOUT, view="coronal", sequence="localizer", trap="scout"),
        ct("TORAX", p.CHEST, p.PORTAL, header=(("BodyPartExamined", ""),), note="body part empty"),
        ct(
            "TORAX COR",
            p.CHEST_LONG,
            p.PORTAL,
            14.0,
            "coronal",
            reformat=True,
            header=(("ProtocolName", None),),
            note="no protocol name",
        ),
    ),
    "OPTIRAY 350",
)
ABDOMEN_POLISH: Final = Exam(
    "CT",
    "canon",
    "TK jamy brzusznej bez i z kontrastem",
    "ABDOMEN",
    (
        ct("2.0", p.ABDOMEN_LONG, p.SCOUT, view="coronal", sequence="localizer", trap="scout"),
        ct("Jama brzuszna bez kontrastu", p.ABDOMEN),
        ct("Faza tętnicza", p.ABDOMEN, ARTERIAL),
        ct("Faza żylna", p.ABDOMEN, p.PORTAL),
        ct("Faza opóźniona", p.ABDOMEN, DELAYED),
    ),
    "Ultravist 370",
    "ISO_IR 101",
)
ABDOMEN_ITALIAN: Final = Exam(
    "CT",
    "hitachi",
    "TC addome superiore con mdc",
    "ABDOMEN",
    (
        scout("SCANOGRAM", p.ABDOMEN_LONG),
        ct("Addome basale", p.ABDOMEN),
        ct("Addome dopo mdc", p.ABDOMEN, p.PORTAL),
    ),
    "Iomeron 350",
)
ABDOMEN_CZECH: Final = Exam(
    "CT",
    "siemens",
    "CT břicha a pánve s k.l.",
    "ABDOMEN",
    (
        scout("Topogram", p.ABDOMEN_PELVIS_LONG),
        ct("Břicho a pánev  5.0  B31f", p.ABDOMEN_PELVIS, p.PORTAL, 14.0),
    ),
    "Iomeron 400",
    "ISO_IR 192",
)
PELVIS_ENERGIES: Final = Exam(
    "CT",
    "siemens",
    "CT ABDOMEN/PELVIS W IV CONTRAST",
    "ABDOMEN",
    (
        scout("Topogram  0.6  T20f", p.ABDOMEN_PELVIS_LONG),
        ct("PreMonitoring  10.0  B31s", p.ABDOMEN, sequence="other", trap="single_position"),
        ct("Monitoring  10.0  B31s", p.ABDOMEN, ARTERIAL, sequence="other", trap="single_position"),
        ct("AbdPel DE  1.5  Q30f A_80kV", p.ABDOMEN_PELVIS, LOW_KVP, 14.0, note="dual energy"),
        ct("AbdPel DE  1.5  Q30f B_140kV", p.ABDOMEN_PELVIS, HIGH_KVP, 14.0, shares=1, note="dual energy"),
        ct(
            "AbdPel Iodine map",
            p.ABDOMEN_PELVIS,
            p.PORTAL,
            14.0,
            sequence="derived",
            form="parametric",
            shares=2,
            note="map of two energies",
        ),
        ct("LUNG  5.0  B70f", LUNG_BASES, p.LUNG_CT_CONTRAST, 7.0, note="lung bases, not the lung"),
        ct("CAP  18.0  B31f", p.TRUNK, p.PORTAL, 18.0, note="slices more than 15 mm apart"),
    ),
    "Omnipaque 350",
)
CONTRAST_WORDS: Final = Exam(
    "CT",
    "ge",
    "CT ABDOMEN W/WO CONTRAST",
    "ABDOMEN",
    (
        scout("SCOUT", p.ABDOMEN_LONG),
        ct("AXIAL W/O", p.ABDOMEN),
        ct("ORAL ONLY", p.ABDOMEN, ORAL, header=(("ContrastBolusAgent", "ORAL"),), note="oral contrast"),
        ct("NO IV AXIAL", p.ABDOMEN, header=(("ContrastBolusAgent", "NONE"),), note="denied"),
        ct("AXIAL C+", p.ABDOMEN, p.PORTAL),
        ct("Recon 2: BONE", p.ABDOMEN, BONE_CONTRAST, shares=1, note="kernel of one acquisition"),
        ct("5 MIN DELAY", p.ABDOMEN, DELAYED),
    ),
    "OMNI 350",
)
COLON: Final = Exam(
    "CT",
    "siemens",
    "Abdomen^1_COLONOGRAPHY (Adult)",
    "COLON",
    (ct("Colosc  1.0  B30f", p.ABDOMEN_PELVIS, ORAL, 14.0, note="a prior: nothing is injected"),),
)
OF_A_PET: Final = Exam(
    "CT",
    "ge",
    "PET CT WHOLE BODY",
    None,
    (ct("CTAC 3.75", p.TRUNK, p.NATIVE, 14.0, note="attenuation correction"),),
)
FRENCH_DENIAL: Final = Exam(
    "CT",
    "canon",
    "TDM abdominal",
    "ABDOMEN",
    (
        ct(
            "ABDOMEN 5.0",
            p.ABDOMEN,
            header=(("ContrastBolusAgent", "N/A"),),
            note="not applicable is a denial",
        ),
        ct("ABDOMEN 4.0", p.ABDOMEN, header=(("ContrastBolusAgent", "aucun"),), note="denied in French"),
        ct(
            "ABDOMEN 3.0",
            p.ABDOMEN,
            header=(("ContrastBolusAgent", ""),),
            untold=UNTOLD_CONTRAST,
            note="agent empty",
        ),
    ),
)
BOTH_WAYS: Final = Exam(
    "CT",
    "philips",
    "CT ABDOMEN PELVIS",
    "ABDOMENPELVIS",
    (
        ct(
            "AP 14mm",
            p.ABDOMEN_PELVIS,
            CtTechnique(phase="portal", noise_hu=12, oral=True),
            14.0,
            note="oral and intravenous",
        ),
    ),
    "ORAL & IV",
)

SPINE_CT: Final = Exam(
    "CT",
    "uih",
    "CT CERVICAL SPINE",
    "CSPINE",
    (
        ct(
            "C- SPINE BONE",
            CERVICAL_SPINE,
            BONE,
            8.0,
            untold=UNTOLD_CONTRAST,
            note="C- is cervical, not without contrast",
        ),
    ),
)
WRONG_BODY_PART: Final = Exam(
    "CT",
    "uih",
    "CT CHEST W/O CONTRAST",
    "ABDOMEN",
    (
        scout("Scout", p.CHEST_LONG),
        ct("Chest 5.0", p.CHEST, note="body part wrong"),
        ct("", p.CHEST, header=(("SeriesDescription", ""),), note="description empty"),
        ct(
            "Routine 5.0",
            p.CHEST,
            header=(("SeriesDescription", None), ("ProtocolName", "Head Routine")),
            untold=("coverage",),
            note="no description; protocol, study and body part name three parts",
        ),
    ),
)
CHINESE: Final = Exam(
    "CT",
    "uih",
    "胸部CT平扫",
    "CHEST",
    (
        ct("CHEST 5.0 W/O", p.CHEST),
        ct("胸部 5.0", p.CHEST, untold=UNTOLD_CONTRAST, note="Chinese says plain"),
    ),
    charset="GB18030",
)
JAPANESE: Final = Exam(
    "CT",
    "toshiba",
    "胸部単純CT",
    "CHEST",
    (ct("CHEST PLAIN", p.CHEST), ct("肺野", p.CHEST, p.LUNG_CT, shares=1, note="kernel of one acquisition")),
    charset="\\ISO 2022 IR 87",
)
ENHANCED_CT: Final = Exam(
    "CT",
    "philips",
    "CT CHEST WITHOUT CONTRAST",
    "CHEST",
    (
        ct("CHEST MULTIFRAME WO", p.CHEST, storage="enhanced", note="one multi-frame object"),
        ct(
            "CHEST TWO KERNELS WO",
            p.CHEST,
            parts=(
                Part(p.NATIVE, "ct"),
                Part(replace(p.LUNG_CT), "ct"),
            ),
            note="two kernels in one series",
        ),
        ct(
            "CHEST AXIAL AND CORONAL WO",
            p.CHEST_LONG,
            p.NATIVE,
            14.0,
            parts=(Part(p.NATIVE, "ct"), Part(p.NATIVE, "ct", view="coronal", form="reformat")),
            note="two planes in one series",
        ),
    ),
)

CT_VISITS: Final[tuple[Visit, ...]] = (
    Visit("M", (HEAD_GERMAN, HEAD_FOREIGN_FILES, NECK_DUTCH)),
    Visit("F", (CHEST_FRENCH, CHEST_PORTUGUESE, CHEST_SPANISH, WRONG_BODY_PART)),
    Visit("M", (ABDOMEN_POLISH, ABDOMEN_ITALIAN, ABDOMEN_CZECH, PELVIS_ENERGIES, CONTRAST_WORDS)),
    Visit("F", (SPINE_CT, CHINESE, JAPANESE, ENHANCED_CT, COLON, OF_A_PET, FRENCH_DENIAL, BOTH_WAYS)),
)
