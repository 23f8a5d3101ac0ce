"""Measures whole processes: CPU, wall time, peak memory; and describes the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from wardhouse.project import PACKAGES as PACKAGES_FOLDER
from wardhouse.settings import child_environment

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pandas", "scikit-learn")
Answer = dict[str, Any]


class ContenderError(Exception):
    """A contender failed, or contenders disagree."""


@dataclass(frozen=True)
class Measurement:
    """What one fresh process used, and the answer it left.

    Attributes
    ----------
    cpu, wall : float
        Seconds; CPU is user and system time, of children too.
    peak : float
        Largest resident memory in MB.
    """

    name: str
    cpu: float
    wall: float
    peak: float
    answer: Answer = field(default_factory=dict)


def run_measured(
    name: str, command: Sequence[str | Path], log: Path, cwd: Path, env: dict[str, str]
) -> Measurement:
    """Run a command and measure it.

    Parameters
    ----------
    name
        Of the measurement.
    command, cwd, env
        What is run, where, and what is set on top of this process's environment.
    log
        File that takes its output.

    Raises
    ------
    ContenderError
        If it fails; the message ends with the last lines of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=child_environment(**env),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ContenderError(f"{name} ended with {process.returncode}:\n{tail}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Measurement(name, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit)


def warehouse_environment(folder: Path, raw: Path, area: str) -> dict[str, str]:
    """Give what is set for a dbt whose warehouse, exports and artifacts lie in a folder.

    Parameters
    ----------
    folder
        Of this dbt alone.
    raw
        The raw directory.
    area
        The one area that is built.
    """
    return {
        "PYTHONPATH": str(PACKAGES_FOLDER),
        "WARDHOUSE_RAW_DIR": str(raw),
        "WARDHOUSE_AREAS": area,
        "WARDHOUSE_DB": str(folder / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(folder / "exports"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


def describe_machine(packages: Sequence[str] = PACKAGES) -> str:
    """Say in one line what the figures were measured on, with the versions of packages."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


@contextmanager
def kept_or_temporary(keep: Path | None) -> Iterator[Path]:
    """Give a place for data and outputs: a folder to keep, which must be new, or a passing one.

    Raises
    ------
    typer.BadParameter
        When the folder to keep holds something.
    """
    if keep:
        if keep.is_dir() and any(keep.iterdir()):
            raise typer.BadParameter(f"{keep} is not empty: a fresh build needs a fresh place")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="wardhouse-bench-") as place:
            yield Path(place)
