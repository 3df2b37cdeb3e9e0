"""Version 1 over real HTTP on the real engine, held to its contract and to version 2."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.support.contract import Contract
from tests.support.engine import RunningSandbox

from tandem.routing.domain import polyline
from tandem.sandbox.problems import ApiProblem, Code, Fault
from tandem.sandbox.v1.errors import error_response

_CONTRACT = Contract("bikemap-v1")
_MARKET, _STATION, _PARK = (24.9469, 60.1784), (24.9413, 60.1712), (24.9465, 60.1745)
_SEA, _FAR, _ISLAND = (24.99, 60.17), (11.5, 48.1), (24.952037, 60.169384)

type Ask = Callable[..., httpx2.Response]


def _text(place: tuple[float, float]) -> str:
    return f"{place[1]},{place[0]}"


@pytest.fixture
def ask(sandbox: RunningSandbox) -> Iterator[Ask]:
    """Give a function that asks with a good key and holds answers to the contract."""
    headers = {"X-Api-Key": sandbox.client_secret}
    with httpx2.Client(base_url=sandbox.url, timeout=10, headers=headers) as client:

        def send(method: str, path: str, **how: Any) -> httpx2.Response:
            answer = client.request(method, path, **how)
            operation = _CONTRACT.document["paths"][path][method.lower()]
            response = operation["responses"][str(answer.status_code)]
            _CONTRACT.check(response["content"]["application/json"]["schema"], answer.json())
            assert answer.headers["Deprecation"].startswith("@")
            assert "2027" in answer.headers["Sunset"]
            return answer

        yield send


def test_both_orders_are_one_route(ask: Ask) -> None:
    """A GET has lat,lon and a POST [lon, lat]; the route is the same, in milliseconds."""
    got = ask("GET", "/v1/route", params={"point": [_text(_MARKET), _text(_STATION)]})
    posted = ask("POST", "/v1/route", json={"points": [_MARKET, _STATION]})
    (path,) = got.json()["paths"]
    assert posted.json()["paths"] == [path]
    assert 10 < path["distance"] / (path["time"] / 1_000) * 3.6 < 30
    line = polyline.decode(path["points"], 5)
    assert abs(line[0].lon - _MARKET[0]) < 0.001
    assert got.headers["X-RateLimit-Credits"] == "1.0"


def test_it_agrees_with_version_2(ask: Ask, sandbox: RunningSandbox) -> None:
    """The same route in other words: seconds, six digits, lists of segments."""
    body = {
        "points": [_MARKET, _PARK, _STATION],
        "elevation": True,
        "details": ["bm_surface", "bm_way_type"],
    }
    (path,) = ask("POST", "/v1/route", json=body).json()["paths"]
    waypoints = [{"lon": lon, "lat": lat} for lon, lat in (_MARKET, _PARK, _STATION)]
    with httpx2.Client(base_url=sandbox.url, timeout=10) as client:
        form = {"grant_type": "client_credentials"}
        auth = (sandbox.client_id, sandbox.client_secret)
        token = client.post("/v2/oauth2/token", data=form, auth=auth).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Bikemap-Version": "2026-09-01"}
        (route,) = client.post(
            "/v2/routes:compute",
            headers=headers,
            json={
                "waypoints": waypoints,
                "profile": "touring",
                "include": ["steps", "surface", "way_type"],
                "geometry": {"format": "geojson", "dims": 3},
            },
        ).json()["routes"]
    assert path["distance"] == route["distance_m"]
    assert path["time"] == round(route["duration_s"] * 1_000)
    assert (path["ascend"], path["descend"]) == (route["ascent_m"], route["descent_m"])
    line, heights_m = polyline.decode_3d(path["points"], 5)
    for place, height_m, at in zip(
        line, heights_m, route["geometry"]["geojson"]["coordinates"], strict=True
    ):
        assert (place.lon, place.lat) == pytest.approx(at[:2], abs=0.6e-5)
        assert height_m == pytest.approx(at[2], abs=0.01)
    segments = [
        [one["begin"], one["end"], one["value"]]
        for one in route["segments"]
        if one["kind"] == "surface"
    ]
    assert path["details"]["bm_surface"] == segments
    signs = [one["sign"] for one in path["instructions"]]
    assert signs.count(5) == 1
    assert signs[-1] == 4


@pytest.mark.parametrize(
    ("points", "details"),
    [
        ((_MARKET, _SEA), "PointOutOfBoundsException"),
        ((_MARKET, _FAR), "PointOutOfBoundsException"),
        ((_ISLAND, _MARKET), "Exception"),
    ],
)
def test_refusals_are_told_apart_by_a_class(
    ask: Ask, points: tuple[tuple[float, float], ...], details: str
) -> None:
    """All of them are 400."""
    answer = ask("POST", "/v1/route", json={"points": points})
    assert answer.status_code == 400
    assert details in answer.json()["hints"][0]["details"]


def test_a_matrix_has_nulls_or_fails(ask: Ask) -> None:
    """In seconds, unlike routes; fast to fail unless told otherwise."""
    body = {
        "from_points": [_MARKET, _PARK],
        "to_points": [_STATION, _SEA],
        "out_arrays": ["distances", "times"],
    }
    assert ask("POST", "/v1/matrix", json=body).status_code == 400
    answer = ask("POST", "/v1/matrix", json=body | {"fail_fast": False}).json()
    assert [row[1] for row in answer["distances"]] == [None, None]
    assert answer["hints"][0]["invalid_to_points"] == [1]
    assert 10 < answer["distances"][0][0] / answer["times"][0][0] * 3.6 < 30
    got = ask(
        "GET",
        "/v1/matrix",
        params={"point": [_text(_MARKET), _text(_PARK)], "out_array": "distances"},
    )
    assert got.json()["distances"][0][0] == 0


def test_isochrone_and_nearest(ask: Ask) -> None:
    """Buckets are numbered from the nearest; a point has its distance."""
    params = {"point": _text(_MARKET), "time_limit": "240", "buckets": "2"}
    features = ask("GET", "/v1/isochrone", params=params).json()["polygons"]
    assert [feature["properties"]["bucket"] for feature in features] == [0, 1]
    near = ask("GET", "/v1/nearest", params={"point": _text(_MARKET)}).json()
    assert near["coordinates"] == pytest.approx(list(_MARKET), abs=0.001)
    assert ask("GET", "/v1/nearest", params={"point": _text(_SEA)}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"points": [_MARKET]}, 400),
        ({"points": [_MARKET] * 51}, 413),
        ({"points": [_MARKET, _STATION], "profile": "boat"}, 501),
        ({"points": [[200, 0], _STATION]}, 400),
        ([], 400),
    ],
)
def test_bad_input(ask: Ask, body: Any, status: int) -> None:
    """It is refused by the contract's statuses."""
    assert ask("POST", "/v1/route", json=body).status_code == status


def test_keys(sandbox: RunningSandbox) -> None:
    """A key in the query or the header; any other is refused in the old words."""
    points = f"point={_text(_MARKET)}&point={_text(_STATION)}"
    with httpx2.Client(base_url=sandbox.url, timeout=10) as client:
        good = client.get(f"/v1/route?{points}&key={sandbox.other_secret}")
        bad = client.get(f"/v1/route?{points}&key=no-such-key")
        none = client.get(f"/v1/route?{points}")
    assert [answer.status_code for answer in (good, bad, none)] == [200, 401, 401]
    assert "credentials" in bad.json()["message"]


def test_the_point_that_was_not_found_is_named() -> None:
    """By its index and in the message."""
    fault = Fault("/waypoints/1", Code.ROUTE_POINT_NOT_SNAPPED, point_index=1)
    answer = error_response(ApiProblem(Code.ROUTE_POINT_NOT_SNAPPED, faults=[fault]))
    (hint,) = json.loads(bytes(answer.body))["hints"]
    assert answer.status_code == 400
    assert hint["details"].endswith("PointNotFoundException")
    assert (hint["point_index"], hint["message"]) == (1, "Cannot find point 1")


def test_faults_are_in_the_old_words(sandbox: RunningSandbox) -> None:
    """What is made to go wrong is an error of version 1."""
    sandbox.set_faults({"endpoint": "/v1/route", "kind": "status", "status": 503})
    answer = httpx2.post(f"{sandbox.url}/v1/route", json={"points": [_MARKET, _STATION]})
    assert (answer.status_code, set(answer.json())) == (503, {"message"})
