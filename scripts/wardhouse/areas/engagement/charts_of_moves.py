"""A chart of personas over time: who moved between dates, and whether it is more than noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from wardhouse.areas.engagement.shown import HIDDEN
from wardhouse.report.chart import BELOW, GREY, LINE, Chart, words

if TYPE_CHECKING:
    from wardhouse.areas.engagement.shown import Shown

EDGE = 40  # pixels left and right of the flows
PAD, HEIGHT = 14, 500  # pixels between two nodes, and of all flows
HAIR = 0.002  # of all people: width of a flow whose people are not told
MOST_MOVES = 4  # named in words
NO_HISTORY = "No data: one date only is known of each person, so nobody can have moved."


def migration(shown: Shown) -> Chart:
    """Show who moved between dates, against noise: rows of `engagement.persona_migration`."""
    import plotly.graph_objects as go

    name, title = "migration", "moves between personas"
    order = ["from_date", "to_date", "from_persona_number", "to_persona_number"]
    moves = shown.rows("engagement.persona_migration").sort_values(order)
    if moves.empty:
        return shown.empty(name, title, NO_HISTORY if len(shown.personas) else "")
    known = moves["n_people"].astype(float)
    if known.isna().all():
        return shown.empty(name, title, f"No data: every flow is of {HIDDEN}.")
    moves["width"] = known.fillna(known.sum() * HAIR)  # tells nothing of how few they are
    moves["told"] = [HIDDEN if np.isnan(n) else f"{n:,.0f} people" for n in known]
    dates = sorted(set(moves["from_date"]) | set(moves["to_date"]))
    nodes, place = _nodes(shown, moves, dates)
    figure = go.Figure(
        go.Sankey(
            arrangement="fixed",
            node={"pad": PAD, "thickness": 16, "line": {"width": 0}} | nodes,
            link={
                "source": _places(moves, place, "from"),
                "target": _places(moves, place, "to"),
                "value": moves["width"].tolist(),
                "color": [_link_color(shown, move) for _, move in moves.iterrows()],
                "customdata": words(moves["told"] + ", " + moves["verdict"]),
                "hovertemplate": "%{source.customdata} to %{target.customdata}: %{customdata}"
                "<extra></extra>",
            },
            textfont={"size": 11},
        )
    )
    for at, date in enumerate(dates):
        figure.add_annotation(
            text=f"<b>{date:%Y-%m-%d}</b>", x=at / (len(dates) - 1), y=1, yanchor="bottom",
            xref="paper", yref="paper", showarrow=False, yshift=6,
        )  # fmt: skip
    note = f"n = {int(known.sum()):,} moves or stays that are counted. {_verdict(moves)}"
    made = shown.chart(name, title, note, figure, HEIGHT + BELOW)
    above = figure.layout.margin.t + LINE  # that the dates take
    figure.update_layout(
        height=figure.layout.height + LINE,
        margin={"t": above, "l": EDGE, "r": EDGE},
    )
    return made


def _places(moves: pd.DataFrame, place: dict, end: str) -> list[int]:
    """Return the node of each move, at its beginning or end."""
    return [
        place[at] for at in zip(moves[f"{end}_date"], moves[f"{end}_persona_number"], strict=True)
    ]


def _nodes(shown: Shown, moves: pd.DataFrame, dates: list) -> tuple[dict, dict]:
    """Return the nodes, one per date and persona in order, and the place of each among them."""
    sizes = pd.concat(
        [
            moves.groupby([f"{end}_date", f"{end}_persona_number"])["width"]
            .sum()
            .rename_axis(["date", "number"])
            for end in ("from", "to")
        ]
    )
    sizes = sizes.groupby(["date", "number"]).max()
    largest = sizes.groupby("date").sum().max()
    space = PAD / HEIGHT
    filled = 1 - space * (sizes.groupby("date").size().max() - 1)
    x, y, place, top = [], [], {}, dict.fromkeys(dates, 0.0)
    for (date, number), size in sizes.items():
        high = size / largest * filled
        place[(date, number)] = len(place)
        x.append(dates.index(date) / (len(dates) - 1))
        y.append(top[date] + high / 2)
        top[date] += high + space
    nodes = {
        "x": np.clip(x, 0.001, 0.999),  # Plotly takes 0 for unset
        "y": np.clip(y, 0.001, 0.999),
        "customdata": [shown.label(number) for _, number in place],
        # The names stand at both ends; between them they would cover each other.
        "label": [
            shown.label(number) if date in (dates[0], dates[-1]) else str(number)
            for date, number in place
        ],
        "color": [shown.color(number) for _, number in place],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    return nodes, place


def _link_color(shown: Shown, move: pd.Series) -> str:
    """Return a persona's colour, faint for those who stayed, and grey for noise."""
    color, opacity = {
        "stayed": (shown.color(move["from_persona_number"]), 0.3),
        "more than noise": (shown.color(move["from_persona_number"]), 0.85),
    }.get(move["verdict"], (GREY, 0.5))
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _verdict(moves: pd.DataFrame) -> str:
    """Tell how to read the flows, and which moves are more than noise, the newest first."""
    moved = moves[moves["verdict"] != "stayed"]
    beyond = moved[moved["verdict"] == "more than noise"]
    newest = beyond.sort_values("to_date", ascending=False, kind="stable").head(MOST_MOVES)
    ends = newest[["from_persona_number", "to_persona_number", "to_date"]]
    named = [
        f"{one} to {other} by {date:%Y-%m-%d}" for one, other, date in ends.itertuples(index=False)
    ]
    more = f" and {len(beyond) - MOST_MOVES} more" if len(beyond) > MOST_MOVES else ""
    said = f" ({', '.join(named)}{more})" if named else ""
    thin = f" Thin lines are of {HIDDEN}." if moves["n_people"].isna().any() else ""
    return (
        f"Strong colours are more than noise, grey is no more, faint ones stayed.{thin} "
        f"{len(beyond)} of {len(moved)} kinds of moves{said} exceed what fits of other samples of "
        "the first day relabel without time passing. It foretells nothing."
    )
