"""One pass over the bytes of a raw file: its hash, and whether DuckDB reads it without loss.

DuckDB sends a bad line to its rejects, which is what we want. Some files however make it stop
with an internal error, or swallow or drop lines without a word: these are found here, before any
reading, and named by line. What is merely dirty is not a problem here; it goes to quarantine.

A CSV file that passes is read without loss by ``read_csv(..., parallel = false)`` only: in
parallel DuckDB 2.0 loses rejects and repeats rows where files are longer than its buffer.
"""

import codecs
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, Protocol

import duckdb
import numpy as np

# DuckDB's max_line_size is 2,000,000 bytes; it rejects or drops what is longer.
MAX_LINE_BYTES = 1 << 20
# Small enough for the processor's cache.
BLOCK_BYTES = 1 << 17
# DuckDB's default maximum_object_size: the largest JSON record, or document that is one object.
MAX_JSON_OBJECT_BYTES = 16 << 20
_BOM = codecs.BOM_UTF8
_NEWLINE_NAMES = {b"\n": "LF", b"\r\n": "CRLF", b"\r": "CR"}
_QUOTE = ord('"')
Layout = Literal["array", "object", "ndjson", "empty"]


@dataclass(frozen=True)
class Problem:
    """Why a file is not safe to read; ``line`` counts from 1 and is None for a whole file."""

    line: int | None
    message: str


@dataclass(frozen=True)
class FileSurvey:
    """Size and SHA-256 of a file's own bytes, and what makes it unsafe to read.

    The scan ends at the first problem, because after it lines can no longer be told apart.
    """

    n_bytes: int
    content_hash: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class JsonSurvey(FileSurvey):
    """Scan of a JSON file; ``has_bom`` matters for NDJSON, where DuckDB refuses it."""

    layout: Layout
    has_bom: bool


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass
class _HashedFile:
    """Reader that hashes what passes through it."""

    file: IO[bytes]
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    n_bytes: int = 0

    def read(self, size: int = MAX_LINE_BYTES) -> bytes:
        block = self.file.read(size)
        self.digest.update(block)
        self.n_bytes += len(block)
        return block


class _Utf16Reader:
    """UTF-16 as UTF-8; little-endian whatever the BOM says, as DuckDB reads it."""

    def __init__(self, source: _Readable) -> None:
        self.source = source
        self.decoder = codecs.getincrementaldecoder("utf-16-le")()

    def read(self, size: int) -> bytes:
        while block := self.source.read(max(2, size // 2)):
            if text := self.decoder.decode(block):
                if "\ufffe" in text:
                    raise UnicodeDecodeError("utf-16-le", b"", 0, 0, "it is big-endian")
                return text.encode()
        return self.decoder.decode(b"", final=True).encode()


def _is_odd_so_far(mask: np.ndarray) -> np.ndarray:
    """Whether the number of true values up to each place is odd: 64 places at a time."""
    bits = np.packbits(mask, bitorder="little")
    words = np.zeros(-(-bits.size // 8), np.uint64)
    words.view(np.uint8)[: bits.size] = bits
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(shift)
    carry = np.bitwise_xor.accumulate(words >> np.uint64(63))
    words[1:] ^= np.uint64(0) - carry[:-1]
    return np.unpackbits(words.view(np.uint8), count=mask.size, bitorder="little").view(bool)


class _Grammar:
    r"""Where records end in CSV text with one delimiter and one kind of newline, as DuckDB sees it.

    A quote opens a field at its start, also after one space. A quoted field that is followed by
    other text is malformed. DuckDB rejects its whole record, and keeps the record's text only if
    there is no second one, so such a record must be one line with one malformed field. Any other
    quote is text.
    """

    def __init__(self, delimiter: bytes, newline: bytes) -> None:
        self.newline = newline
        self.closes_line = newline[-1:]
        self.boundaries = delimiter + newline

        d = re.escape(delimiter)
        plain = rb'(?! ?")[^%s\r\n]*+' % d
        quoted = rb' ?"[^"]*+(?:""[^"]*+)*+'
        closed = rb'%s" *+(?=[%s\r\n])' % (quoted, d)
        on_line = rb' ?"[^"\r\n]*+(?:" *+"[^"\r\n]*+)*+" *+'
        sound = rb"(?:%s(?=[%s\r\n])|%s)" % (on_line, d, plain)
        malformed = rb"%s[^%s\r\n]*+" % (on_line, d)
        record = rb"(?:%s|%s)(?:%s(?:%s|%s))*+" % (closed, plain, d, closed, plain)
        one_line = rb"(?:%s%s)*+(?:%s|%s)(?:%s%s)*+" % (sound, d, sound, malformed, d, sound)
        end = re.escape(newline)
        self.header = re.compile(rb"%s%s" % (record, end))
        self.records = re.compile(rb"(?:%s%s|%s%s){1,16}+" % (record, end, one_line, end))
        self.line_end = re.compile(rb"(?:%s|%s)(\r\n|\r|\n|\Z)" % (record, one_line))
        self.malformed_line = re.compile(
            rb"(?:%s|%s)(?:%s(?:%s|%s))*+(?=[\r\n])" % (sound, malformed, d, sound, malformed)
        )
        self.unclosed = re.compile(rb"(?:(?:%s|%s)%s)*+%s\Z" % (closed, plain, d, quoted))

    def records_end(self, window: bytes) -> int:
        """Offset after the last sound record of a window that begins with a record."""
        text = np.frombuffer(window, np.uint8)
        quotes = text == _QUOTE
        has_quotes = b'"' in window
        is_quoted = _is_odd_so_far(quotes) if has_quotes else quotes
        irregular: dict[bool, np.ndarray] = {}
        start = 0
        while start < len(window):
            # An odd number of stray quotes in the records before turns is_quoted round.
            turned = bool(start and is_quoted[start - 1])
            if turned not in irregular:
                quoted = ~is_quoted if turned else is_quoted
                wrong = self._stray_newlines(window, text)
                if has_quotes:
                    wrong = (wrong & ~quoted) | self._misplaced_quotes(text, quotes, quoted)
                irregular[turned] = np.flatnonzero(wrong)
            found = irregular[turned]
            first = np.searchsorted(found, start)
            limit = int(found[first]) if first < found.size else len(window)
            end = window.rfind(self.closes_line, start, limit)
            while end >= 0 and is_quoted[end] != turned:
                end = window.rfind(self.closes_line, start, window.rfind(b'"', start, end))
            start = end + 1 or start
            # From the first irregular record on, the slower full grammar decides.
            match = self.records.match(window, start)
            if match is None:
                break
            start = match.end()
        return start

    def _stray_newlines(self, window: bytes, text: np.ndarray) -> np.ndarray:
        """Where line ends of another kind are, quoted ones included."""
        if self.newline != b"\r\n":
            other = b"\r" if self.newline == b"\n" else b"\n"
            return text == ord(other) if other in window else np.zeros(text.size, bool)
        cr, lf = text == ord("\r"), text == ord("\n")
        pairs = cr[:-1] & lf[1:]
        cr[:-1] ^= pairs
        lf[1:] ^= pairs
        return cr | lf

    def _misplaced_quotes(
        self, text: np.ndarray, quotes: np.ndarray, quoted: np.ndarray
    ) -> np.ndarray:
        """Where a quote opens a field after, or closes it before, what is no boundary."""
        boundary = np.ones(text.size + 2, bool)
        boundary[1:-1] = quotes
        for byte in self.boundaries:
            boundary[1:-1] |= text == byte
        return quotes & ~((quoted & boundary[:-2]) | (~quoted & boundary[2:]))

    def explain(self, window: bytes, line: int, is_header: bool, at_end: bool) -> Problem | None:
        """Say what is wrong with the record a window begins with; None if DuckDB copes."""
        limit = f"{MAX_LINE_BYTES:,} bytes"
        if not re.search(rb"[\r\n]", window):
            return Problem(line, f"line longer than {limit}")
        if self.unclosed.match(window):
            is_one_line = not re.search(rb"[\r\n]", window.removesuffix(self.newline))
            if at_end and is_one_line and not is_header:
                return None
            where = "" if at_end else f" within {limit}"
            return Problem(line, f"a quote opened in this record is not closed{where}")
        match = self.line_end.match(window)
        if not match and self.malformed_line.match(window):
            return Problem(line, "more than one field with text after its closing quote")
        if not match:
            return Problem(
                line,
                "a quoted field runs over a line end and has text after its closing quote"
                " (is an earlier quote not closed?)",
            )
        if not match[1]:
            return Problem(line, f"record longer than {limit}")
        if match[1] == self.newline:
            return Problem(line, "text after the closing quote of a column name")
        found, expected = (_NEWLINE_NAMES[newline] for newline in (match[1], self.newline))
        line += window.count(self.closes_line, 0, match.start(1))
        return Problem(line, f"line ends in {found} but the first line in {expected}")


def survey_csv(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> FileSurvey:
    """Hash a CSV file (also gzipped) and look for what DuckDB would lose or fail on.

    Parameters
    ----------
    path : Path
        File to read, once and in pieces.
    delimiter : str
        One ASCII character.
    encoding : str
        UTF-16 is decoded; in any other encoding bytes below 128 are taken as ASCII.

    Returns
    -------
    FileSurvey
        Without problems if every line will be either in a row or in a reject of its own.
    """
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise ValueError(f"delimiter must be one ASCII character, not {delimiter!r}")
    is_utf16 = encoding.lower().replace("_", "-").startswith("utf-16")

    def find_problem(source: _Readable) -> Problem | None:
        return _csv_problem(_Utf16Reader(source) if is_utf16 else source, delimiter.encode())

    with path.open("rb") as file:
        hashed = _HashedFile(file)
        problem = _survey_text(path, hashed, find_problem)
    return FileSurvey(hashed.n_bytes, hashed.digest.hexdigest(), (problem,) if problem else ())


def _survey_text(
    path: Path, hashed: _HashedFile, find_problem: Callable[[_Readable], Problem | None]
) -> Problem | None:
    """Apply find_problem to the unpacked text and make sure that all bytes were hashed."""
    try:
        is_packed = path.suffix.lower() == ".gz"
        problem = find_problem(gzip.GzipFile(fileobj=hashed) if is_packed else hashed)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = Problem(None, f"damaged or incomplete gzip file: {error}")
    except UnicodeDecodeError as error:
        problem = Problem(None, f"not valid {error.encoding}: {error.reason}")
    while hashed.read():
        pass
    return problem


def _nul_problem(line: int) -> Problem:
    return Problem(line, "a NUL byte: not a text file, or one in another encoding")


def _csv_problem(source: _Readable, delimiter: bytes) -> Problem | None:
    """Walk over the text in windows that begin with a record and hold at most MAX_LINE_BYTES."""
    window, line, grammar, is_header = b"", 1, None, True
    while True:
        block = source.read(min(BLOCK_BYTES, MAX_LINE_BYTES - len(window)))
        window += block
        if (nul := window.find(b"\0", len(window) - len(block))) >= 0:
            return _nul_problem(line + window.count(b"\n", 0, nul))
        is_last_chance = not block or len(window) >= MAX_LINE_BYTES
        if grammar is None:
            window = window.removeprefix(_BOM)
            newline = re.search(rb"\r\n|\r(?!\Z)|\n", window) or re.search(rb"\r", window)
            if not newline and not is_last_chance:
                continue
            grammar = _Grammar(delimiter, newline[0] if newline else b"\n")
        if not block:
            if not window:
                return None
            window = window.removesuffix(grammar.newline) + grammar.newline
        if is_header:
            match = grammar.header.match(window)
            end = match.end() if match else 0
        else:
            end = grammar.records_end(window)
        if not end and is_last_chance:
            return grammar.explain(window, line, is_header, at_end=not block)
        is_header = is_header and not end
        seen = np.frombuffer(window, np.uint8, end)
        line += int(np.count_nonzero(seen == grammar.closes_line[0]))
        window = window[end:]


def survey_json(path: Path) -> JsonSurvey:
    """Hash a JSON file (also gzipped), tell its layout, and look for what no reader would take.

    Parameters
    ----------
    path : Path
        File to read, once and in pieces: an array, one object, or one object per line.

    Returns
    -------
    JsonSurvey
        Arrays and objects without problems still need ``verify_json_documents``; a bad line of
        NDJSON is no problem, it goes to quarantine.
    """
    with path.open("rb") as file:
        hashed = _HashedFile(file)
        text = _JsonText(path)
        problem = _survey_text(path, hashed, text.find_problem)
    return JsonSurvey(
        hashed.n_bytes,
        hashed.digest.hexdigest(),
        (problem,) if problem else (),
        text.layout,
        text.has_bom,
    )


class _JsonText:
    """What one pass over the text of a JSON file finds."""

    def __init__(self, path: Path) -> None:
        self.is_by_line = bool({".jsonl", ".ndjson"} & {s.lower() for s in path.suffixes[-2:]})
        self.layout: Layout = "empty"
        self.has_bom = False

    def find_problem(self, source: _Readable) -> Problem | None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        head = last = b""
        line, open_length, long_line = 1, 0, None
        block = source.read(MAX_LINE_BYTES)
        self.has_bom = block.startswith(_BOM)
        block = block.removeprefix(_BOM)
        while block:
            if (nul := block.find(b"\0")) >= 0:
                return _nul_problem(line + block.count(b"\n", 0, nul))
            try:
                # Of a file of lines, DuckDB refuses the badly encoded ones by themselves.
                if not self.is_by_line and (decoder.getstate()[0] or not block.isascii()):
                    decoder.decode(block)
            except UnicodeDecodeError as error:
                return Problem(line + block.count(b"\n", 0, error.start), "not valid UTF-8")
            head = head or block.lstrip()
            last = block.rstrip()[-1:] or last
            first_end, last_end = block.find(b"\n"), block.rfind(b"\n")
            if open_length + (first_end if first_end >= 0 else len(block)) > MAX_LINE_BYTES:
                long_line = long_line or line
            open_length = len(block) - last_end - 1 + (open_length if last_end < 0 else 0)
            line += block.count(b"\n")
            block = source.read(MAX_LINE_BYTES)
        if decoder.getstate()[0]:
            return Problem(line, "not valid UTF-8: ends inside a character")
        if head:
            self.layout = _json_layout(head, self.is_by_line)
            if not self.is_by_line and head[:1] not in (b"[", b"{"):
                return Problem(None, "neither a JSON array nor a JSON object")
        if self.layout == "ndjson" and long_line:
            return Problem(long_line, f"line longer than {MAX_LINE_BYTES:,} bytes")
        closing = {"array": b"]", "object": b"}"}.get(self.layout, last)
        if last != closing:
            return Problem(line, f"cut short: the document does not end with {closing.decode()}")
        return None


def _json_layout(head: bytes, is_by_line: bool) -> Layout:
    """Layout by the first two lines: a line that is an object by itself means NDJSON."""
    lines = [line for line in head.split(b"\n", 16)[:16] if line.strip()][:2]
    if head.startswith(b"[") and not (is_by_line and any(map(_is_object, lines[1:]))):
        return "array"
    return "ndjson" if is_by_line or (len(lines) == 2 and any(map(_is_object, lines))) else "object"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):  # what nests too deep for Python, DuckDB is asked
        return False


def verify_json_documents(paths: Sequence[Path], memory_limit: str = "1GB") -> dict[Path, Problem]:
    """Find the JSON arrays and objects that DuckDB cannot parse.

    Parameters
    ----------
    paths : sequence of Path
        Files that ``survey_json`` calls array or object.
    memory_limit : str
        For the private in-memory DuckDB that parses them.

    Returns
    -------
    dict of Path to Problem
        Nothing for the files that parse. A bare NaN or Infinity is accepted.
    """
    by_format: dict[str, list[Path]] = {"array": [], "unstructured": []}
    for path in paths:
        by_format["array" if _first_character(path) == b"[" else "unstructured"].append(path)
    with duckdb.connect(config={"memory_limit": memory_limit}) as connection:
        return {
            path: problem
            for layout, group in by_format.items()
            for path, problem in _unparsable(connection, group, layout)
        }


def _open_text(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _first_character(path: Path) -> bytes:
    with _open_text(path) as text:
        return text.read(4096).removeprefix(_BOM).lstrip()[:1]


def _unparsable(
    connection: duckdb.DuckDBPyConnection, paths: list[Path], layout: str
) -> list[tuple[Path, Problem]]:
    """Parse all files in one query; if it fails, halve until the offenders are alone."""
    if not paths:
        return []
    # A file name is not a pattern.
    names = [re.sub(r"([*?\[])", r"[\1]", str(path)) for path in paths]
    try:
        connection.execute(
            "select count(*) from read_json_objects(?, format = ?, maximum_object_size = ?)",
            [names, layout, MAX_JSON_OBJECT_BYTES],
        ).fetchall()
    except duckdb.Error as error:
        if len(paths) == 1:
            return [(paths[0], _json_problem(paths[0], str(error)))]
        middle = len(paths) // 2
        halves = (paths[:middle], paths[middle:])
        return [found for half in halves for found in _unparsable(connection, half, layout)]
    return []


def _json_problem(path: Path, message: str) -> Problem:
    """DuckDB's words without the file name; the line where Python's parser finds it too."""
    if "maximum_object_size" in message:
        return Problem(None, f"a JSON object larger than {MAX_JSON_OBJECT_BYTES:,} bytes")
    with _open_text(path) as text:
        document = text.read(MAX_JSON_OBJECT_BYTES)
        is_whole = not text.read(1)
    try:
        if is_whole:
            json.loads(document)
    except json.JSONDecodeError as error:
        return Problem(error.lineno, f"not valid JSON at column {error.colno}: {error.msg}")
    except (UnicodeDecodeError, RecursionError):
        pass
    where = re.search(r"at byte \d+ in record/value \d+: .*", message)
    return Problem(None, f"not valid JSON {where[0]}" if where else message.splitlines()[0])
