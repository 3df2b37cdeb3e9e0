"""Anything at all through the doors: a refusal by name or an effect; never a fault, never half."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from tests.support.doors import (
    USUAL_RECORDS,
    LedgerServer,
    Wire,
    code_of,
    fresh_name,
    fund,
    head,
    open_usual,
    refused,
)
from tests.support.fuzz import each

from tandem.ledger import api

pytestmark = pytest.mark.anyio

_scalars: Final = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.text(alphabet="01-.:/ \n\0\u0660\ud800", max_size=6)
)
_json: Final = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)

_ENTRY: Final = {"account": "cash", "direction": "debit", "amount_minor": 1}
_ENTRIES: Final = [_ENTRY, {**_ENTRY, "account": "wallets:a", "direction": "credit"}]
_TRANSFER: Final = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": "1"}
_BODIES: Final[Mapping[str, dict[str, Any]]] = {
    "/accounts": {
        "address": "x", "asset": "EUR/2", "account_class": "asset", "min_balance_minor": -5,
        "max_balance_minor": "7", "metadata": {"a": "b"},
    },
    "/transfers": {**_TRANSFER, "asset": "EUR/2", "reference": "r", "metadata": {"a": "b"}},
    "/transactions": {"entries": _ENTRIES, "reference": "r", "metadata": {"a": "b"}},
    "/holds": {
        "entries": _ENTRIES, "expires_at": "2099-01-01T00:00:00Z", "capture_limit_minor": 9,
        "reference": "r", "metadata": {"a": "b"},
    },
    "/holds/5/captures": {"amount_minor": 1, "final": False, "metadata": {"a": "b"}},
    "/holds/5/releases": {"entries": _ENTRIES, "metadata": {"a": "b"}},
    "/transactions/4/reversals": {
        "amount_minor": 1, "override_limits": True, "reference": "r", "metadata": {"a": "b"},
    },
    "/batches": {
        "mode": "atomic", "commands": [{"kind": "transfer", **_TRANSFER}, {"kind": "transfer"}],
    },
}  # fmt: skip
# Refusals of the shape write nothing; what the state refuses is one record.
_UNWRITTEN: Final = {
    "malformed", "too_large", "amount_invalid", "amount_overflow", "idempotency_key_missing",
}  # fmt: skip


@st.composite
def _bodies(draw: st.DrawFn, whole: Any) -> Any:
    """Put anything in place of a member somewhere, leave one out, or add one."""
    if not isinstance(whole, dict | list) or not whole or draw(st.integers(0, 3)) == 0:
        return draw(_json)
    if isinstance(whole, list):
        at = draw(st.integers(0, len(whole) - 1))
        return [*whole[:at], draw(_bodies(whole[at])), *whole[at + 1 :]]
    name = draw(st.sampled_from(sorted(whole)))
    deed = draw(st.integers(0, 9))
    if deed == 0:
        return {**whole, draw(st.text(max_size=4)): draw(_json)}
    if deed == 1:
        return {key: value for key, value in whole.items() if key != name}
    return {**whole, name: draw(_bodies(whole[name]))}


@pytest.fixture(scope="module")
async def fuzzed(ledger_server: LedgerServer) -> Wire:
    """A ledger on the server with a transaction at 4 and an open hold at 5."""
    name = fresh_name()
    ledger = ledger_server.client(name)
    await ledger.create_ledger()
    await open_usual(ledger)
    await fund(ledger, "wallets:a", 1_000)
    await ledger.hold(
        [api.debit("wallets:a", 500), api.credit("cash", 500)], idempotency_key="hold"
    )
    return Wire(ledger_server, ledger, f"/v1/ledgers/{name}")


@pytest.mark.parametrize("path", list(_BODIES))
async def test_any_body_is_answered(fuzzed: Wire, path: str) -> None:
    """A problem or a success, and the log has grown by as much as was answered."""

    async def check(body: Any) -> None:
        before = await head(fuzzed.ledger)
        answer = await fuzzed.post(path, json.dumps(body))
        grown = await head(fuzzed.ledger) - before
        if answer.is_success:
            assert grown == _effects(body, answer.json())
        elif code_of(answer) in _UNWRITTEN:
            # Some malformed commands can only be told from the state; those are written.
            assert grown <= (answer.json()["code"] in ("malformed", "amount_overflow"))
        else:
            assert 400 <= answer.status_code < 500
            assert grown == 1

    await each(_bodies(_BODIES[path]), check)
    assert (await fuzzed.ledger.trial_balance()).balanced


def _effects(body: dict[str, Any], answer: dict[str, Any]) -> int:
    if "receipts" not in answer:
        return 1
    written = sum("position" in receipt for receipt in answer["receipts"])
    # An atomic batch has a record of its own beside those of its commands.
    return written + (body.get("mode") == "atomic")


async def test_what_was_fuzzed_still_verifies(fuzzed: Wire) -> None:
    """After all of that every invariant holds, and the ledger works."""
    assert (await fuzzed.ledger.verify()).holds
    assert not (await fund(fuzzed.ledger, "wallets:a", 1)).replayed


@pytest.mark.parametrize("path", ["/transfers", "/batches"])
async def test_any_bytes_are_answered(fuzzed: Wire, path: str) -> None:
    """What is no JSON object of the route is malformed and writes nothing."""
    before = await head(fuzzed.ledger)

    async def check(body: bytes) -> None:
        assert code_of(await fuzzed.post(path, body)) == "malformed"

    texts = st.text(max_size=60).map(lambda text: text.encode("utf-16"))
    await each(st.binary(max_size=60) | texts, check)
    assert await head(fuzzed.ledger) == before


async def test_any_text_is_a_cursor_or_malformed(shared_ledger: api.Ledger) -> None:
    """Through every door, of either listing: a page after it, or a refusal that names it."""

    async def check(cursor: str) -> None:
        for call in (shared_ledger.records, shared_ledger.accounts):
            try:
                page: Any = await call(cursor=cursor)
            except api.Refused as error:
                refusal = error.refusal
            else:
                assert len(page.items) <= 100
                continue
            assert (refusal.code, refusal.field) == ("malformed", "cursor")

    await each(st.text(max_size=24) | st.text("abcdefgrMQ0123456789-_=", max_size=24), check)


@pytest.mark.parametrize("limit", [1, 2, USUAL_RECORDS - 1])
async def test_cursors_come_round(shared_ledger: api.Ledger, limit: int) -> None:
    """A page's cursor goes on exactly after it, whatever its size; a longer one is none."""
    for call in (shared_ledger.records, shared_ledger.accounts):
        first: Any = await call(limit=limit)
        rest: Any = await call(cursor=first.next_cursor)
        everything: Any = await call()
        assert first.items + rest.items == everything.items
        assert (await refused(call(cursor=first.next_cursor + "!"))).field == "cursor"


_times: Final = st.text(max_size=30) | st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9.:+Z-]{0,16}"
)


async def test_any_text_is_a_time_or_malformed(fuzzed: Wire) -> None:
    """In a body and in a query alike: nothing but RFC 3339 with an offset is a time."""

    async def check(time: str) -> None:
        before = await head(fuzzed.ledger)
        answer = await fuzzed.post("/holds", {"entries": _ENTRIES, "expires_at": time})
        if not answer.is_success:
            assert code_of(answer) == "malformed"
        url = f"{fuzzed.path}/accounts/cash/balance"
        read = await fuzzed.server.http.get(url, params={"at_time": time})
        if not read.is_success:
            assert code_of(read) in ("malformed", "account_not_found")
        assert await head(fuzzed.ledger) <= before + 1

    await each(_times, check)
