"""Files that hold patients' data: for their owner alone, or shared with a group on request."""

import os
from collections.abc import Mapping
from pathlib import Path

from wardhouse.settings import SettingError, environment

VARIABLE = "WARDHOUSE_FILE_MODE"
MODES = (0o600, 0o640, 0o660)


class FileModeError(SettingError):
    """`WARDHOUSE_FILE_MODE` is no mode that keeps files private."""


def file_mode(variables: Mapping[str, str] | None = None) -> int:
    """Read the mode of new files from `WARDHOUSE_FILE_MODE`: 0600, 0640 or 0660.

    Raises
    ------
    FileModeError
        When the value is anything else, such as a mode that lets everybody read.
    """
    text = (variables or environment()).get(VARIABLE) or "0600"
    modes = {f"{mode:o}": mode for mode in MODES}
    try:
        return modes[text.removeprefix("0")]
    except KeyError:
        raise FileModeError(
            f"{VARIABLE} is {text!r}: set 0600 (the owner alone), 0640 (a group reads) or 0660 "
            "(a group writes); files with patients' data are never open to all"
        ) from None


def directory_mode(mode: int) -> int:
    """Return the mode of a directory of files of a mode: who may read them may enter it."""
    return mode | (mode & 0o444) >> 2


def keep_private() -> None:
    """Let whatever this process creates from now on, by any library, be of that mode at most.

    Raises
    ------
    FileModeError
        When `WARDHOUSE_FILE_MODE` is no mode that keeps files private.
    """
    os.umask(0o777 & ~directory_mode(file_mode()))


def restrict(path: Path) -> None:
    """Give a file that is there already that mode, where it is this user's to give."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if os.geteuid() in (0, found.st_uid):
        path.chmod(file_mode())


def create_private(path: Path) -> None:
    """Create an empty file of that mode, whatever the umask; an existing one is left alone."""
    mode = file_mode()
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def create_private_directory(path: Path) -> None:
    """Create a directory and its parents, open to whoever may read the files in them."""
    mode = file_mode()
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
        place.chmod(directory_mode(mode))


def sync(path: Path) -> None:
    """Return when a file, or what a folder lists, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str, is_synced: bool = False) -> None:
    """Replace a file in one step: readers see the old text or the new one, whole.

    Parameters
    ----------
    path
        The file.
    text
        What it shall hold.
    is_synced
        Whether that outlasts a power cut: the text is on the disk before it takes the name.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        create_private(temporary)
        temporary.write_text(text, encoding="utf-8")
        if is_synced:
            sync(temporary)
        temporary.replace(path)
        if is_synced:
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
