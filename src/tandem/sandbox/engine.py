"""The routing engine behind the sandbox, over HTTP; its error numbers become a small tree.

EngineFailure
├── NoPath          no way between the waypoints (442)
├── NoMatch         a line is not exactly the engine's own (443)
├── NotSnapped      no network near a waypoint (170, 171)
├── TooLong         farther than the engine goes (154)
├── ComputeTimeout  it took too long
└── Unavailable     it cannot be reached
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2

from tandem.platform.engine.geography import Place
from tandem.sandbox import limits


class EngineFailure(Exception):  # noqa: N818 - as below
    """The engine did not do as asked; unless a subclass, that is our fault."""


class NoPath(EngineFailure):
    """No way connects the waypoints."""


class NoMatch(EngineFailure):
    """A line could not be followed edge by edge, as happens at some turns on the spot."""


class NotSnapped(EngineFailure):
    """There is no network near a waypoint; which one, the engine does not say."""


class TooLong(EngineFailure):
    """The waypoints are farther apart than the engine goes."""


class ComputeTimeout(EngineFailure):
    """The engine took too long."""


class Unavailable(EngineFailure):
    """The engine cannot be reached."""


_BY_NUMBER: Final[Mapping[int, type[EngineFailure]]] = {
    154: TooLong,
    170: NotSnapped,
    171: NotSnapped,
    442: NoPath,
    443: NoMatch,
    444: NoMatch,
}
_EDGE_ATTRIBUTES: Final = (
    "edge.surface",
    "edge.use",
    "edge.road_class",
    "edge.begin_shape_index",
    "edge.end_shape_index",
)


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """What `route` wants to know: places as the engine takes them, wishes, and how much to tell."""

    locations: Sequence[Mapping[str, Any]]
    costing_options: Mapping[str, Any]
    alternates: int
    with_steps: bool


class Engine:
    """A client for one engine; `client` is bound to its base URL and closed by its owner."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def route(self, query: RouteQuery) -> list[dict[str, Any]]:
        """Return trips, best first. Raises EngineFailure."""
        answer = await self.ask(
            "/route",
            {
                "locations": [dict(location) for location in query.locations],
                "costing": "bicycle",
                "costing_options": {"bicycle": dict(query.costing_options)},
                "alternates": query.alternates,
                "directions_type": "instructions" if query.with_steps else "none",
            },
        )
        alternates = [item["trip"] for item in answer.get("alternates", ())]
        return [answer["trip"], *alternates]

    async def match(
        self, track: Sequence[Place], costing_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the trip that a track shows. Raises EngineFailure."""
        body = {
            "shape": [{"lon": place.lon, "lat": place.lat} for place in track],
            "costing": "bicycle",
            "costing_options": {"bicycle": dict(costing_options)},
            "shape_match": "map_snap",
        }
        trip: dict[str, Any] = (await self.ask("/trace_route", body))["trip"]
        return trip

    async def heights_m(self, polyline6: str) -> list[float]:
        """Return the height of each vertex; where the terrain has none, the sea's."""
        body = {"encoded_polyline": polyline6, "height_precision": 1}
        answer = await self.ask("/height", body)
        return [height or 0.0 for height in answer["height"]]

    async def edges(
        self, polyline6: str, costing_options: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the edges under a line that is exactly a route's leg. Raises NoMatch at times."""
        answer = await self.ask(
            "/trace_attributes",
            {
                "encoded_polyline": polyline6,
                "costing": "bicycle",
                "costing_options": {"bicycle": dict(costing_options)},
                "shape_match": "edge_walk",
                "filters": {"action": "include", "attributes": list(_EDGE_ATTRIBUTES)},
            },
        )
        edges: list[dict[str, Any]] = answer["edges"]
        return edges

    async def has_network(self, location: Mapping[str, Any]) -> bool:
        """Tell whether there is network within the location's cut-off."""
        body = {"locations": [dict(location)], "costing": "bicycle", "verbose": False}
        answer: Any = await self.ask("/locate", body)
        return bool(answer[0]["edges"])

    async def data_version(self) -> str:
        """Name the map data: the last change in it, and when the tiles were built."""
        status = await self.ask("/status", {"verbose": True})
        return f"osm-{status['osm_changeset']}.{status['tileset_last_modified']}"

    async def ask(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for an action and return its answer. Raises EngineFailure."""
        try:
            response = await self._client.post(action, json=body)
        except httpx2.ReadTimeout as error:
            raise ComputeTimeout(f"{action} took too long") from error
        except httpx2.TransportError as error:
            raise Unavailable(f"{action}: {type(error).__name__}") from error
        answer: dict[str, Any] = response.json()
        if response.status_code == HTTPStatus.OK:
            return answer
        number = answer.get("error_code", 0)
        failure = _BY_NUMBER.get(number, EngineFailure)
        raise failure(f"{action}: {number} {answer.get('error')}")


def open_client(base_url: str) -> httpx2.AsyncClient:
    """Make a client for `Engine` with bounded connections and time."""
    pool = limits.ENGINE_CONNECTIONS_MAX
    return httpx2.AsyncClient(
        base_url=base_url,
        timeout=limits.COMPUTE_TIMEOUT_S,
        limits=httpx2.Limits(max_connections=pool, max_keepalive_connections=pool),
        follow_redirects=False,
        trust_env=False,
    )
