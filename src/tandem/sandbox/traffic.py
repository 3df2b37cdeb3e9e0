"""What reached the sandbox and what it answered, by endpoint; and a name for each request."""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID_HEADER: Final = "Bikemap-Request-Id"
# Counted where a request got no status line at all.
_NO_ANSWER: Final = "none"
# How the versions say what an answer cost.
_CREDITS_HEADERS: Final = ("bikemap-credits", "x-ratelimit-credits")
_OTHER: Final = "other"


@dataclass(slots=True)
class EndpointTraffic:
    """The requests to one endpoint; `faults` counts those that were made to go wrong, by kind.

    `by_client` counts by whose key or token they came with, whatever was answered; `credits` is
    what the answers said that they cost.
    """

    attempts: int = 0
    in_flight: int = 0
    in_flight_peak: int = 0
    credits: float = 0.0
    by_status: Counter[str] = field(default_factory=Counter)
    by_client: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def members(self) -> dict[str, Any]:
        """Return the JSON members."""
        return {
            "attempts": self.attempts,
            "in_flight": self.in_flight,
            "in_flight_peak": self.in_flight_peak,
            "credits": self.credits,
            "by_status": dict(sorted(self.by_status.items())),
            "by_client": dict(sorted(self.by_client.items())),
            "faults": dict(sorted(self.faults.items())),
        }


class Traffic:
    """Counters for the provider's endpoints; whatever else is asked counts as `other`.

    A `{…}` in an endpoint stands for one piece of a path.
    """

    def __init__(self, endpoints: Collection[str]) -> None:
        self._known = frozenset(endpoints)
        self._templates = {
            one: re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one)))
            for one in endpoints
            if "{" in one
        }
        self._by_endpoint: dict[str, EndpointTraffic] = {}

    def of(self, path: str) -> EndpointTraffic:
        """Return the counters that a path belongs to."""
        return self._by_endpoint.setdefault(self._endpoint(path), EndpointTraffic())

    def _endpoint(self, path: str) -> str:
        if path in self._known:
            return path
        fitting = (one for one, form in self._templates.items() if form.fullmatch(path))
        return next(fitting, _OTHER)

    def forget(self) -> None:
        """Set the counters to zero; what is in flight stays."""
        for path, traffic in self._by_endpoint.items():
            now = traffic.in_flight
            fresh = EndpointTraffic(in_flight=now, in_flight_peak=now)
            self._by_endpoint[path] = fresh

    def members(self) -> dict[str, Any]:
        """Return the JSON members by endpoint."""
        return {path: traffic.members() for path, traffic in sorted(self._by_endpoint.items())}


class WatchTraffic:
    """Counts requests under prefixes and names each of them in its answer's head."""

    def __init__(
        self,
        app: ASGIApp,
        traffic: Traffic,
        prefix: tuple[str, ...],
        new_id: Callable[[], str],
        whose: Callable[[Scope], str],
    ) -> None:
        self.app = app
        self.traffic = traffic
        self.prefix = prefix
        self.new_id = new_id
        self.whose = whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not scope["path"].startswith(self.prefix):
            await self.app(scope, receive, send)
            return
        request_id = self.new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status, cost = _NO_ANSWER, 0.0

        async def watch(message: Message) -> None:
            nonlocal status, cost
            if message["type"] == "http.response.start":
                status = str(message["status"])
                headers = MutableHeaders(scope=message)
                headers[_REQUEST_ID_HEADER] = request_id
                cost = sum(float(headers.get(name, 0)) for name in _CREDITS_HEADERS)
            await send(message)

        path = scope["path"]
        self._begin(path, self.whose(scope))
        try:
            await self.app(scope, receive, watch)
        finally:
            self._end(path, status, cost)

    def _begin(self, path: str, client: str) -> None:
        traffic = self.traffic.of(path)
        traffic.attempts += 1
        traffic.by_client[client] += 1
        traffic.in_flight += 1
        traffic.in_flight_peak = max(traffic.in_flight_peak, traffic.in_flight)

    def _end(self, path: str, status: str, cost: float) -> None:
        # Looked up again: the counters may have been replaced meanwhile.
        traffic = self.traffic.of(path)
        traffic.in_flight -= 1
        traffic.by_status[status] += 1
        traffic.credits += cost
