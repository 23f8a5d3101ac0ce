"""Charts of personas that draw people: silhouettes, a scatter matrix and a scatter in space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from wardhouse.areas.engagement.shown import HIDDEN, MOST_POINTS, spoken
from wardhouse.report.chart import BELOW, GREY, LINE, Chart, words

if TYPE_CHECKING:
    import pandas as pd
    from wardhouse.areas.engagement.shown import Shown

LEAST_SLOT = 0.07  # of all silhouettes: room of a persona, that its label covers no other
MOST_FEATURES = 6  # in a scatter matrix
ALL_HIDDEN = f"No data: every persona has {HIDDEN}."
CAMERA = {"eye": {"x": 1.4, "y": 1.4, "z": 0.75}, "center": {"x": 0, "y": 0, "z": -0.2}}
TREATED = "Values are those that the fit reads: missing ones filled, outliers treated."


def charts(shown: Shown) -> list[Chart]:
    """Make the charts that draw people of a type."""
    return [silhouettes(shown), scatter_matrix(shown), space(shown)]


def silhouettes(shown: Shown) -> Chart:
    """Show how well each person sits in the persona: bars of a sample, persona by persona."""
    import plotly.graph_objects as go

    name, title = "silhouettes", "silhouette of each persona"
    people = shown.people
    if not shown.features or people.empty:
        return shown.empty(name, title)
    people = people[people["is_in_fit"]]
    if people["persona_number"].isin(shown.hidden).all():
        return shown.empty(name, title, ALL_HIDDEN)
    if people["persona_number"].nunique() < 2:
        return shown.empty(name, title, "No data: a silhouette takes two personas or more.")
    people = people.assign(silhouette=_silhouettes(shown, people))
    figure = go.Figure()
    start, middles, labels = 0.0, [], []
    means = shown.personas.set_index("persona_number")["silhouette"]
    least = len(people) * LEAST_SLOT
    for number, of in people.groupby("persona_number"):
        if number in shown.hidden:
            continue
        values = np.sort(of["silhouette"].to_numpy())[::-1]
        slot = max(len(values), least)  # that the label has room
        first = start + (slot - len(values)) / 2
        figure.add_bar(
            x=values.round(3), y=first + np.arange(len(values)), orientation="h", width=1,
            marker={"color": shown.color(number), "line": {"width": 0}}, showlegend=False,
            name=shown.label(number), hovertemplate="%{x:.2f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
        middles.append(start + slot / 2)
        labels.append(
            _broken(f"{shown.label(number)}, mean\N{NO-BREAK SPACE}{means[number]:.2f}", 30)
        )
        start += slot + max(len(people) // 50, 3)
    most_lines = max(label.count("<br>") for label in labels) + 1
    height = int(max(500, (LINE * most_lines + 2) * start / least)) + BELOW
    overall = float(shown.validation["silhouette"])
    figure.add_vline(
        x=overall, line={"color": GREY, "dash": "dash", "width": 2},
        annotation={"text": f"mean {overall:.2f}", "yref": "paper", "y": 1, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_layout(bargap=0)
    figure.update_xaxes(title="Silhouette: 1 well inside the persona, below 0 nearer to another")
    figure.update_yaxes(tickvals=middles, ticktext=labels, showgrid=False, autorange="reversed")
    shown_people = people[~people["persona_number"].isin(shown.hidden)]
    note = (
        f"n = {len(shown_people):,} {shown.person_type}s in the fit, at most {MOST_POINTS} of each "
        "persona, the largest silhouette on top. The means are of all people of the fit."
    )
    return shown.chart(name, title, note, figure, height)


def _silhouettes(shown: Shown, people: pd.DataFrame) -> np.ndarray:
    """Return each person's silhouette, in the units that the fit scaled to."""
    from sklearn.metrics import silhouette_samples

    fit = shown.rows("ml.persona_fit")
    mean, scale = (
        fit[fit["component"] == component].set_index("feature")["value"]
        for component in ("scaler_mean", "scaler_scale")
    )
    scaled = (people[list(mean.index)] - mean) / scale
    return silhouette_samples(scaled.to_numpy(dtype=float), people["persona_number"].to_numpy())


def scatter_matrix(shown: Shown) -> Chart:
    """Show each feature against each other, persona by persona."""
    import plotly.graph_objects as go

    name, title = "scatter_matrix", "features against each other"
    features = shown.features[:MOST_FEATURES]
    if shown.drawn.empty:
        return shown.empty(name, title, ALL_HIDDEN if shown.hidden else "")
    figure = go.Figure()
    for number, of in shown.drawn.groupby("persona_number"):
        figure.add_splom(
            dimensions=[
                {"label": _broken(spoken(each), 14), "values": _short(of[each])}
                for each in features
            ],
            name=shown.label(number),
            marker={"size": 4, "color": shown.color(number), "opacity": 0.7, "line": {"width": 0}},
            **_hover(shown, of, features),
            diagonal_visible=False,
            showupperhalf=False,
        )
    cut = f", the {len(features)} that set the personas apart most of {len(shown.features)}"
    note = (
        f"{shown.drawn_note}. {len(features)} features"
        f"{cut if len(features) < len(shown.features) else ''}. {TREATED}"
    )
    made = shown.chart(name, title, note, figure, 130 * len(features) + 60)
    axis = {"title": {"font": {"size": 13}}, "automargin": True}
    figure.update_layout(
        {f"{letter}axis{place}": axis for letter in "xy" for place in range(2, len(features) + 1)},
        legend={"itemsizing": "constant"},
    )
    return made


def space(shown: Shown) -> Chart:
    """Show people by the three features that set the personas apart most."""
    import plotly.graph_objects as go

    name, title = "space", "the three features that set the personas apart most"
    features = shown.features[:3]
    if shown.drawn.empty:
        return shown.empty(name, title, ALL_HIDDEN if shown.hidden else "")
    figure = go.Figure()
    for number, of in shown.drawn.groupby("persona_number"):
        depth = _short(of[features[2]]) if len(features) > 2 else np.zeros(len(of))
        figure.add_scatter3d(
            x=_short(of[features[0]]), y=_short(of[features[1]]), z=depth, mode="markers",
            name=shown.label(number), **_hover(shown, of, shown.features),
            marker={"size": 3, "color": shown.color(number), "opacity": 0.8, "line": {"width": 0}},
        )  # fmt: skip
    axes = [spoken(each) for each in features] + [""] * (3 - len(features))
    figure.update_layout(
        scene={
            f"{axis}axis": {"title": {"text": label, "font": {"size": 13}}}
            for axis, label in zip("xyz", axes, strict=True)
        }
        | {"camera": CAMERA, "aspectmode": "cube"},
    )
    note = f"{shown.drawn_note}. {TREATED} The page turns with the pointer, which shows the values."
    made = shown.chart(name, title, note, figure, 640)
    figure.update_layout(legend={"itemsizing": "constant"}, margin={"l": 20, "r": 20, "b": 20})
    return made


def _hover(shown: Shown, people: pd.DataFrame, features: list[str]) -> dict:
    """Return what the pointer shows of a point: persona, values, and who it is where asked for."""
    lines = [
        f"{spoken(feature)}: %{{customdata[{place}]}}" for place, feature in enumerate(features)
    ]
    columns = [people[feature].round(2) for feature in features]
    if shown.identifiers:
        lines.insert(0, f"%{{customdata[{len(features)}]}}")
        columns.append(words(people["person_id"]))
    return {
        "customdata": [list(row) for row in zip(*columns, strict=True)],
        "hovertemplate": "<br>".join(["%{fullData.name}", *lines]) + "<extra></extra>",
    }


def _short(values: pd.Series) -> list[float]:
    return values.astype(float).round(2).tolist()


def _broken(text: str, signs: int = 20) -> str:
    """Break a text of words to show into lines."""
    from textwrap import wrap

    return "<br>".join(wrap(text, signs))
