"""Killed, out of disk or fed hostile files, a build leaves what the next one makes good."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from builds import SAMPLE, Builder, Outcome, parse
from contents import assert_same, hashes
from small_disk import resize, small_disk
from three_models import COLUMNS, write_project

pytestmark = [pytest.mark.long, pytest.mark.system]

N_KILLS = 10
AS_OF = "2025-09-30 00:00:00"  # some answers are as of now, and two builds are not at one time
N_VISITS, N_MORE = 500, 300
DISK_SHARES = {"hospital": 0.67, "patient_flow": 0.67, "telehealth": 0.5}  # of a clean database
LEAST_TABLES = {"hospital": 30, "patient_flow": 20, "telehealth": 30}


class Statements:
    """Counts the statements that dbt sends, and kills the process before one of them."""

    def __init__(self, fatal: int | None = None):
        self.n, self.fatal = 0, fatal

    def __call__(self, event) -> None:
        """Take in an event of dbt."""
        if event.info.name == "SQLQuery":
            self.n += 1
            if self.n == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def killed(build, fatal: int) -> None:
    """Build in a process of its own, which is killed before a statement."""
    child = os.fork()
    if not child:
        try:
            build(callbacks=[Statements(fatal)])
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the build ended before statement {fatal}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def write(raw_dir: Path, n_visits: int) -> None:
    lines = [f"V{n},P{n // 2},Ward {n % 40},{n}.25,2025-03-01 10:00:00" for n in range(n_visits)]
    (raw_dir / "clinic").mkdir(parents=True, exist_ok=True)
    text = "\n".join([",".join(COLUMNS), *lines, "V1,,,,"]) + "\n"
    (raw_dir / "clinic" / "visits.csv").write_text(text)


def exported(outcome: Outcome) -> dict[str, bytes]:
    found = {}
    for path in outcome.exports.rglob("*"):
        if path.is_file():
            found[str(path.relative_to(outcome.exports))] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Builder:
    """Return the builder of the three models."""
    place = tmp_path_factory.mktemp("three_models")
    project = write_project(place / "project", "key=['visit_id'], newest_by='told_at'")
    return Builder(parse(place, project), project=project)


@pytest.mark.parametrize("is_new", [True, False])
def test_three_models_survive_a_kill_at_any_statement(clinic, tmp_path, is_new):
    raw_dir, start = tmp_path / "raw", tmp_path / "start"
    start.mkdir()
    write(raw_dir, N_VISITS)
    if not is_new:
        before = clinic(raw_dir, start)
        assert before.success, before.message
        write(raw_dir, N_VISITS + N_MORE)
    shutil.copytree(start, tmp_path / "counted")
    counted = Statements()
    assert clinic(raw_dir, tmp_path / "counted", callbacks=[counted]).success
    clean = clinic(raw_dir, tmp_path / "clean")
    assert clean.success, clean.message
    for number in range(N_KILLS):
        place = tmp_path / f"killed_{number}"
        shutil.copytree(start, place)
        fatal = 1 + number * (counted.n - 1) // (N_KILLS - 1)
        killed(lambda place=place, **how: clinic(raw_dir, place, **how), fatal)
        again = clinic(raw_dir, place)
        assert again.success, f"statement {fatal}: {again.message}"
        assert_same(again.database, clean.database, at_least=7)
        assert exported(again).keys() == exported(clean).keys()
        assert not list(place.rglob("duckdb_temp_*"))


@pytest.mark.parametrize("area", LEAST_TABLES)
def test_an_area_survives_two_kills_in_a_row(dbt, tmp_path, area):
    """Before statements at a third and at two thirds of what a clean build sends."""
    command = ("build", "--selector", area, "--vars", f'{{"as_of": "{AS_OF}"}}')
    counted = Statements()
    clean = dbt(SAMPLE, tmp_path / "clean", *command, areas=area, callbacks=[counted])
    assert clean.success, clean.message
    place = tmp_path / "killed"
    for third in (1, 2):
        killed(
            lambda **how: dbt(SAMPLE, place, *command, areas=area, **how), counted.n * third // 3
        )
    again = dbt(SAMPLE, place, *command, areas=area)
    assert again.success, again.message
    assert_same(again.database, clean.database, at_least=LEAST_TABLES[area])
    assert exported(again) == exported(clean)
    assert bool(exported(clean)) == (area == "hospital")


@pytest.fixture(scope="module")
def clean(dbt, tmp_path_factory):
    """Return a function that gives the warehouse of an area, built once without a fault."""
    built: dict[str, Outcome] = {}

    def of(area: str) -> Outcome:
        if area not in built:
            place = tmp_path_factory.mktemp(area)
            built[area] = dbt(SAMPLE, place, *untested(area), areas=area)
            assert built[area].success, built[area].message
        return built[area]

    return of


def untested(area: str) -> tuple[str, ...]:
    """Name the command that builds an area, and tests nothing."""
    variables = f'{{"as_of": "{AS_OF}"}}'
    kinds = ("--exclude-resource-types", "test", "unit_test")
    return ("build", "--selector", area, "--vars", variables, *kinds)


@pytest.mark.parametrize("area", LEAST_TABLES)
def test_an_area_survives_a_full_disk(dbt, clean, tmp_path, area):
    """The disk holds the seeds and a part of what is built, and more later."""
    expected = clean(area)
    size = f"{expected.database.stat().st_size * DISK_SHARES[area] / 1024:.0f}k"
    with small_disk(tmp_path / "disk", size) as place:
        build = (SAMPLE, place, *untested(area))
        failed = dbt(*build, areas=area, exports=tmp_path / "exports")
        assert not failed.success
        assert "Traceback" not in failed.message
        resize(place, "400m")
        again = dbt(*build, areas=area, exports=tmp_path / "exports")
        assert again.success, again.message
        assert_same(again.database, expected.database, at_least=LEAST_TABLES[area])
    assert exported(again) == exported(expected)


MAIN_FEEDS = {
    "hospital": "patients_data_with_doctor",
    "patient_flow": "patient_events",
    "telehealth": "appointment_logs",
}
HOSTILE = "'); drop schema core cascade; -- {{ 1 / 0 }} =cmd|'/c calc'!A0"


def hostile_records(path: Path) -> None:
    """Write a file of hostile name beside another: records without anything that names them."""
    name = f"it's {{{{ 1 + x }}}}; drop{path.suffix}"
    if path.suffix == ".csv":
        header = path.read_text(encoding="latin-1").splitlines()[0]
        blank = "," * header.count(",")
        lines = [f'{header},"{HOSTILE}"', f'{blank},"{HOSTILE}"', HOSTILE]
    else:
        nested = '{"a":' * 1_000 + "1" + "}" * 999
        lines = [json.dumps({HOSTILE: HOSTILE}), nested, '{"patient_id": "P\\u0000"}']
    path.with_name(name).write_text("\n".join([*lines, ""]))


@pytest.mark.parametrize("area", MAIN_FEEDS)
def test_hostile_files_beside_good_ones_change_no_figure(dbt, clean, tmp_path, area):
    raw_dir = tmp_path / "raw"
    shutil.copytree(SAMPLE / area, raw_dir / area)
    folder = raw_dir / area / MAIN_FEEDS[area]
    if not folder.exists():
        folder.mkdir()
        good = folder.with_suffix(".csv")
        good.rename(folder / good.name)
    good = min(folder.iterdir())
    hostile_records(good)
    bad = folder / f"bad{good.suffix}"
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(bad)
        refused = dbt(raw_dir, tmp_path / "refused", *untested(area), areas=area)
        assert not refused.success
        assert bad.name in refused.message
        bad.unlink()
    outcome = dbt(raw_dir, tmp_path / "built", *untested(area), areas=area)
    assert outcome.success, outcome.message
    ours, expected = hashes(outcome.database), hashes(clean(area).database)
    figures = {table for table in expected if table.split(".")[0] in ("core", area, "ml")}
    assert len(figures) > 10
    assert {table for table in figures if ours.get(table) != expected[table]} == set()
    [(n_refused,)] = outcome.query(
        f"select count(*) from quality.quarantine where contains(source_file, 'drop{good.suffix}')"
    )
    assert n_refused == (2 if good.suffix == ".csv" else 3)
