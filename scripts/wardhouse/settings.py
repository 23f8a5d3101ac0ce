"""The only reader of the environment: every WARDHOUSE_* variable that Python knows."""

import os
from collections.abc import Mapping
from pathlib import Path

DATABASE = "WARDHOUSE_DB"
RAW_DIR = "WARDHOUSE_RAW_DIR"
AREAS = "WARDHOUSE_AREAS"
ALERT_OUTBOX = "WARDHOUSE_ALERT_OUTBOX"


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


def use_raw_dir(raw_dir: Path) -> None:
    """Let the builds of this process read a raw directory."""
    os.environ[RAW_DIR] = str(raw_dir.resolve())
