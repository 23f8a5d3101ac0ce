"""Prometheus metrics of ingest and builds."""

from __future__ import annotations

from typing import Any

from wardhouse.streaming.build import Cycle


class Metrics:
    """Prometheus metrics of one or more ingests.

    Parameters
    ----------
    registry
        A `prometheus_client.CollectorRegistry`; a new one by default.
    """

    def __init__(self, registry: Any = None):
        from prometheus_client import CollectorRegistry, Counter, Gauge

        self.registry = registry or CollectorRegistry()
        chain, common = ["feed", "stream", "partition"], {"registry": self.registry}
        prefix = "wardhouse_ingest"
        self.records = Counter(f"{prefix}_messages", "Messages landed.", chain, **common)
        self.bytes = Counter(f"{prefix}_bytes", "Bytes of messages landed.", chain, **common)
        self.batches = Counter(f"{prefix}_batches", "Micro-batches landed.", chain, **common)
        self.lag = Gauge(
            f"{prefix}_lag", "Messages (bytes of a directory) not landed yet.", chain, **common
        )
        self.continued = Counter(
            f"{prefix}_continued", "Batches dropped: another had landed them.", chain, **common
        )
        self.errors = Counter(f"{prefix}_errors", "What went wrong.", ["feed", "kind"], **common)
        self.last_landed = Gauge(
            f"{prefix}_last_landed_timestamp_seconds", "The newest micro-batch.", ["feed"], **common
        )
        self.merged = Counter(
            f"{prefix}_compacted_files", "Files merged by compaction.", ["feed"], **common
        )

    def serve(self, port: int, address: str) -> None:
        """Answer Prometheus at `http://address:port/metrics`, in a thread of its own."""
        from prometheus_client import start_http_server

        start_http_server(port, address, self.registry)


def serve_metrics(port: int, address: str) -> Metrics | None:
    """Serve metrics where a port is given."""
    if not port:
        return None
    metrics = Metrics()
    metrics.serve(port, address)
    return metrics


class CycleMetrics:
    """Prometheus metrics of the builds, beside those of the ingest.

    Parameters
    ----------
    metrics
        The ingest's; its registry is shared.
    """

    def __init__(self, metrics: Metrics):
        from prometheus_client import Counter, Gauge

        common = {"registry": metrics.registry}
        self._builds = Counter("wardhouse_stream_builds", "Builds.", ["outcome"], **common)
        self._seconds = Gauge("wardhouse_stream_build_seconds", "Time of the last build.", **common)
        self._newest = Gauge(
            "wardhouse_stream_newest_event_timestamp_seconds",
            "The newest event in core.",
            **common,
        )

    def count(self, cycle: Cycle) -> None:
        """Take in one build."""
        self._builds.labels("failed" if cycle.error else "succeeded").inc()
        self._seconds.set(cycle.seconds)
        if cycle.newest_event_at is not None:
            self._newest.set(cycle.newest_event_at)
