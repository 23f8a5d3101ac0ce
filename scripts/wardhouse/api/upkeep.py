"""What those ask who run a server: whether it lives, what it answers from, how busy it is."""

from typing import Any

from fastapi import Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from wardhouse.api.answers import UNKEPT, as_json
from wardhouse.api.metrics import Metrics
from wardhouse.api.operations import JSON, Operations
from wardhouse.api.queries import take_none

PRIVATE = {"Cache-Control": UNKEPT}
PLAIN = "text/plain"


def add_upkeep(operations: Operations, metrics: Metrics) -> None:
    """Add /health and /ready, which are open, and /metrics, which has a scope of its own."""

    async def health(request: Request) -> Response:
        take_none(request)
        return Response(as_json({"status": "ok"}), headers=PRIVATE, media_type=JSON)

    async def ready(request: Request) -> Response:
        take_none(request)
        told = {
            "version": operations.edition.version,
            "published_at": operations.edition.manifest["published_at"],
            "audience": operations.editions.audience,
        }
        return Response(as_json(told), headers=PRIVATE, media_type=JSON)

    async def tell_metrics(request: Request) -> Response:
        take_none(request)
        return Response(metrics.told(), headers=PRIVATE, media_type=CONTENT_TYPE_LATEST)

    operations.get("/health", health, "Whether the server answers.", None, _texts("status"))
    named = _texts("version", "published_at", "audience")
    operations.get("/ready", ready, "The version that answers are from.", None, named)
    told = "Requests, their time, version and its age, as Prometheus reads them."
    operations.get("/metrics", tell_metrics, told, "metrics", {"type": "string"}, media=PLAIN)


def _texts(*names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(names),
        "properties": {name: {"type": "string"} for name in names},
        "additionalProperties": False,
    }
