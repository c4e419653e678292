"""From a series of slices to a volume of 48 x 192 x 192: ours against two ways in common use.

Writes one CT series in several transfer syntaxes and measures, interleaved in one run, the CPU seconds of
(ours) only the needed slices, resized in plane and then along z; (a) a pydicom stack and
scipy.ndimage.zoom; (b) SimpleITK's series reader and a linear resample. Ratios are to be read, not seconds:
machines are shared. It also says by how many grey levels ours differs from torch's trilinear resize with
half-pixel centres.

    python benchmarks/volumes.py --slices 300 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gdcm
import numpy as np
import pydicom
import scipy.ndimage
import SimpleITK
import torch
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from radnet.config import VolumesConfig
from radnet.volumes.build import build_volume
from radnet.volumes.intensity import Window, grey_levels
from radnet.volumes.pixels import SliceSource
from radnet.volumes.plan import StackTask

SHAPE: Final = (48, 192, 192)
SIDE: Final = 512
SPACING_MM: Final = (1.25, 0.7, 0.7)
CT_WINDOW: Final = Window(-1000.0, 1000.0)
RESULTS: Final = Path(__file__).parent / "results" / "volumes.json"
LEAST_RATIO: Final = {"uncompressed": 5.0}
LEAST_RATIO_COMPRESSED: Final = 3.0
SYNTAXES: Final = {
    "uncompressed": (uid.ExplicitVRLittleEndian, ""),
    "JPEG lossless": (uid.JPEGLosslessSV1, "gdcm"),
    "JPEG-LS": (uid.JPEGLSLossless, "pyjpegls"),
    "JPEG 2000": (uid.JPEG2000Lossless, "pylibjpeg"),
    "RLE": (uid.RLELossless, "pylibjpeg"),
}

Method = Callable[[list[Path], StackTask], NDArray[np.uint8]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    results = {}
    print(
        f"{options.slices} slices of {SIDE} x {SIDE}, CPU seconds a series, median of {options.rounds} rounds"
    )
    print(f"{'':14}{'ours':>8}{'pydicom+scipy':>20}{'SimpleITK':>18}{'levels from torch':>20}")
    with tempfile.TemporaryDirectory() as folder:
        voxels = phantom(options.slices)
        for name, (syntax, encoder) in SYNTAXES.items():
            paths = write_series(Path(folder) / name.replace(" ", "-"), voxels, syntax, encoder)
            results[name] = measure(paths, voxels, options.rounds)
            show(name, results[name])
            for path in paths:
                path.unlink()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({"slices": options.slices, "rounds": options.rounds, **results}, indent=1) + "\n"
    )


def show(name: str, result: dict[str, float]) -> None:
    least = LEAST_RATIO.get(name, LEAST_RATIO_COMPRESSED)
    verdict = "" if result["ratio_a"] >= least and result["grey_levels"] <= 1 else f"   below {least}x or off"
    print(
        f"{name:14}{result['ours_s']:8.3f}{result['pydicom_scipy_s']:12.3f} ({result['ratio_a']:4.1f}x)"
        f"{result['simpleitk_s']:10.3f} ({result['ratio_b']:4.1f}x){result['grey_levels']:14.0f}{verdict}"
    )


def measure(paths: list[Path], voxels: NDArray[np.int16], rounds: int) -> dict[str, float]:
    """Time the three methods in turn; return medians, ratios and the largest difference from torch."""
    task = task_of(paths)
    methods: dict[str, Method] = {"ours": ours, "pydicom_scipy": pydicom_scipy, "simpleitk": simpleitk}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            start = time.process_time()
            method(paths, task)
            seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    difference = np.abs(ours(paths, task).astype(int) - torch_reference(voxels)).max()
    return {
        **{f"{name}_s": round(value, 4) for name, value in medians.items()},
        "ratio_a": round(medians["pydicom_scipy"] / medians["ours"], 2),
        "ratio_b": round(medians["simpleitk"] / medians["ours"], 2),
        "grey_levels": float(difference),
    }


def ours(paths: list[Path], task: StackTask) -> NDArray[np.uint8]:
    return build_volume(task, VolumesConfig(shape=SHAPE)).array


def pydicom_scipy(paths: list[Path], task: StackTask) -> NDArray[np.uint8]:
    datasets = sorted((pydicom.dcmread(path) for path in paths), key=lambda d: d.ImagePositionPatient[2])
    stack = np.stack(
        [d.pixel_array * np.float32(d.RescaleSlope) + np.float32(d.RescaleIntercept) for d in datasets]
    )
    factors = [wanted / size for wanted, size in zip(SHAPE, stack.shape, strict=True)]
    return grey_levels(scipy.ndimage.zoom(stack, factors, order=1), CT_WINDOW)


def simpleitk(paths: list[Path], task: StackTask) -> NDArray[np.uint8]:
    folder = str(paths[0].parent)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(folder))
    image = reader.Execute()
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    wanted = np.array(SHAPE[::-1])
    new_spacing = size * spacing / wanted
    origin = np.array(image.GetOrigin()) + (new_spacing - spacing) / 2
    resampled = SimpleITK.Resample(
        image,
        wanted.tolist(),
        SimpleITK.Transform(),
        SimpleITK.sitkLinear,
        origin.tolist(),
        new_spacing.tolist(),
        image.GetDirection(),
        -1000.0,
        SimpleITK.sitkFloat32,
    )
    return grey_levels(SimpleITK.GetArrayFromImage(resampled), CT_WINDOW)


def torch_reference(voxels: NDArray[np.int16]) -> NDArray[np.int64]:
    hounsfield = torch.from_numpy(voxels.astype(np.float32) - 1024)[None, None]
    resized = torch.nn.functional.interpolate(hounsfield, size=SHAPE, mode="trilinear", align_corners=False)
    return grey_levels(resized[0, 0].numpy(), CT_WINDOW).astype(np.int64)


def phantom(slices: int) -> NDArray[np.int16]:
    """Make a body of soft tissue with bone, lungs and noise in air; HU + 1024."""
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    voxels = np.full((slices, SIDE, SIDE), 24, np.int16)
    voxels[np.broadcast_to((x / 0.85) ** 2 + (y / 0.6) ** 2 < 1, voxels.shape)] = 1064
    for side in (-0.4, 0.4):
        voxels[((x - side) / 0.3) ** 2 + (y / 0.4) ** 2 + (z / 0.7) ** 2 < 1] = 174
    voxels[np.broadcast_to(x**2 + (y - 0.4) ** 2 < 0.01, voxels.shape)] = 1724
    for plane in voxels:
        plane += rng.normal(0, 12, plane.shape).astype(np.int16)
    return np.clip(voxels, 0, 4095)


def write_series(folder: Path, voxels: NDArray[np.int16], syntax: uid.UID, encoder: str) -> list[Path]:
    folder.mkdir()
    series = uid.generate_uid(prefix=None)
    return [
        write_slice(folder, series, number, plane, syntax, encoder) for number, plane in enumerate(voxels)
    ]


def write_slice(
    folder: Path, series: str, number: int, plane: NDArray[np.int16], syntax: uid.UID, encoder: str
) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid.generate_uid(prefix=None)
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = dataset.FrameOfReferenceUID = dataset.SeriesInstanceUID = series
    dataset.Modality, dataset.InstanceNumber = "CT", number + 1
    dataset.ImagePositionPatient = [-180, -180, number * SPACING_MM[0]]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = list(SPACING_MM[1:])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = plane.tobytes()
    dataset["PixelData"].VR = "OW"
    if encoder not in ("", "gdcm"):
        dataset.compress(syntax, encoding_plugin=encoder, generate_instance_uid=False)
    path = folder / f"{number:04}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    if encoder == "gdcm":
        transcode(path, syntax)
    return path


def transcode(path: Path, syntax: uid.UID) -> None:
    """Let GDCM compress a file: pydicom has no encoder of its own for JPEG lossless."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    if reader.Read():
        change.SetInput(reader.GetImage())
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    if not change.Change():
        raise RuntimeError(f"GDCM cannot write {syntax.name}")
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.Write()


def task_of(paths: list[Path]) -> StackTask:
    """Say of the series what scan and grouping would have written down; measured by its own benchmark."""
    sources = {number: source_of(path) for number, path in enumerate(paths)}
    return StackTask(
        stack_id="benchmark",
        inputs="",
        modality="CT",
        n_slices=len(paths),
        effective_spacing_mm=None,
        orientation=(1, 0, 0, 0, 1, 0),
        pixel_spacing=SPACING_MM[1:],
        first_position=(-180, -180, 0),
        last_position=(-180, -180, (len(paths) - 1) * SPACING_MM[0]),
        sources=sources,
    )


def source_of(path: Path) -> SliceSource:
    dataset: Any = pydicom.dcmread(path)
    element = dataset["PixelData"]
    return replace(
        BLANK_SOURCE,
        path=str(path),
        pixel_offset=element.file_tell,
        pixel_length=None if element.is_undefined_length else len(element.value),
        TransferSyntaxUID=str(dataset.file_meta.TransferSyntaxUID),
    )


BLANK_SOURCE: Final = SliceSource(
    path="",
    frame=None,
    pixel_offset=None,
    pixel_length=None,
    TransferSyntaxUID=None,
    NumberOfFrames=None,
    SamplesPerPixel=1,
    PhotometricInterpretation="MONOCHROME2",
    Rows=SIDE,
    Columns=SIDE,
    BitsAllocated=16,
    BitsStored=12,
    HighBit=11,
    PixelRepresentation=0,
    RescaleSlope=1.0,
    RescaleIntercept=-1024.0,
    PixelPaddingValue=None,
)


if __name__ == "__main__":
    main()
