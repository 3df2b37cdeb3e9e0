"""Seeded real places on the bicycle network, any two of which a route connects."""

import random
from typing import Any, Final

import httpx2

from tandem.platform.engine import limits
from tandem.platform.engine.errors import ServiceError
from tandem.platform.engine.geography import HELSINKI, Area, Place, distance_m

# A road bicycle may not go where a mountain bicycle may: a place must do for all of them.
_BICYCLE_TYPES: Final = ("Hybrid", "Road", "Mountain")


def sample_points(engine_url: str, seed: int, count: int, area: Area = HELSINKI) -> list[Place]:
    """Draw `count` places in `area` that lie on the network and in its main connected part.

    The same engine, seed and area give the same places; asking for more only adds to the end.
    Any bicycle type can go from any of them to any other.

    Raises:
        ValueError: `count` is negative or above `POINTS_MAX`.
        ServiceError: The engine does not answer, or the area holds too little network.
    """
    if not 0 <= count <= limits.POINTS_MAX:
        raise ValueError(f"count must be 0..{limits.POINTS_MAX}, not {count}")
    draw = random.Random(seed)  # noqa: S311 - places for a demonstration, not a secret
    tries = count * limits.POINTS_TRIES_PER_POINT_MAX
    places: list[Place] = []
    with httpx2.Client(
        base_url=engine_url, timeout=limits.POINTS_TIMEOUT_S, trust_env=False
    ) as client:
        hub = _hub(client, area)
        while len(places) < count and tries > 0:
            tries -= limits.POINTS_BATCH
            drawn = [_draw(draw, area) for _ in range(limits.POINTS_BATCH)]
            near = [
                snapped
                for place, snapped in zip(drawn, _snap(client, drawn), strict=True)
                if snapped and distance_m(place, snapped) <= limits.POINT_SNAP_DISTANCE_M_MAX
            ]
            places += _connected(client, hub, near)
    if len(places) < count:
        raise ServiceError(f"only {len(places)} of {count} places could be found on the network")
    return places[:count]


def _draw(draw: random.Random, area: Area) -> Place:
    lon = draw.uniform(area.lon_min, area.lon_max)
    return Place(lon, draw.uniform(area.lat_min, area.lat_max))


def _hub(client: httpx2.Client, area: Area) -> Place:
    """The place nearest to the middle: what is connected with it counts as the main part."""
    hub = _snap(client, [area.middle()])[0]
    if hub is None:
        raise ServiceError("there is no bicycle network near the middle of the area")
    return hub


def _snap(client: httpx2.Client, places: list[Place]) -> list[Place | None]:
    answer = _post(
        client,
        "/locate",
        {
            "locations": [
                _location(place) | {"minimum_reachability": limits.POINT_REACHABLE_NODES_MIN}
                for place in places
            ],
            "costing": "bicycle",
            "verbose": False,
        },
    )
    nearest = [(found["edges"] or [None])[0] for found in answer]
    return [edge and Place(edge["correlated_lon"], edge["correlated_lat"]) for edge in nearest]


def _connected(client: httpx2.Client, hub: Place, places: list[Place]) -> list[Place]:
    """Keep the places with a way to the hub and back for every bicycle type."""
    for bicycle_type in _BICYCLE_TYPES:
        if not places:
            return []
        out = [row[0] for row in _matrix(client, places, [hub], bicycle_type)]
        back = _matrix(client, [hub], places, bicycle_type)[0]
        places = [
            place
            for place, there, again in zip(places, out, back, strict=True)
            if there["distance"] is not None and again["distance"] is not None
        ]
    return places


def _matrix(
    client: httpx2.Client, sources: list[Place], targets: list[Place], bicycle_type: str
) -> list[list[dict[str, Any]]]:
    answer = _post(
        client,
        "/sources_to_targets",
        {
            "sources": [_exactly(place) for place in sources],
            "targets": [_exactly(place) for place in targets],
            "costing": "bicycle",
            "costing_options": {"bicycle": {"bicycle_type": bicycle_type}},
        },
    )
    rows: list[list[dict[str, Any]]] = answer["sources_to_targets"]
    return rows


def _exactly(place: Place) -> dict[str, Any]:
    """The place itself: unless told so, the engine also tries a better connected one nearby."""
    return {
        **_location(place),
        "search_cutoff": limits.POINT_EXACT_DISTANCE_M_MAX,
        "minimum_reachability": 0,
    }


def _location(place: Place) -> dict[str, Any]:
    return {"lon": place.lon, "lat": place.lat}


def _post(client: httpx2.Client, action: str, body: dict[str, Any]) -> Any:
    try:
        return client.post(action, json=body).raise_for_status().json()
    except httpx2.HTTPError as error:
        raise ServiceError(f"the engine did not answer {action}: {error}") from error
