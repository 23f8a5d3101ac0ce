"""Building again: the same content, and after any change what a full build gives."""

import json
import random
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from wardhouse.sample import generate_hospital

TREATMENTS, DOCTORS, FEEDBACK = "patients_data_with_doctor", "doctors_info", "patient_feedback"
HEADER = "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date"
# What tells of the run and not of the data: clocks, run ids, and what snapshots take from clocks.
RUN_COLUMNS = re.compile(r"fitted_at|landed_at|run_id|dbt_.*")
# Tables that speak of builds: their durations, sizes and fits, the alerts drawn from them, what
# they had to read, and who has taken in what.
OF_BUILDS = re.compile(
    r"landing\.(builds|node_runs|row_counts|surveys|fresh_.*|loads|changes|followed)"
    r"|ml\.model_runs"
    r"|quality\.(builds|node_runs|row_counts|row_count_anomalies|alerts|alert_metrics.*)"
)
# The hospital's part of the graph, which every area shares in kind.
HOSPITAL = (
    "+path:models/**/hospital",
    "+dim_date",
    "+dim_patient",
    "+quarantine",
    "+feed_reconciliation",
)
# Contents are compared here; that the data tests hold is asked elsewhere.
UNTESTED = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
BUILD = (*UNTESTED, *HOSPITAL)
# Where they were built before, what the areas without a file tell stays: nothing.
ELSEWHERE = ("path:models/**/telehealth", "path:models/**/patient_flow")
FOLLOW = (*BUILD, "--exclude", *ELSEWHERE)
EXPORTS = [
    "data_warehouse/processed_healthcare_data.csv",
    "data_warehouse/processed_healthcare_data.parquet",
    "reverse_etl_output/enriched_healthcare_data.csv",
    "reverse_etl_output/enriched_healthcare_data.parquet",
]


def contents(database: Path) -> dict[str, dict[str, int]]:
    """Give every relation's rows as texts with their number, without columns that tell of a run."""
    found = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        columns = connection.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns "
            "where table_catalog = current_database() and table_schema not like 'raw_%' "
            "and table_schema <> 'information_schema' order by all"
        ).fetchall()
        for table in sorted({table for table, _ in columns if not OF_BUILDS.fullmatch(table)}):
            chosen = ", ".join(
                f'"{column}"'
                for name, column in columns
                if name == table and not RUN_COLUMNS.fullmatch(column)
            )
            rows = connection.execute(
                f"select row({chosen})::varchar as content, count(*) from {table} group by all"
            ).fetchall()
            found[table] = dict(rows)
    return found


def hashes(database: Path) -> dict[str, int]:
    """Give one hash of each relation's content."""
    return {table: hash(frozenset(rows.items())) for table, rows in contents(database).items()}


def assert_same(found: Path, expected: Path):
    """Hold two warehouses against each other, table by table, to the row."""
    ours, theirs = contents(found), contents(expected)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 30
    differences = {
        table: sorted(ours[table].items() ^ theirs[table].items())[:6]
        for table in ours
        if ours[table] != theirs[table]
    }
    assert differences == {}


def feed_counts(outcome) -> dict[str, tuple]:
    rows = outcome.query(
        "select feed, n_raw, n_accepted, n_rejected, n_duplicates from quality.feed_reconciliation"
    )
    return {row[0]: row[1:] for row in rows}


class Hospital:
    """Raw files that change, the warehouse that follows them, and full builds to compare with."""

    def __init__(self, dbt, place: Path, built: Path, raw: Path, elsewhere: Path):
        self.dbt, self.place, self.elsewhere = dbt, place, elsewhere
        self.raw = place / "raw"
        shutil.copytree(raw, self.raw)
        self.warehouse = place / "follows"
        self.warehouse.mkdir()
        # The warehouse as built before, told that its raw directory is the copy.
        shutil.copy(built / "wardhouse.duckdb", self.warehouse)
        with duckdb.connect(str(self.warehouse / "wardhouse.duckdb")) as connection:
            connection.execute(
                "update landing.warehouse_state set raw_dir = ?", [str(self.raw.resolve())]
            )

    @property
    def treatments(self) -> Path:
        """Give the folder of the treatments' files."""
        return self.raw / "hospital" / TREATMENTS

    def build(self, *arguments: str, selection: tuple[str, ...] = FOLLOW):
        """Build the warehouse that follows the files."""
        outcome = self.dbt(self.raw, self.warehouse, *selection, *arguments)
        assert outcome.success, outcome.message
        return outcome

    def build_anew(self, *arguments: str):
        """Build on the same files anew; in a full refresh, what tells of other areas too."""
        place = self.place / "anew"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        selection = BUILD if "--full-refresh" in arguments else FOLLOW
        outcome = self.dbt(self.raw, place, *selection, *arguments, start=self.elsewhere)
        assert outcome.success, outcome.message
        return outcome

    def assert_follows(self, *arguments: str):
        """Build after a change and hold the result against a full build."""
        found, expected = self.build(*arguments), self.build_anew(*arguments)
        assert_same(found.database, expected.database)
        return found


@pytest.fixture(scope="module")
def built(dbt, tmp_path_factory):
    """Return the place of a warehouse built once on 300 treatments in three files."""
    place = tmp_path_factory.mktemp("built")
    generate_hospital(place / "raw", 300, files=3, truth_dir=place / "truth")
    (place / "home").mkdir()
    outcome = dbt(place / "raw", place / "home", *BUILD)
    assert outcome.success, outcome.message
    return place


@pytest.fixture
def hospital(dbt, built, built_elsewhere, tmp_path):
    pairs = (f"{one},{other}" for one in HOSPITAL for other in ELSEWHERE)
    elsewhere = built_elsewhere("elsewhere", dbt, built / "raw", *UNTESTED, *pairs)
    return Hospital(dbt, tmp_path, built / "home", built / "raw", elsewhere)


def write(path: Path, *lines: str):
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def test_building_twice_gives_the_same_content(hospital):
    before = hashes(hospital.warehouse / "wardhouse.duckdb")
    outcome = hospital.build(selection=BUILD)
    assert hashes(outcome.database) == before
    assert len(before) > 30
    assert outcome.query("select count(*) from core.fct_treatments")[0][0] > 250


def test_a_changed_file_gives_what_a_full_build_gives(hospital):
    part = hospital.treatments / "part-0002.csv"
    lines = part.read_bytes().splitlines(keepends=True)
    added = b"T9001,P0001,D001,ECG,12.5,0,2025-01-02\n"
    part.write_bytes(b"".join([*lines[:20], *lines[30:], added]))
    feedback = hospital.raw / "hospital" / f"{FEEDBACK}.json"
    answers = json.loads(feedback.read_text())
    feedback.write_text(json.dumps(answers[5:]))
    outcome = hospital.assert_follows()
    revenue = "select revenue_amount from core.fct_treatments where treatment_id = 'T9001'"
    assert [str(row[0]) for row in outcome.query(revenue)] == ["12.50"]


def test_a_removed_file_gives_what_a_full_build_gives(hospital):
    (hospital.treatments / "part-0001.csv").unlink()
    outcome = hospital.assert_follows()
    assert feed_counts(outcome)[TREATMENTS][0] < 250


def test_an_added_file_gives_what_a_full_build_gives(hospital):
    write(
        hospital.treatments / "part-0000.csv",
        "T9001,P0001,D001,ECG,12.5,0,2025-01-02",
        "T9002,P9999,D999,ECG,N/A,0,2025-02-30",
        "T9003,,D001,ECG,1,0,2025-01-02",
        "T9004,P0001,D001,ECG,1",
    )
    before = dict(
        duckdb.connect(str(hospital.warehouse / "wardhouse.duckdb"), read_only=True)
        .execute("select feed, n_raw from quality.feed_reconciliation")
        .fetchall()
    )
    outcome = hospital.assert_follows()
    assert feed_counts(outcome)[TREATMENTS][0] == before[TREATMENTS] + 4


def test_a_file_that_became_empty_gives_what_a_full_build_gives(hospital):
    (hospital.treatments / "part-0001.csv").write_bytes(b"")
    (hospital.treatments / "part-0003.csv").write_text(HEADER + "\n")
    outcome = hospital.assert_follows()
    assert 50 < feed_counts(outcome)[TREATMENTS][0] < 150


def test_a_duplicate_stands_in_when_the_file_of_the_first_disappears(hospital):
    line = "T9001,P0001,D001,ECG,12.5,0,2025-01-02"
    first, second = hospital.treatments / "a.csv", hospital.treatments / "z.csv"
    write(first, line)
    write(second, line.lower().replace("ecg", "ECG"))
    outcome = hospital.build()
    query = (
        "select source_file, is_duplicate from staging.base_hospital__patients_data_with_doctor "
        "where treatment_id = 'T9001' order by source_file"
    )
    folder = f"hospital/{TREATMENTS}"
    assert outcome.query(query) == [(f"{folder}/a.csv", False), (f"{folder}/z.csv", True)]
    first.unlink()
    outcome = hospital.assert_follows()
    assert outcome.query(query) == [(f"{folder}/z.csv", False)]


def test_a_conflict_appears_and_disappears_with_its_file(hospital):
    added = hospital.treatments / "z.csv"
    query = "select count(*) from core.fct_treatments where treatment_id = 'T0100'"
    whole = contents(hospital.warehouse / "wardhouse.duckdb")
    write(added, "T0100,P0001,D001,Something else,1,0,2025-01-02")
    outcome = hospital.assert_follows()
    assert outcome.query(query) == [(0,)]
    reasons = outcome.query(
        "select count(*) from quality.quarantine where reason = 'conflicting_treatment_id' "
        "and record like '%T0100%'"
    )
    assert reasons == [(2,)]
    added.unlink()
    outcome = hospital.build()
    assert outcome.query(query) == [(1,)]
    again = contents(outcome.database)
    assert {table for table in whole if whole[table] != again[table]} == set()


def test_the_last_description_of_a_doctor_stands_and_falls_with_its_file(hospital):
    single = hospital.raw / "hospital" / f"{DOCTORS}.csv"
    folder = hospital.raw / "hospital" / DOCTORS
    folder.mkdir()
    single.rename(folder / "first.csv")
    second = folder / "second.csv"
    second.write_text("doctor_id,doctor_name,specialty\nD001,Doctor 0001,Changed\n")
    query = "select specialty from core.dim_provider where provider_id = 'D001'"
    assert hospital.assert_follows().query(query) == [("Changed",)]
    second.unlink()
    assert hospital.assert_follows().query(query) != [("Changed",)]


def test_a_file_given_twice_changes_nothing_but_the_number_of_duplicates(hospital, built):
    shutil.copy(hospital.treatments / "part-0002.csv", hospital.treatments / "part-0004.csv")
    before = contents(built / "home" / "wardhouse.duckdb")
    outcome = hospital.build()
    after = contents(outcome.database)
    changed = {table for table in before if before[table] != after[table]}
    assert changed == {
        "landing.landed_files",
        "landing.unreadable_records",
        "landing.warehouse_state",
        "quality.feed_reconciliation",
        "quality.quarantine",
        "staging.base_hospital__patients_data_with_doctor",
    }
    with duckdb.connect(str(built / "home" / "wardhouse.duckdb"), read_only=True) as connection:
        [[raw, accepted, rejected, duplicates, read, refused]] = connection.execute(
            "select n_raw, n_accepted, n_rejected, n_duplicates, "
            "(select count(*) from staging.base_hospital__patients_data_with_doctor "
            "where source_file like '%part-0002.csv' and rejection_reason is null), "
            "(select count(*) from quality.quarantine where source_file like '%part-0002.csv') "
            f"from quality.feed_reconciliation where feed = '{TREATMENTS}'"
        ).fetchall()
    # What was refused is refused twice; what was accepted counts once.
    expected = (raw + read + refused, accepted, rejected + refused, duplicates + read)
    assert feed_counts(outcome)[TREATMENTS] == expected
    assert read > 80


def test_the_order_of_raw_rows_does_not_matter(hospital, built):
    generator = random.Random(7)
    for part in hospital.treatments.iterdir():
        header, *lines = part.read_bytes().splitlines(keepends=True)
        generator.shuffle(lines)
        part.write_bytes(b"".join([header, *lines]))
    feedback = hospital.raw / "hospital" / f"{FEEDBACK}.json"
    answers = json.loads(feedback.read_text())
    generator.shuffle(answers)
    feedback.write_text(json.dumps(answers))
    # Master data keeps its order: there the last description stands.
    outcome = hospital.build()
    before, after = contents(built / "home" / "wardhouse.duckdb"), contents(outcome.database)
    results = {table for table in before if table.split(".")[0] in ("core", "hospital", "ml")}
    assert len(results) > 15
    assert {table for table in results if before[table] != after[table]} == set()


def test_two_raw_directories_cannot_mix_unless_everything_is_built_anew(dbt, hospital):
    other = hospital.place / "other"
    generate_hospital(other, 120, seed=5)
    before = hashes(hospital.warehouse / "wardhouse.duckdb")
    outcome = dbt(other, hospital.warehouse, *BUILD)
    assert not outcome.success
    assert str(hospital.raw.resolve()) in outcome.message
    assert str(other.resolve()) in outcome.message
    assert "--full-refresh" in outcome.message
    assert hashes(hospital.warehouse / "wardhouse.duckdb") == before
    outcome = dbt(other, hospital.warehouse, *BUILD, "--full-refresh")
    assert outcome.success, outcome.message
    hospital.raw = other
    # Seeds too are loaded anew: here of what is built, in a copied database all that there are.
    assert_same(outcome.database, hospital.build_anew("--full-refresh").database)


def test_a_full_refresh_in_place_gives_what_a_fresh_build_gives(hospital):
    single = hospital.raw / "hospital" / f"{FEEDBACK}.json"
    folder = hospital.raw / "hospital" / FEEDBACK
    folder.mkdir()
    single.rename(folder / "whole.json")
    (folder / "truncated.json").write_text('[{"patient_id": "P0001", "patient_feed')
    (hospital.treatments / "part-0001.csv").unlink()
    hospital.build()
    outcome = hospital.build("--full-refresh", selection=BUILD)
    assert_same(outcome.database, hospital.build_anew().database)
    broken = "select count(*) from quality.quarantine where source_file like '%truncated.json'"
    assert outcome.query(broken) == [(1,)]


def test_fewer_areas_than_before_are_refused(dbt, hospital):
    with duckdb.connect(str(hospital.warehouse / "wardhouse.duckdb")) as connection:
        connection.execute("update landing.warehouse_state set areas = 'hospital,telehealth'")
    before = hashes(hospital.warehouse / "wardhouse.duckdb")
    outcome = dbt(hospital.raw, hospital.warehouse, areas="hospital")
    assert not outcome.success
    assert "telehealth" in outcome.message
    assert "--full-refresh" in outcome.message
    assert hashes(hospital.warehouse / "wardhouse.duckdb") == before


def test_a_changed_variable_reads_the_files_again(hospital):
    query = (
        "select count(*) from quality.quarantine "
        "where reason in ('missing_treatment_cost', 'missing_room_cost')"
    )
    arguments = ("--vars", "{missing_cost_policy: reject}")
    outcome = hospital.assert_follows(*arguments)
    assert outcome.query(query)[0][0] > 5
    assert hospital.assert_follows().query(query) == [(0,)]


def test_exports_are_replaced_whole_and_leave_no_other_file(hospital, built):
    outcome = hospital.build()
    kept = hospital.place / "kept"
    kept.mkdir()
    for number, name in enumerate(EXPORTS):
        (kept / str(number)).hardlink_to(outcome.exports / name)
    before = [(kept / str(number)).read_bytes() for number in range(len(EXPORTS))]
    (hospital.treatments / "part-0001.csv").unlink()
    hospital.build()
    # A file written in place would have changed under its second name too.
    assert [(kept / str(number)).read_bytes() for number in range(len(EXPORTS))] == before
    assert [(outcome.exports / name).read_bytes() for name in EXPORTS] != before
    files = [path for path in outcome.exports.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(outcome.exports).as_posix() for path in files) == EXPORTS


def test_a_build_that_failed_on_its_exports_is_made_good_by_the_next(dbt, hospital):
    (hospital.treatments / "part-0001.csv").unlink()
    write(hospital.treatments / "part-0000.csv", "T9001,P0001,D001,ECG,12.5,0,2025-01-02")
    exports = hospital.warehouse / "exports"
    exports.write_text("not a folder")
    outcome = dbt(hospital.raw, hospital.warehouse, *BUILD)
    assert not outcome.success
    assert outcome.statuses["processed_healthcare_data"] == "error"
    exports.unlink()
    hospital.assert_follows()
    assert sorted(path.name for path in exports.rglob("*.*")) == sorted(
        Path(name).name for name in EXPORTS
    )


def test_a_model_that_failed_while_landing_takes_nothing_for_landed(dbt, hospital):
    base = "staging.base_hospital__patients_data_with_doctor"
    database = str(hospital.warehouse / "wardhouse.duckdb")
    with duckdb.connect(database) as connection:
        connection.execute(f"alter table {base} add column unexpected varchar")
        landed = connection.execute(
            f"from landing.landed_files where feed = '{TREATMENTS}' order by all"
        ).fetchall()
    (hospital.treatments / "part-0001.csv").unlink()
    write(hospital.treatments / "part-0000.csv", "T9001,P0001,D001,ECG,12.5,0,2025-01-02", "T9")
    outcome = dbt(hospital.raw, hospital.warehouse, *BUILD)
    assert not outcome.success
    assert outcome.statuses["base_hospital__patients_data_with_doctor"] == "error"
    with duckdb.connect(database) as connection:
        again = connection.execute(
            f"from landing.landed_files where feed = '{TREATMENTS}' order by all"
        ).fetchall()
        rows = connection.execute(
            f"select count(*) from {base} where source_file like '%part-0001.csv'"
        ).fetchall()
        connection.execute(f"alter table {base} drop column unexpected")
    assert again == landed
    assert rows[0][0] > 80
    hospital.assert_follows()
