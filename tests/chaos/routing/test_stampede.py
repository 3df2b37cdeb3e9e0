"""A hot key that is over, and everybody asks at once (G8)."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from tests.support.engine import RunningSandbox
from tests.support.routing import REQUEST, soon

from tandem.platform.secrets import live
from tandem.routing.limits import CACHE_STALE_S
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH
from tandem.routing.service import open_gateway
from tandem.routing.storage.cache.store import open_cache_store

pytestmark = pytest.mark.anyio

_PROCESSES: Final = 2
_CALLERS: Final = 500


async def _fill_long_ago(sandbox: RunningSandbox, database_uri: str) -> None:
    """Keep an answer that nobody may be shown any more."""
    async with (
        open_cache_store(database_uri) as store,
        open_gateway(
            sandbox.url,
            sandbox.client_id,
            live(sandbox.client_secret),
            None,
            CollectorRegistry(),
            store=store,
            utc_s=lambda: time.time() - 2 * CACHE_STALE_S,
        ) as gateway,
    ):
        await gateway.ask(REQUEST, soon())


async def test_two_processes_make_one_call_for_a_thousand(
    sandbox: RunningSandbox, database_uri: str
) -> None:
    """One caller of one process asks the provider; all are answered by it."""
    await _fill_long_ago(sandbox, database_uri)
    sandbox.clear()
    arguments = ["-m", "tests.support.crowd", sandbox.url, database_uri, str(_CALLERS)]
    crowds = [
        await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=PIPE, stdout=PIPE)
        for _ in range(_PROCESSES)
    ]
    for one in crowds:
        assert one.stdout is not None
        assert await one.stdout.readline() == b"ready\n"
    told = await asyncio.gather(*(one.communicate(b"now\n") for one in crowds))
    ends = [json.loads(output) for output, _ in told]
    assert [end["answers"] for end in ends] == [{"bikemap": _CALLERS}] * _PROCESSES
    # On a busy machine the one call may take too long, and is made again.
    retries = sum(end["retries"] for end in ends)
    assert sandbox.stats()[COMPUTE_PATH]["attempts"] == 1 + retries
