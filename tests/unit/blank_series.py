"""Files of synthetic series with true headers and blank images, made in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from synthetic_bodies import coarse

from radnet.synthetic import series
from radnet.synthetic.anatomy import Body
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.headers import SeriesPlace, syntax_of
from radnet.synthetic.identity import person
from radnet.synthetic.patients import SMALL_VISITS, VISITS
from radnet.synthetic.trap_visits import TRAP_VISITS

MATRIX = 64


def _blank(subject, plan, technique, place, part):
    kind = np.int16 if isinstance(technique, CtTechnique) else np.uint16
    return np.zeros((len(plan.positions), *plan.shape), kind)


def files_of(place: SeriesPlace, body: Body) -> dict[str, bytes]:
    """Make the files of a series."""
    with patch.object(series, "_images", _blank):
        return dict(series.acquire(None, place, series.stacks(body, place)))


def every_kind() -> Iterator[tuple[SeriesPlace, bytes]]:
    """Yield a series of every kind that the visits hold, with its first file."""
    seen = set()
    with patch.object(series, "_images", _blank):
        for index, visit in enumerate((*VISITS, *SMALL_VISITS, *TRAP_VISITS)):
            body = coarse(5, sex=visit.sex)
            for study, exam in enumerate(visit.exams):
                for number, protocol in enumerate(exam.series):
                    kind = (
                        exam.modality,
                        exam.vendor,
                        exam.charset,
                        exam.body_part,
                        protocol.storage,
                        protocol.trap,
                        protocol.form,
                        protocol.technique.contrast,
                        syntax_of(protocol),
                        tuple(word for word, _ in protocol.header),
                    )
                    if kind in seen:
                        continue
                    seen.add(kind)
                    keys = (1, index, study, number)
                    small = replace(protocol, matrix=MATRIX)
                    place = SeriesPlace(person(1, index, visit.sex), exam, small, keys)
                    _, content = next(iter(series.acquire(None, place, series.stacks(body, place))))
                    yield place, content
