"""Words of the contract and the engine, side by side."""

from collections.abc import Mapping
from typing import Any

import pytest

from tandem.platform.engine.geography import Place
from tandem.sandbox.geometry import encode_polyline6
from tandem.sandbox.v2 import translate
from tandem.sandbox.v2.maneuvers import ManeuverKind, Modifier, maneuver
from tandem.sandbox.v2.requests import ComputeRequest, Include, Waypoint, WaypointKind
from tandem.sandbox.v2.ways import Surface, WayType, surface, way_type

_LINE = [Place(round(24.94 + step / 1_000, 6), 60.17) for step in range(7)]


def _request(**fields: Any) -> ComputeRequest:
    ends = [{"lon": 24.94, "lat": 60.17}, {"lon": 24.946, "lat": 60.17}]
    return ComputeRequest.model_validate({"waypoints": ends, "profile": "touring", **fields})


def _trip(*legs: list[Place]) -> Mapping[str, Any]:
    return {"legs": [{"shape": encode_polyline6(leg)} for leg in legs]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"bicycle_type": "Hybrid", "avoid_bad_surfaces": 0.25}),
        ({"profile": "road"}, {"bicycle_type": "Road", "avoid_bad_surfaces": 0.25}),
        ({"profile": "mtb"}, {"bicycle_type": "Mountain", "avoid_bad_surfaces": 0.25}),
        (
            {"options": {"avoid": ["hills", "ferries", "busy_roads"], "e_bike": True}},
            {
                "bicycle_type": "Hybrid",
                "avoid_bad_surfaces": 0.25,
                "cycling_speed": 23.0,
                "use_hills": 0.0,
                "use_ferry": 0.0,
                "use_roads": 0.0,
            },
        ),
        (
            {"options": {"surface_preference": "paved", "avoid": ["unpaved"]}},
            {"bicycle_type": "Hybrid", "avoid_bad_surfaces": 0.9},
        ),
    ],
)
def test_wishes_reach_the_engine(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each profile and option has its counterpart; what is avoided wins over a motor."""
    assert translate.costing_options(_request(**fields)) == expected


def test_legs_join_at_their_stop() -> None:
    """The place where two legs meet is one vertex, and both legs' boundary."""
    line = translate.line_of(_trip(_LINE[:4], _LINE[3:]))
    assert list(line.places) == _LINE
    assert line.boundaries == (0, 3, 6)


def test_waypoints_lie_on_the_line() -> None:
    """Stops are where legs end; what is only passed is the nearest place on the line."""
    line = translate.line_of(_trip(_LINE[:4], _LINE[3:]))
    stop, via = WaypointKind.STOP, WaypointKind.VIA
    kinds = ((24.94, stop), (24.9415, via), (24.9431, stop), (24.946, stop))
    waypoints = [Waypoint(lon=lon, lat=60.1701, kind=kind) for lon, kind in kinds]
    first, passed, middle, last = translate.places_on_line(waypoints, line)
    assert [first, middle, last] == [_LINE[0], _LINE[3], _LINE[6]]
    assert passed.lon == pytest.approx(24.9415)
    assert passed.lat == pytest.approx(60.17)


def test_segments_cover_the_line_once_per_kind() -> None:
    """Neighbours of one value become one segment, across legs too; only what is asked is told."""
    line = translate.line_of(_trip(_LINE[:4], _LINE[3:]))
    road = {"use": "road", "road_class": "residential", "surface": "paved"}
    lane = {"use": "cycleway", "road_class": "service_other", "surface": "paved"}
    edges = [
        [
            road | {"begin_shape_index": 0, "end_shape_index": 2},
            lane | {"begin_shape_index": 2, "end_shape_index": 3},
        ],
        [lane | {"begin_shape_index": 0, "end_shape_index": 3}],
    ]
    found = translate.segments(edges, line, [Include.SURFACE, Include.WAY_TYPE])
    assert [(run.kind, run.begin, run.end, run.value) for run in found] == [
        ("surface", 0, 6, "paved"),
        ("way_type", 0, 2, "quiet_road"),
        ("way_type", 2, 6, "cycleway"),
    ]
    only = translate.segments(edges, line, [Include.SURFACE])
    assert {run.kind for run in only} == {"surface"}


def test_every_engine_maneuver_has_a_word() -> None:
    """All numbers of the engine, and unknown ones, translate; sides do not change sides."""
    said = {number: maneuver(number) for number in range(60)}
    assert said[10] == (ManeuverKind.TURN, Modifier.RIGHT)
    assert said[15] == (ManeuverKind.TURN, Modifier.LEFT)
    assert said[16] == (ManeuverKind.TURN, Modifier.SLIGHT_LEFT)
    assert said[26] == (ManeuverKind.ROUNDABOUT_ENTER, None)
    assert said[59] == (ManeuverKind.CONTINUE, None)


def test_ways_have_words() -> None:
    """A special use wins over the road's class; what is unknown is missing and no error."""
    assert way_type("cycleway", "service_other") is WayType.CYCLEWAY
    assert way_type("road", "primary") is WayType.BUSY_ROAD
    assert way_type("footway", "service_other") is WayType.PATH
    assert way_type("hyperloop", None) is WayType.MISSING
    assert surface("gravel") is Surface.GRAVEL
    assert surface("impassable") is Surface.MISSING
    assert surface(None) is Surface.MISSING
