"""What a server tells Prometheus: requests and their time, and which version it answers from."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from wardhouse.api.editions import Editions

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """The metrics of one server.

    Parameters
    ----------
    editions
        What it answers from.
    """

    def __init__(self, editions: Editions):
        self._editions = editions
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "wardhouse_api_requests_total",
            "Requests answered.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "wardhouse_api_request_seconds",
            "Time until an answer was sent.",
            ("route",),
            buckets=BUCKETS,
            registry=self._registry,
        )
        for name, told, value in (
            ("snapshot_version", "Version that answers are from.", self._version),
            ("snapshot_age_seconds", "Time since it was published.", self._age),
            ("failed_loads", "Times that a newer version could not be loaded.", self._failed),
        ):
            Gauge(f"wardhouse_api_{name}", told, registry=self._registry).set_function(value)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def told(self) -> bytes:
        """Give all of them as Prometheus reads them."""
        return generate_latest(self._registry)

    def _version(self) -> int:
        return int(self._editions.current[0].version)

    def _age(self) -> float:
        published_at = self._editions.current[0].manifest["published_at"]
        return time.time() - datetime.fromisoformat(published_at).timestamp()

    def _failed(self) -> int:
        return self._editions.n_failed
