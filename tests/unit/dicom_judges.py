"""David Clunie's dciodvfy and dcentvfy as judges of what we write."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

TOOLS = Path(str(distribution("dicom3tools").locate_file("dicom3tools"))) / "bin"


def errors_of_object(path: Path) -> list[str]:
    """Return what is wrong with an object by its own class's definition."""
    return _errors([str(TOOLS / "dciodvfy"), str(_readable(path))])


def errors_between(paths: Iterable[Path], folder: Path) -> list[str]:
    """Return what objects say differently of the same patient, study or series.

    Args:
        paths: The objects.
        folder: Where to write their list.
    """
    listed = folder / "objects.txt"
    listed.write_text("".join(f"{path}\n" for path in paths))
    return _errors([str(TOOLS / "dcentvfy"), "-f", str(listed)])


def _errors(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, check=False)
    lines = (done.stderr + done.stdout).decode("utf-8", "replace").splitlines()
    assert lines, f"{command[0]} says nothing"
    return [line for line in lines if line.startswith(("Error", "Abort")) or " Error - " in line]


def _readable(path: Path) -> Path:
    """Write out what the judges cannot read: deflated objects, and those without meta information."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, force=True)
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax != DeflatedExplicitVRLittleEndian:
        return path
    implicit = dataset.original_encoding[0]
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    target = path.with_name(path.name + ".readable")
    dcmwrite(target, dataset, enforce_file_format=True)
    return target
