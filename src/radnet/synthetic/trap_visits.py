"""The visits of the preset `traps`: everything that misleads in a real archive, each with known truth.

What a series' `untold` names is in no header element, so that the only right answer is unknown. All images
are small: the traps lie in headers and positions.
"""

from __future__ import annotations

from typing import Final

from radnet.synthetic.protocols import Visit
from radnet.synthetic.traps_brain import BRAIN_VISITS
from radnet.synthetic.traps_ct import CT_VISITS
from radnet.synthetic.traps_trunk import TRUNK_VISITS

TRAP_VISITS: Final[tuple[Visit, ...]] = (*CT_VISITS, *BRAIN_VISITS, *TRUNK_VISITS)
"""Patients of the preset, in order."""
