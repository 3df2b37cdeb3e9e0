"""Precedence: every two neighbours of the documented order at once, and the first one is given."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from tests.conformance.test_refusals import prepare
from tests.support.clock import VirtualClock
from tests.support.doors import (
    LedgerServer,
    Wire,
    api_of,
    code_of,
    fresh_name,
    fund,
    open_usual,
    refused,
)

from tandem.ledger import api
from tandem.ledger.core.limits import MAX_BODY_BYTES, MAX_ENTRIES_PER_TRANSACTION
from tandem.ledger.core.refusals import PRECEDENCE, RefusalCode
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.postgres import PostgresStore
from tandem.platform.auth import Permission
from tandem.platform.http.serving import HttpServer

pytestmark = pytest.mark.anyio

_DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "reference" / "refusals.md"
_MOST: Final = 2**127 - 1
_TOO_MANY: Final = MAX_ENTRIES_PER_TRANSACTION + 1
_TRANSFER: Final = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": 1}
_debit, _credit = api.debit, api.credit

type _At = dict[str, int]
type _Write = Callable[[api.Ledger, _At], Awaitable[Any]]


class _Case(NamedTuple):
    """What is given, what applies as well, and a write that is wrong in both ways."""

    given: str
    beside: str
    write: _Write


def _post(given: str, beside: str, *entries: api.Entry, key: str = "new") -> _Case:
    return _Case(
        given, beside, lambda ledger, _: ledger.post_transaction(entries, idempotency_key=key)
    )


def _many(account: str, amount_minor: int) -> list[api.Entry]:
    return [_debit(account, amount_minor)] * _TOO_MANY


_CASES: Final = [
    _post("too_large", "malformed", *_many("no address", 1)),
    _post("malformed", "amount_invalid", _debit("cash", 0), _credit("no address", 1)),
    _post("malformed", "amount_overflow", _debit("cash", _MOST + 1), _credit("no address", 1)),
    _post("amount_invalid", "idempotency_key_missing",
          _debit("cash", 0), _credit("wallets:a", 1), key=""),
    _post("amount_overflow", "idempotency_key_missing",
          _debit("cash", _MOST + 1), _credit("wallets:a", 1), key=""),
    _post("idempotency_key_reused", "account_not_found",
          _debit("nobody", 1), _credit("wallets:a", 1), key="hold"),
    _Case("idempotency_key_reused", "account_exists", lambda ledger, _: ledger.open_account(
        "cash", asset="EUR/2", account_class="asset", idempotency_key="hold")),
    _Case("idempotency_key_reused", "hold_not_found",
          lambda ledger, at: ledger.capture(at["posted"], idempotency_key="hold")),
    _Case("idempotency_key_reused", "transaction_not_found",
          lambda ledger, at: ledger.reverse(at["hold"], idempotency_key="hold")),
    # What is not found has no state: neighbours are told apart where another entry has one.
    _post("account_not_found", "account_frozen", _debit("frozen", 1), _credit("nobody", 1)),
    _post("account_not_found", "account_closed", _debit("closed", 1), _credit("nobody", 1)),
    _Case("account_exists", "asset_mismatch", lambda ledger, _: ledger.open_account(
        "cash", asset="EUR/3", account_class="asset", idempotency_key="new")),
    _Case("hold_not_open", "account_frozen", lambda ledger, at: ledger.capture(
        at["ended"], amount_minor=1, idempotency_key="new")),
    _Case("already_reversed", "account_frozen", lambda ledger, at: ledger.reverse(
        at["reversed"], amount_minor=1, idempotency_key="new")),
    _post("account_closed", "asset_mismatch", _debit("closed", 1), _credit("sek", 1)),
    _post("account_frozen", "asset_mismatch", _debit("frozen", 1), _credit("sek", 1)),
    _post("asset_mismatch", "unbalanced", _debit("wallets:a", 1, "SEK/2"), _credit("wallets:b", 2)),
    _Case("unbalanced", "capture_exceeds_hold", lambda ledger, at: ledger.capture(
        at["free"], entries=[_debit("wallets:a", 99), _credit("wallets:b", 98)],
        idempotency_key="new")),
    _Case("unbalanced", "reversal_exceeds_original", lambda ledger, at: ledger.reverse(
        at["paid"], entries=[_debit("cash", 99), _credit("wallets:a", 98)],
        idempotency_key="new")),
    _Case("capture_exceeds_hold", "amount_overflow", lambda ledger, at: ledger.capture(
        at["full"], amount_minor=_MOST, idempotency_key="new")),
    _Case("reversal_exceeds_original", "amount_overflow", lambda ledger, at: ledger.reverse(
        at["brim"], amount_minor=_MOST, idempotency_key="new")),
    _post("amount_overflow", "insufficient_funds", _debit("wallets:b", 1), _credit("full", 1)),
    _post("amount_overflow", "limit_exceeded",
          _debit("cash", 1), _credit("full", 1), _debit("cash", 11), _credit("small", 11)),
]  # fmt: skip

# Ranks whose cases need HTTP alone, or a ledger that stops; and one of another module's.
_ELSEWHERE: Final = {
    ("unauthenticated", "forbidden"),
    ("forbidden", "ledger_not_found"),
    ("ledger_not_found", "too_large"),
    ("idempotency_key_missing", "unavailable"),
    ("unavailable", "idempotency_key_reused"),
    ("insufficient_funds", "period_closed"),
}


def _ranks(code: str) -> set[int]:
    return {rank for rank, codes in enumerate(PRECEDENCE) if code in codes}


def test_every_two_neighbours_are_provoked() -> None:
    """The cases go through the order without a gap, and the order through the codes."""
    assert {code for codes in PRECEDENCE for code in codes} == set(RefusalCode)
    pairs = {(case.given, case.beside) for case in _CASES} | _ELSEWHERE
    ranks = {
        (one, two) for given, beside in pairs for one in _ranks(given) for two in _ranks(beside)
    }
    # An account that is there is found: existence has a neighbour in the state of a hold only
    # where the hold is another command's, so its cases skip that rank.
    found = next(iter(_ranks("account_not_found")))
    missing = set(pairwise(range(len(PRECEDENCE)))) - ranks
    assert missing == {(found, found + 1)}
    assert (found, found + 2) in ranks


def test_the_order_is_documented() -> None:
    """The page lists the ranks as the code has them."""
    lines = re.findall(r"^[0-9]+\. (.*)$", _DOCUMENT.read_text("utf-8"), re.MULTILINE)
    documented = [set(re.findall(r"`([a-z_]+)`", line)) for line in lines]
    assert documented == [{str(code) for code in codes} for codes in PRECEDENCE]


async def _stage(ledger: api.Ledger) -> _At:
    """Add holds and transactions of accounts that are free, and of one that is full."""
    at = await prepare(ledger)
    free = [_debit("wallets:a", 5), _credit("wallets:b", 5)]
    at["free"] = (await ledger.hold(free, idempotency_key="free")).position
    at["paid"] = (await fund(ledger, "wallets:a", 7, "paid")).position
    back = await ledger.transfer(
        debit_account="full", credit_account="cash", amount_minor=1, idempotency_key="brim"
    )
    at["brim"] = back.position
    brim = [_debit("full", 1), _credit("cash", 1)]
    at["full"] = (await ledger.hold(brim, idempotency_key="full-hold")).position
    return at


@pytest.mark.parametrize("case", _CASES, ids=[f"{case.given}-{case.beside}" for case in _CASES])
async def test_the_first_of_two_neighbours_is_given(ledger: api.Ledger, case: _Case) -> None:
    """Through every door, whichever entry or member each of them is about."""
    at = await _stage(ledger)
    assert (await refused(case.write(ledger, at))).code == case.given


async def test_callers_before_ledgers_before_commands(ledger_server: LedgerServer) -> None:
    """Who asks is looked at first, then which ledger, then what is asked."""
    nowhere = f"/v1/ledgers/{fresh_name()}"
    entry = {"account": "cash", "direction": "debit", "amount_minor": 1}
    too_many = {"entries": [entry] * _TOO_MANY}
    reader = await ledger_server.keys.create_key("reader", [Permission.READ])

    async def code(path: str, token: str | None) -> str:
        headers = {"Idempotency-Key": "key"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return code_of(await ledger_server.http.post(path, json=too_many, headers=headers))

    assert await code(f"{nowhere}/transactions", "unknown") == "unauthenticated"
    assert await code(f"{nowhere}/transactions", reader) == "forbidden"
    assert await code(f"{nowhere}/transactions", None) == "ledger_not_found"


@pytest.mark.parametrize(
    ("body", "code"), [(b'{"broken', "malformed"), (b" " * (MAX_BODY_BYTES + 1), "too_large")]
)
async def test_what_can_not_be_read_comes_before_all(
    shared_wire: Wire, body: bytes, code: str
) -> None:
    """As documented: nobody is asked for a key to a body that is none."""
    assert code_of(await shared_wire.post("/transfers", body, Authorization="Bearer x")) == code


async def test_an_override_is_asked_about_between_amounts_and_key(wire: Wire) -> None:
    """By itself and in either batch: its shape first, then the permission, then the key."""
    token = await wire.server.keys.create_key("writer", [Permission.READ, Permission.WRITE])
    headers = {"Authorization": f"Bearer {token}", "Idempotency_Key": None}
    for amount_minor, code in ((0, "amount_invalid"), (1, "forbidden")):
        body = {"override_limits": True, "amount_minor": amount_minor}
        answer = await wire.post("/transactions/1/reversals", body, **headers)
        assert code_of(answer) == code
        members = {"kind": "reversal", "transaction": 1, **body}
        batch = {"mode": "atomic", "commands": [members]}
        assert code_of(await wire.post("/batches", batch, **headers)) == code
        answer = await wire.post("/batches", {"commands": [members]}, **headers)
        assert answer.json()["receipts"][0]["refusal"]["code"] == code


# -- a ledger that stops -------------------------------------------------------------------------


@asynccontextmanager
async def _stopped(
    store: MemoryStore | PostgresStore, clock: VirtualClock
) -> AsyncIterator[tuple[LedgerService, LocalLedger]]:
    """A ledger that used the key `used` and takes no more."""
    service = LedgerService(store, clock)
    ledger = await service.create_ledger(fresh_name())
    await open_usual(ledger)
    await fund(ledger, "wallets:a", 9, "used")
    await service.close()
    yield service, ledger


@pytest.mark.parametrize(
    ("key", "code"), [("", "idempotency_key_missing"), ("used", "unavailable")]
)
async def test_a_ledger_that_stops_looks_at_no_key(
    timed: LocalLedger, clock: VirtualClock, key: str, code: str
) -> None:
    """That a key is there is the shape; whose it is cannot be known any more."""
    store: Any = timed._store
    async with _stopped(store, clock) as (_, ledger):
        write = ledger.transfer(
            debit_account="cash", credit_account="wallets:a", amount_minor=1, idempotency_key=key
        )
        assert (await refused(write)).code == code


@pytest.mark.parametrize(
    ("key", "code"), [(None, "idempotency_key_missing"), ("used", "unavailable")]
)
async def test_a_ledger_that_stops_looks_at_no_key_on_the_wire(
    postgres_store: PostgresStore,
    ledger_server: LedgerServer,
    clock: VirtualClock,
    key: str | None,
    code: str,
) -> None:
    """Over HTTP as in process, and whoever is told `unavailable` is told when to come again."""
    async with _stopped(postgres_store, clock) as (service, ledger):
        async with HttpServer(api_of(service, ledger_server), host="127.0.0.1", port=0) as server:
            url = f"{server.url}/v1/ledgers/{ledger.name}/transfers"
            headers = {} if key is None else {"Idempotency-Key": key}
            answer = await ledger_server.http.post(url, json=_TRANSFER, headers=headers)
        assert code_of(answer) == code
        assert ("Retry-After" in answer.headers) == (code == "unavailable")
