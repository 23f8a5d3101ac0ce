"""Alerts: the real figures, what makes each fire, and that people are told, once and in the end."""

import base64
import csv
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from email import message_from_bytes
from email.policy import default as email_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from builds import PROJECT, Outcome, holding, in_fast_suite, in_system, shared_data
from typer.testing import CliRunner
from wardhouse.bench.ports import free_port
from wardhouse.cli import app
from wardhouse.quality import alert_channels
from wardhouse.quality import alerts as telling

AS_OF = "2025-03-29 21:26:01"
TYPES = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
BUILD = ("build", "--select", "+alerts", "row_counts", *TYPES)


def clock(as_of: str = AS_OF) -> tuple[str, str]:
    return "--vars", json.dumps({"as_of": as_of})


@pytest.fixture(scope="module")
def telemedicine_raw(tmp_path_factory) -> Path:
    raw_dir = tmp_path_factory.mktemp("telemedicine_raw")
    (raw_dir / "telehealth").symlink_to(shared_data("telemedicine"), target_is_directory=True)
    return raw_dir


@pytest.fixture(scope="module")
def real(dbt, telemedicine_raw, tmp_path_factory) -> Outcome:
    """Return the real telemedicine data as of their last day, with all that alerts read."""
    place = tmp_path_factory.mktemp("alerts")
    outcome = dbt(telemedicine_raw, place, *BUILD, *clock(), areas="telehealth")
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(scope="module")
def hospital(lab, tmp_path_factory) -> Outcome:
    """Return the lab's hospital alone, as of now: a copy, to be written to."""
    database = tmp_path_factory.mktemp("hospital_alerts") / lab.database.name
    shutil.copy(lab.database, database)
    return replace(lab, database=database)


# What the models say


def test_real_data_give_exactly_the_eight_low_daily_counts(real):
    rows = real.query(
        "select area, alert_type, severity, metric, value from quality.alerts order by metric"
    )
    counts = [4, 3, 2, 6, 2, 4, 4, 5]
    assert rows == [
        ("telehealth", "few_appointments", "HIGH", f"appointments on 2025-03-{day}", count)
        for day, count in zip(range(22, 30), counts, strict=True)
    ]


def test_real_metrics_over_thirty_days_are_the_known_ones(real):
    found = {
        row[0]: row[1:]
        for row in real.query("select alert_type, value, n from quality.alert_metrics")
    }
    expected = {
        "low_completion": (0.781, 128),
        "high_cancellation": (0.078, 128),
        "technical_issues": (0.180, 128),
        "low_satisfaction": (3.152, 92),
    }
    for alert_type, (value, n) in expected.items():
        assert found[alert_type] == (pytest.approx(value, abs=5e-4), n), alert_type


def test_real_metrics_equal_an_independent_recomputation(real):
    import pandas as pd

    folder = shared_data("telemedicine")
    as_of = pd.Timestamp(AS_OF)
    visits = pd.read_csv(folder / "appointment_logs.csv", parse_dates=["appointment_date"])
    newest = pd.to_datetime(visits.timestamp)
    age = (as_of - newest[newest <= as_of].max()).total_seconds() / 3600
    day = as_of.normalize()
    visits = visits[visits.appointment_date.between(day - pd.Timedelta(days=30), day)]
    score = {"Excellent": 5, "Good": 4, "Fair": 3, "Poor": 2, "Very Poor": 1}
    expected = {
        "stale_appointments": age,
        "high_no_show": (visits.status == "No-show").mean(),
        "poor_connections": visits.connection_quality.map(score).mean(),
        "high_cancellation": (visits.status == "Cancelled").mean(),
        "technical_issues": visits.had_technical_issues.mean(),
    }
    found = dict(real.query("select alert_type, value from quality.alert_metrics"))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_clock_defaults_to_now_and_is_asked_when_alerts_are_read(hospital):
    """In whatever time zone the reader's session is."""
    query = """
        set TimeZone = 'Asia/Tokyo';
        select max(abs(epoch(as_of) - epoch(now()))) < 60 from quality.alert_metrics
    """
    assert hospital.query(query) == [(True,)]


def test_hospital_alone_gives_no_alert_of_telehealth(hospital):
    assert hospital.query("from quality.alerts where area = 'telehealth'") == []
    assert hospital.query("select distinct area from quality.alert_metrics") == [("warehouse",)]


@pytest.mark.system
def test_data_grow_old_without_a_build(dbt, real, telemedicine_raw):
    """Two days on, nothing is built but the clock is another: stale, and days without any."""
    place = real.database.parent
    models = ("run", "--select", "path:models/marts/quality/alerts")
    later = dbt(telemedicine_raw, place, *models, *clock("2025-04-20 00:00:00"), areas="telehealth")
    found = Counter(row[0] for row in later.query("select alert_type from quality.alerts"))
    again = dbt(telemedicine_raw, place, *models, *clock(), areas="telehealth")
    assert later.success, later.message
    assert again.success, again.message
    assert found["stale_appointments"] == 1
    assert found["day_without_appointments"] == 8


def test_every_type_of_the_seed_has_a_case_that_fires_and_one_that_does_not():
    folder = PROJECT / "models" / "marts" / "quality" / "alerts"
    units = yaml.safe_load((folder / "_alerts__unit_tests.yml").read_text())["unit_tests"]
    (table,) = [u for u in units if u["name"] == "alert_fires_beyond_its_threshold_and_not_at_it"]
    given = {(row["alert_type"], row["metric"]) for row in table["given"][1]["rows"]}
    fired = {(row["alert_type"], row["metric"]) for row in table["expect"]["rows"]}
    with (PROJECT / "seeds" / "reference" / "alert_thresholds.csv").open() as file:
        types = {row["alert_type"] for row in csv.DictReader(file)}
    models = "".join(path.read_text() for path in folder.rglob("*.sql"))
    assert fired == {(name, "beyond") for name in types}
    assert {(name, "at") for name in types} <= given
    assert {name for name in types if not re.search(rf"'{name}'", models)} == set()


def test_builds_are_remembered_with_nodes_and_sizes(real):
    builds = real.query(
        "select build_id, command, n_nodes, n_failed, duration_seconds from quality.builds "
        "order by started_at limit 1"
    )
    [(build, command, n_nodes, n_failed, seconds)] = builds
    assert (command, n_failed) == ("build", 0)
    assert 0 < seconds < 600
    nodes = real.query(f"select status from quality.node_runs where build_id = '{build}'")
    assert len(nodes) == n_nodes
    assert {status for (status,) in nodes} == {"success"}
    sizes = dict(
        real.query(
            "select relation_name, n_rows from quality.row_counts "
            f"where build_id = '{build}' and column_name is null"
        )
    )
    assert sizes["core.fct_appointments"] == 2000
    for name, size in sizes.items():
        assert real.query(f"select count(*) from {name}") == [(size,)], name
    watched = real.query(
        "select column_name, n_null from quality.row_counts "
        "where relation_name = 'staging.base_telehealth__appointment_logs' "
        f"and column_name is not null and build_id = '{build}' order by 1"
    )
    names = ["appointment_date", "patient_id", "provider_id", "scheduled_time"]
    assert watched == [(name, 0) for name in names]


def test_size_unlike_its_history_is_told(hospital):
    """Five earlier builds held twice the days that the newest one holds."""
    with duckdb.connect(str(hospital.database)) as connection:
        connection.execute(
            """
            insert into landing.builds by name
            select builds.* replace (
                build_id || n as build_id, started_at - to_days(n::integer) as started_at)
            from landing.builds as builds, range(1, 6) as numbers (n);
            insert into landing.row_counts by name
            select counts.* replace (build_id || n as build_id, n_rows * 2 as n_rows)
            from landing.row_counts as counts, range(1, 6) as numbers (n)
            where relation_name = 'core.dim_date';
            """
        )
    rows = hospital.query(
        "select area, alert_type, severity, metric from quality.alerts where area <> 'warehouse'"
    )
    expected = "rows of core.dim_date"
    assert rows == [("core", "row_count_anomaly", "MEDIUM", expected)]


def freshness(outcome: Outcome) -> dict[str, str]:
    """Return the verdicts on telehealth's feeds that people wait for; other areas have no data."""
    feeds = ("appointment_logs", "patient_feedback")
    return {feed: status for feed, status in outcome.statuses.items() if feed in feeds}


def test_source_freshness_lands_and_judges_but_is_no_build(dbt, telemedicine_raw, tmp_path):
    outcome = dbt(telemedicine_raw, tmp_path, "source", "freshness", areas="telehealth")
    assert freshness(outcome) == {"appointment_logs": "warn", "patient_feedback": "warn"}
    assert outcome.success, outcome.message
    assert outcome.query("select count(*) from landing.builds") == [(0,)]


def test_source_freshness_passes_on_data_of_today(dbt, tmp_path):
    raw = tmp_path / "raw" / "telehealth"
    raw.mkdir(parents=True)
    [(now,)] = duckdb.sql("select timezone('UTC', now())::timestamp(0)").fetchall()
    for path in shared_data("telemedicine").glob("*.csv"):
        lines = path.read_text().splitlines()[:3]
        if path.stem in ("appointment_logs", "patient_feedback"):
            lines[1] = f"{lines[1].rsplit(',', 1)[0]},{now}"
            lines[2] = f"{lines[2].rsplit(',', 1)[0]},no stamp at all"
        (raw / path.name).write_text("\n".join(lines) + "\n")
    outcome = dbt(raw.parent, tmp_path, "source", "freshness")
    assert freshness(outcome) == {"appointment_logs": "pass", "patient_feedback": "pass"}


# That people are told


class Mailbox:
    """An SMTP server that keeps what it is handed, and refuses whom it is told to refuse."""

    def __init__(self):
        self.messages, self.refused, self.busy = [], set(), 0

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: D102, N802
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: D102, N802
        if self.busy:
            self.busy -= 1
            return "451 busy"
        message = message_from_bytes(envelope.content, policy=email_policy)
        self.messages.append(
            (envelope.rcpt_tos, message, session.ssl is not None, session.auth_data)
        )
        return "250 OK"


@contextmanager
def mail_server(**options):
    mailbox = Mailbox()
    mailbox.port = options.pop("port", 0) or free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@contextmanager
def web_server(port=0):
    """Serve POST with the statuses listed, and 200 after them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.requests += 1
            time.sleep(self.server.pause)
            status = self.server.statuses.pop(0) if self.server.statuses else 200
            if status == 200:
                self.server.texts.append(json.loads(body)["text"])
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.statuses, server.texts, server.requests, server.pause = [], [], 0, 0
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def run(real, tmp_path, monkeypatch):
    """Return a function that runs the command on the real alerts, with settings."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments, database=real.database, **settings):
        for name in [name for name in os.environ if name.startswith("WARDHOUSE_ALERT_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("WARDHOUSE_DB", str(database))
        settings.setdefault("OUTBOX", tmp_path / "outbox.json")
        for name, value in settings.items():
            monkeypatch.setenv(f"WARDHOUSE_ALERT_{name}", str(value))
        result = CliRunner().invoke(app, ["alerts", "--pause", "0.01", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return command


def smtp(mailbox, **settings):
    values = {"HOST": "127.0.0.1", "PORT": mailbox.port, "FROM": "wardhouse@localhost.test"}
    values = {"TO": "lead@localhost.test", **values, **settings}
    return {f"SMTP_{name}": value for name, value in values.items()}


def waiting(tmp_path) -> dict[str, int]:
    pending = json.loads((tmp_path / "outbox.json").read_text())["pending"]
    return {name: len(alerts) for name, alerts in pending.items()}


def with_alerts(tmp_path, rows) -> Path:
    """Make a database whose quality.alerts holds rows of type, severity and metric."""
    path = tmp_path / "made.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists quality")
        connection.execute(
            "create or replace table quality.alerts (area varchar, alert_type varchar, severity "
            "varchar, message varchar, metric varchar, value double, threshold double, "
            "as_of timestamp)"
        )
        for alert_type, severity, metric in rows:
            connection.execute(
                "insert into quality.alerts "
                "values ('telehealth', ?, ?, ?, ?, 1, 2, now()::timestamp)",
                [alert_type, severity, f"{metric} <&> [red]", metric],
            )
    return path


def test_alerts_are_printed_and_high_ones_decide_the_exit_code(run, tmp_path):
    result = run()
    assert result.exit_code == 1
    assert result.stdout.count("HIGH") == 8
    words = " ".join(result.stdout.split())  # a narrow screen wraps
    assert "appointments on 2025-03-24: 2 (below 50)" in words
    assert not (tmp_path / "outbox.json").exists()
    medium = with_alerts(tmp_path, [("high_no_show", "MEDIUM", "no-show rate")])
    result = run(database=medium)
    assert result.exit_code == 0
    assert "no-show rate <&> [red]" in result.stdout
    result = run(database=with_alerts(tmp_path, []))
    assert (result.exit_code, result.stdout) == (0, "No alerts.\n")


def test_unreadable_alerts_are_told_from_high_ones(run, tmp_path, real):
    assert run(database=tmp_path / "none.duckdb").exit_code == 3
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    result = run(database=tmp_path / "empty.duckdb")
    assert (result.exit_code, "dbt build" in result.stderr) == (3, True)
    with holding(real.database) as process:
        result = run()
    assert (result.exit_code, f"in use by process {process.pid}" in result.stderr) == (3, True)


@pytest.mark.parametrize(
    "settings",
    [
        {"SMTP_HOST": "127.0.0.1"},
        {"SMTP_HOST": "127.0.0.1", "SMTP_FROM": "a@b", "SMTP_TO": "c@d", "SMTP_TLS": "yes"},
        {"SMTP_HOST": "127.0.0.1", "SMTP_FROM": "a@b", "SMTP_TO": "c@d", "SMTP_PORT": "x"},
        {"WEBHOOK_URL": "file:///etc/passwd"},
    ],
)
def test_settings_that_mean_nothing_are_refused(run, settings):
    result = run(**settings)
    assert (result.exit_code, "WARDHOUSE_ALERT_" in result.stderr) == (3, True)


def test_alerts_that_cannot_be_evaluated_are_told_from_high_ones(run, tmp_path):
    path = tmp_path / "broken.duckdb"
    names = ", ".join(f"'x'::integer::varchar as {name}" for name in telling.COLUMNS)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create schema quality; create view quality.alerts as select {names}")
    result = run(database=path)
    assert (result.exit_code, "quality.alerts" in result.stderr) == (3, True)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [("HIGH", 0), ("MEDIUM", 1), ("low", 1), ("none", 0), ("urgent", 3)],
)
def test_gate_says_from_which_severity_on_an_alert_exits_1(run, tmp_path, gate, expected):
    medium = with_alerts(tmp_path, [("high_no_show", "MEDIUM", "no-shows")])
    assert run("--gate", gate, database=medium).exit_code == expected


def test_gate_of_none_passes_high_alerts_but_no_failed_delivery(run, tmp_path):
    high = with_alerts(tmp_path, [("slow_build", "HIGH", "build")])
    nowhere = tmp_path / "nowhere" / "alerts.json"
    assert run("--gate", "none", database=high).exit_code == 0
    assert run("--gate", "none", database=high, FILE=nowhere).exit_code == 2


def test_mail_arrives_once_and_complete(run):
    with mail_server() as mailbox:
        first = run(**smtp(mailbox))
        second = run(**smtp(mailbox))
    assert (first.exit_code, second.exit_code) == (1, 1)
    [(receivers, message, _, _)] = mailbox.messages
    assert receivers == ["lead@localhost.test"]
    assert message["Subject"] == "Wardhouse: 8 alerts, 8 HIGH"
    assert message.get_content().count("few_appointments") == 8


def test_mail_is_tried_again_and_kept_while_the_server_is_down(run, tmp_path):
    with mail_server() as mailbox:
        mailbox.busy = 2
        assert run(**smtp(mailbox)).exit_code == 1
        assert len(mailbox.messages) == 1
    (tmp_path / "outbox.json").unlink()
    result = run(**smtp(mailbox))
    assert result.exit_code == 2
    assert "3 attempts, not delivered, kept for the next run" in result.stdout
    assert waiting(tmp_path) == {"email:lead@localhost.test": 8}
    with mail_server(port=mailbox.port) as again:
        assert run(**smtp(again)).exit_code == 1
        assert run(**smtp(again)).exit_code == 1
    assert len(again.messages) == 1
    assert waiting(tmp_path) == {}


def test_one_bad_address_costs_the_others_nothing(run, tmp_path):
    to = "gone@localhost.test, lead@localhost.test"
    with mail_server() as mailbox:
        mailbox.refused.add("gone@localhost.test")
        assert run(**smtp(mailbox, TO=to)).exit_code == 2
        assert run(**smtp(mailbox, TO=to)).exit_code == 2
        assert waiting(tmp_path) == {"email:gone@localhost.test": 8}
        result = run(**smtp(mailbox))
    assert [receivers for receivers, *_ in mailbox.messages] == [["lead@localhost.test"]]
    assert "8 alerts wait for email:gone@localhost.test, which is not configured" in result.stdout


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """Return a certificate of 127.0.0.1 that nobody signed, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificate, is not here")
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_login_goes_over_starttls_only_and_certificates_are_checked(
    run, certificate, monkeypatch, tmp_path
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def authenticate(server, session, envelope, mechanism, data):
        is_known = (data.login, data.password) == (b"ward", b"secret")
        return AuthResult(success=is_known, handled=False)

    login = {"USER": "ward", "PASSWORD": "secret"}
    with mail_server(
        tls_context=context,
        authenticator=authenticate,
        auth_required=True,
    ) as mailbox:
        untrusted = run(**smtp(mailbox, **login))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        wrong = run(**smtp(mailbox, **login | {"PASSWORD": "guess"}))
        right = run(**smtp(mailbox, **login, TLS="starttls"))
    assert (untrusted.exit_code, "CERTIFICATE_VERIFY_FAILED" in untrusted.stdout) == (2, True)
    assert (wrong.exit_code, "1 attempts" in wrong.stdout) == (2, True), wrong.stdout
    assert "guess" not in wrong.output
    assert right.exit_code == 1
    [(_, _, is_encrypted, _)] = mailbox.messages
    assert is_encrypted
    (tmp_path / "outbox.json").unlink()
    with mail_server() as plain:
        result = run(**smtp(plain, **login))
        assert (result.exit_code, "no TLS for the login" in result.stdout) == (2, True)
        assert run(**smtp(plain, TLS="starttls")).exit_code == 2
    assert plain.messages == []


def test_webhook_is_tried_again_kept_and_told_once(run, tmp_path):
    with web_server() as server:
        server.statuses = [500, 503]
        assert run(WEBHOOK_URL=server.url).exit_code == 1
        assert (server.requests, len(server.texts)) == (3, 1)
        assert server.texts[0].count("few_appointments") == 8
        (tmp_path / "outbox.json").unlink()
        server.statuses = [500, 500, 500]
        result = run(WEBHOOK_URL=server.url)
        assert (result.exit_code, "500" in result.stdout) == (2, True)
    assert run(WEBHOOK_URL=server.url).exit_code == 2  # down
    assert waiting(tmp_path) == {"webhook": 8}
    with web_server(server.server_port) as again:
        assert run(WEBHOOK_URL=again.url).exit_code == 1
        assert run(WEBHOOK_URL=again.url).exit_code == 1
    assert (again.requests, again.texts[0].count("few_appointments")) == (1, 8)


@pytest.mark.parametrize("status", [302, 404])
def test_webhook_that_refuses_is_not_pressed(run, tmp_path, status):
    with web_server() as server:
        server.statuses = [status]
        result = run(WEBHOOK_URL=server.url)
    assert (result.exit_code, server.requests, waiting(tmp_path)) == (2, 1, {"webhook": 8})
    assert "hook" not in result.stdout.replace("webhook", "")  # the address may hold a secret


def test_what_has_gone_is_still_told_and_what_comes_back_is_told_anew(run, tmp_path):
    noshow, slow = ("high_no_show", "MEDIUM", "no-shows"), ("slow_build", "HIGH", "build")
    with web_server() as server:
        server.statuses = [404]
        run(database=with_alerts(tmp_path, [noshow]), WEBHOOK_URL=server.url)
        run(database=with_alerts(tmp_path, [slow]), WEBHOOK_URL=server.url)
        run(database=with_alerts(tmp_path, [slow]), WEBHOOK_URL=server.url)
        run(database=with_alerts(tmp_path, []), WEBHOOK_URL=server.url)
        run(database=with_alerts(tmp_path, [slow, noshow]), WEBHOOK_URL=server.url)
    told = [sorted(re.findall("no-shows|build &lt;", text)) for text in server.texts]
    assert told == [["build &lt;", "no-shows"], ["build &lt;", "no-shows"]]


def test_file_holds_what_stands(run, tmp_path):
    path = tmp_path / "alerts.json"
    assert run(FILE=path).exit_code == 1
    assert run(FILE=path).exit_code == 1
    rows = json.loads(path.read_text())
    assert len(rows) == 8
    assert set(rows[0]) == set(telling.COLUMNS)
    assert run(FILE=path, database=with_alerts(tmp_path, [])).exit_code == 0
    assert json.loads(path.read_text()) == []
    assert run(FILE=tmp_path / "nowhere" / "alerts.json").exit_code == 2
    assert waiting(tmp_path) == {"file": 8}
    assert run(FILE=path, database=with_alerts(tmp_path, [])).exit_code == 0
    assert len(json.loads(path.read_text())) == 8
    assert waiting(tmp_path) == {}


def test_nothing_is_lost_when_the_process_dies_while_sending(run, tmp_path, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(alert_channels, "post_webhook", die)
    assert run(WEBHOOK_URL="http://127.0.0.1:9/hook").exit_code == 130
    assert waiting(tmp_path) == {"webhook": 8}


def test_damaged_outbox_is_kept_and_alerts_go_out(run, tmp_path):
    (tmp_path / "outbox.json").write_text('{"pending": ')
    assert run(FILE=tmp_path / "alerts.json").exit_code == 1
    [kept] = tmp_path.glob("outbox.json.damaged-*")
    assert kept.read_text() == '{"pending": '


def test_backoff_doubles():
    pauses = []

    def fail(_):
        raise OSError("down")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling.time, "sleep", pauses.append)
        delivery = telling._attempt(telling.Channel("x", fail), [], 4, 0.5)
    assert (pauses, delivery.n_attempts, delivery.error) == ([0.5, 1, 2], 4, "OSError: down")


# That receivers which are broken or hostile cost the others nothing and learn nothing

TOKEN = "T0K3N/marker"
MAIL = {"SMTP_HOST": "127.0.0.1", "SMTP_FROM": "ward@a.test", "SMTP_TO": "lead@a.test"}


@contextmanager
def raw_server(answer):
    """Accept connections, and let `answer` do what no proper server does with each."""
    connections = []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed: the test is over
                return
            connections.append(connection)
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    def attend(connection):
        with connection, suppress(OSError):  # the other side hangs up
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(None)
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], connections
        server.shutdown(socket.SHUT_RDWR)


def read_request(connection):
    request = b""
    while not request.endswith(b"}"):
        request += connection.recv(65536)


def answer_garbage(connection):
    read_request(connection)
    connection.sendall(f"you sent {TOKEN} to no web server\r\n\r\n".encode())


def answer_drip(connection):
    """Keep every single read within its timeout, and never come to an end."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def answer_nothing(connection):
    read_request(connection)


def answer_halfway(connection):
    read_request(connection)
    connection.sendall(f"HTTP/1.1 500 {TOKEN}\r\nX-Token: {TOKEN}".encode())


@pytest.fixture
def tell(tmp_path):
    """Return a function that starts the command as a process of its own, with settings."""
    database = with_alerts(tmp_path, [("slow_build", "HIGH", "build")])
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WARDHOUSE_") and not name.lower().endswith("_proxy")
    }

    def start(*arguments, environment=None, **settings):
        settings.setdefault("OUTBOX", tmp_path / "outbox.json")
        named = {f"WARDHOUSE_ALERT_{name}": str(value) for name, value in settings.items()}
        return subprocess.Popen(
            [sys.executable, "-m", "wardhouse.cli", "alerts", "--pause", "0.01", *arguments],
            env=inherited | {"WARDHOUSE_DB": str(database)} | named | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def ended(process, seconds=30) -> tuple[int, str]:
    """Return exit code and output of a process that must end by itself."""
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, output


def assert_hidden(output, tmp_path, *secrets):
    texts = [output, *(path.read_text() for path in tmp_path.rglob("*.json*") if path.is_file())]
    for secret in (TOKEN, *TOKEN.split("/"), *secrets):
        assert [text for text in texts if secret in text] == []
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answer_garbage, "3 attempts, not delivered, .* answer is not HTTP"),
        in_system(answer_drip, "1 attempts, not delivered, .* no complete answer in time"),
        (answer_nothing, "3 attempts, not delivered, .* closes without an answer"),
        (answer_halfway, "3 attempts, not delivered, .* answers 500"),
    ],
)
def test_broken_webhook_keeps_its_token_and_costs_the_others_nothing(tell, tmp_path, answer, says):
    path = tmp_path / "alerts.json"
    with raw_server(answer) as (port, _):
        url = f"http://127.0.0.1:{port}/hook/{TOKEN}"
        code, output = ended(tell("--deadline", "4", WEBHOOK_URL=url, FILE=path))
    assert code == 2
    assert re.search(f"webhook: 1 alerts, {says}", output), output
    assert_hidden(output, tmp_path)
    assert len(json.loads(path.read_text())) == 1
    assert waiting(tmp_path) == {"webhook": 1}


def test_webhook_that_leads_to_another_host_is_not_followed(tell, tmp_path):
    with raw_server(answer_nothing) as (elsewhere, connections):

        def answer_elsewhere(connection):
            read_request(connection)
            place = f"http://127.0.0.1:{elsewhere}/hook/{TOKEN}"
            connection.sendall(f"HTTP/1.1 307 Moved\r\nLocation: {place}\r\n\r\n".encode())

        with raw_server(answer_elsewhere) as (port, _):
            url = f"http://127.0.0.1:{port}/hook/{TOKEN}"
            code, output = ended(tell(WEBHOOK_URL=url))
    assert (code, connections, waiting(tmp_path)) == (2, [], {"webhook": 1})
    assert "the webhook answers 307" in output
    assert_hidden(output, tmp_path)


@pytest.mark.system
def test_mail_server_that_drips_costs_the_receivers_behind_it_nothing(tell, tmp_path):
    def drip(connection):
        while True:
            connection.sendall(b"2")
            time.sleep(0.1)

    with raw_server(drip) as (port, _), web_server() as server:
        settings = {**MAIL, "SMTP_PORT": port, "WEBHOOK_URL": server.url}
        code, output = ended(tell("--deadline", "4", **settings))
    assert (code, len(server.texts), waiting(tmp_path)) == (2, 1, {"email:lead@a.test": 1})
    assert "no complete answer in time" in output


@pytest.mark.system
def test_deadline_covers_all_receivers_together(tell, tmp_path):
    """Each of twenty receivers has its share, so that the last one is told, too."""
    everybody = ",".join(f"r{number}@a.test" for number in range(19))
    with raw_server(lambda connection: time.sleep(60)) as (port, _), web_server() as server:
        settings = {**MAIL, "SMTP_TO": everybody, "SMTP_PORT": port, "WEBHOOK_URL": server.url}
        started = time.monotonic()
        code, output = ended(tell("--deadline", "4", **settings))
        seconds = time.monotonic() - started
    assert (code, len(server.texts), len(waiting(tmp_path))) == (2, 1, 19)
    assert seconds < 20, output


def test_outbox_that_fails_after_a_delivery_costs_the_receivers_behind_it_nothing(tell, tmp_path):
    path, folder = tmp_path / "alerts.json", tmp_path / "state"

    def answer(connection):
        read_request(connection)
        shutil.rmtree(folder)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with raw_server(answer) as (port, _):
        url = f"http://127.0.0.1:{port}/hook/{TOKEN}"
        process = tell(WEBHOOK_URL=url, FILE=path, OUTBOX=folder / "outbox.json")
        code, output = ended(process)
    assert code == 2
    assert "webhook: 1 alerts, 1 attempts, delivered but not recorded, kept for the" in output
    assert len(json.loads(path.read_text())) == 1
    assert_hidden(output, tmp_path)


@pytest.mark.parametrize("stage", in_fast_suite(["login", "receiver"], "login"))
def test_mail_server_that_echoes_the_login_is_not_quoted(tell, tmp_path, stage):
    secret = TOKEN.split("/")[0]
    encoded = base64.b64encode(f"\0ward\0{TOKEN}".encode()).decode()

    class Echo(Mailbox):
        async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
            return f"550 5.1.1 no mailbox for {TOKEN} {encoded}"

    def authenticate(server, session, envelope, mechanism, data):
        message = f"535 5.7.8 {TOKEN} {encoded} is wrong"
        return AuthResult(success=stage == "receiver", handled=False, message=message)

    controller = Controller(
        Echo(),
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=authenticate,
        auth_require_tls=False,
    )
    controller.start()
    login = {"SMTP_USER": "ward", "SMTP_PASSWORD": TOKEN, "SMTP_TLS": "none"}
    try:
        code, output = ended(tell(**MAIL, **login, SMTP_PORT=controller.port))
    finally:
        controller.stop()
    answer = {"login": "535 5.7.8", "receiver": "550 5.1.1"}[stage]
    assert (code, f"the mail server answers {answer}" in output) == (2, True), output
    assert_hidden(output, tmp_path, secret, encoded)


def test_mail_server_that_speaks_something_else_is_not_quoted(tell, tmp_path):
    with raw_server(lambda connection: connection.sendall(f"{TOKEN}\r\n".encode())) as (port, _):
        code, output = ended(tell(**MAIL, SMTP_PORT=port))
    assert (code, "answer is not SMTP" in output) == (2, True), output
    assert_hidden(output, tmp_path)


@pytest.mark.parametrize(
    ("named", "settings"),
    [
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"http://127.0.0.1:9/{TOKEN}\n"}),
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"https://127.0.0.1:9/{TOKEN} x"}),
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"https://127.0.0.1:9/{TOKEN}/é"}),
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"https://ward:{TOKEN.split('/')[0]}@127.0.0.1:9/"}),
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"https://127.0.0.1:{TOKEN}"}),
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"https://[{TOKEN}"}),
        ("WEBHOOK_URL", {"WEBHOOK_URL": f"https:///{TOKEN}"}),
        ("ALLOW_PLAINTEXT", {"WEBHOOK_URL": f"http://192.0.2.1/{TOKEN}"}),
        ("ALLOW_PLAINTEXT", {"WEBHOOK_URL": f"http://127.0.0.1.a.test/{TOKEN}"}),
        ("ALLOW_PLAINTEXT", {"WEBHOOK_URL": "https://a.test/", "ALLOW_PLAINTEXT": "perhaps"}),
        ("ALLOW_PLAINTEXT", {**MAIL, "SMTP_HOST": "192.0.2.1", "SMTP_TLS": "none"}),
        ("SMTP_PASSWORD", {**MAIL, "SMTP_USER": "ward", "SMTP_PASSWORD": f"{TOKEN}\n"}),
        ("SMTP_PASSWORD", {**MAIL, "SMTP_USER": "ward", "SMTP_PASSWORD": f"{TOKEN}é"}),
        ("SMTP_HOST", {**MAIL, "SMTP_HOST": "127.0.0.1\r\n"}),
        ("SMTP_FROM", {**MAIL, "SMTP_FROM": "ward@a.test\nBcc: all@a.test"}),
        ("SMTP_TO", {**MAIL, "SMTP_TO": "lead@a.test, lead@"}),
        ("SMTP_PORT", {**MAIL, "SMTP_PORT": "70000"}),
    ],
)
def test_settings_are_checked_before_anything_is_sent(run, tmp_path, named, settings):
    with web_server() as server:
        result = run(**{"WEBHOOK_URL": server.url, "FILE": tmp_path / "alerts.json", **settings})
    assert (result.exit_code, server.requests) == (3, 0)
    assert f"WARDHOUSE_ALERT_{named}" in result.stderr
    assert_hidden(result.output, tmp_path)
    assert list(tmp_path.glob("*.json*")) == []


def test_plain_text_over_the_network_needs_a_yes(run, tmp_path):
    """0.0.0.0 leads to this machine, but is no loopback address."""
    database = with_alerts(tmp_path, [("slow_build", "HIGH", "build")])
    with web_server() as server, mail_server() as mailbox:
        url = server.url.replace("127.0.0.1", "0.0.0.0")
        mail = smtp(mailbox, HOST="0.0.0.0")
        assert run(database=database, WEBHOOK_URL=url).exit_code == 3
        refused = run(database=database, **mail)
        assert (refused.exit_code, "ALLOW_PLAINTEXT=1" in refused.stdout) == (2, True)
        assert (server.requests, mailbox.messages) == (0, [])
        told = run(database=database, WEBHOOK_URL=url, ALLOW_PLAINTEXT="1", **mail)
    assert (told.exit_code, server.requests, len(mailbox.messages)) == (1, 1, 1)


def test_webhook_on_loopback_passes_by_any_proxy(tell):
    proxy = f"http://127.0.0.1:{free_port()}"
    with web_server() as server:
        process = tell(WEBHOOK_URL=server.url, environment={"http_proxy": proxy})
        assert (ended(process)[0], len(server.texts)) == (1, 1)


def test_two_at_once_tell_once(tell):
    with web_server() as server:
        server.pause = 0.5
        processes = [tell(WEBHOOK_URL=server.url) for _ in range(3)]
        assert [ended(process)[0] for process in processes] == [1, 1, 1]
    assert len(server.texts) == 1


@pytest.mark.parametrize(
    ("file_mode", "modes"),
    [
        (None, (0o600, 0o700)),
        in_system("0640", (0o640, 0o750)),
    ],
)
def test_alert_file_and_outbox_are_private(tell, tmp_path, file_mode, modes):
    folder = tmp_path / "state"
    files = {"FILE": tmp_path / "alerts.json", "OUTBOX": folder / "outbox.json"}
    environment = {"WARDHOUSE_FILE_MODE": file_mode} if file_mode else {}
    mask = os.umask(0o022)
    try:
        with web_server() as server:
            server.statuses = [404, 404]
            for _ in range(2):
                url = server.url
                process = tell(WEBHOOK_URL=url, environment=environment, **files)
                assert ended(process)[0] == 2
    finally:
        os.umask(mask)
    paths = (*files.values(), folder / "outbox.json.lock", folder)
    found = [path.stat().st_mode & 0o7777 for path in paths]
    assert found == [modes[0], modes[0], modes[0], modes[1]]


def test_file_mode_that_is_open_to_all_stops_before_anything_is_sent(tell, tmp_path):
    with web_server() as server:
        process = tell(WEBHOOK_URL=server.url, environment={"WARDHOUSE_FILE_MODE": "0644"})
        code, output = ended(process)
    assert (code, server.requests) == (3, 0)
    assert "WARDHOUSE_FILE_MODE is '0644': set 0600" in output
