"""What would help a raw directory that is not read as it was meant: a line for `feeds.csv`, a name.

Nothing here is guessed for a build: `wardhouse inspect` prints it, and somebody decides.
"""

import codecs
import csv
import gzip
import io
import string
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wardhouse.landing.bytes import MAX_LINE_BYTES
from wardhouse.landing.feeds import Feed
from wardhouse.landing.files import SPREADSHEETS, SUFFIXES, kind_of_name
from wardhouse.landing.headers import (
    FeedPlan,
    missing_columns,
    n_found,
    normalise,
    read_start,
    split_header,
)
from wardhouse.landing.inspection.values import N_EXAMPLES, FeedValues
from wardhouse.landing.options import (
    ALIAS_PREFIX,
    SPELLING_PREFIX,
    VALUE_PREFIX,
    closest,
    reduced,
)
from wardhouse.landing.readers import LandedFile

TEXT_SUFFIXES = (".tsv", ".txt", ".tab", ".dat")
_START_BYTES = 4096


@dataclass(frozen=True)
class Cure:
    """Why a feed is not read as meant, and the option that would mend it, if one would.

    `is_proven` where bytes or values leave no other reading.
    """

    why: str
    option: str = ""
    value: str = ""
    is_proven: bool = False

    def line(self, feed: Feed) -> str:
        """Write the line for `feeds.csv`; empty where none would help."""
        if not self.option:
            return ""
        written = io.StringIO()
        value = self.value.replace("\t", "\\t")
        csv.writer(written, lineterminator="").writerow([feed.area, feed.name, self.option, value])
        return written.getvalue()


def form_cures(plan: FeedPlan) -> Iterator[Cure]:
    """Say what the bytes of a feed's files prove: another encoding, another delimiter."""
    is_wrong = plan.problems or plan.unreadable
    for find in (_utf_16, _excel_line, _delimiter) if is_wrong else (_utf_8,):
        cure = next(filter(None, (find(plan, file) for file in plan.files)), None)
        if cure:
            yield cure


def encoding_cure(plan: FeedPlan, values: FeedValues) -> Cure | None:
    """Say in which encoding lines are that were refused as no UTF-8."""
    suspects = [file for file in plan.files if any("\ufffd" in name for name in file.header)]
    if values.refused_lines and values.refused_lines.is_encoding:
        refused = values.refused_lines.source_file
        suspects += [file for file in plan.files if file.source_file == refused]
    suspects = [file for file in suspects if kind_of_name(file.path) == "csv"]
    if not suspects or plan.options.get("encoding", "utf-8") != "utf-8":
        return None
    n_utf_8 = n_other = 0
    has_controls = False
    with _open(suspects[0].path) as lines:
        for line in lines:
            if line.isascii():
                continue
            try:
                line.decode()
                n_utf_8 += 1
            except UnicodeDecodeError:
                n_other += 1
                has_controls = has_controls or any(0x80 <= sign < 0xA0 for sign in line)
    place = suspects[0].source_file
    if n_utf_8:
        return Cure(f"{place} mixes encodings: lines in UTF-8 {n_utf_8:,}, in another {n_other:,}")
    if has_controls:
        way = "save it as UTF-8, as by `iconv -f WINDOWS-1252 -t UTF-8`"
        return Cure(
            f"{place} is neither UTF-8 nor latin-1, likely Windows-1252: {way}", is_proven=True
        )
    why = f"{place} is not UTF-8 (lines: {n_other:,}), and readable as latin-1"
    return Cure(why, "encoding", "latin-1", is_proven=True)


def value_cures(values: FeedValues) -> Iterator[Cure]:
    """Say which values only another setting can read, and whether any speaks against it."""
    for option, value in dict.fromkeys((e.option, e.value) for e in values.evidence):
        found = [e for e in values.evidence if (e.option, e.value) == (option, value)]
        n_for, n_against = (sum(getattr(e, name) for e in found) for name in ("n_for", "n_against"))
        if not n_for:
            continue
        examples = listed(example for e in found for example in e.examples)
        columns = ", ".join(e.column for e in found if e.n_for)
        why = f"{columns}: {option} {value} would read {n_for:,} more, such as {examples}"
        if n_against:
            yield Cure(f"{why}, but not {n_against:,} that are read now: mend the file")
        else:
            yield Cure(f"{why}, and all that is read now", option, value, is_proven=True)


def column_cures(plan: FeedPlan) -> Iterator[Cure]:
    """Name the columns of a feed's files that may be those it lacks."""
    names = {name for file in plan.files for name in (*file.header, *file.payload_keys)}
    undeclared = sorted({name for _, name in plan.undeclared})
    own = {name: value for name, value in plan.options.items() if name.startswith(ALIAS_PREFIX)}
    for option, alias in own.items():
        if normalise(alias) not in {normalise(name) for name in names}:
            near = closest(alias, names)
            why = f"feeds.csv: no file of {plan.feed.label} has a column {alias!r}"
            yield Cure(why, option if near else "", near, is_proven=True)
    absent = [
        column
        for column in plan.feed.columns
        if not plan.mapping.get(column.name) and VALUE_PREFIX + column.name not in plan.options
    ]
    required = [column for column in absent if column.required]
    for column in absent:
        if ALIAS_PREFIX + column.name in own:
            continue
        near = next(
            filter(None, (closest(name, undeclared) for name in (column.name, *column.aliases))), ""
        )
        if not near and required == [column] and len(undeclared) == 1:
            [near] = undeclared
        if near:
            yield Cure(f"{near!r} may be {column.name}", ALIAS_PREFIX + column.name, near)


def new_meanings(options: Mapping[tuple[str, str], dict[str, str]], seeds: Path) -> list[str]:
    """Say of each meaning of `spellings.csv` that its list does not know what it may stand for.

    A list that nobody can know to the end takes it as a new word; of another list it is refused.
    """
    # spellings.csv holds for all feeds alike.
    own = next(iter(options.values()), {})
    remarks = []
    for option, meaning in own.items():
        if option.startswith(SPELLING_PREFIX):
            name, spelling = option.removeprefix(SPELLING_PREFIX).split(":", 1)
            with (seeds / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                known = {row["spelling"] for row in csv.DictReader(file)}
            if reduced(meaning) not in known:
                near = closest(reduced(meaning), known)
                hint = f", did you mean {near}?" if near else ""
                remarks.append(
                    f"spellings.csv: {meaning!r}, the meaning of {spelling}, is no word of "
                    f"{name}{hint}"
                )
    return remarks


def stray_files(raw_dir: Path, area: str, plans: Iterable[FeedPlan]) -> dict[str, str]:
    """Say of each file and folder of an area that no feed reads what it would need to be read.

    Returns
    -------
    dict
        A sentence by name, relative to the raw directory.
    """
    plans = {plan.feed.name: plan for plan in plans}
    read = {raw_dir / file.source_file for plan in plans.values() for file in plan.files}
    places = {place for path in read for place in (path, *path.parents)}
    return {
        path.relative_to(raw_dir).as_posix(): _stray(path, plans)
        for path in sorted((raw_dir / area).glob("[!.]*"))
        if path not in places and not _is_looked_for(path, plans)
    }


def _is_looked_for(path: Path, plans: Iterable[str]) -> bool:
    """Whether the search for a feed's files sees it, and says itself what is wrong with it."""
    stem, suffix = _parts(path)
    return stem in plans and (path.is_dir() or suffix in (*SUFFIXES, *SPREADSHEETS))


def _parts(path: Path) -> tuple[str, str]:
    stem, dot, ending = path.name.partition(".")
    return stem, (dot + ending).lower()


def _stray(path: Path, plans: dict[str, FeedPlan]) -> str:
    stem, suffix = _parts(path)
    near = closest(stem, plans)
    if not near:
        return "no feed is called so"
    label = plans[near].feed.label
    if plans[near].files:
        return f"not read, {label} is in {_place(plans[near])}"
    for text in TEXT_SUFFIXES:
        suffix = suffix.replace(text, ".csv")
    if path.is_file() and suffix not in SUFFIXES:
        return f"not read, {label} is read from {near} with {', '.join(SUFFIXES)}"
    return f"rename it to {near}{suffix if path.is_file() else ''}: it is read as {label} then"


def _place(plan: FeedPlan) -> str:
    """Name the file of a feed, or its folder."""
    area, name, *_ = Path(plan.files[0].source_file).parts
    return f"{area}/{name}"


def listed(texts: Iterable[str]) -> str:
    """Write the first few of some texts, quoted."""
    return ", ".join(repr(text) for text in list(dict.fromkeys(texts))[:N_EXAMPLES])


def _utf_16(plan: FeedPlan, file: LandedFile) -> Cure | None:
    start = _start(file)
    even, odd = start[::2], start[1::2]
    is_big = start.startswith(codecs.BOM_UTF16_BE) or even.count(0) > len(even) / 2
    is_little = start.startswith(codecs.BOM_UTF16_LE) or odd.count(0) > len(odd) / 2
    is_csv = kind_of_name(file.path) == "csv"
    is_declared = is_csv and plan.options.get("encoding") == "utf-16"
    if kind_of_name(file.path) == "parquet" or is_big == is_little:
        if not is_declared:
            return None
        return Cure(f"{file.source_file} is not UTF-16", "encoding", "utf-8", is_proven=True)
    if is_csv and is_little:
        if is_declared:
            return None
        return Cure(f"{file.source_file} is UTF-16", "encoding", "utf-16", is_proven=True)
    order = "big-endian " if is_big else ""
    way = f"save it as UTF-8, as by `iconv -f UTF-16{'BE' if is_big else 'LE'} -t UTF-8`"
    return Cure(f"{file.source_file} is {order}UTF-16, which is not read: {way}")


def _utf_8(plan: FeedPlan, file: LandedFile) -> Cure | None:
    """Find text that is declared latin-1 and is UTF-8: read so, `Zoë` would become `ZoÃ«`."""
    if plan.options.get("encoding") != "latin-1" or kind_of_name(file.path) != "csv":
        return None
    with _open(file.path) as opened:
        start = opened.read(MAX_LINE_BYTES)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return None
    if start.isascii():
        return None
    return Cure(f"{file.source_file} is UTF-8", "encoding", "utf-8", is_proven=True)


def _excel_line(plan: FeedPlan, file: LandedFile) -> Cure | None:
    """Find the line that names a separator for spreadsheets, and is where the header should be."""
    first = _first_line(plan, file)
    if not first.strip('"').lower().startswith("sep="):
        return None
    return Cure(f"{file.source_file} begins with the line {first!r}, which is no header: delete it")


def _delimiter(plan: FeedPlan, file: LandedFile) -> Cure | None:
    """Find a sign that parts the header into more declared columns than the delimiter taken."""
    if not missing_columns(plan, file.header):
        return None
    first = _first_line(plan, file)
    signs = {sign for sign in first if sign in string.punctuation + "\t"} - set('"_')
    found = {sign: n_found(plan, split_header(first, sign)) for sign in sorted(signs)}
    best = max(found, key=found.get, default="")
    n_now = n_found(plan, file.header)
    if not best or found[best] <= n_now:
        return None
    why = f"{best!r} parts the header into {found[best]} declared columns, {file.delimiter!r}"
    return Cure(f"{file.source_file}: {why} into {n_now}", "delimiter", best, is_proven=True)


def _first_line(plan: FeedPlan, file: LandedFile) -> str:
    if kind_of_name(file.path) != "csv":
        return ""
    lines = read_start(file.path, plan.options.get("encoding", "utf-8")).splitlines()
    return lines[0] if lines else ""


def _start(file: LandedFile) -> bytes:
    try:
        with _open(file.path) as opened:
            return opened.read(_START_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return b""  # the scan says so


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")
