"""The landing by itself: what is matched, what is refused, and that names stay names."""

import csv
import dataclasses
import gzip
import io
import json
import os
import socket
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from builds import PROJECT, in_fast_suite
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wardhouse.dbt_plugin import _changed_files
from wardhouse.landing.bytes import survey_csv
from wardhouse.landing.feeds import Column, Feed, choose_areas, declared_feeds
from wardhouse.landing.files import UNSETTLED, file_state, find_files, hash_file, is_as_scanned
from wardhouse.landing.headers import FeedPlan, map_columns, missing_columns, normalise
from wardhouse.landing.land import check_state, land
from wardhouse.landing.options import read_options, read_spellings
from wardhouse.landing.plan import empty_select, plan_feed, survey_row
from wardhouse.settings import named_directory
from wardhouse.warehouse import identifier, quote

FEED = Feed(
    "clinic",
    "visits",
    (
        Column("visit_id", required=True, aliases=("visit", "number")),
        Column("order", required=True),
        Column("note", required=False, aliases=("#",)),
    ),
)
KEEPING = dataclasses.replace(FEED, keep_undeclared=True)
# Everything that a text can hold, apart from what neither SQL nor a file name may: NUL.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
FILE_NAME = st.text(
    st.characters(exclude_characters="\0/\\", exclude_categories=("Cs",)), min_size=1, max_size=30
).filter(lambda name: not name.startswith("."))


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


def write(raw_dir: Path, place: str, content: str | bytes = "visit_id,order,note\n1,2,3\n") -> Path:
    path = raw_dir / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(plan: FeedPlan) -> list[tuple]:
    assert not plan.problems
    with duckdb.connect() as connection:
        return connection.execute(f"from ({plan.select}) order by all").fetchall()


def request(raw_dir: Path, **changed) -> dict:
    columns = [
        {"name": c.name, "meta": {"required": c.required, "aliases": list(c.aliases)}}
        for c in FEED.columns
    ]
    feeds = [
        {"area": area, "name": FEED.name, "meta": {}, "columns": columns}
        for area in ("clinic", "hospice")
    ]
    rules = {"project_dir": str(PROJECT), "vars": {}, "models": []}
    usual = {"areas": "", "rules": rules, "state": None, "full_refresh": False}
    return {"raw_dir": str(raw_dir), "feeds": feeds, **usual, **changed}


@given(TEXT)
def test_quoted_text_comes_back_as_it_was(connection, text):
    assert connection.execute(f"select {quote(text)}").fetchall() == [(text,)]


@given(TEXT.filter(bool))
def test_quoted_name_names_one_column(connection, name):
    found = connection.execute(f"select 1 as {identifier(name)}")
    assert [column[0] for column in found.description] == [name]


@pytest.mark.parametrize("suffix", in_fast_suite(["csv", "json", "ndjson", "parquet"], "csv"))
@given(names=st.lists(TEXT.filter(normalise), min_size=1, max_size=4, unique_by=normalise))
@settings(max_examples=15, deadline=None)
def test_column_of_any_name_is_read_from_any_format(tmp_path_factory, connection, suffix, names):
    """Every name in turn is an alias of the declared column, and leads to its own values.

    Where the feed keeps the others, each leads to its own, too.
    """
    raw_dir = tmp_path_factory.mktemp("names")
    record = {name: f"value {place}" for place, name in enumerate(names)}
    path = write(raw_dir, f"clinic/visits.{suffix}", "")
    if suffix == "parquet":
        # DuckDB renames columns that differ in case only.
        assume(len({name.lower() for name in names}) == len(names))
        columns = ", ".join(f"{quote(v)} as {identifier(k)}" for k, v in record.items())
        connection.execute(f"copy (select {columns}) to {quote(str(path))} (format parquet)")
    elif suffix == "csv":
        # A line end of another kind, even in a name, is refused with its line.
        assume(not any("\r" in name or "\n" in name for name in names))
        with path.open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([record.keys(), record.values()])
    else:
        path.write_text(json.dumps([record] if suffix == "json" else record))
    feed = Feed("clinic", "visits", (Column("wanted", required=False),))
    for place, name in enumerate(names):
        keeps = place % 2 == 0
        chosen = dataclasses.replace(feed, keep_undeclared=keeps)
        plan = plan_feed(raw_dir, chosen, {"column:wanted": name})
        [(wanted, *undeclared, source_file, unreadable)] = rows(plan)
        assert (wanted, source_file, unreadable) == (record[name], f"clinic/visits.{suffix}", None)
        others = {other: value for other, value in record.items() if other != name}
        kept = [json.loads(text) if text else {} for text in undeclared]
        assert kept == ([others] if keeps else [])


@given(st.lists(FILE_NAME, min_size=1, max_size=4, unique_by=str.casefold))
@settings(max_examples=40, deadline=None)
def test_any_file_name_is_read_once_and_kept_as_it_is(tmp_path_factory, names):
    raw_dir = tmp_path_factory.mktemp("files")
    for place, name in enumerate(names):
        write(raw_dir, f"clinic/visits/{name}.csv", f"visit_id,order\n{place},x\n")
    expected = [
        (str(n), "x", None, f"clinic/visits/{name}.csv", None) for n, name in enumerate(names)
    ]
    assert rows(plan_feed(raw_dir, FEED, {})) == expected


@given(TEXT)
def test_normalising_twice_is_normalising_once(name):
    assert normalise(normalise(name)) == normalise(name)


@pytest.mark.parametrize(
    ("name", "reduced"),
    [
        ("Visit ID", "visitid"),
        (" visit--id ", "visitid"),
        ("VISIT_ID", "visitid"),
        ("visitId", "visitid"),
        ("Größe (cm)", "größecm"),
        ("#", ""),
        ("", ""),
    ],
)
def test_names_are_compared_without_case_and_signs(name, reduced):
    assert normalise(name) == reduced


def test_no_alias_says_what_another_name_of_its_feed_says():
    for feed in declared_feeds(PROJECT):
        names = Counter(
            normalise(name) for column in feed.columns for name in (column.name, *column.aliases)
        )
        assert [name for name, n in names.items() if n > 1] == [], feed.label


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Order ID,visitId,note,a,b", "Order ID, visitId, note, a, b"),
        ("a,visitId,b", "3, of which 1 known; is there a header line?"),
    ],
)
def test_message_on_missing_columns_shows_what_is_surely_a_header_and_the_cure(
    tmp_path, header, found
):
    names = ("visit_id", "order", "clinic_id", "patient_id", "doctor_id")
    feed = Feed(
        "clinic",
        "visits",
        tuple(Column(name, required=name != "note") for name in (*names, "note")),
    )
    write(tmp_path, "clinic/visits.csv", f"{header}\n")
    [problem] = plan_feed(tmp_path, feed, {}).problems
    assert f"      columns found:    {found}\n" in problem
    assert problem.endswith(
        "      in feeds.csv:     clinic,visits,column:order,<its name in the file>, "
        "or value:order,<what holds for every record>"
    )


@pytest.mark.parametrize(
    ("header", "options", "found", "missing"),
    [
        (["order", "visit_id"], {}, ["visit_id"], []),
        (["Visit", "Order", "VISIT_ID"], {}, ["VISIT_ID", "Visit"], []),
        (["visit", "order", "visit_id"], {}, ["visit_id", "visit"], []),
        (["Fall-Nr.", "order"], {"column:visit_id": "fall nr"}, ["Fall-Nr."], []),
        (["Fall-Nr."], {}, [], ["visit_id", "order"]),
        (["", "!", "#"], {}, [], ["visit_id", "order"]),
        ([], {}, [], ["visit_id", "order"]),
    ],
)
def test_columns_are_matched_by_any_known_spelling_the_exact_one_first(
    header, options, found, missing
):
    plan = FeedPlan(FEED, options)
    assert map_columns(plan, header)["visit_id"] == found
    assert map_columns(plan, header)["note"] == []
    assert missing_columns(plan, header) == missing


@pytest.mark.parametrize(
    ("options", "read"),
    [({}, ["c", None]), ({"column:visit_id": "Visit"}, ["a", "b"])],
)
def test_alias_is_no_fallback_and_what_its_user_says_comes_first(tmp_path, options, read):
    write(tmp_path, "clinic/visits.csv", "visit,visit_id,order\na,,1\nb,c,1\n")
    plan = plan_feed(tmp_path, FEED, options)
    assert [row[0] for row in rows(plan)] == read
    assert [name for _, name in plan.undeclared] == ["visit_id" if options else "visit"]


def test_each_json_record_is_read_by_the_first_of_its_own_names(tmp_path):
    records = [
        {"visit": "a", "visit_id": None, "order": 1},
        {"visit": "b", "order": 1},
        {"visit": "c", "visit_id": "d", "order": 1},
    ]
    write(tmp_path, "clinic/visits.ndjson", "\n".join(map(json.dumps, records)) + "\n{\n")
    plan = plan_feed(tmp_path, FEED, {})
    assert [row[0] for row in rows(plan)] == ["b", "d", None, None]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("visits.csv", "visit_id\na\n\nb\n"),
        ("visits.ndjson", '{"visit_id": "a"}\n{"visit_id": "b"}\n'),
    ],
)
def test_value_supplies_what_a_file_lacks(tmp_path, name, text):
    write(tmp_path, f"clinic/{name}", text)
    plan = plan_feed(tmp_path, FEED, {"value:order": "it's 1"})
    assert plan.problems == []
    assert {row[:2] for row in rows(plan) if row[0]} == {("a", "it's 1"), ("b", "it's 1")}


def test_value_is_for_records_without_the_key_and_never_for_a_column_that_is_there(tmp_path):
    write(tmp_path, "clinic/visits.csv", "visit_id,order\na,\n")
    plan = plan_feed(tmp_path, FEED, {"value:order": "1"})
    assert [row[1] for row in rows(plan)] == [None]
    (tmp_path / "clinic" / "visits.csv").unlink()
    write(tmp_path, "clinic/visits.ndjson", '{"visit_id": "a", "order": null}\n{"visit_id": "b"}\n')
    plan = plan_feed(tmp_path, FEED, {"value:order": "1"})
    assert [row[1] for row in rows(plan)] == [None, "1"]


@pytest.mark.parametrize(
    ("text", "n_rows"),
    [
        ("visit_id,order,\na,1\nb,2\n", 2),
        ("visit_id,order,\na,1,\nb,2,\n", 2),
        ("visit_id,order\na,1,\nb,2,\n", 2),
        ("visit_id,order,\na,1\n\nb,2\nc,3,4\n", 2),
    ],
)
def test_delimiter_at_the_end_of_header_or_records_alone_makes_no_column(tmp_path, text, n_rows):
    write(tmp_path, "clinic/visits.csv", text)
    assert len([row for row in rows(plan_feed(tmp_path, FEED, {})) if row[0]]) == n_rows


def test_header_repeated_among_the_records_is_told_from_a_record(tmp_path):
    text = "visit_id,order,x\na,1,1\nvisit_id,order,x\n\ufeffvisit_id,order,x\nvisit_id,2,x\n"
    write(tmp_path, "clinic/visits.csv", text)
    said = {row[:2]: row[-1] for row in rows(plan_feed(tmp_path, FEED, {}))}
    header = "repeated header: visit_id, order"
    assert said == {
        ("a", "1"): None,
        ("visit_id", "order"): header,
        ("\ufeffvisit_id", "order"): header,
        ("visit_id", "2"): None,
    }


# What a feed keeps beside its declared columns.

HOSTILE_NAME = """it's "x"; {b}"""


def kept(plan: FeedPlan) -> dict[str | None, dict | None]:
    """Read the undeclared values of each visit, and hold their text against the shortest form."""
    found = {}
    for visit_id, _, _, undeclared, *_ in rows(plan):
        found[visit_id] = json.loads(undeclared) if undeclared is not None else None
        ordered = found[visit_id] and dict(sorted(found[visit_id].items()))
        text = ordered and json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)
        assert undeclared == text
    return found


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "json", "ndjson", "parquet"])
def test_undeclared_columns_are_kept_as_texts_by_their_own_names(tmp_path, connection, suffix):
    records = [
        {"zz": "6", "Visit": "a", "Doc visits": " 6.50 ", "order": "1", HOSTILE_NAME: "it's"},
        {"zz": None, "Visit": "b", "Doc visits": "é", "order": "2", HOSTILE_NAME: "N/A"},
    ]
    path = write(tmp_path, f"clinic/visits.{suffix}", "")
    if suffix == "parquet":
        selects = [
            ", ".join(
                f"{quote(value) if value else 'null'} as {identifier(name)}"
                for name, value in record.items()
            )
            for record in records
        ]
        connection.execute(
            f"copy (select {' union all select '.join(selects)}) to {quote(str(path))} "
            "(format parquet)"
        )
    elif suffix.startswith("csv"):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([records[0], *(record.values() for record in records)])
        content = text.getvalue().encode()
        path.write_bytes(gzip.compress(content) if suffix == "csv.gz" else content)
    else:
        lines = [json.dumps(record) for record in records]
        path.write_text("\n".join(lines) if suffix == "ndjson" else f"[{','.join(lines)}]")
    plan = plan_feed(tmp_path, KEEPING, {})
    assert kept(plan) == {
        record["Visit"]: {name: record[name] for name in ("zz", "Doc visits", HOSTILE_NAME)}
        for record in records
    }
    assert {name for _, name in plan.undeclared} == {"zz", "Doc visits", HOSTILE_NAME}


def test_each_file_of_a_feed_keeps_the_columns_that_it_has(tmp_path):
    write(tmp_path, "clinic/visits/a.csv", "visit_id,order,x,X\na,1,2,\n")
    write(tmp_path, "clinic/visits/b.csv", "y,order,visit_id\n3,1,b\n")
    write(tmp_path, "clinic/visits/c.csv", "visit_id,order\nc,1\n")
    assert kept(plan_feed(tmp_path, KEEPING, {})) == {
        "a": {"x": "2", "X": None},
        "b": {"y": "3"},
        "c": None,
    }


def test_columns_are_kept_in_one_order_whatever_theirs_is(tmp_path):
    write(tmp_path, "clinic/visits/a.ndjson", '{"visit_id": "a", "order": 1, "y": 1, "x": [1, 2]}')
    write(tmp_path, "clinic/visits/b.ndjson", '{"x": [1, 2], "y": 1, "visit_id": "b", "order": 1}')
    write(tmp_path, "clinic/visits/c.ndjson", '{"visit_id": "c", "order": 1}')
    write(tmp_path, "clinic/visits/d.ndjson", '{"visit_id": "d", "order": 1, "a/b": true, "": 0}')
    assert kept(plan_feed(tmp_path, KEEPING, {})) == {
        "a": {"x": "[1,2]", "y": "1"},
        "b": {"x": "[1,2]", "y": "1"},
        "c": None,
        "d": {"": "0", "a/b": "true"},
    }


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({}, {"visit": "b", "Fall": "c"}),
        ({"column:visit_id": "Fall"}, {"visit": "b", "visit_id": "a"}),
    ],
)
def test_a_column_known_by_any_name_is_declared_and_one_that_is_not_read_is_kept(
    tmp_path, options, values
):
    write(tmp_path, "clinic/visits.csv", "visit_id,visit,Fall,number,order\na,b,c,d,1\n")
    [found] = kept(plan_feed(tmp_path, KEEPING, options)).values()
    assert found == values | {"number": "d"}


def test_of_json_every_spelling_of_a_column_is_declared(tmp_path):
    lines = ['{"visit": "a", "order": 1, "x": 1}', '{"visit_id": "b", "Order": 1, "x": null}']
    write(tmp_path, "clinic/visits.ndjson", "\n".join(lines))
    assert kept(plan_feed(tmp_path, KEEPING, {})) == {"a": {"x": "1"}, "b": {"x": None}}


@pytest.mark.parametrize(
    ("record", "is_read"),
    [
        ('{"visit_id": 1, "order": 2, "x": 3, "x": 4}', False),
        (r'{"visit_id": 1, "order": 2, "x": "\u0000"}', False),
        (r'{"visit_id": 1, "order": 2, "\u0000": 3}', False),
        (r'{"visit_id": 1, "order": 2, "x": "\\u0000"}', True),
    ],
)
def test_a_record_that_repeats_a_kept_key_or_holds_nul_in_it_is_unreadable(
    tmp_path, record, is_read
):
    write(tmp_path, "clinic/visits.ndjson", f"{PLAIN}\n{record}\n{PLAIN}")
    found = rows(plan_feed(tmp_path, KEEPING, {}))
    assert [row[-1] for row in found if row[0] is None] == ([] if is_read else [record])
    assert len(found) == 3


def test_nul_in_a_kept_text_of_parquet_makes_the_record_unreadable(tmp_path, connection):
    path = write(tmp_path, "clinic/visits.parquet", "")
    connection.execute(
        "copy (select 'P' as visit_id, 1 as \"order\", chr(0) as x union all select 'P', 2, 'x') "
        f"to {quote(str(path))} (format parquet)"
    )
    unreadable = [row[-1] is not None for row in rows(plan_feed(tmp_path, KEEPING, {}))]
    assert sorted(unreadable) == [False, True]


def test_kept_columns_are_no_drift_and_a_feed_that_begins_to_keep_them_is_read_again(tmp_path):
    write(tmp_path, "clinic/visits.csv", "visit_id,order,x\na,1,2\n")
    ignoring, keeping = request(tmp_path), request(tmp_path)
    for feed in keeping["feeds"]:
        feed["meta"] = {"keep_undeclared": True}
    before, after = land(ignoring), land(keeping, land(ignoring)["new_files"])
    assert [row["column_name"] for row in before["undeclared"]] == ["x"]
    assert after["undeclared"] == []
    assert len(before["new_files"]) == len(after["new_files"]) == len(after["gone_files"]) == 1
    assert land(keeping, after["new_files"])["new_files"] == []
    views = {view["name"]: view["select"] for view in before["views"]}
    assert not any("undeclared_values" in select for select in views.values())
    assert columns_of(after["views"]) == {
        (
            *(column.name for column in FEED.columns),
            "undeclared_values",
            "source_file",
            "unreadable_text",
        )
    }


def columns_of(views: list[dict[str, str]]) -> set[tuple[str, ...]]:
    """Name the columns of the views of a plan: those of feeds that are there, and of others."""
    with duckdb.connect() as connection:
        return {
            tuple(c[0] for c in connection.execute(view["select"]).description) for view in views
        }


def test_whole_numbers_that_parquet_keeps_as_doubles_have_no_point(tmp_path):
    (tmp_path / "clinic").mkdir()
    path = tmp_path / "clinic" / "visits.parquet"
    numbers = "unnest([1001::double, 29872499824296, 0.5, 1e300, 'nan'::double, null])"
    columns = f'{numbers} as visit_id, 2::float as "order"'
    duckdb.execute(f"copy (select {columns}) to '{path}' (format parquet)")
    read = [row[:2] for row in rows(plan_feed(tmp_path, FEED, {}))]
    texts = ["0.5", "1001", "1e+300", "29872499824296", "nan", None]
    assert read == [(text, "2") for text in texts]


def test_feeds_of_the_project_are_those_its_sources_declare():
    feeds = {feed.label: feed for feed in declared_feeds(PROJECT)}
    assert {"hospital.doctors_info", "hospital.patient_feedback"} <= set(feeds)
    required = {c.name: c.required for c in feeds["hospital.patient_feedback"].columns}
    assert required == {
        "patient_id": True,
        "treatment_id": False,
        "patient_feedback_score": True,
        "review_date": False,
        "feedback_id": False,
    }


@pytest.mark.parametrize(
    ("chosen", "areas", "problem"),
    [
        ("", ["clinic"], None),
        (" , ", ["clinic"], None),
        ("clinic", ["clinic"], None),
        (" hospice, clinic ,clinic", ["clinic", "hospice"], None),
        ("clinic,ward", ["clinic"], "WARDHOUSE_AREAS names ward; known: clinic, hospice"),
        ("Clinic", [], "WARDHOUSE_AREAS names Clinic"),
    ],
)
def test_areas_are_those_chosen_or_those_with_a_folder(tmp_path, chosen, areas, problem):
    (tmp_path / "clinic").mkdir()
    (tmp_path / "hospice").write_text("a file, not a folder")
    found, problems = choose_areas(tmp_path, chosen, ["hospice", "clinic", "clinic"])
    assert found == areas
    assert bool(problems) == bool(problem)
    assert problem is None or problem in problems[0]


def test_directory_without_areas_or_none_at_all_is_a_problem(tmp_path):
    assert "has no folder named after an area" in choose_areas(tmp_path, "", ["clinic"])[1][0]
    assert "does not exist" in choose_areas(tmp_path / "none", "", ["clinic"])[1][0]


def test_options_are_read_by_area_and_feed(tmp_path):
    write(
        tmp_path,
        "feeds.csv",
        "\ufeffvalue,area,feed,option\n\\t,clinic,visits,delimiter\n"
        " Fall Nr ,clinic, visits,column:visit_id\n\n",
    )
    options, problems = read_options(tmp_path, [FEED])
    assert not problems
    assert options == {("clinic", "visits"): {"delimiter": "\t", "column:visit_id": "Fall Nr"}}
    assert read_options(tmp_path / "none", [FEED]) == ({}, [])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("clinic,visits,delimeter,;", "no option 'delimeter'"),
        ("clinic,visits,,", "no option ''"),
        ("clinic", "no feed 'clinic.'"),
        ("clinic,visit,delimiter,;", "no feed 'clinic.visit'"),
        ("clinic,visits,column:nope,x", "clinic.visits declares no column 'nope'"),
        ("clinic,visits,value:nope,x", "clinic.visits declares no column 'nope'"),
        ("clinic,visits,scale,1-10", "scale is two whole numbers of 0 to 100"),
        ("clinic,visits,scale,5..1", "scale is two whole numbers of 0 to 100"),
        ("clinic,visits,time_zone,Berlin", "time_zone is a zone of the IANA"),
        ("clinic,visits,zone:EST,5", "zone:EST is a zone of the IANA"),
        ("clinic,visits,zone:E'T,-05:00", "zone:E'T: an abbreviation is of letters alone"),
        ("clinic,visits,date_order,DMY", "date_order is one of dmy, mdy, not 'DMY'"),
        ("clinic,visits,decimal_mark,;", "decimal_mark is one of ., ,, not ';'"),
        ("clinic,visits,encoding,cp1252", "encoding is one of utf-8, latin-1, utf-16"),
        ("clinic,visits,delimiter,", "delimiter is one ASCII character"),
        ("clinic,visits,delimiter,§", "delimiter is one ASCII character"),
        ('clinic,visits,delimiter,""""', "delimiter is one ASCII character"),
    ],
)
def test_setting_that_means_nothing_is_a_problem_with_its_line(tmp_path, line, problem):
    write(tmp_path, "feeds.csv", f"area,feed,option,value\n{line}\n")
    _, problems = read_options(tmp_path, [FEED])
    assert len(problems) == 1
    assert problems[0].startswith(f"feeds.csv line 2: {problem}")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("departments,Notaufnahme,Emergency", None),
        ("departments,,Emergency", "spelling and meaning are words"),
        ("departments,x,", "spelling and meaning are words"),
        ("department,x,y", "no list 'department'"),
    ],
)
def test_spellings_of_the_raw_directory_are_options_of_every_feed(tmp_path, line, problem):
    write(tmp_path, "spellings.csv", f"list,spelling,meaning\n{line}\ngenders,Née-F,Female\n")
    options, problems = read_spellings(tmp_path, [FEED], PROJECT / "seeds" / "reference")
    assert options["clinic", "visits"]["spelling:genders:neef"] == "Female"
    if problem:
        assert [each.startswith("spellings.csv line 2: ") for each in problems] == [True]
        assert problem in problems[0]
    else:
        assert problems == []
        assert options["clinic", "visits"]["spelling:departments:notaufnahme"] == "Emergency"


def test_files_are_found_whatever_the_case_of_the_suffix_and_hidden_ones_are_not(tmp_path):
    names = ["a.csv", "b.CSV", "deep/er/c.csv.gz", ".d.csv", ".hidden/e.csv", "_SUCCESS"]
    for name in names:
        write(tmp_path, f"clinic/visits/{name}")
    write(tmp_path, "elsewhere/f.csv")
    (tmp_path / "clinic" / "visits" / "link").symlink_to(tmp_path / "elsewhere")
    found, problems = find_files(tmp_path, FEED)
    assert not problems
    assert [path.relative_to(tmp_path / "clinic" / "visits").as_posix() for path in found] == [
        "a.csv",
        "b.CSV",
        "deep/er/c.csv.gz",
        "link/f.csv",
    ]


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ([], "no file; looked for"),
        (["visits.txt"], "no file; looked for"),
        (["visits.csv.bak"], "no file; looked for"),
        (["Visits.csv"], "no file; looked for"),
        (["visits/"], "no file; looked for"),
        (["visits.csv", "visits.parquet"], "more than one place"),
        (["visits.csv", "visits/a.csv"], "more than one place"),
        (["visits/a.csv", "visits/a.json"], "mixes kinds"),
        (["visits/a.csv", "visits/readme.txt"], "readme.txt is none of"),
        (["visits.csv", "visits.XLS"], "visits.XLS is a spreadsheet"),
        (["visits/b.ods"], "b.ods is a spreadsheet"),
    ],
)
def test_place_that_is_not_plain_is_refused(tmp_path, places, problem):
    (tmp_path / "clinic").mkdir()
    for place in places:
        if place.endswith("/"):
            (tmp_path / "clinic" / place).mkdir()
        else:
            write(tmp_path, f"clinic/{place}")
    found, problems = find_files(tmp_path, FEED)
    assert found == []
    assert len(problems) == 1
    assert problem in problems[0]


def test_file_that_is_gone_when_it_is_opened_is_a_problem(tmp_path):
    (tmp_path / "clinic" / "visits").mkdir(parents=True)
    (tmp_path / "clinic" / "visits" / "a.csv").symlink_to(tmp_path / "nowhere")
    plan = plan_feed(tmp_path, FEED, {})
    assert plan.problems == [f"{tmp_path / 'clinic/visits/a.csv'}: No such file or directory"]


def test_fingerprint_changes_with_whatever_changes_the_reading(tmp_path):
    write(tmp_path, "clinic/visits.csv")

    def fingerprint(feed=FEED, options=None, settings=""):
        return plan_feed(tmp_path, feed, options or {}, settings).fingerprints["clinic/visits.csv"]

    more = Feed("clinic", "visits", (*FEED.columns, Column("fee", required=False)))
    alias = Column("visit_id", required=True, aliases=("case",))
    other = Feed("clinic", "visits", (alias, *FEED.columns[1:]))
    first = fingerprint()
    assert fingerprint() == first
    kinds = [
        fingerprint(settings="x"),
        fingerprint(options={"encoding": "latin-1"}),
        fingerprint(feed=more),
        fingerprint(feed=other),
        fingerprint(feed=KEEPING),
    ]
    write(tmp_path, "clinic/visits.csv", "visit_id,order,note\n1,2,4\n")
    kinds.append(fingerprint())
    assert len({first, *kinds}) == 7


def surveys(plan: FeedPlan) -> dict[str, dict]:
    return {file.source_file: survey_row(plan, file) for file in plan.files}


@pytest.fixture
def late_clock(monkeypatch):
    """Let the survey think that some seconds have passed since files were written."""
    monkeypatch.setattr("wardhouse.landing.files.time.time", lambda now=time.time: now() + 60)


@pytest.mark.usefixtures("late_clock")
def test_file_that_nobody_touched_is_not_read_again(tmp_path, monkeypatch):
    from wardhouse.landing import plan

    write(tmp_path, "clinic/visits/good.json", '[{"visit_id": 1, "order": 2}]')
    write(tmp_path, "clinic/visits/bad.json", '[{"visit_id": }]')
    first = plan_feed(tmp_path, FEED, {})
    known = json.loads(json.dumps(surveys(first)))
    for name in ("survey_json", "verify_json_documents", "json_keys"):
        monkeypatch.setattr(plan, name, lambda *_, name=name: pytest.fail(f"{name} ran"))
    second = plan_feed(tmp_path, FEED, {}, surveyed=known)
    assert second.unreadable == first.unreadable
    assert second.fingerprints == first.fingerprints
    assert rows(second) == rows(first) == [("1", "2", None, "clinic/visits/good.json", None)]


@pytest.mark.usefixtures("late_clock")
def test_touched_file_is_surveyed_again_even_at_the_same_size_and_time(tmp_path):
    path = write(tmp_path, "clinic/visits.csv", "visit_id,order\n1,2\n")
    before = path.stat()
    first = plan_feed(tmp_path, FEED, {})
    path.write_text("visit_id,order\n1,3\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = plan_feed(tmp_path, FEED, {}, surveyed=surveys(first))
    assert second.files[0].content_hash != first.files[0].content_hash


def test_file_just_written_is_not_yet_trusted(tmp_path, monkeypatch):
    from wardhouse.landing import plan

    write(tmp_path, "clinic/visits.csv")
    first = plan_feed(tmp_path, FEED, {})
    scanned = []
    monkeypatch.setattr(
        plan, "survey_csv", lambda path, *_: scanned.append(path) or survey_csv(path)
    )
    plan_feed(tmp_path, FEED, {}, surveyed=surveys(first))
    assert scanned == [tmp_path / "clinic" / "visits.csv"]


@pytest.mark.usefixtures("late_clock")
def test_survey_under_other_options_does_not_count(tmp_path):
    write(tmp_path, "clinic/visits.csv", "visit_id;order\n1;2\n")
    first = plan_feed(tmp_path, FEED, {})
    second = plan_feed(tmp_path, FEED, {"delimiter": ","}, surveyed=surveys(first))
    assert second.problems
    assert not first.problems


def test_only_files_with_something_new_are_in_the_fresh_view(tmp_path):
    write(tmp_path, "clinic/visits/a.csv", "visit_id,order\n1,2\n")
    write(tmp_path, "clinic/visits/b.csv", "visit_id,order\n3,4\n")
    first = plan_feed(tmp_path, FEED, {})
    landed = {**first.fingerprints, "clinic/visits/b.csv": "another"}
    fresh = plan_feed(tmp_path, FEED, {}, landed=landed).select_fresh
    assert "b.csv" in fresh
    assert "a.csv" not in fresh
    assert plan_feed(tmp_path, FEED, {}, landed=first.fingerprints).select_fresh == ""


@pytest.mark.parametrize(
    ("state", "problems"),
    [
        (None, 0),
        ({"raw_dir": "/a", "areas": ["clinic"]}, 0),
        ({"raw_dir": "/b", "areas": ["clinic"]}, 1),
        ({"raw_dir": "/a", "areas": ["clinic", "hospice"]}, 1),
        ({"raw_dir": "/b", "areas": ["hospice"]}, 2),
    ],
)
def test_other_directory_or_fewer_areas_need_another_warehouse(state, problems):
    found = check_state(state, "/a", ["clinic"])
    assert len(found) == problems
    assert all("wardhouse reset" in problem for problem in found)


def test_landing_names_all_that_is_wrong_in_one_message(tmp_path):
    (tmp_path / "hospice").mkdir()
    write(tmp_path, "clinic/visits.csv", "visit_id\n1\n")
    error = land(request(tmp_path))["error"]
    assert error.startswith(f"The raw files in {tmp_path} cannot be built:\n  - clinic.visits: ")
    assert "clinic/visits.csv lacks order\n" in error
    assert "columns expected: visit_id, order, [note]\n" in error
    assert "columns found:    visit_id\n" in error
    assert "  - hospice.visits: no file; looked for" in error


def test_area_that_is_not_chosen_has_an_empty_view_of_the_same_columns(tmp_path):
    write(tmp_path, "clinic/visits.csv")
    answer = land(request(tmp_path))
    assert answer["error"] is None
    assert answer["areas"] == ["clinic"]
    views = {view["schema"]: view["select"] for view in answer["views"]}
    assert views["raw_hospice"] == empty_select(FEED)
    with duckdb.connect() as connection:
        columns = [
            [column[:2] for column in connection.execute(f"describe {select}").fetchall()]
            for select in views.values()
        ]
        assert connection.execute(views["raw_hospice"]).fetchall() == []
    assert columns[0] == columns[1]
    assert {kind for _, kind in columns[0]} == {"VARCHAR"}


def test_optional_feed_that_is_missing_is_an_empty_view_and_one_that_is_there_is_judged(tmp_path):
    (tmp_path / "hospice").mkdir()
    write(tmp_path, "clinic/visits.csv")
    asked = request(tmp_path)
    assert "hospice.visits: no file; looked for" in land(asked)["error"]
    asked["feeds"][1]["meta"] = {"optional": True}
    answer = land(asked)
    assert answer["error"] is None
    assert answer["areas"] == ["clinic", "hospice"]
    assert {view["schema"]: view["select"] for view in answer["views"]}["raw_hospice"] == (
        empty_select(FEED)
    )
    assert [row["area"] for row in answer["new_files"]] == ["clinic"]
    write(tmp_path, "hospice/visits.csv", "visit_id\n1\n")
    assert "hospice/visits.csv lacks order" in land(asked)["error"]
    write(tmp_path, "hospice/visits.csv")
    assert [row["area"] for row in land(asked)["new_files"]] == ["clinic", "hospice"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("", {}),
        ("meta: {optional: true}", {"optional": True}),
        ("config: {meta: {optional: true}}", {"optional": True}),
        ("config: {meta: {entity: visit}}", {}),
        ("meta: {optional: false, keep_undeclared: true}", {"keep_undeclared": True}),
    ],
)
def test_sources_file_says_which_feeds_are_optional_or_keep_more(tmp_path, declared, said):
    write(
        tmp_path,
        "models/staging/clinic/_clinic__sources.yml",
        "sources:\n  - name: clinic\n    schema: raw_clinic\n    tables:\n      - name: visits\n"
        "        columns: [{name: visit_id, meta: {required: true}}]\n"
        f"        {declared}\n",
    )
    [feed] = declared_feeds(tmp_path)
    assert feed == Feed("clinic", "visits", (Column("visit_id", required=True),), **said)


def test_answer_can_be_written_as_json_whatever_the_files_hold(tmp_path):
    write(tmp_path, "clinic/visits/a'{{ b }}.json", '[{"visit_id": 1, "order": 2, "\\u0000": 3}]')
    write(tmp_path, "clinic/visits/b.json", '{"visit_id": "\\ud800"}')
    answer = land(request(tmp_path))
    assert json.loads(json.dumps(answer)) == answer
    assert [row["column_name"] for row in answer["undeclared"]] == ["\0"]
    assert [file["is_readable"] for file in answer["new_files"]] == [True, False]


# What the file system refuses, what is no file, and what lies elsewhere.


def problems_without_privileges(raw_dir: Path) -> list[str]:
    """Plan a feed in a process that file permissions bind, which they do not bind as root."""
    if os.geteuid():
        return plan_feed(raw_dir, FEED, {}).problems
    nobody = {"initializer": os.setuid, "initargs": (65534,)}
    with ProcessPoolExecutor(1, mp_context=get_context("fork"), **nobody) as pool:
        return pool.submit(plan_feed, raw_dir, FEED, {}).result().problems


@pytest.mark.parametrize("refused", ["clinic/visits/may", "clinic/visits", "clinic"])
def test_folder_that_may_not_be_read_is_a_problem_that_names_it(refused):
    with TemporaryDirectory() as place:  # whose parents everybody may read
        raw_dir = Path(place)
        raw_dir.chmod(0o755)
        write(raw_dir, "clinic/visits/april/a.csv")
        write(raw_dir, "clinic/visits/may/b.csv")
        for folder in raw_dir.rglob("**/"):  # whatever mask a build has left in this process
            folder.chmod(0o755)
        for file in raw_dir.rglob("*.csv"):
            file.chmod(0o644)
        (raw_dir / refused).chmod(0)
        assert problems_without_privileges(raw_dir) == [f"{raw_dir / refused}: Permission denied"]
        (raw_dir / refused).chmod(0o755)
        assert problems_without_privileges(raw_dir) == []


@pytest.mark.parametrize("place", ["clinic/visits.csv", "clinic/visits", "clinic/visits/may"])
def test_link_that_leads_nowhere_is_a_problem_that_names_it(tmp_path, place):
    """As a mount that failed leaves it."""
    write(tmp_path, "clinic/visits/a.csv" if place.count("/") == 2 else "clinic/note.txt")
    (tmp_path / place).symlink_to(tmp_path / "mount")
    plan = plan_feed(tmp_path, FEED, {})
    assert plan.problems == [f"{tmp_path / place}: No such file or directory"]


def test_area_whose_link_leads_nowhere_is_not_left_out(tmp_path):
    write(tmp_path, "clinic/visits.csv")
    (tmp_path / "hospice").symlink_to(tmp_path / "mount")
    assert f"{tmp_path}/hospice: No such file or directory" in land(request(tmp_path))["error"]


def test_file_that_breaks_off_while_it_is_read_is_a_problem_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_ALLOW_OUTSIDE_LINKS", "1")
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic" / "visits.csv").symlink_to("/proc/self/mem")  # whose first page is no page
    plan = plan_feed(tmp_path, FEED, {})
    assert plan.problems == [f"{tmp_path / 'clinic/visits.csv'}: Input/output error"]


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "a named pipe"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: (os.mkfifo(f"{path}.pipe"), path.symlink_to(f"{path}.pipe")), "a named pipe"),
    ],
    ids=["pipe", "socket", "device", "link to a pipe"],
)
@pytest.mark.parametrize("place", ["clinic/visits.csv", "clinic/visits/a.csv", "feeds.csv"])
def test_what_is_no_file_is_refused_by_name_and_not_opened(
    tmp_path, monkeypatch, make, words, place
):
    """Opening a pipe would wait for ever."""
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    (tmp_path / "clinic" / "visits").mkdir(parents=True)
    write(tmp_path, "clinic/visits/z.csv" if place == "feeds.csv" else "note.txt")
    make(tmp_path / place)
    error = land(request(tmp_path))["error"]
    assert f"{tmp_path / place} is {words}, not a file; take it out" in error


@pytest.mark.parametrize("place", ["clinic", "clinic/visits", "clinic/visits.csv", "feeds.csv"])
def test_link_out_of_the_raw_directory_is_refused_unless_allowed(tmp_path, monkeypatch, place):
    monkeypatch.delenv("WARDHOUSE_ALLOW_OUTSIDE_LINKS", raising=False)
    raw_dir, elsewhere = tmp_path / "raw", tmp_path / "elsewhere"
    write(elsewhere, "clinic/visits/a.csv")
    write(elsewhere, "clinic/visits.csv")
    write(elsewhere, "feeds.csv", "area,feed,option,value\n")
    if place == "feeds.csv":
        write(raw_dir, "clinic/visits.csv")
    if place == "clinic":
        (elsewhere / "clinic" / "visits.csv").unlink()
    (raw_dir / place).parent.mkdir(parents=True, exist_ok=True)
    (raw_dir / place).symlink_to(elsewhere / place)
    error = land(request(raw_dir))["error"]
    assert f"{raw_dir / place} is a link that leads out of the raw directory" in error
    assert "WARDHOUSE_ALLOW_OUTSIDE_LINKS=1" in error
    monkeypatch.setenv("WARDHOUSE_ALLOW_OUTSIDE_LINKS", "1")
    answer = land(request(raw_dir))
    assert answer["error"] is None
    assert len(answer["new_files"]) == 1


def test_link_to_a_folder_that_holds_it_is_refused(tmp_path):
    write(tmp_path, "clinic/visits/a.csv")
    (tmp_path / "clinic" / "visits" / "all").symlink_to(tmp_path / "clinic" / "visits")
    [problem] = plan_feed(tmp_path, FEED, {}).problems
    assert problem.startswith(f"{tmp_path / 'clinic/visits/all'} is a link to a folder that holds")


@pytest.mark.usefixtures("late_clock")
def test_raw_directory_that_is_a_link_may_lead_to_another_day(tmp_path):
    """What is remembered is the name, so only what differs between the days is read."""
    for day, order in (("monday", 2), ("tuesday", 3)):
        write(tmp_path, f"{day}/clinic/visits/a.csv", "visit_id,order\n1,1\n")
        write(tmp_path, f"{day}/clinic/visits/b.csv", f"visit_id,order\n2,{order}\n")
    current = tmp_path / "current"
    current.symlink_to("monday")
    first = land(request(current))
    assert first["raw_dir"] == str(current)
    (tmp_path / "next").symlink_to("tuesday")
    (tmp_path / "next").rename(current)
    state = {"raw_dir": first["raw_dir"], "areas": first["areas"]}
    second = land(request(current, state=state), first["new_files"], first["surveys"])
    assert second["error"] is None
    assert [row["source_file"] for row in second["new_files"]] == ["clinic/visits/b.csv"]
    assert [row["source_file"] for row in second["gone_files"]] == ["clinic/visits/b.csv"]
    error = land(request(tmp_path / "monday", state=state))["error"]
    assert f"this warehouse was built from {current}, not from {tmp_path / 'monday'}" in error


def test_other_name_of_the_same_directory_is_taken_and_remembered(tmp_path, monkeypatch):
    """As warehouses remember it that were built before names were kept."""
    write(tmp_path, "monday/clinic/visits.csv")
    (tmp_path / "current").symlink_to("monday")
    monkeypatch.chdir(tmp_path)
    state = {"raw_dir": str(tmp_path / "monday"), "areas": ["clinic"]}
    answer = land(request(Path("monday/../current/"), state=state))
    assert answer["raw_dir"] == str(tmp_path / "current")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("current", "current"),
        ("./current/", "current"),
        ("current/../monday", "days/monday"),
        ("current/../../current/clinic", "current/clinic"),
    ],
)
def test_directory_is_named_as_its_user_does(tmp_path, monkeypatch, path, named):
    (tmp_path / "days" / "monday").mkdir(parents=True)
    (tmp_path / "current").symlink_to("days/monday")
    monkeypatch.chdir(tmp_path)
    assert named_directory(Path(path)) == tmp_path / named


# What was read is held against what was scanned.


def touch_nothing(path: Path) -> None:
    pass


def write_again(path: Path) -> None:
    """Write the same bytes again, with the times they had, as some tools deliver."""
    before = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.rename(path)


@pytest.mark.parametrize("is_settled", [True, False])
@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (touch_nothing, True),
        (write_again, False),
        (replace, False),
        (Path.unlink, False),
        (lambda path: path.write_text("visit_id,order\n1,3\n"), False),
    ],
)
def test_file_that_was_touched_after_its_scan_is_not_what_was_scanned(
    tmp_path, request, change, is_same, is_settled
):
    if is_settled:
        request.getfixturevalue("late_clock")
    path = write(tmp_path, "clinic/visits.csv", "visit_id,order\n1,2\n")
    [file] = plan_feed(tmp_path, FEED, {}).files
    time.sleep(0.02)  # longer than a tick of the file system's clock
    change(path)
    scanned = [{"source_file": file.source_file, "stat": file.stat}]
    scanned[0]["content_hash"] = file.content_hash
    changed = json.loads(_changed_files(str(tmp_path), json.dumps(scanned)))
    assert changed == [] if is_same else [file.source_file]


def test_bytes_of_a_file_are_read_again_only_where_its_state_may_hide_a_change(tmp_path):
    path = write(tmp_path, "clinic/visits.csv", "visit_id,order\n1,2\n")
    assert is_as_scanned(path, file_state(path), "another hash")
    assert not is_as_scanned(path, file_state(path) + UNSETTLED, "another hash")
    assert is_as_scanned(path, file_state(path) + UNSETTLED, hash_file(path))


# JSON that says two things, or what no text may hold.

PLAIN = '{"visit_id": "1", "order": "2"}'


@pytest.mark.parametrize("suffix", ["json", "ndjson"])
@pytest.mark.parametrize(
    ("record", "read"),
    [
        ('{"visit_id": 1, "order": 2, "visit_id": 3}', None),
        ('{"visit_id": 1, "visit_id": 1, "order": 2}', None),
        (r'{"visit_id": "P\u0000", "order": 2}', None),
        (r'{"visit_id": 1, "order": 2, "unknown": "\u0000"}', ("1", "2")),
        (r'{"visit_id": "P\\u0000", "order": 2}', (r"P\u0000", "2")),
        ('{"visit_id": 1, "order": {"a": [2, 2]}}', ("1", '{"a":[2,2]}')),
        ("{}", (None, None)),
    ],
)
def test_object_with_a_repeated_key_or_nul_is_unreadable_alone(tmp_path, suffix, record, read):
    lines = [PLAIN, record, PLAIN, PLAIN]
    text = "\n".join(lines) if suffix == "ndjson" else f"[{','.join(lines)}]"
    write(tmp_path, f"clinic/visits.{suffix}", text)
    plan = plan_feed(tmp_path, FEED, {})
    assert not plan.problems
    with duckdb.connect() as connection:
        found = connection.execute(
            f'select visit_id, "order", unreadable_text from ({plan.select})'
        ).fetchall()
    assert found[:1] + found[2:] == [("1", "2", None)] * 3
    assert found[1] == ((None, None, record) if read is None else (*read, None))


def test_nul_in_a_text_of_parquet_makes_the_record_unreadable(tmp_path, connection):
    path = write(tmp_path, "clinic/visits.parquet", "")
    connection.execute(
        "copy (select 'P' || chr(0) as visit_id, 1 as \"order\", 'x' as note, chr(0) as unknown "
        "union all select 'P', 2, null, chr(0)) "
        f"to {quote(str(path))} (format parquet)"
    )
    found = {row[1]: row[4] for row in rows(plan_feed(tmp_path, FEED, {}))}
    assert found == {"1": r'{"visit_id":"P\u0000","note":"x"}', "2": None}
