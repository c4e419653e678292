"""Write a small, realistic, messy DICOM archive of invented patients, and the truth beside it.

`OUT/archive` is what a user points at; `OUT/truth.csv` says what every stack in it is, and
`OUT/odd_files.csv` which files are no images of a volume. Equal arguments give equal bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final

from radnet.errors import SourceError
from radnet.executors import Progress, silent
from radnet.synthetic.anatomy import make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import person
from radnet.synthetic.oddities import write_oddities
from radnet.synthetic.patients import SMALL_VISITS, VISITS
from radnet.synthetic.protocols import Visit
from radnet.synthetic.sampling import prepare
from radnet.synthetic.series import acquire, stacks, store
from radnet.synthetic.truth import Truth, tell

ARCHIVE_NAME: Final = "archive"
TRUTH_NAME: Final = "truth.csv"
ODD_FILES_NAME: Final = "odd_files.csv"
SMALL_MATRIX: Final = 64
"""Rows and columns of the small archive."""


@dataclass(frozen=True)
class ArchiveSummary:
    """What was written.

    Attributes:
        archive: Folder of the DICOM files.
        truth: Table of the stacks.
        odd_files: Table of the files that are no images of a volume.
        patients: Invented patients.
        series: Series of them.
        stacks: Rows of the truth.
        kept: Stacks that the default policy keeps.
        images: Files of the series, those inside archive files included.
    """

    archive: Path
    truth: Path
    odd_files: Path
    patients: int
    series: int
    stacks: int
    kept: int
    images: int


def write_archive(
    out: Path | str,
    patients: int = len(VISITS),
    seed: int = 1,
    small: bool = False,
    progress: Progress = silent,
) -> ArchiveSummary:
    """Synthesise an archive.

    Args:
        out: Folder for the archive and its truth; made if it is not there, and must be empty.
        patients: How many; the visits, which share out the traps, repeat with other bodies after twelve.
        seed: Equal seeds give equal archives.
        small: Write nine small series of two patients instead, in seconds.
        progress: Called with the series written so far and in all.

    Raises:
        SourceError: If the folder holds something already, or no patients or a negative seed are asked for.
    """
    out = Path(out)
    _check(out, patients, seed)
    visits = SMALL_VISITS if small else [VISITS[index % len(VISITS)] for index in range(patients)]
    archive = out / ARCHIVE_NAME
    total = sum(len(exam.series) for visit in visits for exam in visit.exams)
    rows: list[Truth] = []
    images = 0
    for index, visit in enumerate(visits):
        for count, truths in _write_patient(archive, visit, index, seed, small):
            images += count
            rows += truths
            progress(len({row.SeriesInstanceUID for row in rows}), total)
    odd = write_oddities(archive, _first_image(archive), person(seed, 0, visits[0].sex), seed)
    columns = [field.name for field in fields(Truth)]
    _write_csv(out / TRUTH_NAME, columns, (asdict(row).values() for row in rows))
    _write_csv(out / ODD_FILES_NAME, ["path", "kind"], odd.items())
    return ArchiveSummary(
        archive=archive,
        truth=out / TRUTH_NAME,
        odd_files=out / ODD_FILES_NAME,
        patients=len(visits),
        series=total,
        stacks=len(rows),
        kept=sum(row.keep == "yes" for row in rows),
        images=images,
    )


def _check(out: Path, patients: int, seed: int) -> None:
    if patients < 1:
        raise SourceError(f"--patients {patients}: must be at least 1")
    if seed < 0:
        raise SourceError(f"--seed {seed}: must not be negative")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out} is not an empty folder; name another, or delete it first")


def _write_patient(
    archive: Path, visit: Visit, index: int, seed: int, small: bool
) -> Iterator[tuple[int, list[Truth]]]:
    """Write a patient's series; yield the files and the truth of each."""
    body = make_body(seed * 1000 + index, visit.sex, visit.lesion, arms=visit.arms)
    subject = prepare(body, Arrays(NUMPY), seed * 1000 + index)
    for place in _places(visit, index, seed, small):
        parts = stacks(body, place)
        count = store(acquire(subject, place, parts), archive / _folder(place), place.protocol.trap)
        yield count, [tell(body, place, part, _path(place)) for part in parts]


def _places(visit: Visit, index: int, seed: int, small: bool) -> Iterable[SeriesPlace]:
    """Yield the series of a visit in order."""
    who = person(seed, index, visit.sex)
    for study, exam in enumerate(visit.exams):
        for number, protocol in enumerate(exam.series):
            if small:
                protocol = replace(protocol, matrix=SMALL_MATRIX)
            yield SeriesPlace(who, exam, protocol, (seed, index, study, number))


def _folder(place: SeriesPlace) -> str:
    _, patient, study, number = place.keys
    return f"P{patient + 1:03d}/study{study + 1}/{number + 1:02d}"


def _path(place: SeriesPlace) -> str:
    suffix = {"zip": ".zip", "tar_gz": ".tar.gz"}.get(place.protocol.trap, "")
    return _folder(place) + suffix


def _first_image(archive: Path) -> Path:
    """Return the first loose file of the last series of the first patient: an image of a volume."""
    series = sorted(path for path in (archive / "P001" / "study1").iterdir() if path.is_dir())
    return min(path for path in series[-1].rglob("*") if path.is_file())


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
