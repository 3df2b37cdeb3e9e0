"""The SDK over HTTP: `LedgerClient` (async) and `SyncLedgerClient`, each an `api.Ledger`."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tandem.ledger import api
from tandem.ledger.api import *  # noqa: F403 - a user of the client needs the interface's names
from tandem.ledger.api import Record
from tandem.ledger.async_client import DEFAULT_TIMEOUT_MS, LedgerClient
from tandem.ledger.webhooks.client import SyncWebhooks

__all__ = ["LedgerClient", "SyncLedgerClient"]
__all__ += api.__all__


def _sync[**P, R](
    method: Callable[Concatenate[LedgerClient, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["SyncLedgerClient", P], R]:
    @wraps(method)
    def call(self: "SyncLedgerClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(lambda client: method(client, *args, **kwargs))

    return call


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
        assert self._portal is not None, "the client is used inside its `with` block"
        result: R = self._portal.call(call, self._client)
        return result

    @property
    def webhooks(self) -> SyncWebhooks:
        """The subscriptions that the ledger's records are sent to."""
        return SyncWebhooks(self._client.webhooks, lambda call: self.run(lambda _client: call()))

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

    create_ledger = _sync(LedgerClient.create_ledger)
    open_account = _sync(LedgerClient.open_account)
    update_account = _sync(LedgerClient.update_account)
    transfer = _sync(LedgerClient.transfer)
    post_transaction = _sync(LedgerClient.post_transaction)
    hold = _sync(LedgerClient.hold)
    capture = _sync(LedgerClient.capture)
    release = _sync(LedgerClient.release)
    reverse = _sync(LedgerClient.reverse)
    close_period = _sync(LedgerClient.close_period)
    submit_batch = _sync(LedgerClient.submit_batch)
    balance = _sync(LedgerClient.balance)
    statement = _sync(LedgerClient.statement)
    account = _sync(LedgerClient.account)
    transaction = _sync(LedgerClient.transaction)
    hold_state = _sync(LedgerClient.hold_state)
    accounts = _sync(LedgerClient.accounts)
    records = _sync(LedgerClient.records)
    changes = _sync(LedgerClient.changes)
    trial_balance = _sync(LedgerClient.trial_balance)
    verify = _sync(LedgerClient.verify)
    verifier_key = _sync(LedgerClient.verifier_key)
    checkpoint = _sync(LedgerClient.checkpoint)
    tile = _sync(LedgerClient.tile)
    entry_bundle = _sync(LedgerClient.entry_bundle)
    inclusion_proof = _sync(LedgerClient.inclusion_proof)
    consistency_proof = _sync(LedgerClient.consistency_proof)
    balance_proof = _sync(LedgerClient.balance_proof)
