"""Grey levels of synthetic organs beside the table of tissues and real scans that have masks.

    python benchmarks/synthetic_against_real.py SHARED/data

CT: mean HU and deviation inside the liver mask of a CHAOS donor (portal venous) and inside the labels of a
TotalSegmentator crop (native, to judge by its kidneys), beside synthetic portal CT of bodies with their
patients' spread and the table's own values. MR has no scale, so ratios to the liver count: 15 CHAOS
examinations (T2 with spectral fat saturation, 1.5 T) beside synthetic scans with the echo times that such a
protocol may have (the files do not tell theirs). Masks are eroded by one pixel in plane, so that borders do
not count.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray

from radnet.masks.nifti import read_nifti
from radnet.synthetic.anatomy import make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.examinations import draw_examination
from radnet.synthetic.fields import TARGETS
from radnet.synthetic.mr import MrArtefacts, patient_tissues
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.sampling import prepare
from radnet.synthetic.scans import take_scan
from radnet.synthetic.signal import MrTechnique, mr_signal
from radnet.synthetic.tissue import Phase, Spread, tissues

RESULTS: Final = Path(__file__).parent / "results" / "synthetic_against_real.json"
BODIES: Final = 6
ORGANS: Final = ("liver", "spleen", "kidney", "muscle", "fat")
TOTALSEGMENTATOR: Final = {1: "spleen", 2: "kidney", 3: "kidney", 5: "liver"}
CHAOS_MR: Final = {1: "liver", 2: "kidney", 3: "kidney", 4: "spleen"}
ECHO_TIMES_MS: Final = (70.0, 85.0, 100.0)
SPIR: Final = MrTechnique(2000, 85, echo_train=16, fat_saturated=True, noise=0.01)

Values = dict[str, list[NDArray[Any]]]


def main(data: Path) -> None:
    synthetic = _synthetic_ct()
    real = _chaos_ct(data / "dicom" / "ct_abdomen_portal")
    crop = _crop_ct(data / "nifti" / "abdomen_ct_crop_organs")
    found: dict[str, Any] = {"ct_hu": {}, "mr_ratio_to_liver": {}}
    print(
        f"{'CT, HU':8} {'portal table':>12} {'synthetic':>16} {'CHAOS':>16} {'native table':>12} {'crop':>16}"
    )
    for organ in ORGANS:
        row = {
            "table_portal": _table_hu(organ, "portal"),
            "table_native": _table_hu(organ, "native"),
            "synthetic": _hu(synthetic[organ]),
            "chaos": _hu(real[organ]),
            "totalsegmentator": _hu(crop[organ]),
        }
        found["ct_hu"][organ] = row
        cells = [_cell(row[name]) for name in ("synthetic", "chaos", "totalsegmentator")]
        portal, native = row["table_portal"], row["table_native"]
        print(f"{organ:8} {portal:12.0f} {cells[0]:>16} {cells[1]:>16} {native:12.0f} {cells[2]:>16}")
    chaos = _chaos_mr(data / "nifti" / "abdomen_mr_t2spir_liver")
    print(
        f"\n{'MR / liver':10} {'real: median (range)':>24} "
        + "".join(f"{f'TE {te:.0f}':>8}" for te in ECHO_TIMES_MS)
    )
    scans = {te: _synthetic_mr(te) for te in ECHO_TIMES_MS}
    for organ in ("spleen", "kidney"):
        ratios = chaos[organ]
        made = {te: scans[te][organ] for te in ECHO_TIMES_MS}
        found["mr_ratio_to_liver"][organ] = {
            "real": ratios,
            "synthetic": made,
            "formula": {te: _formula(organ, te) for te in ECHO_TIMES_MS},
        }
        text = f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, n={len(ratios)})"
        print(f"{organ:10} {text:>24} " + "".join(f"{made[te]:8.2f}" for te in ECHO_TIMES_MS))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def _table_hu(organ: str, phase: Phase) -> float:
    return tissues()["kidney_cortex" if organ == "kidney" else organ].hu[phase]


def _hu(values: list[NDArray[Any]]) -> tuple[float, float, int] | None:
    """Return the mean of the scans' medians, the mean deviation inside, and the number of scans."""
    if not values:
        return None
    middles, inside = [float(np.median(v)) for v in values], [float(v.std()) for v in values]
    return float(np.mean(middles)), float(np.mean(inside)), len(values)


def _cell(row: tuple[float, float, int] | None) -> str:
    return "-" if row is None else f"{row[0]:.0f} sd {row[1]:.0f} (n={row[2]})"


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.array([cv2.erode(plane.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for plane in mask])


def _add(values: Values, image: NDArray[Any], labels: NDArray[Any], names: dict[int, str]) -> None:
    for name in sorted(set(names.values())):
        mask = _eroded(np.isin(labels, [number for number, other in names.items() if other == name]))
        if mask.sum() > 200:
            values[name].append(image[mask].astype(np.float32))


def _chaos_ct(folder: Path) -> Values:
    with zipfile.ZipFile(folder / "series.zip") as packed:
        files = {Path(name).name: packed.read(name) for name in packed.namelist() if not name.endswith("/")}
    masks = sorted((folder / "liver_mask").glob("*.png"))
    images = [pydicom.dcmread(io.BytesIO(files[name])) for name in sorted(files)][: len(masks)]
    slope, intercept = float(images[0].RescaleSlope), float(images[0].RescaleIntercept)
    values: Values = defaultdict(list)
    stack = np.stack([image.pixel_array * slope + intercept for image in images])
    labels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0 for path in masks])
    _add(values, stack, labels.astype(np.uint8), {1: "liver"})
    return values


def _crop_ct(folder: Path) -> Values:
    values: Values = defaultdict(list)
    image, labels = (
        read_nifti(folder / name).values for name in ("example_ct_sm.nii.gz", "example_seg.nii.gz")
    )
    _add(values, image, labels.astype(int), TOTALSEGMENTATOR)
    return values


def _chaos_mr(folder: Path) -> dict[str, list[float]]:
    ratios: dict[str, list[float]] = defaultdict(list)
    for path in sorted(folder.glob("*_image.nii.gz")):
        image = read_nifti(path).values
        labels = read_nifti(Path(str(path).replace("_image", "_label"))).values
        _add_ratios(ratios, image, labels.astype(int), CHAOS_MR)
    return ratios


def _add_ratios(
    ratios: dict[str, list[float]], image: NDArray[Any], labels: NDArray[Any], names: dict[int, str]
) -> None:
    values: Values = defaultdict(list)
    _add(values, image, labels, names)
    if values["liver"]:
        liver = float(np.median(values["liver"][0]))
        for name in ("spleen", "kidney"):
            if values[name]:
                ratios[name].append(float(np.median(values[name][0])) / liver)


def _names(body: Any) -> dict[int, str]:
    own = {"kidney_cortex": "kidney", "kidney_medulla": "kidney"}
    return {
        number: own.get(tissue, tissue)
        for number, tissue in enumerate(body.tissues)
        if own.get(tissue, tissue) in ORGANS
    }


def _scans(technique: CtTechnique | MrTechnique) -> Any:
    """Yield scans of several bodies at the resolution of clinical ones, with their labels and names."""
    target = next(target for target in TARGETS if target.name == "abdomen")
    sequence = "ct" if isinstance(technique, CtTechnique) else "t2_se"
    for number in range(BODIES):
        body = make_body(700_000 + number, "F" if number % 2 else "M")
        subject = prepare(body, Arrays(NUMPY), number)
        rng = host_generator("against real", number)
        examination = draw_examination(subject, target, sequence, "axial", False, rng)
        plan = examination.plan
        size = max(plan.shape) * plan.pixel_mm
        plan = replace(plan, positions=plan.positions[:: max(1, len(plan.positions) // 30)])
        plan = replace(plan, shape=(256, 256), pixel_mm=size / 256, thickness_mm=5.0)
        artefacts = examination.artefacts if sequence == "ct" else MrArtefacts()
        examination = replace(examination, technique=technique, plan=plan, artefacts=artefacts)
        patient = patient_tissues(subject, Spread(), number)
        scan = take_scan(subject, examination, (number,), patient)
        yield scan.images, scan.structures, _names(body)


def _synthetic_ct() -> Values:
    values: Values = defaultdict(list)
    for image, labels, names in _scans(CtTechnique("portal", noise_hu=15)):
        _add(values, image, labels, names)
    return values


def _synthetic_mr(te_ms: float) -> dict[str, float]:
    ratios: dict[str, list[float]] = defaultdict(list)
    for image, labels, names in _scans(replace(SPIR, te_ms=te_ms)):
        _add_ratios(ratios, image, labels, names)
    return {name: float(np.median(found)) for name, found in ratios.items()}


def _formula(organ: str, te_ms: float) -> float:
    technique = replace(SPIR, te_ms=te_ms)
    name = "kidney_cortex" if organ == "kidney" else organ
    return mr_signal(tissues()[name], technique) / mr_signal(tissues()["liver"], technique)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
