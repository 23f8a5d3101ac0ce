"""The files of a feed in a raw directory."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from wardhouse import settings
from wardhouse.landing.feeds import Feed

SUFFIXES = (".csv", ".csv.gz", ".json", ".jsonl", ".ndjson", ".parquet")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
COMPACTED = "-compacted.parquet"  # how a file ends that replaced many of a stream
UNSETTLED_SECONDS = 2.0  # a file touched so shortly before its scan is scanned again
UNSETTLED = " unsettled"
SPECIAL_FILES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class RefusedError(Exception):
    """What a raw directory must not hold, with the reason and the cure."""


def find_files(raw_dir: Path, feed: Feed) -> tuple[list[Path], list[str]]:
    """Find the files of a feed: `<area>/<feed>.<suffix>` or a folder of files of one kind.

    Hidden files, such as editors leave, are no data; any other stranger in a folder is refused,
    for whoever put it there may think that it counts. No file at all is a problem, unless the feed
    is optional. What the file system refuses is an OSError.
    """
    area = raw_dir / feed.area
    folder = area / feed.name
    suffixes = ", ".join(SUFFIXES)
    try:
        beside, inside = _own_files(area, feed.name, raw_dir)
    except RefusedError as refusal:
        return [], [str(refusal)]
    single = [p for p in beside if p.name.removeprefix(feed.name).lower() in SUFFIXES]
    inside = [path for path in inside if path.name != "_SUCCESS"]
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


def _own_files(area: Path, name: str, raw_dir: Path) -> tuple[list[Path], list[Path]]:
    """List the files of an area that begin with a feed's name, and those in the feed's folder."""
    beside: list[Path] = []
    inside: list[Path] = []
    if not os.path.lexists(area):
        return beside, inside
    check_place(area, raw_dir)
    for path, is_folder in _entries(area, raw_dir, name):
        if path.name == name and is_folder:
            inside = sorted(_walk(path, raw_dir, ()), key=str)
        elif path.name != name and not is_folder:
            beside.append(path)
    return beside, inside


def _walk(folder: Path, raw_dir: Path, holders: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Give the files below a folder, through links too; `holders` are the folders round it."""
    found = folder.stat()
    itself = (found.st_dev, found.st_ino)
    if itself in holders:
        raise RefusedError(f"{folder} is a link to a folder that holds it; take it out")
    for path, is_folder in _entries(folder, raw_dir):
        if is_folder:
            yield from _walk(path, raw_dir, (*holders, itself))
        else:
            yield path


def _entries(folder: Path, raw_dir: Path, name: str = "") -> Iterator[tuple[Path, bool]]:
    """Give what a folder holds, hidden files aside, and whether it is a folder itself.

    With a name, only what has this name, whatever its suffix.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or (name and not f"{entry.name}.".startswith(f"{name}.")):
            continue
        path = folder / entry.name
        is_folder = entry.is_dir()
        if entry.is_symlink() or not (is_folder or entry.is_file()):
            check_place(path, raw_dir)
        yield path, is_folder


def check_place(path: Path, raw_dir: Path) -> None:
    """Refuse what is neither file nor folder, and a link that leads out of the raw directory."""
    special = SPECIAL_FILES.get(stat.S_IFMT(path.stat().st_mode))
    if special:
        raise RefusedError(f"{path} is {special}, not a file; take it out")
    if settings.allows_outside_links() or path.resolve().is_relative_to(raw_dir.resolve()):
        return
    raise RefusedError(
        f"{path} is a link that leads out of the raw directory; put the files themselves there, "
        f"or allow it by {settings.ALLOW_OUTSIDE_LINKS}=1"
    )


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
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def scanned_state(path: Path) -> str:
    """Tell a file's state before a scan, with a mark where its next change might not show in it.

    File systems' clocks tick coarsely. With the mark, the state equals no `file_state`.
    """
    found = file_state(path)
    is_settled = time.time() - path.stat().st_ctime > UNSETTLED_SECONDS
    return found if is_settled else found + UNSETTLED


def is_as_scanned(path: Path, state: str, content_hash: str) -> bool:
    """Whether nobody touched a file since it was scanned.

    Parameters
    ----------
    path
        The file.
    state
        Its `scanned_state`, as it was before the scan.
    content_hash
        SHA-256 of the bytes that were scanned.

    Returns
    -------
    bool
        True where the state is the same and, if the file was not settled, its bytes as well. In
        another state the same bytes prove nothing: they may have been written again meanwhile.
    """
    try:
        if file_state(path) != state.removesuffix(UNSETTLED):
            return False
        return not state.endswith(UNSETTLED) or hash_file(path) == content_hash
    except FileNotFoundError:
        return False


def hash_file(path: Path) -> str:
    """Hash a file's bytes by SHA-256."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def beginning_of(path: Path) -> str:
    """Read what a document that nobody can parse begins with, for quarantine: 1,000 bytes."""
    with path.open("rb") as opened:
        return opened.read(1000).decode("utf-8", errors="replace").replace("\0", "\ufffd")
