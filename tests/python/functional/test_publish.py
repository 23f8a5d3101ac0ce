"""Publishing: one version of the marts for all readers, by `wardhouse publish` and `sql`."""

import hashlib
import json
import os
import subprocess
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest
from builds import PROJECT, holding
from publishing import MARTS, Warehouse, build, write_clinic
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.publish.read import newest, open_views
from wardhouse.publish.serving.postgresql import load, served
from wardhouse.publish.serving.server import serving
from wardhouse.publish.versions import PublishError, publishing, remove_old, versions
from wardhouse.warehouse import HeldError

pytestmark = pytest.mark.long

VISITS = ("V1,P1,Ward 1,12.5,", "V2,P2,Ward 2,7,", "V3,P3,Ward 2,7,")
ODD = 'it\'s "mine", [a]*?'
N_VERSIONS = 5


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return write_clinic(tmp_path_factory.mktemp("clinic") / "project")


@pytest.fixture(scope="module")
def built(project, tmp_path_factory) -> Warehouse:
    return build(project, tmp_path_factory.mktemp("built"), *VISITS)


@pytest.fixture
def clinic(built, tmp_path) -> Warehouse:
    """Return a warehouse of its own, built once, of which nothing is published yet."""
    return built.copy(tmp_path / "clinic")


def left(folder: Path) -> list[str]:
    """Name what is in the folder of versions, but the lock and the pointer."""
    return sorted({each.name for each in folder.iterdir()} - {".lock", "current.json"})


def ask(warehouse: Warehouse, query: str) -> list[tuple]:
    with (
        newest(warehouse.folder, "internal") as snapshot,
        open_views(snapshot, "1GB") as connection,
    ):
        return connection.execute(query).fetchall()


# What a version holds -----------------------------------------------------------------------------


def test_version_holds_the_marts_and_tells_of_their_build(clinic):
    before = datetime.now(UTC).replace(tzinfo=None).isoformat()
    told = clinic.publish(project_dir=PROJECT).manifest
    [[build_id, built_at]] = (
        duckdb.connect(str(clinic.database), read_only=True)
        .sql("select build_id, completed_at from landing.builds")
        .fetchall()
    )
    assert json.loads((clinic.folder / "000001" / "internal" / "manifest.json").read_text()) == told
    assert (told["build_id"], told["built_at"]) == (build_id, f"{built_at.isoformat()}Z")
    assert told["published_at"] > before > told["built_at"]
    assert told["audience"] == "internal"
    assert told["engine"] == {"name": "duckdb", "version": duckdb.__version__}
    assert told["areas"] == ["clinic"]
    assert told["health"] == {
        "is_good": True,
        "is_forced": False,
        "n_tests_passed": 1,
        "n_tests_not_run": 0,
        "tests_warned": ["single"],
        "failed": [],
        "skipped": [],
    }
    assert sorted(table["name"] for table in told["tables"]) == sorted(MARTS)
    table = told["tables"][0]
    assert (table["n_rows"], table["grain"]) == (2, "One row per department.")
    assert [(column["name"], column["type"]) for column in table["columns"]] == [
        ("department", "VARCHAR"),
        ("n_visits", "BIGINT"),
        ("cost", "DECIMAL(18,2)"),
    ]
    assert table["columns"][0]["description"] == 'Where it was, "as told"; it\'s text.'


def test_revision_is_that_of_the_checkout_and_none_outside_of_one(clinic, tmp_path):
    git = ["git", "-C", str(tmp_path)]
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    file = tmp_path / "file"
    file.write_text("a")
    assert clinic.publish(project_dir=tmp_path).manifest["git_revision"] is None
    for command in (["init", "-q"], ["add", "file"], [*who, "commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    told = clinic.publish(project_dir=tmp_path).manifest
    assert len(told["git_revision"]) == 40
    assert told["has_uncommitted_changes"] is False
    file.write_text("b")
    assert clinic.publish(project_dir=tmp_path).manifest["has_uncommitted_changes"] is True


def test_hash_is_of_the_file_and_the_same_for_the_same_content(clinic):
    first, second = clinic.publish(), clinic.publish()
    for table in second.manifest["tables"]:
        content = (second.folder / "internal" / table["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == table["sha256"]
        assert len(content) == table["n_bytes"]
    assert first.manifest["tables"] == second.manifest["tables"]
    clinic.set_costs(1)
    assert clinic.publish().manifest["tables"] != second.manifest["tables"]


def test_views_are_read_by_any_duckdb_started_in_the_folder(clinic, monkeypatch):
    monkeypatch.chdir(clinic.publish().folder / "internal")
    with duckdb.connect() as connection:
        connection.execute(Path("views.sql").read_text())
        assert connection.sql("select sum(n_visits) from clinic.department_costs").fetchall() == [
            (3,)
        ]


def test_names_and_places_may_hold_anything(clinic, tmp_path):
    def declare(manifest):
        node = manifest["nodes"]["model.wardhouse.size_costs"]
        column = {"description": ODD, "config": {"meta": {"pii": "quasi"}}}
        odd = {"schema": ODD, "alias": f"{ODD}/..", "columns": {ODD: column}, "description": ODD}
        manifest["nodes"]["model.wardhouse.odd"] = {**node, **odd}

    quoted = '"' + ODD.replace('"', '""')
    clinic.execute(
        f'create schema {quoted}"', f'create table {quoted}".{quoted}/.." as select 7 as {quoted}"'
    )
    clinic.declare(declare)
    odd = Warehouse(clinic.database, clinic.dbt_manifest, tmp_path / ODD / "published")
    done = odd.publish()
    [table] = [each for each in done.manifest["tables"] if each["schema"] == ODD]
    assert (table["table"], table["columns"][0]["pii"]) == (f"{ODD}/..", "quasi")
    assert ask(odd, f'from {quoted}".{quoted}/.."') == [(7,)]
    assert (
        (done.folder / "internal" / table["file"]).resolve().is_relative_to(done.folder.resolve())
    )


def test_files_are_for_their_owner_alone(clinic):
    before = os.umask(0o022)
    try:
        clinic.publish()
    finally:
        os.umask(before)
    open_to_others = [each for each in clinic.folder.rglob("*") if each.stat().st_mode & 0o077]
    assert open_to_others == []


def test_table_that_was_not_built_is_named_and_the_rest_is_published(clinic):
    clinic.execute("drop table clinic.size_costs")
    told = clinic.publish().manifest
    assert told["tables_not_built"] == ["clinic.size_costs"]
    assert [table["name"] for table in told["tables"]] == ["clinic.department_costs"]


# What is refused ----------------------------------------------------------------------------------


UNKNOWN_WARD = (*VISITS, "V4,P4,Ward 9,1,")


def test_build_whose_tests_failed_is_refused_and_force_says_so(project, tmp_path):
    failing = build(project, tmp_path, *UNKNOWN_WARD)
    with pytest.raises(PublishError, match=r"1 failed and 1 were skipped for it \(known\)"):
        failing.publish()
    assert left(failing.folder) == []
    health = failing.publish(is_forced=True).manifest["health"]
    assert (health["is_good"], health["is_forced"]) == (False, True)
    assert (health["failed"], health["skipped"]) == (["known"], ["size_costs"])


@pytest.mark.system
def test_failure_is_not_forgotten_for_a_build_of_another_part(project, tmp_path):
    """The last build alone would be good: it did not run the test."""
    build(project, tmp_path, *UNKNOWN_WARD)
    part = build(project, tmp_path, *UNKNOWN_WARD, arguments=("--select", "fct_visits"))
    with pytest.raises(PublishError, match=r"\(known\)"):
        part.publish()
    whole = build(project, tmp_path, *VISITS)
    assert whole.publish().manifest["health"]["is_good"]


@pytest.mark.system
def test_tables_built_without_tests_are_told_and_without_rows_refused(project, tmp_path):
    build(project, tmp_path, *VISITS)
    untested = build(project, tmp_path, *VISITS, arguments=("--exclude-resource-type", "test"))
    assert untested.publish().manifest["health"]["n_tests_not_run"] == 2
    empty = build(project, tmp_path, *VISITS, arguments=("--empty",))
    with pytest.raises(PublishError, match="are empty, and their last build left rows"):
        empty.publish()


def older(clinic):
    clinic.declare(
        lambda manifest: manifest["metadata"].update(generated_at="2020-01-01T00:00:00Z")
    )


def declare_mart(**changes):
    def change(manifest):
        manifest["nodes"]["model.wardhouse.size_costs"].update(changes)

    return lambda clinic: clinic.declare(change)


DIRECT = {"patient_id": {"description": "", "config": {"meta": {"pii": "direct"}}}}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda clinic: clinic.dbt_manifest.unlink(), "no dbt manifest at"),
        (lambda clinic: clinic.dbt_manifest.write_text("{"), "is no dbt manifest that can be read"),
        (older, "is older than the last build of"),
        (lambda clinic: clinic.database.unlink(), "there is no warehouse at"),
        (lambda clinic: clinic.database.write_text("x" * 5000), "cannot be published: "),
        (lambda clinic: clinic.execute("delete from landing.builds"), "remembers no build"),
        (
            lambda clinic: clinic.execute("alter table clinic.size_costs add column odd integer"),
            "clinic.size_costs has other columns than",
        ),
        (
            lambda clinic: clinic.execute(*(f"drop table {mart}" for mart in MARTS)),
            "has no table that declares publish",
        ),
        (declare_mart(config={"meta": {"publish": "all"}}, meta={}), "declares publish: all"),
        (declare_mart(columns=DIRECT), r"declares patient_id to identify a person \(pii: direct\)"),
        (lambda clinic: clinic.folder.write_text("a file"), "cannot take a version: "),
    ],
)
def test_what_cannot_be_published_says_why_and_leaves_nothing(clinic, spoil, message):
    spoil(clinic)
    with pytest.raises(PublishError, match=message) as refused:
        clinic.publish(is_forced=True)
    assert "\n" not in str(refused.value)
    assert not clinic.folder.is_dir() or left(clinic.folder) == []


def test_build_that_has_the_database_is_named(clinic):
    with holding(clinic.database) as process, pytest.raises(HeldError, match=f"{process.pid}"):
        clinic.publish()


# Versions -----------------------------------------------------------------------------------------


def test_last_versions_stay_and_one_that_is_read_stays_too(clinic):
    for _ in range(3):
        clinic.publish(keep=2)
    assert left(clinic.folder) == ["000002", "000003"]
    with newest(clinic.folder, "internal") as snapshot, open_views(snapshot, "1GB") as connection:
        for _ in range(3):
            clinic.publish(keep=1)
        assert left(clinic.folder) == ["000003", "000006"]
        assert connection.sql("select count(*) from clinic.size_costs").fetchall() == [(2,)]
    clinic.publish(keep=1)
    assert left(clinic.folder) == ["000007"]


def test_version_that_the_pointer_names_stays_whatever_is_newer(clinic):
    for _ in range(3):
        clinic.publish()
    (clinic.folder / "current.json").write_text('{"version": "000001"}')
    remove_old(clinic.folder, keep=1)
    assert left(clinic.folder) == ["000001", "000003"]
    assert newest(clinic.folder, "internal").version == "000001"


def test_number_is_not_given_twice_after_the_pointer_was_set_back(clinic):
    """What is above it was withdrawn."""
    for _ in range(3):
        clinic.publish()
    (clinic.folder / "current.json").write_text('{"version": "000001"}')
    clinic.publish()
    assert left(clinic.folder) == ["000001", "000004"]


def test_leftovers_of_killed_publishers_are_removed_at_the_next_start(clinic):
    clinic.publish()
    for name in (".writing-000002", ".removing-000000", "000002"):
        (clinic.folder / name / "clinic").mkdir(parents=True)
    (clinic.folder / ".current.json.99").write_text("{")
    clinic.publish()
    assert left(clinic.folder) == ["000001", "000003"]


def test_second_publisher_ends_with_a_line(clinic):
    with publishing(clinic.folder), pytest.raises(PublishError, match="another process publishes"):
        clinic.publish()
    assert clinic.publish().folder.name == "000001"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("current.json", "{", "names no version"),
        ("current.json", '{"version": "../../etc"}', "names no version"),
        ("current.json", '{"version": 1}', "names no version"),
        ("000001/internal/manifest.json", None, "is damaged"),
        ("000001/internal/manifest.json", "{", "is damaged"),
        ("000001/internal/clinic/size_costs.parquet", None, "is damaged"),
        ("000001/internal/clinic/size_costs.parquet", "PAR1", "is damaged"),
    ],
)
def test_damaged_version_says_so(clinic, name, text, message):
    clinic.publish()
    path = clinic.folder / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(PublishError, match=message):
        ask(clinic, "from clinic.size_costs")


def test_place_that_is_no_folder_or_not_readable_says_so(clinic):
    clinic.folder.write_text("a file")
    with pytest.raises(PublishError, match="nothing is published in"):
        newest(clinic.folder, "internal")
    clinic.folder.unlink()
    (clinic.folder / "current.json").mkdir(parents=True)
    with pytest.raises(PublishError, match="cannot be read: "):
        newest(clinic.folder, "internal")


def test_readers_in_a_loop_see_one_version_each_while_publishing_in_a_loop(clinic):
    seen, failures = set(), []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            try:
                costs = ask(clinic, " union ".join(f"select cost from {mart}" for mart in MARTS))
            except Exception as error:
                failures.append(error)
                return
            seen.add(tuple(costs))

    clinic.set_costs(0)
    clinic.publish(keep=1)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for cost in range(1, N_VERSIONS):
        clinic.set_costs(cost)
        clinic.publish(keep=1)
    is_over.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(seen) > 2
    assert all(len(costs) == 1 for costs in seen)
    clinic.publish(keep=1)
    assert len(versions(clinic.folder)) == 1


# Commands -----------------------------------------------------------------------------------------


@pytest.fixture
def run(clinic, monkeypatch):
    """Return a function that runs a command of wardhouse on the clinic."""
    monkeypatch.setenv("WARDHOUSE_DB", str(clinic.database))
    monkeypatch.setenv("WARDHOUSE_PUBLISH_DIR", str(clinic.folder))
    monkeypatch.setenv("DBT_TARGET_PATH", str(clinic.dbt_manifest.parent))

    def run(*arguments: str, told: str = ""):
        result = CliRunner().invoke(app, list(arguments), input=told)
        assert "Traceback" not in result.output
        return result

    return run


def test_commands_publish_and_answer(run, clinic):
    asked = run("sql", "from clinic.size_costs")
    assert (asked.exit_code, "run wardhouse publish first" in asked.output) == (1, True)
    done = run("publish", "--keep", "1")
    assert done.exit_code == 0, done.output
    assert f"2 tables published, for internal readers, in {clinic.folder}/000001" in done.output
    asked = run("sql", "from clinic.department_costs order by all")
    assert asked.output.splitlines() == [
        "department  n_visits  cost",
        "Ward 1      1         12.50",
        "Ward 2      2         14.00",
    ]


def test_artifacts_of_a_build_are_found_where_they_are_said_to_be(run, clinic, monkeypatch):
    monkeypatch.setenv("DBT_TARGET_PATH", str(clinic.folder))
    done = run("publish")
    assert (done.exit_code, "name the folder of its artifacts" in done.output) == (1, True)
    assert run("publish", "--target-path", str(clinic.dbt_manifest.parent)).exit_code == 0


def test_questions_are_read_from_the_input_until_one_fails(run):
    run("publish")
    asked = run("sql", told="select 41 + 1 as a; show all tables;\nselect ';' as b")
    assert asked.exit_code == 0, asked.output
    assert "42" in asked.output
    assert "department_costs" in asked.output
    asked = run("sql", told="select 1 as a; select nothing; select 77 as c")
    assert (asked.exit_code, "nothing" in asked.output, "77" in asked.output) == (1, True, False)


def test_rows_beyond_the_limit_are_left_out_with_a_word(run):
    run("publish")
    asked = run("sql", "--limit", "2", "from range(100)")
    assert (len(asked.stdout.splitlines()), "the first 2 rows" in asked.stderr) == (3, True)
    assert len(run("sql", "--limit", "0", "from range(200)").output.splitlines()) == 201


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to '{folder}/a.csv'",
        "explain analyze copy (select 1) to '{folder}/a.csv'",
        "create table a (b integer)",
        "attach '{database}' as a",
        "set enable_external_access = true",
        "from read_text('{database}')",
        "from read_csv('/etc/passwd')",
        "from read_parquet('{published}/000001/internal/clinic/*.parquet')",
        "from glob('{published}/*')",
    ],
)
def test_sql_reads_nothing_but_its_version_and_writes_nothing(run, clinic, statement):
    run("publish")
    run("publish")
    folder = clinic.folder / "000002" / "internal"
    before = sorted(folder.rglob("*"))
    asked = statement.format(folder=folder, database=clinic.database, published=clinic.folder)
    result = run("sql", asked)
    assert result.exit_code == 1, result.output
    assert sorted(folder.rglob("*")) == before


# PostgreSQL ---------------------------------------------------------------------------------------


def declare_unique(model: str, columns: list[str], where: str | None = None):
    """Declare that rows of a model are told apart by columns, as dbt's manifest does."""
    kind = "unique" if len(columns) == 1 else "unique_together"
    test = {
        "resource_type": "test",
        "test_metadata": {"name": kind, "kwargs": {"columns": columns} if columns[1:] else {}},
        "attached_node": f"model.wardhouse.{model}",
        "column_name": columns[0],
        "config": {"where": where},
        "depends_on": {"nodes": [f"model.wardhouse.{model}"]},
    }
    return lambda manifest: manifest["nodes"].update({f"test.wardhouse.{columns}": test})


def test_key_is_the_shortest_that_a_test_holds_for_all_rows(clinic):
    clinic.declare(declare_unique("department_costs", ["department", "cost"]))
    clinic.declare(declare_unique("department_costs", ["n_visits"], where="n_visits > 1"))
    keys = {table["name"]: table["key"] for table in clinic.publish().manifest["tables"]}
    assert keys == {"clinic.department_costs": ["department", "cost"], "clinic.size_costs": []}
    clinic.declare(declare_unique("department_costs", ["department"]))
    keys = {table["name"]: table["key"] for table in clinic.publish().manifest["tables"]}
    assert keys == {"clinic.department_costs": ["department"], "clinic.size_costs": []}


def test_command_loads_postgresql_and_again_without_a_new_version(run, clinic, postgresql):
    clinic.declare(declare_unique("department_costs", ["department"]))
    done = run("publish", "--to", postgresql)
    assert done.exit_code == 0, done.output
    assert "2 tables, 4 rows, for internal readers, loaded in wardhouse_000001" in done.output
    with psycopg.connect(postgresql) as reader:
        found = reader.execute("select * from wardhouse.clinic__department_costs order by 1")
        assert found.fetchall() == [("Ward 1", 1, Decimal("12.50")), ("Ward 2", 2, Decimal(14))]
        keys = "select conrelid::regclass::text from pg_constraint where contype = 'p'"
        assert ("wardhouse_000001.clinic__department_costs",) in reader.execute(keys).fetchall()
    done = run("publish", "--current", "--to", postgresql)
    assert (done.exit_code, "were loaded before" in done.output) == (0, True), done.output
    assert left(clinic.folder) == ["000001"]


def test_what_postgresql_refuses_is_said_before_anything_is_published(run, clinic):
    done = run("publish", "--to", "postgresql://a:sEcr3t@127.0.0.1:1/b")
    assert (done.exit_code, "cannot be reached" in done.output) == (1, True)
    assert "sEcr3t" not in done.output
    assert not clinic.folder.exists()
    for wrong in (["--current"], ["--audience", "all"], ["--redshift-script", "a.sql"]):
        assert run("publish", *wrong).exit_code == 2
    assert not clinic.folder.exists()


def test_command_writes_the_script_for_redshift(run, clinic, tmp_path):
    asked = ["--redshift-script", str(tmp_path / "load.sql"), "--s3-prefix", "s3://bucket/a"]
    done = run("publish", *asked, "--audience", "internal")
    assert done.exit_code == 0, done.output
    assert "load.sql loads version 000001; not run" in done.output
    assert "single patients" not in done.output
    assert 'copy wardhouse_000001."clinic__size_costs" from' in (tmp_path / "load.sql").read_text()


@pytest.mark.system
def test_sample_is_in_postgresql_row_by_row(sample_published, postgresql):
    done = sample_published
    with (
        serving(postgresql, "internal") as connection,
        newest(done.folder.parent, "internal") as snapshot,
        open_views(snapshot, "1GB") as views,
        psycopg.connect(postgresql) as reader,
    ):
        loaded = load(connection, snapshot, "1GB")
        tables = served(done.manifest)
        assert loaded.n_tables == len(tables) > 50
        [[n_views]] = reader.execute(
            "select count(*) from pg_views where schemaname = 'wardhouse'"
        ).fetchall()
        assert n_views == len(tables) + 1  # published
        assert len(done.manifest["tables"]) > len(tables)
        reader.execute("set timezone = 'UTC'")
        n_keys = reader.execute(
            "select count(*) from pg_constraint where contype = 'p' "
            f"and connamespace = '{loaded.schema}'::regnamespace"
        ).fetchone()
        assert n_keys[0] > 40
        for table in tables:
            relation = f"wardhouse.{table['schema']}__{table['table']}"
            want = views.sql(f"from {table['name']}").fetchall()
            got = reader.execute(f"select * from {relation}").fetchall()
            assert sorted(map(repr, got)) == sorted(map(repr, want)), table["name"]


# The project itself -------------------------------------------------------------------------------


def test_sample_is_published_whole_and_without_anybodys_identifier(
    manifest, sample, sample_published
):
    declared = {
        f"{node.schema}.{node.alias}": node
        for node in manifest.nodes.values()
        if str(node.resource_type) == "model" and node.config.meta.get("publish")
    }
    done = sample_published.manifest
    told = {table["name"]: table for table in done["tables"]}
    assert told.keys() == declared.keys()
    assert len(told) > 50
    assert done["health"]["is_good"]
    assert done["data_period"]["first_date"] < done["data_period"]["last_date"]
    people = sample.query("select patient_id, patient_key::varchar from core.dim_patient")
    identifiers = {name for each in people for name in each}
    assert len(identifiers) > 2000
    for name, table in told.items():
        content = pq.read_table(sample_published.folder / "internal" / table["file"])
        assert content.num_rows == table["n_rows"], name
        assert table["grain"], name
        columns = declared[name].columns
        assert content.column_names == list(columns), name
        for column, meta in columns.items():
            is_direct = meta.config.meta.get("pii") == "direct"
            assert not is_direct or meta.config.meta["publish_as"] == "pseudonym", name
            values = set(map(str, content[column].unique().to_pylist()))
            assert not values & identifiers, f"{name}.{column}"
