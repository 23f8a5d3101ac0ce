"""The folder of published versions: one pointer, the last versions, and one publisher at a time.

A version is a folder named by a number that only grows, with a folder for each audience.
`current.json` names the one to read, and is replaced by a rename. Who reads a version holds a
shared lock on its folder, so that it is not removed meanwhile; the lock ends with the process.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wardhouse.private_files import create_private, create_private_directory, sync, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUDIENCES = ("internal", "shared")
POINTER = "current.json"
MANIFEST = "manifest.json"
LOCK = ".lock"
VERSION = re.compile(r"\d{6,}")
WRITING, REMOVING = ".writing-", ".removing-"


class PublishError(Exception):
    """Nothing can be published or read; its text is cause and cure in one line."""


def current(folder: Path) -> str | None:
    """Return the version that the pointer names, or None where nothing was published.

    Raises
    ------
    PublishError
        When the pointer is there and names none.
    """
    pointer = folder / POINTER
    try:
        named = json.loads(pointer.read_text(encoding="utf-8"))["version"]
        if VERSION.fullmatch(named):
            return named
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(pointer) from error
    raise _damaged(pointer)


def _damaged(pointer: Path) -> PublishError:
    return PublishError(f"{pointer} names no version: delete it, and publish or stream again")


def versions(folder: Path) -> list[str]:
    """Name the versions that are there, the oldest first."""
    return sorted((each.name for each in folder.iterdir() if VERSION.fullmatch(each.name)), key=int)


@contextmanager
def publishing(folder: Path) -> Iterator[Path]:
    """Give the folder in which the next version is to be written, to one publisher at a time.

    What publishers left that were killed is removed: halves of versions, and versions above the
    pointer, which nobody was told of. What is not finished at the end is removed too.

    Parameters
    ----------
    folder
        Of all versions; it is made where it is missing.

    Raises
    ------
    PublishError
        When another process publishes, or the pointer is damaged.
    """
    create_private_directory(folder)
    create_private(folder / LOCK)
    with (folder / LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PublishError(
                f"another process publishes into {folder}: wait until it ends, and try again"
            ) from error
        number = max(map(int, [current(folder) or "0", *versions(folder)])) + 1
        remove_leftovers(folder)
        writing = folder / f"{WRITING}{number:06}"
        writing.mkdir()
        try:
            yield writing
        finally:
            if writing.exists():
                shutil.rmtree(writing)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write what a version tells of itself."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def finish(writing: Path, published_at: str) -> str:
    """Let a version take its name, and the pointer name it; return the version.

    Parameters
    ----------
    writing
        The folder that `publishing` gave, with all that the version holds.
    published_at
        UTC time that the pointer tells.
    """
    folder, version = writing.parent, writing.name.removeprefix(WRITING)
    for path in (*writing.rglob("*"), writing):
        sync(path)
    writing.rename(folder / version)
    sync(folder)
    told = {"version": version, "published_at": published_at}
    write_private(folder / POINTER, json.dumps(told) + "\n", is_synced=True)
    return version


def remove_leftovers(folder: Path) -> None:
    """Remove what a publisher that was killed left; there is no other at work."""
    for path in [*folder.glob(f"{WRITING}*"), *folder.glob(f"{REMOVING}*")]:
        shutil.rmtree(path)
    for path in folder.glob(f".{POINTER}.*"):
        path.unlink()
    newest = int(current(folder) or 0)
    for version in versions(folder):
        if int(version) > newest:
            _remove(folder / version)


def remove_old(folder: Path, keep: int) -> None:
    """Remove all but the last versions, and never one that the pointer names or somebody reads.

    Parameters
    ----------
    folder
        Of all versions.
    keep
        How many stay, at least 1.
    """
    named = current(folder)
    for version in versions(folder)[:-keep]:
        if version != named:
            _remove(folder / version)


def _remove(path: Path) -> None:
    gone = path.with_name(f"{REMOVING}{path.name}")
    try:
        with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            path.rename(gone)
    except BlockingIOError:
        return  # the next publisher removes it, once nobody reads it
    shutil.rmtree(gone)


@contextmanager
def locked(path: Path, lock: int) -> Iterator[None]:
    """Hold a lock on a folder.

    Parameters
    ----------
    path
        The folder.
    lock
        Of fcntl: LOCK_SH or LOCK_EX, with LOCK_NB where nobody shall wait.

    Raises
    ------
    FileNotFoundError
        When it is not there.
    BlockingIOError
        When another holds it and nobody shall wait.
    """
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, lock)
        yield
    finally:
        os.close(held)
