"""A process that takes credits of a shared rate limit as fast as it gets them.

`python -m tests.support.hammer <database> <plan as JSON>` says `ready`, is told on its input until
when (unix seconds), and then prints as JSON at which moments it was granted one.
"""

import asyncio
import json
import sys
import time

from tandem.platform.database import open_pool
from tandem.platform.rate_limit import ROLE, LeasedRateLimit
from tandem.resilience.gcra import Denied, Plan, Reservation

PROCESSES = 4
CALLERS = 8
LEASE_S = 0.05
# On a machine that is busy with other tests the database is slow, and not away.
PATIENCE_S = 10.0


async def hammer(database: str, plan: Plan) -> list[float]:
    """Take credits until the moment that it is told; returns when each was taken."""
    granted_s: list[float] = []
    pool = await open_pool(database, role=ROLE, min_size=1, max_size=1, name="hammer")
    async with pool:
        limit = LeasedRateLimit(
            pool,
            plan,
            time.monotonic,
            processes=PROCESSES,
            lease_s=LEASE_S,
            patience_s=PATIENCE_S,
        )
        print("ready", flush=True)  # noqa: T201 - its answer
        until_s = float(await asyncio.to_thread(sys.stdin.readline))

        async def call() -> None:
            while time.time() < until_s:
                match await limit.reserve("plan", 1.0):
                    case Reservation():
                        granted_s.append(time.time())
                    case Denied(retry_after_s=wait_s):
                        await asyncio.sleep(wait_s)

        await asyncio.gather(*(call() for _ in range(CALLERS)))
        await limit.close()
    return granted_s


if __name__ == "__main__":
    chosen = Plan(**json.loads(sys.argv[2]))
    print(json.dumps(asyncio.run(hammer(sys.argv[1], chosen))))  # noqa: T201 - its answer
