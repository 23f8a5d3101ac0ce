"""The warehouse's file, its exports and whatever holds patients' data: named, whole and private.

On the project of three models; of one fault each, in processes where a process has to end.
"""

import csv
import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml
from builds import Builder, Outcome, in_fast_suite, parse
from contents import assert_same
from small_disk import resize, small_disk
from three_models import COLUMNS, write_project
from wardhouse.exports import begin_export, final, finish_export, partial, settle_exports
from wardhouse.private_files import keep_private
from wardhouse.warehouse import open_to_read, spill_folder

N_TABLES = 7
GIGABYTE = 2**30
COSTS = "clinic/department_costs"
HOSTILE = 'it\'s; drop "x" -- {{ nothing() }} {% raw %} ${HOME} [a]* ü'
ODD_NAME = 'it\'s "mine" - köln; v2'
NAMES = [
    *("clinic", "temp", ODD_NAME, "core", "system", "main", "memory", "staging", "wardhouse"),
    *("select", "csv:a", "2024"),
]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Builder:
    """Return the builder of the three models."""
    place = tmp_path_factory.mktemp("three_models")
    project = write_project(place / "project", "key=['visit_id'], newest_by='told_at'")
    return Builder(parse(place, project), project=project)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Return a raw directory of three visits, of which one is refused."""
    return write_raw(tmp_path_factory.mktemp("raw"), "12.5")


def write_raw(raw_dir: Path, cost: str) -> Path:
    (raw_dir / "clinic").mkdir(parents=True, exist_ok=True)
    visits = [f"V1,P1,Ward 1,{cost},", "V2,P2,Ward 2,7,", "V3,,Ward 2,7,"]
    text = "\n".join([",".join(COLUMNS), *visits]) + "\n"
    (raw_dir / "clinic" / "visits.csv").write_text(text)
    return raw_dir


@pytest.fixture(scope="module")
def built(clinic, raw, tmp_path_factory) -> Outcome:
    """Return what a build leaves, under the usual umask."""
    before = os.umask(0o022)
    try:
        outcome = clinic(raw, tmp_path_factory.mktemp("built"))
    finally:
        os.umask(before)
    assert outcome.success, outcome.message
    return outcome


def add_visits(raw_dir: Path, n_visits: int) -> None:
    """Append visits, each of a department of its own."""
    with (raw_dir / "clinic" / "visits.csv").open("a") as file:
        file.writelines(f"W{n},P{n},Ward {n},1,\n" for n in range(n_visits))


# The database's file ------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", in_fast_suite(NAMES, ODD_NAME))
def test_database_may_be_called_anything(clinic, raw, tmp_path, built, stem):
    first = clinic(raw, tmp_path, name=f"{stem}.duckdb")
    assert first.success, first.message
    again = clinic(raw, tmp_path, name=f"{stem}.duckdb")
    assert again.success, again.message
    assert_same(again.database, built.database, N_TABLES)
    assert len(list(tmp_path.glob("*duckdb*"))) == 1


@pytest.mark.parametrize("name", [":memory:", "", "/tmp"])
def test_database_that_is_no_file_is_refused(monkeypatch, name):
    from wardhouse import settings

    monkeypatch.setenv("WARDHOUSE_DB", name)
    with pytest.raises(settings.SettingError, match=r"^WARDHOUSE_DB is .*, which is "):
        settings.database()


def test_hostile_paths_are_only_text(clinic, tmp_path, built):
    place = tmp_path / HOSTILE
    outcome = clinic(write_raw(place / "raw", "12.5"), place / "out")
    assert outcome.success, outcome.message
    for suffix in ("csv", "parquet"):
        ours = outcome.exports / f"{COSTS}.{suffix}"
        assert ours.read_bytes() == (built.exports / f"{COSTS}.{suffix}").read_bytes()


@pytest.mark.system
def test_profile_of_an_earlier_version_says_what_it_lacks(clinic, raw, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(clinic.project, project, symlinks=True)
    profile = yaml.safe_load((project / "profiles.yml").read_text())
    output = profile["wardhouse"]["outputs"]["dev"]
    for name in ("database", "attach"):
        del output[name]
    output["path"] = "{{ env_var('WARDHOUSE_DB') }}"
    del output["settings"]["search_path"]
    profile["wardhouse"]["outputs"] = {"dev": output}
    (project / "profiles.yml").unlink()
    (project / "profiles.yml").write_text(yaml.safe_dump(profile))
    outcome = Builder(parse(tmp_path, project), project=project)(raw, tmp_path)
    assert not outcome.success
    assert "profiles.yml attaches no database as wardhouse: take path" in outcome.message


FILE_NAMES = (
    "it's; drop table landed_files; --.csv",
    "{{ nothing() }} {% raw %}.csv",
    "${HOME} $(id) `id`.csv",
    "two\nlines.csv",
    'a "quoted" name.csv',
    "[a]*?.csv",
    "  ünïcode .csv",
)


def test_hostile_file_names_are_only_text(clinic, tmp_path):
    folder = tmp_path / "raw" / "clinic" / "visits"
    folder.mkdir(parents=True)
    for number, name in enumerate(FILE_NAMES):
        (folder / name).write_text(f"{','.join(COLUMNS)}\nV{number},P1,Ward,1,\nV{number}x,\n")
    outcome = clinic(tmp_path / "raw", tmp_path)
    assert outcome.success, outcome.message
    for table in ("staging.base_clinic__visits", "landing.unreadable_records"):
        found = outcome.query(f"select source_file from {table}")
        assert sorted(found) == sorted((f"clinic/visits/{name}",) for name in FILE_NAMES)
    assert outcome.query("select n_visits from clinic.department_costs") == [(len(FILE_NAMES),)]


HOSTILE_OPTIONS = (
    ("decimal_mark", "'); drop table landing.landed_files; --"),
    ("date_order", "{{ 1 / 0 }}"),
    ("delimiter", "';"),
    ("encoding", "latin-1', header = false"),
    ("column:cost); drop", "x"),
    ("{{ 1 / 0 }}", "x"),
)


def write_options(raw_dir: Path, *options: tuple[str, str]) -> None:
    with (raw_dir / "feeds.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("area", "feed", "option", "value"))
        writer.writerows(("clinic", "visits", *option) for option in options)


def test_hostile_options_are_refused_by_their_lines(clinic, tmp_path, capfd):
    write_options(write_raw(tmp_path / "raw", "1"), *HOSTILE_OPTIONS)
    outcome = clinic(tmp_path / "raw", tmp_path)
    assert not outcome.success
    for line in range(2, len(HOSTILE_OPTIONS) + 2):
        assert f"feeds.csv line {line}: " in outcome.message


def test_hostile_headers_and_aliases_are_only_text(clinic, tmp_path):
    hostile = 'it\'s; "drop" {{ 1 / 0 }} ${HOME}'
    raw_dir = write_raw(tmp_path / "raw", "1")
    with (raw_dir / "clinic" / "visits.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="'", quoting=csv.QUOTE_ALL)
        writer.writerow(("visit_id", "patient_id", hostile))
        writer.writerow(("V1", "P1", hostile))
    write_options(raw_dir, ("column:department", hostile), ("delimiter", "'"))
    outcome = clinic(raw_dir, tmp_path)
    assert outcome.success, outcome.message
    assert outcome.query("select department from core.fct_visits") == [(hostile,)]


def zeros(path: Path) -> None:
    """Write a gigabyte that takes no place: a hole."""
    with path.open("wb") as file:
        file.write(f"{','.join(COLUMNS)}\nV1,P1,".encode())
        file.truncate(GIGABYTE)


def bomb(path: Path) -> None:
    """Write a megabyte that unpacks to a line of a gigabyte."""
    with gzip.open(path.with_suffix(".csv.gz"), "wb", compresslevel=1) as file:
        file.write(f"{','.join(COLUMNS)}\nV1,P1,".encode())
        for _ in range(GIGABYTE // 2**20):
            file.write(b"a" * 2**20)


@pytest.mark.system
@pytest.mark.parametrize(("make", "said"), [(zeros, "a NUL byte"), (bomb, "longer than")])
def test_bombs_and_holes_are_refused_in_bounded_memory(tmp_path, clinic, make, said):
    (tmp_path / "raw" / "clinic").mkdir(parents=True)
    make(tmp_path / "raw" / "clinic" / "visits.csv")
    command = [sys.executable, "-m", "wardhouse.cli", "inspect", str(tmp_path / "raw")]
    # By a small process: a child begins with the memory of its parent.
    measure = "import resource as r, subprocess as s, sys; code = s.call(sys.argv[1:]); "
    measure += "print('peak', r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    command = [sys.executable, "-c", measure, *command]
    done = subprocess.run(command, cwd=clinic.project, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    assert said in text
    assert "Traceback" not in text
    assert int(text.split("peak ")[1].split()[0]) < 500 * 1024  # kilobytes


# Exports ------------------------------------------------------------------------------------------


def test_export_leaves_two_files_and_no_other(built):
    names = sorted(path.name for path in (built.exports / "clinic").iterdir())
    assert names == ["department_costs.csv", "department_costs.parquet"]


def export(place: Path, text: str) -> Path:
    """Write both files of an export, and let them take their names."""
    target = place / "area" / "answer"
    begin_export(target)
    for suffix in ("parquet", "csv"):
        partial(target, suffix).write_text(f"{text} {suffix}")
    return target


def texts(target: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(target.parent.iterdir())}


def test_both_files_take_their_names_together(tmp_path):
    finish_export(export(tmp_path, "old"))
    target = export(tmp_path, "new")
    kept = {name: text for name, text in texts(target).items() if not name.startswith(".")}
    assert kept == {"answer.csv": "old csv", "answer.parquet": "old parquet"}
    finish_export(target)
    assert texts(target) == {"answer.csv": "new csv", "answer.parquet": "new parquet"}


@pytest.mark.parametrize("n_written", [0, 1, 2])
def test_what_was_left_before_the_renames_is_removed(tmp_path, n_written):
    finish_export(export(tmp_path, "old"))
    target = export(tmp_path, "new")
    for suffix in ("csv", "parquet")[: 2 - n_written]:
        partial(target, suffix).unlink()
    settle_exports(tmp_path)
    assert texts(target) == {"answer.csv": "old csv", "answer.parquet": "old parquet"}


def test_what_was_left_between_the_renames_is_completed(tmp_path):
    finish_export(export(tmp_path, "old"))
    target = export(tmp_path, "new")
    partial(target, "parquet").replace(final(target, "parquet"))
    settle_exports(tmp_path)
    assert texts(target) == {"answer.csv": "new csv", "answer.parquet": "new parquet"}


def file_for_folder(exports: Path) -> None:
    exports.write_text("no folder")


def file_for_area(exports: Path) -> None:
    exports.mkdir()
    (exports / "clinic").write_text("no folder")


def folder_for_csv(exports: Path) -> None:
    (exports / f"{COSTS}.csv").mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil", in_fast_suite([file_for_folder, file_for_area, folder_for_csv], file_for_folder)
)
def test_export_that_cannot_be_written_says_cause_and_cure(clinic, raw, tmp_path, spoil):
    spoil(tmp_path / "exports")
    outcome = clinic(raw, tmp_path)
    assert outcome.statuses["department_costs"] == "error"
    assert "cannot be written" in outcome.message
    assert "set WARDHOUSE_EXPORT_DIR to another" in outcome.message
    assert "Traceback" not in outcome.message
    assert "UDF" not in outcome.message


def exported_rows(path):
    """Read an export, CSV or Parquet, as rows in an order that does not hang on the file's."""
    return sorted(duckdb.sql(f"select * from '{path}'").fetchall())


@pytest.mark.system
def test_full_disk_changes_neither_file(clinic, tmp_path):
    """The Parquet fits on the disk, the CSV no more: the old ones stay, together."""
    raw_dir = write_raw(tmp_path / "raw", "12.5")
    with small_disk(tmp_path / "disk", "96k") as exports:
        first = clinic(raw_dir, tmp_path / "out", exports=exports)
        assert first.success, first.message
        before = {path.name: path.read_bytes() for path in (exports / "clinic").iterdir()}
        add_visits(raw_dir, 6000)
        failed = clinic(raw_dir, tmp_path / "out", exports=exports)
        assert failed.statuses["department_costs"] == "error"
        assert "No space left on device" in failed.message
        partly = {path.name for path in (exports / "clinic").glob(".*")}
        assert ".department_costs.parquet.partial" in partly
        kept = {name: (exports / "clinic" / name).read_bytes() for name in before}
        assert kept == before
        resize(exports, "10m")
        again = clinic(raw_dir, tmp_path / "out", exports=exports)
        assert again.success, again.message
        clean = clinic(raw_dir, tmp_path / "clean")
        # The table grew by an increment, and has no order of its own.
        for path in (clean.exports / "clinic").iterdir():
            assert exported_rows(exports / "clinic" / path.name) == exported_rows(path)
        assert {path.name for path in (exports / "clinic").iterdir()} == before.keys()


@pytest.mark.system
@pytest.mark.parametrize("size", ["1m", "2500k", "4m", "5m"])
def test_build_after_a_full_disk_equals_a_clean_one(clinic, tmp_path, size):
    """Full at the first build, or at the second, which brings much."""
    raw_dir = write_raw(tmp_path / "raw", "12.5")
    with small_disk(tmp_path / "disk", size) as place:
        clinic(raw_dir, place, exports=tmp_path / "exports")
        add_visits(raw_dir, 30_000)
        failed = clinic(raw_dir, place, exports=tmp_path / "exports")
        assert not failed.success
        assert "Traceback" not in failed.message
        resize(place, "200m")
        again = clinic(raw_dir, place, exports=tmp_path / "exports")
        assert again.success, again.message
        clean = clinic(raw_dir, tmp_path / "clean")
        assert_same(again.database, clean.database, N_TABLES)
    ours, theirs = ((each / f"{COSTS}.csv").read_text() for each in (again.exports, clean.exports))
    assert sorted(ours.splitlines()) == sorted(theirs.splitlines())


# Patients' data -----------------------------------------------------------------------------------


def modes(outcome: Outcome) -> dict[str, int]:
    """Give the mode of whatever a build left."""
    place = outcome.database.parent
    return {
        str(path.relative_to(place)): path.stat().st_mode & 0o777
        for path in place.rglob("*")
        if path.relative_to(place).parts[0] in (outcome.database.name, "exports")
    }


def test_database_and_exports_are_private_under_the_usual_umask(built):
    assert modes(built) == {
        "wardhouse.duckdb": 0o600,
        "exports": 0o700,
        "exports/clinic": 0o700,
        f"exports/{COSTS}.csv": 0o600,
        f"exports/{COSTS}.parquet": 0o600,
    }


def test_database_of_an_earlier_version_becomes_what_the_mode_says(
    clinic, raw, tmp_path, monkeypatch
):
    monkeypatch.setenv("WARDHOUSE_FILE_MODE", "0640")
    before = os.umask(0o022)
    try:
        first = clinic(raw, tmp_path)
        assert set(modes(first).values()) == {0o640, 0o750}
        monkeypatch.delenv("WARDHOUSE_FILE_MODE")
        first.database.chmod(0o644)
        clinic(raw, tmp_path, "run", "--select", "fct_visits")
    finally:
        os.umask(before)
    assert modes(first)["wardhouse.duckdb"] == 0o600


def test_wrong_mode_stops_a_build_in_one_line(clinic, raw, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_FILE_MODE", "0644")
    outcome = clinic(raw, tmp_path)
    assert not outcome.success
    assert "WARDHOUSE_FILE_MODE is '0644': set 0600" in outcome.message
    assert not outcome.database.exists()


SPILL = """
import os, signal, sys
from pathlib import Path
import duckdb
from wardhouse.warehouse import open_to_write, spill_folder
os.umask(0o022)
database = Path(sys.argv[1])
config = {"temp_directory": str(spill_folder(database)), "memory_limit": "60MB", "threads": 1}
connection = duckdb.connect(config=config)
open_to_write(connection, database)
connection.execute("set search_path = 'wardhouse.main'")
connection.execute("create table kept as select 1 as one")
connection.execute(
    "create temp table spilled as "
    "select range as n, hash(range)::varchar as text from range(2000000) order by text"
)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.system
def test_what_a_killed_process_spilled_is_private_and_gone_at_the_next_start(clinic, raw, tmp_path):
    database = tmp_path / "wardhouse.duckdb"
    ended = subprocess.run([sys.executable, "-c", SPILL, str(database)], check=False)
    assert ended.returncode == -9
    spill = spill_folder(database)
    left = list(spill.iterdir())
    assert sum(path.stat().st_size for path in left) > 1_000_000
    found = {path.stat().st_mode & 0o777 for path in [*left, database, Path(f"{database}.wal")]}
    assert found == {0o600}
    assert spill.stat().st_mode & 0o777 == 0o700
    outcome = clinic(raw, tmp_path)
    assert outcome.success, outcome.message
    assert not spill.exists()
    with open_to_read(database) as connection:
        assert connection.execute("select one from main.kept").fetchall() == [(1,)]


def test_spill_folder_of_a_living_process_is_left_alone(tmp_path):
    """Whoever does not get the file does not clean up, either."""
    import duckdb
    from wardhouse.warehouse import open_to_write

    database = tmp_path / "wardhouse.duckdb"
    connection = duckdb.connect()
    open_to_write(connection, database)
    folder = spill_folder(database)
    folder.mkdir()
    (folder / "duckdb_temp_storage").write_text("spilled")
    script = (
        "import duckdb, sys; from pathlib import Path; from wardhouse.warehouse import *;"
        "open_to_write(duckdb.connect(), Path(sys.argv[1]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(database)], capture_output=True, text=True, check=False
    )
    connection.close()
    assert "Could not set lock" in ended.stderr
    assert (folder / "duckdb_temp_storage").exists()


def test_mask_of_a_process_follows_the_mode(monkeypatch, tmp_path):
    before = os.umask(0o022)
    try:
        found = {}
        for mode in ("0600", "0640", "0660"):
            monkeypatch.setenv("WARDHOUSE_FILE_MODE", mode)
            keep_private()
            (tmp_path / mode).touch()
            found[mode] = f"{(tmp_path / mode).stat().st_mode & 0o777:04o}"
    finally:
        os.umask(before)
    assert found == {mode: mode for mode in found}
