"""The charts of personas, for patients and physicians apart: exploration first, then the groups."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from wardhouse.areas.engagement import charts_of_people, charts_of_personas
from wardhouse.areas.engagement.shown import Shown, spoken
from wardhouse.report.chart import BLUE, GREY, ORANGE, Chart

if TYPE_CHECKING:
    import pandas as pd
    from wardhouse.report.tables import Read

PERSON_TYPES = ("patient", "physician")
CRITERIA = {  # column that tells whether it agrees: what it is called, and which k it takes
    "silhouette_agrees": ("silhouette", lambda of: of["silhouette"].idxmax()),
    "calinski_harabasz_agrees": ("Calinski-Harabasz", lambda of: of["calinski_harabasz"].idxmax()),
    "davies_bouldin_agrees": ("Davies-Bouldin", lambda of: of["davies_bouldin"].idxmin()),
    "elbow_agrees": ("elbow", lambda of: of["elbow_k"].iloc[0]),
    "gap_agrees": ("gap statistic", lambda of: _gap_choice(of)),
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
    table = shown.rows("ml.persona_k_selection").sort_values("k")
    if table.empty:
        return shown.empty(name, title)
    table = table.set_index("k")
    chosen = table.index[table["is_chosen"].astype(bool)]
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
            x=table.index, y=table[column], mode="lines+markers", showlegend=False,
            line={"color": BLUE, "width": 2},
            marker={
                "size": 10, "color": np.where(is_eligible, BLUE, "white"),
                "line": {"color": BLUE, "width": 2}, "opacity": 1,
            },
            error_y=None if error is None else {"type": "data", "array": error, "thickness": 1.5},
            hovertemplate=f"k = %{{x}}: %{{y:,.3f}}<extra>{axis}</extra>", row=1, col=place,
        )  # fmt: skip
        figure.update_yaxes(title=axis, rangemode="tozero", row=1, col=place)
    taken = {
        label: (choose(table), table.loc[chosen, agrees].eq(True).all())
        for agrees, (label, choose) in CRITERIA.items()
    }
    known = {label: each for label, each in taken.items() if not np.isnan(each[0])}
    figure.add_scatter(
        x=[k for k, _ in known.values()], y=list(known), mode="markers", showlegend=False,
        marker={
            "size": 14, "symbol": "diamond", "opacity": 1,
            "color": [BLUE if agrees else ORANGE for _, agrees in known.values()],
        },
        hovertemplate="%{y}: k = %{x}<extra></extra>", row=2, col=1,
    )  # fmt: skip
    for row, col in ((1, 1), (1, 2), (2, 1)):
        for k in chosen:
            figure.add_vline(
                x=k,
                line={"color": GREY, "dash": "dash", "width": 2},
                layer="below",
                row=row,
                col=col,
            )
        span = [table.index.min() - 0.5, table.index.max() + 0.5]
        figure.update_xaxes(title="Personas (k)", dtick=1, range=span, row=row, col=col)
    figure.update_yaxes(
        categoryorder="array", categoryarray=list(taken)[::-1], range=[-0.6, len(taken) - 0.4],
        row=2, col=1,
    )  # fmt: skip
    figure.update_annotations(font_size=13)
    return shown.chart(name, title, _selection_note(shown, table, taken), figure, 640)


def _selection_note(shown: Shown, table: pd.DataFrame, taken: dict) -> str:
    told = {"rule": "by the rule", "persona_k": "by the var persona_k"}
    chosen = table[table["is_chosen"].astype(bool)]
    how = [
        f"k = {k} was chosen {told.get(row['chosen_by'], 'though no k meets the rule')} (dashed)."
        for k, row in chosen.iterrows()
    ]
    against = [
        f"{label} ({'finds none' if np.isnan(k) else f'{k:.0f}'})"
        for label, (k, agrees) in taken.items()
        if not agrees
    ]
    said = f"Not of that mind (orange): {', '.join(against)}." if against else "All criteria agree."
    return (
        f"n = {int(table['n_fitted'].max()):,} {shown.person_type}s. {' '.join(how)} The rule "
        "takes the largest silhouette among k whose groups are large and stable enough (filled); "
        f"ties go to the smaller k. {said}"
    )


def _gap_choice(table: pd.DataFrame) -> float:
    """Return the first k whose gap the next one's does not exceed by more than its error."""
    enough = table["gap"] >= (table["gap"] - table["gap_error"]).shift(-1)
    return float(enough.idxmax()) if enough.any() else np.nan
