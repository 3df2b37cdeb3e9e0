"""A route as GPX 1.1 (https://www.topografix.com/GPX/1/1/): a track, and its stops as waypoints."""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from tandem.routing.domain.answers import Routes
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.result import Result

MEDIA_TYPE: Final = "application/gpx+xml"
_NAMESPACE: Final = "http://www.topografix.com/GPX/1/1"
_CREATOR: Final = "Tandem"
_EAST_END: Final = "180.0000000"
# What XML 1.0 cannot say even escaped.
_UNSPEAKABLE: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def gpx(result: Result[Routes], stops: Sequence[Coordinate], name: str = "Bicycle route") -> bytes:
    """Return the file: UTF-8, one track of one segment, a height for each point if known.

    The track's description is the label, and its source the provider.
    """
    route = result.route
    root = ET.Element("gpx", version="1.1", creator=_CREATOR, xmlns=_NAMESPACE)
    metadata = ET.SubElement(root, "metadata")
    _text(metadata, "name", name)
    if result.attribution:
        author = _spoken("; ".join(result.attribution))
        ET.SubElement(metadata, "copyright", author=author)
    for number, stop in enumerate(stops, start=1):
        _text(_point(root, "wpt", stop), "name", f"Stop {number}")
    track = ET.SubElement(root, "trk")
    _text(track, "name", name)
    _text(track, "desc", _label(result))
    _text(track, "src", result.provider)
    segment = ET.SubElement(track, "trkseg")
    heights_m = route.heights_m or (None,) * len(route.geometry)
    for place, height_m in zip(route.geometry, heights_m, strict=True):
        point = _point(segment, "trkpt", place)
        if height_m is not None:
            _text(point, "ele", f"{height_m:.1f}")
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _label(result: Result[Routes]) -> str:
    quality = ", degraded" if result.degraded else ""
    return f"{result.freshness.value}{quality}, {result.age_s:.0f} s old"


def _point(parent: ET.Element, tag: str, place: Coordinate) -> ET.Element:
    lat, lon = f"{place.lat:.7f}", f"{place.lon:.7f}"
    # The schema's longitudes end below 180, the same meridian as -180.
    return ET.SubElement(parent, tag, lat=lat, lon="-180.0000000" if lon == _EAST_END else lon)


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = _spoken(text)


def _spoken(text: str) -> str:
    return _UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", text)
