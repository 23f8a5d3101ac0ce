"""Survey of raw files: what is unsafe is refused with its line, and nothing else is."""

import codecs
import gzip
import hashlib
import json
import os
import re
import tracemalloc
from collections import Counter
from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from wardhouse.landing import bytes as survey
from wardhouse.landing.bytes import survey_csv, survey_json, verify_json_documents

HEADER = b"a,b\n"
LIMIT = survey.MAX_LINE_BYTES


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(config={"memory_limit": "256MB", "threads": 1}) as connection:
        yield connection


def read_by_duckdb(connection, path):
    """Rows and the texts of the rejected records, read as landing reads."""
    connection.execute("drop table if exists refused; drop table if exists scanned")
    rows = connection.execute(
        """
        select * from read_csv(
            [?], columns = {'a': 'varchar', 'b': 'varchar'}, auto_detect = false, header = true,
            delim = ',', quote = '"', escape = '"', store_rejects = true, parallel = false,
            rejects_table = 'refused', rejects_scan = 'scanned', rejects_limit = 0)
        """,
        [str(path)],
    ).fetchall()
    refused = connection.execute("select distinct line_byte_position, csv_line from refused")
    return rows, [text for _, text in refused.fetchall()]


SAFE = {
    "empty file": b"",
    "header only": b"a,b",
    "LF": HEADER + b"1,2\n3,4\n",
    "CRLF": b"a,b\r\n1,2\r\n3,4\r\n",
    "CR": b"a,b\r1,2\r3,4\r",
    "no newline at the end": HEADER + b"1,2\n3,4",
    "byte order mark": codecs.BOM_UTF8 + b'"a",b\n1,2\n',
    "blank lines": HEADER + b"\n1,2\n\n\n3,4\n",
    "quoted fields of several lines": HEADER + b'1,"x\ny"\n"z\n\n","w"\n',
    "other newlines inside quotes": HEADER + b'1,"x\r\ny\rz"\n',
    "escaped quotes": HEADER + b'"say ""x""\n""y""",""\n',
    "stray quote in a plain field": HEADER + b'1,5" needle\n2,x"y"z\n3,4\n',
    "stray quote beside a field of several lines": HEADER + b'5" needle,"x\ny"\n3,4\n',
    "spaces round quotes": HEADER + b'"1" , "2"\n3,4\n',
    "text after a closing quote": HEADER + b'"5" x,"6"\n3,4\n',
    "unclosed quote on the last line": HEADER + b'1,2\n3,"4',
    "too many and too few columns": HEADER + b"1\n1,2,3\n4,5\n",
    "invalid UTF-8": HEADER + b"\xff,1\n3,4\n",
    "longest line": HEADER + b"1," + b"x" * (LIMIT - 3) + b"\n3,4\n",
}

UNSAFE = {
    "NUL": (HEADER + b"1,2\n3,\x00\n", 3, "NUL"),
    "binary": (bytes(range(1, 256)) + b"\x00", 2, "NUL"),
    "line too long": (HEADER + b"1," + b"x" * (LIMIT - 2) + b"\n3,4\n", 2, "line longer"),
    "header too long": (b"x" * (LIMIT + 1), 1, "line longer"),
    "quoted field too long": (HEADER + b'1,2\n3,"' + b"x\n" * LIMIT + b'"\n', 3, "not closed"),
    "record too long": (HEADER + b'"x\ny",' + b"z" * LIMIT + b"\n", 2, "record longer"),
    "CRLF in an LF file": (HEADER + b"1,2\n3,4\r\n", 3, "ends in CRLF but the first line in LF"),
    "LF in a CRLF file": (b"a,b\r\n1,2\n3,4\r\n", 2, "ends in LF but the first line in CRLF"),
    "CR in an LF file": (HEADER + b"1,2\r3,4\n", 2, "ends in CR but"),
    "LF in a CR file": (b"a,b\r1,2\r3,4\n", 3, "ends in LF but"),
    "wrong end after lines in quotes": (HEADER + b'1,"x\ny"\r\n', 3, "ends in CRLF"),
    "header with another newline in quotes": (b'"a\r\nz",b\n1,2\n', 2, "ends in LF"),
    "unclosed quote": (HEADER + b'1,2\n3,"4\n5,6\n', 3, "not closed"),
    "quote closed by the next one": (HEADER + b'1,"2\n3,"4"\n5,6\n', 2, "earlier quote"),
    "two malformed fields": (HEADER + b'1,2\n"3" x,"4" y\n5,6\n', 3, "more than one field"),
    "malformed field that opens another": (HEADER + b'"x"y,"z\n3,4\n', 2, "earlier quote"),
    "unclosed quote in the header": (b'a,"b\n1,2\n', 1, "not closed"),
    "text after a quote in the header": (b'"a"x,b\n1,2\n', 1, "column name"),
}


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_safe_csv_passes(tmp_path, name, suffix):
    path = written(tmp_path / f"x{suffix}", SAFE[name])
    found = survey_csv(path)
    assert found.problems == ()
    assert found.n_bytes == path.stat().st_size
    assert found.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_unsafe_csv_is_named_by_line(tmp_path, name, suffix):
    content, line, words = UNSAFE[name]
    path = written(tmp_path / f"x{suffix}", content)
    found = survey_csv(path)
    (problem,) = found.problems
    assert (problem.line, words in problem.message) == (line, True), problem
    assert found.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_delimiter_decides_where_quotes_open(tmp_path, delimiter):
    content = HEADER + b'1,"2\n3,4\n'
    path = written(tmp_path / "x.csv", content.replace(b",", delimiter.encode()))
    assert survey_csv(path, delimiter).problems
    assert not survey_csv(path, ",").problems


@pytest.mark.parametrize("delimiter", ["", "||", "é", '"', "\n"])
def test_delimiter_is_one_ascii_character(tmp_path, delimiter):
    with pytest.raises(ValueError, match="delimiter"):
        survey_csv(written(tmp_path / "x.csv", HEADER), delimiter)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,é\n".encode("utf-16"), None),
        ("a,b\n1,é\n".encode("utf-16-le"), None),
        (("a,é\n" * 400_000).encode("utf-16"), None),
        ('a,b\n1,"2\n3,4\n'.encode("utf-16"), "not closed"),
        (codecs.BOM_UTF16_BE + "a,b\n1,2\n".encode("utf-16-be"), "big-endian"),
        ("a,b\n1,2\n".encode("utf-16") + b"\x00", "not valid utf-16"),
    ],
)
def test_utf16_is_decoded(tmp_path, content, words):
    problems = survey_csv(written(tmp_path / "x.csv", content), encoding="utf-16").problems
    assert [words in problem.message for problem in problems] == [True] * bool(words)


def test_utf16_without_its_encoding_named_is_refused(tmp_path):
    (problem,) = survey_csv(written(tmp_path / "x.csv", "a,b\n1,2\n".encode("utf-16"))).problems
    assert (problem.line, problem.message[:10]) == (1, "a NUL byte")


@pytest.mark.parametrize("cut", [0, 5, 40, -1])
def test_damaged_gzip_is_a_problem(tmp_path, cut):
    packed = gzip.compress(HEADER + b"1,2\n" * 1000, mtime=0)
    path = tmp_path / "x.csv.gz"
    path.write_bytes(packed[:cut] if cut else b"not gzip at all")
    found = survey_csv(path)
    assert "gzip" in found.problems[0].message
    assert found.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def contents_of(text: str) -> Counter:
    return Counter(character for character in text if character.isalnum() and character.isascii())


def lost_by_duckdb(connection, path, body: bytes) -> str:
    """Say what is wrong with how DuckDB read a file; letters and digits must all arrive."""
    try:
        rows, refused = read_by_duckdb(connection, path)
    except duckdb.Error as error:
        return str(error)
    read = "".join(value or "" for row in rows for value in row) + "".join(refused)
    if contents_of(read) != contents_of(body.decode("latin-1")):
        return "characters lost"
    quoted = r' ?"[^"]*(?:""[^"]*)*" *(?=,|\Z)'
    plain = r'(?! ?")[^,\r\n]*'
    record = rf"(?:{quoted}|{plain})(?:,(?:{quoted}|{plain}))*"
    swallowing = [
        text
        for text in (refused_text.strip("\r\n") for refused_text in refused)
        if re.search(r"[\r\n]", text) and not re.fullmatch(record, text)
    ]
    return f"lines swallowed: {swallowing}" if swallowing else ""


@pytest.mark.system
def test_long_files_are_read_without_loss_or_repetition(connection, tmp_path):
    """Longer than DuckDB's buffer, where reading in parallel repeats rows and loses rejects."""
    lines = b"".join(
        b'%d,"x\ny%s\n,z"\n' % (i, b"y" * (i % 97)) + b'%d,5" needle\n"%d",6\n' % (i, i)
        for i in range(5000)
    )
    long_field = b'9,"' + b"line\n3,4\n" * 30_000 + b'"\n'
    malformed = b'1,"5" x\n' + b"1,2,3\n" * 2
    path = written(tmp_path / "x.csv", HEADER + (lines + long_field + malformed) * 100)
    assert path.stat().st_size > 50_000_000
    assert not survey_csv(path).problems
    rows, refused = read_by_duckdb(connection, path)
    assert (len(rows), len(refused)) == (15_001 * 100, 3 * 100)


PIECES = [b"1", b"x", b",", b'"', b"\n", b"\r", b" ", b"\r\n", b"\x00", b"\xff", b"1,2", b'"y"']
FIELDS = [b"1", b'"2"', b'"3\n4"', b'"5\r\n6"', b'7" 8', b'"9" x', b' "y"', b'"z""w"', b"", b'"q']


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    newline=st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]),
    body=st.one_of(
        st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
        st.lists(
            st.tuples(st.sampled_from(FIELDS), st.sampled_from(FIELDS)).map(b",".join), max_size=6
        ).map(b"\n".join),
    ),
)
@example(newline=b"\n", body=b'"x"y,"z\n3,4')
def test_what_passes_is_read_without_loss(connection, tmp_path_factory, newline, body):
    """Against DuckDB itself: what the survey passes neither fails nor loses a line."""
    if newline != b"\n":
        body = re.sub(rb"(?<!\r)\n", newline, body)
    body += newline + b"S,T" + newline
    path = written(tmp_path_factory.getbasetemp() / "x.csv", b"a,b" + newline + body)
    if not survey_csv(path).problems:
        assert lost_by_duckdb(connection, path, body) == ""


def test_only_what_duckdb_loses_is_refused(connection, tmp_path):
    """All texts of up to four pieces: with one kind of newline nothing is refused in vain."""
    n_safe = 0
    for length in range(5):
        for pieces in product([b"x", b",", b'"', b"\n", b" "], repeat=length):
            body = b"".join(pieces) + b"\nS,T\nU,V\n"
            path = written(tmp_path / "x.csv", HEADER + body)
            is_safe = not survey_csv(path).problems
            n_safe += is_safe
            assert is_safe == (lost_by_duckdb(connection, path, body) == ""), body
    assert n_safe > 300


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.lists(st.sampled_from([*PIECES, *FIELDS]), max_size=40).map(b"".join))
def test_how_the_file_is_cut_into_blocks_does_not_matter(tmp_path_factory, body):
    path = written(tmp_path_factory.getbasetemp() / "cut.csv", HEADER + body)
    whole = survey_csv(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "BLOCK_BYTES", 7)
        assert survey_csv(path) == whole


def test_irregular_records_do_not_upset_what_follows(tmp_path):
    lines = [b'"1","2"', b'5" needle,"x\ny"', b'"5" x,6', b"7,8"] * 5000
    content = HEADER + b"\n".join(lines) + b"\n"
    assert not survey_csv(written(tmp_path / "x.csv", content)).problems
    (problem,) = survey_csv(written(tmp_path / "x.csv", content + b'9,"10\n11,12\n')).problems
    assert problem.line == content.count(b"\n") + 1


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("x.json", b"", "empty"),
        ("x.json", codecs.BOM_UTF8 + b" \n", "empty"),
        ("x.json", b'[{"a": 1}]', "array"),
        ("x.json", codecs.BOM_UTF8 + b' \n[{"a": "\xc3\xa9"}]\n\n', "array"),
        ("x.json", b'[{"a": "' + b"x" * LIMIT + b'"}]', "array"),
        ("x.json", b'{"a": 1}\n\n', "object"),
        ("x.json", b'{\n  "a": NaN\n}\n', "object"),
        ("x.json", b'{"a": 1}\n{"a": 2}', "ndjson"),
        ("x.json", b'{"a": NaN}\n{"a": 2', "ndjson"),
        ("x.json", b'{"a": 1,\n{"a": 2}\n', "ndjson"),
        ("x.jsonl", b'{"a": 1', "ndjson"),
        ("x.ndjson", b'{"a": 1}', "ndjson"),
    ],
)
@pytest.mark.parametrize("packing", ["", ".gz"])
def test_json_layout(tmp_path, name, content, layout, packing):
    path = written(tmp_path / f"{name}{packing}", content)
    found = survey_json(path)
    assert (found.layout, found.problems) == (layout, ())
    assert found.has_bom == content.startswith(codecs.BOM_UTF8)
    assert found.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'[{"a": 1},\n{"a": 2}', 2, "does not end with ]"),
        (b'{\n"a": [1]', 2, "does not end with }"),
        (b'[{"a":\n"\x00"}]', 2, "NUL"),
        (b'[{"a":\n"\xff"}]', 2, "UTF-8"),
        (b'{"a": 1}\n{"a": "\xc3', 2, "UTF-8"),
        (b"a,b\n1,2\n", None, "neither"),
        (b'{"a": 1}\n{"a": "' + b"x" * LIMIT + b'"}\n', 2, "line longer"),
    ],
)
def test_json_problem(tmp_path, content, line, words):
    (problem,) = survey_json(written(tmp_path / "x.json", content)).problems
    assert (problem.line, words in problem.message) == (line, True), problem


def test_unparsable_json_documents_are_found_among_good_ones(tmp_path):
    good = [b'[{"a": 1}, {"a": NaN}]', b'{"a": -Infinity}', codecs.BOM_UTF8 + b"[]"]
    bad = {
        "comma*.json": (b'[{"a": 1},\n{"a": 2},]', 2, "not valid JSON"),
        "word.json": (b'{"a": 1}\nrubbish}', 2, "not valid JSON"),
        "array.json": (b'[{"a": 1},\n {"a": 2 "b": 3}]', 2, "column 10"),
        "big.json": (b'{"a": "' + b"x" * (100 << 20) + b'"}', None, "larger than 16,777,216"),
    }
    paths = [written(tmp_path / f"good{i}.json", good[i % 3]) for i in range(30)]
    paths += [written(tmp_path / name, content) for name, (content, *_) in bad.items()]
    found = verify_json_documents(paths, "512MB")
    assert sorted(path.name for path in found) == sorted(bad)
    for path, problem in found.items():
        _, line, words = bad[path.name]
        assert (problem.line, words in problem.message) == (line, True), problem


def test_what_python_reads_and_duckdb_verifies_agree(tmp_path):
    documents = ['{"a": [1, {"b": "x\\ny"}]}', "[1, null]", '{"a": 1', '[{"a": tru}]', '{"a" 1}']
    for i, document in enumerate(documents):
        path = written(tmp_path / f"{i}.json", document.encode())
        try:
            json.loads(document)
        except json.JSONDecodeError:
            assert verify_json_documents([path])
        else:
            assert not verify_json_documents([path])


# What nests too deep, and what is small on the disk and large when it is read.

DEEP = "[" * 1000


@pytest.mark.parametrize(
    "content",
    ['{"a": ' + DEEP + "}", "[" + DEEP + "x" + "]" * 1001, "[1,\n" + DEEP + "]"],
)
def test_broken_document_may_nest_deeper_than_python_reads(tmp_path, content):
    path = written(tmp_path / "x.json", content.encode())
    assert survey_json(path).problems == ()
    assert verify_json_documents([path])[path].message.startswith("not valid JSON at byte ")


def test_lines_may_nest_deeper_than_python_reads(tmp_path):
    content = '{"a": ' + DEEP + "]" * 1000 + '}\n{"a": 1}\n'
    found = survey_json(written(tmp_path / "x.json", content.encode()))
    assert (found.layout, found.problems) == ("ndjson", ())


def peak_bytes(task) -> int:
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


BOMBS = {
    "one line": (".csv.gz", HEADER, b"x", "line longer"),
    "one field": (".csv.gz", HEADER + b'"', b"x\n", "not closed"),
    "NUL": (".csv.gz", HEADER, b"\0", "NUL"),
    "one line of JSON": (".ndjson.gz", b'{"a": "', b"x", "line longer"),
    "open document": (".json.gz", b'{"a": "', b"x", "cut short"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_gzip_bomb_is_refused_in_little_memory(tmp_path, name):
    suffix, start, block, words = BOMBS[name]
    path = tmp_path / f"x{suffix}"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(64):
            file.write(block * ((1 << 20) // len(block)))
    assert path.stat().st_size < 1 << 20
    found = []
    scan = survey_csv if ".csv" in suffix else survey_json
    assert peak_bytes(lambda: found.extend(scan(path).problems)) < 16 << 20
    assert words in found[0].message


@pytest.mark.parametrize(("name", "start"), [("x.csv", HEADER + b"1,2\n"), ("x.json", b"[1,\n")])
def test_sparse_file_is_refused_in_little_memory(tmp_path, name, start):
    path = written(tmp_path / name, start)
    os.truncate(path, 64 << 20)
    assert path.stat().st_blocks * 512 < 1 << 20
    found = []
    scan = survey_csv if name == "x.csv" else survey_json
    assert peak_bytes(lambda: found.extend(scan(path).problems)) < 16 << 20
    assert (found[0].line, "NUL" in found[0].message) == (start.count(b"\n") + 1, True)
