"""What leaves the house: the shared audience with its audit, and pseudonyms of patients."""

import hashlib
import hmac
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from attacking import Reader
from builds import PROJECT
from publishing import KEY, Warehouse, build, write_clinic
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.publish.cells import Filled
from wardhouse.publish.declared import read_declared
from wardhouse.publish.read import newest, open_views
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import open_to_read

pytestmark = pytest.mark.long

MINIMUM = 7  # not the project's own: a build can override it
N_VISITS = {"Ward 1": 3, "Ward 2": 30, "Ward 3": 20, "Ward 4": 12}
COSTS, VISITS = "model.wardhouse.department_costs", "model.wardhouse.fct_visits"
SHARED = {
    "publish": "shared",
    "cells": {"of": ["department"], "people": "n_visits"},
}
FIGURES = {"n_visits": {"adds": "visits"}, "cost": {"adds": "cost"}}
NAMED = {"pii": "direct", "publish_as": "pseudonym"}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Warehouse:
    project = write_clinic(tmp_path_factory.mktemp("clinic") / "project")
    arguments = ("--vars", json.dumps({"minimum_cell_size": MINIMUM}))
    place = tmp_path_factory.mktemp("built")
    return build(project, place, "V1,P1,Ward 1,12.5,", "V2,P1,Ward 2,7,", arguments=arguments)


@pytest.fixture
def clinic(built, tmp_path) -> Warehouse:
    """Return a warehouse that shares costs of departments, and names a patient per visit."""
    warehouse = built.copy(tmp_path / "clinic")
    rows = ", ".join(f"('{ward}', {n}, {n}.5)" for ward, n in N_VISITS.items())
    warehouse.execute(
        "delete from clinic.department_costs", f"insert into clinic.department_costs values {rows}"
    )
    warehouse.declare(lambda manifest: declare(manifest, COSTS, SHARED, FIGURES))
    return warehouse


def declare(manifest: dict, node: str, meta: dict, columns: dict[str, dict]) -> None:
    """Declare a model, and some of its columns, whatever they were declared to be."""
    model = manifest["nodes"][node]
    model["meta"], model["config"]["meta"] = {}, meta
    for name, its in columns.items():
        model["columns"][name].update(meta={}, config={"meta": its})


def name_patients(clinic: Warehouse) -> None:
    """Publish visits, each with its patient and itself under pseudonyms."""
    columns = {"patient_id": NAMED, "visit_id": NAMED}
    clinic.declare(lambda manifest: declare(manifest, VISITS, {"publish": "internal"}, columns))


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())


# The shared audience ------------------------------------------------------------------------------


def test_each_audience_has_its_files_of_one_version(clinic):
    done = clinic.publish(project_dir=PROJECT)
    internal, shared = done.folder / "internal", done.folder / "shared"
    exact = pq.read_table(internal / "clinic/department_costs.parquet")
    masked = pq.read_table(shared / "clinic/department_costs.parquet")
    assert exact.column_names == ["department", "n_visits", "cost"]
    assert masked.column_names == ["department", "n_visits", "cost", "is_suppressed"]
    assert masked.to_pylist() == [
        {"department": "Ward 1", "n_visits": None, "cost": None, "is_suppressed": True},
        {"department": "Ward 2", "n_visits": 30, "cost": 30.5, "is_suppressed": False},
        {"department": "Ward 3", "n_visits": 20, "cost": 20.5, "is_suppressed": False},
        {"department": "Ward 4", "n_visits": None, "cost": None, "is_suppressed": True},
    ]
    assert masked.schema.field("cost").type == exact.schema.field("cost").type
    assert [path.name for path in (shared / "clinic").iterdir()] == ["department_costs.parquet"]


def test_manifest_of_the_shared_tells_of_the_shared_alone(clinic):
    done = clinic.publish(project_dir=PROJECT)
    told = read_json(done.folder / "shared" / "manifest.json")
    same = ("version", "published_at", "build_id", "built_at", "data_period", "health", "engine")
    assert {name: told[name] for name in same} == {name: done.manifest[name] for name in same}
    assert (told["audience"], told["minimum_cell_size"]) == ("shared", MINIMUM)
    [table] = told["tables"]
    content = (done.folder / "shared" / table["file"]).read_bytes()
    assert table["sha256"] == hashlib.sha256(content).hexdigest()
    assert (table["n_rows"], table["n_bytes"]) == (len(N_VISITS), len(content))
    assert table["columns"][-1]["name"] == "is_suppressed"
    assert "size_costs" not in json.dumps(told), "it names an internal table"
    exact = next(each for each in done.manifest["tables"] if each["name"] == table["name"])
    assert exact["sha256"] not in json.dumps(told)


def test_audit_is_beside_the_tables(clinic):
    done = clinic.publish()
    told = read_json(done.folder / "shared" / "audit.json")
    assert told == done.audit
    [table] = told["tables"]
    assert table["n_suppressed_cells"] == 2
    assert (table["n_hidden_as_small"], table["n_hidden_for_others"]) == (1, 3)
    assert told["smallest_interval"] == table["smallest_interval"] == MINIMUM - 1
    assert told["consent"]["columns"] == []
    assert not (done.folder / "internal" / "audit.json").exists()


def test_warehouse_that_shares_nothing_has_an_empty_folder_for_it(built, tmp_path):
    clinic = built.copy(tmp_path / "clinic")
    clinic.publish()
    with newest(clinic.folder, "shared") as snapshot, open_views(snapshot, "1GB") as connection:
        assert snapshot.manifest["tables"] == []
        assert connection.sql("show all tables").fetchall() == []


def test_size_of_small_groups_is_the_builds_own(clinic):
    """The var may have been overridden, so the project does not tell it."""
    clinic.execute("update landing.builds set minimum_cell_size = 2")
    assert clinic.publish().audit["n_hidden"] == 0
    clinic.execute("alter table landing.builds drop column minimum_cell_size")
    with pytest.raises(PublishError, match="remembers no minimum_cell_size"):
        clinic.publish()


def undeclared(manifest):
    declare(manifest, COSTS, SHARED, {"n_visits": {"adds": "visits"}, "cost": {}})


def without_cells(manifest):
    declare(manifest, COSTS, {"publish": "shared"}, FIGURES)


def naming_somebody(manifest):
    declare(manifest, COSTS, SHARED, FIGURES | {"department": NAMED})


def of_a_column_that_is_not(manifest):
    declare(manifest, COSTS, SHARED, FIGURES | {"cost": {"from": ["n_stays"]}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (undeclared, "is shared and does not say what cost count"),
        (without_cells, "does not say what department, n_visits, cost count"),
        (naming_somebody, "declares department to identify a person"),
        (of_a_column_that_is_not, "does not say what cost count"),
    ],
)
def test_shared_table_that_does_not_say_what_it_counts_is_refused(clinic, change, message):
    clinic.declare(change)
    with pytest.raises(PublishError, match=message) as refused:
        clinic.publish()
    assert "\n" not in str(refused.value)


def test_commands_name_the_audience(clinic, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(clinic.database))
    monkeypatch.setenv("WARDHOUSE_PUBLISH_DIR", str(clinic.folder))
    monkeypatch.setenv("DBT_TARGET_PATH", str(clinic.dbt_manifest.parent))
    monkeypatch.delenv("WARDHOUSE_PSEUDONYM_KEY", raising=False)
    name_patients(clinic)

    def run(*arguments):
        return CliRunner().invoke(app, list(arguments))

    done = run("publish")
    assert "1 of them for all, 50% of their numbers hidden" in " ".join(done.output.split())
    assert "WARDHOUSE_PSEUDONYM_KEY is not set: core.fct_visits" in " ".join(done.output.split())
    asked = "select sum(n_visits) as n from clinic.department_costs"
    assert run("sql", asked).output.split() == ["n", "65"]
    assert run("sql", asked, "--audience", "shared").output.split() == ["n", "50"]
    monkeypatch.setenv("WARDHOUSE_PSEUDONYM_KEY", "short")
    done = run("publish")
    assert (done.exit_code, "give at least 32" in done.output) == (1, True)


# Pseudonyms ---------------------------------------------------------------------------------------


def test_without_a_key_no_table_of_single_patients_is_published(clinic):
    name_patients(clinic)
    done = clinic.publish()
    assert done.manifest["tables_without_key"] == ["core.fct_visits"]
    assert not (done.folder / "internal" / "core").exists()


def test_pseudonyms_are_keyed_hashes_and_each_patient_has_one(clinic):
    name_patients(clinic)
    clinic.execute("insert into core.fct_visits values (null, 'P9', 'Ward 2', 1)")
    done = clinic.publish(key=KEY)
    [told] = [each for each in done.manifest["tables"] if each["name"] == "core.fct_visits"]
    assert (told["is_patient_level"], done.manifest["tables_without_key"]) == (True, [])
    rows = pq.read_table(done.folder / "internal" / told["file"]).to_pylist()

    def expected(domain, value):
        return hmac.new(KEY.encode(), f"{domain}:{value}".encode(), "sha256").hexdigest()[:32]

    found = {(row["visit_id"], row["patient_id"]) for row in rows}
    visits = {("V1", "P1"), ("V2", "P1"), (None, "P9")}
    assert found == {
        (visit and expected("visit", visit), expected("patient", patient))
        for visit, patient in visits
    }
    assert len({patient for _, patient in found}) == 2
    ordered = [row["visit_id"] for row in rows if row["visit_id"]]
    assert ordered == sorted(ordered), "else the order of rows would be that of the identifiers"


def test_another_key_makes_other_pseudonyms(clinic):
    name_patients(clinic)

    def patients(key):
        folder = clinic.publish(key=key).folder / "internal"
        return set(pq.read_table(folder / "core/fct_visits.parquet")["patient_id"].to_pylist())

    assert not patients(KEY) & patients(f"{KEY}!")


# The project itself -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def attacked(sample, sample_published) -> Reader:
    """Return a reader of all shared files of the sample."""
    declared = read_declared(sample_published.folder.parents[1] / "manifest.json")
    shared = sample_published.folder / "shared"
    exact, written = [], {}
    with open_to_read(sample.database) as connection:
        for table in (each.shared for each in declared.tables if each.audience == "shared"):
            order, columns = ", ".join(table.cells.of), ", ".join(table.columns)
            query = f"select {columns} from {table.title} order by {order}"
            exact.append(Filled(table, connection.sql(query).to_arrow_table()))
    for table in read_json(shared / "manifest.json")["tables"]:
        written[table["name"]] = pq.read_table(shared / table["file"])
    return Reader(exact, written)


def test_sample_is_shared_with_few_people_nowhere_and_most_of_it_shown(attacked, sample_published):
    audit = sample_published.audit
    assert len(audit["tables"]) > 12
    assert audit["tables_withheld"] == []
    assert audit["smallest_interval"] >= 10
    assert audit["share_hidden"] < 0.5
    assert audit["consent"]["columns"] == ["engagement.healthcare_data.marketing_consent"]
    for title, rows in attacked.shown.items():
        people = attacked.tables[title].cells.people
        assert rows, title
        assert {row[people] for row in rows} & set(range(1, 11)) == set(), title


def test_what_is_computed_of_a_hidden_number_is_hidden_in_every_row_of_the_sample(attacked):
    """A rate, its interval, a mean beside a sum, a share or a verdict would tell it."""
    n_compared = 0
    for title, rows in attacked.shown.items():
        for name, column in attacked.tables[title].columns.items():
            for row, exact in zip(rows, attacked.exact[title], strict=True):
                hidden = [each for each in column.sources if row[each] is None]
                if any(exact[each] is not None for each in hidden):
                    n_compared += 1
                    assert row[name] is None, f"{title}.{name}"
    assert n_compared > 500


def test_json_beside_the_shared_tables_tells_no_exact_number_of_rows_of_others(sample_published):
    shared = sample_published.folder / "shared"
    told = (shared / "manifest.json").read_text() + (shared / "audit.json").read_text()
    exact = {each["name"]: each for each in sample_published.manifest["tables"]}
    internal = [each for each in exact.values() if each["audience"] == "internal"]
    assert len(internal) > 30
    assert [each["name"] for each in internal if f'"{each["name"]}"' in told] == []
    assert [name for name, each in exact.items() if each["sha256"] in told] == []


def test_shared_tables_of_the_sample_have_no_internal_column_and_no_exact_day(sample_published):
    told = read_json(sample_published.folder / "shared" / "manifest.json")
    exact = sample_published.manifest["data_period"]
    period = told["data_period"]
    assert period.keys() == {"first_date", "last_date"}
    assert period["first_date"] == exact["first_date"][:7] + "-01"
    assert period["last_date"][:7] == exact["last_date"][:7]
    assert period["last_date"] >= exact["last_date"]
    shared = {
        each["name"]: {column["name"] for column in each["columns"]} for each in told["tables"]
    }
    for name, column in (
        ("growth.service_line_summary", "p_value_adjusted"),
        ("growth.service_line_summary", "verdict"),
        ("telehealth.connection_quality_satisfaction", "avg_audio_quality_rating"),
    ):
        [whole] = [each for each in sample_published.manifest["tables"] if each["name"] == name]
        assert column in {each["name"] for each in whole["columns"]}
        assert column not in shared[name]


def test_same_patient_has_one_pseudonym_in_all_tables_of_the_sample(sample, sample_published):
    tables = [each for each in sample_published.manifest["tables"] if each["is_patient_level"]]
    assert len(tables) >= 3
    patients = {str(key) for [key] in sample.query("select patient_key from core.dim_patient")}
    known = {
        hmac.new(KEY.encode(), f"patient:{key}".encode(), "sha256").hexdigest()[:32]
        for key in patients
    }
    for table in tables:
        rows = pq.read_table(sample_published.folder / "internal" / table["file"])
        if "patient_key" in rows.column_names:
            found = set(rows["patient_key"].to_pylist())
            assert found, table["name"]
            assert found <= known, table["name"]
            assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)


def test_attacker_narrows_no_number_of_the_samples_growth(attacked):
    assert attacked.narrowed("growth.service_line_summary", "growth.payer_mix") == {}


@pytest.mark.system
def test_attacker_narrows_no_number_of_the_sample(attacked):
    assert len(attacked.unknown) > 300
    assert attacked.narrowed() == {}
