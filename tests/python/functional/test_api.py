"""The API: what it answers of a version, to whom, and what it makes of requests that are wrong."""

import asyncio
import fcntl
import hmac
import json
import logging
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from urllib.parse import quote

import pytest
import schemathesis
from asking import KEYS, ROUTES, TABLES, ask, write_version
from builds import environment
from hypothesis import HealthCheck, Phase, given, settings
from typer.testing import CliRunner
from wardhouse.api import application as application_module
from wardhouse.api import keys as keys_module
from wardhouse.api.application import LARGEST_BODY, LOOPBACK, Application, Limits
from wardhouse.api.buckets import Buckets
from wardhouse.api.keys import Doorkeeper, KeysError, add_key, read_keys, remove_key
from wardhouse.api.server import ServeError, check_name, listen, log_to_stderr, routes
from wardhouse.bench.ports import free_port
from wardhouse.cli import app as command_line
from wardhouse.publish.versions import PublishError, locked
from wardhouse.routes import Route

MEMORY = "500MB"
FORM = "application/x-www-form-urlencoded"
PUBLIC = "wardhouse.example.org"


def serve(folder, doorkeeper=None, audience="internal", served=ROUTES, **limits):
    return Application(folder, audience, served, doorkeeper, MEMORY, Limits(**limits))


@contextmanager
def living(api, monkeypatch):
    """Let an application look for keys and versions as it does while a server runs."""
    monkeypatch.setattr(application_module, "EVERY_SECONDS", 0.02)
    started, ending = threading.Event(), threading.Event()

    async def receive():
        if started.is_set():
            await asyncio.to_thread(ending.wait)
        return {}

    async def send(message):
        started.set()

    life = threading.Thread(target=lambda: asyncio.run(api({"type": "lifespan"}, receive, send)))
    life.start()
    assert started.wait(10)
    try:
        yield
    finally:
        ending.set()
        life.join()


def comes_true(fact):
    """Wait for what another thread does."""
    until = time.monotonic() + 10
    while not fact():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("published")
    write_version(place, TABLES)
    return place


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Return the file of keys, and each key by the name of its holder."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, {name: add_key(path, name, scopes, None) for name, scopes in KEYS.items()}


@pytest.fixture(scope="module")
def api(folder, keys):
    return serve(folder, Doorkeeper(keys[0]), rate=1e6, burst=10**6)


@pytest.fixture(scope="module")
def read(api, keys):
    """Return a function that asks as a reader, and gives what was answered."""
    return lambda target, **more: ask(api, target, keys[1]["reader"], **more)


# Answers ------------------------------------------------------------------------------------------


def names(answer):
    return [row["name"] for row in answer.told["items"]]


def test_list_is_paged_in_the_published_order(read):
    first, second = read("/v1/wards?size=30"), read("/v1/wards?size=30&page=2")
    assert first.told["version"] == first.headers["snapshot-version"] == "000001"
    assert (first.told["total"], first.told["page"], first.told["size"]) == (50, 1, 30)
    assert [row["n_stays"] for row in first.told["items"] + second.told["items"]] == [*range(50)]
    assert read("/v1/wards?page=1000000").told["items"] == []
    assert len(read("/v1/wards").told["items"]) == 20


def test_values_are_what_json_can_hold(read):
    row = read("/v1/wards?min_n_stays=4&max_n_stays=4").told["items"][0]
    assert row == {
        "ward": "ward A",
        "name": "W4",
        "n_stays": 4,
        "cost": 6.0,
        "rate": None,
        "is_open": True,
        "day": "2026-01-05",
        "seen_at": "2026-01-01T14:00:00.250000Z",
        "ward_key": "9007199254740997",
        "counts": [4, 4],
        "written_in": 1,
    }


def test_filters_sorts_and_ranges_agree_with_a_plain_reading(read):
    everything = [*read("/v1/wards?size=100").told["items"]]
    asked = read("/v1/wards?size=100&ward=WARD%20b&is_open=false&min_cost=10&max_cost=60.5")
    kept = [
        row["name"]
        for row in everything
        if row["ward"] == "ward B" and not row["is_open"] and 10 <= (row["cost"] or 0) <= 60.5
    ]
    assert len(kept) > 3
    assert names(asked) == kept
    down = [row["cost"] for row in read("/v1/wards?size=100&sort=-cost").told["items"]]
    known = sorted((row["cost"] for row in everything if row["cost"] is not None), reverse=True)
    assert down == known + [None] * (50 - len(known))
    days = read("/v1/wards?min_day=2026-01-10&max_day=2026-01-11&sort=-day")
    assert [row["day"] for row in days.told["items"]] == ["2026-01-11", "2026-01-10"]
    late = read("/v1/wards?min_seen_at=2026-01-03T12:30:00%2B02:00")
    assert late.told["items"][0]["seen_at"] == "2026-01-03T11:00:00.250000Z"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("dr.%20a.%20b%27ohm", "Dr. A. B'Ohm"),
        ("DR. A. B'OHM".replace(" ", "%20"), "Dr. A. B'Ohm"),
        ("%20zo%C3%AB%20", "Zoë"),
        ("ZOE%CC%88", "Zoë"),
        ("a%2Fb%20%22C%22", 'a/b "c"'),
    ],
)
def test_one_is_found_by_its_name_in_any_case(read, written, name):
    for path in ("/v1/wards", "/wards"):
        assert read(f"{path}/{written}").told["item"]["name"] == name


def test_unchanged_answers_are_not_sent_again(api, read, folder):
    plain, packed = read("/v1/wards"), read("/v1/wards", accept_encoding="br, gzip;q=0.5")
    assert packed.told == plain.told
    assert len(packed.body) < len(plain.body) / 3
    assert packed.headers["etag"] != plain.headers["etag"]
    for held in (plain.headers["etag"], packed.headers["etag"], f'"x", W/{plain.headers["etag"]}'):
        again = read("/v1/wards", if_none_match=held)
        assert (again.status, again.body) == (304, b"")
    assert read("/v1/wards?page=2", if_none_match=plain.headers["etag"]).status == 200
    assert "content-encoding" not in read("/v1/wards", accept_encoding="gzip;q=0").headers


def test_every_answer_carries_what_browsers_need_to_be_careful(api, read):
    for answer in (read("/v1/wards"), read("/nothing"), ask(api, "/v1/wards"), ask(api, "/login")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in ("private, no-cache", "no-store")


def test_table_that_is_not_there_says_why(read):
    gone = read("/v1/gone")
    assert gone.status == read("/v1/gone/x").status == 404
    why = "version 000001 has none for internal readers: it was not built"
    assert gone.told["detail"] == why
    assert read("/v1/now").told["detail"].startswith("no stream publishes here")


def test_what_streams_leave_is_answered_to_internal_readers_alone(folder, keys, tmp_path):
    place = tmp_path / "published"
    write_version(place, TABLES, ("internal", "shared"))
    live = {"clinic.now": "select 'Ward 1' as ward, {version} as census"}
    internal = serve(place, Doorkeeper(None))
    assert ask(internal, "/v1/now").status == 404
    for number in (1, 2):
        write_version(place / "live", live)
        internal.refresh()
        told = ask(internal, "/v1/now?ward=ward%201").told
        assert (told["total"], told["items"][0]["census"]) == (1, number)
    shared = ask(serve(place, Doorkeeper(None), "shared"), "/v1/now")
    assert (shared.status, shared.told["detail"]) == (
        404,
        "what is live is for internal readers alone",
    )


def test_page_and_description_need_no_network(read):
    page = read("/docs").body.decode()
    assert "/v1/wards/{name}" in page
    assert "min_seen_at" in page
    assert "//" not in page.replace("<!doctype", "")
    schema = read("/openapi.json").told
    wards = schema["paths"]["/v1/wards"]["get"]
    rows = wards["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["items"]
    assert rows["items"]["properties"]["cost"]["type"] == ["number", "null"]
    for path, methods in schema["paths"].items():
        assert {"401", "403", "404", "422", "429"} <= methods["get"]["responses"].keys(), path


# Who may ask --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "scope"),
    [
        ("/v1/wards", "read"),
        ("/wards/zoë".replace("ë", "%C3%AB"), "read"),
        ("/v1/patients", "patients"),
        ("/v1/patients/clinic/people", "patients"),
        ("/metrics", "metrics"),
        ("/openapi.json", "read"),
        ("/docs", "read"),
        ("/health", None),
        ("/ready", None),
    ],
)
def test_each_route_asks_for_its_scope(api, keys, target, scope):
    for holder, scopes in KEYS.items():
        expected = 200 if scope is None or scope in scopes else 403
        assert ask(api, target, keys[1][holder]).status == expected, holder
        bearer = ask(api, target, authorization=f"Bearer {keys[1][holder]}")
        assert bearer.status == expected
    for wrong in (None, "wh_", "x" * 43, keys[1]["reader"][:-1], "\xff"):
        answer = ask(api, target, wrong)
        assert answer.status == (200 if scope is None else 303 if target == "/docs" else 401)
        if answer.status == 401:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.told["title"] == "Unauthorized"


def test_patients_are_there_only_where_they_are_published(api, keys, tmp_path):
    told = ask(api, "/v1/patients", keys[1]["nurse"]).told
    assert told["items"] == ["/v1/patients/clinic/people"]
    people = ask(api, "/v1/patients/clinic/people?patient_key=f7", keys[1]["nurse"]).told
    assert people["items"] == [{"patient_key": "f7", "offer": "yes"}]
    kept = ask(api, "/v1/patients/clinic/people", keys[1]["nurse"]).headers["cache-control"]
    assert kept == "no-store"
    write_version(tmp_path / "published", {"clinic.wards": WARDS_ONLY})
    without = serve(tmp_path / "published", Doorkeeper(None))
    assert ask(without, "/v1/patients").status == 404
    assert ask(without, "/v1/patients/clinic/people").status == 404


WARDS_ONLY = TABLES["clinic.wards"]


def test_keys_are_hashes_in_a_private_file_and_compared_in_constant_time(keys, monkeypatch):
    path, tokens = keys
    assert path.stat().st_mode & 0o777 == 0o600
    written = path.read_text()
    assert not any(token in written or token[3:] in written for token in tokens.values())
    compared = []

    def counted(first, second):
        compared.append((first, second))
        return hmac.compare_digest(first, second)

    doorkeeper = Doorkeeper(path)
    monkeypatch.setattr(keys_module, "hmac", type("Counting", (), {"compare_digest": counted}))
    assert doorkeeper.holder(tokens["reader"]).name == "reader"
    assert len(compared) == len(KEYS), "a comparison that ends early tells which key was near"


def test_server_takes_keys_as_they_change(folder, tmp_path):
    path = tmp_path / "keys.json"
    token = add_key(path, "first", ["read"], None)
    api = serve(folder, Doorkeeper(path))
    late = add_key(path, "late", ["read"], datetime.now(UTC) + timedelta(days=1))
    over = add_key(path, "over", ["read"], datetime.now(UTC) - timedelta(seconds=1))
    assert ask(api, "/v1/wards", late).status == 401
    api.refresh()
    assert ask(api, "/v1/wards", late).status == 200
    assert ask(api, "/v1/wards", over).status == 401
    remove_key(path, "first")
    api.refresh()
    assert ask(api, "/v1/wards", token).status == 401
    path.unlink()
    api.refresh()
    assert ask(api, "/v1/wards", late).status == 401


def lead_in_a_circle(path):
    path.unlink()
    path.symlink_to(path.name)


def be_a_folder(path):
    path.unlink()
    path.mkdir(mode=0o700)


def change(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


SPOILT = [
    (lambda path: path.write_text("{"), "holds no keys"),
    (lambda path: path.write_text('{"keys": [{}], "secret": ""}'), "holds no keys"),
    (lambda path: path.write_text('{"keys": [], "secret": 1}'), "holds no keys"),
    (lambda path: path.write_text("[" * 100_000), "holds no keys"),
    (lambda path: change(path, '"anna"', "7"), "holds no keys"),
    (lambda path: change(path, "null", '"2999-01-01"'), "holds no keys"),
    (lambda path: path.chmod(0o644), "is open to all"),
    (lead_in_a_circle, "cannot be read"),
    (be_a_folder, "cannot be read"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILT)
def test_file_of_keys_that_cannot_be_trusted_lets_nobody_in(
    folder, tmp_path, caplog, spoil, message
):
    """Before the server starts, and, told once, while it runs: a removed key must not stay open."""
    path = tmp_path / "keys.json"
    token = add_key(path, "anna", ["read"], None)
    right = path.read_text()
    api = serve(folder, Doorkeeper(path))
    spoil(path)
    with pytest.raises(KeysError, match=message):
        read_keys(path)
    for _ in range(3):
        api.refresh()
    assert ask(api, "/v1/wards", token).status == 401
    [record] = caplog.records
    assert message in record.getMessage()
    path.rmdir() if path.is_dir() else path.unlink()
    path.touch(0o600)
    path.write_text(right)
    api.refresh()
    assert ask(api, "/v1/wards", token).status == 200


def test_file_of_keys_may_be_a_link(tmp_path):
    """It is written through: whoever reads the file by its own name sees the same keys."""
    link, path = tmp_path / "here" / "keys.json", tmp_path / "there" / "keys.json"
    link.parent.mkdir()
    link.symlink_to("../there/keys.json")
    token = add_key(link, "anna", ["read"], None)
    assert link.is_symlink()
    assert Doorkeeper(path).holder(token).name == "anna"
    doorkeeper = Doorkeeper(link)
    remove_key(path, "anna")
    doorkeeper.refresh()
    assert doorkeeper.holder(token) is None


def test_keys_that_cannot_be_written_say_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KeysError, match=r"cannot be (read|written): Not a directory"):
        add_key(tmp_path / "file" / "keys.json", "anna", ["read"], None)


def test_browser_logs_in_once(api, keys):
    sent = {"method": "POST", "content_type": FORM}
    wrong = ask(api, "/login", pieces=[b"key=no"], **sent)
    assert (wrong.status, "set-cookie" in wrong.headers) == (401, False)
    right = ask(api, "/login", pieces=[b"key=", keys[1]["reader"].encode()], **sent)
    assert (right.status, right.headers["location"]) == (303, "/docs")
    cookie = SimpleCookie(right.headers["set-cookie"])["wardhouse_session"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "strict")
    held = f"wardhouse_session={cookie.value}"
    assert ask(api, "/v1/wards", cookie=held).status == 200
    assert ask(api, "/v1/patients", cookie=held).status == 403
    for forged in (held[:-1], held.replace(".", "x"), "wardhouse_session=a.b.c", "a=\x01;;"):
        assert ask(api, "/v1/wards", cookie=forged).status == 401
    for elsewhere in (
        {"origin": "https://evil.example"},
        {"origin": "http://["},
        {"origin": f"https://{PUBLIC}"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none", "origin": "https://evil.example"},
    ):
        login = ask(api, "/login", pieces=[b"key=x"], **sent, **elsewhere)
        assert login.status == 403
    assert ask(api, "/login", pieces=[b"{}"], method="POST", content_type="text/json").status == 415


def test_who_asks_too_often_waits(folder, keys):
    api = serve(folder, Doorkeeper(keys[0]), rate=0.001, burst=3)
    reader, nurse = keys[1]["reader"], keys[1]["nurse"]
    assert [ask(api, "/v1/wards", reader).status for _ in range(4)] == [200, 200, 200, 429]
    refused = ask(api, "/v1/wards", reader)
    assert int(refused.headers["retry-after"]) > 900
    assert ask(api, "/v1/wards", nurse).status == 200
    assert [ask(api, "/v1/wards").status for _ in range(4)] == [401, 401, 401, 429]
    assert ask(api, "/v1/wards", "wh_wrong").status == 429
    assert ask(api, "/health").status == 200
    assert ask(api, "/login").status == 200, "who logs in waits for nobody who has no key"


def test_each_address_behind_a_proxy_has_its_bucket(folder, keys):
    def asked(api, *told):
        return ask(api, "/v1/wards", x_forwarded_for=", ".join(told)).status

    api = serve(folder, Doorkeeper(keys[0]), rate=0.001, burst=1, name=PUBLIC)
    assert [asked(api, "192.0.2.1") for _ in range(2)] == [401, 429]
    assert asked(api, "192.0.2.9", "192.0.2.1") == 429, "only what the proxy added counts"
    assert asked(api, "192.0.2.1", "192.0.2.2") == 401
    assert [asked(api, told) for told in ("no address", "neither")] == [401, 429]
    alone = serve(folder, Doorkeeper(keys[0]), rate=0.001, burst=1)
    assert [asked(alone, told) for told in ("192.0.2.1", "192.0.2.2")] == [401, 429]


def test_bucket_is_refilled_as_time_goes():
    now = [0.0]
    buckets = Buckets(2, 4, clock=lambda: now[0])
    assert [buckets.wait("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    now[0] = 1
    assert [buckets.wait("a") for _ in range(3)] == [0, 0, 1]


def test_buckets_of_many_addresses_are_forgotten_one_by_one():
    """An emptied bucket outlasts all that gave nothing for longer; without a limit none goes."""
    few, all_kept = (Buckets(0.001, 2, most, clock=lambda: 0.0) for most in (100, None))
    for buckets in (few, all_kept):
        assert [buckets.wait("first") for _ in range(2)] == [0, 0]
        assert all(buckets.wait(number) == 0 for number in range(60))
        assert [buckets.wait("late") for _ in range(3)] == [0, 0, 1000]
        assert all(buckets.wait(number) == 0 for number in range(100, 199))
        assert buckets.wait("late") == 1000
    assert len(few._held) == 100
    assert (few.wait("first"), all_kept.wait("first")) == (0, 1000)


def test_who_reads_of_single_patients_is_logged(folder, keys, caplog):
    """By whatever route; nothing of the question, and nobody else."""
    caplog.set_level(logging.INFO, "wardhouse.api")
    by_name = Route("/v1/people", "clinic.people", "People.", name="patient_key")
    api = serve(folder, Doorkeeper(keys[0]), served=[*ROUTES, by_name])
    ask(api, "/v1/people/f7", keys[1]["nurse"])
    for holder in ("nurse", "reader"):
        ask(api, "/v1/patients/clinic/people?patient_key=f7", keys[1][holder])
        ask(api, "/v1/wards", keys[1][holder])
    ask(api, "/v1/patients")
    assert [record.getMessage() for record in caplog.records] == [
        "'nurse' asked /v1/people/{name}: 200",
        "'nurse' asked /v1/patients/clinic/people: 200",
        "'reader' asked /v1/patients/clinic/people: 403",
        "'nobody' asked /v1/patients: 401",
    ]


def test_log_goes_to_standard_error(capsys):
    log = logging.getLogger("wardhouse.api")
    before, level = [*log.handlers], log.level
    try:
        log_to_stderr()
        log.info("%r asked %s: %d", "nurse\n", "/v1/patients", 200)
    finally:
        log.handlers[:] = before
        log.setLevel(level)
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("Z INFO 'nurse\\n' asked /v1/patients: 200")


def test_server_behind_a_proxy_knows_its_public_name(folder, keys):
    hosts = (*LOOPBACK, PUBLIC)
    api = serve(folder, Doorkeeper(keys[0]), hosts=hosts, name=PUBLIC)
    sent = {
        "method": "POST",
        "content_type": FORM,
        "pieces": [f"key={keys[1]['reader']}".encode()],
    }
    for told in (
        {"host": PUBLIC, "origin": f"https://{PUBLIC}"},
        {"host": "127.0.0.1:8000", "origin": f"https://{PUBLIC}"},
        {"host": "127.0.0.1:8000", "origin": f"https://{PUBLIC}:8443"},
        {"host": "127.0.0.1:8000", "origin": "null", "sec_fetch_site": "same-origin"},
    ):
        answer = ask(api, "/login", **sent, **told)
        assert answer.status == 303, told
        assert "Secure" in answer.headers["set-cookie"]
    for told in ({"origin": f"http://{PUBLIC}"}, {"origin": f"https://{PUBLIC}.evil.example"}):
        assert ask(api, "/login", **sent, **told).status == 403
    assert ask(api, "/login", host="evil.example").status == 400


# Requests that are wrong --------------------------------------------------------------------------

INJECTIONS = ("' or '1'='1", "x'; drop table wards; --", '"', "%", "_", "$ne", "../../etc/passwd")


@pytest.mark.parametrize("injected", INJECTIONS)
def test_injections_find_nothing(read, injected):
    assert read(f"/v1/wards?ward={quote(injected)}").told["total"] == 0
    assert read(f"/v1/wards/{quote(injected, safe='')}").status == 404
    assert read(f"/v1/wards?sort={quote(injected)}").status == 422
    assert read("/v1/wards").told["total"] == 50


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "size=0",
        "size=101",
        "size=1_0",
        "size=%201",
        "size=",
        "size=1&size=1",
        "page=1000001",
        "page=-1",
        "page=99999999999999999999",
        "min_n_stays=9223372036854775808",
        "min_cost=nan",
        "min_cost=1e999",
        "min_day=2026-02-30",
        "min_seen_at=2026-01-01T00:00:00",
        "min_seen_at=0001-01-01T00:00:00%2B10:00",
        "is_open=1",
        "ward=",
        "ward=%00",
        "ward=" + "x" * 201,
        "sort=counts",
        "sort=--cost",
        "%00=%00",
    ],
)
def test_wrong_parameters_are_named_and_not_repeated(read, query):
    answer = read(f"/v1/wards?{query}")
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.told["errors"][0]["parameter"]
    assert "x" * 50 not in answer.body.decode()


def test_extreme_values_that_are_right_are_answered(read):
    whole = 2**63 - 1
    assert read(f"/v1/wards?min_n_stays=-{whole}&max_n_stays={whole}").told["total"] == 50
    assert read("/v1/wards?min_cost=-1e308&max_cost=1e308&size=100&page=1000000").status == 200
    assert read("/v1/wards?min_day=0001-01-01&max_day=9999-12-31").told["total"] == 50
    late = "max_seen_at=9999-12-31T23:59:59Z"
    assert read(f"/v1/wards?min_seen_at=0001-01-01T00:00:00Z&{late}").told["total"] == 50


@pytest.mark.parametrize(
    ("target", "more", "status"),
    [
        ("/v1/wards/%00", {}, 422),
        ("/v1/wards/" + "x" * 201, {}, 422),
        ("/v1/wards/zo%FF", {}, 404),
        ("/v1/wards/x?a=1", {}, 422),
        ("/v1/wards/", {}, 422),
        ("/v1/wards/../../etc/passwd", {}, 404),
        ("/v1/wards/..%2f..%2fkeys.json", {}, 404),
        ("/nothing", {}, 404),
        ("/health?a=1", {}, 422),
        ("/v1/wards", {"method": "DELETE"}, 405),
        ("/v1/wards", {"method": "POST"}, 405),
        ("/v1/wards?" + "x" * 20_000, {}, 414),
        ("/v1/wards", {"a": "x" * 20_000}, 431),
        ("/v1/wards", {"content_length": "5000"}, 413),
        ("/v1/wards", {"content_length": "-1"}, 413),
    ],
)
def test_malformed_and_oversized_requests_are_refused(read, target, more, status):
    answer = read(target, **more)
    assert (answer.status, answer.told["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"


def test_body_is_not_read_beyond_its_limit(api):
    pieces = [b"key=" + b"x" * LARGEST_BODY, b"x", b"x"]
    sent = {"method": "POST", "content_type": FORM, "pieces": pieces}
    assert ask(api, "/login", **sent).status == 413


def test_page_of_another_name_cannot_read_what_is_local(folder):
    local = serve(folder, Doorkeeper(None), hosts=("localhost", "127.0.0.1", "[::1]"))
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert ask(local, "/v1/wards", host=host).status == 200
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "["):
        assert ask(local, "/v1/wards", host=host).status == 400


def test_fault_of_ours_tells_nothing_of_the_inside(folder, monkeypatch):
    broken = serve(folder, Doorkeeper(None))
    table = broken.editions.current[0].tables["clinic.wards"]

    def fail(*arguments):
        raise RuntimeError("/secret/place")

    table.page = fail
    answers = []
    with pytest.raises(RuntimeError, match="/secret/place"):  # for the server's log
        ask(broken, "/v1/wards", answers=answers)
    assert answers[0].status == 500
    assert answers[0].told == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
    }


# The next version ---------------------------------------------------------------------------------


def test_metrics_tell_requests_and_the_version(keys, tmp_path):
    place = tmp_path / "published"
    write_version(place, TABLES)
    api = serve(place, Doorkeeper(keys[0]))
    ask(api, "/v1/wards/w5", keys[1]["reader"])
    ask(api, "/v1/wards/no", keys[1]["reader"])
    write_version(place, TABLES)
    api.refresh()
    told = ask(api, "/metrics", keys[1]["prometheus"]).body.decode()
    found = 'wardhouse_api_requests_total{route="/v1/wards/{name}",status="200"} 1.0'
    assert found in told
    assert found.replace("200", "404") in told
    assert "wardhouse_api_snapshot_version 2.0" in told
    assert "w5" not in told


def test_version_that_cannot_be_read_leaves_the_one_before(folder, tmp_path, caplog):
    place = tmp_path / "published"
    with pytest.raises(PublishError, match="nothing is published"):
        serve(place, Doorkeeper(None))
    write_version(place, TABLES)
    api = serve(place, Doorkeeper(None))
    second = write_version(place, TABLES)
    file = place / second / "internal" / "clinic" / "wards.parquet"
    file.write_text("no Parquet")
    for _ in range(2):
        api.refresh()
    assert ask(api, "/v1/wards").told["version"] == "000001"
    assert len(caplog.records) == 1
    write_version(place, TABLES)
    api.refresh()
    assert ask(api, "/v1/wards").told["version"] == "000003"


@pytest.mark.parametrize("manifest", ["{}", "[]", '{"tables": [{"name": 1}], "version": 2}'])
def test_version_of_another_shape_does_not_end_the_watching(
    tmp_path, caplog, monkeypatch, manifest
):
    place, path = tmp_path / "published", tmp_path / "keys.json"
    token = add_key(path, "anna", ["read"], None)
    write_version(place, TABLES)
    api = serve(place, Doorkeeper(path))
    (place / write_version(place, TABLES) / "internal" / "manifest.json").write_text(manifest)
    with living(api, monkeypatch):
        assert comes_true(lambda: api.editions.n_failed > 3)
        assert ask(api, "/v1/wards", token).told["version"] == "000001"
        assert [record.getMessage() for record in caplog.records] == ["the version in use stays"]
        remove_key(path, "anna")
        assert comes_true(lambda: ask(api, "/v1/wards", token).status == 401)
        late = add_key(path, "berta", ["read"], None)
        write_version(place, TABLES)
        assert comes_true(
            lambda: (
                (told := ask(api, "/v1/wards", late)).status == 200
                and told.told["version"] == "000003"
            )
        )


def test_removed_key_is_refused_while_a_version_takes_long_to_load(tmp_path, monkeypatch):
    place, path = tmp_path / "published", tmp_path / "keys.json"
    token = add_key(path, "anna", ["read"], None)
    write_version(place, TABLES)
    api = serve(place, Doorkeeper(path), rate=1e6, burst=10**6)
    second, held = write_version(place, TABLES), ExitStack()
    held.enter_context(locked(place / second, fcntl.LOCK_EX))  # loading waits for it
    with living(api, monkeypatch), held:
        assert ask(api, "/v1/wards", token).told["version"] == "000001"
        time.sleep(0.2)
        remove_key(path, "anna")
        assert comes_true(lambda: ask(api, "/v1/wards", token).status == 401)
        assert api.editions.current[0].version == "000001"


def test_readers_see_one_version_each_while_others_are_published(tmp_path):
    place = tmp_path / "published"
    write_version(place, TABLES)
    api = serve(place, Doorkeeper(None), rate=1e6, burst=10**6)
    ended, seen, wrong = threading.Event(), set(), []

    def read_on():
        while not ended.is_set():
            answer = ask(api, "/v1/wards?size=100")
            rows = {row["written_in"] for row in answer.told["items"]}
            told = {answer.told["version"], answer.headers["snapshot-version"]}
            if answer.status != 200 or {f"{number:06}" for number in rows} != told:
                wrong.append(answer)
            seen.update(told)

    reader = threading.Thread(target=read_on)
    reader.start()
    for _ in range(5):
        write_version(place, TABLES)
        api.refresh()
    ended.set()
    reader.join()
    assert wrong == []
    assert len(seen) > 2


# By its own description ---------------------------------------------------------------------------


def test_schemathesis_finds_nothing_wrong(keys, folder):
    """All checks, few examples of each operation, and walks from lists to their rows."""
    local = serve(folder, Doorkeeper(keys[0]), rate=1e6, burst=10**6)
    headers = {"X-API-Key": add_key(keys[0], "fuzzer", ["read", "patients", "metrics"], None)}
    local.refresh()
    schema = schemathesis.openapi.from_asgi("/openapi.json", local, headers=headers)
    few = settings(
        max_examples=3,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    n_cases = 0
    for found in schema.get_all_operations():

        @few
        @given(case=found.ok().as_strategy())
        def check(case):
            nonlocal n_cases
            n_cases += 1
            case.call_and_validate(headers=headers)

        check()
    assert n_cases > 20

    class Walk(schema.as_state_machine()):
        def get_call_kwargs(self, case):
            return {"headers": headers}

    Walk.run(settings=settings(few, stateful_step_count=3))
    remove_key(keys[0], "fuzzer")


# The project itself -------------------------------------------------------------------------------


def test_every_route_of_the_project_has_its_table(manifest):
    """A route of a table that is not published would answer 404 for ever."""
    published = {
        f"{node.schema}.{node.alias}": set(node.columns)
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.config.meta.get("publish")
    }
    declared = routes()
    assert len({route.path for route in declared}) == len(declared) > 10
    for route in declared:
        columns = {*route.filters.values(), *route.ranges} | ({route.name} if route.name else set())
        assert columns <= published[route.table], route.path


def test_serve_refuses_what_would_let_everybody_in(tmp_path):
    with pytest.raises(ServeError, match="nobody has a key"):
        listen("127.0.0.1", 0, Doorkeeper(tmp_path / "keys.json"))
    for host in ("0.0.0.0", "192.0.2.1", "::"):
        with pytest.raises(ServeError, match="serves this machine alone"):
            listen(host, 0, Doorkeeper(None))
    with listen("127.0.0.1", 0, Doorkeeper(None)) as taken:
        assert taken.proto == socket.IPPROTO_TCP, "asyncio would wait 40 ms to fill a packet"
        taken.listen()
        with pytest.raises(ServeError, match="cannot be listened on"):
            listen("127.0.0.1", taken.getsockname()[1], Doorkeeper(None))


def test_serve_behind_a_proxy_asks_for_keys_and_an_audience(tmp_path):
    add_key(tmp_path / "keys.json", "anna", ["read"], None)
    doorkeeper = Doorkeeper(tmp_path / "keys.json")
    assert check_name("Wardhouse.example.org", doorkeeper, True) == PUBLIC
    for name in (
        "https://a.example",
        "a.example:443",
        "a b",
        "-",
        "a..b",
        "a.example\n",
        "a" * 254,
    ):
        with pytest.raises(ServeError, match="is no name of a server"):
            check_name(name, doorkeeper, True)
    values = {
        "WARDHOUSE_KEYS_FILE": str(tmp_path / "keys.json"),
        "WARDHOUSE_PUBLISH_DIR": str(tmp_path / "published"),
        "WARDHOUSE_SERVE_PORT": str(free_port()),
    }
    by_option = ["serve", "--name", PUBLIC]
    with environment(values):
        unnamed = CliRunner().invoke(command_line, by_option)
        named = CliRunner().invoke(command_line, [*by_option, "--audience", "shared"])
    with environment(values | {"WARDHOUSE_SERVE_NAME": PUBLIC}):
        unset = CliRunner().invoke(command_line, ["serve"])
        for_all = CliRunner().invoke(command_line, ["serve", "--insecure-local"])
    for refused in (unnamed, unset):
        assert "say by --audience whether" in refused.stderr
    assert "nothing is published in" in named.stderr
    assert "--insecure-local asks nobody for a key" in for_all.stderr


def test_serve_says_what_is_missing(tmp_path):
    values = {
        "WARDHOUSE_KEYS_FILE": str(tmp_path / "keys.json"),
        "WARDHOUSE_PUBLISH_DIR": str(tmp_path / "published"),
        "WARDHOUSE_SERVE_PORT": str(free_port()),
    }
    with environment(values):
        assert "nobody has a key" in CliRunner().invoke(command_line, ["serve"]).stderr
        local = CliRunner().invoke(command_line, ["serve", "--insecure-local"])
    with environment(values | {"WARDHOUSE_SERVE_PORT": "80a"}):
        wrong = CliRunner().invoke(command_line, ["serve"])
    assert (local.exit_code, wrong.exit_code) == (1, 1)
    assert "nothing is published in" in local.stderr
    assert "WARDHOUSE_SERVE_PORT is '80a'" in wrong.stderr


def test_keys_are_added_listed_and_removed(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(command_line, ["keys", *arguments])

    path = tmp_path / "keys.json"
    with environment({"WARDHOUSE_KEYS_FILE": str(path)}):
        added = run(
            "add", "anna", "--scope", "read", "--scope", "metrics", "--expires", "2999-01-01"
        )
        assert Doorkeeper(path).holder(added.stdout.strip()).scopes == ("metrics", "read")
        assert "there is a key of anna" in run("add", "anna").stderr
        listed = run("list").stdout
        assert "metrics, read" in listed
        assert "2999-01-01" in listed
        assert run("remove", "anna").exit_code == 0
        assert "there is no key of anna" in run("remove", "anna").stderr
    assert json.loads(path.read_text())["keys"] == []
