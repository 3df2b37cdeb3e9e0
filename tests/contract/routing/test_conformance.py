"""Every provider is held to the same."""

from collections.abc import AsyncIterator

import pytest
from tests.support.paths_stand_in import KEY, paths_server
from tests.support.provider_conformance import ProviderConformance
from tests.support.routing import CLIENT_ID, CLIENT_SECRET, VirtualClock
from tests.support.sandbox import served_sandbox

from tandem.platform.secrets import live
from tandem.routing.providers.bikemap_v1 import BikemapV1
from tandem.routing.providers.bikemap_v2 import BikemapV2
from tandem.routing.providers.graphhopper import GraphHopper
from tandem.routing.providers.port import Provider
from tandem.routing.providers.valhalla import Valhalla


class TestValhalla(ProviderConformance):
    """Our own engine."""

    @pytest.fixture
    async def provider(self, valhalla_url: str) -> AsyncIterator[Provider]:
        """The adapter on a real engine."""
        async with Valhalla(valhalla_url) as opened:
            yield opened


class TestBikemapV2(ProviderConformance):
    """Bikemap, version 2."""

    @pytest.fixture
    async def provider(self, valhalla_url: str) -> AsyncIterator[Provider]:
        """The adapter on a sandbox."""
        async with (
            served_sandbox(valhalla_url) as sandbox,
            BikemapV2(sandbox.url, CLIENT_ID, live(CLIENT_SECRET), VirtualClock()) as opened,
        ):
            yield opened


class TestBikemapV1(ProviderConformance):
    """Bikemap, version 1."""

    @pytest.fixture
    async def provider(self, valhalla_url: str) -> AsyncIterator[Provider]:
        """The adapter on a sandbox, with the keys in the order of a rotation."""
        async with (
            served_sandbox(valhalla_url) as sandbox,
            BikemapV1(sandbox.url, live("not-live-yet", CLIENT_SECRET)) as opened,
        ):
            yield opened


class TestGraphHopper(ProviderConformance):
    """GraphHopper's public API."""

    @pytest.fixture
    async def provider(self, valhalla_url: str) -> AsyncIterator[Provider]:
        """The adapter on a stand-in of the API of paths."""
        async with (
            paths_server(valhalla_url, "", ("surface", "road_class")) as server,
            GraphHopper(server.url, live(KEY)) as opened,
        ):
            yield opened
