"""What all charts share: a name, a title with its unit and n, colours that everybody can tell."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import plotly.graph_objects as go

# Okabe and Ito (2008): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#7F7F7F"
WIDTH = 960  # of a picture in pixels; it is drawn at twice the resolution
LEAST_HEIGHT = 460
SUBTITLE_SIGNS = 125  # as many fit into one line below the title


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
    above = 84 + 17 * len(lines)
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
        margin={"l": 24, "r": 40, "t": above + 30, "b": 60},
    )  # fmt: skip
    figure.update_xaxes(automargin=True, title_standoff=12)
    figure.update_yaxes(automargin=True, title_standoff=12)
    return Chart(name, title, figure)


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
