"""True answers made untrue: drift, wrong units, swapped places, numbers that are none. Pure.

They know both versions' members by their names, so they need not know the answers' shapes.
"""

import json
import math
from collections.abc import Callable
from typing import Any, Final

from tandem.sandbox import geometry
from tandem.sandbox.faults import FaultKind, FaultRule

_LENGTHS: Final = frozenset({"distance", "distances", "distance_m"})
_SECONDS: Final = frozenset({"duration_s", "times"})
_MILLISECONDS: Final = frozenset({"time"})
_LINES: Final = frozenset({"coordinates"})
_KILO: Final = 1_000

type _Change = Callable[[str, Any], Any]
"""Gets a member's name and its value; returns the value that replaces it."""


def distorted(rule: FaultRule, body: bytes) -> bytes:
    """Return the body of a true answer with one thing wrong; what is no JSON stays as it is."""
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    return json.dumps(_changed(answer, _CHANGES[rule.kind](rule))).encode()


def _changed(value: Any, change: _Change, name: str = "") -> Any:
    """Apply a change to every member, the innermost first; items of a list have its name."""
    match value:
        case dict():
            inner = {key: _changed(item, change, key) for key, item in value.items()}
            return change(name, inner)
        case list():
            return change(name, [_changed(item, change, name) for item in value])
        case _:
            return change(name, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _drift(rule: FaultRule) -> _Change:
    def change(name: str, value: Any) -> Any:
        return value * rule.factor if name in _LENGTHS and _is_number(value) else value

    return change


def _units(_rule: FaultRule) -> _Change:
    """Kilometres for metres; milliseconds for seconds, and the other way round."""

    def change(name: str, value: Any) -> Any:
        if not _is_number(value):
            return value
        if name in _SECONDS:
            return value * _KILO
        return value / _KILO if name in _LENGTHS | _MILLISECONDS else value

    return change


def _no_number(_rule: FaultRule) -> _Change:
    def change(name: str, value: Any) -> Any:
        return math.nan if name in _LENGTHS | _SECONDS and _is_number(value) else value

    return change


def _swapped(_rule: FaultRule) -> _Change:
    """Latitude for longitude, in pairs, in members and in encoded lines."""

    def change(name: str, value: Any) -> Any:
        match value:
            case {"lon": lon, "lat": lat, **others}:
                return {"lon": lat, "lat": lon, **others}
            case {"polyline": str(line), "dims": int(dims), **others}:
                return {**others, "polyline": geometry.swap_axes(line, dims), "dims": dims}
            case {"points_encoded": True, **others}:
                return value | _swapped_path(others)
            case [west, south, east, north] if name == "bbox":
                return [south, west, north, east]
            case [lon, lat, *rest] if name in _LINES and _is_number(lon) and _is_number(lat):
                return [lat, lon, *rest]
            case _:
                return value

    return change


def _swapped_path(path: dict[Any, Any]) -> dict[str, Any]:
    """Version 1 says nothing of dimensions; a path with heights has its climb told as well."""
    dims = 3 if "ascend" in path else 2
    lines = ("points", "snapped_waypoints")
    return {
        name: geometry.swap_axes(path[name], dims)
        for name in lines
        if isinstance(path.get(name), str)
    }


_CHANGES: Final[dict[FaultKind, Callable[[FaultRule], _Change]]] = {
    FaultKind.DRIFT: _drift,
    FaultKind.UNITS: _units,
    FaultKind.NAN: _no_number,
    FaultKind.SWAP: _swapped,
}
DISTORTIONS: Final = frozenset(_CHANGES)
