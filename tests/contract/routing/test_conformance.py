"""Every provider is held to the same."""

from collections.abc import AsyncIterator

import pytest
from tests.support.provider_conformance import ProviderConformance

from tandem.routing.providers.port import Provider
from tandem.routing.providers.valhalla import Valhalla


class TestValhalla(ProviderConformance):
    """Our own engine."""

    @pytest.fixture
    async def provider(self, valhalla_url: str) -> AsyncIterator[Provider]:
        """The adapter on a real engine."""
        async with Valhalla(valhalla_url) as opened:
            yield opened
