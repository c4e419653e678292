"""Trap visits of the brain in MR: one examination a vendor, in its words, and functional scans."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from radnet.synthetic import protocols as p
from radnet.synthetic.protocols import Exam, Part, Visit
from radnet.synthetic.trap_series import (
    B_500,
    B_ZERO,
    BOLD,
    BOLUS,
    DUAL_ECHO_PD,
    DUAL_ECHO_T2,
    LABELLED,
    SWI,
    T1_IR,
    T2_STAR,
    TOF,
    UNTOLD_CONTRAST,
    after,
    localizer,
    mr,
)

SIEMENS: Final = Exam(
    "MR",
    "siemens",
    "MRT Schädel nativ und KM",
    "HEAD",
    (
        localizer("AAHead_Scout", p.HEAD_LONG),
        mr("t1_se", "t1_se_tra", p.HEAD, p.T1_SE),
        mr("t2_se", "t2_tse_tra", p.HEAD, p.T2_SE, syntax="jpeg_ls", untold=UNTOLD_CONTRAST),
        mr(
            "t2_flair",
            "t2_spcir_sag_iso",
            p.HEAD_LONG,
            p.T2_FLAIR,
            view="sagittal",
            untold=UNTOLD_CONTRAST,
            note="spcir is FLAIR",
        ),
        mr("t2_flair", "t2_tirm_tra_dark-fluid", p.HEAD, p.T2_FLAIR, untold=UNTOLD_CONTRAST),
        mr(
            "t1_flair",
            "t1_tirm_sag_dark-fluid",
            p.HEAD_LONG,
            p.T1_FLAIR_3T,
            view="sagittal",
            untold=UNTOLD_CONTRAST,
        ),
        mr(
            "gre_t1",
            "t1_mpr_sag_iso",
            p.HEAD_LONG,
            p.MPRAGE,
            view="sagittal",
            note="MPRAGE, no reformat",
            untold=UNTOLD_CONTRAST,
        ),
        mr(
            "dwi",
            "ep2d_diff_3scan_trace",
            p.HEAD,
            p.DWI,
            parts=(Part(B_ZERO, "dwi"), Part(B_500, "dwi"), Part(p.DWI, "dwi")),
            untold=UNTOLD_CONTRAST,
            note="several b-values in one series",
        ),
        mr("adc", "ep2d_diff_3scan_trace_ADC", p.HEAD, p.ADC, untold=UNTOLD_CONTRAST),
        mr("gre_t2star", "t2_fl2d_tra_hemo", p.HEAD, T2_STAR, untold=UNTOLD_CONTRAST),
        mr(
            "perfusion",
            "ep2d_perf",
            p.HEAD,
            BOLUS,
            trap="time_series",
        ),
        mr("t1_se", "t1_se_tra KM", p.HEAD, p.T1_SE_GD),
        mr("t1_se", "t1_se_cor KM", p.HEAD_LONG, p.T1_SE_GD, view="coronal"),
    ),
    "Gadovist",
)
SIEMENS_FUNCTIONAL: Final = Exam(
    "MR",
    "siemens",
    "MRT Kopf funktionell ohne KM",
    "HEAD",
    (
        localizer("localizer", p.HEAD_LONG),
        mr("fmri", "ep2d_bold_moco", p.HEAD, BOLD, trap="time_series"),
        mr("fmri", "ep2d_bold_mosaic", p.HEAD, BOLD, storage="mosaic", note="a volume an image"),
        mr("gre_t2star", "SWI_Images", p.HEAD, SWI),
        mr("derived", "mIP_Images(SW)", p.HEAD, SWI, form="projection", note="minimum intensity projection"),
        mr("mra", "TOF_3D_multi-slab", p.HEAD, TOF, 5.0, header=(("AngioFlag", "Y"),)),
        mr("perfusion", "pcasl_3d_tra", p.HEAD, LABELLED, note="spin labelling, no agent"),
        mr("other", "gre_field_mapping", p.HEAD, p.FLASH),
    ),
)
GE: Final = Exam(
    "MR",
    "ge",
    "MRI BRAIN W/WO CONTRAST",
    "BRAIN",
    (
        mr("localizer", "3-PLANE LOC", p.HEAD_LONG, p.FLASH, 10.0, trap="three_plane"),
        mr(
            "t1_flair",
            "Sag T1 FLAIR",
            p.HEAD_LONG,
            p.T1_FLAIR_3T,
            view="sagittal",
            untold=UNTOLD_CONTRAST,
        ),
        mr("t2_flair", "Ax T2 FLAIR", p.HEAD, p.T2_FLAIR_3T, untold=UNTOLD_CONTRAST),
        mr(
            "t1_flair",
            "Ax T1 FLAIR",
            p.HEAD,
            p.T1_FLAIR_3T,
            header=(("ContrastBolusAgent", "GADAVIST"),),
            note="agent sticks to the series before the injection",
        ),
        mr(
            "dwi",
            "Ax DWI 3 b-values",
            p.HEAD,
            p.DWI,
            untold=UNTOLD_CONTRAST,
            parts=(Part(B_500, "dwi"), Part(p.DWI, "dwi")),
            note="several b-values in one series",
        ),
        mr("adc", "Apparent Diffusion Coefficient (mm2/s)", p.HEAD, p.ADC, untold=UNTOLD_CONTRAST),
        mr("gre_t2star", "Ax SWAN", p.HEAD, SWI, untold=UNTOLD_CONTRAST),
        mr("t1_flair", "Ax T1 FLAIR +C", p.HEAD, p.T1_FLAIR_3T_GD),
        mr("derived", "(8/1)-(4/1)", p.HEAD, p.T1_FLAIR_3T_GD, form="subtraction", note="GE's difference"),
        mr("derived", "PJN", p.HEAD, after(SWI), form="projection", note="GE's projection"),
        mr("gre_t1", "Sag BRAVO +C", p.HEAD_LONG, after(p.MPRAGE), view="sagittal"),
        mr("t2_se", "Obl T2 hippocampus", p.HEAD_LONG, after(p.T2_SE_3T), view="coronal", trap="oblique"),
    ),
    "GADAVIST",
)
PHILIPS: Final = Exam(
    "MR",
    "philips",
    "IRM cérébrale sans injection",
    None,
    (
        localizer("Survey", p.HEAD_LONG),
        mr("t1_se", "T1W_SE AX", p.HEAD, p.T1_SE),
        mr("t2_flair", "FLAIR cor", p.HEAD_LONG, p.T2_FLAIR, view="coronal"),
        mr(
            "t2_se",
            "PD/T2 TSE ax",
            p.HEAD,
            DUAL_ECHO_T2,
            parts=(
                Part(DUAL_ECHO_PD, "pd", (("EchoNumbers", 1),)),
                Part(DUAL_ECHO_T2, "t2_se", (("EchoNumbers", 2),)),
            ),
            note="dual echo in one series",
        ),
        mr("t1_flair", "T1W_IR_TSE ax", p.HEAD, T1_IR, tilt_deg=(12.0, 0.0, 0.0), note="tilted, yet axial"),
        mr("gre_t1", "3D T1 TFE sag", p.HEAD_LONG, p.MPRAGE, view="sagittal"),
        mr("dwi", "DWI_SSh b1000", p.HEAD, p.DWI),
        mr("adc", "dADC", p.HEAD, p.ADC),
        mr(
            "gre_t2star",
            "T2*_FFE multi echo ax",
            p.HEAD,
            T2_STAR,
            parts=tuple(
                Part(replace(T2_STAR, te_ms=te), "gre_t2star", (("EchoNumbers", echo),))
                for echo, te in enumerate((15.0, 21.0, 27.0), 1)
            ),
            note="several echoes in one series",
        ),
        mr("t2_flair", "FLAIR multi-frame", p.HEAD, p.T2_FLAIR, storage="enhanced"),
        mr(
            "t1_se",
            "T1W multi-frame ax sag",
            p.HEAD_LONG,
            p.T1_SE,
            10.0,
            storage="enhanced",
            parts=(Part(p.T1_SE, "t1_se"), Part(p.T1_SE, "t1_se", view="sagittal")),
            note="several stacks in one object",
        ),
        mr(
            "dwi",
            "DWI multi-frame b500 b1000",
            p.HEAD,
            p.DWI,
            storage="enhanced",
            parts=(Part(B_500, "dwi"), Part(p.DWI, "dwi")),
            note="several b-values in one object",
        ),
    ),
)
CANON: Final = Exam(
    "MR",
    "canon",
    "RM cerebral simple",
    "BRAIN",
    (
        localizer("Locator", p.HEAD_LONG),
        mr("t1_se", "T1 SE AX", p.HEAD, p.T1_SE, order="reversed"),
        mr("t2_se", "T2 FSE AX", p.HEAD, p.T2_SE, order="transposed"),
        mr("t2_flair", "FLAIR AX", p.HEAD, p.T2_FLAIR, order="flipped"),
        mr("t1_flair", "T1 FLAIR AX", p.HEAD, T1_IR, tilt_deg=(0.0, 0.0, 15.0), note="turned in its plane"),
        mr("dwi", "DWI AX b1000", p.HEAD, p.DWI),
        mr("adc", "ADC AX", p.HEAD, p.ADC),
    ),
)
TOSHIBA: Final = Exam(
    "MR",
    "toshiba",
    "頭部MRI",
    "HEAD",
    (
        mr("t2_se", "T2 AX", p.HEAD, p.T2_SE, untold=UNTOLD_CONTRAST),
        mr("t2_flair", "FLAIR 横断", p.HEAD, p.T2_FLAIR, untold=UNTOLD_CONTRAST, note="Japanese plane"),
    ),
    charset="\\ISO 2022 IR 87",
)
UIH: Final = Exam(
    "MR",
    "uih",
    "头部MRI平扫",
    "HEAD",
    (
        localizer("scout_3pl", p.HEAD_LONG),
        mr("t1_se", "t1_fse_tra", p.HEAD, p.T1_SE, untold=UNTOLD_CONTRAST),
        mr("t2_se", "t2_fse_tra", p.HEAD, p.T2_SE, untold=UNTOLD_CONTRAST),
        mr("t2_flair", "t2_fse_flair_tra", p.HEAD, p.T2_FLAIR, untold=UNTOLD_CONTRAST),
        mr(
            "dwi",
            "epi_tra_b0_1000",
            p.HEAD,
            p.DWI,
            parts=(Part(B_ZERO, "dwi"), Part(p.DWI, "dwi")),
            untold=UNTOLD_CONTRAST,
            note="b-value in UIH's private element alone",
        ),
    ),
    charset="GB18030",
)
HITACHI: Final = Exam(
    "MR",
    "hitachi",
    "МРТ головного мозга",
    "BRAIN",
    (
        mr("localizer", "SCANOGRAM", p.HEAD_LONG, p.FLASH, 10.0, trap="localizer"),
        mr("t1_se", "T1 SE SAG", p.HEAD_LONG, p.T1_SE, view="sagittal", untold=UNTOLD_CONTRAST),
        mr("t2_se", "T2 FSE AX", p.HEAD, p.T2_SE, untold=UNTOLD_CONTRAST, syntax="big_endian"),
        mr("t2_flair", "FLAIR AX", p.HEAD, p.T2_FLAIR, untold=UNTOLD_CONTRAST),
    ),
    charset="ISO_IR 144",
)
NOTHING_SAID: Final = Exam(
    "MR",
    "siemens",
    "",
    None,
    (
        mr(
            "t2_se",
            "Series 5",
            p.HEAD,
            p.T2_SE,
            untold=("contrast", "coverage"),
            note="nothing names the part of the body",
        ),
        mr(
            "pd",
            "WIP 7",
            p.HEAD,
            p.PD,
            trap="unknown_sequence",
            untold=("sequence", "contrast", "coverage"),
            note="nothing names sequence or part",
        ),
    ),
)

BRAIN_VISITS: Final[tuple[Visit, ...]] = (
    Visit("M", (SIEMENS, SIEMENS_FUNCTIONAL), lesion=True),
    Visit("F", (GE, PHILIPS), lesion=True),
    Visit("M", (CANON, TOSHIBA, UIH, HITACHI, NOTHING_SAID)),
)
