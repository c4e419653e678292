"""How often something is right, with the interval in which its true share lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z_95: Final = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """A count of right ones among all, in percent.

    Attributes:
        right: How many are right.
        n: Of how many.
        percent: 100 right / n; None when n is 0, as are the limits.
        low: Lower limit of the 95 % interval.
        high: Upper limit.
    """

    right: int
    n: int
    percent: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, right: int, n: int) -> Share:
        """Measure a share.

        Args:
            right: How many are right.
            n: Of how many.

        Source: Wilson's score interval (JASA 1927;22:209).
        """
        if not n:
            return cls(right, n, None, None, None)
        share, square = right / n, Z_95 * Z_95
        centre = share + square / (2 * n)
        half = Z_95 * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
        scale = 100 / (1 + square / n)
        return cls(
            right, n, 100 * share, max(0.0, scale * (centre - half)), min(100.0, scale * (centre + half))
        )

    def __str__(self) -> str:
        if self.percent is None:
            return "     - %"
        return f"{self.percent:6.1f} % [{self.low:.1f}, {self.high:.1f}]  {self.right}/{self.n}"
