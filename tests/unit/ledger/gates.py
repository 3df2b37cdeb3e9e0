"""A store whose gates a test opens and closes, and what tests of the writer do with it."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final

import anyio
from tests.support.clock import VirtualClock

from tandem.ledger import api
from tandem.ledger.core.expiry import Due
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.port import Append, Loaded, StorageUnavailable

PATIENCE_S: Final = 20.0


class GatedStore(MemoryStore):
    """A store whose writes and loads wait while their gates are closed."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.appends, self.loads = asyncio.Event(), asyncio.Event()
        self.appends.set()
        self.loads.set()
        self.failures = 0
        self.windows = 0

    async def append(self, write: Append) -> None:
        """Write once the gate is open, unless a failure is due."""
        await self.appends.wait()
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("the disk is full")
        await super().append(write)

    async def load(
        self,
        ledger_id: int,
        addresses: Sequence[str],
        parents: Sequence[int],
        assets: Sequence[str],
    ) -> Loaded:
        """Look at once, and answer once the gate is open."""
        loaded = await super().load(ledger_id, addresses, parents, assets)
        await self.loads.wait()
        return loaded

    async def expiring(self, ledger_id: int, beyond: Due, limit: int) -> Sequence[Due]:
        """Count how often a window is loaded."""
        self.windows += 1
        return await super().expiring(ledger_id, beyond, limit)


async def quiet() -> None:
    """Let every task run until all of them wait for something."""
    with anyio.fail_after(PATIENCE_S):
        await anyio.wait_all_tasks_blocked()


def spend(ledger: api.Ledger, amount_minor: int, key: str) -> Awaitable[api.Record]:
    """Move money from `wallets:a` to `wallets:b`."""
    return ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=amount_minor,
        idempotency_key=key,
    )


def started(write: Awaitable[Any]) -> "asyncio.Future[Any]":
    """Let a write begin without waiting for it."""
    return asyncio.ensure_future(write)


async def answers_of(writes: Sequence["asyncio.Future[Any]"]) -> list[Any]:
    """Wait for writes; give what they answered or raised."""
    with anyio.fail_after(PATIENCE_S):
        return await asyncio.gather(*writes, return_exceptions=True)
