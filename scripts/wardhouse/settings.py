"""The only reader of the environment: every WARDHOUSE_* variable that Python knows."""

import os
from collections.abc import Mapping
from pathlib import Path

DATABASE = "WARDHOUSE_DB"
RAW_DIR = "WARDHOUSE_RAW_DIR"
AREAS = "WARDHOUSE_AREAS"
ALERT_OUTBOX = "WARDHOUSE_ALERT_OUTBOX"
ALLOW_OUTSIDE_LINKS = "WARDHOUSE_ALLOW_OUTSIDE_LINKS"


def environment() -> Mapping[str, str]:
    """Return what is set: for groups of variables (WARDHOUSE_KAFKA_*, WARDHOUSE_ALERT_*)."""
    return os.environ


def child_environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process to start: this one's, with changes."""
    return {**os.environ, **changes}


def database() -> Path:
    """Return the warehouse's DuckDB file; `wardhouse.duckdb` by default."""
    return Path(os.environ.get(DATABASE) or "wardhouse.duckdb")


def areas() -> set[str]:
    """Return the areas that are chosen; none where every area with a folder is built."""
    return {name.strip() for name in os.environ.get(AREAS, "").split(",")} - {""}


def alert_outbox() -> Path:
    """Return where undelivered alerts wait; beside the database by default."""
    return Path(os.environ.get(ALERT_OUTBOX) or f"{database()}.alerts.json")


def cache_folder() -> Path:
    """Return where downloads are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wardhouse"


def allows_outside_links() -> bool:
    """Whether a raw directory's links may lead out of it: only where that is set to 1."""
    return os.environ.get(ALLOW_OUTSIDE_LINKS) == "1"


def use_raw_dir(raw_dir: Path) -> None:
    """Let the builds of this process read a raw directory."""
    os.environ[RAW_DIR] = str(named_directory(raw_dir))


def named_directory(path: Path) -> Path:
    """Name a directory absolutely and as its user does: a link stays one, wherever it leads next.

    What `..` leaves is looked up, for it may be a link.
    """
    parts = path.absolute().parts
    if ".." not in parts:
        return Path(*parts)
    last = len(parts) - parts[::-1].index("..")
    return Path(*parts[:last]).resolve().joinpath(*parts[last:])
