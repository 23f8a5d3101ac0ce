"""A PostgreSQL of one's own on this machine, in a folder that passes: for tests and benchmarks."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.bench.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "loader"
SERVANT = "nobody"  # who runs it where root may not


class UnavailableError(Exception):
    """PostgreSQL is not installed, or does not start."""


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises
    ------
    UnavailableError
        When there is none.
    """
    if on_path := shutil.which("initdb"):
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian's place
    if not found:
        raise UnavailableError("PostgreSQL is missing (Debian: apt-get install postgresql)")
    return found[-1].parent


@contextmanager
def running_server(*, is_lasting: bool = False) -> Iterator[str]:
    """Run a server that listens on loopback, and end it; it lets anybody in.

    Parameters
    ----------
    is_lasting
        Whether it waits for the disk, as servers do; without, it starts and loads sooner.

    Returns
    -------
    str
        The address of its database, for its administrator.

    Raises
    ------
    UnavailableError
        When it is not installed or does not start.
    """
    programs = binaries()
    with tempfile.TemporaryDirectory(prefix="wardhouse-postgresql-") as name:
        place = Path(name)
        port = free_port()
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {place} -c jit=off"
        lasting = [] if is_lasting else ["-o", "-F"]
        if os.geteuid() == 0:
            shutil.chown(place, SERVANT)
        data = ["-D", str(place / "data")]
        make = ["-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"]
        _run(programs / "initdb", *data, *make)
        log = ["-l", str(place / "log")]
        _run(programs / "pg_ctl", *data, *log, "-o", options, *lasting, "-w", "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run(programs / "pg_ctl", *data, "-m", "immediate", "-w", "stop")


def _run(program: Path, *arguments: str) -> None:
    as_whom = (
        {"user": SERVANT, "group": pwd.getpwnam(SERVANT).pw_gid, "extra_groups": []}
        if os.geteuid() == 0
        else {}
    )
    ended = subprocess.run(
        [program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **as_whom,
    )
    if ended.returncode:
        raise UnavailableError(f"{program.name} ended with {ended.returncode}")
