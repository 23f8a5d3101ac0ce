"""The report of personas: what charts show of a small warehouse, and what they never show."""

import base64
import re
import shutil
from html import unescape
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_samples
from typer.testing import CliRunner
from wardhouse.areas.engagement.charts import charts, selection
from wardhouse.areas.engagement.charts_of_moves import migration
from wardhouse.areas.engagement.charts_of_people import silhouettes, space
from wardhouse.areas.engagement.charts_of_personas import returns
from wardhouse.areas.engagement.shown import MOST_POINTS, Shown
from wardhouse.cli import app
from wardhouse.report.cells import BAND, INSIDE, PAD, SIGN, Cell, broken, draw_cells, height_of
from wardhouse.report.chart import BLUE, COLORS, GREY, LINE, ORANGE
from wardhouse.report.tables import Few, open_tables
from wardhouse.report.write import write_report

FEATURES = ["engagement_level", "satisfaction_score", "visits<b>"]
SIZES = {1: 30, 2: 24, 3: 6}  # of the third the size is suppressed
NAMES = {1: "Champions", 2: "At-Risk", 3: "Moderate: high visits<b>"}
MIDDLES = {1: [80.0, 9.0, 10.0], 2: [30.0, 4.0, 20.0], 3: [50.0, 6.0, 90.0]}
VERDICT = "no groups to speak of: correlated values without any give as much"
OF_PERSONAS = ["persona_cards", "strategy_matrix", "projected_return", "timeline", "migration"]
OF_PEOPLE = ["silhouettes", "scatter_matrix", "space"]
NAMED = ["correlations", "before_and_after", "number_of_personas", *OF_PEOPLE, *OF_PERSONAS]
DATES = pd.to_datetime(["2025-01-31", "2025-04-30", "2025-07-31"])


def people(sizes: dict[int, int]) -> pd.DataFrame:
    """Draw people about the middles, with keys that no other number of theirs resembles."""
    rng = np.random.default_rng(7)
    rows = [
        {"persona_number": number, **dict(zip(FEATURES, middle + rng.normal(0, 2, 3), strict=True))}
        for number, middle in ((number, np.array(MIDDLES[number])) for number in sizes)
        for _ in range(sizes[number])
    ]
    keys = rng.permutation(len(rows)) + 770_011_223_344_550_000
    found = pd.DataFrame(rows).assign(person_type="patient", person_key=keys)
    return found.assign(person_id=[f"EP<{key % 10_000:04d}" for key in keys])


def frames(sizes: dict[int, int] = SIZES, is_reliable: bool = True) -> dict[str, pd.DataFrame]:
    """Return each table that the charts read, of patients alone."""
    of = people(sizes)
    values = of[FEATURES].to_numpy()
    numbers = pd.Series(list(sizes), name="persona_number")
    counts = pd.array([n if n >= 11 else None for n in sizes.values()], dtype="Int64")
    profiles = pd.DataFrame(
        {
            "persona_number": numbers,
            "persona_name": numbers.map(NAMES),
            "name_by_rules": numbers.map(NAMES | {2: "Moderate: low engagement"}),
            "description": "They stay & tell others",
            "business_segment": "Advocate",
            "n_people": counts,
            "share": [n / len(of) if n >= 11 else np.nan for n in sizes.values()],
            "distinguishing_features": "high engagement level, low visits<b>",
            "silhouette": 0.7,
            "jaccard": [0.9, 0.8, 0.5][: len(sizes)],
            "is_reliable": is_reliable,
        }
    )
    steps = pd.DataFrame(
        {
            "persona_number": [1, 1, 2, 3],
            "persona_name": [NAMES[number] for number in (1, 1, 2, 3)],
            "step": [1, 2, 1, 1],
            "action": ["Write", "Ask for <i>advice", "Call", "Remind"],
            "channel": "Letter",
            "target": "All of the persona",
            "owner": "Outreach",
            "phase": ["Launch", "Grow", "Launch", "Launch"],
            "start_week": [1, 7, 1, 1],
            "end_week": [6, 16, 4, 10],
            "measure": "Share of annual value kept",
            "reach_share": 0.2,
            "effect_low": 0.0,
            "effect_high": 0.02,
            "cost_per_person": 12.0,
            "assumption": "One in five answers",
            "needs_compliance_review": [False, True, False, True],
            "cost_amount": [72.0, 36.0, 58.0, np.nan],
            "gain_low": [0.0, 0.0, 60.0, np.nan],
            "gain_high": [216.0, 72.0, 116.0, np.nan],
            "projected_roi_low": [-1.0, -1.0, 0.03, np.nan],
            "projected_roi_high": [2.0, 1.0, 1.0, np.nan],
        }
    )
    moves = pd.DataFrame(
        {
            "from_date": DATES[[0, 0, 0, 1, 1, 1, 1]],
            "to_date": DATES[[1, 1, 1, 2, 2, 2, 2]],
            "from_persona_number": [1, 1, 2, 1, 1, 2, 2],
            "to_persona_number": [1, 2, 2, 1, 2, 2, 3],
            "n_people": pd.array([20, 11, 22, 15, None, 20, 12], dtype="Int64"),
            "verdict": [
                *("stayed", "more than noise", "stayed", "stayed", "more than noise", "stayed"),
                "no more than noise",
            ],
        }
    )
    pairs = [(one, other) for one in FEATURES for other in FEATURES if one != other]
    spearman = pd.DataFrame(values, columns=FEATURES).corr("spearman")
    stages = pd.DataFrame(
        [
            {
                "feature": feature, "stage": stage, "n_values": len(of), "mean_value": 5.0,
                "deviation": 2.0, "lowest": 1.0, "first_quartile": 3.0, "median_value": 4.0,
                "third_quartile": 6.0, "highest": highest,
            }
            for feature in FEATURES
            for stage, highest in (("delivered", 99.0), ("fitted", 10.5))
        ]
    )  # fmt: skip
    fit = pd.DataFrame(
        [
            {"component": component, "feature": feature, "value": value}
            for component, figures in (
                ("scaler_mean", values.mean(0)),
                ("scaler_scale", values.std(0)),
            )
            for feature, value in zip(FEATURES, figures, strict=True)
        ]
    )
    ks = pd.Series(range(2, 6))
    own = {
        "engagement.persona_profiles": profiles,
        "engagement.persona_feature_profiles": pd.DataFrame(
            {
                "persona_number": numbers.repeat(3).to_numpy(),
                "feature": FEATURES * len(sizes),
                "standardised_difference": [1.0, 2.0, 3.0] * len(sizes),
            }
        ),
        "engagement.persona_strategies": steps[steps["persona_number"].isin(sizes)],
        "engagement.persona_migration": moves[moves["to_persona_number"].isin(sizes)],
        "engagement.feature_profile": pd.DataFrame(
            {
                "feature": FEATURES,
                "n_missing": [3, 0, 2],
                "n_outside": [1, 2, 0],
                "missing_strategy": ["median", "median", "drop"],
            }
        ),
        "engagement.feature_correlations": pd.DataFrame(
            [
                {
                    "feature": one, "other_feature": other, "n": 57,
                    "spearman": spearman.loc[one, other], "spearman_low": -0.9,
                    "spearman_high": 0.9,
                }
                for one, other in pairs
            ]
        ),
        "engagement.feature_treatment": stages,
        "engagement.labelled_members": of[["person_key", "person_id"]],
        "ml.persona_validation": pd.DataFrame(
            {
                "n_people": [len(of)], "silhouette": 0.7, "copula_p": 0.01, "bootstrap_ari": 0.95,
                "is_reliable": is_reliable, "verdict": "groups" if is_reliable else VERDICT,
            }
        ),
        "ml.persona_k_selection": pd.DataFrame(
            {
                "k": ks, "n_fitted": len(of), "sse": [90.0, 30.0, 25.0, 22.0],
                "silhouette": [0.5, 0.7, 0.71, 0.3], "silhouette_error": 0.02,
                "calinski_harabasz": [10.0, 40.0, 30.0, 20.0],
                "davies_bouldin": [0.9, 0.4, 0.5, 0.8], "gap": [0.1, 0.9, 0.8, 0.7],
                "gap_error": 0.01, "is_eligible": [True, True, False, False],
                "is_chosen": ks == 3, "chosen_by": "rule",
                "elbow_k": pd.array([None] * 4, dtype="Int64"),
            }
        ),
        "ml.persona_fit": fit,
        "ml.persona_members": of[["person_key", "persona_number"]].assign(is_in_fit=True),
        "ml.persona_vectors": of[["person_key"]].assign(
            is_current=True,
            features=[FEATURES] * len(of),
            feature_values=values.tolist(),
        ),
    }  # fmt: skip
    return {name: frame.assign(person_type="patient") for name, frame in own.items()}


def warehouse(path, tables: dict[str, pd.DataFrame]):
    """Write tables into a new database."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema engagement; create schema ml")
        for name, frame in tables.items():
            connection.register("frame", frame)
            connection.execute(f"create table {name} as from frame")
    return path


@pytest.fixture
def made(tmp_path):
    """Return what makes the charts of tables, by name without the person type."""

    def make(tables: dict[str, pd.DataFrame], **options) -> dict:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.duckdb"
        with open_tables(warehouse(path, tables)) as read:
            found = charts(read, **options)
        return {each.name.removesuffix("_patient"): each for each in found}

    return make


@pytest.fixture
def one(tmp_path):
    """Return what makes one chart of tables, by its function."""

    def make(chart, tables: dict[str, pd.DataFrame]):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.duckdb"
        with open_tables(warehouse(path, tables)) as read:
            return chart(Shown("patient", read))

    return make


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Return the charts of the usual tables, which tests only read."""
    path = warehouse(tmp_path_factory.mktemp("usual") / "wardhouse.duckdb", frames())
    with open_tables(path) as read:
        return {each.name.removesuffix("_patient"): each for each in charts(read)}


def subtitle(chart) -> str:
    return unescape(chart.figure.layout.title.subtitle.text.replace("<br>", " "))


def texts(chart) -> str:
    return unescape(" ".join(each.text for each in chart.figure.layout.annotations)).replace(
        "<br>", " "
    )


# Which charts there are


def test_patients_have_every_chart_and_physicians_that_are_none_a_page_that_says_so(usual):
    assert list(usual) == [*NAMED, "personas_physician"]
    missing = usual["personas_physician"]
    assert texts(missing) == "No data: healthcare_data holds no accepted physician."


def test_every_chart_says_whom_it_is_of_and_how_many(usual):
    for name in NAMED:
        assert usual[name].title.startswith("Patients: ")
        assert re.search(r"\bn = [1-9]", subtitle(usual[name])), name
        assert "eliable" not in subtitle(usual[name]) or name == "persona_cards"


def test_where_the_grouping_is_not_to_be_trusted_every_page_says_so(made):
    found = made(frames(is_reliable=False))
    for name in NAMED:
        assert f"Not reliable: {VERDICT}." in subtitle(found[name]), name
    assert "The grouping is not reliable" in texts(found["persona_cards"])


def test_an_empty_warehouse_says_what_was_not_delivered(made):
    found = made({name: frame.iloc[:0] for name, frame in frames().items()})
    assert [texts(each) for each in found.values()] == [
        f"No data: healthcare_data holds no accepted {kind}." for kind in ("patient", "physician")
    ]


def test_too_few_people_for_personas_still_have_what_is_known_of_them(made):
    tables = frames()
    explored = ("feature_profile", "feature_correlations", "feature_treatment")
    kept = {f"engagement.{name}" for name in explored} | {"ml.persona_validation"}
    bare = {name: of if name in kept else of.iloc[:0] for name, of in tables.items()}
    told = {"is_reliable": False, "verdict": "too few people to tell", "silhouette": np.nan}
    bare["ml.persona_validation"] = tables["ml.persona_validation"].assign(**told)
    found = made(bare)
    assert list(found) == [*NAMED, "personas_physician"]
    for name in NAMED[2:]:
        assert texts(found[name]) == "No data: too few people to tell.", name
    for name in NAMED[:2]:
        assert "Not reliable: too few people to tell." in subtitle(found[name])


def test_a_persona_has_one_colour_everywhere(usual):
    silhouettes = {bar.name: bar.marker.color for bar in usual["silhouettes"].figure.data}
    assert silhouettes == {"1 Champions": COLORS[0], "2 At-Risk": COLORS[1]}
    for name in ("scatter_matrix", "space"):
        assert {each.name: each.marker.color for each in usual[name].figure.data} == silhouettes
    nodes = usual["migration"].figure.data[0].node
    for label, color in zip(nodes.customdata, nodes.color, strict=True):
        assert color == COLORS[int(label[0]) - 1]
    for name in ("projected_return", "timeline"):
        (bars,) = usual[name].figure.data
        for label, color in zip(bars.y, bars.marker.color, strict=True):
            assert color == COLORS[int(label[len("<b>")]) - 1], name
    for name in ("persona_cards", "strategy_matrix"):
        edges = {each.fillcolor for each in usual[name].figure.layout.shapes}
        assert set(COLORS[:3]) <= edges, name


def test_ten_personas_have_ten_colours():
    assert len(set(COLORS)) == 10
    assert GREY not in COLORS


# What they show


def test_correlations_have_their_n_and_interval(usual):
    (grid,) = usual["correlations"].figure.data
    expected = people(SIZES)[FEATURES].corr("spearman").to_numpy(copy=True)
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(np.array(grid.z, dtype=float), expected)
    assert grid.text[0][1].endswith("<br>n = 57")
    assert list(grid.customdata[0][1]) == [-0.9, 0.9]


def test_boxes_show_what_treatment_did(usual):
    after, before = (
        usual["before_and_after"].figure.data[0],
        usual["before_and_after"].figure.data[3],
    )
    assert (list(after.y), list(after.upperfence)) == (["after"], [10.5])
    assert (list(before.y), list(before.upperfence)) == (["before"], [99.0])
    assert [box[0] for box in (before.q1, before.median, before.q3)] == [3.0, 4.0, 6.0]
    told = texts(usual["before_and_after"])
    assert "3 missing, filled by the median; 1 beyond a fence" in told
    assert "all known; 2 beyond a fence" in told
    assert "2 missing, who is left out; 0 beyond a fence" in told


def test_the_k_chosen_is_marked_and_what_each_criterion_takes_by_itself(usual):
    chart = usual["number_of_personas"]
    elbow, silhouette, criteria = chart.figure.data
    assert list(elbow.y) == [90, 30, 25, 22]
    assert list(elbow.marker.color) == [BLUE, BLUE, "white", "white"]
    assert list(silhouette.error_y.array) == [0.02] * 4
    assert {line.x0 for line in chart.figure.layout.shapes} == {3}
    taken = dict(zip(criteria.y, zip(criteria.x, criteria.marker.color, strict=True), strict=True))
    assert taken == {
        "silhouette": (4, ORANGE),
        "Calinski-Harabasz": (3, BLUE),
        "Davies-Bouldin": (3, BLUE),
        "gap statistic": (3, BLUE),
    }
    assert "k = 3 was chosen by the rule" in subtitle(chart)
    assert "Others choose (orange): silhouette (4), elbow (finds none)." in subtitle(chart)


@pytest.mark.parametrize(
    ("chosen_by", "told"),
    [
        ("persona_k", "k = 3 was fixed by the var persona_k"),
        ("no eligible k", "k = 3 has the largest silhouette, but no k meets the rule"),
    ],
)
def test_who_chose_the_k_is_told(one, chosen_by, told):
    tables = frames()
    tables["ml.persona_k_selection"]["chosen_by"] = chosen_by
    assert told in subtitle(one(selection, tables))


def test_silhouettes_are_those_of_scikit_learn_in_scaled_units(usual):
    of = people(SIZES)
    values = of[FEATURES].to_numpy()
    expected = silhouette_samples((values - values.mean(0)) / values.std(0), of["persona_number"])
    for number, bars in zip((1, 2), usual["silhouettes"].figure.data, strict=True):
        own = np.sort(expected[of["persona_number"] == number])[::-1]
        np.testing.assert_allclose(bars.x, own, atol=0.0006)
    first, second = usual["silhouettes"].figure.data
    assert min(second.y) > max(first.y)


def test_labels_of_silhouettes_do_not_cover_each_other(one):
    chart = one(silhouettes, frames({1: 300, 2: 12, 3: 11}))
    axis, layout = chart.figure.layout.yaxis, chart.figure.layout
    bars = np.concatenate([np.array(bar.y, dtype=float) for bar in chart.figure.data])
    pixels = (layout.height - layout.margin.t - layout.margin.b) / (bars.max() - bars.min() + 1)
    lines = [label.count("<br>") + 1 for label in axis.ticktext]
    places = list(zip(axis.tickvals, lines, strict=True))
    for (one_at, one_lines), (next_at, next_lines) in pairwise(places):
        assert (next_at - one_at) * pixels >= LINE * (one_lines + next_lines) / 2


def test_a_scatter_shows_the_features_that_set_apart_most_and_the_values(usual):
    space = usual["space"].figure
    assert space.layout.scene.xaxis.title.text == "visits&lt;b&gt;"
    of = people(SIZES)
    first = of[of["persona_number"] == 1]
    assert sorted(space.data[0].x) == sorted(first["visits<b>"].round(2))
    point = dict(zip(("x", "y", "z"), space.data[0].customdata[0], strict=True))
    assert point == {axis: space.data[0][axis][0] for axis in "xyz"}
    assert "%{fullData.name}<br>visits&lt;b&gt;: %{customdata[0]}" in space.data[0].hovertemplate
    matrix = usual["scatter_matrix"].figure.data
    assert [len(each.dimensions) for each in matrix] == [3, 3]


def test_of_a_large_persona_some_people_are_drawn(one):
    chart = one(space, frames({1: MOST_POINTS + 50, 2: 24}))
    assert [len(each.x) for each in chart.figure.data] == [MOST_POINTS, 24]
    told = f"n = {MOST_POINTS + 24} patients, at most {MOST_POINTS} of each persona"
    assert told in subtitle(chart)


def test_cards_say_size_difference_and_how_far_to_trust(usual):
    told = texts(usual["persona_cards"])
    assert "30 people, 50\N{NO-BREAK SPACE}% of the type" in told
    assert "Jaccard 0.90 (found again in other samples), silhouette 0.70" in told
    assert "Jaccard 0.50 (not found again in other samples)" in told
    assert "By the rules of today it would be called Moderate: low engagement" in told
    assert "By these the grouping is reliable." in subtitle(usual["persona_cards"])


def test_a_strategy_is_in_its_phase_and_names_its_review(usual):
    told = texts(usual["strategy_matrix"])
    assert "Owner: Outreach; weeks 7 to 16 Compliance review first" in told
    assert told.count("No step") == 2  # two personas do nothing in the second phase
    assert "n = 4 steps for 3 personas" in subtitle(usual["strategy_matrix"])


def test_a_return_is_a_range_with_its_assumptions_and_said_not_to_be_measured(usual):
    chart = usual["projected_return"]
    (bars,) = chart.figure.data
    assert list(bars.base) == [0.03, -1.0, -1.0]
    np.testing.assert_allclose(np.add(bars.base, bars.x).astype(float), [1.0, 1.0, 2.0])
    assert "Assumed: One in five answers; reach 20\N{NO-BREAK SPACE}%, effect" in bars.y[0].replace(
        "<br>", " "
    )
    assert "Reckoned from the assumptions beside it, not measured" in subtitle(chart)
    assert "1 have no figure" in subtitle(chart)
    assert "At -1 the cost is lost" in subtitle(chart)


def test_a_timeline_has_each_step_from_its_first_week_to_its_last(usual):
    (bars,) = usual["timeline"].figure.data
    spans = {text: (start, start + weeks) for text, start, weeks in zip(
        bars.text, bars.base, bars.x, strict=True
    )}  # fmt: skip
    assert spans["Grow, weeks 7 to 16"] == (6, 16)
    assert len(set(bars.y)) == 4
    assert "Phases in order: Launch, Grow." in subtitle(usual["timeline"])


def test_moves_are_told_from_noise(usual):
    chart = usual["migration"]
    (flow,) = chart.figure.data
    ends = [
        (flow.node.customdata[start], flow.node.customdata[end], n)
        for start, end, n in zip(flow.link.source, flow.link.target, flow.link.value, strict=True)
    ]
    told = dict(zip(ends, flow.link.customdata, strict=True))
    assert told["1 Champions", "2 At-Risk", 11] == "11 people, more than noise"
    assert len(ends) == 7
    (thin,) = [width for _, _, width in ends if width != int(width)]
    assert told["1 Champions", "2 At-Risk", thin] == "too few people to be shown, more than noise"
    verdicts = (each.rsplit(", ", 1)[1] for each in flow.link.customdata)
    opacity = dict(zip(verdicts, (each.split(",")[-1] for each in flow.link.color), strict=True))
    assert opacity == {"stayed": "0.3)", "more than noise": "0.85)", "no more than noise": "0.5)"}
    assert "Thin lines are of too few people to be shown." in subtitle(chart)
    assert "2 of 3 kinds of moves (1 to 2 by 2025-07-31, 1 to 2 by 2025-04-30) exceed" in subtitle(
        chart
    )


def test_without_history_nobody_can_have_moved(one):
    tables = frames()
    tables["engagement.persona_migration"] = tables["engagement.persona_migration"].iloc[:0]
    assert texts(one(migration, tables)).startswith("No data: one date only is known")


def test_without_annual_value_there_is_no_return(one):
    tables = frames()
    steps = tables["engagement.persona_strategies"]
    steps[["projected_roi_low", "projected_roi_high"]] = np.nan
    assert texts(one(returns, tables)).startswith("No data: a return takes an annual")


def test_words_in_boxes_fit_and_no_box_covers_another(usual):
    for name in ("persona_cards", "strategy_matrix"):
        boxes = [
            shape for shape in usual[name].figure.layout.shapes if shape.fillcolor == "#F5F5F5"
        ]
        words = usual[name].figure.layout.annotations
        assert len(boxes) == len(words) > 2
        for place, (box, text) in enumerate(zip(boxes, words, strict=True)):
            lines = [re.sub(r"</?b>", "", line) for line in text.text.split("<br>")]
            lines = [unescape(line) for line in lines]
            assert box.x1 - box.x0 >= BAND + 2 * PAD + SIGN * max(map(len, lines)), name
            assert box.y1 - box.y0 >= LINE * len(lines) + 2 * PAD
            assert box.x1 <= INSIDE
            for other in boxes[:place]:
                is_beside = box.x0 >= other.x1 or box.x1 <= other.x0
                assert is_beside or box.y0 >= other.y1 or box.y1 <= other.y0


def test_a_box_takes_the_lines_that_its_words_are_broken_into():
    import plotly.graph_objects as go

    lines = broken("Names one coordinator for all", 200)
    assert len(lines) == 2
    cell = Cell(10, 20, 200, height_of(2), tuple(lines), BLUE, 1)
    figure = go.Figure()
    assert draw_cells(figure, [cell]) == 20 + 2 * LINE + 2 * PAD
    assert figure.layout.annotations[0].text.startswith("<b>Names one")


def test_a_legend_of_long_names_has_room(usual, one):
    tables = frames({1: 30, 2: 24, 3: 20})
    names = {number: f"Moderate: {'very ' * 8}high {number}" for number in (1, 2, 3)}
    profiles = tables["engagement.persona_profiles"]
    profiles["persona_name"] = profiles["persona_number"].map(names)
    long, short = one(space, tables).figure.layout, usual["space"].figure.layout
    assert long.margin.t == short.margin.t + 40
    assert long.height == short.height + 40


def test_a_legend_counts_the_signs_that_are_seen(one):
    margins = []
    for sign in "<-":
        tables = frames({1: 30, 2: 24, 3: 20})
        tables["engagement.persona_profiles"]["persona_name"] = [sign * n for n in (18, 19, 20)]
        margins.append(one(space, tables).figure.layout.margin.t)
    assert margins[0] == margins[1]


def test_a_name_from_the_data_is_no_markup(usual):
    for name, chart in usual.items():
        shown = chart.figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">")
        assert "visits<b>" not in shown, name
        assert "<i>advice" not in shown, name


# What they never show


def pages(folder, found) -> dict[str, bytes]:
    """Write the pages, and return each with the numbers that it holds in base64 beside it."""
    written = write_report(list(found.values()), folder, "Personas", pictures=False)
    texts = {page.name: page.read_bytes() for page in written}
    packed = re.compile(rb'"bdata":"([^"]+)"')
    return {
        name: text + b"".join(
            base64.b64decode(each.group(1).replace(b"\\u002f", b"/").replace(b"\\u002b", b"+"))
            for each in packed.finditer(text)
        )
        for name, text in texts.items()
    }  # fmt: skip


def tells_of(page: bytes, of: pd.DataFrame) -> bool:
    """Tell whether a page holds anybody's id or key: as text, or as a number in binary."""
    ids = [name for each in of["person_id"] for name in (each, each.replace("<", "&lt;"))]
    ids += [name.replace("<", "\\u003c").replace("&", "\\u0026") for name in ids]
    keys = of["person_key"]
    binary = [np.array([key], dtype=kind).tobytes() for key in keys for kind in ("<i8", "<f8")]
    return any(each in page for each in [*map(str.encode, [*ids, *map(str, keys)]), *binary])


def test_no_page_holds_an_id_or_a_key(tmp_path, made):
    for name, page in pages(tmp_path / "report", made(frames())).items():
        assert not tells_of(page, people(SIZES)), name


def test_who_a_point_is_stands_in_the_page_where_it_is_asked_for(tmp_path, made):
    found = made(frames(), identifiers=True)
    written = pages(tmp_path / "report", found)
    of = people(SIZES)
    named = {name for name, page in written.items() if tells_of(page, of)}
    assert named == {"space_patient.html", "scatter_matrix_patient.html"}
    assert not any(
        str(key).encode() in page for key in of["person_key"] for page in written.values()
    )
    drawn = of[of["persona_number"] == 1]
    point = found["space"].figure.data[0].customdata[0]
    who = of.loc[of["person_id"] == unescape(point[3])].iloc[0]
    assert who["person_id"] in set(drawn["person_id"])
    assert point[:3] == [round(who[each], 2) for each in reversed(FEATURES)]


def test_a_persona_whose_size_is_suppressed_cannot_be_counted(usual):
    for name in ("silhouettes", "scatter_matrix", "space"):
        assert len(usual[name].figure.data) == 2, name
        assert "n = 54 " in subtitle(usual[name]), name
    cards = usual["persona_cards"]
    assert "Size: too few people to be shown" in texts(cards)
    assert "n = 54 patients in 3 personas, without those of whom there are too few" in subtitle(
        cards
    )
    assert "too few people to be shown" in subtitle(usual["space"])


def test_where_every_persona_is_suppressed_nobody_is_drawn(made):
    found = made(frames({1: 10, 2: 9}))
    for name in OF_PEOPLE:
        assert texts(found[name]) == "No data: every persona has too few people to be shown.", name
    assert "n = 0 patients" in subtitle(found["persona_cards"])


def test_the_order_of_rows_changes_no_byte(tmp_path, made):
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in frames().items()}
    one, other = pages(tmp_path / "one", made(frames())), pages(tmp_path / "two", made(shuffled))
    assert one == other


# The command, the reader and the pictures


def test_the_reader_reads_a_few_rows_of_each_group_and_those_within_others(tmp_path):
    path = warehouse(tmp_path / "wardhouse.duckdb", frames())
    with open_tables(path) as read:
        few = read(
            "ml.persona_members", few=Few(5, ("person_type", "persona_number"), "person_key")
        )
        assert few.groupby("persona_number").size().to_dict() == {1: 5, 2: 5, 3: 5}
        of = people(SIZES)
        least = of[of["persona_number"] == 1]["person_key"].nsmallest(5)
        assert set(few[few["persona_number"] == 1]["person_key"]) == set(least)
        within = few[["person_key"]].head(2).assign(is_current=True)
        assert set(read("ml.persona_vectors", within=within)["person_key"]) == set(
            within["person_key"]
        )
        assert read("ml.persona_vectors", within=within.assign(is_current=False)).empty


def run(database, *arguments: str, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(database))
    return CliRunner().invoke(app, ["report", *arguments])


def test_the_command_writes_the_report(tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_EXPORT_DIR", str(tmp_path))
    database = warehouse(tmp_path / "wardhouse.duckdb", frames())
    result = run(database, "personas", "--no-png", monkeypatch=monkeypatch)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "engagement" / "report"
    assert result.output == f"12 charts; open {folder / 'index.html'}\n"
    of = people(SIZES)
    assert not tells_of((folder / "space_patient.html").read_bytes(), of)
    result = run(database, "personas", "--no-png", "--identifiers", monkeypatch=monkeypatch)
    assert result.exit_code == 0, result.output
    assert tells_of((folder / "space_patient.html").read_bytes(), of)


def test_a_report_that_draws_nobody_refuses_to_name_them(tmp_path, monkeypatch):
    result = run(tmp_path / "none", "growth", "--identifiers", monkeypatch=monkeypatch)
    assert result.exit_code == 2
    assert "--identifiers: growth has no such option" in re.sub(r"\s+|│", " ", result.output)


@pytest.mark.system
def test_a_picture_of_each_chart_is_drawn(tmp_path, made):
    if not any(shutil.which(name) for name in ("chromium", "google-chrome", "chrome")):
        pytest.skip("no Chromium or Chrome draws pictures here")
    found = made(frames())
    written = write_report(list(found.values()), tmp_path / "report", "Personas", pictures=True)
    pictures = [path for path in written if path.suffix == ".png"]
    assert len(pictures) == 12
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
