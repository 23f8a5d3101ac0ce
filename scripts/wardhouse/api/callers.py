"""Who asks, by what a request carries: a key in a header, or the cookie of a browser."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from wardhouse.api.keys import ANYBODY

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from wardhouse.api.keys import Doorkeeper, Key

CALLER = "wardhouse.caller"  # in the scope of a request
SCOPE = "wardhouse.scope"  # what a request's route asks of its key, there too
COOKIE = "wardhouse_session"
SCHEMES: dict[str, dict[str, Any]] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}


def caller(headers: Headers, doorkeeper: Doorkeeper) -> Key | None:
    """Return who asks, or None; a key that is wrong is not helped by a cookie that is right."""
    if doorkeeper.is_open:
        return ANYBODY
    if (token := headers.get("x-api-key")) is not None:
        return doorkeeper.holder(token)
    if (header := headers.get("authorization")) is not None:
        scheme, _, token = header.partition(" ")
        return doorkeeper.holder(token.strip()) if scheme.lower() == "bearer" else None
    if (cookies := headers.get("cookie")) is not None:
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return None
        return doorkeeper.of_session(found.value) if found else None
    return None
