"""Metrics: how many requests, how they ended and how long they took, for Prometheus on a listener of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry, Histogram, start_http_server

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds."""


class RequestMetrics:
    """Counts and times requests by operation and class of status; nothing that names a person is a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "afterschool_http_request_seconds",
            "Time from a request's headers to the end of its answer",
            ["operation", "status"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._known: dict[tuple[str, int], Histogram] = {}

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (operation, status // 100)
        if key not in self._known:
            self._known[key] = self._seconds.labels(operation, f"{status // 100}xx")
        self._known[key].observe(seconds)


@contextmanager
def metrics_listener(host: str, port: int, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Answer Prometheus on a port of its own, in a thread; port 0 turns it off."""
    if port == 0:
        yield
        return
    server, thread = start_http_server(port, host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
