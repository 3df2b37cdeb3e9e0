"""Flags from a watched file steer a gateway on real sockets."""

import json
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from openfeature import api as openfeature
from prometheus_client import CollectorRegistry
from tests.support.fault_server import json_reply
from tests.support.routing import (
    MARKET,
    REQUEST,
    STATION,
    always,
    bikemap,
    compute_answer,
    gateway_on,
    sample,
    soon,
)

from tandem.platform.errors import SettingsError
from tandem.platform.flags import FlagFile
from tandem.resilience.caller import CALLER, Caller
from tandem.routing.change.flags import FlaggedJobs, FlaggedOrder, check_flags
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import RouteRequest
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH

pytestmark = pytest.mark.anyio

_FINE = json_reply(200, compute_answer())
_BROKEN = "tandem_flags_broken"


def _write(path: Path, **document: object) -> None:
    """Replace the file as operators should: by a rename."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(document))
    fresh.rename(path)


async def test_a_kill_switch_and_a_tenants_own_flags(tmp_path: Path, valhalla_url: str) -> None:
    """What is switched off is asked no more; one tenant may have it otherwise."""
    path, registry = tmp_path / "flags.json", CollectorRegistry()
    _write(path, flags={})
    flags = FlagFile(path, check_flags, registry)
    domain = uuid4().hex
    openfeature.set_provider_and_wait(flags, domain)
    choose = partial(FlaggedOrder, openfeature.get_client(domain))
    async with (
        bikemap(always(_FINE)) as primary,
        gateway_on(primary.url, valhalla_url, choose=choose) as gateway,
    ):
        await gateway.ask(REQUEST, soon())
        assert primary.count(COMPUTE_PATH) == 1
        _write(
            path,
            flags={"routing.killed": ["bikemap.route"]},
            tenants={"beta": {"routing.killed": [], "routing.order": ["bikemap"]}},
        )
        assert flags.file.reload()
        other = _other(1)
        assert (await gateway.ask(other, soon())).provider == "valhalla"
        token = CALLER.set(Caller(tenant="beta"))
        await gateway.ask(_other(2), soon())
        CALLER.reset(token)
    assert primary.count(COMPUTE_PATH) == 2
    assert sample(registry, _BROKEN, {}) == 0


def test_jobs_are_handed_over_to_who_is_asked(tmp_path: Path) -> None:
    """Unless flags say otherwise: for everybody, or one tenant, or since nothing is asked there."""
    path = tmp_path / "flags.json"
    _write(path, flags={})
    flags = FlagFile(path, check_flags, CollectorRegistry())
    domain = uuid4().hex
    openfeature.set_provider_and_wait(flags, domain)
    hands_over = FlaggedJobs(openfeature.get_client(domain), "bikemap")
    assert hands_over(Operation.ROUTE, "a")
    _write(
        path,
        flags={"routing.provider_jobs": False},
        tenants={"beta": {"routing.provider_jobs": True}},
    )
    assert flags.file.reload()
    assert not hands_over(Operation.ROUTE, "a")
    assert hands_over(Operation.ROUTE, "beta")
    _write(path, flags={"routing.killed": ["bikemap.route"]})
    assert flags.file.reload()
    assert not hands_over(Operation.ROUTE, "a")
    assert hands_over(Operation.MATRIX, "a")


@pytest.mark.parametrize(
    "text",
    ["{", '{"flags": {"routing.order": 3}}', '{"flag": {}}', "[" * 100_000, " " * 300_000],
    ids=["cut", "type", "name", "deep", "large"],
)
async def test_a_broken_file_changes_nothing(tmp_path: Path, text: str) -> None:
    """The last good flags stay in force, and a metric says that they are old."""
    path, registry = tmp_path / "flags.json", CollectorRegistry()
    _write(path, flags={"routing.killed": ["graphhopper"]})
    flags = FlagFile(path, check_flags, registry)
    path.write_text(text)
    assert not flags.file.reload()
    assert sample(registry, _BROKEN, {}) == 1
    killed = flags.resolve_object_details("routing.killed", [])
    assert killed.value == ["graphhopper"]
    _write(path, flags={})
    assert flags.file.reload()
    assert sample(registry, _BROKEN, {}) == 0
    with pytest.raises(SettingsError):
        FlagFile(tmp_path / "absent.json", check_flags, CollectorRegistry())


def _other(number: int) -> RouteRequest:
    start = Coordinate(MARKET.lon + number * 1e-5, MARKET.lat)
    return RouteRequest.through(start, STATION)
