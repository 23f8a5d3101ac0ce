"""Words in boxes, where a chart has no axes: cards, and a matrix of texts."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from wardhouse.report.chart import LINE, WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

EDGE = 24  # pixels left and right of the boxes
INSIDE = WIDTH - 2 * EDGE  # pixels that they share
SIGN = 7  # pixels that a sign is wide at the size of the words, about
SIZE = 12
PAD = 10  # pixels between a box and its words
BAND = 8  # pixels that the coloured edge of a box is wide


@dataclass(frozen=True)
class Cell:
    """A box with words.

    Attributes
    ----------
    left, top, width, height : float
        In pixels, of the picture's inside, downward.
    lines : tuple of str
        Words, broken by `broken`; without markup.
    color : str
        Of the edge.
    n_bold : int
        How many of the first lines are bold.
    """

    left: float
    top: float
    width: float
    height: float
    lines: tuple[str, ...]
    color: str
    n_bold: int = 0


def broken(text: str, width: float) -> list[str]:
    """Break a text into the lines that a box of so many pixels takes."""
    return wrap(text, int((width - BAND - 2 * PAD) // SIGN))


def height_of(n_lines: int) -> int:
    """Return the pixels that a box of so many lines takes."""
    return n_lines * LINE + 2 * PAD


def draw_cells(figure: go.Figure, cells: Sequence[Cell]) -> int:
    """Draw boxes on a figure without traces, and return its height in pixels.

    Call `place_cells` when the figure has its title.
    """
    height = max(cell.top + cell.height for cell in cells)
    for cell in cells:
        right, bottom = cell.left + cell.width, cell.top + cell.height
        for x1, color in ((right, "#F5F5F5"), (cell.left + BAND, cell.color)):
            figure.add_shape(
                type="rect", x0=cell.left, x1=x1, y0=cell.top, y1=bottom, fillcolor=color,
                line={"width": 0}, layer="below",
            )  # fmt: skip
        lines = [escape(line, quote=False) for line in cell.lines]
        bold = [f"<b>{line}</b>" for line in lines[: cell.n_bold]]
        figure.add_annotation(
            text="<br>".join([*bold, *lines[cell.n_bold :]]), align="left", showarrow=False,
            x=cell.left + BAND + PAD, y=cell.top + PAD, xanchor="left", yanchor="top",
            font={"size": SIZE}, borderpad=0,
        )  # fmt: skip
    figure.add_scatter(x=[None], y=[None], showlegend=False)  # axes are drawn with a trace only
    return int(height)


def place_cells(figure: go.Figure, height: int) -> None:
    """Let a pixel of the boxes be one of the picture, whatever stands above them."""
    figure.update_xaxes(visible=False, range=[0, INSIDE], fixedrange=True)
    figure.update_yaxes(visible=False, range=[height, 0], fixedrange=True)
    above = figure.layout.margin.t
    figure.update_layout(
        height=height + above + EDGE, margin={"l": EDGE, "r": EDGE, "b": EDGE}, dragmode=False
    )
