"""Patients' records and secrets leave no trace on the console, in logs and in dbt's artifacts.

Each command runs in a process of its own, with values that are found wherever they turn up.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT
from three_models import COLUMNS, write_project

MARK = "ZQXJ"  # every record and every secret of these tests holds it
SECRETS = {
    "WARDHOUSE_ALERT_SMTP_HOST": "127.0.0.1",
    "WARDHOUSE_ALERT_SMTP_PORT": "9",  # nobody listens
    "WARDHOUSE_ALERT_SMTP_FROM": "from@example.org",
    "WARDHOUSE_ALERT_SMTP_TO": "to@example.org",
    "WARDHOUSE_ALERT_SMTP_USER": "someone",
    "WARDHOUSE_ALERT_SMTP_PASSWORD": f"{MARK}-smtp",
    "WARDHOUSE_ALERT_WEBHOOK_URL": f"http://127.0.0.1:9/hook/{MARK}-token?key={MARK}",
    "WARDHOUSE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "WARDHOUSE_KAFKA_SASL_MECHANISM": "PLAIN",
    "WARDHOUSE_KAFKA_SASL_USERNAME": "someone",
    "WARDHOUSE_KAFKA_SASL_PASSWORD": f"{MARK}-kafka",
}
HEADER = ",".join(COLUMNS)
RECORD = f"{MARK}1,{MARK}2,{MARK} ward,1,2025-01-01"
GOOD = f"{MARK}8,{MARK}9,{MARK} ward,1,2025-01-01 10:00:00"
NDJSON = "\n".join(
    f'{{"visit_id": "{MARK}{n}", "patient_id": "{MARK}", "department": "{MARK}"}}' for n in (1, 2)
)
# Files of the feed clinic.visits, and whether a build reads them.
FAULTS = {
    "wrong field counts": ("visits.csv", f"{HEADER}\n{GOOD}\n{RECORD},{MARK},{MARK}\n{MARK}7\n", 1),
    "unreadable values": (
        "visits.csv",
        f"{HEADER}\n{GOOD}\n{MARK}1,{MARK}2,{MARK},{MARK},{MARK}\n,{MARK},,,\n",
        1,
    ),
    "conflicting ids": (
        "visits.csv",
        f"{HEADER}\n{GOOD}\n{RECORD}\n{MARK}1,{MARK}2,{MARK} other,2,2025-01-01\n",
        1,
    ),
    "broken lines of JSON": ("visits.ndjson", f'{NDJSON}\n{{"visit_id": "{MARK}3", {MARK}\n', 1),
    "nested JSON": ("visits.ndjson", f'{NDJSON}\n{{"visit_id": {"[" * 1500}"{MARK}"\n', 1),
    "broken JSON": ("visits.json", f'[{{"visit_id": "{MARK}1", "patient_id": {MARK}', 0),
    "no header": ("visits.csv", f"{RECORD}\n{GOOD}\n", 0),
    "no text": ("visits.csv", f"{HEADER}\n{GOOD}\n\x00{MARK}\xff\n", 0),
}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and all that it left but the warehouse, its exports and its input."""

    code: int
    told: str
    left: dict[str, bytes]


def run(*command: str, place: Path, **variables: str) -> Ended:
    """Run a command in a place, whose files are then looked at."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WARDHOUSE")}
    clean |= SECRETS | variables | {"PYTHONPATH": str(PROJECT / "scripts")}
    script = Path(sys.executable).with_name(command[0])
    process = subprocess.run(
        [str(script), *command[1:]],
        cwd=place,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    left = {}
    for folder in ("logs", "target"):
        for path in (place / folder).rglob("*"):
            if path.is_file():
                left[str(path)] = path.read_bytes()
    return Ended(process.returncode, process.stdout + process.stderr, left)


def assert_no_trace(ended: Ended) -> None:
    assert MARK not in ended.told
    assert "Traceback" not in ended.told
    assert [name for name, content in ended.left.items() if MARK.encode() in content] == []


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Return the three models, of whose conflicting records none counts."""
    place = tmp_path_factory.mktemp("marked") / "project"
    return write_project(place, "key=['visit_id'], on_conflict='reject'")


def write_feed(raw_dir: Path, fault: str) -> bool:
    """Write a feed with a fault, and say whether a build reads it."""
    name, text, is_read = FAULTS[fault]
    (raw_dir / "clinic").mkdir(parents=True)
    (raw_dir / "clinic" / name).write_bytes(text.encode("latin-1"))
    return bool(is_read)


@pytest.mark.system
@pytest.mark.parametrize("command", ["dbt", "wardhouse"])
@pytest.mark.parametrize("fault", FAULTS)
def test_builds_leave_no_trace(project, tmp_path, fault, command):
    is_read = write_feed(tmp_path / "raw", fault)
    folders = ("--target-path", str(project / "target"), "--log-path", str(project / "logs"))
    ended = run(
        *(command, "build", *folders),
        place=project,
        WARDHOUSE_RAW_DIR=str(tmp_path / "raw"),
        WARDHOUSE_DB=str(tmp_path / "wardhouse.duckdb"),
        WARDHOUSE_EXPORT_DIR=str(tmp_path / "exports"),
    )
    assert (ended.code == 0) == is_read, ended.told
    assert str(project / "logs" / "dbt.log") in ended.left
    assert_no_trace(ended)
    written = [project / "logs" / "dbt.log", project / "target" / "run_results.json"]
    modes = [path.stat().st_mode & 0o777 for path in written if path.exists()]
    assert modes == [0o600] * len(modes)
    assert len(modes) == 2 or not is_read


@pytest.mark.system
@pytest.mark.parametrize("fault", ["no header", "broken JSON"])
def test_inspect_leaves_no_trace_of_what_it_cannot_take_apart(project, tmp_path, fault):
    """What it can, it shows: that is what it is for."""
    write_feed(tmp_path / "raw", fault)
    ended = run("wardhouse", "inspect", str(tmp_path / "raw"), "--rows", "0", place=project)
    assert "clinic.visits" in ended.told
    assert_no_trace(ended)


@pytest.mark.system
def test_alerts_leave_no_trace_of_passwords_and_tokens(project, tmp_path):
    database = tmp_path / "wardhouse.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "create schema quality; create table quality.alerts as select 'clinic' as area, "
            "'stale' as alert_type, 'HIGH' as severity, 'nothing came' as message, 'hours' as "
            "metric, 9::double as value, 8::double as threshold, now() as as_of"
        )
    outbox = tmp_path / "outbox.json"
    options = ("--attempts", "2", "--pause", "0")
    ended = run(
        *("wardhouse", "alerts", *options),
        place=project,
        WARDHOUSE_DB=str(database),
        WARDHOUSE_ALERT_OUTBOX=str(outbox),
    )
    assert ended.code == 2, ended.told
    assert "webhook: 1 alerts" in ended.told
    assert_no_trace(ended)
    assert MARK.encode() not in outbox.read_bytes()


@pytest.mark.system
def test_ingest_leaves_no_trace_of_its_password(project, tmp_path):
    raw_dir = tmp_path / "raw"
    source = ("--bootstrap", "127.0.0.1:9", "--topic", "events", "--until-end")
    options = ("--feed", "clinic.visits", "--raw-dir", str(raw_dir), *source)
    ended = run("wardhouse", "ingest", *options, place=project)
    assert ended.code == 1, ended.told
    assert "Kafka" in ended.told
    assert_no_trace(ended)


@pytest.mark.system
def test_ingest_leaves_no_trace_of_what_it_lands(project, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.ndjson").write_text(f'{NDJSON}\n{{"visit_id": "{MARK}\n\n{MARK}\n')
    raw_dir = tmp_path / "raw"
    options = ("--feed", "clinic.visits", "--raw-dir", str(raw_dir), "--until-end")
    ended = run("wardhouse", "ingest", "--directory", str(source), *options, place=project)
    assert ended.code == 0, ended.told
    assert len(list(raw_dir.rglob("*.parquet"))) + len(list(raw_dir.rglob("*.ndjson"))) > 0
    assert_no_trace(ended)
