"""Colours by role, once for light and once for dark ground.

A drawing names roles only: SVG takes the colour from the page's style sheet (`var(--accent)`), so that one
picture serves both grounds, and PNG takes the light one. Text roles keep WCAG 2 contrast (4.5:1) on `surface`
and on `ground`.
"""

from __future__ import annotations

from typing import Final, Literal

Role = Literal["ground", "surface", "ink", "muted", "line", "accent", "soft", "warn", "skin"]

LIGHT: Final[dict[Role, str]] = {
    "ground": "#f4f6f8",
    "surface": "#ffffff",
    "ink": "#18222c",
    "muted": "#566472",
    "line": "#d9e0e6",
    "accent": "#1d5c87",
    "soft": "#b9cfde",
    "warn": "#a8481a",
    "skin": "#e9edf1",
}

DARK: Final[dict[Role, str]] = {
    "ground": "#11161b",
    "surface": "#191f26",
    "ink": "#e7ecf1",
    "muted": "#9dabb8",
    "line": "#303a44",
    "accent": "#74b3dc",
    "soft": "#36566d",
    "warn": "#e6a06c",
    "skin": "#262f38",
}
