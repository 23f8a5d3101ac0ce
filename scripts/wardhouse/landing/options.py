"""The options of a raw directory: `feeds.csv`."""

import csv
import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from wardhouse.landing.feeds import Feed
from wardhouse.landing.files import RefusedError, check_place

OPTIONS = ("delimiter", "encoding", "date_order", "decimal_mark")
OPTION_VALUES = {
    "encoding": ("utf-8", "latin-1", "utf-16"),  # what DuckDB reads without an extension
    "date_order": ("dmy", "mdy"),
    "decimal_mark": (".", ","),
}
ALIAS_PREFIX = "column:"
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
    path = raw_dir / "feeds.csv"
    options: dict[tuple[str, str], dict[str, str]] = {}
    problems = []
    if not os.path.lexists(path):
        return options, problems
    names = ("area", "feed", "option", "value")
    columns = {(feed.area, feed.name): {c.name for c in feed.columns} for feed in feeds}
    try:
        check_place(path, raw_dir)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except RefusedError as refusal:
        return {}, [str(refusal)]
    except (OSError, UnicodeError, csv.Error) as error:
        return {}, [f"feeds.csv cannot be read as CSV in UTF-8: {error}"]
    if rows and not set(names) <= set(rows[0]):
        return {}, [f"feeds.csv has no header line {','.join(names)}"]
    for number, row in enumerate(rows, start=2):
        area, feed, option, value = ((row[name] or "").strip(" ") for name in names)
        value = value.replace("\\t", "\t") if option == "delimiter" else value.strip()
        problem = _option_problem(columns, (area, feed), option, value)
        own = options.get((area, feed), {})
        if problem or option in own:
            problems.append(f"feeds.csv line {number}: {problem or f'{option} is given twice'}")
        else:
            options[area, feed] = {**own, option: value}
    return options, problems


def _option_problem(
    columns: dict[tuple[str, str], set[str]], place: tuple[str, str], option: str, value: str
) -> str | None:
    allowed = OPTION_VALUES.get(option)
    label = ".".join(place)
    if place not in columns:
        near = _did_you_mean(label, (".".join(known) for known in columns))
        return f"no feed {label!r}{near}"
    if option.startswith(ALIAS_PREFIX):
        column = option.removeprefix(ALIAS_PREFIX)
        if column in columns[place]:
            return None
        near = _did_you_mean(column, columns[place], ALIAS_PREFIX)
        return f"{label} declares no column {column!r}{near}"
    if option not in OPTIONS:
        known = ", ".join([*OPTIONS, f"{ALIAS_PREFIX}<declared column>"])
        return f"no option {option!r} ({known}){_did_you_mean(option, OPTIONS)}"
    if allowed and value not in allowed:
        return f"{option} is one of {', '.join(allowed)}, not {value!r}"
    if option == "delimiter" and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
        return f"{option} is one ASCII character or \\t, not {value!r}"
    return None
