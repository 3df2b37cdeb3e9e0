"""Faults on the wire, as a caller meets them."""

import math
from typing import Any

import httpx2
import pytest
from tests.support.engine import RunningSandbox

from tandem.routing.domain import polyline
from tandem.routing.domain.polyline import Precision

_COMPUTE, _TOKEN = "/v2/routes:compute", "/v2/oauth2/token"
_WAYPOINTS = [{"lon": 24.938, "lat": 60.168}, {"lon": 24.95, "lat": 60.175}]
_BODY: dict[str, Any] = {
    "waypoints": _WAYPOINTS,
    "profile": "touring",
}


def _log_in(sandbox: RunningSandbox) -> dict[str, str]:
    form = {"grant_type": "client_credentials"}
    credentials = (sandbox.client_id, sandbox.client_secret)
    answer = httpx2.post(sandbox.url + _TOKEN, data=form, auth=credentials).raise_for_status()
    token = answer.json()["access_token"]
    return {"Authorization": f"Bearer {token}", "Bikemap-Version": "2026-09-01"}


def _compute(
    sandbox: RunningSandbox, headers: dict[str, str], timeout_s: float = 10
) -> httpx2.Response:
    return httpx2.post(
        sandbox.url + _COMPUTE, json=_BODY, headers=headers, timeout=timeout_s, verify=False
    )


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"kind": "status"}, 503, "overloaded"),
        ({"kind": "status", "status": 500}, 500, "internal"),
        ({"kind": "status", "status": 504}, 504, "compute.timeout"),
        ({"kind": "status", "status": 429, "retry_after_s": 7}, 429, "rate.exceeded"),
        ({"kind": "status", "status": 401}, 401, "auth.invalid"),
    ],
)
def test_status(sandbox: RunningSandbox, rule: dict[str, Any], status: int, code: str) -> None:
    """A status comes as the problem that goes with it, instead of the answer."""
    headers = _log_in(sandbox)
    sandbox.set_faults({"endpoint": _COMPUTE, **rule})
    answer = _compute(sandbox, headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == (
        str(rule["retry_after_s"]) if "retry_after_s" in rule else None
    )
    assert sandbox.stats()[_COMPUTE]["faults"] == {"status": 1}


def test_html(sandbox: RunningSandbox) -> None:
    """A gateway's page is HTML and no problem."""
    sandbox.set_faults({"kind": "html"})
    answer = _compute(sandbox, {})
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert "502 Bad Gateway" in answer.text


def test_truncated_answer(sandbox: RunningSandbox) -> None:
    """Half of the announced bytes arrive, then the connection is closed."""
    headers = _log_in(sandbox)
    sandbox.set_faults({"endpoint": _COMPUTE, "kind": "truncate"})
    with pytest.raises(httpx2.RemoteProtocolError):
        _compute(sandbox, headers)


def test_an_answer_without_an_end(sandbox: RunningSandbox) -> None:
    """Half an answer whose length nobody told is, for all that HTTP knows, a whole one."""
    headers = _log_in(sandbox)
    truth = _compute(sandbox, headers).content
    sandbox.set_faults({"endpoint": _COMPUTE, "kind": "truncate_unseen"})
    answer = _compute(sandbox, headers)
    assert answer.headers["connection"] == "close"
    assert answer.content[:40] == truth[:40]
    assert abs(len(answer.content) - len(truth) // 2) < 20
    assert sandbox.stats()[_COMPUTE]["by_status"] == {"200": 1, "none": 1}


def test_a_reset(sandbox: RunningSandbox) -> None:
    """The connection breaks without a byte, and the next one is served."""
    headers = _log_in(sandbox)
    sandbox.set_faults({"endpoint": _COMPUTE, "kind": "reset"})
    with pytest.raises(httpx2.ReadError) as raised:
        _compute(sandbox, headers)
    assert "reset" in str(raised.value)
    sandbox.set_faults()
    assert _compute(sandbox, headers).status_code == 200


def test_places_exchanged_in_three_dimensions(sandbox: RunningSandbox) -> None:
    """The heights of an encoded line stay where they are."""
    headers = _log_in(sandbox) | {"X-Api-Key": sandbox.client_secret}
    points = [[one["lon"], one["lat"]] for one in _WAYPOINTS]

    def lines() -> list[str]:
        form = {"format": "polyline6", "dims": 3}
        new = httpx2.post(sandbox.url + _COMPUTE, json=_BODY | {"geometry": form}, headers=headers)
        ask = {"points": points, "elevation": True}
        old = httpx2.post(f"{sandbox.url}/v1/route", json=ask, headers=headers)
        line = new.json()["routes"][0]["geometry"]["polyline"]
        return [line, old.json()["paths"][0]["points"]]

    truth = lines()
    sandbox.set_faults({"endpoint": "/v*", "kind": "swap"})
    precisions: tuple[Precision, ...] = (6, 5)
    for precision, one, other in zip(precisions, truth, lines(), strict=True):
        line, heights_m = polyline.decode_3d(one, precision)
        mixed, same_heights_m = polyline.decode_3d(other, precision)
        assert [(at.lon, at.lat) for at in mixed] == [(at.lat, at.lon) for at in line]
        assert same_heights_m == heights_m


def test_dripped_answer_is_whole(sandbox: RunningSandbox) -> None:
    """A slow body comes in many small parts and is the true answer."""
    headers = _log_in(sandbox)
    truth = _compute(sandbox, headers).json()
    sandbox.set_faults({"endpoint": _COMPUTE, "kind": "drip", "latency_ms": 1, "chunk_bytes": 32})
    with httpx2.stream(
        "POST", sandbox.url + _COMPUTE, json=_BODY, headers=headers, timeout=10
    ) as answer:
        parts = list(answer.iter_raw())
    assert len(parts) > 3
    assert httpx2.Response(200, content=b"".join(parts)).json() == truth


def test_late_answer_is_true(sandbox: RunningSandbox) -> None:
    """Latency delays the answer by at least what was asked for and changes nothing else."""
    headers = _log_in(sandbox)
    sandbox.set_faults({"endpoint": _COMPUTE, "kind": "latency", "latency_ms": 120})
    answer = _compute(sandbox, headers)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.12


def test_an_answer_with_one_thing_wrong(sandbox: RunningSandbox) -> None:
    """Drift, units, swapped places and numbers that are none: everything else is true."""
    headers = _log_in(sandbox)
    truth = _compute(sandbox, headers).json()["routes"][0]
    told = {}
    for kind in ("drift", "units", "swap", "nan"):
        sandbox.set_faults({"endpoint": _COMPUTE, "kind": kind})
        answer = _compute(sandbox, headers)
        assert answer.status_code == 200
        told[kind] = answer.json()["routes"][0]
    assert told["drift"]["distance_m"] == pytest.approx(1.03 * truth["distance_m"])
    assert told["drift"]["legs"][0]["distance_m"] > truth["legs"][0]["distance_m"]
    assert told["units"]["distance_m"] == pytest.approx(truth["distance_m"] / 1_000)
    assert told["units"]["duration_s"] == pytest.approx(truth["duration_s"] * 1_000)
    assert told["swap"]["bbox"][:2] == truth["bbox"][1::-1]
    assert told["swap"]["geometry"]["polyline"] != truth["geometry"]["polyline"]
    assert math.isnan(told["nan"]["distance_m"])
    others = {"geometry", "segments", "ascent_m", "bbox"}
    assert all(told["drift"][name] == truth[name] for name in others)


def test_what_no_honest_provider_sends(sandbox: RunningSandbox) -> None:
    """Nothing, an error that says OK, a mountain of brackets, a redirect, and no end at all."""
    headers = _log_in(sandbox)

    def told(**rule: Any) -> httpx2.Response:
        sandbox.set_faults({"endpoint": _COMPUTE, **rule})
        return _compute(sandbox, headers)

    empty = told(kind="empty")
    assert (empty.status_code, empty.content) == (200, b"")
    error = told(kind="error_body")
    assert (error.status_code, error.json()["code"]) == (200, "quota.exhausted")
    assert told(kind="nested").content.startswith(b"[[[[")
    assert len(told(kind="huge", body_bytes=1_000_000).content) > 900_000
    bomb = told(kind="bomb", body_bytes=1_000_000)
    assert len(bomb.content) > 900_000
    assert bomb.num_bytes_downloaded < 10_000
    moved = told(kind="redirect", location="https://elsewhere.example/")
    assert (moved.status_code, moved.headers["location"]) == (307, "https://elsewhere.example/")
    assert ";r=-5;" in told(kind="credits", credits=-5).headers["ratelimit"]


def test_blackhole_says_nothing(sandbox: RunningSandbox) -> None:
    """The caller's timeout is the only end, and its hanging up frees the place."""
    headers = _log_in(sandbox)
    sandbox.set_faults({"endpoint": _COMPUTE, "kind": "blackhole"})
    with pytest.raises(httpx2.ReadTimeout):
        _compute(sandbox, headers, timeout_s=0.2)
    sandbox.set_faults()
    assert _compute(sandbox, headers).status_code == 200
    stats = sandbox.stats()[_COMPUTE]
    assert stats["attempts"] == 2
    assert stats["faults"] == {"blackhole": 1}


def test_calls_are_counted_by_client(sandbox: RunningSandbox) -> None:
    """By key, token and password, even where a fault took the answer's place."""
    headers = _log_in(sandbox)
    sandbox.set_faults({"endpoint": "/v*", "kind": "status"})
    for given in (headers, headers, {}, {"Authorization": "Bearer wrong"}):
        _compute(sandbox, given)
    key = {"key": sandbox.other_secret}
    httpx2.get(f"{sandbox.url}/v1/route", params=key)
    told = sandbox.stats().items()
    counted = {path: one["by_client"] for path, one in told if one["attempts"]}
    assert counted == {
        _TOKEN: {"courier": 1},
        _COMPUTE: {"courier": 2, "nobody": 2},
        "/v1/route": {"courier": 1},
    }


def test_share_is_repeatable_over_the_wire(sandbox: RunningSandbox) -> None:
    """The same rules and seed hit the same requests of a sequence."""
    headers = _log_in(sandbox)
    runs = []
    for _ in range(2):
        sandbox.set_faults({"endpoint": _COMPUTE, "kind": "status", "share": 0.5}, seed=9)
        runs.append([_compute(sandbox, headers).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_faults_leave_the_rest_alone(sandbox: RunningSandbox) -> None:
    """Health and the switches themselves work under any fault; deleting them ends it."""
    sandbox.set_faults({"kind": "blackhole"})
    assert httpx2.get(f"{sandbox.url}/health/ready").status_code == 200
    sandbox.clear()
    assert _compute(sandbox, _log_in(sandbox)).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/admin/faults"), ("DELETE", "/admin/faults"), ("GET", "/admin/stats")],
)
def test_switches_need_their_token(
    sandbox: RunningSandbox, headers: dict[str, str], method: str, path: str
) -> None:
    """Nobody but the administrator can make the sandbox fail or read its counters."""
    answer = httpx2.request(method, sandbox.url + path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid")


def test_senseless_rules_are_told(sandbox: RunningSandbox) -> None:
    """A plan that cannot be carried out is refused whole, and the one in force stays."""
    sandbox.set_faults({"kind": "html"})
    with pytest.raises(httpx2.HTTPStatusError) as caught:
        sandbox.set_faults({"kind": "explode"})
    assert caught.value.response.json()["errors"][0]["pointer"] == "/rules/0/kind"
    assert _compute(sandbox, {}).status_code == 502
