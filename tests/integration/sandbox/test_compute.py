"""`POST /v2/routes:compute` over real HTTP on the real engine."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from tests.support.engine import RunningSandbox

from tandem.platform.engine.geography import Place, distance_m
from tandem.platform.engine.points import sample_points
from tandem.sandbox.geometry import decode_polyline6

# The engine takes a corner of the network for a place that is so near to it.
_SNAP_M = 6

type Compute = Callable[..., httpx2.Response]


@pytest.fixture(scope="session")
def places(valhalla_url: str) -> list[Place]:
    """Give places on the network, any two of which a route connects."""
    return sample_points(valhalla_url, seed=11, count=40)


@pytest.fixture
def compute(sandbox: RunningSandbox) -> Iterator[Compute]:
    """Give a function that asks for routes through places, with a valid token."""
    with httpx2.Client(base_url=sandbox.url, timeout=10) as client:
        form = {"grant_type": "client_credentials"}
        credentials = (sandbox.client_id, sandbox.client_secret)
        token = client.post("/v2/oauth2/token", data=form, auth=credentials).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["Bikemap-Version"] = "2026-09-01"

        def post(*through: Place | dict[str, Any], **fields: Any) -> httpx2.Response:
            waypoints = [
                {"lon": place.lon, "lat": place.lat} if isinstance(place, Place) else place
                for place in through
            ]
            body = {"waypoints": waypoints, "profile": "touring", **fields}
            return client.post("/v2/routes:compute", json=body)

        yield post


def test_route_is_plausible(compute: Compute, places: list[Place]) -> None:
    """Distance, time, line, box and snapped ends of each route agree with each other."""
    for start, end in pairwise(places):
        answer = compute(start, end)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        (route,) = body["routes"]
        line = decode_polyline6(route["geometry"]["polyline"])
        length_m = sum(distance_m(one, other) for one, other in pairwise(line))
        assert length_m == pytest.approx(route["distance_m"], rel=0.02, abs=10)
        assert distance_m(start, line[0]) < _SNAP_M
        assert distance_m(end, line[-1]) < _SNAP_M
        assert [point["snap_distance_m"] < _SNAP_M for point in body["waypoints"]] == [True, True]
        if route["distance_m"] > 50:
            assert 3 < route["distance_m"] / route["duration_s"] * 3.6 < 30
        west, south, east, north = route["bbox"]
        assert all(west <= place.lon <= east and south <= place.lat <= north for place in line)
        assert route["legs"][0] | {"begin": 0, "end": len(line) - 1} == route["legs"][0]


def test_answer_is_labelled(compute: Compute, places: list[Place]) -> None:
    """An answer says what it cost, what is left, how long it keeps, and whose data it is."""
    answer = compute(*places[:2])
    headers = answer.headers
    assert headers["bikemap-credits"] == "1"
    assert headers["bikemap-request-id"].startswith("req_")
    assert headers["ratelimit-policy"] == '"burst";q=100;w=1, "credits";q=500000;w=86400'
    assert headers["ratelimit"].startswith('"credits";r=4')
    assert headers["cache-control"].startswith("private, max-age=300")
    body = answer.json()
    assert "OpenStreetMap" in body["attribution"][0]
    assert "ODbL" in body["attribution"][0]
    assert "synthetic" in body["attribution"][1]
    assert body["data_version"].startswith("osm-")


def test_same_request_same_answer(compute: Compute, places: list[Place]) -> None:
    """Routes do not depend on anything but the request."""
    assert compute(*places[:2]).json() == compute(*places[:2]).json()


def test_heights_match_in_every_form(compute: Compute, places: list[Place]) -> None:
    """Climbs are those of the line's heights, and flat where nothing climbs."""
    climbs = 0.0
    for start, end in pairwise(places[:10]):
        geojson = {"format": "geojson", "dims": 3}
        (route,) = compute(start, end, geometry=geojson).json()["routes"]
        assert route["geometry"]["format"] == "geojson"
        coordinates = route["geometry"]["geojson"]["coordinates"]
        heights_m = [height for _lon, _lat, height in coordinates]
        change_m = heights_m[-1] - heights_m[0]
        assert route["ascent_m"] - route["descent_m"] == pytest.approx(change_m, abs=1.01)
        climbs += route["ascent_m"] + route["descent_m"]
        (flat,) = compute(start, end).json()["routes"]
        assert (flat["ascent_m"], flat["descent_m"]) == (route["ascent_m"], route["descent_m"])
    assert climbs > 20


def test_three_dimensions_in_a_polyline(compute: Compute, places: list[Place]) -> None:
    """An encoded line with heights is another, longer text than one without."""
    wanted = {"format": "polyline6", "dims": 3}
    (deep,) = compute(*places[:2], geometry=wanted).json()["routes"]
    (flat,) = compute(*places[:2]).json()["routes"]
    assert (deep["geometry"]["dims"], flat["geometry"]["dims"]) == (3, 2)
    assert len(deep["geometry"]["polyline"]) > len(flat["geometry"]["polyline"])


def test_stops_and_vias(compute: Compute, places: list[Place]) -> None:
    """A stop ends a leg and a via does not; both are on the line and told with their snap."""
    start, stop, via, end = places[:4]
    through = {"lon": via.lon, "lat": via.lat, "kind": "via"}
    body = compute(start, stop, through, end, include=["steps"]).json()
    (route,) = body["routes"]
    assert len(route["legs"]) == 2
    assert route["legs"][0]["end"] == route["legs"][1]["begin"]
    assert sum(leg["distance_m"] for leg in route["legs"]) == pytest.approx(
        route["distance_m"], abs=5
    )
    assert len(body["waypoints"]) == 4
    assert all(point["snap_distance_m"] < _SNAP_M for point in body["waypoints"])
    for leg in route["legs"]:
        assert leg["steps"][0]["maneuver"] == "depart"
        assert leg["steps"][-1]["maneuver"] == "arrive"
        assert leg["steps"][0]["begin"] == leg["begin"]
        assert leg["steps"][-1]["end"] == leg["end"]


def test_segments_cover_the_line(compute: Compute, places: list[Place]) -> None:
    """Each kind asked for runs over all vertices without a gap, or is said to be unavailable."""
    covered = 0
    for start, end in pairwise(places[:12]):
        body = compute(start, end, include=["surface", "way_type"]).json()
        (route,) = body["routes"]
        if {"segments.unavailable"} & {notice["code"] for notice in body["warnings"]}:
            assert route["segments"] == []
            continue
        last = route["legs"][-1]["end"]
        for kind in ("surface", "way_type"):
            runs = [run for run in route["segments"] if run["kind"] == kind]
            assert (runs[0]["begin"], runs[-1]["end"]) == (0, last)
            assert all(one["end"] == other["begin"] for one, other in pairwise(runs))
        covered += 1
    assert covered >= 8


def test_parts_are_left_out_unless_asked(compute: Compute, places: list[Place]) -> None:
    """Steps and segments are empty by default."""
    (route,) = compute(*places[:2]).json()["routes"]
    assert route["segments"] == []
    assert route["legs"][0]["steps"] == []


def test_profiles_ride_differently(compute: Compute, places: list[Place]) -> None:
    """A road bicycle is faster than a mountain bicycle on the same errand."""
    seconds = {"road": 0.0, "mtb": 0.0}
    for start, end in pairwise(places[:8]):
        for profile in seconds:
            (route,) = compute(start, end, profile=profile).json()["routes"]
            seconds[profile] += route["duration_s"]
    assert seconds["road"] < seconds["mtb"]


def test_alternatives_and_their_lack_are_told(compute: Compute, places: list[Place]) -> None:
    """Alternatives come as further routes, cost more, and are announced where there are fewer."""
    counts = set()
    for start, end in pairwise(places[:10]):
        answer = compute(start, end, alternatives=2)
        body = answer.json()
        counts.add(len(body["routes"]))
        codes = [notice["code"] for notice in body["warnings"]]
        assert ("alternatives.fewer" in codes) == (len(body["routes"]) < 3)
        assert answer.headers["bikemap-credits"] == "3"
        assert len({route["id"] for route in body["routes"]}) == len(body["routes"])
    assert max(counts) > 1


def test_departure_time_is_taken_but_ignored(compute: Compute, places: list[Place]) -> None:
    """A time with an offset is accepted, and the answer says that it changed nothing."""
    body = compute(*places[:2], departure_time="2026-11-22T10:00:00+02:00").json()
    assert [notice["code"] for notice in body["warnings"]] == ["departure_time.ignored"]


def test_far_snap_is_told(compute: Compute, places: list[Place]) -> None:
    """A waypoint off the network is moved to it; far moves come with a warning."""
    body = compute({"lon": 24.9465, "lat": 60.17494}, places[0]).json()
    snap_m = body["waypoints"][0]["snap_distance_m"]
    moved = body["waypoints"][0]["snapped"]
    asked = Place(24.9465, 60.17494)
    assert distance_m(asked, Place(moved["lon"], moved["lat"])) == pytest.approx(snap_m, abs=0.2)
    assert snap_m > 50
    assert [notice["code"] for notice in body["warnings"]] == ["waypoint.snapped_far"]


@pytest.mark.parametrize(
    ("through", "status", "code", "indexes"),
    [
        (
            [{"lon": 24.945, "lat": 60.17}, {"lon": 60.17, "lat": 24.945}],
            422,
            "out_of_coverage",
            [1],
        ),
        ([{"lon": 24.0, "lat": 60.17}, {"lon": 25.9, "lat": 60.2}], 422, "out_of_coverage", [0, 1]),
        (
            [
                {"lon": 24.945, "lat": 60.17},
                {"lon": 24.9352, "lat": 60.1788, "radius_m": 1},
                {"lon": 24.9453, "lat": 60.1722, "radius_m": 1},
            ],
            422,
            "point_not_snapped",
            None,
        ),
        (
            [{"lon": 24.952037, "lat": 60.169384}, {"lon": 24.944573, "lat": 60.170888}],
            422,
            "no_path",
            [],
        ),
        (
            [{"lon": 24.936, "lat": 60.165}, {"lon": 24.953, "lat": 60.179}] * 25,
            422,
            "too_long",
            [],
        ),
    ],
)
def test_route_refusals(
    compute: Compute,
    through: list[dict[str, float]],
    status: int,
    code: str,
    indexes: list[int] | None,
) -> None:
    """What cannot be routed is 422 with a code of its own and the waypoints concerned."""
    answer = compute(*through)
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["bikemap-credits"] == "0"
    assert body["code"] == f"route.{code}"
    assert body["status"] == status
    assert body["trace_id"] == answer.headers["bikemap-request-id"]
    found = [fault["point_index"] for fault in body.get("errors", [])]
    if indexes is None:
        assert found
        assert set(found) <= {1, 2}
    else:
        assert found == indexes


def test_repeated_place_is_no_error(compute: Compute, places: list[Place]) -> None:
    """From a place to itself there is nothing to ride, and that is an answer."""
    (route,) = compute(places[0], places[0]).json()["routes"]
    assert route["distance_m"] == 0
    assert route["ascent_m"] == 0


@pytest.mark.parametrize(
    ("change", "status", "pointer", "point_index"),
    [
        ({"profile": "unicycle"}, 400, "/profile", None),
        ({"waypoints": []}, 400, "/waypoints", None),
        ({"waypoints": [{"lon": 24.9, "lat": 60.1}] * 51}, 413, "/waypoints", None),
        ({"waypoints": [{"lon": 24.9, "lat": 60.1}, {"lon": "x", "lat": 1}]}, 400, None, 1),
        ({"waypoints": [{"lon": 24.9, "lat": 91}, {"lon": 24.9, "lat": 60}]}, 400, None, 0),
        ({"alternatives": 4}, 400, "/alternatives", None),
        ({"alternatives": True}, 400, "/alternatives", None),
        ({"geometry": {"dims": 4}}, 400, "/geometry/dims", None),
        ({"departure_time": "2026-11-22T10:00:00"}, 400, "/departure_time", None),
        ({"departure_time": 1_790_000_000}, 400, "/departure_time", None),
        ({"include": ["weather"]}, 400, "/include/0", None),
        ({"surprise/~": 1}, 400, "/surprise~1~0", None),
    ],
)
def test_malformed_requests(
    compute: Compute,
    places: list[Place],
    change: dict[str, Any],
    status: int,
    pointer: str | None,
    point_index: int | None,
) -> None:
    """What the contract does not know is refused, with a pointer to it."""
    answer = compute(*places[:2], **change)
    body = answer.json()
    assert answer.status_code == status, body
    assert body["code"] == ("request.malformed" if status == 400 else "request.too_large")
    assert body["errors"][0].get("point_index") == point_index
    if pointer is not None:
        assert body["errors"][0]["pointer"] == pointer
