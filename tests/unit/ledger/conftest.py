"""A gated ledger for the tests of the writer."""

from collections.abc import AsyncIterator

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import fund, in_process, open_usual
from tests.unit.ledger.gates import GatedStore, quiet

from tandem.ledger.local import LocalLedger


@pytest.fixture
def store(clock: VirtualClock) -> GatedStore:
    """A store with open gates."""
    return GatedStore(clock)


@pytest.fixture
async def gated(store: GatedStore, clock: VirtualClock) -> AsyncIterator[LocalLedger]:
    """A ledger over the gated store, with the usual accounts and 1,000 in `wallets:a`."""
    async with in_process(store, clock, "gated") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 1_000)
        await quiet()
        yield ledger
        store.appends.set()
        store.loads.set()
