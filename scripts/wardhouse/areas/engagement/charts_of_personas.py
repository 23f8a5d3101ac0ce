"""Charts of personas as groups: cards, what to do for each, when, and what it may bring."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from wardhouse.areas.engagement.shown import HIDDEN, MONEY, percent
from wardhouse.report.cells import (
    INSIDE,
    Cell,
    broken,
    draw_cells,
    height_of,
    place_cells,
)
from wardhouse.report.chart import GREY, Chart, words

if TYPE_CHECKING:
    from wardhouse.areas.engagement.shown import Shown

GAP = 12  # pixels between boxes
LEAST_JACCARD = 0.6  # of a persona that is found again in other samples
NO_STEPS = "No data: the seed persona_playbook names no step for these segments."
NOT_MEASURED = "Reckoned from the assumptions beside it, not measured: nobody has tried it here."


def charts(shown: Shown) -> list[Chart]:
    """Make the charts that draw personas of a type."""
    return [cards(shown), strategies(shown), returns(shown), timeline(shown)]


def cards(shown: Shown) -> Chart:
    """Show who the personas are: rows of `engagement.persona_profiles`."""
    name, title = "persona_cards", "personas"
    if shown.personas.empty:
        return shown.empty(name, title)
    width = (INSIDE - GAP) / 2
    texts = [_card(shown, persona, width) for _, persona in shown.personas.iterrows()]
    cells, top = [], 0.0
    for pair in range(0, len(texts), 2):
        height = max(height_of(len(lines)) for lines, _, _ in texts[pair : pair + 2])
        for place, (lines, color, n_bold) in enumerate(texts[pair : pair + 2]):
            left = place * (width + GAP)
            cells.append(Cell(left, top, width, height, lines, color, n_bold))
        top += height + GAP
    validation = shown.validation
    note = (
        f"n = {int(shown.personas['n_people'].sum()):,} {shown.person_type}s in {len(texts)} "
        f"personas{f', without those of whom there are {HIDDEN}' if shown.hidden else ''}; "
        f"silhouette {validation['silhouette']:.2f}, stability (mean adjusted Rand index of "
        f"bootstraps) {validation['bootstrap_ari']:.2f}, p = {validation['copula_p']:.2f} against "
        "data without groups. Jaccard tells how well a persona is found again, 0 to 1."
    )
    if not shown.warning:
        note += " By these the grouping is reliable."
    return _boxed(shown, name, title, note, cells)


def _card(shown: Shown, persona: pd.Series, width: float) -> tuple[tuple[str, ...], str, int]:
    heading = broken(f"{persona['persona_number']} {persona['persona_name']}", width)
    if pd.isna(persona["n_people"]):
        size = f"Size: {HIDDEN}"
    else:
        size = f"{int(persona['n_people']):,} people, {percent(persona['share'])} of the type"
    told = [
        size,
        f"Set apart by {persona['distinguishing_features']}",
        persona["description"],
        f"Business segment: {persona['business_segment']}",
        f"Jaccard {persona['jaccard']:.2f} ("
        + ("found again" if persona["jaccard"] >= LEAST_JACCARD else "not found again")
        + f" in other samples), silhouette {persona['silhouette']:.2f}",
        f"The grouping is {'reliable' if persona['is_reliable'] else 'not reliable'}",
    ]
    if persona["name_by_rules"] != persona["persona_name"]:
        told.append(f"By the rules of today it would be called {persona['name_by_rules']}")
    lines = [line for text in told if pd.notna(text) for line in broken(text, width)]
    return (*heading, *lines), shown.color(persona["persona_number"]), len(heading)


def strategies(shown: Shown) -> Chart:
    """Show what to do for each persona, phase by phase: rows of `engagement.persona_strategies`."""
    name, title = "strategy_matrix", "what to do for each persona"
    steps = _steps(shown)
    if steps.empty:
        return shown.empty(name, title, NO_STEPS if len(shown.personas) else "")
    phases = list(dict.fromkeys(steps.sort_values(["start_week", "step"])["phase"]))
    first = 170
    width = (INSIDE - first - GAP * len(phases)) / len(phases)
    cells = [
        Cell(first + GAP + place * (width + GAP), 0, width, height_of(1), (phase,), GREY, 1)
        for place, phase in enumerate(phases)
    ]
    top = float(height_of(1) + GAP)
    for number, of in steps.groupby("persona_number"):
        heading = broken(f"{number} {of['persona_name'].iloc[0]}", first)
        row = [(0, first, heading, len(heading))]
        for place, phase in enumerate(phases):
            lines = [
                line
                for _, step in of[of["phase"] == phase].iterrows()
                for line in _step(step, width)
            ]
            lines = lines or ["No step"]
            row.append((first + GAP + place * (width + GAP), width, lines, 0))
        height = max(height_of(len(lines)) for _, _, lines, _ in row)
        cells += [
            Cell(left, top, wide, height, tuple(lines), shown.color(number), n_bold)
            for left, wide, lines, n_bold in row
        ]
        top += height + GAP
    n_review = int(steps["needs_compliance_review"].sum())
    note = (
        f"n = {len(steps)} steps for {steps['persona_number'].nunique()} personas, by the seed "
        f"persona_playbook; {n_review} need a compliance review first. A campaign may address only "
        "people who agreed to marketing."
    )
    return _boxed(shown, name, title, note, cells)


def _step(step: pd.Series, width: float) -> list[str]:
    told = [
        step["action"],
        f"By {step['channel'].lower()}, to: {step['target'].lower()}",
        f"Owner: {step['owner']}; weeks {step['start_week']} to {step['end_week']}",
    ]
    if step["needs_compliance_review"]:
        told.append("Compliance review first")
    return [line for text in told for line in broken(text, width)]


def returns(shown: Shown) -> Chart:
    """Show what steps may bring: rows of `engagement.persona_strategies`."""
    import plotly.graph_objects as go

    name, title = "projected_return", "projected return of the steps"
    steps = _steps(shown)
    known = steps.dropna(subset=["projected_roi_low", "projected_roi_high"]).iloc[::-1]
    if known.empty:
        reason = "No data: a return takes an annual value, a cost, and as many people as are shown."
        return shown.empty(name, title, reason if len(shown.personas) else "")
    labels = [_assumed(shown, step) for _, step in known.iterrows()]
    low, high = known["projected_roi_low"].astype(float), known["projected_roi_high"].astype(float)
    figure = go.Figure(
        go.Bar(
            base=low, x=high - low, y=labels, orientation="h", width=0.35, cliponaxis=False,
            marker_color=[shown.color(number) for number in known["persona_number"]],
            text=[f"{one:,.1f} to {other:,.1f}" for one, other in zip(low, high, strict=True)],
            textposition="outside",
            customdata=np.dstack([known["gain_low"], known["gain_high"], known["cost_amount"]])[
                0
            ].astype(float),
            hovertemplate="gain %{customdata[0]:,.0f} to %{customdata[1]:,.0f} for a cost of "
            f"%{{customdata[2]:,.0f}} ({MONEY})<extra></extra>",
        )
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": GREY, "dash": "dash", "width": 1})
    figure.update_xaxes(
        title="Return per unit of cost in a year: (gain - cost) / cost",
        range=[min(float(low.min()), 0) - 1, float(high.max()) * 1.25 + 1],
    )
    figure.update_yaxes(tickfont_size=11)
    left_out = len(steps) - len(known)
    told = f" {left_out} have no figure: no annual value, or {HIDDEN}." if left_out else ""
    note = (
        f"n = {len(known)} steps.{told} {NOT_MEASURED} At -1 the cost is lost, at 0 (dashed) it is "
        "returned."
    )
    return shown.chart(name, title, note, figure, 88 * len(known) + 60)


def _assumed(shown: Shown, step: pd.Series) -> str:
    """Return the label of a step: whose it is, what it is, and on what its figure rests."""
    figures = (
        f"reach {percent(step['reach_share'])}, effect {percent(step['effect_low'])} to "
        f"{percent(step['effect_high'])} ({step['measure'].lower()}), "
        f"{step['cost_per_person']:,.0f} a person"
    )
    lines = [
        *wrap(step["action"], 58),
        *wrap(f"Assumed: {step['assumption']}; {figures}", 58),
    ]
    return "<br>".join([_whose(shown, step), *words(lines)])


def _whose(shown: Shown, step: pd.Series) -> str:
    """Return persona and step as words: no two bars have the same."""
    return f"<b>{shown.label(step['persona_number'])}, step {step['step']}</b>"


def timeline(shown: Shown) -> Chart:
    """Show when each step is due: rows of `engagement.persona_strategies`."""
    import plotly.graph_objects as go

    name, title = "timeline", "timeline of the steps"
    steps = _steps(shown)
    if steps.empty:
        return shown.empty(name, title, NO_STEPS if len(shown.personas) else "")
    steps = steps.sort_values(["start_week", "persona_number", "step"], ascending=False)
    figure = go.Figure()
    start = steps["start_week"].astype(float) - 1
    figure.add_bar(
        base=start, x=steps["end_week"] - start, orientation="h", width=0.6,
        y=[
            "<br>".join([_whose(shown, step), *words([step["action"]])])
            for _, step in steps.iterrows()
        ],
        marker_color=[shown.color(number) for number in steps["persona_number"]],
        text=words(
            f"{step['phase']}, weeks {step['start_week']} to {step['end_week']}"
            for _, step in steps.iterrows()
        ),
        textposition="outside", cliponaxis=False,
        customdata=words(steps["owner"]), hovertemplate="%{text}: %{customdata}<extra></extra>",
    )  # fmt: skip
    last = int(steps["end_week"].max())
    figure.update_xaxes(
        title="Weeks since the start", range=[0, last * 1.45], tickvals=list(range(0, last + 1, 4))
    )
    figure.update_yaxes(tickfont_size=11)
    phases = ", ".join(dict.fromkeys(steps.iloc[::-1]["phase"]))
    note = (
        f"n = {len(steps)} steps in {last} weeks, by the seed persona_playbook. Phases in order: "
        f"{phases}."
    )
    return shown.chart(name, title, note, figure, 52 * len(steps) + 60)


def _steps(shown: Shown) -> pd.DataFrame:
    steps = shown.rows("engagement.persona_strategies")
    return steps.sort_values(["persona_number", "step"]).reset_index(drop=True)


def _boxed(shown: Shown, name: str, title: str, note: str, cells: list[Cell]) -> Chart:
    import plotly.graph_objects as go

    figure = go.Figure()
    height = draw_cells(figure, cells)
    made = shown.chart(name, title, note, figure)
    place_cells(figure, height)
    return made
