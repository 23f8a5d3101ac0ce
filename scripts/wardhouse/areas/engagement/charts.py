"""The charts of personas, for patients and physicians apart: exploration first, then the groups."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from wardhouse.areas.engagement import charts_of_people, charts_of_personas
from wardhouse.areas.engagement.charts_of_moves import migration
from wardhouse.areas.engagement.k_selection import own_choices
from wardhouse.areas.engagement.shown import Shown, spoken
from wardhouse.report.chart import BLUE, GREY, ORANGE, Chart

if TYPE_CHECKING:
    from wardhouse.report.tables import Read

PERSON_TYPES = ("patient", "physician")
CRITERIA = {
    "silhouette": "silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "elbow": "elbow",
    "gap": "gap statistic",
}
CHOSEN_BY = {
    "rule": "was chosen by the rule (dashed)",
    "persona_k": "was fixed by the var persona_k (dashed)",
    "no eligible k": "has the largest silhouette, but no k meets the rule (dashed)",
}


def charts(read: Read, identifiers: bool = False) -> list[Chart]:
    """Make the charts of the area.

    Parameters
    ----------
    read
        Reads the warehouse.
    identifiers
        Whether the pointer may show who a point is. Without it no chart holds anybody's id or key.

    Returns
    -------
    list of Chart
        Of each person type, in the order of a report; one that says so where nobody is of it.
    """

    @cache
    def whole(table: str) -> pd.DataFrame:
        return read(table)

    def once(table: str, **of: object) -> pd.DataFrame:
        return read(table, **of) if of else whole(table)

    made = []
    for person_type in PERSON_TYPES:
        shown = Shown(person_type, once, identifiers)
        made += _charts_of(shown)
    return made


def _charts_of(shown: Shown) -> list[Chart]:
    if shown.rows("engagement.feature_profile").empty:
        reason = f"No data: healthcare_data holds no accepted {shown.person_type}."
        return [shown.empty("personas", "personas", reason)]
    return [
        correlations(shown),
        boxes(shown),
        selection(shown),
        *charts_of_people.charts(shown),
        *charts_of_personas.charts(shown),
        migration(shown),
    ]


def correlations(shown: Shown) -> Chart:
    """Show how features go together: rows of `engagement.feature_correlations`."""
    import plotly.graph_objects as go

    name, title = "correlations", "correlation of the features"
    pairs = shown.rows("engagement.feature_correlations").dropna(subset=["spearman"])
    if pairs.empty:
        return shown.empty(name, title, "No data: no two features are known of the same people.")
    features = sorted(set(pairs["feature"]) | set(pairs["other_feature"]))
    by_pair = pairs.set_index(["other_feature", "feature"])
    grid = {
        column: by_pair[column].unstack().reindex(index=features, columns=features)
        for column in ("spearman", "spearman_low", "spearman_high", "n")
    }
    spearman = grid["spearman"].to_numpy(dtype=float)
    told = [
        ["" if np.isnan(value) else f"{value:.2f}<br>n = {n:,.0f}" for value, n in zip(*row)]  # noqa: B905
        for row in zip(spearman, grid["n"].to_numpy(dtype=float), strict=True)
    ]
    labels = [spoken(feature) for feature in features]
    figure = go.Figure(
        go.Heatmap(
            x=labels, y=labels, z=spearman, zmin=-1, zmax=1, colorscale="RdBu", xgap=2, ygap=2,
            text=told, texttemplate="%{text}",
            colorbar={"title": {"text": "Spearman", "font": {"size": 12}}, "thickness": 14},
            customdata=np.dstack([grid["spearman_low"], grid["spearman_high"]]).astype(float),
            hovertemplate="%{y} and %{x}: %{z:.2f} (95 % interval %{customdata[0]:.2f} to "
            "%{customdata[1]:.2f})<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    least, most = int(pairs["n"].min()), int(pairs["n"].max())
    note = (
        f"n = {least:,} to {most:,} {shown.person_type}s of whom both features are known. Spearman "
        "correlation of ranks: 1 where both rise together, -1 where one falls, 0 where neither "
        "tells of the other."
    )
    return shown.chart(name, title, note, figure, 76 * len(features) + 60)


def boxes(shown: Shown) -> Chart:
    """Show values before and after treatment: rows of `engagement.feature_treatment`."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    name, title = "before_and_after", "features before and after treatment"
    stages = shown.rows("engagement.feature_treatment")
    profile = shown.rows("engagement.feature_profile").set_index("feature")
    features = sorted(stages.loc[stages["stage"] == "fitted", "feature"].unique())
    if not features:
        return shown.empty(name, title, "No data: no feature has values that differ.")
    figure = make_subplots(
        len(features), 1, vertical_spacing=0.4 / len(features),
        subplot_titles=[_treatment(spoken(each), profile.loc[each]) for each in features],
    )  # fmt: skip
    for stage, label, color in (("fitted", "after", ORANGE), ("delivered", "before", BLUE)):
        of_stage = stages[stages["stage"] == stage].set_index("feature")
        for row, feature in enumerate(features, 1):
            one = of_stage.loc[feature]
            figure.add_trace(
                go.Box(
                    y=[label], orientation="h", showlegend=False, fillcolor=color,
                    line={"color": "#222222", "width": 1.5},
                    lowerfence=[one["lowest"]], q1=[one["first_quartile"]],
                    median=[one["median_value"]], q3=[one["third_quartile"]],
                    upperfence=[one["highest"]], mean=[one["mean_value"]], boxmean=True,
                ),
                row=row,
                col=1,
            )  # fmt: skip
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    n = int(stages.loc[stages["stage"] == "fitted", "n_values"].max())
    note = (
        f"n = {n:,} {shown.person_type}s in the fit. A box holds the middle half, its line is the "
        "median, the broken line the mean; the whiskers reach the smallest and the largest value. "
        "Each feature is in its own unit."
    )
    return shown.chart(name, title, note, figure, 125 * len(features))


def _treatment(label: str, rule: pd.Series) -> str:
    strategy = rule["missing_strategy"]
    filled = "who is left out" if strategy == "drop" else f"filled by the {strategy}"
    missing = f"{int(rule['n_missing']):,} missing, {filled}" if rule["n_missing"] else "all known"
    return f"<b>{label}</b>: {missing}; {int(rule['n_outside']):,} beyond a fence"


def selection(shown: Shown) -> Chart:
    """Show how many personas there are and who says so: rows of `ml.persona_k_selection`."""
    from plotly.subplots import make_subplots

    name, title = "number_of_personas", "how many personas"
    table = shown.rows("ml.persona_k_selection").sort_values("k", ignore_index=True)
    if table.empty:
        return shown.empty(name, title)
    chosen = table[table["is_chosen"].astype(bool)].iloc[0]
    figure = make_subplots(
        2, 2, specs=[[{}, {}], [{"colspan": 2}, None]], row_heights=[0.6, 0.4],
        vertical_spacing=0.2, horizontal_spacing=0.12,
        subplot_titles=["Elbow", "Silhouette", "Which k each criterion takes by itself"],
    )  # fmt: skip
    is_eligible = table["is_eligible"].astype(bool)
    for column, place, axis, error in (
        ("sse", 1, "Sum of squared distances", None),
        ("silhouette", 2, "Mean silhouette", table["silhouette_error"]),
    ):
        figure.add_scatter(
            x=table["k"], y=table[column], mode="lines+markers", showlegend=False,
            line={"color": BLUE, "width": 2},
            marker={
                "size": 10, "color": np.where(is_eligible, BLUE, "white"),
                "line": {"color": BLUE, "width": 2}, "opacity": 1,
            },
            error_y=None if error is None else {"type": "data", "array": error, "thickness": 1.5},
            hovertemplate=f"k = %{{x}}: %{{y:,.3f}}<extra>{axis}</extra>", row=1, col=place,
        )  # fmt: skip
        figure.update_yaxes(title=axis, rangemode="tozero", row=1, col=place)
    choices = own_choices(table)
    taken = {label: choices[criterion] for criterion, label in CRITERIA.items()}
    known = {label: int(k) for label, k in taken.items() if not pd.isna(k)}
    figure.add_scatter(
        x=list(known.values()), y=list(known), mode="markers", showlegend=False,
        marker={
            "size": 14, "symbol": "diamond", "opacity": 1,
            "color": [BLUE if k == chosen["k"] else ORANGE for k in known.values()],
        },
        hovertemplate="%{y}: k = %{x}<extra></extra>", row=2, col=1,
    )  # fmt: skip
    for row, col in ((1, 1), (1, 2), (2, 1)):
        dashed = {"color": GREY, "dash": "dash", "width": 2}
        figure.add_vline(x=chosen["k"], line=dashed, layer="below", row=row, col=col)
        span = [table["k"].min() - 0.5, table["k"].max() + 0.5]
        figure.update_xaxes(
            title="Personas (k)", dtick=1, range=span, showgrid=False, row=row, col=col
        )
    figure.update_yaxes(
        categoryorder="array", categoryarray=list(taken)[::-1], range=[-0.6, len(taken) - 0.4],
        row=2, col=1,
    )  # fmt: skip
    figure.update_annotations(font_size=13)
    return shown.chart(name, title, _selection_note(shown, chosen, taken), figure, 640)


def _selection_note(shown: Shown, chosen: pd.Series, taken: dict[str, int | None]) -> str:
    how = CHOSEN_BY[chosen["chosen_by"]]
    against = [
        f"{label} ({'finds none' if pd.isna(k) else k})"
        for label, k in taken.items()
        if pd.isna(k) or k != chosen["k"]
    ]
    said = f"Others choose (orange): {', '.join(against)}." if against else "All criteria agree."
    return (
        f"n = {int(chosen['n_fitted']):,} {shown.person_type}s. k = {chosen['k']} {how}. The rule "
        "takes the largest silhouette among k whose groups are large and stable enough (filled); "
        f"ties go to the smaller k. {said}"
    )
