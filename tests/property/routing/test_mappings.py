"""Whatever a provider sends, the adapters give a route or an error of the taxonomy."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.routing import REQUEST, compute_answer

from tandem.routing.domain.answers import Routes
from tandem.routing.domain.errors import RoutingError
from tandem.routing.domain.route import Route
from tandem.routing.exchange import Answer
from tandem.routing.providers import bikemap_v2_mapping
from tandem.routing.providers.guard import believed
from tandem.routing.providers.valhalla import replies

_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_STATUSES = st.integers(100, 599)
_TYPES = st.sampled_from(["application/json", "application/problem+json", "text/html", ""])
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["polyline6", "geojson", "route.no_path", "_p~iF~ps|U", "", "é"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("routes", "geometry", "legs", "code", "errors", "point_index", "format"),
                    *("trip", "summary", "shape", "error_code", "height", "dims", "polyline"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
_PATHS = st.sampled_from(
    [
        ("distance_m",),
        ("duration_s",),
        ("ascent_m",),
        ("geometry",),
        ("geometry", "polyline"),
        ("geometry", "dims"),
        ("legs",),
        ("legs", 0),
        ("legs", 0, "begin"),
        ("legs", 0, "end"),
    ]
)


def _answer(status: int, media_type: str, body: bytes) -> Answer:
    return Answer(status, media_type, {}, _NOW, body)


def _read_both(answer: Answer) -> None:
    for read in (
        bikemap_v2_mapping.read,
        replies.read_trips,
        replies.read_matrix,
        replies.read_elevations,
        replies.read_heights,
    ):
        try:
            read(answer)
        except RoutingError:
            continue


@given(status=_STATUSES, media_type=_TYPES, body=st.binary(max_size=200))
def test_any_bytes(status: int, media_type: str, body: bytes) -> None:
    """Noise of every status and type is refused in the taxonomy's words."""
    _read_both(_answer(status, media_type, body))


@given(status=_STATUSES, content=_JSON)
def test_any_json(status: int, content: Any) -> None:
    """So is JSON that looks nearly right, with the numbers that JSON does not have."""
    _read_both(_answer(status, "application/json", json.dumps(content).encode()))


@given(depth=st.integers(1, 100_000))
def test_deep_nesting(depth: int) -> None:
    """Nesting of any depth is an error and no crash."""
    _read_both(_answer(200, "application/json", b'{"routes":' + b"[" * depth))
    _read_both(_answer(500, "application/json", b"[" * depth + b"]" * depth))


@given(path=_PATHS, wrong=_JSON)
def test_a_true_answer_with_one_wrong_part(path: tuple[str | int, ...], wrong: Any) -> None:
    """One part replaced by anything gives a believable route or an error."""
    body = compute_answer()
    place: Any = body["routes"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    answer = _answer(200, "application/json", json.dumps(body).encode())
    try:
        routes = believed(Routes((bikemap_v2_mapping.read(answer),)), REQUEST)
    except RoutingError:
        return
    assert isinstance(routes.best, Route)
