"""A process in which many ask the same question at once.

`python -m tests.support.crowd <primary> <database> <callers>` says `ready`, begins when it is sent
a line, and prints as JSON how many callers got an answer of which provider, and how often a call
was made again because it failed.
"""

import asyncio
import json
import sys
from collections import Counter
from typing import Any

from prometheus_client import CollectorRegistry
from tests.support.engine import RunningSandbox
from tests.support.routing import REQUEST

from tandem.platform.secrets import live
from tandem.resilience.deadline import Deadline
from tandem.routing.service import open_gateway
from tandem.routing.storage.cache.store import open_cache_store

_PATIENT_MS = 20_000


async def crowd(sandbox: RunningSandbox, database: str, callers: int) -> dict[str, Any]:
    """Ask from so many callers at once; returns how many were answered by whom, and retries."""
    registry = CollectorRegistry()
    async with (
        open_cache_store(database) as store,
        open_gateway(
            sandbox.url,
            sandbox.client_id,
            live(sandbox.client_secret),
            None,
            registry,
            store=store,
        ) as gateway,
    ):
        print("ready", flush=True)  # noqa: T201 - its answer
        await asyncio.to_thread(sys.stdin.readline)
        asked = (gateway.ask(REQUEST, Deadline.after_ms(_PATIENT_MS)) for _ in range(callers))
        answers = Counter(result.provider for result in await asyncio.gather(*asked))
        routes = {"provider": "bikemap", "operation": "route"}
        retries = registry.get_sample_value("tandem_routing_retries_total", routes) or 0.0
        return {"answers": answers, "retries": retries}


if __name__ == "__main__":
    primary, uri, number = sys.argv[1:]
    print(json.dumps(asyncio.run(crowd(RunningSandbox(primary, pid=0), uri, int(number)))))  # noqa: T201 - its answer
