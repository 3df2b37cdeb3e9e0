"""Bikemap, version 2 of its contract (contracts/bikemap-v2.json)."""

import json
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from tandem.platform.secrets import LiveSecrets
from tandem.resilience.deadline import Clock, Deadline
from tandem.routing.domain.answers import DomainAnswer, Routes
from tandem.routing.domain.caching import KEEP_NOTHING, CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.errors import RoutingError, Unsupported
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import Include, Request, RouteRequest
from tandem.routing.domain.route import RouteWarning
from tandem.routing.domain.waypoint import Waypoint
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import ALTERNATIVES_MAX, CACHE_FRESH_S, CACHE_STALE_S
from tandem.routing.providers import bikemap_v2_mapping as mapping
from tandem.routing.providers import bikemap_v2_surveys as surveys
from tandem.routing.providers import bikemap_v2_words as words
from tandem.routing.providers.asked import compared
from tandem.routing.providers.credentials import Credentials
from tandem.routing.providers.guard import believed
from tandem.routing.providers.oauth import TokenSource
from tandem.routing.providers.port import Answered
from tandem.routing.providers.usage import structured_usage

API_VERSION: Final = "2026-09-01"
TOKEN_PATH: Final = "/v2/oauth2/token"  # noqa: S105 - a path, no secret
COMPUTE_PATH: Final = "/v2/routes:compute"
_UNAUTHORIZED: Final = 401
_NO_SUCH_SURFACE: Final = RouteWarning("unheeded.surface", "the provider cannot heed this wish")

_CACHING: Final = {
    operation: CachePolicy(CACHE_FRESH_S, 0.0, CACHE_STALE_S) for operation in Operation
}


class BikemapV2:
    """The adapter; an asynchronous context manager. `base_url` is without the `/v2`."""

    name = "bikemap"
    capabilities = Capabilities(
        frozenset(Operation),
        avoid=frozenset(words.AVOID),
        surface_preference=True,
        e_bike=True,
        departure=True,
        headings=True,
        alternatives_max=ALTERNATIVES_MAX,
        matrix_side_max=50,
        contours_max=4,
        reverse_isochrones=True,
    )
    attribution = ("© Bikemap", "© OpenStreetMap contributors")

    def __init__(
        self, base_url: str, client_id: str, client_secrets: LiveSecrets, clock: Clock
    ) -> None:
        self._exchange = Exchange(base_url)
        self.credentials: Final = Credentials(self.name, client_secrets, clock)
        self._tokens = TokenSource(self._exchange, TOKEN_PATH, client_id, self.credentials, clock)

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
        return _CACHING.get(operation, KEEP_NOTHING)

    def credits(self, request: Request) -> float:
        """Estimate by the published prices."""
        return surveys.credits_of(request)

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask once."""
        lacking = self.capabilities.lacking(request)
        if lacking is not None:
            raise Unsupported(lacking)
        answer = await self._ask(request, deadline)
        usage = structured_usage(answer.headers)
        try:
            return Answered(believed(self._read(answer, request), request), usage)
        except RoutingError as error:
            error.usage = usage
            raise

    def _read(self, answer: Answer, request: Request) -> DomainAnswer:
        if not isinstance(request, RouteRequest):
            return surveys.read(answer, request)
        routes = compared(mapping.read_routes(answer), request, self.capabilities)
        return _surface_named(routes, request)

    async def _ask(self, request: Request, deadline: Deadline) -> Answer:
        """Ask; a token that is refused is renewed once."""
        if isinstance(request, RouteRequest):
            path, body = COMPUTE_PATH, compute_body(request)
        else:
            path, body = surveys.PATHS[request.operation], surveys.body(request)
        content = json.dumps(body).encode()
        token = await self._tokens.token(deadline)
        answer = await self._compute(path, content, token, deadline)
        if answer.status == _UNAUTHORIZED:
            token = await self._tokens.token(deadline, refused=token)
            answer = await self._compute(path, content, token, deadline)
        return answer

    async def _compute(self, path: str, content: bytes, token: str, deadline: Deadline) -> Answer:
        return await self._exchange.post(
            path,
            content,
            media_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Bikemap-Version": API_VERSION},
            deadline=deadline,
            is_repeatable=True,
        )


def read_answer(answer: Answer, request: RouteRequest) -> Routes:
    """Read an answer about routes, alone or of a job's item, and believe it or not.

    Raises:
        RoutingError: It is a refusal or a failure, or cannot be true.
    """
    routes = compared(mapping.read_routes(answer), request, BikemapV2.capabilities)
    return believed(_surface_named(routes, request), request)


def compute_body(request: RouteRequest) -> dict[str, Any]:
    """Say a request in the contract's words: the body of `routes:compute`, and of a job's item."""
    wishes, include = request.preferences, request.include
    body: dict[str, Any] = {
        "waypoints": [_waypoint(waypoint) for waypoint in request.waypoints],
        "profile": request.profile.value,
        "options": {
            "avoid": [words.AVOID[one] for one in sorted(wishes.avoid & words.AVOID.keys())],
            "surface_preference": words.SURFACE_PREFERENCES.get(wishes.surface, "any"),
            "e_bike": wishes.e_bike,
        },
        "alternatives": request.alternatives,
        "geometry": {"format": "polyline6", "dims": 3 if Include.HEIGHTS in include else 2},
        "include": [
            *(["steps"] if Include.MANEUVERS in include else []),
            *(["surface", "way_type"] if Include.SEGMENTS in include else []),
        ],
    }
    if request.departure_at is not None:
        body["departure_time"] = request.departure_at.isoformat()
    return body


def _waypoint(waypoint: Waypoint) -> dict[str, Any]:
    said = {
        "lon": waypoint.place.lon,
        "lat": waypoint.place.lat,
        "radius_m": waypoint.snap_radius_m,
        "kind": waypoint.kind.value,
    }
    if waypoint.heading_deg is not None:
        # 359.6 degrees are 0, not 360.
        said["heading"] = round(waypoint.heading_deg) % 360
    return said


def _surface_named(routes: Routes, request: RouteRequest) -> Routes:
    """Name the one wish for a surface that the contract has no word for."""
    if request.preferences.surface in words.SURFACE_PREFERENCES:
        return routes
    warned = (replace(one, warnings=(*one.warnings, _NO_SUCH_SURFACE)) for one in routes.routes)
    return replace(routes, routes=tuple(warned))
