"""Errors as RFC 9457 has them: a status, what is wrong with the request, nothing of the inside."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from wardhouse.api.answers import UNKEPT, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

LONGEST_NAME = 100  # of a parameter, as it is sent back
NOT_LISTED = "Input should be one of those that /openapi.json lists"
MEDIA = "application/problem+json"
SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "What the status means."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "description": "Each parameter that is wrong.",
            "items": {
                "type": "object",
                "required": ["parameter", "problem"],
                "properties": {"parameter": {"type": "string"}, "problem": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
MEANINGS = {
    400: "The request names a host that this is not.",
    401: "No key, or one that is not known.",
    403: "The key lacks the scope.",
    404: "There is no such thing in this version.",
    413: "A body that is too large.",
    414: "An address that is too long.",
    422: "A parameter that is not known, or has a wrong value.",
    429: "Too many requests; Retry-After says how many seconds to wait.",
    431: "Headers that are too large.",
}


def problem(
    status: int,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """Make the answer to a request that cannot be met."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
    }
    if detail:
        told["detail"] = detail
    if errors:
        told["errors"] = errors
    return Response(
        as_json(told), status, {"Cache-Control": UNKEPT, **(headers or {})}, media_type=MEDIA
    )


def responses() -> dict[int, dict[str, Any]]:
    """Declare the errors that every operation may answer with."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": meaning, "content": {MEDIA: schema}}
        for status, meaning in MEANINGS.items()
    }


async def of_status(request: Request, error: HTTPException) -> Response:
    """Tell an error that names its status."""
    is_told = error.detail != HTTPStatus(error.status_code).phrase
    return problem(error.status_code, error.detail if is_told else None, error.headers)


async def of_parameters(request: Request, error: RequestValidationError) -> Response:
    """Tell which parameters are wrong, and not what was sent."""
    wrong: dict[str, str] = {}
    for each in error.errors():
        told = NOT_LISTED if each["type"] == "literal_error" else each["msg"]
        # the first: behind it stands that the parameter could be left out
        wrong.setdefault(str(each["loc"][1])[:LONGEST_NAME], told)
    told = [{"parameter": name, "problem": meant} for name, meant in wrong.items()]
    return problem(422, errors=told)


async def of_fault(request: Request, error: Exception) -> Response:
    """Tell nothing of a fault of ours: the server's log has it."""
    return problem(500)
