"""Recorded replies of every provider: read as they were, and with anything in them changed."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.golden import CASES, DIRECTORY, answer_of, reading, stored

_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["ok", "polyline6", "route.no_path", "_p~iF~ps|U", "Polygon", -1, 2**63]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def test_every_recording_is_read() -> None:
    """No recorded reply lies about unused."""
    assert {path.stem for path in DIRECTORY.glob("*.json")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_replay(name: str) -> None:
    """A recorded reply is read to the same answer as on the day that it was recorded."""
    kept = stored(name)
    answer = answer_of(kept["status"], kept["media_type"], kept["body"])
    assert reading(name, answer) == kept["reading"]


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_any_change(name: str, data: st.DataObject) -> None:
    """With any part replaced or left out, there is an answer or an error of the taxonomy."""
    kept = stored(name)
    body = copy.deepcopy(kept["body"])
    for _ in range(data.draw(st.integers(1, 3))):
        body = _changed(body, data)
    status = data.draw(st.sampled_from([kept["status"], 200, 400, 429, 500]))
    assert reading(name, answer_of(status, kept["media_type"], body))


def _changed(body: Any, data: st.DataObject) -> Any:
    """Replace or remove one part at a random depth."""
    places: list[Any] = sorted(body) if isinstance(body, dict) else []
    if isinstance(body, list):
        # The first items of a long list are as good as the others.
        places = list(range(min(len(body), 4)))
    if not places or data.draw(st.integers(0, 9)) == 0:
        return data.draw(_ANYTHING)
    place = data.draw(st.sampled_from(places))
    if data.draw(st.integers(0, 5)) == 0:
        del body[place]
    else:
        body[place] = _changed(body[place], data)
    return body
