"""Reading the track of `POST /v1/match`, which is GPX. Pure."""

from typing import Final
from xml.etree import ElementTree as ET

from tandem.platform.engine.geography import Place
from tandem.sandbox import limits
from tandem.sandbox.problems import ApiProblem, Code

_POINT: Final = "trkpt"
_POINTS_MIN: Final = 2


def read_track(body: bytes) -> list[Place]:
    """Return the places of a track. Raises ApiProblem.

    A document that declares entities is refused unread: they could be made to fill the memory.
    """
    if b"<!" in body:
        raise ApiProblem(Code.REQUEST_MALFORMED, "a track declares nothing")
    try:
        points = [one for one in ET.fromstring(body).iter() if one.tag.endswith(_POINT)]  # noqa: S314 - nothing is declared in it
        places = [Place(float(one.attrib["lon"]), float(one.attrib["lat"])) for one in points]
    except (ET.ParseError, KeyError, ValueError) as error:
        raise ApiProblem(Code.REQUEST_MALFORMED, "the body is no GPX") from error
    if not _POINTS_MIN <= len(places) <= limits.TRACK_POINTS_MAX:
        code = Code.REQUEST_TOO_LARGE if len(places) > _POINTS_MIN else Code.REQUEST_MALFORMED
        raise ApiProblem(code, f"a track has {_POINTS_MIN} to {limits.TRACK_POINTS_MAX} points")
    if not all(abs(at.lon) <= 180 and abs(at.lat) <= 90 for at in places):  # noqa: PLR2004 - degrees
        raise ApiProblem(Code.REQUEST_MALFORMED, "a point is not on the globe")
    return places
