"""Feeds and areas: what the project declares, and which of it a raw directory is built for."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wardhouse.project import meta_of, read_yaml


@dataclass(frozen=True)
class Column:
    """A declared column of a feed, with the other spellings it is known by."""

    name: str
    required: bool
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """A declared feed: an area, a name and its columns.

    Where `optional`, a directory without the feed is built with an empty one; a feed that is there
    is validated as any. Where `keep_undeclared`, columns beside the declared ones are kept as JSON.
    """

    area: str
    name: str
    columns: tuple[Column, ...]
    optional: bool = False
    keep_undeclared: bool = False

    @property
    def label(self) -> str:
        """The feed as messages name it."""
        return f"{self.area}.{self.name}"


def feed_from_dict(declared: dict[str, Any]) -> Feed:
    """Build a feed from the plain dictionary that dbt's graph or a sources file gives."""
    columns = tuple(
        Column(
            name=column["name"],
            required=bool(column["meta"].get("required", False)),
            aliases=tuple(column["meta"].get("aliases", ())),
        )
        for column in declared["columns"]
    )
    switches = {
        name: bool(declared["meta"].get(name, False)) for name in ("optional", "keep_undeclared")
    }
    return Feed(declared["area"], declared["name"], columns, **switches)


def declared_feeds(project_dir: Path) -> list[Feed]:
    """Read the feeds that the project's sources files declare, without dbt.

    Parameters
    ----------
    project_dir
        Folder that holds `dbt_project.yml`.

    Returns
    -------
    list of Feed
        In the order of the files; sources outside `raw_<area>` schemas are left out.
    """
    feeds = []
    for path in sorted(project_dir.glob("models/staging/*/*__sources.yml")):
        for source in read_yaml(path)["sources"]:
            if not source.get("schema", "").startswith("raw_"):
                continue
            for table in source["tables"]:
                columns = [{"name": c["name"], "meta": meta_of(c)} for c in table["columns"]]
                feeds.append(
                    feed_from_dict(
                        {
                            "area": source["name"],
                            "name": table["name"],
                            "meta": meta_of(table),
                            "columns": columns,
                        }
                    )
                )
    return feeds


def choose_areas(raw_dir: Path, chosen: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Decide which areas are built.

    Parameters
    ----------
    raw_dir
        The raw directory.
    chosen
        `WARDHOUSE_AREAS`: names separated by commas, or empty for every area that has a folder.
    known
        Areas that the project declares.

    Returns
    -------
    areas, problems
        Sorted names of known areas, and what is wrong with the choice (empty when nothing is).
    """
    try:
        return _choose_areas(raw_dir, chosen, sorted(set(known)))
    except OSError as error:
        return [], [f"{error.filename}: {error.strerror}"]


def _choose_areas(raw_dir: Path, chosen: str, known: list[str]) -> tuple[list[str], list[str]]:
    if not raw_dir.is_dir():
        return [], [f"the raw directory {raw_dir} does not exist (WARDHOUSE_RAW_DIR)"]
    names = sorted({name.strip() for name in chosen.split(",") if name.strip()})
    if names:
        unknown = [name for name in names if name not in known]
        problem = f"WARDHOUSE_AREAS names {', '.join(unknown)}; known: {', '.join(known)}"
        return [name for name in names if name in known], [problem] if unknown else []
    # A link that leads nowhere is an area that is not there today, not one that is not chosen.
    places = {area: raw_dir / area for area in known}
    names = [area for area, place in places.items() if place.is_dir() or place.is_symlink()]
    if not names:
        return [], [f"{raw_dir} has no folder named after an area ({', '.join(known)})"]
    return names, []
