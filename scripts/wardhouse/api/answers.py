"""Answers as bytes: compressed where the reader takes it, and not sent where the reader has it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

LEAST_COMPRESSED = 1000  # bytes
LEVEL = 4
REVALIDATED, UNKEPT = "private, no-cache", "no-store"
VARY = "Accept-Encoding, Authorization, Cookie, X-API-Key"


def as_json(told: Any) -> bytes:
    """Write JSON, as short as it is."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def takes_gzip(request: Request) -> bool:
    """Whether the reader accepts gzip."""
    for each in request.headers.get("accept-encoding", "").split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def has(request: Request, tag: str) -> bool:
    """Whether the reader holds the answer of a tag, compressed or not."""
    held = request.headers.get("if-none-match")
    if held is None:
        return False
    known = {each.strip().removeprefix("W/") for each in held.split(",")}
    return bool(known & {"*", _tag(tag, False), _tag(tag, True)})


def not_modified(request: Request, tag: str, caching: str = REVALIDATED) -> Response:
    """Answer that what the reader holds is still true."""
    return Response(status_code=304, headers=_headers(_tag(tag, takes_gzip(request)), caching))


def respond(
    request: Request, body: bytes, media: str, tag: str, caching: str = REVALIDATED
) -> Response:
    """Answer with a body.

    Parameters
    ----------
    request
        What is answered.
    body, media
        The answer and its type.
    tag
        What names it among all answers; another version has another.
    caching
        What a reader may keep: `REVALIDATED` or `UNKEPT`.
    """
    is_compressed = len(body) >= LEAST_COMPRESSED and takes_gzip(request)
    headers = _headers(_tag(tag, is_compressed), caching)
    if is_compressed:
        body = gzip.compress(body, LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=media)


def _headers(tag: str, caching: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": caching, "Vary": VARY}


def _tag(tag: str, is_compressed: bool) -> str:
    return f'"{tag}-gzip"' if is_compressed else f'"{tag}"'
