"""The files of a feed in a raw directory."""

import glob
import time
from pathlib import Path

from wardhouse.landing.feeds import Feed

SUFFIXES = (".csv", ".csv.gz", ".json", ".jsonl", ".ndjson", ".parquet")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
COMPACTED = "-compacted.parquet"  # how a file ends that replaced many of a stream
UNSETTLED_SECONDS = 2.0  # a file touched so shortly before it was surveyed is surveyed again


def find_files(raw_dir: Path, feed: Feed) -> tuple[list[Path], list[str]]:
    """Find the files of a feed: `<area>/<feed>.<suffix>` or a folder of files of one kind.

    Hidden files, such as editors leave, are no data; any other stranger in a folder is refused,
    for whoever put it there may think that it counts. No file at all is a problem, unless the feed
    is optional.
    """
    area = raw_dir / feed.area
    folder = area / feed.name
    suffixes = ", ".join(SUFFIXES)
    beside = [p for p in area.glob("*") if p.is_file() and p.name.startswith(f"{feed.name}.")]
    single = [p for p in sorted(beside) if p.name.removeprefix(feed.name).lower() in SUFFIXES]
    names = glob.glob("**", root_dir=folder, recursive=True)  # noqa: PTH207 - rglob skips links
    inside = [folder / name for name in sorted(names)]
    inside = [path for path in inside if not path.is_dir() and path.name != "_SUCCESS"]
    sheets = [path for path in [*beside, *inside] if path.suffix.lower() in SPREADSHEETS]
    strange = [path for path in inside if not path.name.lower().endswith(SUFFIXES)]
    badly_named = [path for path in [*single, *inside] if not _is_well_named(path)]
    if sheets:
        return [], [
            f"{sheets[0]} is a spreadsheet: save it as CSV UTF-8 (one sheet, one header line)"
        ]
    if badly_named:
        return [], [f"{str(badly_named[0])!r} is not UTF-8 or holds a backslash; rename it"]
    if strange:
        return [], [f"{strange[0]} is none of {suffixes}; take it out of the folder"]
    if len(single) + bool(inside) > 1:
        places = ", ".join(str(path) for path in [*single, *([folder] if inside else [])])
        return [], [f"more than one place holds this feed: {places}; keep one"]
    if not single and not inside and not feed.optional:
        return [], [f"no file; looked for {area / feed.name} with {suffixes}, or a folder of them"]
    kinds = {kind_of_name(path) for path in inside if not path.name.endswith(COMPACTED)}
    if len(kinds) > 1:
        return [], [f"{folder} mixes kinds of files; keep one kind"]
    return single or inside, []


def _is_well_named(path: Path) -> bool:
    """Whether DuckDB can be told the name: it takes a backslash for the end of a folder's name."""
    return not any(sign == "\\" or "\ud800" <= sign <= "\udfff" for sign in str(path))


def kind_of_name(path: Path) -> str:
    """Say what a file holds by its name: csv, parquet or json."""
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "parquet" if name.endswith(".parquet") else "json"


def file_state(path: Path) -> str:
    """Tell a file's present state without reading it, as version control does."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def is_settled(path: Path) -> bool:
    """Whether a further change would show in the file's state: its clock ticks coarsely."""
    return time.time() - path.stat().st_ctime > UNSETTLED_SECONDS
