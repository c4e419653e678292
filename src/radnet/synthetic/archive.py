"""Write a realistic, messy DICOM archive of invented patients, and the truth beside it.

`OUT/archive` is what a user points at; `OUT/truth.csv` says what every stack in it is, and
`OUT/odd_files.csv` which files are no images of a volume. Equal arguments give equal bytes, whatever the
number of workers. The truth is written last: where it is, everything is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Final

from radnet.executors import Progress, Workers, silent
from radnet.synthetic.anatomy import make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import person
from radnet.synthetic.oddities import write_oddities
from radnet.synthetic.organ_masks import organ_map
from radnet.synthetic.piecework import Piecework, Plan, check_numbers, make_pieces, piecework
from radnet.synthetic.presets import Preset, preset
from radnet.synthetic.protocols import Visit
from radnet.synthetic.randomness import body_seed
from radnet.synthetic.sampling import prepare
from radnet.synthetic.series import acquire, stacks, store
from radnet.synthetic.truth import Truth, tell

ARCHIVE_NAME: Final = "archive"
TRUTH_NAME: Final = "truth.csv"
ODD_FILES_NAME: Final = "odd_files.csv"
ODD_PIECE: Final = "odd_files"
ODD_STEP_MM: Final = 4.0
"""Voxel of the body from which contours and masks among the odd files are drawn."""
DEFAULT_PRESET: Final = "demo"


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


@dataclass(frozen=True, slots=True)
class _Order:
    """What a worker needs to know of an archive to write any of its patients."""

    preset: str
    seed: int
    work: Piecework


def write_archive(
    out: Path | str,
    patients: int | None = None,
    seed: int = 1,
    preset_name: str = DEFAULT_PRESET,
    workers: Workers = Workers(),
    progress: Progress = silent,
) -> ArchiveSummary:
    """Synthesise an archive, or go on with one whose writing was ended by force.

    Args:
        out: Folder for the archive and its truth; made if it is not there. It must be empty, or hold an
            unfinished archive of the same arguments, of which the finished patients are kept.
        patients: How many; None for as many as the preset has.
        seed: Equal seeds give equal archives.
        preset_name: What it holds, one of `presets.PRESETS`.
        workers: Where patients are made.
        progress: Called with the series written so far and in all.

    Raises:
        SourceError: If the preset is unknown, no patients or a negative seed are asked for, or the folder
            holds something else or cannot be written.
        ExecutorError: If a worker dies, or none can be started.
    """
    kind = preset(preset_name)
    count = kind.patients if patients is None else patients
    check_numbers(count, seed)
    visits = [kind.visit(seed, index) for index in range(count)]
    out = Path(out).absolute()
    plan: Plan = {"preset": preset_name, "patients": count, "seed": seed}
    with piecework(out, plan, TRUTH_NAME) as work:
        _write_patients(_Order(preset_name, seed, work), visits, workers, progress)
        odd = _write_odd_files(work, visits[0], seed)
        return _finish(work, count, odd)


def _write_patients(order: _Order, visits: Sequence[Visit], workers: Workers, progress: Progress) -> None:
    """Write the patients that are not finished yet."""
    series = [sum(len(exam.series) for exam in visit.exams) for visit in visits]
    pieces = [_piece(index) for index in range(len(visits))]
    done = 0
    for index in make_pieces(order.work, pieces, partial(_write_chunk, order=order), workers):
        done += series[index]
        progress(done, sum(series))


def _write_chunk(indices: Sequence[int], order: _Order) -> list[int]:
    """Write patients; runs in a worker."""
    for index in indices:
        _write_patient(order, index)
    return list(indices)


def _write_patient(order: _Order, index: int) -> None:
    """Write a patient's series and vouch for them, with their truth."""
    kind = preset(order.preset)
    visit = kind.visit(order.seed, index)
    number = body_seed(order.seed, index)
    body = make_body(number, visit.sex, visit.lesion, arms=visit.arms)
    subject = prepare(body, Arrays(NUMPY), number)
    folder = order.work.begin(_piece(index)) / ARCHIVE_NAME
    images = 0
    rows: list[Truth] = []
    for place in _places(kind, visit, index, order.seed):
        parts = stacks(body, place)
        images += store(acquire(subject, place, parts), folder / _folder(place), place.protocol.trap)
        rows += [tell(body, place, part, _path(place)) for part in parts]
    order.work.finish(_piece(index), {"images": images, "truth": [_cells(row) for row in rows]})


def _cells(row: Truth) -> dict[str, str]:
    """Return a row as the table has it."""
    return {name: "" if value is None else str(value) for name, value in asdict(row).items()}


def _places(kind: Preset, visit: Visit, index: int, seed: int) -> Iterable[SeriesPlace]:
    """Yield the series of a visit in order."""
    who = person(seed, index, visit.sex)
    for study, exam in enumerate(visit.exams):
        for number, protocol in enumerate(exam.series):
            if kind.matrix is not None:
                protocol = replace(protocol, matrix=kind.matrix)
            yield SeriesPlace(who, exam, protocol, (seed, index, study, number))


def _piece(index: int) -> str:
    return f"P{index + 1:03d}"


def _folder(place: SeriesPlace) -> str:
    _, patient, study, number = place.keys
    return f"{_piece(patient)}/study{study + 1}/{number + 1:02d}"


def _path(place: SeriesPlace) -> str:
    suffix = {"zip": ".zip", "tar_gz": ".tar.gz"}.get(place.protocol.trap, "")
    return _folder(place) + suffix


def _write_odd_files(work: Piecework, visit: Visit, seed: int) -> dict[str, str]:
    """Write the files that are no images of a volume; return their kinds by path."""
    folder = work.begin(ODD_PIECE) / ARCHIVE_NAME
    image = _first_image(work.out / ARCHIVE_NAME)
    body = make_body(body_seed(seed, 0), visit.sex, visit.lesion, arms=visit.arms, step_mm=ODD_STEP_MM)
    odd = write_oddities(folder, image, organ_map(body), seed)
    work.finish(ODD_PIECE, {})
    return odd


def _first_image(archive: Path) -> Path:
    """Return the first loose file of the last series of the first patient: an image of a volume."""
    series = sorted(path for path in (archive / "P001" / "study1").iterdir() if path.is_dir())
    return min(path for path in series[-1].rglob("*") if path.is_file())


def _finish(work: Piecework, patients: int, odd: dict[str, str]) -> ArchiveSummary:
    """Write the tables, the truth last."""
    records = [work.record(_piece(index)) or {} for index in range(patients)]
    rows: list[dict[str, str]] = [row for record in records for row in record["truth"]]
    work.write_csv(ODD_FILES_NAME, ["path", "kind"], odd.items())
    columns = [field.name for field in fields(Truth)]
    work.write_csv(TRUTH_NAME, columns, ([row[name] for name in columns] for row in rows))
    return ArchiveSummary(
        archive=work.out / ARCHIVE_NAME,
        truth=work.out / TRUTH_NAME,
        odd_files=work.out / ODD_FILES_NAME,
        patients=patients,
        series=len({row["SeriesInstanceUID"] for row in rows}),
        stacks=len(rows),
        kept=sum(row["keep"] == "yes" for row in rows),
        images=sum(record["images"] for record in records),
    )
