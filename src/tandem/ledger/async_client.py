"""The SDK over HTTP, for asynchronous code: `LedgerClient`, which is an `api.Ledger`.

A call that finds the server unreachable, overloaded or unavailable is repeated, with the same key,
a bounded number of times; that is safe because every write carries one.
"""

import asyncio
import json
import random
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Mapping,
    Sequence,
)
from dataclasses import replace
from datetime import datetime
from numbers import Number
from types import TracebackType
from typing import Any, Final, Self

import httpx2
from pydantic import TypeAdapter

from tandem.ledger import api
from tandem.ledger.api import Entry, Record, Refusal, RefusalCode, Refused
from tandem.ledger.client_log import ClientLog
from tandem.ledger.core import intake
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.kinds import BatchMode
from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE, FEED_HEARTBEAT_MS, MAX_BODY_BYTES
from tandem.ledger.feed import checked_wait_ms, resumed, start_position
from tandem.ledger.times import from_us, to_us
from tandem.ledger.webhooks.client import WebhooksClient
from tandem.ledger.wire import command_members, entry_members, metadata_query, present

ATTEMPTS: Final = 5
FIRST_PAUSE_MS: Final = 50
LONGEST_PAUSE_MS: Final = 2_000
CONNECTIONS: Final = 64
DEFAULT_TIMEOUT_MS: Final = 30_000
_TRANSIENT: Final = (429, 503)

_RECORD: Final = TypeAdapter(api.Record)
_ACCOUNT: Final = TypeAdapter(api.Account)
_BALANCE: Final = TypeAdapter(api.AccountBalance)
_HOLD: Final = TypeAdapter(api.Hold)
_ACCOUNTS: Final = TypeAdapter(api.AccountPage)
_RECORDS: Final = TypeAdapter(api.RecordPage)
_STATEMENT: Final = TypeAdapter(api.Statement)
_TOTALS: Final = TypeAdapter(api.TrialBalance)
_VERIFICATION: Final = TypeAdapter(api.Verification)
_RECEIPTS: Final = TypeAdapter(dict[str, list[api.Receipt]])


class LedgerClient(ClientLog):
    """One ledger of a Tandem server. An asynchronous context manager."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        ledger: str = "main",
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._path = f"/v1/ledgers/{ledger}"
        self._name = ledger
        self._jitter = jitter
        # A stream that is silent for two heartbeats is dead.
        self._stream_timeout = httpx2.Timeout(
            timeout_ms / 1000, read=timeout_ms / 1000 + 2 * FEED_HEARTBEAT_MS / 1000
        )
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=timeout_ms / 1000,
            limits=httpx2.Limits(max_connections=CONNECTIONS),
            follow_redirects=False,
            trust_env=False,  # the key goes to the server and to no proxy of the environment
        )

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.__aexit__(kind, error, trace)

    @property
    def webhooks(self) -> WebhooksClient:
        """The subscriptions that the ledger's records are sent to."""
        return WebhooksClient(self._send, self._path)

    # -- writes --------------------------------------------------------------------------------

    async def create_ledger(self) -> None:
        """Make this client's ledger; making it again changes nothing."""
        await self._send("POST", "/v1/ledgers", {"name": self._name})

    async def open_account(
        self,
        address: str,
        *,
        asset: str,
        account_class: api.AccountClass | str,
        min_balance_minor: int | str | None = None,
        max_balance_minor: int | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Account:
        """Open an account."""
        record = await self._write(
            "/accounts",
            idempotency_key,
            address=address,
            asset=asset,
            account_class=account_class,
            min_balance_minor=min_balance_minor,
            max_balance_minor=max_balance_minor,
            metadata=metadata,
        )
        assert record.account is not None
        return record.account

    async def update_account(
        self,
        address: str,
        *,
        status: api.AccountStatus | str | None = None,
        min_balance_minor: int | str | None = None,
        max_balance_minor: int | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Account:
        """Freeze, reopen, close or re-limit an account; None keeps, "none" lifts a limit."""
        record = await self._write(
            f"/accounts/{intake.address(address, 'address')}",
            idempotency_key,
            "PATCH",
            status=status,
            min_balance_minor=min_balance_minor,
            max_balance_minor=max_balance_minor,
            metadata=metadata,
        )
        assert record.account is not None
        return record.account

    async def transfer(
        self,
        *,
        debit_account: str,
        credit_account: str,
        amount_minor: int | str,
        asset: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Post a two-entry transaction."""
        return await self._write(
            "/transfers",
            idempotency_key,
            debit_account=debit_account,
            credit_account=credit_account,
            amount_minor=amount_minor,
            asset=asset,
            reference=reference,
            metadata=metadata,
            effective_at=_time(effective_at, "effective_at"),
        )

    async def post_transaction(
        self,
        entries: Sequence[Entry],
        *,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Post a transaction whose debits equal its credits in every asset."""
        return await self._write(
            "/transactions",
            idempotency_key,
            entries=entry_members(entries),
            reference=reference,
            metadata=metadata,
            effective_at=_time(effective_at, "effective_at"),
        )

    async def hold(
        self,
        entries: Sequence[Entry],
        *,
        expires_at: datetime | None = None,
        capture_limit_minor: int | str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Reserve a transaction; its record's position is the hold's identity."""
        return await self._write(
            "/holds",
            idempotency_key,
            entries=entry_members(entries),
            expires_at=_time(expires_at, "expires_at"),
            capture_limit_minor=capture_limit_minor,
            reference=reference,
            metadata=metadata,
        )

    async def capture(
        self,
        hold: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        final: bool = False,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Post a hold: all that remains, an amount of a two-entry hold, or named entries."""
        return await self._write(
            f"/holds/{intake.position(hold, 'hold')}/captures",
            idempotency_key,
            amount_minor=amount_minor,
            entries=entry_members(entries),
            final=final,
            metadata=metadata,
            effective_at=_time(effective_at, "effective_at"),
        )

    async def release(
        self,
        hold: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Give back all or part of what a hold still reserves."""
        return await self._write(
            f"/holds/{intake.position(hold, 'hold')}/releases",
            idempotency_key,
            amount_minor=amount_minor,
            entries=entry_members(entries),
            metadata=metadata,
        )

    async def reverse(
        self,
        transaction: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        override_limits: bool = False,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | api.Original | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Mirror a posted transaction: all that is left of it, or part."""
        return await self._write(
            f"/transactions/{intake.position(transaction, 'transaction')}/reversals",
            idempotency_key,
            amount_minor=amount_minor,
            entries=entry_members(entries),
            override_limits=override_limits,
            reference=reference,
            metadata=metadata,
            effective_at=_effective(effective_at),
        )

    async def close_period(
        self,
        *,
        through: datetime,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Let nothing more take effect at or before a time, which has passed."""
        return await self._write(
            "/periods", idempotency_key, through=_time(through, "through"), metadata=metadata
        )

    async def submit_batch(
        self,
        commands: Sequence[SingleCommand],
        *,
        mode: BatchMode | str = BatchMode.INDEPENDENT,
        idempotency_key: str | None = None,
    ) -> list[api.Receipt]:
        """Submit commands made by `tandem.ledger.commands`; later ones see earlier ones."""
        body = {"mode": str(mode), "commands": [command_members(command) for command in commands]}
        answer = await self._send("POST", f"{self._path}/batches", body, key=idempotency_key)
        return _RECEIPTS.validate_json(answer.content)["receipts"]

    # -- reads ---------------------------------------------------------------------------------

    async def balance(
        self,
        account: str,
        *,
        at_position: int | None = None,
        at_time: datetime | None = None,
        effective_at: datetime | None = None,
    ) -> api.AccountBalance:
        """Balance now (sees every acknowledged write), at a position, or at a past time."""
        query = present(
            at_position=at_position,
            at_time=_time(at_time, "at_time"),
            effective_at=_time(effective_at, "effective_at"),
        )
        return await self._read(
            _BALANCE, f"/accounts/{intake.address(account, 'account')}/balance", query
        )

    async def statement(
        self,
        account: str,
        *,
        by: api.TimeBasis | str = api.TimeBasis.EFFECTIVE,
        from_time: datetime | None = None,
        until_time: datetime | None = None,
        at_position: int | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> api.Statement:
        """What was posted to an account in [`from_time`, `until_time`): opening, lines, closing."""
        query = present(
            by=by,
            from_time=_time(from_time, "from_time"),
            until_time=_time(until_time, "until_time"),
            at_position=at_position,
            cursor=cursor,
            limit=limit,
        )
        path = f"/accounts/{intake.address(account, 'account')}/statement"
        return await self._read(_STATEMENT, path, query)

    async def account(self, address: str) -> api.Account:
        """Look an account up."""
        return await self._read(_ACCOUNT, f"/accounts/{intake.address(address, 'address')}", {})

    async def transaction(self, position: int) -> Record:
        """Look a record up by position."""
        return await self._read(_RECORD, f"/records/{intake.position(position, 'position')}", {})

    async def hold_state(self, position: int) -> api.Hold:
        """Where a hold stands now."""
        return await self._read(_HOLD, f"/holds/{intake.position(position, 'hold')}", {})

    async def accounts(
        self,
        *,
        prefix: str = "",
        asset: str | None = None,
        account_class: api.AccountClass | str | None = None,
        status: api.AccountStatus | str | None = None,
        metadata: Mapping[str, str] | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> api.AccountPage:
        """List accounts by address: those, as they stand, to which everything given applies."""
        query = present(
            prefix=prefix or None,
            asset=asset,
            account_class=account_class,
            status=status,
            cursor=cursor,
            limit=limit,
        )
        return await self._read(_ACCOUNTS, "/accounts", query | metadata_query(metadata))

    async def records(
        self,
        *,
        account: str | None = None,
        account_prefix: str | None = None,
        kind: api.RecordKind | str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        recorded_from: datetime | None = None,
        recorded_until: datetime | None = None,
        newest_first: bool = False,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> api.RecordPage:
        """List records in commit order: those to which everything given applies."""
        query = present(
            account=account,
            account_prefix=account_prefix,
            kind=kind,
            reference=reference,
            recorded_from=_time(recorded_from, "recorded_from"),
            recorded_until=_time(recorded_until, "recorded_until"),
            newest_first=None if newest_first is False else newest_first,
            cursor=cursor,
            limit=limit,
        )
        return await self._read(_RECORDS, "/records", query | metadata_query(metadata))

    async def changes(
        self, *, after: int = 0, wait_ms: int = 0, limit: int = DEFAULT_PAGE_SIZE
    ) -> api.RecordPage:
        """Read every record after a position; wait up to `wait_ms` where there is none yet."""
        query = {"after": start_position(after), "wait_ms": checked_wait_ms(wait_ms)}
        return await self._read(_RECORDS, "/records", query | {"limit": limit})

    def follow(self, *, after: int = 0) -> AsyncIterator[Record]:
        """Iterate over every record after a position, each exactly once; never ends by itself."""
        return resumed(
            self._stream,
            start_position(after),
            pause_s=self._pause_s,
            over=lambda: self._http.is_closed,
        )

    async def _stream(self, after: int) -> AsyncGenerator[Record]:
        try:
            async with self._http.sse(
                f"{self._path}/records/stream",
                params={"after": after},
                timeout=self._stream_timeout,
                max_event_size=MAX_BODY_BYTES,
            ) as source:
                if not source.response.is_success:
                    await source.response.aread()
                    raise _refused(source.response)
                async for event in source:
                    if event.event == "end":
                        return
                    if event.event == "record":
                        yield _RECORD.validate_json(event.data)
        except httpx2.TransportError as error:
            raise _unreachable(error) from error

    async def trial_balance(
        self,
        *,
        at_position: int | None = None,
        at_time: datetime | None = None,
        effective_at: datetime | None = None,
    ) -> api.TrialBalance:
        """Sum every account per asset; the difference is zero at every position and time."""
        query = present(
            at_position=at_position,
            at_time=_time(at_time, "at_time"),
            effective_at=_time(effective_at, "effective_at"),
        )
        return await self._read(_TOTALS, "/trial-balance", query)

    async def verify(self) -> api.Verification:
        """Recompute every invariant from the stored bytes."""
        return await self._read(_VERIFICATION, "/verification", {})

    # -- the wire ------------------------------------------------------------------------------

    async def _write(
        self, path: str, key: str | None, method: str = "POST", /, **members: Any
    ) -> Record:
        if members.get("metadata") is not None:
            # JSON would make texts of keys that are none.
            members["metadata"] = intake.metadata(members["metadata"])
        answer = await self._send(method, self._path + path, present(**members), key=key)
        record = _RECORD.validate_json(answer.content)
        return _marked(record) if "Idempotency-Replayed" in answer.headers else record

    async def _read[T](self, adapter: TypeAdapter[T], path: str, query: dict[str, Any]) -> T:
        return adapter.validate_json((await self._get(path, query)).content)

    async def _get(self, path: str, query: dict[str, Any]) -> httpx2.Response:
        return await self._send("GET", self._path + path, None, query=query)

    async def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        key: str | None = None,
        query: dict[str, Any] | None = None,
    ) -> httpx2.Response:
        headers = {"Content-Type": "application/json"}
        if key not in (None, ""):
            # Whether one may be missing is for the server to say, in its order.
            headers["Idempotency-Key"] = intake.idempotency_key(key)
        content = None if body is None else _json(body)
        last: Refused | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._pause_s(attempt))
            try:
                answer = await self._http.request(
                    method, path, content=content, headers=headers, params=query
                )
            except httpx2.TransportError as error:
                last = _unreachable(error)
                continue
            if answer.is_success:
                return answer
            last = _refused(answer)
            if answer.status_code not in _TRANSIENT:
                break
        assert last is not None
        raise last

    def _pause_s(self, attempt: int) -> float:
        """Full jitter, as many clients come back at once."""
        longest_ms = min(FIRST_PAUSE_MS * 2**attempt, LONGEST_PAUSE_MS)
        return float(longest_ms * self._jitter() / 1000)


def _json(body: dict[str, Any]) -> bytes:
    """Write a body, also with what is no amount or no text: it is the server that refuses that."""
    try:
        return json.dumps(body, separators=(",", ":"), default=_number).encode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        detail = "the command holds what cannot be written as JSON"
        raise Refused(Refusal(RefusalCode.MALFORMED, detail)) from None


def _number(value: object) -> float:
    """Write a decimal or a fraction as the number that it is, which is refused as an amount."""
    if isinstance(value, Number):
        return float(value)  # type: ignore[arg-type]  # a complex number is a TypeError too
    raise TypeError


def _time(value: datetime | None, field: str) -> str | None:
    return None if value is None else from_us(to_us(value, field)).isoformat()


def _effective(value: datetime | api.Original | None) -> str | None:
    return value if isinstance(value, str) else _time(value, "effective_at")


def _marked(record: Record) -> Record:
    return replace(record, replayed=True)


def _unreachable(error: Exception) -> Refused:
    detail = f"the ledger cannot be reached ({type(error).__name__}); repeat with the same key"
    return Refused(Refusal(RefusalCode.UNAVAILABLE, detail))


def _refused(answer: httpx2.Response) -> Refused:
    """Read a problem back into the refusal that it was."""
    try:
        problem = answer.json()
        code = RefusalCode(problem["code"])
    except (ValueError, KeyError, TypeError):
        detail = f"the server answered {answer.status_code} without a refusal"
        return Refused(Refusal(RefusalCode.UNAVAILABLE, detail))
    available = problem.get("available_minor")
    return Refused(
        Refusal(
            code,
            problem.get("detail", problem["title"]),
            problem.get("field"),
            problem.get("index"),
            None if available is None else int(available),
            problem.get("hold_status"),
        ),
        replayed="Idempotency-Replayed" in answer.headers,
    )
