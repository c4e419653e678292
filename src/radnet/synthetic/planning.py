"""Lay slices into a body, rightly or with the faults of real archives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from radnet.synthetic.anatomy import Body
from radnet.synthetic.frame import Frame
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.profiles import Vector
from radnet.synthetic.protocols import Field, Order, Protocol, Trap, View
from radnet.synthetic.shapes import Point, rotation

DIRECTIONS: Final[dict[View, tuple[Vector, Vector]]] = {
    "axial": (np.array([1.0, 0, 0]), np.array([0, 1.0, 0])),
    "coronal": (np.array([1.0, 0, 0]), np.array([0, 0, -1.0])),
    "sagittal": (np.array([0, 1.0, 0]), np.array([0, 0, -1.0])),
}
"""Row and column direction of each view (paper, section 2.1.2)."""
NORMAL_AXIS: Final[dict[View, int]] = {"axial": 2, "coronal": 1, "sagittal": 0}
OBLIQUE_DEG: Final = 35.0
TILT_DEG: Final = 14.0
TIMES: Final = 4
"""Repeats of a time series."""
MONITORINGS: Final = 8
"""Images of a bolus tracking."""
LOCALIZER_SLICES: Final[dict[Trap, int]] = {"localizer": 1, "three_plane": 3}
"""Slices in each plane."""
LOCALIZER_GAP_MM: Final = 20.0
SCOUT_THICKNESS_MM: Final = 60.0
FIELD_MARGIN_MM: Final = 4.0
"""Space left around a region for which a field grows."""
WHOLE_TRUNK_MM: Final = 165.0
"""A field at least twice as wide is meant to hold the whole section, mm of the reference adult."""
MARGIN: Final = 1.04
"""Width of such a field against the trunk's."""
POSITION_DECIMALS: Final = 4
"""Digits after the point of a position in the header; what is imaged is what is written."""

GEOMETRY: Final[dict[Trap, str]] = {
    "localizer": "mixed_orientation",
    "scout": "single_position",
    "single_position": "single_position",
    "missing_slice": "missing_slice",
    "duplicate_position": "duplicate_position",
    "variable_spacing": "variable_spacing",
    "gantry_tilt": "sheared",
    "time_series": "time_series",
    "no_position": "no_position",
}
"""Verdict on the positions that a trap makes; all others are uniform."""


def prescribe(body: Body, protocol: Protocol) -> list[Prescription]:
    """Lay the slices of a series.

    Returns:
        One prescription, or one a plane for a localizer.
    """
    if protocol.trap in LOCALIZER_SLICES:
        count = LOCALIZER_SLICES[protocol.trap]
        return [_localizer_plane(body, replace(protocol, view=view), count) for view in DIRECTIONS]
    plan = _FAULTS.get(protocol.trap, _faultless)(_plan(body, protocol))
    if any(protocol.tilt_deg):
        plan = _turned(plan, protocol.tilt_deg)
    return [_ORDERS.get(protocol.order, _faultless)(plan)]


def _plan(body: Body, protocol: Protocol) -> Prescription:
    """Fill the field with slices, symmetrically about its middle."""
    low, high = _box(body, protocol.field)
    axis = NORMAL_AXIS[protocol.view]
    row, column = DIRECTIONS[protocol.view]
    widened = replace(protocol, view="axial") if protocol.trap in LOCALIZER_SLICES else protocol
    size = (high - low) * _girth(body, widened)
    count = int(np.ceil(size[axis] / protocol.spacing_mm))
    # the planes of a localizer share one field of view
    width = size.max() if protocol.trap in LOCALIZER_SLICES else np.delete(size, axis).max()
    pixel_mm = round(float(width) / protocol.matrix, 4)
    corner = (low + high) / 2 - (row + column) * pixel_mm * (protocol.matrix - 1) / 2
    offsets = (np.arange(count) - (count - 1) / 2) * protocol.spacing_mm
    positions = corner + offsets[:, None] * np.eye(3)[axis]
    return Prescription(
        positions=np.round(positions, POSITION_DECIMALS),
        row=row,
        column=column,
        shape=(protocol.matrix, protocol.matrix),
        pixel_mm=pixel_mm,
        thickness_mm=protocol.thickness_mm or protocol.spacing_mm,
    )


def _box(body: Body, field: Field) -> tuple[Vector, Vector]:
    """Return the corners of a field in a body, mm; it grows where a region would stick out."""
    low, high = body.world(field.low), body.world(field.high)
    for region in field.holds:
        if region in body.boxes:
            low = np.minimum(low, body.boxes[region][0] - FIELD_MARGIN_MM)
            high = np.maximum(high, body.boxes[region][1] + FIELD_MARGIN_MM)
    return low, high


def _girth(body: Body, protocol: Protocol) -> Vector:
    """Return by how much a field that spans the whole trunk is widened for a stout patient, x y z.

    Only the sides of the image grow, so that the slices stay where they are.
    """
    factors = np.ones(3)
    half = (protocol.field.high[0] - protocol.field.low[0]) / 2
    if body.build is not None and half >= WHOLE_TRUNK_MM:
        factors[:2] = max(1.0, MARGIN * Frame(body.build).skin.bounds()[1][0] / half)
        factors[NORMAL_AXIS[protocol.view]] = 1.0
    return factors


def _faultless(plan: Prescription) -> Prescription:
    return plan


def _localizer_plane(body: Body, protocol: Protocol, count: int) -> Prescription:
    plan = _plan(body, replace(protocol, spacing_mm=LOCALIZER_GAP_MM))
    middle = len(plan.positions) // 2
    first = middle - count // 2
    return replace(plan, positions=plan.positions[first : first + count], thickness_mm=8.0)


def _scout(plan: Prescription) -> Prescription:
    middle = plan.positions[len(plan.positions) // 2]
    return replace(plan, positions=middle[None], thickness_mm=SCOUT_THICKNESS_MM)


def _single_position(plan: Prescription) -> Prescription:
    middle = plan.positions[len(plan.positions) // 2]
    return replace(plan, positions=np.tile(middle, (MONITORINGS, 1)))


def _missing_slice(plan: Prescription) -> Prescription:
    return replace(plan, positions=np.delete(plan.positions, len(plan.positions) // 2, axis=0))


def _duplicate_position(plan: Prescription) -> Prescription:
    middle = len(plan.positions) // 2
    return replace(plan, positions=np.insert(plan.positions, middle, plan.positions[middle], axis=0))


def _variable_spacing(plan: Prescription) -> Prescription:
    """Move every fifth slice towards the next."""
    gap = plan.positions[1] - plan.positions[0]
    positions = plan.positions.copy()
    positions[2::5] += 0.4 * gap
    return replace(plan, positions=np.round(positions, POSITION_DECIMALS))


def _gantry_tilt(plan: Prescription) -> Prescription:
    """Tilt every slice about the patient's left-right axis; the table still moves along the body."""
    turn = rotation((TILT_DEG, 0, 0))
    middle = plan.positions.mean(0) + (plan.column + plan.row) * plan.pixel_mm * (plan.shape[0] - 1) / 2
    shift = turn @ (plan.positions.mean(0) - middle) - (plan.positions.mean(0) - middle)
    positions = np.round(plan.positions + shift, POSITION_DECIMALS)
    return replace(plan, positions=positions, row=turn @ plan.row, column=turn @ plan.column)


def _oblique(plan: Prescription) -> Prescription:
    """Turn the whole stack about the patient's left-right axis."""
    return _turned(plan, (OBLIQUE_DEG, 0, 0))


def _turned(plan: Prescription, angles_deg: Point) -> Prescription:
    """Turn the whole stack about its middle."""
    turn = rotation(angles_deg)
    middle = plan.corners().mean(0)
    positions = np.round((plan.positions - middle) @ turn.T + middle, POSITION_DECIMALS)
    return replace(plan, positions=positions, row=turn @ plan.row, column=turn @ plan.column)


def _time_series(plan: Prescription) -> Prescription:
    return replace(plan, positions=np.tile(plan.positions, (TIMES, 1)))


def _reversed(plan: Prescription) -> Prescription:
    return replace(plan, positions=plan.positions[::-1])


def _transposed(plan: Prescription) -> Prescription:
    return replace(plan, row=plan.column, column=plan.row, shape=plan.shape[::-1])


def _flipped(plan: Prescription) -> Prescription:
    """Store columns from the other end."""
    across = plan.row * plan.pixel_mm * (plan.shape[1] - 1)
    return replace(plan, positions=np.round(plan.positions + across, POSITION_DECIMALS), row=-plan.row)


_ORDERS: Final[dict[Order, Callable[[Prescription], Prescription]]] = {
    "reversed": _reversed,
    "transposed": _transposed,
    "flipped": _flipped,
}

_FAULTS: Final[dict[Trap, Callable[[Prescription], Prescription]]] = {
    "scout": _scout,
    "single_position": _single_position,
    "missing_slice": _missing_slice,
    "duplicate_position": _duplicate_position,
    "variable_spacing": _variable_spacing,
    "gantry_tilt": _gantry_tilt,
    "oblique": _oblique,
    "time_series": _time_series,
}
