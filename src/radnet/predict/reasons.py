"""Why the network says nothing of a series: a code for tables, and a sentence for people."""

from __future__ import annotations

from typing import Final

EXPLANATIONS: Final = {
    "localizer": "a localizer: a few slices for planning, no volume",
    "too_few_slices": "has fewer slices than [labels] min_slices asks for",
    "excluded_by_person": "a person's decision excludes it",
    "no_position": "the header does not say where its slices lie",
    "single_position": "all its images lie at one position, so they make no volume",
    "missing_slice": "a slice is missing between others",
    "duplicate_position": "some positions hold several images",
    "variable_spacing": "its slices are not equally far apart",
    "sheared": "its slices are shifted against each other, as with a tilted gantry",
    "mixed_orientation": "its slices lie in different planes",
    "time_series": "a time series: every position was taken several times",
    "uniform": "[labels] keep_geometries leaves uniform stacks out",
    "colour": "its pixels are colours (RGB); only grey-level slices make a volume",
    "bad_header": "its header contradicts itself about rows, columns or bits",
    "no_pixel_data": "a file has no pixel data",
    "unsupported_transfer_syntax": "no decoder is there for the way its pixels are compressed",
    "truncated": "a file is shorter than its header says",
    "undecodable": "the pixels of a slice are damaged",
    "too_large": "a file is larger than what is read",
    "all_padding": "every pixel is padding",
    "unreadable": "a file could not be read; the next run tries again",
    "damaged_archive": "the archive that holds it is damaged",
    "no_geometry": "it has too few positions or no spacing",
    "out_of_memory": "there was not enough memory to build its volume",
    "crashed": "the worker that read it died",
    "label_map": "it holds few whole numbers: a label map, no scan",
}
RETRIED: Final = ("unreadable", "out_of_memory", "crashed")
"""What the next run tries again."""


def explain(reason: str) -> str:
    """Return the sentence for a reason."""
    return EXPLANATIONS.get(reason, reason.replace("_", " "))
