"""The server's application: who asks, how often and how much, before a version answers."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from wardhouse.api.buckets import Buckets
from wardhouse.api.callers import CALLER, caller
from wardhouse.api.editions import Edition, Editions
from wardhouse.api.keys import ANYBODY, KeysError
from wardhouse.api.metrics import Metrics
from wardhouse.api.operations import Operations
from wardhouse.api.pages import POLICY, add_pages
from wardhouse.api.problems import problem
from wardhouse.api.upkeep import add_upkeep

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from wardhouse.api.keys import Doorkeeper, Key
    from wardhouse.routes import Route

LONGEST_ADDRESS = 16_384  # bytes
LARGEST_HEADERS = 16_384
LARGEST_BODY = 4096  # a form with one key is all that is sent
UNLIMITED = ("/health", "/ready")
EVERY_SECONDS = 0.5
VERSION = b"snapshot-version"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
log = logging.getLogger("wardhouse.api")


@dataclass(frozen=True)
class Limits:
    """How much may be asked.

    Attributes
    ----------
    rate : float
        Requests a second, of each key, or of each address without one.
    burst : int
        Requests at once.
    hosts : tuple of str, optional
        Names that requests may call this server by; None takes any. On loopback it keeps web pages
        out that give their own name this machine's address.
    is_secure : bool
        Whether cookies go by HTTPS alone.
    """

    rate: float = 100
    burst: int = 200
    hosts: tuple[str, ...] | None = None
    is_secure: bool = True


class Application:
    """Answers from the version that is published, and from the next one once it is loaded.

    Parameters
    ----------
    folder, audience, memory
        What is published, for whom, and DuckDB's limit while it is read.
    routes
        What is answered.
    doorkeeper
        Who may ask.
    limits
        How much.

    Raises
    ------
    PublishError
        When nothing is published, or it cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        audience: str,
        routes: list[Route],
        doorkeeper: Doorkeeper,
        memory: str,
        limits: Limits,
    ):
        self._doorkeeper, self._limits, self._routes = doorkeeper, limits, routes
        self._buckets = Buckets(limits.rate, limits.burst)
        self.editions = Editions(folder, audience, routes, memory)
        self._metrics = Metrics(self.editions)
        self.editions.load(self._application_of)
        self._ended = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; it is all of one version."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        began = time.perf_counter()
        edition, application = self.editions.current
        told = _Told(send, edition.version)
        try:
            headers = Headers(scope=scope)
            scope[CALLER] = caller(headers, self._doorkeeper)
            refused = self._refusal(scope, headers)
            await (refused or application)(scope, _limited(receive), told)
        finally:
            route = getattr(scope.get("route"), "path_format", "none")
            self._metrics.count(route, told.status, time.perf_counter() - began)

    def refresh(self) -> None:
        """Take other keys, and another version, where there are any."""
        try:
            self._doorkeeper.refresh()
        except KeysError as error:
            log.error("keys stay as they were: %s", error)
        self.editions.refresh()

    def _application_of(self, edition: Edition) -> ASGIApp:
        operations = Operations(edition, self.editions)
        operations.add(self._routes)
        add_upkeep(operations, self._metrics)
        add_pages(operations, self._doorkeeper, self._limits.is_secure)
        operations.schema()
        return operations.app

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """Return the answer to what is not even looked at."""
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
            return problem(414)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEADERS:
            return problem(431)
        if not self._is_host(headers.get("host", "")):
            return problem(400, "this server has another name")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return problem(413)
        if scope["path"] not in UNLIMITED and (wait := self._buckets.wait(_who(scope))):
            return problem(429, "ask less often", {"Retry-After": str(wait)})
        return None

    def _is_host(self, host: str) -> bool:
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host
        named = name if name.startswith("[") else name.partition(":")[0]
        return self._limits.hosts is None or named.lower() in self._limits.hosts

    async def _live(self, receive: Receive, send: Send) -> None:
        """Look for another version from the server's start to its end."""
        await receive()
        watcher = threading.Thread(target=self._watch, name="versions", daemon=True)
        watcher.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._ended.set()
        watcher.join()
        await send({"type": "lifespan.shutdown.complete"})

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self.refresh()


class _Told:
    """Sends an answer with what all answers carry, and remembers its status."""

    def __init__(self, send: Send, version: str):
        self._send, self._version = send, version
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            if all(name != VERSION for name, _ in headers):
                headers = [*headers, (VERSION, self._version.encode())]
            message = {**message, "headers": [*headers, *HEADERS]}
        await self._send(message)


def _limited(receive: Receive) -> Receive:
    """Read no more of a body than is taken, whatever length was told."""
    n_read = 0

    async def read() -> Message:
        nonlocal n_read
        message = await receive()
        n_read += len(message.get("body", b""))
        if n_read > LARGEST_BODY:
            raise HTTPException(413)
        return message

    return read


def _who(scope: Scope) -> tuple[str, str]:
    """Name whose bucket a request is taken from."""
    key: Key | None = scope[CALLER]
    if key is None or key is ANYBODY:
        return "address", (scope.get("client") or ("",))[0]
    return "key", key.name
