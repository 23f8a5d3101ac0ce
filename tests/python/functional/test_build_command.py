"""`wardhouse build` in processes of its own, on a terminal and without, with wrong settings."""

import doctest
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT, SAMPLE

COLUMNS = 100
KEY_TEST = "unique_together_source_systems_source_system__entity"
MODEL = "base_hospital__doctors_info"  # that has unit tests


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    error: str = ""

    @property
    def lines(self) -> list[str]:
        """Lines of standard output."""
        return self.out.splitlines()


def run(command: str, *arguments: str, **settings: str) -> Ended:
    """Run a command of the environment with no settings but these."""
    clean = {name: value for name, value in os.environ.items() if "WARDHOUSE" not in name}
    ended = subprocess.run(
        [str(Path(sys.executable).with_name(command)), *arguments],
        cwd=PROJECT,
        env=clean | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def run_on_terminal(command: str, *arguments: str, **settings: str) -> Ended:
    """Run a command as one does who looks at a terminal 100 columns wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    clean = {name: value for name, value in os.environ.items() if "WARDHOUSE" not in name}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(command)), *arguments],
        cwd=PROJECT,
        env=clean | settings | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the terminal's way to say that nobody writes to it any more
            break
        written += chunk
    os.close(ours)
    return Ended(process.wait(), written.decode())


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> dict[str, str]:
    """Return the settings of one warehouse, the hospital's."""
    place = tmp_path_factory.mktemp("build_command")
    return {
        "WARDHOUSE_AREAS": "hospital",
        "WARDHOUSE_DB": str(place / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(place / "exports"),
    }


@pytest.fixture(scope="module")
def build(settings) -> Callable[..., Ended]:
    """Return a function that runs `wardhouse build` on that warehouse."""
    place = Path(settings["WARDHOUSE_DB"]).parent
    folders = ["--target-path", str(place / "target"), "--log-path", str(place / "logs")]

    def call(*arguments: str, on_terminal: bool = False) -> Ended:
        how = run_on_terminal if on_terminal else run
        return how("wardhouse", "build", *arguments, *folders, **settings)

    return call


@pytest.fixture(scope="module")
def built(build) -> Ended:
    """Return how a build of the hospital ended, without a terminal."""
    return build("--selector", "hospital")


@pytest.fixture(scope="module")
def broken(built, settings) -> str:
    """Return the name of a test that fails: a seed holds three rows twice."""
    with duckdb.connect(settings["WARDHOUSE_DB"]) as connection:
        connection.execute(
            "insert into reference.source_systems "
            "from (from reference.source_systems where source_system >= 'hospital' "
            "order by all limit 3)"
        )
    return KEY_TEST


@pytest.mark.system
def test_build_ends_with_answers(built):
    assert built.code == 0, built.out + built.error
    assert built.error == ""
    doctors = [line.split()[:2] for line in built.lines if re.match(r" +\d  D\d+ ", line)]
    assert doctors == [["1", "D022"], ["2", "D017"], ["3", "D034"], ["4", "D014"], ["5", "D006"]]
    treatments = [line for line in built.lines if line.startswith("hospital.patients_data")]
    assert [line.split()[1:] for line in treatments] == [["1010", "987", "15", "8", "14"]]


@pytest.mark.system
def test_alerts_of_an_area_built_alone_can_be_read(built, settings):
    assert built.code == 0
    ended = run("wardhouse", "alerts", **settings)
    assert (ended.code, ended.error) == (0, "")
    assert "No alerts" in ended.out


@pytest.mark.system
def test_build_says_the_headline_of_the_area_built(built):
    areas = {"engagement", "growth", "hospital", "patient_flow", "telehealth"}
    said = [line for line in built.lines if line.partition(" ")[0] in areas]
    assert [line.split()[0] for line in said] == ["hospital"]
    assert "530,746.87" in said[0]


@pytest.mark.system
def test_build_writes_plain_lines_without_a_terminal(built):
    assert "\x1b" not in built.out
    assert "success  table        hospital.top_doctors" in built.lines
    assert max(map(len, built.lines)) <= COLUMNS


@pytest.mark.system
def test_build_says_where_to_look_next(built):
    place = built.lines.index("Look next")
    commands = " ".join(built.lines[place:])
    for command in ("dbt show --inline", "wardhouse quarantine", "make docs", "logs/dbt.log"):
        assert command in commands


@pytest.mark.system
def test_build_names_no_answer_of_an_area_without_files(built, build):
    assert 'dbt show --inline "select * from hospital.' in built.out
    ended = build("--select", "+appointment_status_summary")
    assert ended.code == 0, ended.out + ended.error
    assert "Look next" in ended.lines
    assert "dbt show" not in ended.out


@pytest.mark.system
def test_failing_test_prints_its_rows_on_a_terminal(broken, build, settings):
    ended = build("--unit-tests", "--select", broken, MODEL, on_terminal=True)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.out)
    assert ended.code == 1
    assert "reading the project" in text
    assert "━" in text
    assert f"FAIL  {broken}" in text
    assert "3 rows, the first of them" in text
    assert len(re.findall(r"^ +hospital +(patient|provider) +2 *\r?$", text, re.MULTILINE)) == 2
    assert re.search(r"1 model built, 1 test passed, 2 unit tests passed, 1 failed in ", text)
    (sql,) = re.findall(r"its SQL: (\S+)", text)
    assert (PROJECT / sql).is_file()


@pytest.mark.system
def test_seed_with_other_columns_than_before_names_its_cure(built, build, settings):
    with duckdb.connect(settings["WARDHOUSE_DB"]) as connection:
        connection.execute("alter table reference.genders add column former varchar")
    ended = build("--select", "genders")
    assert ended.code == 1
    assert "Traceback" not in ended.error + ended.out
    [cure] = re.findall(r"changed since the last build: wardhouse build (.*)", ended.out)
    assert build(*cure.split()).code == 0


@pytest.mark.system
def test_log_format_reaches_dbt_and_unit_tests_wait_to_be_asked(broken, build):
    ended = build("--select", broken, MODEL, "--log-format", "json")
    told = [json.loads(line)["data"].get("node_info", {}) for line in ended.lines]
    assert ended.code == 1
    assert {node["resource_type"] for node in told if node} == {"model", "operation", "test"}
    assert "3 rows, the first of them" in ended.error


@pytest.mark.parametrize(
    ("arguments", "wrong", "said"),
    [
        ([], {"WARDHOUSE_THREADS": "abc"}, "WARDHOUSE_THREADS is 'abc': give a whole number"),
        ([], {"WARDHOUSE_THREADS": "0"}, "WARDHOUSE_THREADS is '0': give a whole number"),
        ([], {"WARDHOUSE_MEMORY": "lots"}, "WARDHOUSE_MEMORY is 'lots': give a size, such as 2GB"),
        ([], {"WARDHOUSE_DB": "/nowhere/w.duckdb"}, "the folder of WARDHOUSE_DB, /nowhere, does"),
        ([], {"WARDHOUSE_RAW_DIR": "/nowhere"}, "WARDHOUSE_RAW_DIR is /nowhere, which is no"),
        (
            [],
            {"WARDHOUSE_AREAS": "typo"},
            "WARDHOUSE_AREAS names typo: choose from engagement,",
        ),
        (["--target", "nowhere"], {}, "valid target names for this profile are: - dev"),
        (["--target=prod"], {"WARDHOUSE_DB": "a.duckdb"}, "set WARDHOUSE_RAW_DIR, WARDHOUSE_EXPO"),
        (["--no-such-option"], {}, "No such option '--no-such-option': `dbt build --help`"),
    ],
)
def test_wrong_setting_ends_with_one_line(arguments, wrong, said):
    ended = run("wardhouse", "build", *arguments, **wrong)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.error
    assert len(ended.error.splitlines()) == 1


def production(place: Path) -> dict[str, str]:
    return {
        "WARDHOUSE_DB": str(place / "wardhouse.duckdb"),
        "WARDHOUSE_RAW_DIR": str(PROJECT / "seeds" / "sample"),
        "WARDHOUSE_EXPORT_DIR": str(place / "exports"),
        "WARDHOUSE_MEMORY": "1GB",
    }


def test_production_refuses_the_sample(tmp_path):
    ended = run("wardhouse", "build", "-t", "prod", **production(tmp_path))
    assert ended.code == 2
    assert "prod does not build the shipped sample" in ended.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.system
def test_dbt_refuses_the_sample_in_production(tmp_path):
    """The connection refuses it, whichever of dbt's commands opens it."""
    arguments = ("debug", "--connection", "--target", "prod", "--log-path", str(tmp_path))
    ended = run("dbt", *arguments, **production(tmp_path))
    assert ended.code == 1
    assert "prod does not build the shipped sample" in ended.out
    assert not (tmp_path / "wardhouse.duckdb").exists()


@pytest.mark.system
@pytest.mark.parametrize("target", ["dev", "duckdb"])
def test_both_names_of_the_default_target_connect(target, tmp_path):
    arguments = ("debug", "--connection", "--target", target, "--log-path", str(tmp_path))
    ended = run("dbt", *arguments, WARDHOUSE_DB=str(tmp_path / "wardhouse.duckdb"))
    assert ended.code == 0, ended.out


@pytest.mark.system
def test_dbt_build_says_what_is_wrong_without_traceback(tmp_path):
    folders = ("--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs"))
    ended = run("dbt", "build", "--select", "dim_date", *folders, WARDHOUSE_MEMORY="lots")
    assert ended.code == 2
    assert ended.lines[-1].strip() == "WARDHOUSE_MEMORY is 'lots': give a size, such as 2GB"
    assert "Traceback" not in ended.out + ended.error


@pytest.mark.system
@pytest.mark.parametrize("area", sorted(path.name for path in SAMPLE.iterdir() if path.is_dir()))
def test_everything_is_built_where_one_area_alone_has_files(dbt, tmp_path, area):
    """Models of other areas are empty, and their data tests pass."""
    outcome = dbt(SAMPLE, tmp_path, "build", "--exclude-resource-types", "unit_test", areas=area)
    assert outcome.success, outcome.message
    areas_with_records = "select distinct area from quality.feed_reconciliation where n_raw > 0"
    assert outcome.query(areas_with_records) == [(area,)]


def test_examples_hold():
    from wardhouse.commands import build as command
    from wardhouse.streaming import build as again

    for module in (command, again):
        tried = doctest.testmod(module)
        assert (tried.failed, tried.attempted > 0) == (0, True)
