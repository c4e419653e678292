"""The coverage scheme: a standing body seen from the front, with the nine regions and their counts.

The patient's right is on the viewer's left, as on a radiograph. The outline and the organs are a scheme: they
say where a region lies, not how large it is.

Source: the regions and the landmarks of the head and neck are those of 3D-RADNet, figure 1 and section 2.1.4;
the drawing is our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.figures.drawing import Anchor, Drawing, smooth
from radnet.terms import REGIONS

WIDTH: Final = 920
HEIGHT: Final = 660
MIDLINE: Final = WIDTH / 2
TOP: Final = 12
LABEL_GAP: Final = 190
"""From the midline to where a label's text begins."""
PALEST: Final = 0.12
"""Opacity of the region with the fewest stacks; the one with the most is at 0.85."""
STRONGEST: Final = 0.85

DOT: Final = 2.4 * np.array(
    [(np.cos(angle), np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 12, False)]
)
"""The end of a leader."""

Points = list[tuple[float, float]]

HALF_BODY: Final[Points] = [
    *((0, 0), (15, 2), (26, 13), (31, 32), (31, 48), (27, 64), (18, 77), (16, 88), (19, 99), (42, 109)),
    *((68, 117), (82, 130), (88, 152), (92, 190), (96, 222), (104, 262), (112, 302), (119, 322), (122, 344)),
    *((117, 368), (111, 376), (107, 350), (103, 322), (92, 282), (82, 244), (75, 212), (68, 172), (64, 186)),
    *((60, 214), (56, 240), (57, 264), (64, 292), (68, 322), (67, 366), (60, 420), (53, 462), (51, 500)),
    *((47, 545), (37, 596), (38, 614), (48, 628), (42, 634), (22, 634), (18, 618), (19, 590), (14, 545)),
    *((17, 500), (16, 462), (11, 410), (4, 358)),
]
"""The patient's left half, from the crown to the crotch; x from the midline, y from the crown."""

PAINTING_ORDER: Final = (
    *("lung", "pelvis", "kidney", "liver", "intestine", "breast"),
    *("brain", "upper_head_neck", "lower_head_neck"),
)
"""What lies deeper comes first."""

PAIRED: Final = ("lung", "breast", "kidney")
"""Regions drawn on both sides."""

ORGANS: Final[dict[str, Points]] = {
    "brain": [
        (0, 5),
        (13, 8),
        (23, 19),
        (25, 32),
        (18, 41),
        (0, 43),
        (-18, 41),
        (-25, 32),
        (-23, 19),
        (-13, 8),
    ],
    "upper_head_neck": [(-22, 46), (0, 45), (22, 46), (21, 58), (14, 71), (0, 75), (-14, 71), (-21, 58)],
    "lower_head_neck": [
        (-11, 79),
        (11, 79),
        (12, 92),
        (17, 103),
        (26, 113),
        (-26, 113),
        (-17, 103),
        (-12, 92),
    ],
    "lung": [
        (20, 116),
        (33, 121),
        (46, 146),
        (52, 182),
        (51, 208),
        (34, 203),
        (16, 204),
        (9, 184),
        (10, 140),
    ],
    "breast": [(33, 152), (48, 158), (54, 174), (46, 190), (32, 193), (19, 186), (15, 171), (21, 157)],
    "liver": [
        (-50, 211),
        (-34, 205),
        (-8, 207),
        (16, 209),
        (24, 216),
        (6, 226),
        (-14, 238),
        (-36, 251),
        (-50, 246),
    ],
    "kidney": [
        (20, 224),
        (30, 224),
        (38, 235),
        (38, 251),
        (31, 263),
        (22, 262),
        (20, 255),
        (26, 244),
        (20, 233),
    ],
    "intestine": [
        *(
            (-46, 262),
            (-38, 256),
            (-28, 260),
            (-18, 263),
            (-9, 261),
            (0, 265),
            (9, 261),
            (18, 263),
            (28, 260),
        ),
        *((38, 256), (46, 262), (43, 272), (47, 281), (43, 291), (45, 301), (35, 309), (25, 307), (15, 315)),
        *((0, 319), (-15, 315), (-25, 307), (-35, 309), (-45, 301), (-43, 291), (-47, 281), (-43, 272)),
    ],
    "pelvis": [
        *(
            (-60, 292),
            (-50, 296),
            (-34, 318),
            (-14, 328),
            (0, 331),
            (14, 328),
            (34, 318),
            (50, 296),
            (60, 292),
        ),
        *(
            (62, 310),
            (52, 334),
            (32, 348),
            (12, 354),
            (0, 351),
            (-12, 354),
            (-32, 348),
            (-52, 334),
            (-62, 310),
        ),
    ],
}
"""Outlines; a paired organ's is that of the patient's left."""

LANDMARKS: Final[dict[str, str]] = {
    "brain": "the whole brain",
    "upper_head_neck": "sphenoid sinus, nasopharynx, oropharynx",
    "lower_head_neck": "larynx to apex of the lung",
    "lung": "the whole lungs",
    "breast": "the whole breasts",
    "liver": "the whole liver",
    "kidney": "the whole kidneys",
    "intestine": "the whole intestine",
    "pelvis": "the whole pelvis",
}
"""What a stack must hold for the region to count."""

LEVELS: Final[dict[str, tuple[float, float]]] = {"upper_head_neck": (46, 75), "lower_head_neck": (79, 113)}
"""Upper and lower end of the regions that are bounded by landmarks, drawn as a bracket."""


@dataclass(frozen=True, slots=True)
class _Label:
    """Where a region's label stands: side (-1 viewer's left), its height, and the end of its leader."""

    side: int
    y: float
    target: tuple[float, float]


LABELS: Final[dict[str, _Label]] = {
    "upper_head_neck": _Label(-1, 48, (-34, 60)),
    "lung": _Label(-1, 140, (-27, 136)),
    "liver": _Label(-1, 232, (-36, 226)),
    "intestine": _Label(-1, 324, (-30, 288)),
    "brain": _Label(1, 28, (16, 26)),
    "lower_head_neck": _Label(1, 110, (34, 96)),
    "breast": _Label(1, 192, (44, 174)),
    "kidney": _Label(1, 274, (31, 246)),
    "pelvis": _Label(1, 356, (46, 326)),
}


def coverage_scheme(counts: Mapping[str, int], total: int) -> Drawing:
    """Draw how many stacks hold each region wholly.

    Args:
        counts: Stacks by region word, and under `none` and `unknown`; what is missing counts zero.
        total: Stacks that were counted, for the shares; a stack may hold several regions.

    Returns:
        The drawing; a region is the darker the more stacks hold it.
    """
    spoken = "; ".join(f"{title(word)} {counts.get(word, 0):,}" for word in (*REGIONS, "none", "unknown"))
    drawing = Drawing(WIDTH, HEIGHT, f"Body from the front with nine regions. Stacks of {total:,}: {spoken}.")
    half = np.asarray(HALF_BODY, float)
    drawing.polygon(_placed(smooth(np.vstack([half, half[:0:-1] * (-1, 1)]))), "skin", "muted", 1.2)
    most = max((counts.get(region, 0) for region in REGIONS), default=0)
    for region in PAINTING_ORDER:
        _draw_organ(drawing, region, counts.get(region, 0), most)
    for region, (upper, lower) in LEVELS.items():
        _draw_bracket(drawing, LABELS[region].side, upper, lower)
    for region, label in LABELS.items():
        _draw_label(drawing, region, label, counts.get(region, 0), total)
    drawing.text(MIDLINE - 80, HEIGHT - 14, "patient's right", "muted", 12, "end")
    drawing.text(MIDLINE + 80, HEIGHT - 14, "patient's left", "muted", 12)
    _draw_scale(drawing, most)
    _draw_rest(drawing, counts, total)
    return drawing


def title(region: str) -> str:
    """Return a region word as a reader writes it, e.g. `Upper head-neck`."""
    return region.replace("head_neck", "head-neck").replace("_", " ").capitalize()


def _placed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points + np.array((MIDLINE, TOP)))


def _opacity(count: int, most: int) -> float:
    return PALEST + (STRONGEST - PALEST) * count / most if count else 0.0


def _draw_organ(drawing: Drawing, region: str, count: int, most: int) -> None:
    outline = smooth(ORGANS[region])
    for side in [outline, outline * (-1, 1)] if region in PAIRED else [outline]:
        drawing.polygon(_placed(side), "surface", opacity=0.55)
        drawing.polygon(_placed(side), "accent", "accent", 1.1, _opacity(count, most))


def _draw_bracket(drawing: Drawing, side: int, upper: float, lower: float) -> None:
    tip, stem = side * 31.0, side * 36.0
    drawing.line(_placed(np.array([(tip, upper), (stem, upper), (stem, lower), (tip, lower)])), "accent", 1.2)


def _draw_label(drawing: Drawing, region: str, label: _Label, count: int, total: int) -> None:
    x = MIDLINE + label.side * LABEL_GAP
    y = TOP + label.y
    end = _placed(np.array([label.target], float))
    start = [(x - label.side * 8, y - 5), (x - label.side * 26, y - 5)]
    drawing.line(np.vstack([start, end]), "muted", 0.9)
    if region not in LEVELS:
        drawing.polygon(end + DOT, "ink")
    anchor: Anchor = "start" if label.side > 0 else "end"
    drawing.text(x, y, title(region), size=15, anchor=anchor, bold=True)
    drawing.text(x, y + 18, _counted(count, total), "accent", 13, anchor)
    drawing.text(x, y + 35, LANDMARKS[region], "muted", 12, anchor)


def _counted(count: int, total: int) -> str:
    share = f" ({count / total:.1%})" if total else ""
    return f"{count:,} {'stack' if count == 1 else 'stacks'}{share}"


def _draw_scale(drawing: Drawing, most: int) -> None:
    x, y, step = MIDLINE - LABEL_GAP - 150, HEIGHT - 190, 30
    drawing.text(x, y - 12, "Shade: stacks that hold the region", "muted", 12)
    for index in range(5):
        left = x + index * step
        box = [(left, y), (left + step, y), (left + step, y + 12), (left, y + 12)]
        drawing.polygon(box, "accent", "accent", 0.8, _opacity(index, 4))
    drawing.text(x, y + 30, "0", "muted", 12)
    drawing.text(x + 5 * step, y + 30, f"{most:,}", "muted", 12, "end")


def _draw_rest(drawing: Drawing, counts: Mapping[str, int], total: int) -> None:
    x, y = MIDLINE + LABEL_GAP, HEIGHT - 190
    for word, words in (("none", "None of the nine"), ("unknown", "Coverage unknown")):
        drawing.text(x, y, words, size=13, bold=True)
        drawing.text(x, y + 18, _counted(counts.get(word, 0), total), "accent")
        y += 50
