"""The adapter: which requests answer which question, and with which key."""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

from tandem.platform.secrets import LiveSecrets
from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import DomainAnswer, Isochrone, Snapped
from tandem.routing.domain.caching import KEEP_NOTHING, CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import AuthFailed, NotSnapped, RoutingError, Unsupported
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import (
    IsochroneRequest,
    MatrixRequest,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.usage import UNKNOWN_USAGE, Usage
from tandem.routing.domain.waypoint import SnappedWaypoint
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import WAYPOINTS_MIN
from tandem.routing.providers.asked import compared
from tandem.routing.providers.credentials import Credentials
from tandem.routing.providers.guard import believed
from tandem.routing.providers.paths import questions, replies
from tandem.routing.providers.paths.words import Dialect
from tandem.routing.providers.port import Answered
from tandem.routing.providers.usage import counted_usage

_UNAUTHORIZED = 401
_VIAS_PER_CREDIT = 10
_CREDITS_ALTERNATIVES = 2.0
_MATRIX_SIDE_SMALL = 20
_CREDITS_ISOCHRONE_MIN, _CREDITS_ISOCHRONE_PER_MINUTE = 10.0, 5.0


class PathsProvider:
    """A provider of the API of paths; an asynchronous context manager."""

    dialect: ClassVar[Dialect]

    def __init__(self, base_url: str, keys: LiveSecrets) -> None:
        self._exchange = Exchange(base_url)
        self.credentials: Final = Credentials(self.dialect.name, keys)

    @property
    def name(self) -> str:
        """A short name."""
        return self.dialect.name

    @property
    def attribution(self) -> tuple[str, ...]:
        """What must be shown."""
        return self.dialect.attribution

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self.dialect.capabilities

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exchange.__aexit__(exc_type, exc_value, traceback)

    def cache_policy(self, operation: Operation) -> CachePolicy:
        """Return what its terms allow to be kept."""
        return self.dialect.caching.get(operation, KEEP_NOTHING)

    def credits(self, request: Request) -> float:
        """Estimate by the published prices."""
        match request:
            case RouteRequest():
                vias = len(request.waypoints) - WAYPOINTS_MIN
                extra = _CREDITS_ALTERNATIVES if request.alternatives else 0.0
                return 1.0 + vias // _VIAS_PER_CREDIT + extra
            case MatrixRequest():
                sides = len(request.sources), len(request.targets)
                if min(sides) < _MATRIX_SIDE_SMALL:
                    return request.cells / 2
                return 10.0 * max(sides)
            case IsochroneRequest():
                return sum(_isochrone_credits(limit) for limit in request.contours)
            case SnapRequest():
                return float(len(request.places))
            case _:
                return 0.0

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask once, in as many requests as it takes."""
        lacking = self.capabilities.lacking(request)
        if lacking is not None:
            raise Unsupported(lacking)
        told: list[Usage] = []
        try:
            answer = believed(await self._answer(request, deadline, told), request)
        except RoutingError as error:
            error.usage = _together(told)
            raise
        return Answered(answer, _together(told))

    async def _answer(
        self, request: Request, deadline: Deadline, told: list[Usage]
    ) -> DomainAnswer:
        match request:
            case RouteRequest():
                body = questions.route(request, self.dialect)
                answer = await self._send("POST", "/route", deadline, told, body=body)
                routes = replies.read_routes(answer, request, self.dialect)
                return compared(routes, request, self.capabilities)
            case MatrixRequest():
                body = questions.matrix(request)
                answer = await self._send("POST", "/matrix", deadline, told, body=body)
                return replies.read_matrix(answer, request)
            case IsochroneRequest():
                contours = []
                for limit in request.contours:
                    query = questions.isochrone(request, limit)
                    answer = await self._send("GET", "/isochrone", deadline, told, query=query)
                    contours.append(replies.read_contour(answer, request.center, limit))
                return Isochrone(tuple(contours))
            case SnapRequest():
                points = [
                    await self._nearest(place, request, deadline, told) for place in request.places
                ]
                return Snapped(tuple(points))
            case _:
                raise Unsupported("the provider cannot do this")

    async def _nearest(
        self, place: Coordinate, request: SnapRequest, deadline: Deadline, told: list[Usage]
    ) -> SnappedWaypoint | None:
        query = questions.nearest(place, request.profile)
        answer = await self._send("GET", "/nearest", deadline, told, query=query)
        try:
            return replies.read_nearest(answer, place, request.radius_m)
        except NotSnapped:
            return None

    async def _send(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        told: list[Usage],
        *,
        query: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send with the newest key; where that is not accepted, with the other one, once."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        target = self.dialect.prefix + path
        answer: Answer | None = None
        for key in self.credentials.ordered():
            parts, ours = [query] if query else [], dict(headers)
            if self.dialect.key_header is None:
                parts.append(f"key={quote(key, safe='')}")
            else:
                ours[self.dialect.key_header] = key
            whole = "?".join([target, *(["&".join(parts)] if parts else [])])
            answer = await self._exchange.send(
                method, whole, content, headers=ours, deadline=deadline, is_repeatable=True
            )
            told.append(counted_usage(answer.headers))
            if answer.status != _UNAUTHORIZED:
                self.credentials.accepted(key)
                break
            self.credentials.refused(key)
        if answer is None:
            raise AuthFailed("there is no key")
        return answer


def _isochrone_credits(limit: float) -> float:
    # By distance the price is the minimum as far as is published.
    return max(_CREDITS_ISOCHRONE_MIN, limit / 60 * _CREDITS_ISOCHRONE_PER_MINUTE)


def _together(told: Sequence[Usage]) -> Usage:
    """Add up what several requests cost; what is left is what the last one said."""
    if not told:
        return UNKNOWN_USAGE
    last, spent = told[-1], [one.credits_spent for one in told if one.credits_spent is not None]
    return Usage(
        sum(spent) if spent else None,
        last.credits_left,
        last.credits_reset_s,
        last.burst_left,
        last.burst_reset_s,
    )
