"""What all pages are rendered with: templates, style, colours and filters."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from radnet.figures.palette import DARK, LIGHT

STYLE = "page.css"


def page_environment(**filters: Callable[..., Any]) -> Environment:
    """Make an environment that escapes all text and refuses what is not defined.

    Args:
        filters: Further filters by name.
    """
    environment = Environment(
        loader=PackageLoader("radnet.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        thousands=thousands, percent=percent, png_source=png_source, svg=Markup, **filters
    )
    style, _, _ = environment.loader.get_source(environment, STYLE)  # type: ignore[union-attr]
    environment.globals.update(style=Markup(style), light=LIGHT, dark=DARK)
    return environment


def thousands(count: int) -> str:
    """Write a count with separators."""
    return f"{count:,}"


def percent(share: float) -> str:
    """Write a share in percent with one decimal."""
    return f"{share:.1%}"


def png_source(picture: bytes) -> str:
    """Write a PNG picture as the source of an image element."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
