"""The server's application: who asks, how often and how much, before a version answers."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from wardhouse.api.buckets import MOST, Buckets
from wardhouse.api.callers import CALLER, SCOPE, caller
from wardhouse.api.editions import Edition, Editions
from wardhouse.api.keys import ANYBODY, KeysError
from wardhouse.api.metrics import Metrics
from wardhouse.api.operations import Operations
from wardhouse.api.pages import LOGIN, POLICY, add_pages
from wardhouse.api.problems import problem
from wardhouse.api.upkeep import add_upkeep
from wardhouse.publish.versions import PublishError

if TYPE_CHECKING:
    from collections.abc import Callable
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
TOLD_BY_US = (KeysError, PublishError, OSError)  # whose text says enough
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
    name : str, optional
        What readers elsewhere call it, where a proxy on this machine passes their requests on. The
        proxy says in `X-Forwarded-For` whose they are.
    """

    rate: float = 100
    burst: int = 200
    hosts: tuple[str, ...] | None = None
    is_secure: bool = True
    name: str | None = None


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
        self._of_keys = Buckets(limits.rate, limits.burst)
        self._of_addresses = Buckets(limits.rate, limits.burst, MOST)
        self.editions = Editions(folder, audience, routes, memory)
        self._metrics = Metrics(self.editions)
        self.editions.load(self._application_of)
        self._ended = threading.Event()
        self._watches = (
            _Watch("keys", doorkeeper.refresh, "no key opens anything"),
            _Watch("versions", self.editions.refresh, "the version in use stays"),
        )

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
            if scope.get(SCOPE) == "patients":
                key: Key | None = scope.get(CALLER)
                log.info("%r asked %s: %d", key.name if key else "nobody", route, told.status)

    def refresh(self) -> None:
        """Take other keys, and another version, where there are any; faults are logged."""
        for watch in self._watches:
            watch.look()

    def _application_of(self, edition: Edition) -> ASGIApp:
        operations = Operations(edition, self.editions)
        operations.add(self._routes)
        add_upkeep(operations, self._metrics)
        add_pages(operations, self._doorkeeper, self._limits.is_secure, self._limits.name)
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
        if scope["path"] not in UNLIMITED and (wait := self._wait(scope, headers)):
            return problem(429, "ask less often", {"Retry-After": str(wait)})
        return None

    def _wait(self, scope: Scope, headers: Headers) -> int:
        """Take a request from its bucket; who logs in does not wait for what else comes keyless."""
        key: Key | None = scope[CALLER]
        if key is None or key is ANYBODY:
            is_login = scope["path"] == LOGIN
            return self._of_addresses.wait((self._address(scope, headers), is_login))
        return self._of_keys.wait(key.name)

    def _address(self, scope: Scope, headers: Headers) -> str:
        """Return where a request comes from: what the proxy adds last, where there is one."""
        client = (scope.get("client") or ("",))[0]
        if self._limits.name is None:
            return client
        told = headers.getlist("x-forwarded-for")[-1:]
        try:
            return str(ipaddress.ip_address(told[0].rpartition(",")[2].strip())) if told else client
        except ValueError:
            return client

    def _is_host(self, host: str) -> bool:
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host
        named = name if name.startswith("[") else name.partition(":")[0]
        return self._limits.hosts is None or named.lower() in self._limits.hosts

    async def _live(self, receive: Receive, send: Send) -> None:
        """Look for another version from the server's start to its end."""
        await receive()
        threads = [
            threading.Thread(target=self._go_on, args=(watch,), name=watch.name, daemon=True)
            for watch in self._watches
        ]
        for thread in threads:
            thread.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._ended.set()
        for thread in threads:
            thread.join()
        await send({"type": "lifespan.shutdown.complete"})

    def _go_on(self, watch: _Watch) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            watch.look()


class _Watch:
    """Looks for something new, in a thread of its own: what loads long keeps nobody's key open.

    No fault ends it. One that stays is logged once.
    """

    def __init__(self, name: str, refresh: Callable[[], None], meanwhile: str):
        self.name, self._refresh, self._meanwhile = name, refresh, meanwhile
        self._told: str | None = None

    def look(self) -> None:
        """Look once."""
        try:
            self._refresh()
            self._told = None
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            if told != self._told:
                self._told = told
                if isinstance(error, TOLD_BY_US):
                    log.error("%s: %s", self._meanwhile, error)
                else:
                    log.exception("%s", self._meanwhile)


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
