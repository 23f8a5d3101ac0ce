"""What all charts share: a name, a title with its unit and n, colours that everybody can tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape, unescape
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import plotly.graph_objects as go

# Okabe and Ito (2008): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#7F7F7F"
# Of groups, in their order. Their yellow is faint on white and comes late; the last two are of Tol.
COLORS = (
    BLUE, ORANGE, GREEN, RED, "#CC79A7", "#56B4E9", "#000000", "#F0E442", "#332288", "#882255"
)  # fmt: skip
WIDTH = 960  # of a picture in pixels; it is drawn at twice the resolution
LEAST_HEIGHT = 460
SUBTITLE_SIGNS = 120  # as many fit into one line below the title
SIGN, LINE = 8, 17  # pixels that a sign is wide and a line high, about
LEFT, RIGHT, BELOW = 110, 50, 60  # margins in pixels
LEGEND_LINE, LEGEND_MARK = 20, 45  # pixels that an entry of the legend is high, and its mark wide
FAR = 1e6  # pixels, beyond every picture
SIDES = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, 1),
    "bottom center": (0, -1),
    "top right": (1, 1),
    "top left": (-1, 1),
    "bottom right": (1, -1),
    "bottom left": (-1, -1),
}


@dataclass(frozen=True)
class Chart:
    """One chart of a report.

    Attributes
    ----------
    name : str
        Of its files, without suffix.
    title : str
        What it shows.
    figure : plotly.graph_objects.Figure
    """

    name: str
    title: str
    figure: go.Figure


def words(texts: Iterable[str]) -> list[str]:
    """Return texts from the data as words to show: Plotly would take a tag for formatting."""
    return [escape(str(text), quote=False) for text in texts]


def label_sides(
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    gap: float,
    further: Iterable[tuple[float, float]] = (),
    right: float = math.inf,
) -> list[str]:
    """Choose the side of its point that each label stands on, so that it covers nothing.

    Parameters
    ----------
    points
        Of the picture, in pixels, upward.
    labels
        A text each.
    gap
        Pixels from a point to its label.
    further
        Points without a label, which none shall cover either.
    right
        Where the picture ends.

    Returns
    -------
    list of str
        Plotly's `textposition`. Where no side is free, the label covers the least.
    """
    taken = [(x - gap, y - gap, x + gap, y + gap) for x, y in (*points, *further)]
    if right < math.inf:
        taken.append((right, -FAR, right + FAR, FAR))
    sides = []
    for (x, y), label in zip(points, labels, strict=True):
        wide = SIGN * len(label)

        def box(side: str, x=x, y=y, wide=wide) -> tuple[float, float, float, float]:
            right, up = SIDES[side]
            left = x + right * gap - wide * (1 - right) / 2
            low = y + up * gap - LINE * (1 - up) / 2
            return left, low, left + wide, low + LINE

        best = min(SIDES, key=lambda side: sum(_shared(box(side), other) for other in taken))
        taken.append(box(best))
        sides.append(best)
    return sides


def _shared(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the area, in pixels, that two boxes have in common."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0) * max(high, 0)


def chart(
    name: str, title: str, subtitle: str, figure: go.Figure, height: int = LEAST_HEIGHT
) -> Chart:
    """Put title, subtitle and the common look on a figure.

    Parameters
    ----------
    name, title
        As in `Chart`.
    subtitle
        Number of observations and how to read the chart, without markup; broken into lines.
    figure
        With traces and titled axes.
    height
        Of the picture, in pixels.
    """
    lines = wrap(subtitle, SUBTITLE_SIGNS)
    above = 74 + LINE * len(lines) + _legend_height(figure)
    figure.update_layout(
        template="plotly_white",
        width=WIDTH,
        height=max(height, LEAST_HEIGHT) + above,
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 13, "color": "#222222"},
        title={
            "text": f"<b>{escape(title, quote=False)}</b>",
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"l": 24, "t": 22},
            "subtitle": {
                "text": "<br>".join(escape(line, quote=False) for line in lines),
                "font": {"size": 13, "color": "#555555"},
            },
        },
        legend={
            "orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom",
            "traceorder": "normal",
        },
        margin={"l": LEFT, "r": RIGHT, "t": above, "b": BELOW},
    )  # fmt: skip
    figure.update_xaxes(automargin=True, title_standoff=12, title_font_size=13)
    figure.update_yaxes(automargin=True, title_standoff=12, title_font_size=13)
    figure.update_yaxes(ticks="outside", ticklen=6, tickcolor="rgba(0,0,0,0)")
    return Chart(name, title, figure)


def _legend_height(figure: go.Figure) -> int:
    """Return the pixels that the legend takes: its entries are as wide as the widest."""
    names = {trace.name for trace in figure.data if trace.name and trace.showlegend is not False}
    if len(names) < 2:
        return 0
    widest = SIGN * max(len(unescape(name)) for name in names) + LEGEND_MARK
    n_lines = math.ceil(len(names) / max((WIDTH - LEFT - RIGHT) // widest, 1))
    return 10 + LEGEND_LINE * n_lines


def empty(name: str, title: str, reason: str) -> Chart:
    """Return a chart without data, which says why."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_annotation(
        text="<br>".join(escape(line, quote=False) for line in wrap(reason, 70)),
        x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False,
        font={"size": 17, "color": GREY},
    )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return chart(name, title, "n = 0", figure)
