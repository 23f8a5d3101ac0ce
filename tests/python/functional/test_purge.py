"""Purging quarantine: what records said is gone from every byte, and every count stays."""

import json
import os
import shutil
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT, SAMPLE, Builder, Outcome, environment, parse
from three_models import BASE, COLUMNS, write_project
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.quality.purge import (
    PURGED,
    UNFINISHED,
    Held,
    Purge,
    PurgeError,
    identifying_columns,
    purge,
    retention_days,
)
from wardhouse.warehouse import open_to_read, spill_folder

pytestmark = pytest.mark.long

IDENTIFYING = {BASE: ["patient_id", "rejected_record"]}
SECRETS = [f"Secret{number}" for number in range(8)]
GONE, LATER = SECRETS[:6], SECRETS[6:]  # by the purge; of the file that came later
# In turn accepted, without an id, a cost that is refused with a text, a conflict; a line of too
# many values.
VISITS = f"""{",".join(COLUMNS)}
V1,P1,Ward 1,12.5,
,{SECRETS[0]},Ward {SECRETS[1]},1,
V2,P2,{SECRETS[2]},3,
V2,P2,{SECRETS[3]},4,
V3,{SECRETS[4]},Ward 2,7,,x,y
"""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Builder:
    place = tmp_path_factory.mktemp("three_models")
    project = write_project(place / "project", "key=['visit_id'], newest_by='told_at'")
    return Builder(parse(place, project), project=project)


def write_raw(raw_dir: Path) -> Path:
    folder = raw_dir / "clinic" / "visits"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(VISITS)
    (folder / "b.csv").write_text(f"{','.join(COLUMNS)}\n,{SECRETS[6]},{SECRETS[7]},1,\n")
    return raw_dir


def write_documents(raw_dir: Path) -> Path:
    folder = raw_dir / "clinic" / "visits"
    folder.mkdir(parents=True)
    for number in range(25):
        visit = dict.fromkeys(COLUMNS) | {"visit_id": f"V{number}", "patient_id": "P", "cost": 1}
        (folder / f"{number}.json").write_text(json.dumps(visit | {"department": "Ward"}))
    (folder / "broken.json").write_text(f'{{"visit_id": "{SECRETS[5]}", "patient_id"')
    return raw_dir


def aged(outcome: Outcome, files: str = "%") -> Outcome:
    """Let files have landed a year ago."""
    with duckdb.connect(str(outcome.database)) as connection:
        connection.execute(
            "update landing.landed_files set landed_at = landed_at - interval 1 year "
            "where source_file like ?",
            [files],
        )
    return outcome


@pytest.fixture(scope="module")
def built(clinic, tmp_path_factory) -> Outcome:
    """Return a build of two files, the first of which landed a year ago."""
    place = tmp_path_factory.mktemp("built")
    accepting = ("build", "--vars", "{accept_refused: all}")
    outcome = clinic(write_raw(place / "raw"), place, *accepting)
    assert outcome.success, outcome.message
    return aged(outcome, "%a.csv")


@pytest.fixture
def warehouse(built, tmp_path) -> Outcome:
    """Return a copy of it."""
    database = tmp_path / "wardhouse.duckdb"
    shutil.copy(built.database, database)
    return Outcome(True, "", {}, database, tmp_path / "exports")


def found_in(database: Path) -> list[str]:
    """Name the secrets in any byte of the database, its log and what it spilled."""
    places = [database, Path(f"{database}.wal"), *spill_folder(database).glob("*")]
    held = b"".join(path.read_bytes() for path in places if path.is_file())
    return [secret for secret in SECRETS if secret.encode() in held]


def counts(outcome: Outcome) -> list[tuple]:
    """Count what became of the records, as reconciliation does, and their reasons."""
    return outcome.query(f"""
        select
            (select sum(n_records) from landing.landed_files),
            count(*) filter (rejection_reason is null and not is_duplicate),
            count(rejection_reason) + (select count(*) from landing.unreadable_records),
            count(*) filter (rejection_reason is null and is_duplicate),
            list(rejection_reason order by rejection_reason), sum(len(repairs))
        from staging.{BASE}
    """)


def test_what_was_refused_long_ago_is_in_no_byte_and_every_count_stays(warehouse):
    before = counts(warehouse)
    [[n_raw, n_accepted, n_rejected, n_duplicates, *_]] = before
    assert n_raw == n_accepted + n_rejected + n_duplicates == 6
    assert set(found_in(warehouse.database)) == set(SECRETS) - {SECRETS[5]}
    done = purge(warehouse.database, IDENTIFYING, 90)
    assert done == Purge([Held("clinic", "visits", 3, 1)], True)
    assert counts(warehouse) == before
    # What a conflict holds stays: a later file may decide it.
    kept = [SECRETS[1], SECRETS[2], SECRETS[3]]
    assert found_in(warehouse.database) == [*kept, *LATER]
    records = warehouse.query(
        f"select patient_id, rejected_record from staging.{BASE} "
        "where rejection_reason is not null order by all"
    )
    assert records[0] == (PURGED, None)
    assert [patient for patient, _ in records[1:3]] == ["P2", "P2"]
    assert LATER[0] in records[3][1]
    assert warehouse.query("select record_text from landing.unreadable_records") == [(None,)]


def test_purging_twice_changes_nothing(warehouse):
    purge(warehouse.database, IDENTIFYING, 90)
    content, before = warehouse.database.read_bytes(), counts(warehouse)
    assert purge(warehouse.database, IDENTIFYING, 90) == Purge([], False)
    assert counts(warehouse) == before
    assert len(warehouse.database.read_bytes()) == len(content)


def test_dry_run_says_what_would_go_and_leaves_every_byte(warehouse):
    content = warehouse.database.read_bytes()
    done = purge(warehouse.database, IDENTIFYING, 90, is_dry_run=True)
    assert done == Purge([Held("clinic", "visits", 3, 1)], False)
    assert warehouse.database.read_bytes() == content


def described(database: Path) -> dict[str, list[tuple]]:
    """Tell all that a warehouse is made of, and how many rows each table has."""
    with open_to_read(database) as connection:
        ask = {
            "tables": "select schema_name, table_name, comment from duckdb_tables()",
            "views": "select schema_name, view_name, sql from duckdb_views()",
            "columns": "select schema_name, table_name, column_name, column_index, data_type, "
            "is_nullable, comment, column_default from duckdb_columns()",
            "constraints": "select schema_name, table_name, constraint_text "
            "from duckdb_constraints()",
        }
        here = " where database_name = 'wardhouse' order by all"
        found = {name: connection.execute(sql + here).fetchall() for name, sql in ask.items()}
        for schema, table, _ in found["tables"]:
            count = f'select count(*) from "{schema}"."{table}"'
            found[f"{schema}.{table}"] = connection.execute(count).fetchall()
    return found


def test_file_written_again_holds_all_else_and_is_private(warehouse):
    before, mode = described(warehouse.database), os.umask(0o022)
    try:
        purge(warehouse.database, IDENTIFYING, 90)
    finally:
        os.umask(mode)
    assert described(warehouse.database) == before
    assert warehouse.database.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in warehouse.database.parent.iterdir()) == ["wardhouse.duckdb"]


def test_purge_that_was_killed_before_the_file_was_written_again_is_ended_by_the_next(warehouse):
    purge(warehouse.database, IDENTIFYING, 90)
    half = spill_folder(warehouse.database) / "duckdb_temp_rewritten"
    half.parent.mkdir()
    half.write_text(SECRETS[0])
    with duckdb.connect(str(warehouse.database)) as connection:
        connection.execute(f"create table {UNFINISHED} as select '{SECRETS[0]}' as one")
    assert SECRETS[0] in found_in(warehouse.database)
    assert purge(warehouse.database, IDENTIFYING, 90) == Purge([], True)
    assert SECRETS[0] not in found_in(warehouse.database)
    assert not half.parent.exists()


@pytest.mark.system
def test_next_build_goes_on_and_reads_nothing_again(clinic, tmp_path):
    """Where a file is read again, its records are new in quarantine: they landed now."""
    raw_dir, accepting = write_raw(tmp_path / "raw"), ("build", "--vars", "{accept_refused: all}")
    outcome = aged(clinic(raw_dir, tmp_path, *accepting))
    purge(outcome.database, IDENTIFYING, 90)
    before = counts(outcome)
    again = clinic(raw_dir, tmp_path, *accepting)
    assert again.success, again.message
    assert counts(again) == before
    assert SECRETS[0] not in found_in(again.database)
    # One of the two in conflict goes: the other counts, and its columns are there.
    folder = raw_dir / "clinic" / "visits"
    (folder / "b.csv").write_text(f"{','.join(COLUMNS)}\nV2,P2,Decided,5,2025-01-02 10:00:00\n")
    decided = clinic(raw_dir, tmp_path, *accepting)
    assert decided.success, decided.message
    assert decided.query("select department from core.fct_visits order by all") == [
        ("Decided",),
        ("Ward 1",),
    ]
    full = clinic(raw_dir, tmp_path, *accepting, "--full-refresh")
    assert SECRETS[0] in found_in(full.database)
    assert purge(full.database, IDENTIFYING, 90).held == []


@pytest.mark.system
def test_document_that_cannot_be_read_is_not_told_again_by_its_scan(clinic, tmp_path):
    raw_dir = write_documents(tmp_path / "raw")
    outcome = clinic(raw_dir, tmp_path)
    assert outcome.success, outcome.message
    os.utime(raw_dir / "clinic" / "visits" / "broken.json", (1, 1))  # settled, so it is not opened
    outcome = aged(clinic(raw_dir, tmp_path))
    assert found_in(outcome.database) == [SECRETS[5]]
    assert purge(outcome.database, IDENTIFYING, 90).held == [Held("clinic", "visits", 0, 1)]
    assert found_in(outcome.database) == []
    again = clinic(raw_dir, tmp_path)
    assert again.success, again.message
    assert found_in(again.database) == []
    assert again.query("select count(*) from landing.unreadable_records") == [(1,)]


@pytest.mark.system
def test_raw_files_may_be_gone(clinic, tmp_path):
    raw_dir = write_raw(tmp_path / "raw")
    outcome = aged(clinic(raw_dir, tmp_path, "build", "--vars", "{accept_refused: all}"))
    shutil.rmtree(raw_dir)
    assert purge(outcome.database, IDENTIFYING, 90).is_rewritten


# The command --------------------------------------------------------------------------------------


def run(database: Path, *options: str):
    with environment({"WARDHOUSE_DB": str(database)}):
        return CliRunner().invoke(app, ["purge", *options])


def test_command_says_what_went_by_feed(warehouse):
    looked = run(warehouse.database, "--dry-run")
    assert looked.exit_code == 0, looked.output
    assert "4 records refused more than 90 days ago would lose their content" in looked.output
    done = run(warehouse.database)
    assert (done.exit_code, "clinic" in done.output) == (0, True)
    assert "lost their content" in done.output
    assert "was written again without it" in done.output
    again = run(warehouse.database)
    assert (again.exit_code, "0 records refused" in again.output) == (0, True)


def test_days_of_the_command_come_before_those_of_the_project(warehouse):
    assert "0 records" in run(warehouse.database, "--days", "1000").output
    assert "5 records" in run(warehouse.database, "--days", "0", "--dry-run").output


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no warehouse at"), ("x" * 9000, "cannot be purged: "), ("", "no quarantine")],
)
def test_what_cannot_be_purged_says_why_in_a_line(tmp_path, content, message):
    database = tmp_path / "w.duckdb"
    if content == "":
        duckdb.connect(str(database)).close()
    elif content:
        database.write_text(content)
    result = run(database)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert message in result.output


@pytest.mark.parametrize(("value", "expected"), [("90", 90), ("0", 0), ("null", None)])
def test_retention_is_the_project_s(tmp_path, value, expected):
    text = f"vars: {{quarantine_retention_days: {value}}}"
    (tmp_path / "dbt_project.yml").write_text(text)
    assert retention_days(tmp_path) == expected


@pytest.mark.parametrize("value", ["-1", "soon", "1.5", "true"])
def test_retention_that_is_no_number_of_days_is_refused(tmp_path, value):
    text = f"vars: {{quarantine_retention_days: {value}}}"
    (tmp_path / "dbt_project.yml").write_text(text)
    with pytest.raises(PurgeError, match="give a whole number of days, or null"):
        retention_days(tmp_path)


# The project's own --------------------------------------------------------------------------------


def test_columns_that_identify_are_those_that_dbt_reads(manifest):
    declared = {
        node.name: [
            column.name
            for column in node.columns.values()
            if {**column.meta, **column.config.meta}.get("pii") == "direct"
        ]
        for node in manifest.nodes.values()
        if node.name.startswith("base_")
    }
    assert identifying_columns(PROJECT) == declared
    assert len(declared) > 12


@pytest.mark.system
def test_sample_counts_as_before_and_its_tests_pass(sample, dbt, tmp_path):
    """Every feed's reconciliation, shares and reasons, by the project's own models and tests."""
    shutil.copy(sample.database, tmp_path / "wardhouse.duckdb")
    outcome = aged(Outcome(True, "", {}, tmp_path / "wardhouse.duckdb", tmp_path / "exports"))
    questions = (
        "from quality.feed_reconciliation order by all",
        "select * exclude (affected_share) from quality.intake_shares order by all",
        "select area, feed, split_part(reason, ': ', 1), count(*) from quality.quarantine "
        "group by all order by all",
    )
    before = [outcome.query(question) for question in questions]
    done = purge(outcome.database, identifying_columns(PROJECT), 90)
    assert sum(held.n_records + held.n_lines for held in done.held) > 100
    assert [outcome.query(question) for question in questions] == before
    chosen = ("build", "--select", "quarantine", "feed_reconciliation", "intake_shares")
    again = dbt(SAMPLE, tmp_path, *chosen)
    assert again.success, again.message
    assert [again.query(question) for question in questions] == before
    assert again.query("select count(record) from quality.quarantine") == [(0,)]
