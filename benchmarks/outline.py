"""Seconds from the DICOM of a CT of 300 slices to its DICOM SEG, by what runs the segmenter.

    python benchmarks/outline.py

The network has the usual size and random weights: its answers are thrown away and an egg is outlined, so
that files have their usual size. Headers are read and grouped too, as `radnet predict --outline` does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from radnet.config import RadnetConfig
from radnet.executors import Workers
from radnet.networks.export import export_model
from radnet.networks.segmentation import build_segmentation
from radnet.networks.segmenter import load_segmenter, save_segmenter
from radnet.networks.segmenter_spec import make_segmenter_spec
from radnet.networks.spec import make_spec
from radnet.pipeline import run_pipeline
from radnet.predict.outline import outline_series

SLICES, SIDE, SPACING_MM = 300, 512, (1.5, 0.8)


class Egg:
    """A segmenter that works as hard as another and draws an egg."""

    def __init__(self, segmenter: Any) -> None:
        self.folder, self.spec, self._segmenter = segmenter.folder, segmenter.spec, segmenter

    def segment(self, image: Any, starts: Any = None, second_pass: bool | None = None) -> Any:
        """Return the egg, after the work is done."""
        found = self._segmenter.segment(image, starts, second_pass)
        places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in found.shape), indexing="ij"), -1)
        away = np.linalg.norm((places - [0.1, 0, -0.3]) / [0.25, 0.35, 0.35], axis=-1)
        return np.clip(1.5 - away, 0, 1).astype(np.float32)


def write_ct(folder: Path) -> None:
    """Write a series of noise in a cylinder."""
    rng = np.random.default_rng(0)
    row, column = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    inside = row**2 + column**2 < 0.6
    folder.mkdir()
    for number in range(SLICES):
        header = Dataset()
        header.SOPClassUID, header.Modality = CTImageStorage, "CT"
        header.SOPInstanceUID, header.SeriesInstanceUID, header.StudyInstanceUID = (
            f"1.2.3.{number + 1}",
            "1.2.3",
            "1.2",
        )
        header.FrameOfReferenceUID, header.PatientID, header.InstanceNumber = "1.9", "bench", number + 1
        header.ImagePositionPatient = [-204.8, -204.8, SPACING_MM[0] * number]
        header.ImageOrientationPatient, header.PixelSpacing = [1, 0, 0, 0, 1, 0], [SPACING_MM[1]] * 2
        header.Rows = header.Columns = SIDE
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit, header.PixelRepresentation = 15, 1
        header.RescaleSlope, header.RescaleIntercept = 1, 0
        plane = np.where(inside, 40 + rng.normal(0, 15, inside.shape), -1000).astype("<i2")
        header.PixelData = plane.tobytes()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def measure(folder: Path, backend: str, repeats: int) -> dict[str, float]:
    """Return the least seconds of each part."""
    best: dict[str, float] = {}
    segmenter: Any = Egg(load_segmenter(folder / "segmenter", backend=backend))
    for number in range(repeats):
        work = folder / f"work-{backend}-{number}"
        began = time.perf_counter()
        list(run_pipeline([folder / "ct"], work, RadnetConfig(), workers=Workers("serial"), until="series"))
        found = time.perf_counter()
        summary = outline_series(work, segmenter)
        done = time.perf_counter()
        if summary.n_outlined != 1:
            raise SystemExit(f"not outlined: {summary.not_outlined}")
        parts = {"headers": found - began, **summary.seconds, "all": done - began}
        best = {name: min(value, best.get(name, value)) for name, value in parts.items()}
    return best


def main() -> None:
    """Print a line for each backend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--window", default="48,96,96")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    window = tuple(int(side) for side in asked.window.split(","))
    backbone = make_spec(asked.network, width=asked.width, stem="small", input_shape=window)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_ct(folder / "ct")
        spec = make_segmenter_spec({"backbone": backbone.model_dump(), "window": window})
        save_segmenter(folder / "segmenter", build_segmentation(spec), {})
        print(f"{SLICES} slices of {SIDE} x {SIDE}, {asked.network}, width {asked.width}, window {window}")
        print(
            f"{'backend':10s} "
            + " ".join(f"{name:>8s}" for name in ("headers", "read", "network", "write", "all"))
        )
        for backend in ("torch", "onnx", "openvino"):
            if backend != "torch":
                export_model(folder / "segmenter", backend)
            found = measure(folder, backend, asked.repeats)
            print(
                f"{backend:10s} "
                + " ".join(f"{found[name]:8.2f}" for name in ("headers", "read", "network", "write", "all"))
            )


if __name__ == "__main__":
    main()
