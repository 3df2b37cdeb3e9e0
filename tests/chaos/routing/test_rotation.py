"""Secrets are changed while calls go on, and not one of them fails (G14)."""

import asyncio
import json
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.support.engine import RunningSandbox
from tests.support.routing import MARKET, STATION, soon

from tandem.platform.secrets import SecretsFile
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.gateway import RoutingGateway
from tandem.routing.provider_secrets import CLIENT_SECRET, NAMES, V1_KEY
from tandem.routing.service import open_gateway

pytestmark = pytest.mark.anyio

_CALLERS = 8
_CALLS_BETWEEN = 25
_SECRETS = [f"secret-number-{number}-of-the-courier" for number in range(4)]


class _Load:
    """Callers who ask one new question after another until they are told to stop."""

    def __init__(self, gateway: RoutingGateway) -> None:
        self.providers: set[str] = set()
        self.is_over = False
        self._gateway = gateway
        self._answered = 0
        self._numbers = count()
        self._moved = asyncio.Condition()

    async def more(self) -> None:
        """Wait for so many further answers."""
        until = self._answered + _CALLS_BETWEEN
        async with self._moved:
            await self._moved.wait_for(lambda: self._answered >= until)

    async def call(self) -> None:
        """Ask what nobody asked before, again and again."""
        while not self.is_over:
            start = Coordinate(MARKET.lon + next(self._numbers) * 1e-6, MARKET.lat)
            question = replace(RouteRequest.through(start, STATION), include=frozenset())
            self.providers.add((await self._gateway.ask(question, soon())).provider)
            async with self._moved:
                self._answered += 1
                self._moved.notify_all()


def _keep(path: Path, name: str, values: list[str]) -> None:
    fresh = path.with_suffix(".new")
    fresh.touch(0o600)
    fresh.write_text(json.dumps({name: values}))
    fresh.rename(path)


@pytest.mark.parametrize(("name", "provider"), [(CLIENT_SECRET, "bikemap"), (V1_KEY, "bikemap_v1")])
async def test_secrets_are_rotated_under_load(
    sandbox: RunningSandbox, tmp_path: Path, name: str, provider: str
) -> None:
    """Three times: the provider takes the new one, then we; then the old one is revoked."""
    path, registry = tmp_path / "secrets.json", CollectorRegistry()
    sandbox.set_secrets(_SECRETS[0])
    _keep(path, name, [_SECRETS[0]])
    file = SecretsFile(path, NAMES, registry)
    source = file.live(name)
    is_old = name == V1_KEY
    async with open_gateway(
        sandbox.url,
        sandbox.client_id,
        None if is_old else source,
        None,
        registry,
        bikemap_v1_keys=source if is_old else None,
    ) as gateway:
        load = _Load(gateway)
        async with asyncio.TaskGroup() as group:
            for _ in range(_CALLERS):
                group.create_task(load.call())
            for old, new in pairwise(_SECRETS):
                await asyncio.to_thread(sandbox.set_secrets, new, old)
                await load.more()
                _keep(path, name, [new, old])
                assert file.file.reload()
                await load.more()
                await asyncio.to_thread(sandbox.set_secrets, new)
                await load.more()
                _keep(path, name, [new])
                assert file.file.reload()
                await load.more()
            load.is_over = True
    assert load.providers == {provider}
    outcomes = {
        sample.labels["outcome"]
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "tandem_routing_attempts_total"
    }
    # A busy machine may be slow; nobody was refused.
    assert outcomes - {"read_timeout"} == {"success"}
