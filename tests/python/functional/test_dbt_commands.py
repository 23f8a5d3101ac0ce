"""Whatever dbt command is run, on a new or a built warehouse, no history and no file is lost.

After each command an ordinary build gives what a clean one gives. In short on a project of three
models, and for the commands that people use on an area of the project itself.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml
from builds import (
    SAMPLE,
    Builder,
    Outcome,
    environment,
    holding,
    in_fast_suite,
    invoke,
    parse,
)
from chains import Chain
from contents import contents
from three_models import BASE, COLUMNS, write_project
from typer.testing import CliRunner

SETTINGS = "key=['visit_id'], on_conflict='last'"
READ_WARD = "{{ parse_text('department') }} as department"
KNOWN_WARD = (
    "coalesce((select wards.ward from {{ ref('wards') }} as wards "
    "where wards.spelling = {{ parse_text('department') }}), {{ parse_text('department') }}) "
    "as department"
)
SNAPSHOT = {
    "snapshots": [
        {
            "name": "cost_versions",
            "relation": "ref('department_costs')",
            "config": {
                "unique_key": "department",
                "strategy": "check",
                "check_cols": ["cost"],
                "hard_deletes": "invalidate",
            },
        }
    ]
}
N_TABLES = 8
LOOKING = (
    ("compile",),
    ("docs", "generate"),
    ("ls",),
    ("show", "--inline", "select 1 as one"),
)
# What may run between two builds: of the first kind nothing is read, or less than all.
PARTS = (
    ("build", "--empty"),
    ("run", "--empty", "--full-refresh"),
    ("build", "--sample", "1 day"),
    ("run", "--empty"),
)
# Files that come between two commands are taken in by whichever reads them.
BETWEEN = (
    ("seed", "--full-refresh"),
    ("run", "--full-refresh", "--select", BASE),
    ("build", "--full-refresh"),
    ("build", "--target", "prod"),
    ("snapshot",),
    ("test",),
    ("run", "--select", "fct_visits"),
    ("build", "--exclude", "fct_visits"),
    ("show", "--select", "fct_visits"),
    ("source", "freshness"),
    *LOOKING,
)


def write(path: Path, *lines: str) -> Path:
    """Write a file of visits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return path


class Clinic(Chain):
    """Three models, a seed that the base model reads words by, and a snapshot of the consumer."""

    def __init__(self, project: Path, place: Path, builder: Builder):
        super().__init__(builder, place / "raw", place, "build", at_least=N_TABLES)
        self.project = project
        self.wards = project / "seeds" / "reference" / "wards.csv"
        self.n_added = 0
        self.add()

    def add(self) -> None:
        """Let a file come: one of a patient with a ward by either of its names."""
        self.n_added += 1
        n = self.n_added
        lines = [f"V{n},P{n},ward a,{n}.5,", f"V{n}x,P{n},A,1,", f"V{n}y,,A,1,", f"V{n}z"]
        write(self.raw / "clinic" / "visits" / f"{n:03}.csv", *lines)

    def run_from_parsing(self, *arguments: str) -> bool:
        """Run a command that leaves what a retry needs, and tell whether it succeeded."""
        settings = {"WARDHOUSE_RAW_DIR": str(self.raw), "WARDHOUSE_DB": str(self.database)}
        exports = {"WARDHOUSE_EXPORT_DIR": str(self.warehouse / "exports")}
        silent = ("--log-level", "none", "--log-level-file", "none")
        with environment(settings | exports):
            target = ("--target-path", str(self.place / "target"))
            return invoke([*silent, *arguments, *target], project=self.project).success

    def versions(self) -> set[tuple]:
        """Give the versions of the snapshot, without when they ended."""
        return versions(self.database)

    def departments(self) -> list[tuple]:
        """Give the departments of the visits, each with their number."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(
                "select department, count(*) from core.fct_visits group by all order by all"
            ).fetchall()


def versions(database: Path) -> set[tuple]:
    """Give every version that snapshots hold: where, which and since when."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'snapshots' order by all"
        ).fetchall()
        return {
            (table, *row)
            for (table,) in tables
            for row in connection.execute(
                f"select dbt_scd_id, dbt_valid_from from snapshots.{table}"
            ).fetchall()
        }


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> tuple[Path, Builder]:
    """Return the project and its builder."""
    place = tmp_path_factory.mktemp("commands")
    project = write_project(place / "project", SETTINGS)
    base = project / "models" / "staging" / "clinic" / f"{BASE}.sql"
    text = base.read_text()
    assert text.count(READ_WARD) == 1
    base.write_text(text.replace(READ_WARD, KNOWN_WARD))
    (project / "seeds" / "reference" / "wards.csv").write_text("spelling,ward\nB,Ward B\n")
    (project / "snapshots").mkdir()
    (project / "snapshots" / "_snapshots.yml").write_text(yaml.safe_dump(SNAPSHOT))
    return project, Builder(parse(place, project), project=project)


@pytest.fixture
def clinic(pristine, tmp_path) -> Clinic:
    """Return the clinic, of which nothing is built."""
    project, builder = pristine
    (project / "seeds" / "reference" / "wards.csv").write_text("spelling,ward\nB,Ward B\n")
    return Clinic(project, tmp_path, builder)


def of_data(database: Path) -> dict:
    """Give what a warehouse holds, but for the versions, which tell when they were seen."""
    return {t: rows for t, rows in contents(database).items() if not t.startswith("snapshots.")}


@pytest.mark.system
def test_a_run_that_reads_a_part_leaves_no_trace_in_a_new_warehouse(clinic):
    notes = "landed_files", "surveys", "warehouse_state", "builds", "exports"
    for arguments in (PARTS[0], PARTS[2]):
        outcome = clinic.build(*arguments)
        for table in notes:
            assert outcome.query(f"select count(*) from landing.{table}") == [(0,)], arguments
        assert outcome.query("select count(*) from change_feed.offsets") == [(0,)]
        assert outcome.query("select count(*) from change_feed.built_by") == [(0,)]
        assert not outcome.exports.exists()
    clinic.build_as_clean()


@pytest.mark.system
def test_a_run_that_reads_a_part_leaves_what_was_built(clinic):
    outcome = clinic.build()
    exports = {path: path.read_bytes() for path in outcome.exports.rglob("*.*")}
    with duckdb.connect(str(clinic.database)) as connection:
        connection.execute("update snapshots.cost_versions set dbt_valid_from = '2020-01-01'")
    seen = clinic.versions()
    for arguments in PARTS:
        clinic.add()
        clinic.build(*arguments)
        assert clinic.versions() == seen, arguments
        ended = "select count(*) from snapshots.cost_versions where dbt_valid_to is not null"
        assert outcome.query(ended) == [(0,)], arguments
        assert outcome.query("select count(*) from landing.builds") == [(1,)], arguments
        assert {path: path.read_bytes() for path in exports} == exports
    found, expected = clinic.build(), clinic.build_clean()
    assert of_data(found.database) == of_data(expected.database)
    assert clinic.versions() > seen


@pytest.mark.system
def test_no_command_forgets_a_file_or_history(clinic, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_MEMORY", "1GB")  # of which prod takes no default
    clinic.build()
    seen, n_builds = clinic.versions(), 1
    for arguments in BETWEEN:
        clinic.add()
        outcome = clinic.build(*arguments)
        assert clinic.versions() >= seen, arguments
        seen = clinic.versions()
        n_builds += arguments[0] in ("build", "run")
        assert outcome.query("select count(*) from landing.builds") == [(n_builds,)], arguments
    found, expected = clinic.build(), clinic.build_clean()
    assert of_data(found.database) == of_data(expected.database)


@pytest.mark.system
def test_a_retry_reads_what_the_failed_run_did_not(clinic):
    """Of a run that read less than all, it reads no more."""
    clinic.build()
    for column, arguments in (("one", ("build",)), ("two", ("build", "--empty"))):
        clinic.add()
        with duckdb.connect(str(clinic.database)) as connection:
            connection.execute(f"alter table staging.{BASE} add column {column} varchar")
        assert not clinic.run_from_parsing(*arguments)
        with duckdb.connect(str(clinic.database)) as connection:
            connection.execute(f"alter table staging.{BASE} drop column {column}")
        assert clinic.run_from_parsing("retry")
        n_visits = (clinic.n_added - ("--empty" in arguments)) * 2
        assert sum(n for _, n in clinic.departments()) == n_visits, arguments
    clinic.build()
    assert of_data(clinic.database) == of_data(clinic.build_clean().database)


@pytest.mark.system
def test_state_and_defer_build_what_changed(clinic):
    clinic.build()
    clinic.add()
    state = clinic.place / "state"
    manifest = clinic.builder.manifest.deepcopy()
    manifest.nodes["model.wardhouse.fct_visits"].raw_code += "-- before"
    manifest.writable_manifest().write(str(state / "manifest.json"))
    changed = ("--select", "state:modified", "--defer", "--state", str(state))
    assert set(clinic.build("build", *changed).statuses) >= {"fct_visits"}
    assert sum(n for _, n in clinic.departments()) == 2
    clinic.build()
    assert of_data(clinic.database) == of_data(clinic.build_clean().database)


def test_an_edited_consumer_is_built_again(clinic):
    clinic.build()
    fact = clinic.builder.manifest.deepcopy().nodes["model.wardhouse.fct_visits"]
    edited = clinic.builder.manifest.deepcopy()
    edited.nodes[fact.unique_id].raw_code = fact.raw_code.replace(
        "    cost\n", "    cost * 2 as cost\n"
    )
    clinic.builder = Builder(edited, project=clinic.project)
    outcome = clinic.build()
    assert outcome.query("select sum(cost)::double from clinic.department_costs") == [(5.0,)]


@pytest.mark.parametrize("arguments", in_fast_suite(LOOKING, ("compile",), ("ls",)), ids=" ".join)
def test_looking_at_a_new_warehouse_makes_no_table(clinic, arguments):
    outcome = clinic.build(*arguments)
    if outcome.database.exists():
        assert outcome.query("select count(*) from duckdb_tables()") == [(0,)]


@pytest.mark.system
def test_a_new_spelling_is_applied_once_its_table_is_loaded(clinic):
    """The file is changed first, the table later: what is built agrees with the table."""
    clinic.build()
    assert clinic.departments() == [("A", 1), ("ward a", 1)]
    clinic.wards.write_text("spelling,ward\nward a,A\n")
    clinic.build("run")
    assert clinic.departments() == [("A", 1), ("ward a", 1)]
    clinic.build("seed")
    clinic.add()
    clinic.build("run", "--select", "fct_visits")
    assert clinic.departments() == [("A", 1), ("ward a", 1)]
    clinic.build("run")
    assert clinic.departments() == [("A", 4)]
    clinic.wards.write_text("spelling,ward\nB,Ward B\n")
    clinic.build("build")
    assert of_data(clinic.database) == of_data(clinic.build_clean().database)
    assert clinic.departments() == [("A", 2), ("ward a", 2)]


@pytest.mark.system
def test_reset_deletes_the_warehouse_its_history_and_exports_and_takes_another_directory(
    clinic, monkeypatch
):
    from wardhouse.cli import app

    outcome = clinic.build()
    monkeypatch.setenv("WARDHOUSE_DB", str(clinic.database))
    exports = [path for path in outcome.exports.rglob("*.*") if path.is_file()]
    other = outcome.exports / "mine.csv"
    other.write_text("kept")
    assert len(exports) == 2
    refused = CliRunner().invoke(app, ["reset"])
    assert refused.exit_code == 1
    assert "nothing is deleted" in refused.output
    assert clinic.database.exists()
    done = CliRunner().invoke(app, ["reset", "--yes"])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for words in (str(clinic.database), *map(str, exports), str(clinic.raw)):
        assert words in said
    assert "1 builds (landing.builds)" in said
    assert "2 versions (snapshots.cost_versions)" in said
    assert not clinic.database.exists()
    assert [path.exists() for path in exports] == [False, False]
    assert other.read_text() == "kept"
    assert CliRunner().invoke(app, ["reset", "--yes"]).exit_code == 1
    shutil.copytree(clinic.raw, clinic.place / "moved")
    clinic.raw = clinic.place / "moved"
    clinic.build()


@pytest.mark.system
def test_relative_places_lie_in_the_project_wherever_dbt_is_started(
    pristine, tmp_path, monkeypatch
):
    project, _ = pristine
    shutil.copytree(project, tmp_path / "project", symlinks=True)
    write(tmp_path / "project" / "raw" / "clinic" / "visits.csv", "V1,P1,A,1,")
    for name, value in (
        ("WARDHOUSE_DB", "mine.duckdb"),
        ("WARDHOUSE_RAW_DIR", "raw"),
        ("WARDHOUSE_EXPORT_DIR", "out"),
    ):
        monkeypatch.setenv(name, value)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    result = invoke(["--quiet", "--log-level-file", "none", "build"], project=Path("..", "project"))
    assert result.success, result.exception
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "project" / "mine.duckdb").is_file()
    assert (tmp_path / "project" / "out" / "clinic" / "department_costs.csv").is_file()


@pytest.fixture
def holder(clinic):
    """Return a process that has the clinic's database open."""
    with holding(clinic.database) as process:
        yield process


@pytest.mark.parametrize("arguments", [("build",), ("show", "--inline", "select 1 as one")])
def test_dbt_says_in_one_line_who_holds_the_database(clinic, holder, arguments):
    outcome = clinic.run(clinic.warehouse, *arguments)
    assert not outcome.success
    said = f"{clinic.database} is in use by process {holder.pid} ("
    [line] = [line for line in outcome.message.splitlines() if said in line]
    assert "wait until it ends, or end it" in line
    assert "Traceback" not in outcome.message


@pytest.mark.parametrize("command", [("reset", "--yes"), ("quarantine",), ("alerts",)])
def test_commands_say_in_one_line_who_holds_the_database(clinic, holder, command, monkeypatch):
    from wardhouse.cli import app

    monkeypatch.setenv("WARDHOUSE_DB", str(clinic.database))
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == (3 if command == ("alerts",) else 1)
    [line] = ended.output.splitlines()
    assert f"in use by process {holder.pid}" in line
    assert clinic.database.exists()


# What people run on an area that has snapshots, fits, events and alerts, one after the other.
AREA = ("build", "--selector", "telehealth", "--exclude-resource-types", "test", "unit_test")
LOOKED_AT = (*LOOKING, ("source", "freshness"))
ALERTS = ("build", "--select", "+alerts", "+appointment_status_summary")
ON_BUILT = (
    [("seed",), ("seed", "--full-refresh")],
    [("seed",), ("run", "--empty")],
    [(*AREA, "--sample", "3 days"), (*AREA, "--empty")],
    [(*AREA, "--full-refresh")],
    [("seed",), ("run", "--exclude", "fct_appointment_events"), ALERTS],
    [
        *LOOKED_AT,
        ("show", "--select", "fct_appointments"),
        ("test", "--select", "fct_appointments", "dim_patient"),
        ("run", "--select", "fct_appointments"),
        ("snapshot",),
    ],
)
ON_NEW = (
    [("seed", "--full-refresh")],
    [("build", "--empty", "--exclude-resource-types", "unit_test")],
    [(*AREA, "--sample", "3 days")],
    [*LOOKED_AT],
    [ALERTS],
)
HISTORY = ("landing.builds", "landing.node_runs", "landing.row_counts", "ml.model_runs")


@dataclass(frozen=True)
class Platform:
    """The sample's telehealth: raw files, a warehouse that knows some, and a clean one of all."""

    dbt: Builder
    raw: Path
    built: Path
    clean: dict

    def run(self, place: Path, *arguments: str) -> Outcome:
        """Run a command in a place."""
        outcome = self.dbt(self.raw, place, *arguments, areas="telehealth")
        assert outcome.success, outcome.message
        return outcome


def counted(database: Path) -> dict[str, int]:
    """Count the rows of what no build can make again."""
    if not database.is_file():
        return {}
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        return {
            name: connection.execute(f"select count(*) from {name}").fetchall()[0][0]
            for (name,) in tables
            if name in HISTORY
        }


@pytest.fixture(scope="module")
def platform(dbt, tmp_path_factory) -> Platform:
    """Return the platform, whose last two months of events came after its warehouse was built."""
    place = tmp_path_factory.mktemp("platform")
    shutil.copytree(SAMPLE / "telehealth", place / "raw" / "telehealth")
    events = sorted((place / "raw" / "telehealth" / "appointment_events").iterdir())
    late = [path.rename(place / path.name) for path in events[-2:]]
    whole = Builder(dbt.manifest)  # that loads the seeds in every build
    found = Platform(whole, place / "raw", place / "built" / "wardhouse.duckdb", {})
    found.run(place / "built", *AREA)
    for path in late:
        path.rename(place / "raw" / "telehealth" / "appointment_events" / path.name)
    found.clean.update(of_data(found.run(place / "clean", *AREA).database))
    assert len(found.clean) > 40
    return found


@pytest.mark.system
@pytest.mark.parametrize(
    ("is_built", "commands"),
    [(True, each) for each in ON_BUILT] + [(False, each) for each in ON_NEW],
    ids=lambda each: " ".join(each[-1]) if isinstance(each, list) else "new"[3 * each :],
)
def test_after_any_command_an_area_is_built_as_a_clean_one(platform, tmp_path, is_built, commands):
    database = tmp_path / "wardhouse.duckdb"
    seen, before = set(), {}
    if is_built:
        shutil.copy(platform.built, database)
        seen, before = versions(database), counted(database)
        assert seen
        assert all(before[table] for table in HISTORY)
    for arguments in (*commands, AREA):
        platform.run(tmp_path, *arguments)
        if database.is_file():
            assert versions(database) >= seen, arguments
            after = counted(database)
            assert all(after[table] >= before[table] for table in before), arguments
            seen, before = versions(database), after
    found = of_data(database)
    areas = {"hospital", "patient_flow", "growth", "engagement"}
    extra = {"quality", "core", "ml", "staging", "reference"} | areas
    differing = {
        table: sorted(found[table].items() ^ platform.clean[table].items())[:4]
        for table in platform.clean
        if found[table] != platform.clean[table]
    }
    assert differing == {}
    assert {table.partition(".")[0] for table in found.keys() - platform.clean.keys()} <= extra
