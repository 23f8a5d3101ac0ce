"""The charts of growth: volume, opportunity, returns, referrals, payers and supplies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from wardhouse.report.chart import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WIDTH,
    Chart,
    chart,
    empty,
    label_sides,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

ROW = 30  # pixels that a bar with its label takes
MOST_PROVIDERS = 25  # in a chart; the page says when there are more
MOST_TRENDS = 12
MOST_ITEMS = 40
MONEY = "in the currency of the feeds"
NO_CRM = "No data: salesforce_crm was not delivered, or names no amount of a provider with volume."


def charts(read: Callable[[str], pd.DataFrame]) -> list[Chart]:
    """Make the charts of the area.

    Parameters
    ----------
    read
        Gives a table, named as `schema.table`, as a frame.

    Returns
    -------
    list of Chart
        In the order of a report. Three have the suffix `_informatics` where there are supplies.
    """
    metrics = read("growth.provider_metrics")
    supplies = read("growth.supply_position")
    suffix = "" if supplies.empty else "_informatics"
    return [
        volume(f"patient_volume_service_line{suffix}", read("growth.service_line_summary")),
        opportunity(f"opportunity_vs_cost{suffix}", metrics),
        prediction(f"predicted_vs_actual{suffix}", read("ml.opportunity_predictions")),
        returns("roi_by_provider", metrics),
        trend("referral_trend", read("growth.referral_trend")),
        payers("payer_mix", read("growth.payer_mix")),
        cover("days_of_cover", supplies),
    ]


def volume(name: str, lines: pd.DataFrame) -> Chart:
    """Show the patients of each service line: rows of `growth.service_line_summary`."""
    import plotly.graph_objects as go

    title = "Patient volume by service line"
    if lines.empty:
        return empty(name, title, "No data: sg2_patient_flow holds no accepted encounter.")
    lines = lines.sort_values(["total_patients", "service_line"], ascending=[True, False])
    bars = _bars(words(lines["service_line"]), lines["total_patients"], BLUE)
    figure = go.Figure(bars)
    figure.update_traces(texttemplate="%{x:,}", textposition="outside", cliponaxis=False)
    figure.update_xaxes(title="Patients", rangemode="tozero")
    n = f"n = {lines['n_encounters'].sum():,} encounters in {len(lines)} service lines"
    note = f"{n}. A patient of several service lines counts in each."
    return chart(name, title, note, figure, ROW * len(lines))


def opportunity(name: str, metrics: pd.DataFrame) -> Chart:
    """Show opportunity against cost: rows of `growth.provider_metrics`."""
    import plotly.graph_objects as go

    title = "Opportunity value and mean treatment cost by provider"
    known = metrics.dropna(subset=["avg_cost", "opportunity_value"])
    if known.empty:
        return empty(name, title, NO_CRM)
    patients = known["total_patients"].astype(float)
    sizes = 8 + 14 * np.sqrt(patients / max(patients.max(), 1))
    names = words(known["provider_name"])
    cost, value = known["avg_cost"].astype(float), known["opportunity_value"].astype(float)
    figure = go.Figure(
        go.Scatter(
            x=cost, y=value, customdata=patients, cliponaxis=False, **_named(cost, value, names),
            marker={"size": sizes, "color": BLUE, "opacity": 0.75, "line": {"color": "white"}},
            hovertemplate="%{text}: cost %{x:,.2f}, opportunity %{y:,.0f}, %{customdata:,} patients"
            "<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title=f"Mean treatment cost per encounter ({MONEY})", tickformat=",.0f")
    figure.update_yaxes(title=f"Opportunity value ({MONEY})", tickformat=",.0f")
    figure.update_yaxes(rangemode="tozero")
    note = (
        f"n = {len(known)} of {len(metrics)} providers, those with both figures. The larger the "
        f"circle, the more patients ({patients.min():,.0f} to {patients.max():,.0f})."
    )
    return chart(name, title, note, figure)


def prediction(name: str, predictions: pd.DataFrame) -> Chart:
    """Show predictions against what the CRM says: rows of `ml.opportunity_predictions`."""
    import plotly.graph_objects as go

    title = "Predicted and actual opportunity value by provider"
    if len(predictions) and predictions["target_name"].iloc[0] == "deals_value":
        title = "Predicted and actual value of deals by provider"
    known = predictions.dropna(subset=["predicted", "target"])
    if known.empty:
        verdict = "" if predictions.empty else predictions["verdict"].iloc[0]
        return empty(name, title, verdict or NO_CRM)
    numbers = known[["target", "predicted", "predicted_by_others", "low", "high"]].astype(float)
    names = words(known["provider_name"])
    highest = float(np.nanmax(numbers.to_numpy())) * 1.08 or 1.0
    color = GREEN if known["is_reliable"].iloc[0] else GREY
    figure = go.Figure()
    figure.add_scatter(
        x=[0, highest], y=[0, highest], mode="lines", name="as predicted", hoverinfo="skip",
        line={"color": GREY, "dash": "dash", "width": 1},
    )  # fmt: skip
    figure.add_scatter(
        x=numbers["target"], y=numbers["predicted"], name="prediction, with its interval",
        cliponaxis=False, **_named(
            numbers["target"], numbers["predicted"], names, highest, numbers["predicted_by_others"]
        ),
        marker={"size": 11, "color": color},
        error_y={
            "type": "data", "symmetric": False, "thickness": 1.5, "width": 5, "color": color,
            "array": (numbers["high"] - numbers["predicted"]).clip(lower=0),
            "arrayminus": (numbers["predicted"] - numbers["low"]).clip(lower=0),
        },
        hovertemplate="%{text}: actual %{x:,.0f}, predicted %{y:,.0f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=numbers["target"], y=numbers["predicted_by_others"], mode="markers",
        name="prediction by the others alone", text=names,
        marker={"size": 11, "color": ORANGE, "symbol": "diamond-open", "line": {"width": 2}},
        hovertemplate="%{text}: actual %{x:,.0f}, by the others %{y:,.0f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=f"Actual value ({MONEY})", tickformat=",.0f", range=[0, highest])
    figure.update_yaxes(title=f"Predicted value ({MONEY})", tickformat=",.0f", range=[0, highest])
    reason = known["interval_reason"].dropna()
    note = f"n = {len(known)} providers. {known['verdict'].iloc[0]}"
    note += f" {reason.iloc[0]}" if len(reason) else ""
    return chart(name, title, note, figure, 560)


def returns(name: str, metrics: pd.DataFrame) -> Chart:
    """Show hoped and realised returns: rows of `growth.provider_metrics`."""
    import plotly.graph_objects as go

    title = "Return on marketing by provider"
    known = metrics.dropna(subset=["pipeline_roi"])
    if known.empty:
        return empty(name, title, f"{NO_CRM} A return takes deals and a cost of marketing.")
    known, cut = _largest(known, "pipeline_roi", MOST_PROVIDERS)
    names = words(known["provider_name"])
    figure = go.Figure()
    for column, label, color in (
        ("realised_roi", "realised: deals won", GREEN),
        ("pipeline_roi", "pipeline: all deals", BLUE),
    ):
        values = known[column].astype(float)
        bars = _bars(names, values.fillna(0), color)
        bars.update(
            name=label,
            text=["none won" if np.isnan(value) else f"{value:,.1f}" for value in values],
            textposition="outside",
            cliponaxis=False,
        )
        figure.add_trace(bars)
    figure.update_layout(barmode="group", legend={"traceorder": "reversed"})
    figure.update_xaxes(title="Return per unit of marketing cost: (deals - marketing) / marketing")
    note = (
        f"n = {len(known)} providers{cut}. The pipeline counts every deal that is hoped for; a "
        "deal that is not won has brought nothing yet."
    )
    return chart(name, title, note, figure, ROW * 2 * len(known))


def trend(name: str, months: pd.DataFrame) -> Chart:
    """Show referrals by month, provider by provider: rows of `growth.referral_trend`."""
    from plotly.subplots import make_subplots

    title = "Referrals by provider and month"
    if months.empty:
        return empty(name, title, "No data: no encounter names a referrer and a day of admission.")
    totals = months.groupby(["provider_key", "provider_name"])["n_encounters"].sum().reset_index()
    totals = totals.sort_values(["n_encounters", "provider_name"], ascending=[False, True])
    shown = totals.head(MOST_TRENDS)
    columns = 3
    rows = -(-len(shown) // columns)
    figure = make_subplots(
        rows, columns, shared_xaxes=True, shared_yaxes="all",
        subplot_titles=words(shown["provider_name"]),
        horizontal_spacing=0.04, vertical_spacing=0.3 / max(rows, 2),
    )  # fmt: skip
    for place, key in enumerate(shown["provider_key"]):
        one = months[months["provider_key"] == key].sort_values("month_start_date")
        is_changed = one["verdict"].isin(["more", "fewer"])
        figure.add_scatter(
            x=one["month_start_date"], y=one["n_encounters"], mode="lines+markers",
            marker={
                "opacity": 1,
                "size": np.where(is_changed, 10, 5),
                "color": np.where(is_changed, RED, BLUE),
            },
            line={"color": BLUE, "width": 2}, showlegend=False,
            hovertemplate="%{x|%B %Y}: %{y:,} encounters<extra></extra>",
            row=place // columns + 1, col=place % columns + 1,
        )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(title="Encounters", col=1)
    figure.update_xaxes(tickformat="%b %y", nticks=5, showticklabels=True)
    figure.update_annotations(font_size=13)
    cut = f", the {len(shown)} largest of {len(totals)}" if len(shown) < len(totals) else ""
    note = (
        f"n = {shown['n_encounters'].sum():,} encounters of {len(shown)} providers{cut}. A month "
        "in red differs from those that it is compared with, by a test adjusted for all providers; "
        "where none is red there is no significant change. The first and last month may be cut."
    )
    return chart(name, title, note, figure, 190 * rows)


def payers(name: str, mix: pd.DataFrame) -> Chart:
    """Show the share of each payer: rows of `growth.payer_mix`."""
    import plotly.graph_objects as go

    title = "Payer mix"
    if mix.empty or set(mix["payer"].str.lower()) == {"unknown"}:
        return empty(name, title, "No data: sg2_patient_flow names no payer.")
    mix = mix.sort_values(["n_encounters", "payer"], ascending=[True, False])
    share = mix["encounter_share"].astype(float)
    bars = _bars(words(mix["payer"]), share, BLUE)
    bars.update(
        error_x={
            "type": "data", "symmetric": False, "thickness": 1.5, "color": "#222222",
            "array": mix["encounter_share_high"] - share,
            "arrayminus": share - mix["encounter_share_low"],
        },
        text=[f"{n:,} encounters" for n in mix["n_encounters"]],
        textposition="inside", insidetextanchor="start",
    )  # fmt: skip
    figure = go.Figure(bars)
    figure.update_xaxes(title="Share of encounters, with 95 % interval", tickformat=".0%")
    figure.update_xaxes(rangemode="tozero")
    note = f"n = {mix['n_encounters'].sum():,} encounters of {len(mix)} payers."
    return chart(name, title, note, figure, ROW * len(mix))


def cover(name: str, supplies: pd.DataFrame) -> Chart:
    """Show how long supplies last: rows of `growth.supply_position`."""
    import plotly.graph_objects as go

    title = "Days of cover by provider and item"
    known = supplies.dropna(subset=["days_of_cover"])
    if known.empty:
        return empty(name, title, "No data: inventory_usage was not delivered, or tells no use.")
    order = ["days_of_cover", "provider_name", "item_name"]
    shown = known.sort_values(order).head(MOST_ITEMS).iloc[::-1]
    names = words(shown["provider_name"] + ", " + shown["item_name"])
    days, at_point = shown["days_of_cover"].astype(float), shown["is_at_reorder_point"].eq(True)
    figure = go.Figure()
    for label, color, of_kind in (
        ("above the reorder point, or none known", BLUE, ~at_point),
        ("at or below the reorder point: reorder", RED, at_point),
    ):
        bars = _bars(
            [each for each, is_one in zip(names, of_kind, strict=True) if is_one],
            days[of_kind],
            color,
        )
        bars.update(name=label, showlegend=True, texttemplate="%{x:,.1f}", textposition="outside")
        bars.update(cliponaxis=False)
        figure.add_trace(bars)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(title="Days that the quantity on hand lasts at the daily usage last told")
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=names)
    cut = f", the {len(shown)} that end first of {len(known)}" if len(shown) < len(known) else ""
    note = (
        f"n = {len(shown)} positions{cut}, as they were last counted; {at_point.sum()} to reorder."
    )
    return chart(name, title, note, figure, ROW * len(shown))


def _bars(labels: list[str], values: pd.Series, color: str):
    import plotly.graph_objects as go

    return go.Bar(x=values, y=labels, orientation="h", marker_color=color)


def _named(
    x: pd.Series,
    y: pd.Series,
    names: list[str],
    highest: float | None = None,
    further: pd.Series | None = None,
) -> dict:
    """Name points where there is room for their names; else the pointer shows them.

    Both axes end at `highest` where it is given. `further` are values of y that are drawn too.
    """
    if len(names) > MOST_PROVIDERS:
        return {"mode": "markers", "text": names}
    wide, high = WIDTH - 200, 460  # about what the axes leave
    span_x, span_y = (highest or x.max() - x.min() or 1), (highest or y.max() or 1)

    def pixels(values: pd.Series) -> list[tuple[float, float]]:
        return list(zip(x / span_x * wide, values / span_y * high, strict=True))

    others = [] if further is None else pixels(further.fillna(-1e9))
    sides = label_sides(pixels(y), names, 12, others)
    return {"mode": "markers+text", "text": names, "textposition": sides}


def _largest(known: pd.DataFrame, column: str, most: int) -> tuple[pd.DataFrame, str]:
    """Return the largest rows, the largest last, and what to say of those left out."""
    ordered = known.sort_values([column, "provider_name"], ascending=[True, False])
    shown = ordered.tail(most)
    return shown, f", the {len(shown)} largest of {len(known)}" if len(shown) < len(known) else ""
