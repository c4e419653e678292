"""Scanning sequence and times tell the sequence without a single word."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from radnet.labels.table import label_table

TIMES = ("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "MagneticFieldStrength")
COLUMNS = ("Modality", "ScanningSequence", "SequenceVariant", "ScanOptions", *TIMES, "EchoTrainLength")


def header(
    scanning: str, variant: str, options: str, times: tuple[float | None, ...], train: int = 1, **more: Any
) -> dict[str, Any]:
    return {**dict(zip(COLUMNS, ("MR", scanning, variant, options, *times, train), strict=True)), **more}


@pytest.mark.parametrize(
    ("sequence", "given"),
    [
        pytest.param("t1_se", header("SE", "SK\\SP", "", (650, 11, None, 90, 1.5), 3), id="T1 at 1.5 T"),
        pytest.param("t1_se", header("SE", "SK", "FS", (1200, 12, None, 150, 3.0), 3), id="longer TR at 3 T"),
        pytest.param(None, header("SE", "SK", "", (1200, 12, None, 150, 1.5), 3), id="too long at 1.5 T"),
        pytest.param("t2_se", header("SE", "SK\\SP", "FS", (4000, 100, None, 150, 1.5), 15), id="T2"),
        pytest.param("t2_se", header("SE", "SK", "PFP", (1000, 90, None, 150, 1.5), 256), id="single shot"),
        pytest.param(
            "t2_se", header("SE", "SK", "FS", (4000, 90, 110, 120, 3.0), 12), id="fat saturation has a TI"
        ),
        pytest.param("pd", header("SE", "SK", "FS", (3000, 33, None, 150, 3.0), 7), id="PD"),
        pytest.param("t2_flair", header("SE\\IR", "SK", "", (9000, 81, 2500, 150, 1.5), 16), id="FLAIR"),
        pytest.param("t2_flair", header("SE", "SK", "FS", (9000, 81, 2500, 150, 1.5), 16), id="FLAIR as SE"),
        pytest.param("t2_flair", header("SE\\IR", "SK", "", (5000, 390, 1800, 120, 3.0), 200), id="3D FLAIR"),
        pytest.param("t1_flair", header("SE\\IR", "SK", "", (2000, 9, 860, 150, 3.0), 6), id="T1 FLAIR"),
        pytest.param("stir", header("SE\\IR", "SK", "", (4500, 40, 150, 150, 1.5), 8), id="STIR"),
        pytest.param("stir", header("IR", "SK", "", (5000, 60, 165, 90, 1.5), 12), id="STIR as IR"),
        pytest.param("gre_t1", header("GR\\IR", "SK\\SP\\MP", "IR", (2300, 2.9, 900, 9, 3.0)), id="MPRAGE"),
        pytest.param("gre_t1", header("GR", "SS\\SP\\SK", "FAST_GEMS", (8, 3.2, 450, 12, 1.5)), id="BRAVO"),
        pytest.param("gre_t1", header("GR", "MP", "", (8.1, 3.7, None, 8, 3.0), 200), id="prepared TFE"),
        pytest.param("gre_t1", header("GR", "SP\\OSP", "FS", (4.2, 1.9, None, 12, 1.5)), id="spoiled 3D"),
        pytest.param("gre_t2star", header("GR", "SP", "", (800, 25, None, 20, 1.5)), id="late echo"),
        pytest.param(None, header("GR", "SS\\SK", "", (4, 2, None, 60, 1.5)), id="balanced without a name"),
        pytest.param("mra", header("GR", "SP", "", (22, 7, None, 20, 1.5), AngioFlag="Y"), id="inflow"),
        pytest.param(
            "dwi", header("EP", "SK", "", (5000, 80, None, 90, 1.5), DiffusionBValue=1000.0), id="b-value"
        ),
        pytest.param("fmri", header("EP", "SK", "", (2000, 30, None, 90, 3.0), n_times=200), id="BOLD"),
        pytest.param(
            "perfusion",
            header("EP", "SK", "", (1500, 30, None, 60, 3.0), n_times=50, ContrastBolusAgent="Dotarem"),
            id="first pass",
        ),
    ],
)
def test_times_tell_the_sequence(sequence: str | None, given: dict[str, Any]) -> None:
    frame = pl.DataFrame([given], schema_overrides=dict.fromkeys(TIMES, pl.Float64))
    row = label_table(frame)[0].row(0, named=True)

    assert row["sequence"] == sequence
    assert row["sequence_status"] == ("decided" if sequence else "unknown")
