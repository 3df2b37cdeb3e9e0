"""Matrices, isochrones, points and heights of version 2, on the real engine and by the contract."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.support.contract import Contract
from tests.support.engine import RunningSandbox

from tandem.platform.engine.geography import Place, distance_m
from tandem.platform.engine.points import sample_points

_CONTRACT = Contract("bikemap-v2")
_SEA = {"lon": 24.99, "lat": 60.17}
_FAR = {"lon": 11.5, "lat": 48.1}

type Ask = Callable[[str, dict[str, Any]], httpx2.Response]


@pytest.fixture(scope="session")
def points(valhalla_url: str) -> list[dict[str, float]]:
    """Give places on the network, any two of which are connected."""
    places = sample_points(valhalla_url, seed=12, count=4)
    return [{"lon": place.lon, "lat": place.lat} for place in places]


@pytest.fixture
def ask(sandbox: RunningSandbox) -> Iterator[Ask]:
    """Give a function that asks with a valid token and holds answers to the contract."""
    with httpx2.Client(base_url=sandbox.url, timeout=10) as client:
        form = {"grant_type": "client_credentials"}
        credentials = (sandbox.client_id, sandbox.client_secret)
        token = client.post("/v2/oauth2/token", data=form, auth=credentials).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["Bikemap-Version"] = "2026-09-01"

        def post(path: str, body: dict[str, Any]) -> httpx2.Response:
            answer = client.post(path, json=body)
            media_type = answer.headers["content-type"]
            schema = _CONTRACT.answer_schema(path, answer.status_code, media_type)
            _CONTRACT.check(schema, answer.json())
            return answer

        yield post


def test_a_matrix_says_what_is_not_there(ask: Ask, points: list[dict[str, float]]) -> None:
    """A row for each source; places off the network have no values, and the others stand."""
    body = {"sources": points[:2], "targets": [*points[2:], _SEA], "profile": "road"}
    answer = ask("/v2/matrix:compute", body)
    cells = answer.json()["cells"]
    assert [[cell["status"] for cell in row] for row in cells] == [["ok", "ok", "not_snapped"]] * 2
    assert answer.headers["Bikemap-Credits"] == "3"
    for source, row in zip(points[:2], cells, strict=True):
        for target, cell in zip(points[2:], row, strict=False):
            assert cell["distance_m"] >= 0.95 * distance_m(Place(**source), Place(**target))


def test_an_island_is_unreachable(ask: Ask, points: list[dict[str, float]]) -> None:
    """Network without a way to it is another status than no network."""
    island = {"lon": 24.952037, "lat": 60.169384}
    body = {"sources": [island, points[0]], "targets": points[:2], "profile": "touring"}
    cells = ask("/v2/matrix:compute", body).json()["cells"]
    assert [cell["status"] for cell in cells[1]] == ["ok", "ok"]
    assert all(cell["status"] in {"ok", "unreachable"} for cell in cells[0])


def test_contours_are_in_the_order_of_the_request(ask: Ask, points: list[dict[str, float]]) -> None:
    """Whatever order the engine has."""
    body = {"center": points[0], "contours": [120.0, 300.0, 60.0], "profile": "touring"}
    answer = ask("/v2/isochrones:compute", body)
    contours = answer.json()["contours"]
    assert [contour["limit"] for contour in contours] == [120.0, 300.0, 60.0]
    rings = [contour["geojson"]["coordinates"][0][0] for contour in contours]
    widths = [max(at[0] for at in ring) - min(at[0] for at in ring) for ring in rings]
    assert widths[2] < widths[0] < widths[1]
    assert answer.headers["Bikemap-Credits"] == "25"


def test_isochrones_by_distance(ask: Ask, points: list[dict[str, float]]) -> None:
    """Metres, towards the place."""
    body = {
        "center": points[0],
        "contours": [500.0],
        "measure": "distance_m",
        "profile": "mtb",
        "reverse": True,
    }
    (contour,) = ask("/v2/isochrones:compute", body).json()["contours"]
    for lon, lat in contour["geojson"]["coordinates"][0][0]:
        assert distance_m(Place(lon, lat), Place(**points[0])) < 600


def test_points_and_heights(ask: Ask, points: list[dict[str, float]]) -> None:
    """The nearest points with their distance, and heights of the terrain."""
    body = {"points": [points[0], _SEA], "profile": "touring"}
    near, none = ask("/v2/points:snap", body).json()["points"]
    assert (near["status"], none) == ("ok", {"status": "not_snapped"})
    assert near["snap_distance_m"] < 10
    heights = ask("/v2/elevation:sample", {"points": [points[0], _FAR]}).json()["heights_m"]
    assert heights[0] is not None
    assert heights[1] is None


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v2/matrix:compute", {"sources": [], "targets": [_SEA], "profile": "road"}, 400),
        ("/v2/matrix:compute", {"sources": [_SEA] * 51, "targets": [_SEA], "profile": "mtb"}, 413),
        ("/v2/isochrones:compute", {"center": _SEA, "contours": [1e9], "profile": "road"}, 400),
        ("/v2/isochrones:compute", {"center": _FAR, "contours": [60.0], "profile": "road"}, 422),
        ("/v2/points:snap", {"points": [_SEA], "profile": "boat"}, 400),
        ("/v2/elevation:sample", {"points": [{"lon": 0, "lat": 91}]}, 400),
    ],
)
def test_refusals(ask: Ask, path: str, body: dict[str, Any], status: int) -> None:
    """What cannot be answered is a documented problem."""
    assert ask(path, body).status_code == status
