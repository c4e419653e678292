"""The trap archive with coarse bodies: all series of the preset, written in seconds."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from pathlib import Path

from radnet.synthetic.anatomy import make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import person
from radnet.synthetic.sampling import prepare
from radnet.synthetic.series import acquire, stacks, store, stray_names
from radnet.synthetic.trap_visits import TRAP_VISITS
from radnet.synthetic.truth import Truth, tell

STEP_MM = 5.0
"""Voxels of the bodies: their boxes are as exact as those of fine ones, their images nobody looks at."""
SEED = 1


def write_traps(out: Path) -> None:
    """Write `archive`, `truth.csv` and `odd_files.csv` under a folder."""
    bodies = {sex: make_body(SEED, sex, lesion=True, step_mm=STEP_MM) for sex in ("F", "M")}
    subjects = {sex: prepare(body, Arrays(NUMPY), SEED) for sex, body in bodies.items()}
    rows: list[Truth] = []
    odd: list[tuple[str, str]] = []
    for patient, visit in enumerate(TRAP_VISITS):
        body, subject = bodies[visit.sex], subjects[visit.sex]
        for study, exam in enumerate(visit.exams):
            for number, protocol in enumerate(exam.series):
                who = person(SEED, patient, visit.sex)
                place = SeriesPlace(who, exam, protocol, (SEED, patient, study, number))
                folder = f"P{patient + 1:03d}/study{study + 1}/{number + 1:02d}"
                parts = stacks(body, place)
                store(acquire(subject, place, parts), out / "archive" / folder, protocol.trap)
                rows += [tell(body, place, part, folder) for part in parts]
                odd += [(f"{folder}/{name}", kind) for name, kind in stray_names(place).items()]
    _write(out / "truth.csv", [field.name for field in fields(Truth)], [asdict(row).values() for row in rows])
    _write(out / "odd_files.csv", ["path", "kind"], odd)


def _write(path: Path, header: list[str], rows: list) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
