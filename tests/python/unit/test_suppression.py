"""What shared tables hide: small groups, what gives them away, and what an attacker reaches."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attacking import Reader, clinic, filled, share, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wardhouse.publish import suppression
from wardhouse.publish.audit import audit
from wardhouse.publish.cells import system_of
from wardhouse.publish.versions import PublishError

WARDS = {
    "n_patients": {},
    "n_visits": {"adds": "visits"},
    "n_late": {"part_of": "n_visits"},
    "late_rate": {"from": ["n_late"]},
    "cost": {"adds": "cost", "from": ["n_visits"]},
    "mean_cost": {"from": ["n_visits"]},
}


def wards(n_patients, n_visits, n_late=None, **more):
    """Fill a table of wards, whose names are in the order of their rows."""
    n_late = n_late or [0] * len(n_visits)
    rows = {
        "ward": [f"Ward {place}" for place in range(len(n_visits))],
        "n_patients": n_patients,
        "n_visits": n_visits,
        "n_late": n_late,
        "late_rate": [late / visits for late, visits in zip(n_late, n_visits, strict=True)],
        "cost": [10.0 * visits for visits in n_visits],
        "mean_cost": [10.0] * len(n_visits),
    }
    return filled(table("wards", ["ward"], "n_patients", **WARDS), rows | more)


def shown(written, name="clinic.wards"):
    """Name of each row the columns that show something, but its name."""
    return [
        {column for column, value in row.items() if value is not None and column != "ward"}
        for row in written[name].to_pylist()
    ]


FIGURES = {*WARDS, "is_suppressed"}


# Small groups -------------------------------------------------------------------------------------


def test_row_of_few_people_shows_no_figure_and_a_second_row_hides_it(tmp_path):
    """Its visits would be the total without the others', its mean cost theirs in the same way."""
    written, told = share([wards([3, 60, 80, 40], [5, 70, 90, 50])], tmp_path)
    rows = shown(written)
    assert rows[0] == {"is_suppressed"}
    assert sorted(rows, key=len) == [{"is_suppressed"}] * 2 + [FIGURES] * 2
    flags = written["clinic.wards"]["is_suppressed"].to_pylist()
    assert flags == [row == {"is_suppressed"} for row in rows]
    assert told["smallest_interval"] == 10
    assert told["tables"][0]["n_suppressed_cells"] == 2


@pytest.mark.parametrize("n_people", [1, 10])
def test_group_is_small_up_to_the_minimum(n_people, tmp_path):
    written, _ = share([wards([n_people, 60, 80], [20, 70, 90])], tmp_path)
    assert shown(written)[0] == {"is_suppressed"}


def test_group_of_the_minimum_and_one_of_nobody_are_shown(tmp_path):
    written, told = share([wards([11, 60, 80], [20, 70, 90], [0, 70, 45])], tmp_path)
    assert shown(written) == [FIGURES] * 3
    assert (told["n_hidden"], told["smallest_interval"]) == (0, None)


@pytest.mark.parametrize("n_late", [3, 67])
def test_small_part_or_small_rest_is_hidden_with_its_rate_and_beside_another(n_late, tmp_path):
    written, told = share([wards([60, 80, 90], [70, 90, 99], [n_late, 40, 50])], tmp_path)
    rows = shown(written)
    assert rows[0] == FIGURES - {"n_late", "late_rate"}
    assert sorted(map(len, rows)) == [len(FIGURES) - 2] * 2 + [len(FIGURES)]
    assert told["smallest_interval"] == 10


def test_few_of_whom_something_is_unknown_are_no_group_and_few_of_whom_it_is_known_are(tmp_path):
    def answers(n_known):
        declared = table(
            "wards", ["ward"], "n", n={"adds": "people"}, n_known={"known_of": "n"},
            n_unknown={"unknown_of": "n"}, mean={"from": ["n_known"]},
        )  # fmt: skip
        n = [90, 80, 70]
        rows = {"ward": list("abc"), "n": n, "n_known": n_known, "mean": [1.0, 2.0, 3.0]}
        unknown = [all_ - known for all_, known in zip(n, n_known, strict=True)]
        return shown(share([filled(declared, rows | {"n_unknown": unknown})], tmp_path)[0])

    assert answers([87, 60, 50]) == [{"n", "n_known", "n_unknown", "mean", "is_suppressed"}] * 3
    assert answers([3, 60, 50])[0] == {"n", "is_suppressed"}


def test_two_parts_that_make_the_whole_are_hidden_together(tmp_path):
    declared = table(
        "wards", ["ward"], "n", n={"adds": "people"}, a={"part_of": "n"}, b={"part_of": "n"}
    )
    rows = {"ward": list("abc"), "n": [90, 80, 70], "a": [4, 40, 30], "b": [86, 40, 40]}
    written, _ = share([filled(declared, rows)], tmp_path)
    assert [("a" in row) == ("b" in row) for row in shown(written)] == [True] * 3
    assert shown(written)[0] == {"n", "is_suppressed"}


def test_column_whose_total_is_small_is_hidden_where_it_counts_anybody(tmp_path):
    """Nobody knows such a total."""
    written, _ = share([wards([60, 80, 90], [70, 90, 99], [2, 0, 1])], tmp_path)
    assert [("n_late" in row) for row in shown(written)] == [False, True, False]


def test_column_that_cannot_be_protected_by_parts_is_hidden_whole(tmp_path):
    """The total is 12: a single row beside the small one could be of 11 at most."""
    written, told = share([wards([60, 80, 90], [70, 90, 99], [1, 11, 0])], tmp_path)
    assert [("n_late" in row) for row in shown(written)] == [False] * 3
    assert told["tables"][0]["n_hidden_in_whole_columns"] == 3
    assert told["tables"][0]["n_hidden_as_small"] == 0, "it would tell which is the small one"


def test_table_that_is_too_small_as_a_whole_is_withheld(tmp_path):
    """Twelve people in six wards: each ward is of few, whatever is hidden."""
    written, told = share([wards([2] * 6, [2] * 6)], tmp_path)
    assert (written, told["tables_withheld"]) == ({}, ["clinic.wards"])


def test_amount_that_is_tiny_beside_others_is_protected_too(tmp_path):
    """It is less than a solver tells from nothing, were it measured by the largest."""
    tables = [wards([3, 60, 80], [5, 70, 90], cost=[0.01, 5e6, 7e6])]
    written, told = share(tables, tmp_path)
    assert sum("cost" in row for row in shown(written)) == 1
    assert told["smallest_interval"] == 10


# Tables together ----------------------------------------------------------------------------------


def test_margin_in_another_table_does_not_give_a_cell_away(tmp_path):
    tables = clinic(5, 600, line=4, payer=3).tables(["line", "payer"], ["line"], ["payer"])
    written, told = share(tables, tmp_path)
    assert told["n_hidden"] > 0
    assert Reader(tables, written).narrowed() == {}


@pytest.mark.parametrize(
    ("is_declared", "visits"), [(False, [None, 70, 60, None]), (True, [None, 70, None, 45])]
)
def test_rows_that_make_the_total_of_another_table_are_covered_by_none_beside(
    is_declared, visits, tmp_path
):
    """Six visits with the app in trouble: of all with trouble the devices tell the number."""
    trouble = {"adds": "troubles", "figure": "n_visits", "where": {"has_trouble": True}}
    declared = table(
        "kinds",
        ["kind", "has_trouble"],
        "n_patients",
        [trouble] if is_declared else [],
        n_patients={},
        n_visits={"adds": "visits"},
    )
    rows = {
        "kind": ["App", "Audio", "Login", "None"],
        "has_trouble": [True, True, True, False],
        "n_patients": [5, 56, 48, 36],
        "n_visits": [6, 70, 60, 45],
    }
    devices = filled(
        table("devices", ["device"], "n_patients", n_patients={}, n_troubles={"adds": "troubles"}),
        {"device": ["Phone", "Tablet"], "n_patients": [66, 50], "n_troubles": [76, 60]},
    )
    written, _ = share([filled(declared, rows), devices], tmp_path)
    assert written["clinic.kinds"]["n_visits"].to_pylist() == visits


def test_row_that_is_a_total_by_itself_is_no_cover(tmp_path):
    completed = {"adds": "completed", "figure": "n_visits", "where": {"end": "Completed"}}
    declared = table(
        "ends", ["end"], "n_patients", [completed], n_patients={}, n_visits={"adds": "visits"}
    )
    ends = {
        "end": ["Cancelled", "Completed", "No-show"],
        "n_patients": [5, 30, 80],
        "n_visits": [6, 35, 90],
    }
    wards = filled(
        table("wards", ["ward"], "n_patients", n_patients={}, n_completed={"adds": "completed"}),
        {"ward": ["A", "B"], "n_patients": [20, 25], "n_completed": [15, 20]},
    )
    written, _ = share([filled(declared, ends), wards], tmp_path)
    assert written["clinic.ends"]["n_visits"].to_pylist() == [None, 35, None]
    with pytest.raises(PublishError, match="declare to add up to the same, and do not"):
        share([filled(declared, ends | {"n_visits": [6, 36, 90]}), wards], tmp_path)


def test_order_of_rows_is_by_names_and_tells_nothing_of_figures(tmp_path):
    written, _ = share([wards([3, 60, 80, 40], [5, 70, 90, 50])], tmp_path)
    names = written["clinic.wards"]["ward"].to_pylist()
    assert names == sorted(names)


def test_audit_tells_nothing_that_the_files_do_not(tmp_path):
    """Other figures that leave the same files leave the same audit."""
    one = share([wards([3, 60, 80, 40], [5, 70, 90, 50])], tmp_path)
    other = share([wards([6, 60, 80, 37], [8, 70, 90, 47])], tmp_path)
    assert one == other


# What is declared wrongly -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([wards([None, 60], [5, 70])], "counts its people by n_patients, which is not a whole"),
        ([wards([30, 60], [50, 70], [60, 1])], "n_late to be part of n_visits, and it is more"),
        (
            [
                wards([30, 60], [50, 70]),
                filled(
                    table("all", ["of_all"], "n", n={"adds": "visits"}),
                    {"of_all": ["all"], "n": [121]},
                ),
            ],
            "clinic.wards.n_visits and clinic.all.n declare to add up to the same, and do not",
        ),
    ],
)
def test_declaration_that_is_not_true_is_refused(tables, message, tmp_path):
    with pytest.raises(PublishError, match=message):
        share(tables, tmp_path)


# The audit ----------------------------------------------------------------------------------------


def test_audit_finds_tables_in_which_small_groups_alone_are_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(suppression._State, "protect", lambda state: None)
    with pytest.raises(PublishError, match=r"the audit found that clinic\.wards gives"):
        share([wards([3, 60, 80, 40], [5, 70, 90, 50])], tmp_path)


def show(column, row):
    """Return a change that shows a value of a written table again."""

    def change(exact, written):
        values = written[column].to_pylist()
        values[row] = exact[column][row].as_py()
        place = written.schema.get_field_index(column)
        return written.set_column(place, column, pa.array(values, written[column].type))

    return change


@pytest.mark.parametrize("column", ["n_patients", "n_visits", "late_rate", "mean_cost", "cost"])
def test_audit_reads_the_files_and_finds_what_is_shown_in_a_hidden_row(column, tmp_path):
    tables = [wards([3, 60, 80, 40], [5, 70, 90, 50], [2, 30, 40, 20])]
    share(tables, tmp_path)
    file = tmp_path / "wards.parquet"
    assert audit(tables, [file], 11)[0]["smallest_interval"] == 10
    pq.write_table(show(column, 0)(tables[0].rows, pq.read_table(file)), file)
    with pytest.raises(PublishError, match=f"away by .*{column}"):
        audit(tables, [file], 11)


def test_numbers_of_areas_that_share_nothing_are_attacked_apart():
    other = filled(
        table("beds", ["bed"], "n", n={"adds": "beds"}), {"bed": ["a", "b"], "n": [40, 3]}
    )
    system = system_of([wards([3, 60], [5, 70]), other], 11)
    parts = system.components(system.value >= 0)
    assert {tuple(sorted({system.table[n] for n in part.numbers})) for part in parts} == {
        (0,), (1,)
    }  # fmt: skip


# Attacks on random tables -------------------------------------------------------------------------

SIZES = st.fixed_dictionaries({name: st.integers(2, 5) for name in ("line", "payer", "provider")})
LINKED = (["line", "payer"], ["line"], ["payer"], ["provider", "line"])


def attack(seed, n, sizes, folder):
    """Share linked tables of drawn encounters, and let somebody read them."""
    tables = clinic(seed, n, **sizes).tables(*LINKED)
    written, told = share(tables, folder)
    reader = Reader(tables, written)
    assert reader.narrowed() == {}
    for title, rows in written.items():
        declared = reader.tables[title]
        for row in rows.to_pylist():
            assert (row["completion_rate"] is None) == (row["n_completed"] is None)
            assert (row["avg_cost"] is None) == (row["n_encounters"] is None)
            assert (row["cost"] is None) == (row["n_encounters"] is None)
            assert row["is_suppressed"] == any(row[name] is None for name in declared.columns)
    return told


def test_attacker_narrows_no_number_of_linked_tables(tmp_path):
    told = [attack(seed, n, {"line": 3, "payer": 2, "provider": 3}, tmp_path)
            for seed, n in ((2, 600), (4, 600), (7, 600))]  # fmt: skip
    assert all(0 < each["share_hidden"] < 1 for each in told)


@pytest.mark.system
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6), n=st.integers(5, 700), sizes=SIZES)
def test_attacker_narrows_no_number_of_any_linked_tables(seed, n, sizes, tmp_path):
    attack(seed, n, sizes, tmp_path)
