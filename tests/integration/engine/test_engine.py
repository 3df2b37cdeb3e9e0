"""The engine as a process: starts, answers as documented, stops; and places on its network."""

import os
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tandem.platform.engine.engine import ValhallaEngine
from tandem.platform.engine.errors import ServiceError
from tandem.platform.engine.geography import HELSINKI, distance_m
from tandem.platform.engine.points import sample_points
from tandem.platform.engine.tiles import TileSet

_START = {"lon": 24.938, "lat": 60.168}
_END = {"lon": 24.95, "lat": 60.175}


def _post(url: str, action: str, **body: Any) -> httpx2.Response:
    # Without certificates, whose loading takes longer than all the rest.
    return httpx2.post(f"{url}/{action}", json=body, timeout=10, verify=False)


def test_stopped_engine_is_gone(engine_tiles: TileSet, tmp_path: Path) -> None:
    """After the context no process and no listener is left."""
    with ValhallaEngine(engine_tiles, tmp_path) as engine:
        url, pid = engine.url, engine.pid
        assert httpx2.get(f"{url}/status").json()["version"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}/status")


def test_taken_port_is_an_error(engine_tiles: TileSet, tmp_path: Path) -> None:
    """A port that another process listens on gives an error in short time, with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match="Address already in use"):
            ValhallaEngine(engine_tiles, tmp_path, port=port).start()


def test_another_engine_on_the_port_is_noticed(
    engine_tiles: TileSet, valhalla_url: str, tmp_path: Path
) -> None:
    """An answer from somebody else's engine is not taken for our own."""
    port = int(valhalla_url.rsplit(":", 1)[1])
    with pytest.raises(ServiceError):
        ValhallaEngine(engine_tiles, tmp_path, port=port).start()


def test_route_carries_elevation(valhalla_url: str) -> None:
    """A route has kilometres, seconds, a line, and heights at the interval asked for."""
    answer = _post(
        valhalla_url, "route", locations=[_START, _END], costing="bicycle", elevation_interval=30
    )
    (leg,) = answer.json()["trip"]["legs"]
    assert 0.9 < leg["summary"]["length"] < 3
    assert 100 < leg["summary"]["time"] < 1_000
    assert len(leg["elevation"]) > leg["summary"]["length"] * 1_000 / 30
    assert all(0 <= height <= 80 for height in leg["elevation"])


def test_height_follows_the_terrain(valhalla_url: str) -> None:
    """Heights come with decimetres, and outside the terrain there are none or the sea."""
    answer = _post(
        valhalla_url,
        "height",
        shape=[_START, _END, {"lon": 24.5, "lat": 60.5}, {"lon": 24.9, "lat": 62.0}],
        height_precision=1,
    )
    start_m, end_m, sea_m, outside_m = answer.json()["height"]
    assert 0 < start_m <= 80
    assert 0 < end_m <= 80
    assert start_m != end_m
    assert sea_m == 0
    assert outside_m is None


@pytest.mark.parametrize(
    ("error_code", "action", "body"),
    [
        (442, "route", {"locations": [{"lon": 24.952037, "lat": 60.169384}, _END]}),
        (171, "route", {"locations": [_START, {"lon": 24.99, "lat": 60.17, "search_cutoff": 50}]}),
        (154, "route", {"locations": [_START, {"lon": 11.5, "lat": 48.1}]}),
        (150, "route", {"locations": [_START] * 51}),
        (120, "route", {"locations": [_START]}),
        (130, "route", {"locations": [_START, {"lon": 24.9, "lat": 91}]}),
    ],
)
def test_errors_look_as_documented(
    valhalla_url: str, error_code: int, action: str, body: dict[str, Any]
) -> None:
    """Each refusal has its number in a JSON body under status 400."""
    answer = _post(valhalla_url, action, costing="bicycle", **body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == error_code
    assert answer.json()["status_code"] == 400


def test_sample_is_repeatable_and_connected(valhalla_url: str) -> None:
    """A seed gives the same places, more of them only add, and routes connect them both ways."""
    places = sample_points(valhalla_url, seed=7, count=40)
    assert places == sample_points(valhalla_url, seed=7, count=60)[:40]
    assert places != sample_points(valhalla_url, seed=8, count=40)
    assert len(set(places)) == 40
    middle = HELSINKI.middle()
    assert all(distance_m(place, middle) < 1_100 for place in places)
    for one, other in zip(places, places[1:] + places[:1], strict=True):
        ends = [{"lon": place.lon, "lat": place.lat} for place in (one, other)]
        assert _post(valhalla_url, "route", locations=ends, costing="bicycle").status_code == 200


def test_sample_is_bounded(valhalla_url: str) -> None:
    """No and too many places are told apart: one is empty, the other an error."""
    assert sample_points(valhalla_url, seed=1, count=0) == []
    with pytest.raises(ValueError, match="count must be"):
        sample_points(valhalla_url, seed=1, count=1_000_000)
