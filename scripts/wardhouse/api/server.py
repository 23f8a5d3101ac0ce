"""Runs the API: what areas declare, by uvicorn, until it is told to end."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import time
from typing import TYPE_CHECKING

import uvicorn

from wardhouse.areas.declared import AREAS, load
from wardhouse.quality.routes import ROUTES

if TYPE_CHECKING:
    from wardhouse.api.application import Application
    from wardhouse.api.keys import Doorkeeper
    from wardhouse.routes import Route

IDLE_SECONDS = 5
LAST_SECONDS = 10  # for requests that have begun when the server is told to end
MOST_AT_ONCE = 512
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
LARGEST_HEAD = 65_536  # above what the application refuses by itself, with a reason


def routes() -> list[Route]:
    """Return all routes that areas and quality declare."""
    return [*(route for area in AREAS if area.routes for route in load(area.routes)), *ROUTES]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ServeError(Exception):
    """Nothing can be served; its text is cause and cure in one line."""


def listen(host: str, port: int, doorkeeper: Doorkeeper) -> socket.socket:
    """Listen at an address, where a server may.

    Raises
    ------
    ServeError
        When nobody has a key, all would be let in from elsewhere, or the port is taken.
    """
    if doorkeeper.is_open and not is_loopback(host):
        raise ServeError(
            f"--insecure-local serves this machine alone, and {host} is reached from elsewhere: "
            "leave --host out, or make keys by wardhouse keys add"
        )
    if not doorkeeper.is_open and not doorkeeper.keys:
        raise ServeError(
            "nobody has a key: wardhouse keys add NAME makes one (on this machine alone, "
            "--insecure-local asks for none)"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) where a socket says that it is TCP
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ServeError(
            f"{host}:{port} cannot be listened on: {error.strerror}; name another by --host and "
            "--port"
        ) from error
    return listening


def check_name(name: str, doorkeeper: Doorkeeper, is_audience_named: bool) -> str:
    """Return what readers elsewhere call the server, in lower case, where it may be called so.

    Raises
    ------
    ServeError
        When it is no name, all would be let in from elsewhere, or nobody said for whom answers are.
    """
    if not NAME.fullmatch(name.lower()):
        raise ServeError(
            f"'{name}' is no name of a server: give one without https:// and port to --name or "
            "WARDHOUSE_SERVE_NAME, such as wardhouse.example.org"
        )
    if doorkeeper.is_open:
        raise ServeError(
            f"--insecure-local asks nobody for a key, and {name} is called from elsewhere: leave "
            "--name and WARDHOUSE_SERVE_NAME out, or make keys by wardhouse keys add"
        )
    if not is_audience_named:
        raise ServeError(
            f"{name} is called from elsewhere: say by --audience whether its readers are internal "
            "or shared"
        )
    return name.lower()


def log_to_stderr() -> None:
    """Write what the API logs, who reads of single patients included, to standard error."""
    writing = logging.StreamHandler()
    writing.setFormatter(_InUtc("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    log = logging.getLogger("wardhouse.api")
    log.addHandler(writing)
    log.setLevel(logging.INFO)


class _InUtc(logging.Formatter):
    converter = time.gmtime


def run(application: Application, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests that have begun are answered."""
    log_to_stderr()
    config = uvicorn.Config(
        application,
        lifespan="on",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=LAST_SECONDS,
        limit_concurrency=MOST_AT_ONCE,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    uvicorn.Server(config).run(sockets=[listening])
