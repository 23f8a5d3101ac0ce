"""Headers of files, and how a feed's declared columns map to them."""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wardhouse.landing.bytes import MAX_LINE_BYTES
from wardhouse.landing.feeds import Column, Feed
from wardhouse.landing.options import ALIAS_PREFIX
from wardhouse.landing.readers import LandedFile

DELIMITERS = (",", ";", "\t", "|")


@dataclass
class FeedPlan:
    """How one feed is read: its files, its column mapping, its view and what is wrong with it."""

    feed: Feed
    options: dict[str, str]
    files: list[LandedFile] = field(default_factory=list)
    mapping: dict[str, list[str]] = field(default_factory=dict)
    undeclared: list[tuple[str, str]] = field(default_factory=list)  # source_file, column
    problems: list[str] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)  # by source_file
    signature: str = ""  # of what decides how a file is surveyed, its own bytes aside
    select: str = ""
    select_fresh: str = ""  # of the files that hold something new only

    @property
    def unreadable(self) -> list[dict[str, Any]]:
        """The files that are set aside, as rows of unreadable records."""
        return [file.problem for file in self.files if file.problem]


def normalise(name: str) -> str:
    """Reduce a column name to what is compared: lower case, one underscore for other signs."""
    words = "".join(sign if sign.isalnum() else " " for sign in name.lower()).split()
    return "_".join(words)


def read_start(path: Path, encoding: str) -> str:
    """Read the text that holds the header; nothing where it is no text, which the survey says."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    codec = "utf-16-le" if encoding == "utf-16" else encoding  # as DuckDB reads it, BOM or not
    try:
        with opener(path, "rt", encoding=codec, errors="replace", newline="") as file:
            return file.read(MAX_LINE_BYTES).removeprefix("\ufeff")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeError):
        return ""


def split_header(start: str, delimiter: str) -> tuple[str, ...]:
    """Part the first record of a text into names."""
    try:
        names = next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return ()
    return _distinct(names)


def read_csv_header(path: Path, plan: FeedPlan) -> tuple[str, tuple[str, ...]]:
    """Read a header, with the declared delimiter or the first that finds every required column.

    Where none does, the one that finds the most columns says best what is missing.
    """
    start = read_start(path, plan.options.get("encoding", "utf-8"))
    candidates = [plan.options["delimiter"]] if "delimiter" in plan.options else DELIMITERS
    headers = {}
    for delimiter in candidates:
        headers[delimiter] = header = split_header(start, delimiter)
        if not missing_columns(plan, header):
            return delimiter, header
    return max(headers.items(), key=lambda found: n_found(plan, found[1]))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Give a repeated or nameless column the name of its place: it is reported, not read."""
    seen: set[str] = set()
    distinct = []
    for place, name in enumerate(names, start=1):
        distinct.append(f"{name}__{place}" if name in seen or not name else name)
        seen.add(name)
    return tuple(distinct)


def _spellings(plan: FeedPlan, column: Column) -> set[str]:
    own = plan.options.get(ALIAS_PREFIX + column.name)
    names = (column.name, *column.aliases, *([own] if own else []))
    return {normalise(name) for name in names} - {""}


def map_columns(plan: FeedPlan, header: Sequence[str]) -> dict[str, list[str]]:
    """Map each declared column to the header names that spell it, exact name first."""
    mapping = {}
    for column in plan.feed.columns:
        spellings = _spellings(plan, column)
        names = [name for name in dict.fromkeys(header) if normalise(name) in spellings]
        mapping[column.name] = sorted(names, key=lambda name, c=column: name != c.name)
    return mapping


def missing_columns(plan: FeedPlan, header: Sequence[str]) -> list[str]:
    """Name the required columns that a header does not spell in any known way."""
    mapping = map_columns(plan, header)
    return [c.name for c in plan.feed.columns if c.required and not mapping[c.name]]


def n_found(plan: FeedPlan, header: Sequence[str]) -> int:
    """Count the declared columns that a header spells."""
    return sum(bool(names) for names in map_columns(plan, header).values())


def check_header(plan: FeedPlan, place: str, header: Sequence[str]) -> None:
    """Note required columns that a header lacks, and columns that the feed does not declare.

    Names are told only where half of the required columns are among them: else they may be the
    cells of a first record, which are a patient's.
    """
    mapping = map_columns(plan, header)
    known = {name for names in mapping.values() for name in names}
    missing = missing_columns(plan, header)
    if missing:
        expected = ", ".join(c.name if c.required else f"[{c.name}]" for c in plan.feed.columns)
        is_header = 2 * len(missing) <= sum(c.required for c in plan.feed.columns)
        found = ", ".join(header) or "none"
        if header and not is_header:
            found = f"{len(header)}, of which {len(known) or 'none'} known; is there a header line?"
        plan.problems.append(
            f"{place} lacks {', '.join(missing)}\n"
            f"      columns expected: {expected}\n"
            f"      columns found:    {found}"
        )
        if not is_header:
            return
    plan.undeclared += [(place, name) for name in dict.fromkeys(header) if name not in known]
