"""Settings from the environment: the only reader of WARDHOUSE_* variables.

A function per setting gives its value, and raises a SettingError that says cause and cure in one
line. Relative paths begin in the project's folder, as dbt takes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from wardhouse.project import SAMPLE, project_directory

ALERT_OUTBOX = "WARDHOUSE_ALERT_OUTBOX"
ALLOW_OUTSIDE_LINKS = "WARDHOUSE_ALLOW_OUTSIDE_LINKS"
LEAST_KEY = 32  # characters of the pseudonyms' key
RAW_DIR = "WARDHOUSE_RAW_DIR"
REQUIRED_IN_PRODUCTION = (
    "WARDHOUSE_DB",
    "WARDHOUSE_RAW_DIR",
    "WARDHOUSE_EXPORT_DIR",
    "WARDHOUSE_MEMORY",
)


class SettingError(Exception):
    """A setting that is wrong or missing; its text is cause and cure in one line."""


def environment() -> Mapping[str, str]:
    """Return what is set: for groups of variables (WARDHOUSE_KAFKA_*, WARDHOUSE_ALERT_*)."""
    return os.environ


def child_environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process to start: this one's, with changes."""
    return {**os.environ, **changes}


def in_project(path: Path, project_dir: Path | None = None) -> Path:
    """Give a path that is not absolute its place in the project, wherever a command is started."""
    return (project_dir or project_directory()).absolute() / path


def database(project_dir: Path | None = None) -> Path:
    """Return the warehouse's DuckDB file (`WARDHOUSE_DB`, default `wardhouse.duckdb`).

    Parameters
    ----------
    project_dir
        The project in which a relative path begins, where that is not the one found.

    Raises
    ------
    SettingError
        Where it is no file, or the folder that shall hold it does not exist.
    """
    named = os.environ.get("WARDHOUSE_DB", "wardhouse.duckdb")
    if named.startswith(":memory:"):
        raise SettingError(
            f"WARDHOUSE_DB is '{named}', which is gone when the build ends, history included: "
            "name a file"
        )
    path = in_project(Path(named), project_dir)
    if not named or path.is_dir():
        raise SettingError(f"WARDHOUSE_DB is '{named}', which is no file: name one to create")
    if not path.parent.is_dir():
        raise SettingError(
            f"the folder of WARDHOUSE_DB, {path.parent}, does not exist: create it, or name another"
        )
    return path


def raw_directory(project_dir: Path | None = None) -> Path:
    """Return the directory of raw files (`WARDHOUSE_RAW_DIR`, default the shipped sample).

    Parameters
    ----------
    project_dir
        The project in which a relative path begins, where that is not the one found.

    Raises
    ------
    SettingError
        Where it is no directory.
    """
    path = in_project(Path(os.environ.get("WARDHOUSE_RAW_DIR", SAMPLE)), project_dir)
    if not path.is_dir():
        raise SettingError(
            f"WARDHOUSE_RAW_DIR is {path}, which is no directory: name one with a folder per area"
        )
    return path


def export_directory(project_dir: Path | None = None) -> Path:
    """Return where exports go (`WARDHOUSE_EXPORT_DIR`, default `exports`).

    Parameters
    ----------
    project_dir
        The project in which a relative path begins, where that is not the one found.
    """
    return in_project(Path(os.environ.get("WARDHOUSE_EXPORT_DIR", "exports")), project_dir)


def publish_directory() -> Path:
    """Return where published versions go (`WARDHOUSE_PUBLISH_DIR`, default `published`)."""
    return in_project(Path(os.environ.get("WARDHOUSE_PUBLISH_DIR", "published")))


def keys_file() -> Path:
    """Return where keys of the API are kept (`WARDHOUSE_KEYS_FILE`, default `keys.json`)."""
    return in_project(Path(os.environ.get("WARDHOUSE_KEYS_FILE", "keys.json")))


def serve_host() -> str:
    """Return the address that the API listens on (`WARDHOUSE_SERVE_HOST`, default loopback)."""
    return os.environ.get("WARDHOUSE_SERVE_HOST", "127.0.0.1")


def serve_name() -> str | None:
    """Return what readers elsewhere call the API (`WARDHOUSE_SERVE_NAME`, no default), or None."""
    return os.environ.get("WARDHOUSE_SERVE_NAME") or None


def serve_port() -> int:
    """Return the port that the API listens on (`WARDHOUSE_SERVE_PORT`, default 8000).

    Raises
    ------
    SettingError
        Where it is no port.
    """
    value = os.environ.get("WARDHOUSE_SERVE_PORT", "8000")
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SettingError(f"WARDHOUSE_SERVE_PORT is '{value}': give a port, such as 8000")
    return int(value)


def pseudonym_key() -> str | None:
    """Return the key of pseudonyms (`WARDHOUSE_PSEUDONYM_KEY`, no default), or None.

    Raises
    ------
    SettingError
        Where it is too short to withstand guessing.
    """
    key = os.environ.get("WARDHOUSE_PSEUDONYM_KEY")
    if key and len(key) < LEAST_KEY:
        raise SettingError(
            f"WARDHOUSE_PSEUDONYM_KEY has {len(key)} characters: give at least {LEAST_KEY}, such "
            "as of openssl rand -hex 32"
        )
    return key or None


def artifact_directory() -> Path:
    """Return where dbt writes its artifacts (`DBT_TARGET_PATH`, dbt's own; default `target`)."""
    return in_project(Path(os.environ.get("DBT_TARGET_PATH", "target")))


def areas(known: list[str] | None = None) -> list[str]:
    """Return the areas chosen (`WARDHOUSE_AREAS`, separated by commas; default none: all found).

    Parameters
    ----------
    known
        Areas of the project, to hold them against; by default they are not.

    Raises
    ------
    SettingError
        Where one is not known.
    """
    chosen = {name.strip() for name in os.environ.get("WARDHOUSE_AREAS", "").split(",")} - {""}
    if known and (unknown := sorted(chosen - set(known))):
        raise SettingError(
            f"WARDHOUSE_AREAS names {', '.join(unknown)}: choose from {', '.join(known)}"
        )
    return sorted(chosen)


def threads() -> int:
    """Return how many models dbt builds at once (`WARDHOUSE_THREADS`, default 1).

    Raises
    ------
    SettingError
        Where it is no whole number above zero.
    """
    value = os.environ.get("WARDHOUSE_THREADS", "1")
    if not value.isdecimal() or int(value) < 1:
        raise SettingError(
            f"WARDHOUSE_THREADS is '{value}': give a whole number above 0, such as 1"
        )
    return int(value)


def memory() -> str:
    """Return DuckDB's memory (`WARDHOUSE_MEMORY`, default `2GB`).

    Raises
    ------
    SettingError
        Where DuckDB cannot read it.
    """
    value = os.environ.get("WARDHOUSE_MEMORY", "2GB")
    if not re.fullmatch(r"\d+(\.\d+)?\s*(%|[KMGT]i?B)", value, re.IGNORECASE):
        raise SettingError(f"WARDHOUSE_MEMORY is '{value}': give a size, such as 2GB")
    return value


def check_connection(is_production: bool, project_dir: Path | None = None) -> None:
    """Check what a connection to the warehouse needs, before it is opened.

    Parameters
    ----------
    is_production
        Whether the target is `prod`: it takes no default, and never the shipped sample.
    project_dir
        The project in which relative paths begin, where that is not the one found.

    Raises
    ------
    SettingError
        The first setting that is wrong, or all that are missing.
    """
    if is_production:
        if missing := [name for name in REQUIRED_IN_PRODUCTION if not os.environ.get(name)]:
            raise SettingError(f"target prod takes no default: set {', '.join(missing)}")
        if raw_directory(project_dir).resolve() == SAMPLE:
            raise SettingError(
                "target prod does not build the shipped sample: set WARDHOUSE_RAW_DIR to your "
                "own files, or take target dev"
            )
    threads()
    memory()
    database(project_dir)


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

    What `..` leaves is looked up: it may be a link.
    """
    parts = path.absolute().parts
    if ".." not in parts:
        return Path(*parts)
    last = len(parts) - parts[::-1].index("..")
    return Path(*parts[:last]).resolve().joinpath(*parts[last:])


def dbt_target() -> str | None:
    """Return the target that dbt takes where none is named (`DBT_TARGET`)."""
    return os.environ.get("DBT_TARGET")
