"""The visits of the synthetic hospital: nine regions, four vendors, and a trap of every kind.

The visits repeat, with new bodies, when more patients are asked for than there are visits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from radnet.synthetic import protocols as p
from radnet.synthetic.protocols import Exam, Protocol, Visit


def _scout(field: p.Field, name: str = "Topogram") -> Protocol:
    return Protocol("localizer", name, field, "coronal", p.SCOUT, trap="scout")


def _localizer(field: p.Field, name: str = "localizer") -> Protocol:
    return Protocol("localizer", name, field, "axial", p.FLASH, 10.0, trap="localizer", matrix=128)


CT_HEAD: Final = Exam(
    "CT",
    "siemens",
    "CT Head without contrast",
    "HEAD",
    (
        _scout(p.HEAD_LONG),
        Protocol("ct", "Head 5.0 H31s", p.HEAD, "axial", p.HEAD_CT, name="HeadRoutine", matrix=256),
        Protocol(
            "ct", "Head cor 4.0", p.HEAD_LONG, "coronal", p.HEAD_CT, 4.0, name="HeadRoutine", reformat=True
        ),
        Protocol(
            "ct", "Head sag 4.0", p.HEAD_LONG, "sagittal", p.HEAD_CT, 4.0, name="HeadRoutine", reformat=True
        ),
    ),
)
CT_NECK: Final = Exam(
    "CT",
    "ge",
    "CT SOFT TISSUE NECK W CONTRAST",
    "NECK",
    (
        _scout(p.NECK_LONG, "Scout"),
        Protocol("ct", "AX NECK W", p.NECK, "axial", p.PORTAL, 3.0, name="5.1 NECK ST"),
        Protocol(
            "ct", "COR NECK W", p.NECK_LONG, "coronal", p.PORTAL, 3.0, name="5.1 NECK ST", reformat=True
        ),
        Protocol(
            "ct", "HEAD TILTED", p.HEAD, "axial", p.HEAD_CT_CONTRAST, name="1.1 HEAD", trap="gantry_tilt"
        ),
    ),
    "OMNIPAQUE 350",
)
CT_CHEST: Final = Exam(
    "CT",
    "toshiba",
    "CT Chest without contrast",
    "CHEST",
    (
        Protocol("ct", "CHEST 5.0 AXIAL", p.CHEST, "axial", p.NATIVE, name="Chest"),
        Protocol("ct", "CHEST COR", p.CHEST_LONG, "coronal", p.NATIVE, name="Chest", reformat=True),
        Protocol(
            "ct",
            "CHEST SAG",
            p.CHEST_LONG,
            "sagittal",
            p.NATIVE,
            7.0,
            name="Chest",
            reformat=True,
            trap="rle",
        ),
        Protocol(
            "ct", "LUNG 7.5 AXIAL", p.CHEST, "axial", p.LUNG_CT, 7.5, name="Chest", trap="missing_slice"
        ),
    ),
)
CT_CHEST_CONTRAST: Final = Exam(
    "CT",
    "philips",
    "CT CHEST W/ CONTRAST",
    "CHEST",
    (
        Protocol("ct", "Chest 4mm, iDose (3)", p.CHEST, "axial", p.PORTAL, 4.0, name="Chest /Thorax"),
        Protocol(
            "ct",
            "Lung 7mm",
            p.CHEST,
            "axial",
            p.LUNG_CT_CONTRAST,
            7.0,
            name="Chest /Thorax",
            trap="variable_spacing",
        ),
        Protocol("ct", "Chest 10mm export", p.CHEST, "axial", p.PORTAL, 10.0, matrix=96, trap="no_position"),
        Protocol("ct", "Resp gated 8mm", p.CHEST, "axial", p.PORTAL, 8.0, matrix=96, trap="time_series"),
    ),
    "Iopamidol 300",
)
CT_ABDOMEN: Final = Exam(
    "CT",
    "siemens",
    "CT Abdomen with and without contrast",
    "ABDOMEN",
    (
        _scout(p.ABDOMEN_LONG),
        Protocol("ct", "Abdomen native 5.0 B30f", p.ABDOMEN, "axial", p.NATIVE, name="Abdomen"),
        Protocol(
            "other",
            "Monitoring 10.0 B30f",
            p.ABDOMEN,
            "axial",
            p.PORTAL,
            10.0,
            matrix=96,
            trap="single_position",
        ),
        Protocol("ct", "Abdomen portal venous 4.0 B30f", p.ABDOMEN, "axial", p.PORTAL, 4.0, name="Abdomen"),
        Protocol(
            "ct", "Abdomen cor pv 5.0", p.ABDOMEN_LONG, "coronal", p.PORTAL, name="Abdomen", reformat=True
        ),
    ),
    "Ultravist 370",
)
CT_ABDOMEN_PELVIS: Final = Exam(
    "CT",
    "ge",
    "CT ABDOMEN PELVIS W CONTRAST",
    "ABDOMEN PELVIS",
    (
        Protocol("ct", "AXIAL 5MM W IV", p.ABDOMEN_PELVIS, "axial", p.PORTAL, name="6.1 ABD/PELVIS"),
        Protocol(
            "ct", "COR W IV", p.ABDOMEN_PELVIS_LONG, "coronal", p.PORTAL, reformat=True, trap="jpeg2000"
        ),
        Protocol("ct", "SAG W IV", p.ABDOMEN_PELVIS_LONG, "sagittal", p.PORTAL, 6.0, reformat=True),
        Protocol("ct", "PELVIS BONE 8MM", p.PELVIS, "axial", p.PORTAL, 8.0, trap="duplicate_position"),
    ),
    "OMNI 350 ORAL & IV",
)
CT_TRUNK: Final = Exam(
    "CT",
    "siemens",
    "CT Chest Abdomen Pelvis with contrast",
    "CHEST_TO_PELVIS",
    (
        Protocol("ct", "CAP 6.0 B31f", p.TRUNK, "axial", p.PORTAL, 6.0, name="ThorAbdPelvis", trap="zip"),
        Protocol(
            "ct", "CAP cor 6.0", p.TRUNK_LONG, "coronal", p.PORTAL, 6.0, name="ThorAbdPelvis", reformat=True
        ),
        Protocol("ct", "", p.TRUNK, "axial", p.PORTAL, 10.0, matrix=128, trap="no_description"),
    ),
    "Ultravist 370",
)
MR_BRAIN: Final = Exam(
    "MR",
    "siemens",
    "MR Brain with and without contrast",
    "HEAD",
    (
        _localizer(p.HEAD_LONG),
        Protocol("t1_se", "t1_se_tra", p.HEAD, "axial", p.T1_SE, matrix=256),
        Protocol("t2_se", "t2_tse_tra_512", p.HEAD, "axial", p.T2_SE, matrix=256),
        Protocol("t2_flair", "t2_tirm_tra_dark-fluid", p.HEAD, "axial", p.T2_FLAIR),
        Protocol("dwi", "ep2d_diff_3scan_trace", p.HEAD, "axial", p.DWI, matrix=128),
        Protocol("adc", "ep2d_diff_3scan_trace_ADC", p.HEAD, "axial", p.ADC, matrix=128),
        Protocol("gre_t1", "t1_mpr_sag_p2_iso", p.HEAD_LONG, "sagittal", p.MPRAGE, 3.0),
        Protocol("t1_se", "t1_se_tra post KM", p.HEAD, "axial", p.T1_SE_GD, matrix=256),
        Protocol("t1_se", "t1_se_cor post KM", p.HEAD_LONG, "coronal", p.T1_SE_GD),
    ),
    "Magnevist",
)
MR_BRAIN_3T: Final = Exam(
    "MR",
    "ge",
    "MRI BRAIN W/WO CONTRAST",
    "BRAIN",
    (
        replace(_localizer(p.HEAD_LONG, "3 Plane Loc"), trap="three_plane"),
        Protocol("t1_flair", "Sag T1 FLAIR", p.HEAD_LONG, "sagittal", p.T1_FLAIR_3T),
        Protocol("t1_flair", "Ax T1 FLAIR", p.HEAD, "axial", p.T1_FLAIR_3T, trap="implicit_vr"),
        Protocol("t2_se", "Cor T2 FRFSE", p.HEAD_LONG, "coronal", p.T2_SE_3T),
        Protocol("t2_flair", "Sag T2 FLAIR", p.HEAD_LONG, "sagittal", p.T2_FLAIR_3T),
        Protocol(
            "t2_se", "Obl T2 hippocampus", p.HEAD_LONG, "coronal", p.T2_SE_3T, matrix=128, trap="oblique"
        ),
        Protocol("t1_flair", "Ax T1 FLAIR +C", p.HEAD, "axial", p.T1_FLAIR_3T_GD, trap="tar_gz"),
        Protocol("t1_flair", "Cor T1 FLAIR +C", p.HEAD_LONG, "coronal", p.T1_FLAIR_3T_GD),
    ),
    "GADAVIST",
)
MR_BRAIN_ODD: Final = Exam(
    "MR",
    "philips",
    "MRI Brain",
    None,
    (
        Protocol("t2_se", "PD/T2 TSE ax dual echo", p.HEAD, "axial", p.T2_SE, trap="dual_echo"),
        Protocol("t2_flair", "FLAIR cor", p.HEAD_LONG, "coronal", p.T2_FLAIR, trap="enhanced"),
        Protocol(
            "t2_se", "T2W_TSE ax few", p.HEAD, "axial", p.T2_SE, 14.0, matrix=128, trap="too_few_slices"
        ),
        Protocol("pd", "WIP 7", p.HEAD, "axial", p.PD, matrix=128, trap="unknown_sequence"),
    ),
)
MR_LUMBAR: Final = Exam(
    "MR",
    "philips",
    "MRI Lumbar Spine without contrast",
    "LSPINE",
    (
        Protocol("t1_se", "T1W_TSE SAG", p.LUMBAR, "sagittal", p.SPINE_T1, 4.0, matrix=256),
        Protocol("t2_se", "T2W_TSE SAG", p.LUMBAR, "sagittal", p.SPINE_T2, 4.0, matrix=256),
        Protocol("stir", "STIR_TSE SAG", p.LUMBAR, "sagittal", p.SPINE_STIR, 4.0),
        Protocol("t2_se", "T2W_TSE AX", p.LUMBAR_DISCS, "axial", p.SPINE_T2, 4.0),
    ),
)
MR_BREAST: Final = Exam(
    "MR",
    "siemens",
    "MR Breast bilateral with and without contrast",
    "BREAST",
    (
        Protocol("t2_se", "t2_tse_tra", p.BREAST, "axial", p.T2_SE),
        Protocol("t1_se", "t1_se_tra", p.BREAST, "axial", p.T1_SE),
        Protocol("t2_se", "t2_tse_sag", p.BREAST_LONG, "sagittal", p.T2_SE, 6.0),
        Protocol(
            "dynamic",
            "t1_fl3d_tra_dynaVIEWS",
            p.BREAST,
            "axial",
            p.VIBE_GD,
            6.0,
            matrix=96,
            trap="time_series",
        ),
    ),
    "Dotarem",
)
MR_ABDOMEN: Final = Exam(
    "MR",
    "siemens",
    "MR Abdomen without contrast",
    "ABDOMEN",
    (
        Protocol("t2_se", "t2_haste_cor_mbh", p.ABDOMEN_LONG, "coronal", p.SINGLE_SHOT, 6.0),
        Protocol("t2_se", "t2_tse_tra", p.ABDOMEN, "axial", p.T2_SE, 6.0),
        Protocol("t1_se", "t1_se_tra", p.ABDOMEN, "axial", p.T1_SE, 6.0),
        Protocol("gre_t1", "t1_vibe_fs_tra", p.ABDOMEN, "axial", p.VIBE, 4.0),
    ),
)
MR_PELVIS: Final = Exam(
    "MR",
    "ge",
    "MRI PELVIS W/WO CONTRAST",
    "PELVIS",
    (
        Protocol("t2_se", "AX T2 FRFSE", p.PELVIS, "axial", p.T2_SE_3T),
        Protocol("t2_se", "SAG T2 FRFSE", p.PELVIS_LONG, "sagittal", p.T2_SE_3T, 6.0),
        Protocol("t2_se", "COR T2 FRFSE", p.PELVIS_LONG, "coronal", p.T2_SE_3T),
        Protocol("t1_se", "AX T1 FSE", p.PELVIS, "axial", replace(p.T1_SE, field_t=3.0, tr_ms=650)),
        Protocol("t1_se", "AX T1 FSE +C", p.PELVIS, "axial", replace(p.T1_SE_GD, field_t=3.0, tr_ms=650)),
    ),
    "GADAVIST",
)
MR_NECK: Final = Exam(
    "MR",
    "philips",
    "MRI soft tissue neck without contrast",
    "NECK",
    (
        Protocol("t1_se", "T1W_TSE AX", p.NECK, "axial", p.T1_SE),
        Protocol("t2_se", "T2W_TSE COR", p.NECK_LONG, "coronal", p.T2_SE, 4.0),
    ),
)
MR_TRUNK: Final = Exam(
    "MR",
    "philips",
    "MRI Chest Abdomen Pelvis without contrast",
    "WHOLEBODY",
    (
        Protocol(
            "t2_se", "T2W_SSh AX", p.TRUNK, "axial", p.SINGLE_SHOT, 18.0, matrix=128, trap="wide_spacing"
        ),
    ),
)

VISITS: Final = (
    Visit("M", (CT_HEAD,)),
    Visit("M", (MR_BRAIN,), lesion=True),
    Visit("F", (CT_TRUNK,)),
    Visit("F", (MR_BRAIN_3T,), lesion=True),
    Visit("M", (CT_ABDOMEN,)),
    Visit("F", (MR_BREAST, MR_ABDOMEN)),
    Visit("F", (CT_NECK,)),
    Visit("M", (CT_CHEST,)),
    Visit("M", (MR_BRAIN_ODD, MR_LUMBAR)),
    Visit("F", (CT_ABDOMEN_PELVIS,)),
    Visit("M", (CT_CHEST_CONTRAST,)),
    Visit("M", (MR_PELVIS, MR_NECK, MR_TRUNK)),
)
"""Twelve patients; a longer archive starts again with other bodies."""
SMALL_VISITS: Final = (
    Visit("M", (replace(CT_ABDOMEN, series=CT_ABDOMEN.series[1:]),)),
    Visit("F", (replace(MR_BRAIN, series=(*MR_BRAIN.series[:4], MR_BRAIN.series[-1])),), lesion=True),
)
"""Two patients, nine series: for tests."""
