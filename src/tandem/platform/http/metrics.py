"""Request counts and latencies for Prometheus, on a registry that the caller owns."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In a request's scope: the template of its route, where no route of the framework answers it.
ROUTE: Final = "tandem.route"
_UNMATCHED: Final = "unmatched"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """The two series of an API, by method, route template and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "tandem_http_requests",
            "Answered requests",
            ("method", "route", "status"),
            registry=registry,
        )
        self.duration_s = Histogram(
            "tandem_http_request_duration_seconds",
            "Time from a request's head to the end of its answer",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=registry,
        )


class MeasureRequests:
    """Counts and times each request."""

    def __init__(
        self, app: ASGIApp, metrics: HttpMetrics, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.clock = clock
        self._templates: dict[object, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 499  # the usual mark of a client that left before it had an answer

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started_s = self.clock()
        try:
            await self.app(scope, receive, watch)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = self._template(scope)
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.duration_s.labels(method, route).observe(self.clock() - started_s)

    def _template(self, scope: Scope) -> str:
        """Name the matched route as declared; what matched none is one label, whatever it was."""
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return str(scope.get(ROUTE, _UNMATCHED))
        if endpoint not in self._templates:
            # The matched route knows only its own part of the path, not its routers' prefixes.
            self._templates = {
                context.endpoint: context.path_format or _UNMATCHED
                for context in iter_route_contexts(scope["app"].routes)
            }
        return self._templates.setdefault(endpoint, _UNMATCHED)


def metrics_router(registry: CollectorRegistry, dependencies: Sequence[Any]) -> APIRouter:
    """Build the `/metrics` route, guarded by `dependencies`."""
    router = APIRouter(tags=["metrics"], dependencies=list(dependencies))

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router
