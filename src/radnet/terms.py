"""The closed list of label words, shared by rules, tables, networks and reports.

Unknown is null (``None``), never a word of these lists. An empty coverage list means that none of the
nine regions is wholly covered, which is knowledge too.

Source: 3D-RADNet section 2.1 and figure 1; the further sequences are those that clinical MR contains.
"""

from __future__ import annotations

from typing import Final

PAPER_SEQUENCES: Final = ("ct", "t1_se", "t2_se", "t1_flair", "t2_flair")
"""The five classes of the paper's modality and sequence head, in the order of its table 1."""

SEQUENCES: Final = (
    *PAPER_SEQUENCES,
    "pd",
    "gre_t1",
    "gre_t2star",
    "stir",
    "dwi",
    "adc",
    "perfusion",
    "mra",
    "fmri",
    "dynamic",
    "localizer",
    "derived",
    "other",
)
"""What the images of a stack look like: 18 words."""

VIEWS: Final = ("axial", "coronal", "sagittal")
"""Anatomical plane of acquisition; oblique is a decided null."""

CONTRASTS: Final = ("no", "yes")
"""Whether an intravenous contrast agent is on board."""

REGIONS: Final = (
    "brain",
    "upper_head_neck",
    "lower_head_neck",
    "lung",
    "breast",
    "liver",
    "kidney",
    "intestine",
    "pelvis",
)
"""Coverage: regions that are wholly inside the stack (paper, figure 1), in the order of table 1."""

FORMS: Final = ("original", "reformat", "projection", "subtraction", "parametric", "other")
"""How the pixels came about: acquired, or computed from acquired ones."""

LABELS: Final = ("sequence", "view", "contrast", "coverage")
"""The labels that rules vote on; slice spacing is measured."""

GEOMETRIES: Final = (
    "uniform",
    "no_position",
    "single_position",
    "missing_slice",
    "duplicate_position",
    "variable_spacing",
    "sheared",
    "mixed_orientation",
    "time_series",
)
"""Verdicts on the positions of a stack; `no_position` has none, or none that can be read."""

EXCLUSION_STEPS: Final = (
    "unreadable",
    "unsupported_object",
    "duplicate_instance",
    *(verdict for verdict in GEOMETRIES if verdict not in ("uniform", "time_series")),
    "colour",
    "no_pixel_size",
    "oblique",
    "too_few_slices",
    "no_description",
    "excluded_sequence",
    "time_series",
    "unknown_sequence",
    "unknown_view",
    "spacing_above_15mm",
    "excluded_by_person",
)
"""Reasons for leaving a file or stack out, in the funnel's order (paper, section 3)."""
