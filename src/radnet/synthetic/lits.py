"""Write abdominal CT, or CT and MR, with masks of liver and tumours, in the layout of the LiTS challenge.

`volume-N.nii` holds HU as int16, `segmentation-N.nii` 0, 1 for the liver and 2 for a tumour in it as uint8,
along the same axes; the liver's vessels count as liver, its cysts do not. `truth.csv` has a row a pair. Pairs
begin at 0. NIfTI measures in RAS, everything here in LPS. No body has a tumour of the lung: the label map has
one word for both, and what is in the field must be the liver's.

In a mixed folder every second scan is MR, of sequences as abdomens get them; `cases.csv` says which, since in
LiTS all are CT (`radnet.transfer.layouts` reads it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from radnet.executors import Progress, Workers, silent
from radnet.masks.nifti import RAS_TO_LPS
from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.build import Build, Finding, draw_build
from radnet.synthetic.ct import CtArtefacts, CtTechnique
from radnet.synthetic.examinations import Examination, draw_examination
from radnet.synthetic.fields import TARGETS
from radnet.synthetic.furniture import Furniture
from radnet.synthetic.mr import patient_tissues
from radnet.synthetic.piecework import Piecework, Plan, check_numbers, make_pieces, piecework
from radnet.synthetic.planning import prescribe
from radnet.synthetic.protocols import ABDOMEN, ABDOMEN_PELVIS, Protocol
from radnet.synthetic.randomness import body_seed, host_generator
from radnet.synthetic.sampling import Subject, prepare
from radnet.synthetic.scans import Scan, take_scan
from radnet.synthetic.structures import NUMBER
from radnet.synthetic.tissue import Phase, Spread

PAIRS: Final = 24
"""How many there are unless asked otherwise."""
TRUTH_NAME: Final = "truth.csv"
CASES_NAME: Final = "cases.csv"
Modality = Literal["CT", "MR"]
BACKGROUND, LIVER, TUMOUR = 0, 1, 2
LIVER_STRUCTURES: Final = ("liver", "liver_vessel")
TUMOUR_STRUCTURES: Final = ("tumour", "lesion_core")
TAKEN_OUT: Final[frozenset[Finding]] = frozenset({"liver_tumour", "lung_mass", "lung_nodule"})
"""Findings that are not left to chance."""
TUMOUR_FINDING: Final[Finding] = "liver_tumour"
TUMOUR_SHARE: Final = 0.9
"""Of the bodies; of the 131 scans of LiTS 118 have one (from memory)."""
SPACINGS_MM: Final = (1.5, 2.0, 2.5, 3.0, 5.0)
MATRIX: Final = 256
PELVIS_SHARE: Final = 0.3
"""Of the scans that go down to the pelvis."""
MR_SEQUENCES: Final = {"t2_se": 0.5, "t1_se": 0.1, "gre_t1": 0.3, "stir": 0.1}
"""Shares of the sequences of MR: what an examination of the liver consists of."""
MR_TARGETS: Final = ("liver", "abdomen")
COLUMNS: Final = (
    "volume",
    "segmentation",
    "modality",
    "sex",
    "age_years",
    "weight_kg",
    "phase",
    "slices",
    "slice_spacing_mm",
    "pixel_mm",
    "liver_ml",
    "tumour_ml",
)


@dataclass(frozen=True)
class LitsSummary:
    """What was written.

    Attributes:
        folder: Where the pairs lie.
        truth: Table of them.
        pairs: Volumes with a mask.
        with_tumour: Those whose mask has a tumour.
        slices: Of all volumes.
    """

    folder: Path
    truth: Path
    pairs: int
    with_tumour: int
    slices: int


def write_lits(
    out: Path | str,
    pairs: int | None = None,
    seed: int = 1,
    workers: Workers = Workers(),
    progress: Progress = silent,
    modalities: Sequence[Modality] = ("CT",),
) -> LitsSummary:
    """Write pairs of volume and mask, or go on where a run was ended by force.

    Args:
        out: Folder; made if it is not there. It must be empty, or unfinished and of the same arguments.
        pairs: How many, each of a body of its own; None for `PAIRS`.
        seed: Equal seeds give equal bytes.
        workers: Where they are made.
        progress: Called with the pairs written so far and in all.
        modalities: Of the pairs, in turn.

    Raises:
        SourceError: If no pairs or a negative seed are asked for, or the folder holds something else or
            cannot be written.
        ExecutorError: If a worker dies, or none can be started.
    """
    count = PAIRS if pairs is None else pairs
    check_numbers(count, seed)
    out = Path(out).absolute()
    preset = "liver" if len(modalities) == 1 else "livers"
    plan: Plan = {"preset": preset, "patients": count, "seed": seed}
    with piecework(out, plan, TRUTH_NAME) as work:
        pieces = [_piece(index) for index in range(count)]
        write = partial(_write_chunk, seed=seed, work=work, modalities=modalities)
        for done, _ in enumerate(make_pieces(work, pieces, write, workers), 1):
            progress(done, count)
        rows = [work.record(piece) or {} for piece in pieces]
        if len(modalities) > 1:
            labels = f"{LIVER} {TUMOUR}"
            cases = ((row["volume"], row["segmentation"], row["modality"], labels) for row in rows)
            work.write_csv(CASES_NAME, ("image", "mask", "modality", "labels"), cases)
        work.write_csv(TRUTH_NAME, COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    return LitsSummary(
        folder=out,
        truth=out / TRUTH_NAME,
        pairs=count,
        with_tumour=sum(row["tumour_ml"] > 0 for row in rows),
        slices=sum(row["slices"] for row in rows),
    )


def _piece(index: int) -> str:
    return f"volume-{index}"


def _write_chunk(
    indices: Sequence[int], seed: int, work: Piecework, modalities: Sequence[Modality]
) -> Sequence[int]:
    """Write pairs; runs in a worker."""
    for index in indices:
        _write_pair(index, seed, work, modalities[index % len(modalities)])
    return indices


def _write_pair(index: int, seed: int, work: Piecework, modality: Modality) -> None:
    rng = host_generator("lits", seed, index)
    number = body_seed(seed, index)
    build = _build(number, modality, rng)
    body = make_body(number, build=build)
    subject = prepare(body, Arrays(NUMPY), number)
    examination = _ct(body, rng) if modality == "CT" else _mr(subject, rng)
    patient = patient_tissues(subject, Spread(), f"lits {seed} {index}")
    scan = take_scan(subject, examination, (seed, index), patient)
    mask = liver_mask(scan.structures)
    names = {"volume": f"{_piece(index)}.nii", "segmentation": f"segmentation-{index}.nii"}
    folder = work.begin(_piece(index))
    _write_nifti(folder / names["volume"], scan.images, scan.affine)
    _write_nifti(folder / names["segmentation"], mask, scan.affine)
    work.finish(_piece(index), names | {"modality": modality} | _truth(build, examination, scan, mask))


def _build(number: int, modality: Modality, rng: np.random.Generator) -> Build:
    """Draw who is scanned, mostly with a tumour of the liver; for CT with the arms beside the head."""
    build = draw_build(number, arms="up") if modality == "CT" else draw_build(number)
    found = build.findings - TAKEN_OUT
    if rng.random() < TUMOUR_SHARE:
        found |= {TUMOUR_FINDING}
    return replace(build, findings=found)


def _ct(body: Body, rng: np.random.Generator) -> Examination:
    """Draw an axial CT of the abdomen, in the portal phase for the most part."""
    phases: tuple[Phase, ...] = ("portal", "arterial", "delayed")
    technique = CtTechnique(
        phase=phases[int(rng.choice(3, p=[0.7, 0.15, 0.15]))],
        noise_hu=float(np.exp(rng.uniform(np.log(6), np.log(20)))),
        oral=bool(rng.random() < 0.3),
        kvp=int(rng.choice([100, 120], p=[0.3, 0.7])),
    )
    field = ABDOMEN_PELVIS if rng.random() < PELVIS_SHARE else ABDOMEN
    spacing_mm = float(rng.choice(SPACINGS_MM))
    protocol = Protocol("ct", "", field, "axial", technique, spacing_mm, matrix=MATRIX)
    (plan,) = prescribe(body, protocol)
    table = Furniture(table=True, gap_mm=rng.uniform(5, 20), half_width_mm=rng.uniform(190, 250))
    liver = next(target for target in TARGETS if target.name == "liver")
    return Examination(liver, "axial", plan, spacing_mm, technique, CtArtefacts(table, streaks=0.5))


def _mr(subject: Subject, rng: np.random.Generator) -> Examination:
    """Draw an axial MR of the liver or the abdomen."""
    sequence = str(rng.choice([*MR_SEQUENCES], p=[*MR_SEQUENCES.values()]))
    name = str(rng.choice(MR_TARGETS))
    target = next(target for target in TARGETS if target.name == name)
    contrast = bool(rng.random() < 0.5)
    return draw_examination(subject, target, sequence, "axial", contrast, rng)


def liver_mask(structures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mask of LiTS.

    Args:
        structures: (slices, rows, columns) structure numbers, as `structures.NUMBER` has them.

    Returns:
        Of the same shape: 0, 1 for the liver and its vessels, 2 for its tumours.
    """
    of_structure = np.zeros(len(NUMBER), np.uint8)
    of_structure[[NUMBER[name] for name in LIVER_STRUCTURES]] = LIVER
    of_structure[[NUMBER[name] for name in TUMOUR_STRUCTURES]] = TUMOUR
    return np.asarray(of_structure[structures])


def _write_nifti(path: Path, values: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write (slice, row, column) values with their affine to LPS; NIfTI counts columns first."""
    image = nib.Nifti1Image(values.transpose(2, 1, 0), RAS_TO_LPS @ affine[:, [2, 1, 0, 3]])
    image.header.set_xyzt_units("mm")
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    image.to_filename(path)


def _truth(
    build: Build, examination: Examination, scan: Scan, mask: NDArray[np.uint8]
) -> dict[str, str | int | float]:
    """Return the row of a pair, without its names."""
    plan, voxel_ml = examination.plan, float(abs(np.linalg.det(scan.affine[:3, :3]))) / 1000
    return {
        "sex": build.sex,
        "age_years": round(build.age_years),
        "weight_kg": round(build.weight_kg, 1),
        "phase": examination.technique.phase,
        "slices": len(scan.images),
        "slice_spacing_mm": examination.spacing_mm,
        "pixel_mm": plan.pixel_mm,
        "liver_ml": round(int(np.count_nonzero(mask)) * voxel_ml, 1),
        "tumour_ml": round(int(np.count_nonzero(mask == TUMOUR)) * voxel_ml, 2),
    }
