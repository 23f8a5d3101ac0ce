"""The options of a raw directory: `feeds.csv`."""

import csv
import os
from collections.abc import Iterable
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


def read_options(
    raw_dir: Path, feeds: Iterable[Feed]
) -> tuple[dict[tuple[str, str], dict[str, str]], list[str]]:
    """Read the optional `feeds.csv` (area, feed, option, value) of a raw directory.

    Returns
    -------
    options, problems
        Options by (area, feed), and a line for every setting that means nothing.
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
        problem = _option_problem(columns.get((area, feed)), f"{area}.{feed}", option, value)
        own = options.setdefault((area, feed), {})
        if problem or option in own:
            problems.append(f"feeds.csv line {number}: {problem or f'{option} is given twice'}")
        own[option] = value
    return options, problems


def _option_problem(columns: set[str] | None, label: str, option: str, value: str) -> str | None:
    allowed = OPTION_VALUES.get(option)
    if columns is None:
        return f"no feed {label!r}"
    if option.startswith(ALIAS_PREFIX):
        column = option.removeprefix(ALIAS_PREFIX)
        return None if column in columns else f"{label} declares no column {column!r}"
    if option not in OPTIONS:
        return f"no option {option!r} ({', '.join([*OPTIONS, f'{ALIAS_PREFIX}<declared column>'])})"
    if allowed and value not in allowed:
        return f"{option} is one of {', '.join(allowed)}, not {value!r}"
    if option == "delimiter" and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
        return f"{option} is one ASCII character or \\t, not {value!r}"
    return None
