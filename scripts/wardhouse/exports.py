"""Exports: the CSV and the Parquet of one change together, or neither does.

Both are written under temporary names, the Parquet first, and renamed when both are on the disk,
the Parquet first. A temporary CSV without its Parquet was thus caught between the two renames.
"""

from __future__ import annotations

from pathlib import Path

from wardhouse.private_files import sync

PARTIAL = "partial"
SUFFIXES = ("parquet", "csv")


class ExportError(Exception):
    """An export cannot be written; its text is cause and cure in one line."""


def partial(target: Path, suffix: str) -> Path:
    """Return the temporary name of an export's file of a suffix."""
    return target.with_name(f".{target.name}.{suffix}.{PARTIAL}")


def final(target: Path, suffix: str) -> Path:
    """Return the name of an export's file of a suffix."""
    return target.with_name(f"{target.name}.{suffix}")


def begin_export(target: Path) -> None:
    """Make sure, before anything is written, that both files can be.

    Parameters
    ----------
    target
        The export's path, without suffix.

    Raises
    ------
    ExportError
        When the folder cannot take them.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in SUFFIXES:
            if final(target, suffix).is_dir():
                raise IsADirectoryError(21, f"{target.name}.{suffix} is a folder")
            partial(target, suffix).unlink(missing_ok=True)
            partial(target, suffix).touch(exist_ok=False)
            partial(target, suffix).unlink()
    except OSError as error:
        raise _refusal(target, error) from error


def finish_export(target: Path) -> None:
    """Let both files take their names, once all of both is on the disk.

    Raises
    ------
    ExportError
        When the disk does not take them; the earlier files stay as they were.
    """
    try:
        for suffix in SUFFIXES:
            sync(partial(target, suffix))
        for suffix in SUFFIXES:
            partial(target, suffix).replace(final(target, suffix))
        sync(target.parent)
    except OSError as error:
        raise _refusal(target, error) from error


def settle_exports(folder: Path) -> None:
    """Complete or remove what exports left that a kill or a full disk ended.

    Parameters
    ----------
    folder
        The export directory, of which no export is being written.
    """
    for csv in folder.glob(f"**/.*.csv.{PARTIAL}"):
        target = csv.with_name(csv.name.removeprefix(".").removesuffix(f".csv.{PARTIAL}"))
        if not partial(target, "parquet").exists():
            csv.replace(final(target, "csv"))
    for suffix in SUFFIXES:
        for path in folder.glob(f"**/.*.{suffix}.{PARTIAL}"):
            path.unlink()


def _refusal(target: Path, error: OSError) -> ExportError:
    return ExportError(
        f"export {target} cannot be written: {error.strerror or error}; free its disk or permit "
        "its folder, or set WARDHOUSE_EXPORT_DIR to another"
    )
