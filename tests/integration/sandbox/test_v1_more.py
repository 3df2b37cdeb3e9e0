"""Version 1's rarer endpoints: tracks, matrices computed apart, and routes from before."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.support.engine import RunningSandbox

_START, _END = [24.9469, 60.1784], [24.9413, 60.1712]

type Ask = Callable[..., httpx2.Response]


@pytest.fixture
def ask(sandbox: RunningSandbox) -> Ask:
    """Ask the sandbox with a key that works."""

    def send(method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"X-Api-Key": sandbox.client_secret} | options.pop("headers", {})
        answer = httpx2.request(
            method, f"{sandbox.url}/v1{path}", headers=headers, verify=False, **options
        )
        assert answer.headers["deprecation"].startswith("@")
        assert "sunset" in answer.headers
        return answer

    return send


def _route(ask: Ask, shift: float = 0.0) -> dict[str, Any]:
    body = {
        "points": [[_START[0] + shift, _START[1]], _END],
        "profile": "bike",
        "points_encoded": False,
    }
    path: dict[str, Any] = ask("POST", "/route", json=body).raise_for_status().json()["paths"][0]
    return path


def _gpx(rows: list[list[float]]) -> str:
    points = "".join(f'<trkpt lat="{row[1]}" lon="{row[0]}"/>' for row in rows)
    return f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>"


def test_a_track_is_the_route_that_it_was_made_of(ask: Ask) -> None:
    """Matched, a route's own line is as long as the route."""
    route = _route(ask)
    track = _gpx(route["points"]["coordinates"])
    headers = {"Content-Type": "application/gpx+xml"}
    answer = ask("POST", "/match?profile=bike", content=track, headers=headers)
    (path,) = answer.raise_for_status().json()["paths"]
    assert path["distance"] == pytest.approx(route["distance"], rel=0.02)
    assert float(answer.headers["x-ratelimit-credits"]) == pytest.approx(
        len(route["points"]["coordinates"]) / 100
    )


@pytest.mark.parametrize(
    ("track", "status"),
    [
        ("", 400),
        ("<gpx>", 400),
        (_gpx([_START]), 400),
        (_gpx([_START, [24.0, 91.0]]), 400),
        (_gpx([_START, _END] * 501), 413),
        (_gpx([[2.35, 48.85], [2.36, 48.86]]), 400),
        (f"<!DOCTYPE gpx [<!ENTITY a 'b'>]>{_gpx([_START, _END])}", 400),
    ],
)
def test_what_is_no_track(ask: Ask, track: str, status: int) -> None:
    """It is refused, and one that declares entities is not even read."""
    assert ask("POST", "/match", content=track).status_code == status


def test_a_matrix_is_computed_apart(ask: Ask) -> None:
    """Asked for until it is there; each look costs a little."""
    body = {"from_points": [_START], "to_points": [_END, _START], "out_arrays": ["distances"]}
    job = ask("POST", "/matrix/calculate", json=body).raise_for_status().json()["job_id"]
    while True:
        answer = ask("GET", f"/matrix/solution/{job}").raise_for_status()
        assert answer.headers["x-ratelimit-credits"] == "0.05"
        told = answer.json()
        if told["status"] not in {"waiting", "processing"}:
            break
    alone = ask("POST", "/matrix", json=body).json()
    assert told["status"] == "finished"
    assert told["solution"]["distances"] == alone["distances"]
    assert ask("GET", "/matrix/solution/unknown").status_code == 404


def test_routes_from_before(ask: Ask) -> None:
    """In numbered pages with links, the newest first; errors have a detail."""
    for number in range(3):
        _route(ask, shift=number * 1e-4)
    bounds = "24.93,60.16,24.96,60.19"
    first = ask("GET", f"/search/?bounds={bounds}&page_size=2").raise_for_status().json()
    assert first["previous"] is None
    assert "page=2" in first["next"]
    route = first["results"][0]
    assert ask("GET", f"/routes/{route['id']}/").json() == route
    assert ask("GET", "/search/?bounds=2,48,3,49").json()["count"] == 0
    for path, status in (
        ("/routes/none/", 404),
        ("/search/?page=99", 404),
        ("/search/?page=0", 400),
        ("/search/?bounds=1,2,3", 400),
    ):
        answer = ask("GET", path)
        assert (answer.status_code, list(answer.json())) == (status, ["detail"])


def test_a_key_stands_in_no_link(ask: Ask, sandbox: RunningSandbox) -> None:
    """Links are for logs and bookmarks, too."""
    for number in range(2):
        _route(ask, shift=number * 1e-4)
    answer = ask("GET", f"/search/?page_size=1&key={sandbox.client_secret}")
    assert sandbox.client_secret not in answer.text
