"""Refusals: a closed set, and which one is given where several apply."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from tests.support.doors import account, fund, head, open_accounts, refused

from tandem.ledger import api

pytestmark = pytest.mark.anyio

_MOST: Final = 2**127 - 1
_LEADING_ZERO: Final[Any] = "01"

_CLOSED: Final = datetime(2020, 1, 1, tzinfo=UTC)


async def prepare(ledger: api.Ledger) -> dict[str, int]:
    """Make accounts in every state, a hold of them, an ended hold, and a transaction."""
    await open_accounts(
        ledger,
        [
            account("frozen"),
            account("closed"),
            account("sek", "SEK/2"),
            account("small", max_balance_minor=10),
            account("full", min_balance_minor=None),
        ],
    )
    await fund(ledger, "wallets:a", 100)
    hold = await ledger.hold(
        [api.debit("wallets:a", 50), api.credit("frozen", 50)], idempotency_key="hold"
    )
    ended = await ledger.hold(
        [api.debit("wallets:a", 1), api.credit("frozen", 1)], idempotency_key="ended"
    )
    await ledger.release(ended.position, idempotency_key="end")
    posted = await fund(ledger, "frozen", 10, "posted")
    other = await fund(ledger, "frozen", 10, "other")
    await ledger.reverse(other.position, idempotency_key="reversed")
    await open_accounts(ledger, [account("source", account_class="asset", min_balance_minor=None)])
    await ledger.transfer(
        debit_account="source", credit_account="full", amount_minor=_MOST, idempotency_key="full"
    )
    await ledger.update_account("frozen", status="frozen", idempotency_key="freeze")
    await ledger.update_account("closed", status="closed", idempotency_key="close")
    await ledger.close_period(through=_CLOSED, idempotency_key="period")
    return {
        "hold": hold.position,
        "ended": ended.position,
        "posted": posted.position,
        "reversed": other.position,
    }


type _Write = Callable[[api.Ledger, dict[str, int]], Awaitable[Any]]


def _post(*entries: api.Entry, key: str = "new", effective_at: datetime | None = None) -> _Write:
    return lambda ledger, _: ledger.post_transaction(
        entries, effective_at=effective_at, idempotency_key=key
    )


def _hold(*entries: api.Entry, **fields: Any) -> _Write:
    return lambda ledger, _: ledger.hold(entries, idempotency_key="new", **fields)


def _capture(hold: str, amount_minor: int) -> _Write:
    return lambda ledger, at: ledger.capture(
        at[hold], amount_minor=amount_minor, idempotency_key="new"
    )


def _reverse(transaction: str, amount_minor: int) -> _Write:
    return lambda ledger, at: ledger.reverse(
        at[transaction], amount_minor=amount_minor, idempotency_key="new"
    )


_debit, _credit = api.debit, api.credit

# Each command is wrong in two ways at least; the code is that of what comes first.
_PRECEDENCE: Final[list[tuple[str, str, int | None, _Write]]] = [
    ("shape before key", "amount_invalid", 0,
     _post(_debit("wallets:a", 0), _credit("wallets:b", 1), key="hold")),
    ("shape before existence", "malformed", None, _hold(
        _debit("nobody", 9), _credit("wallets:b", 9), capture_limit_minor=1)),
    ("malformed before an amount", "malformed", 1,
     _post(_debit("wallets:a", 0), _credit("no address", 1))),
    ("malformed amounts before others", "malformed", 1,
     _post(_debit("wallets:a", 0), _credit("wallets:b", _LEADING_ZERO))),
    ("amounts in order of entries", "amount_overflow", 0,
     _post(_debit("wallets:a", _MOST + 1), _credit("wallets:b", 0))),
    ("amounts before the limit over them", "malformed", None, _hold(
        _debit("wallets:a", 0), _credit("wallets:b", 1), capture_limit_minor="01")),
    ("amounts before a missing key", "amount_invalid", 0,
     _post(_debit("wallets:a", 0), _credit("nobody", 1), key="")),
    ("key before existence", "idempotency_key_reused", None,
     _post(_debit("nobody", 1), _credit("wallets:b", 1), key="hold")),
    ("key before money", "idempotency_key_reused", None,
     _post(_debit("wallets:b", 1), _credit("wallets:a", 1), key="hold")),
    ("existence before state", "account_not_found", 1,
     _post(_debit("frozen", 1), _credit("nobody", 1))),
    ("existence before agreement", "account_not_found", 0,
     _post(_debit("nobody", 1), _credit("wallets:b", 2))),
    ("state in order of entries", "account_closed", 0,
     _post(_debit("closed", 1), _credit("frozen", 1))),
    ("state in order of entries", "account_frozen", 0,
     _post(_debit("frozen", 1), _credit("closed", 1))),
    ("state before agreement", "account_frozen", 1,
     _post(_debit("wallets:a", 1), _credit("frozen", 2))),
    ("state before asset", "account_closed", 1,
     _post(_debit("sek", 1), _credit("closed", 1))),
    ("state before money", "account_frozen", 1,
     _post(_debit("wallets:b", 1), _credit("frozen", 1))),
    ("a hold's state before its bounds", "hold_not_open", None, _capture("ended", 9_999)),
    ("an account's state before a hold's bounds", "account_frozen", 2, _capture("hold", 9_999)),
    ("reversed before state", "already_reversed", None, _reverse("reversed", 9_999)),
    ("an account's state before a reversal's bounds", "account_frozen", 1,
     _reverse("posted", 9_999)),
    ("asset before balance", "asset_mismatch", 0,
     _post(_debit("wallets:a", 1, "SEK/2"), _credit("wallets:b", 2))),
    ("a limit of one asset before balance", "asset_mismatch", None, _hold(
        _debit("wallets:b", 1), _debit("wallets:a", 1), _credit("sek", 3), capture_limit_minor=9)),
    ("a limit of one asset before money", "asset_mismatch", None, _hold(
        _debit("wallets:b", 9), _credit("wallets:a", 9), _debit("sek", 9), _credit("sek", 9),
        capture_limit_minor=18)),
    ("agreement before bounds", "unbalanced", None,
     _post(_debit("wallets:a", 1), _credit("full", _MOST))),
    ("agreement before money", "unbalanced", None,
     _post(_debit("wallets:b", 2), _credit("wallets:a", 1))),
    ("bounds before money", "amount_overflow", 1,
     _post(_debit("wallets:b", 1), _credit("full", 1))),
    ("money in order of entries", "insufficient_funds", 0,
     _post(_debit("wallets:b", 11), _credit("small", 11))),
    ("money in order of entries", "limit_exceeded", 0,
     _post(_credit("small", 11), _debit("wallets:b", 11))),
    ("money before a closed period", "insufficient_funds", 0,
     _post(_debit("wallets:b", 11), _credit("wallets:a", 11), effective_at=_CLOSED)),
    ("a closed period last", "period_closed", None,
     _post(_debit("wallets:a", 1), _credit("wallets:b", 1), effective_at=_CLOSED)),
]  # fmt: skip


async def test_precedence(ledger: api.Ledger) -> None:
    """Where several refusals apply, the documented first one is given, through every door."""
    at = await prepare(ledger)
    wrong = []
    for number, (why, code, index, write) in enumerate(_PRECEDENCE):
        refusal = await refused(write(Numbered(ledger, number), at))
        if (refusal.code, refusal.index) != (code, index):
            wrong.append((why, refusal))
    assert wrong == []
    assert (await ledger.verify()).holds


class Numbered:
    """A ledger that makes the key `new` another one for each case."""

    def __init__(self, ledger: api.Ledger, number: int) -> None:
        self._ledger = ledger
        self._number = number

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def call(*args: Any, idempotency_key: str, **fields: Any) -> Awaitable[Any]:
            key = f"new-{self._number}" if idempotency_key == "new" else idempotency_key
            return method(*args, idempotency_key=key, **fields)  # type: ignore[no-any-return]  # as the method

        return call


async def test_a_refusal_is_a_record(ledger: api.Ledger) -> None:
    """Whatever the state said no to stands in the log under its key, and can be read."""
    refusal = await refused(
        ledger.transfer(
            debit_account="wallets:a",
            credit_account="wallets:b",
            amount_minor=5,
            idempotency_key="broke",
        )
    )
    record = await ledger.transaction(await head(ledger))
    assert (record.kind, record.idempotency_key, record.entries) == ("refusal", "broke", ())
    assert record.refusal == refusal
    assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 0)
    page = await ledger.records(kind="refusal")
    assert [item.refusal for item in page.items] == [refusal]


async def test_available_is_what_could_have_been_spent(ledger: api.Ledger) -> None:
    """The refusal tells it exactly, also beyond what floating point can say."""
    await fund(ledger, "wallets:a", 2**100 + 1)
    refusal = await refused(
        ledger.transfer(
            debit_account="wallets:a",
            credit_account="wallets:b",
            amount_minor=2**100 + 2,
            idempotency_key="more",
        )
    )
    assert refusal.available_minor == 2**100 + 1
    await ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=refusal.available_minor,
        idempotency_key="all",
    )
