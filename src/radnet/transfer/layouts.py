"""Recognise how a folder of NIfTI scans and masks is laid out, and list its cases.

Nothing is read but names and dataset.json. What has no partner is kept with its reason, never dropped. Names
of files become names of cases; a table `cases.csv` in the folder (columns image and mask, and if wanted case,
patient, modality, labels) says what names do not; labels are numbers with blanks between.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from radnet.errors import CaseError
from radnet.transfer.cases import CaseFiles, Layout

LISTED_NAME: Final = "cases.csv"
DATASET_NAME: Final = "dataset.json"
NIFTI_SUFFIXES: Final = (".nii.gz", ".nii")
LITS_LABELS: Final = {"liver": (1, 2)}
"""In LiTS 1 is liver and 2 its tumours, which lie in the liver."""
TUMOUR_WORDS: Final = frozenset(
    {"cancer", "tumor", "tumour", "tumors", "tumours", "lesion", "lesions", "cyst", "metastasis"}
)
"""Labels that lie within an organ."""
MASK_WORDS: Final = frozenset(
    {"label", "labels", "labelstr", "mask", "masks", "seg", "segs", "segmentation", "segmentations", "gt"}
)
IMAGE_WORDS: Final = frozenset(
    {"image", "images", "imagestr", "img", "imgs", "scan", "scans", "volume", "volumes"}
)
TEST_FOLDERS: Final = frozenset({"imagests", "test", "testing"})
SHOWN: Final = 3
"""Names that an error gives."""
_LITS_IMAGE: Final = re.compile(r"volume-(\d+)\.nii(\.gz)?$")
_PATIENT: Final = re.compile(r"^(sub-[A-Za-z0-9]+)")
"""BIDS writes the patient in front."""


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        layout: How it is laid out.
        cases: Scans with masks, by case.
        left_out: What is no case, with the reason.
    """

    layout: Layout
    cases: tuple[CaseFiles, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def survey_nifti(data: Path, organ: str, labels: Sequence[int] | None, modality: str | None) -> Survey | None:
    """List the cases of a folder of NIfTI files; None when there are no such files.

    Raises:
        CaseError: If the organ is no label of the data, a named file is missing, or no image has a mask.
    """
    if (data / LISTED_NAME).is_file():
        return _listed(data, organ, labels, modality)
    described = next(iter(sorted([*data.glob(DATASET_NAME), *data.glob(f"*/{DATASET_NAME}")])), None)
    if described is not None:
        return _described(described, organ, labels, modality)
    files = [
        path for path in sorted(data.rglob("*")) if path.name.endswith(NIFTI_SUFFIXES) and path.name[0] != "."
    ]
    if not files:
        return None
    if any(_LITS_IMAGE.search(path.name) for path in files):
        return _lits(files, organ, labels, modality)
    return _pairs(data, files, organ, labels, modality)


def organ_labels(named: Mapping[str, Sequence[int]], organ: str, where: Path | str) -> tuple[int, ...]:
    """Say which numbers are an organ.

    A label is the organ's when its name has the organ's word (`left_kidney` is a kidney). Tumours count too
    when the data knows no other organ, for they lie within it.

    Args:
        named: Numbers by name.
        organ: A word.
        where: For the error.

    Raises:
        CaseError: If no label is the organ.
    """
    words = {name: set(re.findall(r"[a-z]+", name.lower())) for name in named}
    wanted = set(re.findall(r"[a-z]+", organ.lower()))
    plural = {f"{word}s" for word in wanted}
    own = [name for name in named if wanted <= words[name] or plural <= words[name]]
    others = [name for name in named if name not in own and name.lower() != "background"]
    if own and all(words[name] & TUMOUR_WORDS for name in others):
        own += others
    if not own:
        known = ", ".join(sorted(name for name in named if name.lower() != "background"))
        raise CaseError(f"{where}: has no label '{organ}'; it has {known}")
    return tuple(sorted({number for name in own for number in named[name]} - {0}))


def _lits(files: Iterable[Path], organ: str, labels: Sequence[int] | None, modality: str | None) -> Survey:
    if labels is None and organ not in LITS_LABELS:
        raise CaseError(f"LiTS outlines liver and tumours, not '{organ}'; say which labels are meant")
    chosen = tuple(LITS_LABELS[organ] if labels is None else labels)
    known = {(path.parent, path.name): path for path in files}
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in known.values():
        by_name[_stem(path)].append(path)
    cases, left_out, used = [], [], set()
    for path in known.values():
        match = _LITS_IMAGE.search(path.name)
        if not match:
            continue
        masks = by_name[f"segmentation-{match[1]}"]
        beside = [mask for mask in masks if mask.parent == path.parent] or masks
        if len(beside) != 1:
            left_out.append((path.name, "no segmentation" if not beside else "several segmentations"))
            continue
        used.add(beside[0])
        cases.append(_case(f"volume-{match[1]}", path, beside[0], chosen, organ, "lits", modality or "CT"))
    left_out += [
        (path.name, "no volume")
        for path in known.values()
        if path not in used and not _LITS_IMAGE.search(path.name)
    ]
    return _checked(Survey("lits", tuple(cases), tuple(left_out)), "volume-N.nii with segmentation-N.nii")


def _described(path: Path, organ: str, labels: Sequence[int] | None, modality: str | None) -> Survey:
    """List what a dataset.json describes: Medical Segmentation Decathlon, nnU-Net 1 and 2."""
    try:
        told = json.loads(path.read_text("utf-8"))
        named = _named_labels(told["labels"])
        channels = told.get("channel_names") or told.get("modality") or {}
        first = str(channels.get("0", "")).upper()
        ending = str(told.get("file_ending") or "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaseError(
            f"{path}: is no dataset.json of the Decathlon or nnU-Net: labels by name, training or file_ending"
        ) from error
    if ending and ending not in NIFTI_SUFFIXES:
        raise CaseError(f"{path}: its files end in {ending}; convert them to NIfTI (.nii.gz)")
    chosen = tuple(labels) if labels is not None else organ_labels(named, organ, path)
    kind = modality or (
        "CT" if "CT" in first else "MR" if "MR" in first or first in {"T1", "T2", "FLAIR"} else None
    )
    pairs, left_out = _training_pairs(path.parent, told, ending)
    layout: Layout = (
        "nnunet" if ending or any("_0000." in image.name for _, image, _ in pairs) else "decathlon"
    )
    cases = [_case(name, image, mask, chosen, organ, layout, kind) for name, image, mask in pairs]
    left_out += [(image.name, "test image") for image in _niftis(path.parent / "imagesTs")]
    return _checked(Survey(layout, tuple(cases), tuple(left_out)), "imagesTr with labelsTr")


def _named_labels(told: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Read labels as 1 and 2 write them: numbers by name, or names by number."""
    named: dict[str, tuple[int, ...]] = {}
    for key, value in told.items():
        if isinstance(value, str):
            named[value] = (*named.get(value, ()), int(key))
        else:
            named[key] = tuple(map(int, value)) if isinstance(value, list) else (int(value),)
    return named


def _training_pairs(
    root: Path, told: Mapping[str, Any], ending: str
) -> tuple[list[tuple[str, Path, Path]], list[tuple[str, str]]]:
    masks = {_stem(mask): mask for mask in _niftis(root / "labelsTr")}
    images = {_stem(image): image for image in _niftis(root / "imagesTr")}
    listed = told.get("training") or ()
    for row in listed if isinstance(listed, list) else ():
        image, mask = (root / row["image"], root / row["label"]) if isinstance(row, dict) else (root, root)
        stem = _stem(mask)
        if not mask.is_file() or not (image.is_file() or f"{stem}_0000" in images):
            raise CaseError(f"{root / DATASET_NAME}: names {mask.name}, but image or label is not there")
        masks[stem] = mask
        images.setdefault(stem, image)
    pairs, left_out = [], []
    for stem, mask in sorted(masks.items()):
        found = images.get(f"{stem}_0000") or images.get(stem)
        if found is None:
            left_out.append((mask.name, "no image"))
        else:
            pairs.append((stem, found, mask))
    used = {image for _, image, _ in pairs}
    for stem, image in images.items():
        if image not in used and image.is_file():
            is_channel = re.search(r"_\d{4}$", stem) and stem[:-5] in masks
            left_out.append((image.name, "a further channel" if is_channel else "no label"))
    return pairs, left_out


def _pairs(
    data: Path, files: Sequence[Path], organ: str, labels: Sequence[int] | None, modality: str | None
) -> Survey:
    """Pair images and masks by what their names have in common."""
    masks: dict[str, list[Path]] = defaultdict(list)
    images: dict[str, list[Path]] = defaultdict(list)
    left_out = []
    for path in files:
        key, role = _key_and_role(path.relative_to(data))
        if role == "test":
            left_out.append((path.name, "test image"))
        else:
            (masks if role == "mask" else images)[key].append(path)
    cases = []
    for key in sorted({*masks, *images}):
        if len(masks[key]) == len(images[key]) == 1:
            chosen = tuple(labels or ())
            cases.append(_case(key, images[key][0], masks[key][0], chosen, organ, "pairs", modality))
            continue
        few = "no mask" if not masks[key] else "no image" if not images[key] else "several files of one name"
        left_out += [(path.name, few) for path in (*images[key], *masks[key])]
    wanted = f"NAME_image.nii.gz with NAME_label.nii.gz, images/ with labels/, or a table {LISTED_NAME}"
    return _checked(Survey("pairs", tuple(cases), tuple(left_out)), wanted)


def _key_and_role(path: Path) -> tuple[str, str]:
    """Return what image and mask of a case share in their names, and which of both a file is."""
    folders = [part for part in path.parts[:-1] if part.lower() not in MASK_WORDS | IMAGE_WORDS]
    held = {part.lower() for part in path.parts[:-1]}
    pieces = re.split(r"([_\-. ])", _stem(path))
    words = pieces[::2]
    kept = [n for n, word in enumerate(words) if word.lower() not in MASK_WORDS | IMAGE_WORDS]
    if len(kept) > 1 and words[kept[-1]] == "0000":
        kept.pop()
    name = "".join((pieces[2 * n - 1] if n != kept[0] else "") + words[n] for n in kept)
    in_name = {word.lower() for word in words}
    role = "mask" if in_name & MASK_WORDS or held & MASK_WORDS else "test" if held & TEST_FOLDERS else "image"
    return "_".join([*folders, name] if name else folders) or _stem(path), role


def _listed(data: Path, organ: str, labels: Sequence[int] | None, modality: str | None) -> Survey:
    table = data / LISTED_NAME
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseError(f"{table}: cannot be read as a CSV table in UTF-8") from error
    if not rows or not {"image", "mask"} <= set(rows[0]):
        raise CaseError(f"{table}: needs rows and the columns image and mask, paths from its folder")
    cases = []
    for number, row in enumerate(rows, 2):
        image, mask = (data / (row[name] or "") for name in ("image", "mask"))
        for path in (image, mask):
            if not path.is_file():
                raise CaseError(f"{table}, line {number}: {path} is not there")
        name = row.get("case") or _stem(image)
        kind = row.get("modality") or modality
        own = (row.get("labels") or "").split()
        if not all(word.isdecimal() and int(word) for word in own):
            raise CaseError(f"{table}, line {number}: labels are whole numbers above 0 with blanks between")
        cases.append(
            CaseFiles(
                case_id=_safe(name),
                patient_id=row.get("patient") or patient_of(_safe(name)),
                image=(str(image),),
                mask=(str(mask),),
                labels=tuple(labels or map(int, own)),
                organ=organ,
                layout="listed",
                modality=kind,
            )
        )
    return _checked(Survey("listed", tuple(cases)), "rows with image and mask")


def pair_case(
    image: Path | str,
    mask: Path | str,
    organ: str,
    labels: Sequence[int] | None = None,
    modality: str | None = None,
) -> CaseFiles:
    """Make a case of one NIfTI image and its mask, wherever they lie."""
    return _case(_stem(Path(image)), Path(image), Path(mask), tuple(labels or ()), organ, "pairs", modality)


def patient_of(case_id: str) -> str:
    """Return the patient that a name tells in the manner of BIDS, or the name."""
    match = _PATIENT.match(case_id)
    return match[1] if match else case_id


def _case(
    name: str,
    image: Path,
    mask: Path,
    labels: tuple[int, ...],
    organ: str,
    layout: Layout,
    modality: str | None,
) -> CaseFiles:
    case_id = _safe(name)
    return CaseFiles(
        case_id, patient_of(case_id), (str(image),), (str(mask),), labels, organ, layout, modality
    )


def _checked(survey: Survey, expected: str) -> Survey:
    names = [case.case_id for case in survey.cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CaseError(f"several cases are named {', '.join(twice[:SHOWN])}; give each file its own name")
    if not names:
        seen = "; ".join(f"{name}: {reason}" for name, reason in survey.left_out[:SHOWN])
        raise CaseError(f"no image has a mask ({seen or 'nothing is there'}); expected {expected}")
    return survey


def _niftis(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("*"))
        if path.name.endswith(NIFTI_SUFFIXES) and path.name[0] != "."
    ]


def _stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", path.name)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.\-]+", "_", name)
