"""Drawings, of lines and of pictures, that become SVG for a page and PNG for a file.

Coordinates are pixels of the page, x to the right and y down. SVG text is set in the page's own font, so a
drawing must not depend on the exact width of a word.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from radnet.figures.palette import LIGHT, Role

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PNG_SCALE: Final = 2
"""Pixels of the PNG for one of the drawing."""
POINTS_PER_PIXEL: Final = 0.72
"""Type sizes in matplotlib are points of 1/72 inch; a drawing has 100 pixels an inch."""

Mark: TypeAlias = "Shape | Text | Picture"
Anchor = Literal["start", "middle", "end"]
MATPLOTLIB_ALIGNMENT: Final[dict[Anchor, Literal["left", "center", "right"]]] = {
    "start": "left",
    "middle": "center",
    "end": "right",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A polygon (filled, stroked or both) or, when not closed, a line.

    Attributes:
        points: (n, 2) x and y.
        fill: Role of its inside; None leaves it empty.
        stroke: Role of its outline; None draws none.
        width: Of the outline.
        opacity: Of the inside, 0 to 1.
        closed: Whether the last point is joined to the first.
    """

    points: NDArray[np.float64]
    fill: Role | None = None
    stroke: Role | None = None
    width: float = 1.0
    opacity: float = 1.0
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; y is its baseline."""

    x: float
    y: float
    words: str
    role: Role = "ink"
    size: float = 13.0
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels in a box; they are enlarged without blur.

    Attributes:
        left: Of the box.
        top: Of the box.
        width: Of the box.
        height: Of the box.
        pixels: (rows, columns) grey levels or (rows, columns, 3) red, green and blue.
    """

    left: float
    top: float
    width: float
    height: float
    pixels: NDArray[np.uint8]


@dataclass(slots=True)
class Drawing:
    """Marks on a canvas, painted in order.

    Attributes:
        width: Of the canvas.
        height: Of the canvas.
        alt: What the picture says, for those who do not see it.
        marks: Shapes, texts and pictures.
    """

    width: float
    height: float
    alt: str
    marks: list[Mark] = field(default_factory=list)

    def polygon(
        self,
        points: ArrayLike,
        fill: Role | None = None,
        stroke: Role | None = None,
        width: float = 1.0,
        opacity: float = 1.0,
    ) -> None:
        """Add a closed polygon of (n, 2) points."""
        self.marks.append(Shape(np.asarray(points, float), fill, stroke, width, opacity))

    def rectangle(self, left: float, top: float, width: float, height: float, fill: Role) -> None:
        """Add a filled rectangle."""
        right, bottom = left + width, top + height
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def line(self, points: ArrayLike, stroke: Role = "line", width: float = 1.0) -> None:
        """Add an open line through (n, 2) points."""
        self.marks.append(Shape(np.asarray(points, float), None, stroke, width, closed=False))

    def picture(
        self, left: float, top: float, width: float, height: float, pixels: NDArray[np.uint8]
    ) -> None:
        """Add a picture; see `Picture`."""
        self.marks.append(Picture(left, top, width, height, pixels))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        role: Role = "ink",
        size: float = 13.0,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        """Add a line of text whose baseline is at y."""
        self.marks.append(Text(x, y, words, role, size, anchor, bold))


def smooth(points: ArrayLike, per_segment: int = 8) -> NDArray[np.float64]:
    """Round a closed polygon: a Catmull-Rom curve through its points.

    Args:
        points: (n, 2) corners.
        per_segment: Points of the curve for one side.

    Returns:
        (n * per_segment, 2) points.
    """
    corner = np.asarray(points, float)
    before, after, later = (np.roll(corner, shift, axis=0) for shift in (1, -1, -2))
    t = (np.arange(per_segment) / per_segment)[None, :, None]
    p0, p1, p2, p3 = (array[:, None, :] for array in (before, corner, after, later))
    curve = p1 + t / 2 * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    return np.asarray(curve.reshape(-1, 2))


def to_svg(drawing: Drawing) -> str:
    """Write a drawing as an inline `<svg>` element of HTML, coloured by the page's custom properties."""
    body = "".join(map(_svg_mark, drawing.marks))
    width, height = f"{drawing.width:g}", f"{drawing.height:g}"
    return (
        f'<svg role="img" aria-label="{escape(drawing.alt)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{body}</svg>'
    )


def _svg_mark(mark: Mark) -> str:
    if isinstance(mark, Shape):
        return _svg_shape(mark)
    return _svg_text(mark) if isinstance(mark, Text) else _svg_picture(mark)


def _svg_picture(picture: Picture) -> str:
    pixels = np.ascontiguousarray(picture.pixels[..., ::-1] if picture.pixels.ndim == 3 else picture.pixels)
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])  # takes blue first
    source = base64.b64encode(encoded.tobytes()).decode("ascii")
    return (
        f'<image x="{picture.left:.1f}" y="{picture.top:.1f}" width="{picture.width:.1f}" '
        f'height="{picture.height:.1f}" preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{source}"/>'
    )


def _svg_shape(shape: Shape) -> str:
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in shape.points)
    style = f"fill:var(--{shape.fill})" if shape.fill else "fill:none"
    if shape.fill and shape.opacity < 1:
        style += f";fill-opacity:{shape.opacity:.2f}"
    if shape.stroke:
        style += f";stroke:var(--{shape.stroke});stroke-width:{shape.width:g};stroke-linejoin:round"
    return f'<path d="M{steps}{"Z" if shape.closed else ""}" style="{style}"/>'


def _svg_text(text: Text) -> str:
    weight = ";font-weight:600" if text.bold else ""
    return (
        f'<text x="{text.x:.1f}" y="{text.y:.1f}" text-anchor="{text.anchor}" '
        f'style="fill:var(--{text.role});font-size:{text.size:g}px{weight}">{escape(text.words)}</text>'
    )


def to_png(drawing: Drawing) -> bytes:
    """Paint a drawing on the light surface; equal drawings give equal bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and not for SVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(drawing.width / 100, drawing.height / 100), facecolor=LIGHT["surface"])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.axis("off")
    for mark in drawing.marks:
        if isinstance(mark, Shape):
            _paint_shape(axes, mark)
        elif isinstance(mark, Text):
            _paint_text(axes, mark)
        else:
            _paint_picture(axes, mark)
    picture = io.BytesIO()
    FigureCanvasAgg(figure)  # becomes the figure's canvas
    figure.savefig(picture, format="png", dpi=100 * PNG_SCALE, metadata={"Software": None})
    return picture.getvalue()


def _paint_shape(axes: Axes, shape: Shape) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Polygon

    axes.add_patch(
        Polygon(
            shape.points,
            closed=shape.closed,
            facecolor=to_rgba(LIGHT[shape.fill], shape.opacity) if shape.fill else "none",
            edgecolor=LIGHT[shape.stroke] if shape.stroke else "none",
            linewidth=shape.width * POINTS_PER_PIXEL,
            joinstyle="round",
        )
    )


def _paint_picture(axes: Axes, picture: Picture) -> None:
    limits = axes.get_xlim(), axes.get_ylim()
    right, bottom = picture.left + picture.width, picture.top + picture.height
    axes.imshow(
        picture.pixels,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest",
        aspect="auto",
        extent=(picture.left, right, bottom, picture.top),
        zorder=0.5,
    )
    axes.set(xlim=limits[0], ylim=limits[1])  # which a picture moves to its own


def _paint_text(axes: Axes, text: Text) -> None:
    axes.text(
        text.x,
        text.y,
        text.words,
        color=LIGHT[text.role],
        fontsize=text.size * POINTS_PER_PIXEL,
        fontweight="bold" if text.bold else "normal",
        horizontalalignment=MATPLOTLIB_ALIGNMENT[text.anchor],
        parse_math=False,
    )
