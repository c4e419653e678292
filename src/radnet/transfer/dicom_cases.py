"""List DICOM scans with their masks: DICOM SEG, a mask series beside the scan, or PNG files (as in CHAOS).

A SEG names its series. A mask series is one on the same slices as another that holds few whole numbers, most
of them 0. PNG files lie beside the scan, one a slice, in the order of the slices' file names.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from radnet.errors import CaseError, PixelError, SourceError
from radnet.sources import open_blob
from radnet.transfer.cases import CaseFiles
from radnet.transfer.layouts import Survey, organ_labels
from radnet.transfer.stacks import Stack, find_stacks, patients_of, short
from radnet.volumes.decode import DAMAGE, PixelReader

LABEL_MAP_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.66.7"
MOST_LABELS: Final = 32
"""Distinct values of a mask series; a scan has more."""
LEAST_EMPTY: Final = 0.5
"""Share of a mask series that is 0."""
SAME_SLICE_MM: Final = 0.05
Named = dict[str, Stack]


def survey_dicom(data: Path, organ: str, labels: Sequence[int] | None, modality: str | None) -> Survey | None:
    """List the cases of a folder of DICOM files; None when there are none.

    Raises:
        CaseError: If no scan has a mask.
    """
    found = find_stacks(data)
    if not found.stacks:
        return None
    named = _named(patients_of(found.stacks), data)
    left_out = [(name, stack.refusal) for name, stack in named.items() if stack.refusal]
    usable = {name: stack for name, stack in named.items() if not stack.refusal}
    cases, notes = _with_seg(usable, found.others, organ, labels)
    for more, further in (
        _with_png(_without_mask(usable, cases), data, organ, labels),
        _with_series(_without_mask(usable, cases), organ, labels),
    ):
        cases += more
        notes += further
    told = {name for name, _ in notes}
    notes += [(name, "no mask") for name in _without_mask(usable, cases) if name not in told]
    if modality is not None:
        notes += [(c.case_id, f"is {c.modality}, not {modality}") for c in cases if c.modality != modality]
        cases = [case for case in cases if case.modality == modality]
    if not cases:
        seen = "; ".join(f"{name}: {reason}" for name, reason in [*left_out, *notes][:3])
        raise CaseError(
            f"no DICOM series below {data} has a mask ({seen}); expected a DICOM SEG, a mask series or PNGs"
        )
    layouts = sorted({case.layout for case in cases})
    return Survey(layouts[0], tuple(sorted(cases, key=_by_name)), (*left_out, *notes))


def headers_of(stack: Stack) -> tuple[list[Dataset], list[int] | None]:
    """Read the headers of a stack for `radnet.masks.seg`.

    Returns:
        One a slice, in order; or the one of a multi-frame file, with the numbers of its frames.

    Raises:
        CaseError: If a file cannot be read.
    """
    ends = {source.path: source.pixel_offset for source in stack.sources}
    paths = list(ends)
    headers = [_header(path, ends[path]) for path in paths]
    if len(paths) == len(stack.sources):
        return headers, None
    if len(paths) > 1:
        raise CaseError(f"series {short(stack.series)} is spread over several multi-frame files")
    return headers, [source.frame or 1 for source in stack.sources]


def _header(path: str, end: int | None = None) -> Dataset:
    """Read a header; `end` is where the value of Pixel Data begins."""
    try:
        with open_blob(path) as blob, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they may quote header values
            return dcmread(BytesIO(blob.pread(0, end or blob.size)), stop_before_pixels=True, force=True)
    except (*DAMAGE, OSError, SourceError) as error:
        raise CaseError(f"{path} cannot be read ({type(error).__name__}); copy it again") from error


def _named(stacks: Sequence[Stack], data: Path) -> Named:
    """Name stacks by their folder, and by their series where a folder holds several."""
    held: dict[str, list[Stack]] = defaultdict(list)
    for stack in stacks:
        held[_folder_name(stack, data)].append(stack)
    named: Named = {}
    for folder, group in held.items():
        for number, stack in enumerate(sorted(group, key=lambda one: one.series)):
            name = f"{folder}_{short(stack.series)[:6]}" if len(group) > 1 else folder
            named[f"{name}_{number}" if name in named else name] = stack
    return dict(sorted(named.items()))


def _folder_name(stack: Stack, data: Path) -> str:
    place = Path(re.sub(r"(\.zip|\.tar|\.tar\.gz|\.tgz)!", "/", stack.sources[0].path))
    parts = place.parent.relative_to(data.absolute()).parts if place.is_relative_to(data.absolute()) else ()
    kept = [
        part for part in parts if part.lower() not in {"dicom_anon", "dicom", "series", "image", "images"}
    ]
    return re.sub(r"[^\w.\-]+", "_", "_".join(kept)) or re.sub(r"[^\w.\-]+", "_", data.absolute().name)


def _without_mask(stacks: Named, cases: Iterable[CaseFiles]) -> Named:
    used = {case.case_id for case in cases} | {name for case in cases for name in case.mask}
    return {name: stack for name, stack in stacks.items() if name not in used and not _is_used(stack, used)}


def _is_used(stack: Stack, used: set[str]) -> bool:
    """Say whether a stack is the mask of another."""
    return stack.sources[0].path in used


def _case(
    name: str, stack: Stack, mask: Sequence[str], labels: Sequence[int], organ: str, layout: Any
) -> CaseFiles:
    return CaseFiles(
        case_id=name,
        patient_id=stack.patient or name,
        image=tuple(dict.fromkeys(source.path for source in stack.sources)),
        mask=tuple(mask),
        labels=tuple(labels),
        organ=organ,
        layout=layout,
        modality=stack.modality,
        stack=stack,
    )


def _with_seg(
    stacks: Named, others: Sequence[str], organ: str, labels: Sequence[int] | None
) -> tuple[list[CaseFiles], list[tuple[str, str]]]:
    by_series: dict[str, list[tuple[str, Stack]]] = defaultdict(list)
    for name, stack in stacks.items():
        by_series[stack.series].append((name, stack))
    cases: dict[str, CaseFiles] = {}
    notes: list[tuple[str, str]] = []
    for path in others:
        header = _header(path)
        if header.get("SOPClassUID") not in (SegmentationStorage, LABEL_MAP_STORAGE):
            continue
        if labels is not None:
            raise CaseError(f"{path}: segments are chosen by the organ's name; leave the labels out")
        try:
            numbers = organ_labels(_segments(header), organ, path)
        except CaseError:
            notes.append((Path(path).name, f"no segment is the {organ}"))
            continue
        found = by_series.get(_source_series(header), [])
        if not found:
            notes.append((Path(path).name, "its series is not there"))
        for name, stack in found:
            if name in cases:
                notes.append((Path(path).name, f"a further segmentation of {name}"))
            else:
                cases[name] = _case(name, stack, [path], numbers, organ, "dicom_seg")
    return list(cases.values()), notes


def _segments(header: Dataset) -> dict[str, tuple[int, ...]]:
    """Name segments by their label and the meaning of their code."""
    named: dict[str, tuple[int, ...]] = {}
    for segment in header.get("SegmentSequence") or ():
        kinds = segment.get("SegmentedPropertyTypeCodeSequence") or [Dataset()]
        name = f"{segment.get('SegmentLabel', '')} {kinds[0].get('CodeMeaning', '')}".strip()
        named[name] = (*named.get(name, ()), int(segment.SegmentNumber))
    return named


def _source_series(header: Dataset) -> str:
    references = header.get("ReferencedSeriesSequence") or [Dataset()]
    return str(references[0].get("SeriesInstanceUID", ""))


def _with_png(
    stacks: Named, data: Path, organ: str, labels: Sequence[int] | None
) -> tuple[list[CaseFiles], list[tuple[str, str]]]:
    held: dict[Path, list[Path]] = defaultdict(list)
    for path in data.absolute().rglob("*.png"):
        if path.name[0] != ".":
            held[path.parent].append(path)
    cases, notes = [], []
    for folder, files in sorted(held.items()):
        beside = _beside(folder, stacks, data.absolute())
        fitting = {name: stack for name, stack in beside.items() if len(stack.sources) == len(files)}
        if not fitting:
            counts = ", ".join(str(len(stack.sources)) for stack in beside.values()) or "none"
            notes.append((folder.name, f"{len(files)} PNG files for series of {counts} slices"))
        for name, stack in fitting.items():
            order = _in_order(stack, files)
            cases.append(_case(name, stack, [str(path) for path in order], labels or (), organ, "dicom_png"))
    twice = {case.case_id for case in cases if [c.case_id for c in cases].count(case.case_id) > 1}
    notes += [(name, "several folders of PNG files fit it") for name in sorted(twice)]
    return [case for case in cases if case.case_id not in twice], notes


def _beside(folder: Path, stacks: Named, data: Path) -> Named:
    """Return the stacks of the nearest folder above that holds any; they must be of one patient."""
    for above in (folder, *folder.parents):
        inside = {
            name: stack for name, stack in stacks.items() if Path(stack.sources[0].path).is_relative_to(above)
        }
        if inside:
            return inside if len({stack.patient for stack in inside.values()}) == 1 else {}
        if above == data:
            break
    return {}


def _in_order(stack: Stack, files: Sequence[Path]) -> list[Path]:
    """Sort PNG files as the slices of a stack: by equal names, else both by name."""
    stems = {path.stem: path for path in files}
    slices = [Path(source.path.replace("!", "/")).stem for source in stack.sources]
    if len(set(slices)) == len(slices) and set(slices) == set(stems):
        return [stems[name] for name in slices]
    keys = [(_natural(source.path), source.frame or 0) for source in stack.sources]
    ranks = np.argsort(sorted(range(len(keys)), key=keys.__getitem__))
    ordered = sorted(files, key=lambda path: _natural(path.name))
    return [ordered[int(rank)] for rank in ranks]


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _with_series(
    stacks: Named, organ: str, labels: Sequence[int] | None
) -> tuple[list[CaseFiles], list[tuple[str, str]]]:
    together: dict[tuple[Any, ...], Named] = defaultdict(dict)
    for name, stack in stacks.items():
        place = np.round(stack.positions[[0, -1]] / SAME_SLICE_MM).astype(int).ravel().tolist()
        key = (stack.patient, stack.frame_of_reference, len(stack.sources), stack.stored_shape, *place)
        together[key][name] = stack
    cases, notes = [], []
    for group in together.values():
        masks = {name: stack for name, stack in group.items() if len(group) > 1 and _is_mask(stack)}
        if len(masks) > 1:
            notes += [(name, "one of several mask series") for name in masks]
        elif masks:
            ((own, mask),) = masks.items()
            paths = [source.path for source in mask.sources]
            cases += [
                _case(name, stack, paths, labels or (), organ, "dicom_series")
                for name, stack in group.items()
                if name != own
            ]
    return cases, notes


def _is_mask(stack: Stack) -> bool:
    """Say whether a stack holds few whole numbers, most of them 0."""
    values: set[float] = set()
    n_empty = n_all = 0
    try:
        for plane in read_planes(stack):
            values.update(np.unique(plane).tolist())
            n_empty += int(np.count_nonzero(plane == 0))
            n_all += plane.size
            if len(values) > MOST_LABELS:
                return False
    except (PixelError, SourceError, OSError):
        return False
    return all(value == int(value) for value in values) and n_empty >= LEAST_EMPTY * n_all


def read_planes(stack: Stack) -> Iterable[NDArray[Any]]:
    """Yield the values of a stack's slices as stored, in order."""
    with PixelReader() as reader:
        for source in stack.sources:
            yield reader.read(source)


def _by_name(case: CaseFiles) -> str:
    return case.case_id
