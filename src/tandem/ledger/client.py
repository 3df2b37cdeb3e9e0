"""The SDK over HTTP: `LedgerClient` (async) and `SyncLedgerClient`, each an `api.Ledger`."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tandem.ledger import api
from tandem.ledger.api import *  # noqa: F403 - a user of the client needs the interface's names
from tandem.ledger.api import Record
from tandem.ledger.async_client import DEFAULT_TIMEOUT_MS, LedgerClient
from tandem.ledger.synchronous import blocking
from tandem.ledger.webhooks.client import SyncWebhooks

__all__ = ["LedgerClient", "SyncLedgerClient"]
__all__ += api.__all__


class SyncLedgerClient:
    """`LedgerClient` for synchronous code: the same calls, on an event loop in a thread."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        ledger: str = "main",
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
    ) -> None:
        self._client = LedgerClient(base_url, api_key, ledger=ledger, timeout_ms=timeout_ms)
        self._starting = start_blocking_portal()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        """Start the thread and open the connections."""
        self._portal = self._starting.__enter__()
        self._portal.call(self._client.__aenter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections and end the thread."""
        assert self._portal is not None
        self._portal.call(self._client.__aexit__, None, None, None)
        self._starting.__exit__(kind, error, trace)

    def run[R](self, call: Callable[[LedgerClient], Coroutine[Any, Any, R]]) -> R:
        """Run a coroutine of the asynchronous client and wait for it."""
        return self._wait(lambda: call(self._client))

    def _wait[R](self, call: Callable[[], Coroutine[Any, Any, R]]) -> R:
        assert self._portal is not None, "the client is used inside its `with` block"
        result: R = self._portal.call(call)
        return result

    @property
    def webhooks(self) -> SyncWebhooks:
        """The subscriptions that the ledger's records are sent to."""
        return SyncWebhooks(self._client.webhooks, self._wait)

    def follow(self, *, after: int = 0) -> Iterator[Record]:
        """Iterate over every record after a position, as they come, each exactly once."""
        records = aiter(self._client.follow(after=after))

        async def step(_client: LedgerClient) -> Record | None:
            return await anext(records, None)

        async def close(_client: LedgerClient) -> None:
            if isinstance(records, AsyncGenerator):
                await records.aclose()

        try:
            while (record := self.run(step)) is not None:
                yield record
        finally:
            self.run(close)

    create_ledger = blocking(LedgerClient.create_ledger)
    open_account = blocking(LedgerClient.open_account)
    update_account = blocking(LedgerClient.update_account)
    transfer = blocking(LedgerClient.transfer)
    post_transaction = blocking(LedgerClient.post_transaction)
    hold = blocking(LedgerClient.hold)
    capture = blocking(LedgerClient.capture)
    release = blocking(LedgerClient.release)
    reverse = blocking(LedgerClient.reverse)
    close_period = blocking(LedgerClient.close_period)
    submit_batch = blocking(LedgerClient.submit_batch)
    balance = blocking(LedgerClient.balance)
    statement = blocking(LedgerClient.statement)
    account = blocking(LedgerClient.account)
    transaction = blocking(LedgerClient.transaction)
    hold_state = blocking(LedgerClient.hold_state)
    accounts = blocking(LedgerClient.accounts)
    records = blocking(LedgerClient.records)
    changes = blocking(LedgerClient.changes)
    trial_balance = blocking(LedgerClient.trial_balance)
    verify = blocking(LedgerClient.verify)
    verifier_key = blocking(LedgerClient.verifier_key)
    checkpoint = blocking(LedgerClient.checkpoint)
    tile = blocking(LedgerClient.tile)
    entry_bundle = blocking(LedgerClient.entry_bundle)
    canonical_records = blocking(LedgerClient.canonical_records)
    inclusion_proof = blocking(LedgerClient.inclusion_proof)
    consistency_proof = blocking(LedgerClient.consistency_proof)
    balance_proof = blocking(LedgerClient.balance_proof)
