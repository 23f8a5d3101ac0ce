"""Each feed broken in turn: a named error or a quarantine row, never a traceback or a lost row."""

import csv
import gzip
import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from os.path import relpath
from pathlib import Path
from threading import Event

import duckdb
import pandas as pd
import pytest
from builds import PROJECT, areas_of, in_fast_suite, in_system
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.landing.land import land

pytestmark = pytest.mark.long

TREATMENTS, DOCTORS, FEEDBACK = "patients_data_with_doctor", "doctors_info", "patient_feedback"
TREATMENT_COLUMNS = (
    "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date"
)
RECORDS = {
    TREATMENTS: [
        dict(zip(TREATMENT_COLUMNS.split(","), row, strict=True))
        for row in (
            (f"T{n}", f"P{n % 4}", f"D{n % 3}", "Scan", f"{n * 100}.50", "20.25", f"2025-03-{n:02}")
            for n in range(1, 13)
        )
    ],
    DOCTORS: [
        {"doctor_id": f"D{n}", "doctor_name": f"Zoë Nº{n}", "specialty": "Surgery"}
        for n in range(3)
    ],
    FEEDBACK: [
        {
            "patient_id": f"P{n}",
            "treatment_id": f"T{n}",
            "patient_feedback_score": f"{1 + n % 5}.5" if n % 5 < 4 else "5",
            "review_date": f"2025-04-{n + 1:02}",
        }
        for n in range(6)
    ],
}
CSV_FEEDS = (TREATMENTS, DOCTORS)
STAGED = {
    TREATMENTS: "select treatment_id, patient_id, doctor_id, treatment_type, "
    "treatment_cost_amount::varchar, room_cost_amount::varchar, treatment_date::varchar "
    "from staging.stg_hospital__treatments order by all",
    DOCTORS: "select doctor_id, doctor_name, specialty from staging.stg_hospital__doctors "
    "order by all",
    FEEDBACK: "select patient_id, treatment_id, feedback_score::double, review_date::varchar "
    "from staging.stg_hospital__patient_feedback order by all",
}
BUILD = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
MODELS = (
    *(*BUILD, "path:models/staging/hospital"),
    *("quarantine", "feed_reconciliation", "undeclared_columns"),
)
HOSTILE = (
    "'; drop table x; --",
    '"; drop schema staging cascade; --',
    "{{ 1 / 0 }}",
    "{% raw %}",
    "{# gone",
    "back\\slash\\'",
    "per%cent %s $1 ?",
    "Ω≈ç√",
    "a~1b/c",
)
NO_FOLDERS = str.maketrans("", "", "/\\")


def as_csv(records: list[dict], delimiter: str = ",", newline: str = "\n") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), delimiter=delimiter, lineterminator=newline)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def as_ndjson(records: list[dict]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def write(raw_dir: Path, feed: str, suffix: str, content: str | bytes) -> Path:
    path = raw_dir / "hospital" / f"{feed}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_options(raw_dir: Path, *lines: str) -> None:
    (raw_dir / "feeds.csv").write_text("\n".join(["area,feed,option,value", *lines]))


def write_feeds(raw_dir: Path) -> Path:
    for feed in CSV_FEEDS:
        write(raw_dir, feed, ".csv", as_csv(RECORDS[feed]))
    write(raw_dir, FEEDBACK, ".json", json.dumps(RECORDS[FEEDBACK], indent=1))
    return raw_dir


@pytest.fixture
def raw_dir(tmp_path) -> Path:
    """Return a clean raw directory, whose name is not kind to whoever quotes carelessly."""
    return write_feeds(tmp_path / "raw of o'neill {{ x }}")


@pytest.fixture(scope="module")
def dbt(dbt, manifest, built_elsewhere, tmp_path_factory):
    """Return a function that builds in a database where the areas without a file are built."""
    raw_dir = write_feeds(tmp_path_factory.mktemp("clean"))
    others = (f"path:models/staging/{area}" for area in areas_of(manifest) if area != "hospital")
    return partial(dbt, start=built_elsewhere("elsewhere_staged", dbt, raw_dir, *BUILD, *others))


@pytest.fixture(scope="module")
def landing_error(manifest) -> Callable[[Path], str]:
    """Return a function that lands a raw directory as a build does, and gives what it says."""
    feeds = [
        {
            "area": source.source_name,
            "name": source.name,
            "meta": source.meta,
            "columns": [{"name": c.name, "meta": c.meta} for c in source.columns.values()],
        }
        for source in manifest.sources.values()
        if source.schema.startswith("raw_")
    ]
    rules = {"project_dir": str(PROJECT), "vars": {}, "models": []}
    rest = {"feeds": feeds, "areas": "", "rules": rules, "state": None, "full_refresh": False}
    return lambda raw_dir: land({"raw_dir": str(raw_dir), **rest})["error"]


def file_of(raw_dir: Path, feed: str) -> Path:
    return raw_dir / "hospital" / f"{feed}{'.csv' if feed in CSV_FEEDS else '.json'}"


def count_records(path: Path) -> int:
    """Count the records of a file by other means than the warehouse's."""
    if path.suffix == ".parquet":
        return len(pd.read_parquet(path))
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8-sig", errors="replace")
    if ".csv" in path.name.lower():
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=text.count))
        return max(sum(1 for row in rows if row) - 1, 0)
    if path.suffix in (".ndjson", ".jsonl") or '"}\n{"' in text:
        return sum(1 for line in re.split(r"\r\n|\r|\n", text) if line.strip())
    try:
        document = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return 1
    return len(document) if isinstance(document, list) else 1


def run(dbt, raw_dir: Path, tmp_path: Path, *arguments: str):
    return dbt(raw_dir, tmp_path / "out", *(arguments or MODELS))


def reasons(outcome) -> Counter:
    return Counter(reason for (reason,) in outcome.query("select reason from quality.quarantine"))


def check_nothing_is_lost(outcome, raw_dir: Path) -> None:
    """Hold the reconciliation against a count of the files and of the tables."""
    assert outcome.success, outcome.message
    refused = reasons(outcome)
    counted = outcome.query(
        "select feed, n_raw, n_accepted + n_rejected + n_duplicates, n_rejected "
        "from quality.feed_reconciliation where area = 'hospital'"
    )
    for feed, n_raw, n_judged, _ in counted:
        inside = (p for p in (raw_dir / "hospital" / feed).rglob("*") if p.is_file())
        files = [*(raw_dir / "hospital").glob(f"{feed}.*"), *inside]
        files = [path for path in files if not path.name.startswith((".", "_SUCCESS"))]
        assert n_raw == sum(map(count_records, files)), feed
        assert n_raw == n_judged, feed
    assert sum(row[3] for row in counted) == refused.total()


def check_same_rows(outcome, raw_dir: Path, feed: str) -> None:
    check_nothing_is_lost(outcome, raw_dir)
    expected = sorted(tuple(record.values()) for record in RECORDS[feed])
    if feed == FEEDBACK:
        expected = sorted((p, t, float(score), day) for p, t, score, day in expected)
    assert outcome.query(STAGED[feed]) == expected


def check_named_error(outcome, capfd, *words: str) -> None:
    assert not outcome.success
    assert not [name for name in outcome.statuses if name.startswith(("base_", "stg_"))]
    output = outcome.message + "".join(capfd.readouterr())
    assert "Traceback" not in output
    for word in words:
        assert word in outcome.message, outcome.message


# What stops a build: what is done to the file, and what the message says of it.

HUNDRED_MB = b"x" * (100 * 2**20)
RUBBISH = bytes((n * 7919 + n // 251) % 256 for n in range(20_000))
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + RUBBISH


def without_column(content: bytes, feed: str) -> bytes:
    records = RECORDS[feed]
    first = next(iter(records[0]))
    rest = [{k: v for k, v in record.items() if k != first} for record in records]
    return (as_csv(rest) if feed in CSV_FEEDS else json.dumps(rest)).encode()


STOPS: dict[str, tuple[Callable[[bytes, str], bytes | None], tuple[str, ...], str]] = {
    "missing file": (lambda content, feed: None, CSV_FEEDS, "no file; looked for"),
    "empty file": (lambda content, feed: b"", tuple(RECORDS), "the file is empty"),
    "missing column": (without_column, tuple(RECORDS), "columns expected:"),
    "no header": (lambda content, feed: content.partition(b"\n")[2], CSV_FEEDS, "columns found:"),
    "blank first line": (lambda content, feed: b"\n" + content, CSV_FEEDS, "lacks"),
    "binary rubbish": (lambda content, feed: RUBBISH, tuple(RECORDS), "NUL byte"),
    "a picture": (lambda content, feed: PNG, tuple(RECORDS), ""),
    "UTF-16": (lambda content, feed: content.decode().encode("utf-16"), tuple(RECORDS), ""),
    "100 MB line alone": (lambda content, feed: HUNDRED_MB, tuple(RECORDS), ""),
    "100 MB line": (lambda content, feed: content + HUNDRED_MB, CSV_FEEDS, "line longer than"),
    "header without end": (lambda content, feed: b'"' + content, CSV_FEEDS, ""),
    "open quote": (
        lambda content, feed: content.replace(b"Surgery", b'"Surgery', 1).replace(b"Sc", b'"Sc', 1),
        CSV_FEEDS,
        "quote",
    ),
    "plain text": (lambda content, feed: b"see the other file\n", tuple(RECORDS), ""),
    "empty array": (lambda content, feed: b"[]", (FEEDBACK,), "columns found:    none"),
    "cut short": (
        lambda content, feed: content[:-20],
        (FEEDBACK,),
        "cut short: the document does not end with ]",
    ),
    "broken in the middle": (
        lambda content, feed: content.replace(b"P3", b'P3"', 1),
        (FEEDBACK,),
        "not valid JSON",
    ),
    "array of arrays": (lambda content, feed: b"[[1, 2]]", (FEEDBACK,), "columns found:    none"),
    "gzip under a plain name": (
        lambda content, feed: gzip.compress(content),
        tuple(RECORDS),
        "",
    ),
}


@pytest.fixture
def unreadable(raw_dir, breakage) -> Iterator[tuple[str, ...]]:
    """Spoil files of the raw directory, and return the feeds that they are of."""
    spoil, feeds, _ = STOPS[breakage]
    paths = [file_of(raw_dir, feed) for feed in feeds]
    for path, feed in zip(paths, feeds, strict=True):
        content = spoil(path.read_bytes(), feed)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    yield feeds
    for path in paths:
        path.unlink(missing_ok=True)  # pytest keeps its directories


def check_all_are_named(message: str, feeds: tuple[str, ...], words: str) -> None:
    for feed in feeds:
        assert f"hospital.{feed}: " in message
        assert f"hospital/{feed}" in message
    assert message.count(words) >= len(feeds), message


@pytest.mark.parametrize("breakage", STOPS)
def test_unreadable_files_are_named_by_the_landing(landing_error, raw_dir, unreadable, breakage):
    check_all_are_named(landing_error(raw_dir), unreadable, STOPS[breakage][2])


@pytest.mark.parametrize("breakage", in_fast_suite(STOPS, "missing column", "cut short"))
def test_unreadable_files_stop_the_build_and_are_named(
    dbt, raw_dir, tmp_path, capfd, unreadable, breakage
):
    outcome = run(dbt, raw_dir, tmp_path)
    check_named_error(outcome, capfd)
    check_all_are_named(outcome.message, unreadable, STOPS[breakage][2])


@pytest.mark.parametrize("feed", in_fast_suite(CSV_FEEDS, DOCTORS))
def test_first_record_of_a_file_without_header_is_not_shown(dbt, raw_dir, tmp_path, capfd, feed):
    """A cell that spells a column, here the hospital's own word for one, makes no header."""
    record = [f"secret {place}" for place in range(len(RECORDS[feed][0]) - 1)]
    file_of(raw_dir, feed).write_text(",".join(["specialty", *record]) + "\n")
    outcome = run(dbt, raw_dir, tmp_path)
    printed = "".join(capfd.readouterr())
    check_named_error(outcome, capfd, f"hospital.{feed}: ", "is there a header line?")
    inspected = CliRunner().invoke(app, ["inspect", str(raw_dir), "--areas", "hospital"]).output
    assert "is there a header line?" in inspected
    assert "secret" not in outcome.message + printed + inspected


def test_every_broken_feed_is_named_in_one_message(dbt, raw_dir, tmp_path, capfd):
    file_of(raw_dir, TREATMENTS).write_text("a,b\n1,2\n")
    file_of(raw_dir, DOCTORS).unlink()
    file_of(raw_dir, FEEDBACK).write_text("")
    outcome = run(dbt, raw_dir, tmp_path)
    check_named_error(outcome, capfd, *(f"hospital.{feed}: " for feed in RECORDS))
    assert "columns found:    2, of which none known; is there a header line?" in outcome.message


@dataclass(frozen=True)
class Refusal:
    """A directory that is refused as a whole."""

    files: dict[str, bytes]
    words: tuple[str, ...]
    options: tuple[str, ...] = ()


CLEAN_DOCTORS = as_csv(RECORDS[DOCTORS]).encode()
REFUSALS = {
    "spreadsheet": Refusal({"doctors_info.xlsx": PNG}, ("is a spreadsheet: save it as CSV",)),
    "spreadsheet in capitals inside a folder": Refusal(
        {"doctors_info/May.XLSX": PNG, "doctors_info/june.csv": CLEAN_DOCTORS},
        ("May.XLSX is a spreadsheet",),
    ),
    "folder of mixed kinds": Refusal(
        {"doctors_info/a.csv": CLEAN_DOCTORS, "doctors_info/b.json": b"[]"}, ("mixes kinds",)
    ),
    "file and folder": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS, "doctors_info/a.csv": CLEAN_DOCTORS},
        ("more than one place holds this feed",),
    ),
    "two files": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS, "doctors_info.CSV.GZ": gzip.compress(CLEAN_DOCTORS)},
        ("more than one place holds this feed",),
    ),
    "stranger in a folder": Refusal(
        {"doctors_info/a.csv": CLEAN_DOCTORS, "doctors_info/b.csv.zip": PNG},
        ("b.csv.zip is none of",),
    ),
    "broken gzip": Refusal({"doctors_info.csv.gz": gzip.compress(CLEAN_DOCTORS)[:-9]}, ("gzip",)),
    "gzip that is none": Refusal({"doctors_info.csv.gz": CLEAN_DOCTORS}, ("gzip",)),
    "broken Parquet": Refusal(
        {"doctors_info.parquet": b"PAR1" + RUBBISH + b"PAR1"}, ("not readable as Parquet",)
    ),
    "empty Parquet": Refusal({"doctors_info.parquet": b""}, ("the file is empty",)),
    "one file of a folder lacks a column": Refusal(
        {"doctors_info/a.csv": CLEAN_DOCTORS, "doctors_info/b.csv": b"doctor_id,specialty\n"},
        ("doctors_info/b.csv lacks doctor_name",),
    ),
    "all lines of NDJSON broken": Refusal({"doctors_info.ndjson": b"{]\n{\n"}, ("lacks",)),
    "unknown option": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("feeds.csv line 2: no option 'delimeter'",),
        ("hospital,doctors_info,delimeter,;",),
    ),
    "unknown feed in feeds.csv": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("feeds.csv line 2: no feed 'hospital.doctor'",),
        ("hospital,doctor,delimiter,;",),
    ),
    "alias of an undeclared column": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("declares no column 'name'",),
        ("hospital,doctors_info,column:name,Full name",),
    ),
    "unknown encoding": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("encoding is one of utf-8, latin-1, utf-16, not 'klingon'",),
        ("hospital,doctors_info,encoding,klingon",),
    ),
    "delimiter of two signs": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("delimiter is one ASCII character",),
        ("hospital,doctors_info,delimiter,||",),
    ),
    "impossible date order": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("date_order is one of dmy, mdy, not 'ymd'",),
        ("hospital,patient_feedback,date_order,ymd",),
    ),
    "option given twice": Refusal(
        {"doctors_info.csv": CLEAN_DOCTORS},
        ("feeds.csv line 3: delimiter is given twice",),
        ("hospital,doctors_info,delimiter,;", "hospital,doctors_info,delimiter,|"),
    ),
}


@pytest.fixture
def refused(raw_dir, name) -> tuple[str, ...]:
    """Spoil the raw directory as a whole, and return the words that say how."""
    case = REFUSALS[name]
    file_of(raw_dir, DOCTORS).unlink()
    for place, content in case.files.items():
        write(raw_dir, place, "", content)
    if case.options:
        write_options(raw_dir, *case.options)
    return ("doctor" * (not case.options), *case.words)


@pytest.mark.parametrize("name", REFUSALS)
def test_landing_tells_why_it_cannot_understand_a_directory(landing_error, raw_dir, refused, name):
    message = landing_error(raw_dir)
    assert all(word in message for word in refused), message


@pytest.mark.parametrize("name", in_fast_suite(REFUSALS, "two files", "unknown option"))
def test_directory_that_cannot_be_understood_is_refused_with_the_reason(
    dbt, raw_dir, tmp_path, capfd, refused, name
):
    check_named_error(run(dbt, raw_dir, tmp_path), capfd, *refused)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"area;feed;option;value\nhospital;doctors_info;delimiter;;", "has no header line"),
        in_system(
            "area,feed,option,value\nhospital,Zoë,x,y".encode("latin-1"), "cannot be read as CSV"
        ),
        in_system(PNG, "feeds.csv"),
    ],
)
def test_unreadable_feeds_csv_is_an_error_with_its_name(
    dbt, raw_dir, tmp_path, capfd, content, words
):
    (raw_dir / "feeds.csv").write_bytes(content)
    check_named_error(run(dbt, raw_dir, tmp_path), capfd, words)


def test_raw_directory_that_is_missing_or_empty_is_an_error(dbt, tmp_path, capfd):
    check_named_error(run(dbt, tmp_path / "none", tmp_path), capfd, "does not exist")
    (tmp_path / "void").mkdir()
    outcome = run(dbt, tmp_path / "void", tmp_path)
    check_named_error(outcome, capfd, "has no folder named after an area")


def test_unknown_area_is_an_error_that_lists_the_known(dbt, raw_dir, tmp_path, capfd):
    outcome = dbt(raw_dir, tmp_path / "out", *MODELS, areas="hospital,'; drop table x; --")
    check_named_error(outcome, capfd, "'; drop table x; --", "known: ", "hospital")


@pytest.mark.parametrize(
    "name", in_fast_suite([b"caf\xe9.csv", b"?\\.csv", b"a\\b.csv"], b"caf\xe9.csv")
)
def test_file_name_that_duckdb_cannot_be_told_is_an_error(dbt, raw_dir, tmp_path, capfd, name):
    file_of(raw_dir, DOCTORS).unlink()
    (raw_dir / "hospital" / DOCTORS).mkdir()
    place = bytes(raw_dir / "hospital" / DOCTORS) + b"/" + name
    with open(place, "wb") as file:  # noqa: PTH123 - a Path would spell the name as text
        file.write(CLEAN_DOCTORS)
    outcome = run(dbt, raw_dir, tmp_path)
    check_named_error(outcome, capfd, "is not UTF-8 or holds a backslash; rename it")


# What goes to quarantine: bad lines beside good ones.

NDJSON = as_ndjson(RECORDS[FEEDBACK])
BAD_LINES: dict[str, tuple[str, str, bytes, Counter, int]] = {
    # name: feed, suffix, content, reasons, records that still count
    "lines with several faults": (
        DOCTORS,
        ".csv",
        CLEAN_DOCTORS + b'D7,a,b,c,d,e\n\xff,"x"y\nD8\nD9,\xff,\xfe,\xfd\n',
        Counter({"too many columns": 1, "invalid encoding": 2, "missing columns": 1}),
        3,
    ),
    "Latin-1 read as UTF-8": (
        DOCTORS,
        ".csv",
        as_csv(RECORDS[DOCTORS]).encode("latin-1"),
        Counter({"invalid encoding": 3}),
        0,
    ),
    "Latin-1 in the header too": (
        DOCTORS,
        ".csv",
        "doctor_id,doctor_name,specialty,gr\xf6\xdfe\nD1,Ann,Surgery,1\nD2,Ren\xe9,x,2\n".encode(
            "latin-1"
        ),
        Counter({"invalid encoding": 1}),
        1,
    ),
    "another delimiter in some lines": (
        TREATMENTS,
        ".csv",
        as_csv(RECORDS[TREATMENTS]).encode() + b"T20;P1;D1;Scan;1;1;2025-03-01\n",
        Counter({"missing columns": 1}),
        12,
    ),
    "broken lines of NDJSON": (
        FEEDBACK,
        ".ndjson",
        (
            NDJSON + '{"patient_id": "P1", \n5\n[1]\nnull\n"text"\n\n  \n\t\n{"a": "\x1f\x1c"}\n'
        ).encode(),
        Counter({"unreadable_line": 6}),
        6,
    ),
    "keys that stand twice": (
        FEEDBACK,
        ".ndjson",
        (
            NDJSON
            + '{"patient_id": "P1", "patient_feedback_score": 3, "patient_id": "P2"}\n'
            + '{"patient_id": "P1", "patient_feedback_score": 3, "x": {"y": [1, 1]}, "x": 1}\n'
        ).encode(),
        Counter({"repeated_key": 2}),
        6,
    ),
    "NUL in an identifier": (
        FEEDBACK,
        ".json",
        json.dumps(
            [*RECORDS[FEEDBACK], {"patient_id": "P\0", "patient_feedback_score": 3}]
        ).encode(),
        Counter({"nul_character": 1}),
        6,
    ),
    "NDJSON with line ends mixed": (
        FEEDBACK,
        ".jsonl",
        NDJSON.replace("\n", "\r\n", 3).encode() + b'{"patient_id":\r\n',
        Counter({"unreadable_line": 1}),
        6,
    ),
    "array elements that are no objects": (
        FEEDBACK,
        ".json",
        json.dumps([5, *RECORDS[FEEDBACK], "x", None, [1], True]).encode(),
        Counter({"unreadable_line": 5}),
        6,
    ),
    "nested values": (
        FEEDBACK,
        ".json",
        json.dumps(
            [
                *RECORDS[FEEDBACK],
                {"patient_id": {"value": "P9"}, "patient_feedback_score": [1, 2]},
                {"patient_id": "P9", "patient_feedback_score": {"value": 3}},
            ]
        ).encode(),
        Counter({"unreadable_patient_feedback_score": 2}),
        6,
    ),
    "bare NaN": (
        FEEDBACK,
        ".json",
        json.dumps(
            [*RECORDS[FEEDBACK], {"patient_id": "P9", "patient_feedback_score": float("nan")}]
        ).encode(),
        Counter({"missing_patient_feedback_score": 1}),
        6,
    ),
}


@pytest.mark.parametrize(
    "name",
    in_fast_suite(
        BAD_LINES,
        *("lines with several faults", "broken lines of NDJSON", "keys that stand twice"),
        "array elements that are no objects",
    ),
)
def test_bad_record_goes_to_quarantine_and_the_others_count(dbt, raw_dir, tmp_path, name):
    feed, suffix, content, expected, n_accepted = BAD_LINES[name]
    file_of(raw_dir, feed).unlink()
    write(raw_dir, feed, suffix, content)
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    found = reasons(outcome)
    assert found.total() == expected.total(), found
    for reason, count in expected.items():
        assert sum(n for text, n in found.items() if reason in text) == count, found
    assert len(outcome.query(STAGED[feed])) == n_accepted
    records = outcome.query("select record from quality.quarantine")
    assert all(json.loads(record) for (record,) in records)


@pytest.mark.parametrize("feed", in_fast_suite(CSV_FEEDS, DOCTORS))
def test_header_alone_is_a_feed_without_rows(dbt, raw_dir, tmp_path, feed):
    file_of(raw_dir, feed).write_text(as_csv(RECORDS[feed]).partition("\n")[0] + "\n")
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    assert outcome.query(STAGED[feed]) == []


@pytest.mark.system
def test_same_bad_line_in_several_files_is_refused_once_for_each(dbt, raw_dir, tmp_path):
    """Files of two headers and of two scans, whose bad lines are at the same place."""
    file_of(raw_dir, DOCTORS).unlink()
    for n in range(2):
        write(raw_dir, f"{DOCTORS}/same{n}", ".csv", CLEAN_DOCTORS + b"D8,x\nD9,x,y,z\n")
    turned = b"specialty,doctor_name,doctor_id\nSurgery,Ann,D5\nD8,x\nD9,x,y,z\n"
    write(raw_dir, f"{DOCTORS}/turned", ".csv", turned)
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    rows = outcome.query(
        "select source_file, line_number, record ->> 'unreadable_text' from quality.quarantine "
        "order by all"
    )
    assert rows == [
        (f"hospital/doctors_info/{name}.csv", line + first, text)
        for name, first in (("same0", 5), ("same1", 5), ("turned", 3))
        for line, text in enumerate(("D8,x", "D9,x,y,z"))
    ]


@pytest.mark.system
def test_one_broken_document_of_many_is_set_aside_in_every_later_build(dbt, raw_dir, tmp_path):
    file_of(raw_dir, FEEDBACK).unlink()
    for n, record in enumerate(RECORDS[FEEDBACK]):
        write(raw_dir, f"{FEEDBACK}/{n}", ".json", json.dumps(record, indent=1))
    broken = write(raw_dir, f"{FEEDBACK}/broken {{{{ 1 }}}}", ".json", '{"patient_id": P1}')
    for arguments in ((), (), (*MODELS, "--full-refresh")):
        outcome = run(dbt, raw_dir, tmp_path, *arguments)
        check_same_rows(outcome, raw_dir, FEEDBACK)
        assert reasons(outcome).total() == 1
    [(place, record)] = outcome.query(
        "select source_file, record ->> 'unreadable_text' from quality.quarantine"
    )
    assert (place, record) == (broken.relative_to(raw_dir).as_posix(), '{"patient_id": P1}')
    broken.unlink()
    outcome = run(dbt, raw_dir, tmp_path)
    check_same_rows(outcome, raw_dir, FEEDBACK)
    assert not reasons(outcome)


@pytest.mark.system
def test_broken_documents_are_remembered_when_their_table_was_dropped(dbt, raw_dir, tmp_path):
    file_of(raw_dir, FEEDBACK).rename(write(raw_dir, f"{FEEDBACK}/good", ".json", ""))
    write(raw_dir, f"{FEEDBACK}/no_value", ".json", '[{"patient_id": }]')
    write(raw_dir, f"{FEEDBACK}/cut_short", ".json", '[{"patient_id": "P1"}')
    write(raw_dir, f"{FEEDBACK}/too_deep", ".json", '{"patient_id": ' + "[" * 1000 + "}")
    outcome = run(dbt, raw_dir, tmp_path)
    with duckdb.connect(str(outcome.database)) as connection:
        connection.execute("drop table staging.base_hospital__patient_feedback cascade")
    outcome = run(dbt, raw_dir, tmp_path)
    check_same_rows(outcome, raw_dir, FEEDBACK)
    assert reasons(outcome).total() == 3


# What is no breakage at all: other forms of the same records.


def renamed(feed: str, names: dict[str, str]) -> list[dict]:
    return [{names.get(k, k): v for k, v in record.items()} for record in RECORDS[feed]]


def with_column(feed: str, name: str, value: str = "x") -> list[dict]:
    return [{name: value, **record} for record in RECORDS[feed]]


def decimal_comma(record: dict) -> dict:
    costs = ("treatment_cost", "room_cost")
    return {k: v.replace(".", ",") if k in costs else v for k, v in record.items()}


def american(record: dict) -> dict:
    year, month, day = record["treatment_date"].split("-")
    return {**record, "treatment_date": f"{month}/{day}/{year}"}


def reordered(feed: str) -> list[dict]:
    return [dict(reversed(record.items())) for record in RECORDS[feed]]


PACKED_DOCTOR = gzip.compress(as_csv(RECORDS[DOCTORS][2:]).encode())
FORMS: dict[str, tuple[str, dict[str, str | bytes], tuple[str, ...]]] = {
    # name: feed, files below the area, lines of feeds.csv
    **{
        f"{feed} in another order": (feed, {f"{feed}.csv": as_csv(reordered(feed))}, ())
        for feed in RECORDS
    },
    **{
        f"delimiter {sign!r}": (DOCTORS, {f"{DOCTORS}.csv": as_csv(RECORDS[DOCTORS], sign)}, ())
        for sign in ";\t|"
    },
    "declared delimiter": (
        TREATMENTS,
        {f"{TREATMENTS}.csv": as_csv(RECORDS[TREATMENTS], "^")},
        (f"hospital,{TREATMENTS},delimiter,^",),
    ),
    "declared tab": (
        DOCTORS,
        {f"{DOCTORS}.csv": as_csv(RECORDS[DOCTORS], "\t")},
        (f"hospital,{DOCTORS},delimiter,\\t",),
    ),
    "CRLF": (DOCTORS, {f"{DOCTORS}.csv": as_csv(RECORDS[DOCTORS], newline="\r\n")}, ()),
    "CR": (DOCTORS, {f"{DOCTORS}.csv": as_csv(RECORDS[DOCTORS], newline="\r")}, ()),
    "no last line end": (DOCTORS, {f"{DOCTORS}.csv": CLEAN_DOCTORS[:-1]}, ()),
    "byte order mark": (DOCTORS, {f"{DOCTORS}.csv": b"\xef\xbb\xbf" + CLEAN_DOCTORS}, ()),
    "JSON with byte order mark": (
        FEEDBACK,
        {f"{FEEDBACK}.json": b"\xef\xbb\xbf" + json.dumps(RECORDS[FEEDBACK]).encode()},
        (),
    ),
    "NDJSON with byte order mark": (
        FEEDBACK,
        {f"{FEEDBACK}.ndjson": b"\xef\xbb\xbf" + NDJSON.encode()},
        (),
    ),
    "Latin-1": (
        DOCTORS,
        {f"{DOCTORS}.csv": as_csv(RECORDS[DOCTORS]).encode("latin-1")},
        (f"hospital,{DOCTORS},encoding,latin-1",),
    ),
    "UTF-16": (
        DOCTORS,
        {f"{DOCTORS}.csv": b"\xff\xfe" + as_csv(RECORDS[DOCTORS]).encode("utf-16-le")},
        (f"hospital,{DOCTORS},encoding,utf-16",),
    ),
    "decimal comma": (
        TREATMENTS,
        {f"{TREATMENTS}.csv": as_csv([*map(decimal_comma, RECORDS[TREATMENTS])], ";")},
        (f"hospital,{TREATMENTS},decimal_mark,','".replace("'", '"'),),
    ),
    "month before day": (
        TREATMENTS,
        {f"{TREATMENTS}.csv": as_csv([*map(american, RECORDS[TREATMENTS])])},
        (f"hospital,{TREATMENTS},date_order,mdy",),
    ),
    "own name of a required column": (
        DOCTORS,
        {f"{DOCTORS}.csv": as_csv(renamed(DOCTORS, {"doctor_id": "Prüfer's {{ Nr }}"}))},
        (f"hospital,{DOCTORS},column:doctor_id,Prüfer's {{{{ Nr }}}}",),
    ),
    "known other spelling": (
        FEEDBACK,
        {f"{FEEDBACK}.json": json.dumps(renamed(FEEDBACK, {"patient_feedback_score": "Rating"}))},
        (),
    ),
    "capitals and blanks in names": (
        DOCTORS,
        {f"{DOCTORS}.csv": as_csv(renamed(DOCTORS, {"doctor_id": " DOCTOR-ID "}))},
        (),
    ),
    "line end in a quoted name": (
        DOCTORS,
        {f"{DOCTORS}.csv": as_csv(with_column(DOCTORS, "a\nb, c"))},
        (),
    ),
    "column of the same name": (
        DOCTORS,
        {f"{DOCTORS}.csv": CLEAN_DOCTORS.replace(b"\n", b",doctor_id\n")},
        (),
    ),
    "gzip": (DOCTORS, {f"{DOCTORS}.csv.gz": gzip.compress(CLEAN_DOCTORS)}, ()),
    "suffix in capitals": (DOCTORS, {f"{DOCTORS}.CSV.GZ": gzip.compress(CLEAN_DOCTORS)}, ()),
    "treatments as NDJSON": (
        TREATMENTS,
        {f"{TREATMENTS}.jsonl": as_ndjson(RECORDS[TREATMENTS])},
        (),
    ),
    "NDJSON under the name json": (FEEDBACK, {f"{FEEDBACK}.json": NDJSON}, ()),
    "one object in a file": (
        FEEDBACK,
        {f"{FEEDBACK}/{n}.json": json.dumps(r, indent=2) for n, r in enumerate(RECORDS[FEEDBACK])},
        (),
    ),
    "other spelling in another file": (
        FEEDBACK,
        {
            f"{FEEDBACK}/a.json": json.dumps(RECORDS[FEEDBACK][:3]),
            f"{FEEDBACK}/b.json": json.dumps(renamed(FEEDBACK, {"patient_id": "PatientID"})[3:]),
        },
        (),
    ),
    "folder of plain and packed files, one empty, one of an editor": (
        DOCTORS,
        {
            f"{DOCTORS}/a [1-3]*?.csv": as_csv(RECORDS[DOCTORS][:1]),
            f"{DOCTORS}/a 1x.csv": as_csv(RECORDS[DOCTORS][1:2], ";"),
            f"{DOCTORS}/year=2024/doctor_id=D7/b.csv.gz": PACKED_DOCTOR,
            f"{DOCTORS}/empty.csv": b"",
            f"{DOCTORS}/.~lock.a.csv": b"nobody",
            f"{DOCTORS}/_SUCCESS": b"",
        },
        (),
    ),
    "hostile file names": (
        DOCTORS,
        {
            f"{DOCTORS}/{name.translate(NO_FOLDERS)}.csv": as_csv([record])
            for name, record in zip(HOSTILE, RECORDS[DOCTORS] * 3, strict=True)
        },
        (),
    ),
    "column called filename": (
        DOCTORS,
        {f"{DOCTORS}.csv": as_csv(with_column(DOCTORS, "filename"))},
        (),
    ),
    "key called filename": (
        FEEDBACK,
        {f"{FEEDBACK}.json": json.dumps(with_column(FEEDBACK, "filename"))},
        (),
    ),
}


# Of each feed one form: they are read together.
ROUNDS = list(
    zip_longest(*([name for name, form in FORMS.items() if form[0] == feed] for feed in RECORDS))
)


@pytest.mark.system
@pytest.mark.parametrize("names", ROUNDS, ids=lambda names: ", ".join(filter(None, names)))
def test_same_records_in_another_form_give_the_same_rows(dbt, raw_dir, tmp_path, names):
    forms = [FORMS[name] for name in names if name]
    for feed, files, _ in forms:
        file_of(raw_dir, feed).unlink()
        for place, content in files.items():
            write(raw_dir, place, "", content)
    if options := [line for _, _, lines in forms for line in lines]:
        write_options(raw_dir, *options)
    outcome = run(dbt, raw_dir, tmp_path)
    for feed, _, _ in forms:
        check_same_rows(outcome, raw_dir, feed)


@pytest.mark.system
def test_parquet_files_of_several_types_give_the_same_rows(dbt, raw_dir, tmp_path):
    file_of(raw_dir, TREATMENTS).unlink()
    frame = pd.DataFrame(RECORDS[TREATMENTS])
    typed = frame.astype({"treatment_cost": float, "room_cost": float})
    typed["treatment_date"] = pd.to_datetime(typed.treatment_date).dt.date
    typed["filename"] = [[1]] * len(typed)
    (raw_dir / "hospital" / TREATMENTS).mkdir()
    frame[:5].to_parquet(raw_dir / "hospital" / TREATMENTS / "text.parquet")
    typed[5:].to_parquet(raw_dir / "hospital" / TREATMENTS / "ty'ped.PARQUET")
    outcome = run(dbt, raw_dir, tmp_path)
    assert outcome.query("select n_raw, n_accepted from quality.feed_reconciliation where "
                         f"feed = '{TREATMENTS}'") == [(12, 12)]  # fmt: skip
    typed[5:].to_parquet(raw_dir / "hospital" / TREATMENTS / "typed.parquet")
    (raw_dir / "hospital" / TREATMENTS / "ty'ped.PARQUET").unlink()
    check_same_rows(run(dbt, raw_dir, tmp_path), raw_dir, TREATMENTS)


@pytest.mark.parametrize(
    "suffix", in_fast_suite([".csv", ".json", ".ndjson", ".parquet"], ".csv", ".json")
)
def test_hostile_names_and_values_are_only_text(dbt, raw_dir, tmp_path, suffix):
    """Each hostile text stands in an id, in a value and in the name of an undeclared column."""
    records = [
        {"doctor_id": text, "doctor_name": text, "specialty": "x", **dict.fromkeys(HOSTILE, text)}
        for text in HOSTILE
    ]
    file_of(raw_dir, DOCTORS).unlink()
    if suffix == ".parquet":
        pd.DataFrame(records).to_parquet(raw_dir / "hospital" / f"{DOCTORS}.parquet")
    else:
        as_text = {".csv": as_csv, ".json": json.dumps, ".ndjson": as_ndjson}[suffix]
        write(raw_dir, DOCTORS, suffix, as_text(records))
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    rows = outcome.query("select doctor_id, doctor_name from staging.stg_hospital__doctors")
    assert sorted(rows) == sorted((text.upper(), text) for text in HOSTILE)
    rows = outcome.query("select source_file, column_name from quality.undeclared_columns")
    assert sorted(rows) == sorted((f"hospital/{DOCTORS}{suffix}", text) for text in HOSTILE)


@pytest.mark.system
@pytest.mark.parametrize("suffix", [".csv", ".ndjson"])
def test_hostile_text_in_refused_records_is_kept_as_it_is(dbt, raw_dir, tmp_path, suffix):
    file_of(raw_dir, DOCTORS).unlink()
    good = {".csv": as_csv, ".ndjson": as_ndjson}[suffix](RECORDS[DOCTORS])
    lines = [text + ",a,b,c,d" if suffix == ".csv" else "{" + text for text in HOSTILE]
    lines = [line for line in lines if not (suffix == ".csv" and line.startswith('"'))]
    write(raw_dir, DOCTORS, suffix, good + "\n".join(lines))
    outcome = run(dbt, raw_dir, tmp_path)
    check_same_rows(outcome, raw_dir, DOCTORS)
    rows = outcome.query("select record ->> 'unreadable_text' from quality.quarantine")
    assert sorted(text for (text,) in rows) == sorted(lines)


@pytest.mark.system
def test_undeclared_and_repeated_columns_are_reported_as_drift(dbt, raw_dir, tmp_path):
    write(
        raw_dir, DOCTORS, ".csv", "doctor_id,doctor_name,specialty,fax,doctor_id,\nD0,a,b,1,D9,\n"
    )
    write(raw_dir, FEEDBACK, ".json", json.dumps(with_column(FEEDBACK, "nul\0 \ud800".encode(
        "utf-8", "replace").decode())))  # fmt: skip
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    rows = outcome.query("select feed, column_name from quality.undeclared_columns order by all")
    assert rows == [
        (DOCTORS, "__6"),
        (DOCTORS, "doctor_id__5"),
        (DOCTORS, "fax"),
        (FEEDBACK, "nul\0 ?"),
    ]


@pytest.mark.system
def test_key_that_only_late_records_have_is_still_read(dbt, raw_dir, tmp_path):
    """Above a size only the first records are looked at for their keys."""
    records = [
        {"patient_id": f"P{n}", "patient_feedback_score": 3, "_": "x" * 500} for n in range(3000)
    ]
    records[-1]["review_date"] = "2025-05-05"
    write(raw_dir, FEEDBACK, ".json", json.dumps(records))
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    assert outcome.query(
        "select patient_id, review_date::varchar from staging.stg_hospital__patient_feedback "
        "where review_date is not null"
    ) == [("P2999", "2025-05-05")]


@pytest.mark.system
def test_raw_directory_may_be_relative_and_end_in_a_slash(dbt, raw_dir, tmp_path):
    outcome = dbt(f"{relpath(raw_dir, PROJECT)}/", tmp_path / "out", *MODELS)
    check_same_rows(outcome, raw_dir, DOCTORS)
    outcome = run(dbt, raw_dir, tmp_path)
    check_same_rows(outcome, raw_dir, DOCTORS)


# What changes while it is read.


@pytest.mark.system
def test_file_written_again_while_the_build_reads_it_is_read_again_by_the_next(
    dbt, raw_dir, tmp_path
):
    """In the end it holds the bytes that were scanned, which are not those that were read."""
    names = TREATMENT_COLUMNS.split(",")
    rows = ((f"T{n}", "P1", "D1", "Scan", "5.50", "20.25", "2025-03-01") for n in range(150_000))
    content = as_csv([dict(zip(names, row, strict=True)) for row in rows]).encode()
    path = write(raw_dir, TREATMENTS, ".csv", content)
    place = tmp_path / "out"
    compiled = f"target/compiled/**/base_hospital__{TREATMENTS}.sql"
    is_over = Event()

    def deliver_again() -> bool:
        while not (begun := any(place.glob(compiled))) and not is_over.wait(0.005):
            pass
        with path.open("wb") as file:  # which empties it
            file.write(content[: len(content) // 3])
            file.flush()
            time.sleep(2)
            file.write(content[len(content) // 3 :])
        return begun

    with ThreadPoolExecutor(1) as pool:
        delivery = pool.submit(deliver_again)
        outcome = run(dbt, raw_dir, tmp_path)
        is_over.set()
        assert delivery.result(), "the delivery did not meet the build"
    assert path.read_bytes() == content
    assert not outcome.success
    assert f"hospital/{TREATMENTS}.csv changed while the build read it" in outcome.message
    assert "Traceback" not in outcome.message
    landed = outcome.query("select distinct feed from landing.landed_files order by all")
    assert landed == [(DOCTORS,), (FEEDBACK,)]
    outcome = run(dbt, raw_dir, tmp_path)
    check_nothing_is_lost(outcome, raw_dir)
    assert outcome.query("select count(*) from staging.stg_hospital__treatments") == [(150_000,)]
