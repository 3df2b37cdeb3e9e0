"""Every provider is held to the same."""

from collections.abc import AsyncIterator

import pytest
from tests.support.provider_conformance import ProviderConformance
from tests.support.routing import CLIENT_ID, CLIENT_SECRET, VirtualClock
from tests.support.sandbox import served_sandbox

from tandem.routing.providers.bikemap_v2 import BikemapV2
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
            BikemapV2(sandbox.url, CLIENT_ID, CLIENT_SECRET, VirtualClock()) as opened,
        ):
            yield opened
