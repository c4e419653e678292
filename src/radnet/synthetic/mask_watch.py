"""Keep the headers of a series while it is written, and write the organ masks of its kept stacks on them.

A mask lies on the slices as they are stored, so it is made from the files themselves and not from the plan.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.mask_files import write_masks
from radnet.synthetic.organ_masks import OrganMap, organ_masks
from radnet.synthetic.series import Stack, is_enhanced, stray_names


@dataclass
class MaskWatch:
    """One series that is being written.

    Attributes:
        place: Patient, study and series.
        parts: Its stacks.
        organs: Of the patient.
        folder: Root of the masks.
        wanted: Folder below it of each stack that gets masks, by its place in `parts`; empty for none.
    """

    place: SeriesPlace
    parts: list[Stack]
    organs: OrganMap
    folder: Path
    wanted: Mapping[int, str]
    _headers: list[Dataset] = field(default_factory=list)

    def files(self, files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Pass files through, and keep the headers of the images among them."""
        strays = stray_names(self.place)
        for name, content in files:
            if self.wanted and name not in strays:
                self._headers.append(dcmread(io.BytesIO(content), stop_before_pixels=True))
            yield name, content

    def write(self) -> dict[int, str]:
        """Write the masks; return the folders that hold some, by the stack's place."""
        written = {}
        for stack, folder in self.wanted.items():
            part = self.parts[stack]
            numbers = range(part.first, part.first + part.images)
            enhanced = is_enhanced(self.place)
            files = write_masks(
                self.folder / folder,
                organ_masks(self.organs, part.plans[0]),
                self._headers if enhanced else [self._headers[number - 1] for number in numbers],
                frames=numbers if enhanced else None,
            )
            if files:
                written[stack] = folder
        return written
