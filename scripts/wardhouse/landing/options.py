"""The settings of a raw directory: `feeds.csv` and `spellings.csv`."""

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import available_timezones

from wardhouse.landing.feeds import Feed
from wardhouse.landing.files import RefusedError, check_place

OPTIONS = ("delimiter", "encoding", "date_order", "decimal_mark", "scale", "time_zone")
OPTION_VALUES = {
    "encoding": ("utf-8", "latin-1", "utf-16"),  # what DuckDB reads without an extension
    "date_order": ("dmy", "mdy"),
    "decimal_mark": (".", ","),
}
ALIAS_PREFIX = "column:"
VALUE_PREFIX = "value:"  # of a column that no file of the feed has
ZONE_PREFIX = "zone:"  # of an abbreviation that a feed writes behind its times
SPELLING_PREFIX = "spelling:"  # of a list and a word that spellings.csv adds to it
SIMILARITY = 0.75  # of letters and digits, above which a name is taken for another mistyped


def closest(name: str, known: Iterable[str]) -> str:
    """Find the known name that another is most likely a slip of; empty where none is near."""
    bare = {_bare(each): each for each in sorted(known)}
    near = get_close_matches(_bare(name), bare, 1, SIMILARITY)
    return bare[near[0]] if near else ""


def _bare(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    near = closest(name, known)
    return f"; did you mean {prefix}{near}?" if near else ""


def read_options(
    raw_dir: Path, feeds: Iterable[Feed]
) -> tuple[dict[tuple[str, str], dict[str, str]], list[str]]:
    """Read the optional `feeds.csv` (area, feed, option, value) of a raw directory.

    Returns
    -------
    options, problems
        Options by (area, feed), and a line for every setting that means nothing: it is left out.
    """
    options: dict[tuple[str, str], dict[str, str]] = {}
    columns = {(feed.area, feed.name): {c.name for c in feed.columns} for feed in feeds}
    rows, problems = _read_rows(raw_dir, "feeds.csv", ("area", "feed", "option", "value"))
    for number, row in enumerate(rows, start=2):
        area, feed, option, value = (cell.strip(" ") for cell in row)
        value = value.replace("\\t", "\t") if option == "delimiter" else value.strip()
        problem = _option_problem(columns, (area, feed), option, value)
        own = options.get((area, feed), {})
        if problem or option in own:
            problems.append(f"feeds.csv line {number}: {problem or f'{option} is given twice'}")
        else:
            options[area, feed] = {**own, option: value}
    return options, problems


def read_settings(
    raw_dir: Path, feeds: Sequence[Feed], project_dir: Path
) -> tuple[dict[tuple[str, str], dict[str, str]], list[str]]:
    """Read `feeds.csv` and `spellings.csv` of a raw directory, both optional.

    Parameters
    ----------
    raw_dir
        The raw directory.
    feeds
        The declared feeds.
    project_dir
        The dbt project, whose seeds are the lists of spellings.

    Returns
    -------
    options, problems
        Options by (area, feed), and a line for every row that means nothing.
    """
    options, problems = read_options(raw_dir, feeds)
    spellings, bad_spellings = read_spellings(raw_dir, feeds, reference_seeds(project_dir))
    merged = {
        feed: {**options.get(feed, {}), **spellings.get(feed, {})}
        for feed in {*options, *spellings}
    }
    return merged, problems + bad_spellings


def reference_seeds(project_dir: Path) -> Path:
    """Return the folder of a project's lists of words."""
    return project_dir / "seeds" / "reference"


def read_spellings(
    raw_dir: Path, feeds: Iterable[Feed], seeds: Path
) -> tuple[dict[tuple[str, str], dict[str, str]], list[str]]:
    """Read the optional `spellings.csv` (list, spelling, meaning) of a raw directory.

    Parameters
    ----------
    raw_dir
        The raw directory.
    feeds
        The declared feeds.
    seeds
        Folder of the project's seeds: those with a column `spelling` are the lists.

    Returns
    -------
    options, problems
        Options `spelling:<list>:<spelling>` by (area, feed), the same for all feeds, and a line for
        every row that means nothing.
    """
    rows, problems = _read_rows(raw_dir, "spellings.csv", ("list", "spelling", "meaning"))
    lists = sorted(
        seed.stem
        for seed in seeds.glob("*.csv")
        if seed.read_text(encoding="utf-8").startswith("spelling,")
    )
    options: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        name, spelling, meaning = (cell.strip() for cell in row)
        option = f"{SPELLING_PREFIX}{name}:{reduced(spelling)}"
        problem = None
        if name not in lists:
            known = ", ".join(lists)
            problem = f"no list {name!r} ({known}){_did_you_mean(name, lists)}"
        elif not reduced(spelling) or not meaning:
            problem = "spelling and meaning are words with letters or digits"
        elif option in options:
            problem = f"{spelling!r} is given twice"
        if problem:
            problems.append(f"spellings.csv line {number}: {problem}")
        else:
            options[option] = meaning
    return {(feed.area, feed.name): options for feed in feeds if options}, problems


def _read_rows(
    raw_dir: Path, name: str, columns: tuple[str, ...]
) -> tuple[list[list[str]], list[str]]:
    """Read an optional table of the raw directory: its rows by these columns, or the problem."""
    path = raw_dir / name
    if not os.path.lexists(path):
        return [], []
    try:
        check_place(path, raw_dir)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except RefusedError as refusal:
        return [], [str(refusal)]
    except (OSError, UnicodeError, csv.Error) as error:
        return [], [f"{name} cannot be read as CSV in UTF-8: {error}"]
    if rows and not set(columns) <= set(rows[0]):
        return [], [f"{name} has no header line {','.join(columns)}"]
    return [[row[column] or "" for column in columns] for row in rows], []


def reduced(word: str) -> str:
    """Reduce a word as the macro `spelling` does: letters and digits, accents stripped."""
    plain = unicodedata.normalize("NFD", word.lower())
    return re.sub("[^a-z0-9]+", "", plain)


def _option_problem(
    columns: dict[tuple[str, str], set[str]], place: tuple[str, str], option: str, value: str
) -> str | None:
    allowed = OPTION_VALUES.get(option)
    label = ".".join(place)
    if place not in columns:
        near = _did_you_mean(label, (".".join(known) for known in columns))
        return f"no feed {label!r}{near}"
    prefix = next((p for p in (ALIAS_PREFIX, VALUE_PREFIX) if option.startswith(p)), "")
    if prefix:
        column = option.removeprefix(prefix)
        if column in columns[place]:
            return None
        near = _did_you_mean(column, columns[place], prefix)
        return f"{label} declares no column {column!r}{near}"
    if option.startswith(ZONE_PREFIX):
        return _zone_problem(option, value)
    if option not in OPTIONS:
        prefixes = [f"{prefix}<declared column>" for prefix in (ALIAS_PREFIX, VALUE_PREFIX)]
        prefixes.append(f"{ZONE_PREFIX}<abbreviation>")
        known = ", ".join([*OPTIONS, *prefixes])
        return f"no option {option!r} ({known}){_did_you_mean(option, OPTIONS)}"
    if allowed and value not in allowed:
        return f"{option} is one of {', '.join(allowed)}, not {value!r}"
    if option == "scale" and not _is_scale(value):
        return f"{option} is two whole numbers of 0 to 100, as 1..10, not {value!r}"
    if option == "time_zone":
        return _zone_problem(option, value)
    if option == "delimiter" and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
        return f"{option} is one ASCII character or \\t, not {value!r}"
    return None


def _is_scale(value: str) -> bool:
    ends = re.fullmatch(r"([0-9]{1,3})\.\.([0-9]{1,3})", value)
    return bool(ends) and int(ends[1]) < int(ends[2]) <= 100


def _zone_problem(option: str, value: str) -> str | None:
    """Say what is wrong with a zone; an abbreviation may also stand for a distance from UTC."""
    is_abbreviation = option.startswith(ZONE_PREFIX)
    name = option.removeprefix(ZONE_PREFIX)
    if is_abbreviation and not (name.isascii() and name.isalpha()):
        return f"{option}: an abbreviation is of letters alone"
    if is_abbreviation and re.fullmatch(r"[-+](0[0-9]|1[0-4]):[0-5][0-9]", value):
        return None
    if value not in available_timezones():
        otherwise = " or a distance from UTC, as -05:00" if is_abbreviation else ""
        near = _did_you_mean(value, available_timezones())
        return f"{option} is a zone of the IANA, as Europe/Berlin{otherwise}, not {value!r}{near}"
    return None
