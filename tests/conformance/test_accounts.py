"""Accounts: opening, freezing, closing, limits; addresses, assets and metadata."""

from typing import Any

import pytest
from tests.support.doors import (
    USUAL_RECORDS,
    account,
    available,
    fund,
    head,
    open_accounts,
    refused,
)

from tandem.ledger import api

pytestmark = pytest.mark.anyio


def _spend(ledger: api.Ledger, amount_minor: int, key: str = "spend") -> Any:
    return ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=amount_minor,
        idempotency_key=key,
    )


async def test_an_account_is_what_was_asked_for(ledger: api.Ledger) -> None:
    """Opening tells the account as it is stored, and a look-up tells the same."""
    opened = await ledger.open_account(
        "customers:42:wallet",
        asset="EUR/2",
        account_class="liability",
        min_balance_minor=-50,
        max_balance_minor="1000",
        metadata={"name": "Åsa <&> \U0001f6b2", "\u00e4": ""},
        idempotency_key="open",
    )
    assert opened.opened_position == USUAL_RECORDS + 1
    assert (opened.min_balance_minor, opened.max_balance_minor) == (-50, 1000)
    assert (opened.account_class, opened.status, opened.asset) == ("liability", "open", "EUR/2")
    assert opened.metadata == {"name": "Åsa <&> \U0001f6b2", "\u00e4": ""}
    assert await ledger.account("customers:42:wallet") == opened
    record = await ledger.transaction(opened.opened_position)
    assert (record.kind, record.account) == ("open_account", opened)
    assert record.recorded_at == opened.opened_at


async def test_an_address_is_taken_once(ledger: api.Ledger) -> None:
    """A second account at an address is refused, whatever its asset."""
    refusal = await refused(
        ledger.open_account(
            "wallets:a", asset="SEK/2", account_class="asset", idempotency_key="again"
        )
    )
    assert (refusal.code, refusal.field) == ("account_exists", "address")


@pytest.mark.parametrize("account_class", list(api.AccountClass))
async def test_the_class_fixes_the_normal_side(ledger: api.Ledger, account_class: str) -> None:
    """A debit raises assets and expenses and lowers the rest."""
    await open_accounts(ledger, [account("x", account_class=account_class, min_balance_minor=None)])
    await ledger.transfer(
        debit_account="x", credit_account="wallets:a", amount_minor=7, idempotency_key="t"
    )
    balance = await ledger.balance("x")
    sign = 1 if account_class in ("asset", "expense") else -1
    assert balance.balance_minor == balance.available_minor == 7 * sign


async def test_a_scale_belongs_to_an_asset(ledger: api.Ledger) -> None:
    """One code has one scale in a ledger; another code may have another."""
    refusal = await refused(
        ledger.open_account("x", asset="EUR/3", account_class="asset", idempotency_key="three")
    )
    assert (refusal.code, refusal.field) == ("asset_mismatch", "asset")
    opened = await ledger.open_account(
        "x", asset="BTC/18", account_class="asset", idempotency_key="other"
    )
    assert opened.asset == "BTC/18"


async def test_limits_bound_outflow_and_inflow(ledger: api.Ledger) -> None:
    """Outflow is held to the least available balance, inflow to the greatest posted one."""
    await open_accounts(ledger, [account("x", min_balance_minor=-10, max_balance_minor=100)])
    refusal = await refused(fund(ledger, "x", 101))
    assert (refusal.code, refusal.field, refusal.index) == ("limit_exceeded", "account", 1)
    await fund(ledger, "x", 100)
    refusal = await refused(
        ledger.transfer(
            debit_account="x", credit_account="cash", amount_minor=111, idempotency_key="all"
        )
    )
    assert (refusal.code, refusal.index, refusal.available_minor) == ("insufficient_funds", 0, 110)
    await ledger.transfer(
        debit_account="x", credit_account="cash", amount_minor=110, idempotency_key="most"
    )
    assert await available(ledger, "x") == -10


async def test_pending_outflow_counts_and_pending_inflow_does_not(ledger: api.Ledger) -> None:
    """What is held can not be spent; what somebody else holds for us not yet."""
    await fund(ledger, "wallets:a", 100)
    entries = [api.debit("wallets:a", 60), api.credit("wallets:b", 60)]
    await ledger.hold(entries, idempotency_key="hold")
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (40, 0)
    assert (await ledger.balance("wallets:a")).balance_minor == 100
    refusal = await refused(_spend(ledger, 41))
    assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 40)
    await _spend(ledger, 40, "forty")


async def test_a_limit_may_be_changed_and_lifted(ledger: api.Ledger) -> None:
    """None keeps a limit, "none" lifts it, and an account past a new one may only recover."""
    await fund(ledger, "wallets:a", 10)
    changed = await ledger.update_account(
        "wallets:a", min_balance_minor=100, max_balance_minor=200, idempotency_key="1"
    )
    assert (changed.min_balance_minor, changed.max_balance_minor) == (100, 200)
    assert (await refused(_spend(ledger, 1))).available_minor == 0
    await fund(ledger, "wallets:a", 5)
    kept = await ledger.update_account("wallets:a", metadata={"tier": "b"}, idempotency_key="2")
    assert (kept.min_balance_minor, kept.max_balance_minor) == (100, 200)
    lifted = await ledger.update_account(
        "wallets:a", min_balance_minor="none", max_balance_minor="none", idempotency_key="3"
    )
    assert (lifted.min_balance_minor, lifted.max_balance_minor) == (None, None)
    assert lifted.metadata == {"tier": "b"}
    await _spend(ledger, 1_000, "overdraft")
    assert await available(ledger, "wallets:a") == -985


async def test_limits_that_exclude_each_other_are_refused(ledger: api.Ledger) -> None:
    """The least balance is never above the greatest, neither at opening nor by a change."""
    opening = ledger.open_account(
        "x",
        asset="EUR/2",
        account_class="liability",
        min_balance_minor=2,
        max_balance_minor=1,
        idempotency_key="x",
    )
    assert (await refused(opening)).code == "malformed"
    await ledger.update_account("wallets:a", max_balance_minor=5, idempotency_key="5")
    changing = ledger.update_account("wallets:a", min_balance_minor=6, idempotency_key="6")
    assert (await refused(changing)).code == "malformed"


async def test_a_frozen_account_takes_nothing_new(ledger: api.Ledger) -> None:
    """No outflow, no inflow, no hold; but what was reserved before can be captured and released."""
    await fund(ledger, "wallets:a", 100)
    hold = await ledger.hold(
        [api.debit("wallets:a", 50), api.credit("wallets:b", 50)], idempotency_key="hold"
    )
    frozen = await ledger.update_account("wallets:a", status="frozen", idempotency_key="freeze")
    assert frozen.status == "frozen"
    for index, write in enumerate(
        (
            _spend(ledger, 1),
            fund(ledger, "wallets:a", 1),
            ledger.hold(
                [api.debit("wallets:a", 1), api.credit("cash", 1)], idempotency_key="another"
            ),
        )
    ):
        refusal = await refused(write)
        assert (refusal.code, refusal.index) == ("account_frozen", 1 if index == 1 else 0)
    await ledger.capture(hold.position, amount_minor=20, idempotency_key="capture")
    await ledger.release(hold.position, idempotency_key="release")
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (80, 20)
    await ledger.update_account("wallets:a", status="open", idempotency_key="thaw")
    await _spend(ledger, 80, "again")


async def test_a_frozen_receiver_stops_a_capture(ledger: api.Ledger) -> None:
    """The inflow of a capture is inflow; releasing the hold still works."""
    await fund(ledger, "wallets:a", 10)
    hold = await ledger.hold(
        [api.debit("wallets:a", 10), api.credit("wallets:b", 10)], idempotency_key="hold"
    )
    await ledger.update_account("wallets:b", status="frozen", idempotency_key="freeze")
    refusal = await refused(ledger.capture(hold.position, idempotency_key="capture"))
    assert (refusal.code, refusal.index) == ("account_frozen", 1)
    await ledger.release(hold.position, idempotency_key="release")
    assert await available(ledger, "wallets:a") == 10


async def test_an_account_closes_only_empty_and_for_ever(ledger: api.Ledger) -> None:
    """A balance or anything pending keeps it open; closed it takes nothing and stays closed."""
    await fund(ledger, "wallets:a", 10)
    closing = ledger.update_account("wallets:a", status="closed", idempotency_key="1")
    assert (await refused(closing)).code == "account_not_empty"
    hold = await ledger.hold(
        [api.debit("wallets:a", 10), api.credit("wallets:b", 10)], idempotency_key="hold"
    )
    closing = ledger.update_account("wallets:b", status="closed", idempotency_key="2")
    assert (await refused(closing)).code == "account_not_empty"
    await ledger.release(hold.position, idempotency_key="release")
    closed = await ledger.update_account("wallets:b", status="closed", idempotency_key="3")
    assert closed.status == "closed"
    assert (await refused(fund(ledger, "wallets:b", 1))).code == "account_closed"
    opening = ledger.update_account("wallets:b", status="open", idempotency_key="4")
    assert (await refused(opening)).code == "account_closed"
    assert await available(ledger, "wallets:b") == 0


async def test_every_change_is_a_record(ledger: api.Ledger) -> None:
    """The log holds the account after each change; an earlier record still tells the earlier."""
    await ledger.update_account("wallets:a", status="frozen", idempotency_key="1")
    await ledger.update_account(
        "wallets:a", status="open", metadata={"n": "2"}, idempotency_key="2"
    )
    page = await ledger.records(kind="update_account")
    statuses = [record.account.status for record in page.items if record.account is not None]
    assert statuses == ["frozen", "open"]
    assert page.items[1].account == await ledger.account("wallets:a")


async def test_unknown_accounts_are_not_found(ledger: api.Ledger) -> None:
    """Changing, reading and posting to an account that was never opened is refused by name."""
    for write in (
        ledger.update_account("nobody", status="frozen", idempotency_key="1"),
        ledger.account("nobody"),
        ledger.balance("nobody"),
        ledger.records(account="nobody"),
        fund(ledger, "nobody", 1),
    ):
        assert (await refused(write)).code == "account_not_found"


_BAD_ADDRESSES: list[Any] = [
    "", ":", "a:", ":a", "a::b", "a b", "a/b", "a.b", "a\n", "\u00e4", "a\0", "\ud800", "a" * 129,
    "..", "%61", "a?b", "a#b", None, 5, ["a"],
]  # fmt: skip


@pytest.mark.parametrize("address", _BAD_ADDRESSES, ids=lambda value: ascii(value)[:20])
async def test_what_is_no_address_is_malformed(shared_ledger: api.Ledger, address: Any) -> None:
    """Segments of ASCII letters, digits, `_` and `-` joined by colons, at most 128 characters."""
    for call in (
        shared_ledger.open_account(
            address, asset="EUR/2", account_class="asset", idempotency_key="o"
        ),
        shared_ledger.update_account(address, status="frozen", idempotency_key="u"),
        shared_ledger.transfer(
            debit_account=address, credit_account="cash", amount_minor=1, idempotency_key="t"
        ),
        shared_ledger.post_transaction(
            [api.debit("cash", 1), api.credit(address, 1)], idempotency_key="p"
        ),
        shared_ledger.account(address),
        shared_ledger.balance(address),
    ):
        assert (await refused(call)).code == "malformed"
    assert await head(shared_ledger) == USUAL_RECORDS


@pytest.mark.parametrize("address", ["a", "A-9_z", "a:b:c:d", "-", "1", "a" * 128])
async def test_what_is_an_address_is_taken(ledger: api.Ledger, address: str) -> None:
    """The widest and the narrowest addresses open and can be read."""
    await open_accounts(ledger, [account("x")])
    opened = await ledger.open_account(
        address, asset="EUR/2", account_class="asset", idempotency_key="o"
    )
    assert (opened.address, (await ledger.account(address)).address) == (address, address)


_BAD_ASSETS: list[Any] = [
    "", "EUR", "EUR/", "/2", "eur/2", "EUR/02", "EUR/-1", "EUR/19", "EUR/2 ", "EUR/2\n", "EUR/2.0",
    "1EUR/2", "E" * 17 + "/2", "EUR/\u0662", "EUR/2/2", None, 2, ["EUR/2"],
]  # fmt: skip


@pytest.mark.parametrize("asset", _BAD_ASSETS, ids=lambda value: ascii(value)[:20])
async def test_what_is_no_asset_is_malformed(shared_ledger: api.Ledger, asset: Any) -> None:
    """An asset is written CODE/scale with a scale of at most 18 digits."""
    opening = shared_ledger.open_account(
        "x", asset=asset, account_class="asset", idempotency_key="o"
    )
    assert (await refused(opening)).code == "malformed"
    if asset is not None:
        moving = shared_ledger.transfer(
            debit_account="cash",
            credit_account="wallets:a",
            amount_minor=1,
            asset=asset,
            idempotency_key="t",
        )
        assert (await refused(moving)).code == "malformed"
    assert await head(shared_ledger) == USUAL_RECORDS


_BAD_METADATA: list[Any] = [
    {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": {"b": "c"}}, {1: "a"}, {"a\0": "b"}, {"a": "b\0"},
    {"a": "\ud800"}, {"\udfff": "a"}, {"a" * 65: "b"}, {"a": "b" * 1_025}, "text", ["a"], 5,
    {str(number): "x" for number in range(65)},
]  # fmt: skip


@pytest.mark.parametrize("metadata", _BAD_METADATA, ids=lambda value: ascii(value)[:24])
async def test_what_is_no_metadata_is_malformed(shared_ledger: api.Ledger, metadata: Any) -> None:
    """Texts by text: valid Unicode without NUL, 64 keys of 64 characters, values of 1,024."""
    entries = [api.debit("cash", 1), api.credit("wallets:a", 1)]
    for call in (
        shared_ledger.open_account(
            "x", asset="EUR/2", account_class="asset", metadata=metadata, idempotency_key="o"
        ),
        shared_ledger.update_account("cash", metadata=metadata, idempotency_key="u"),
        shared_ledger.post_transaction(entries, metadata=metadata, idempotency_key="p"),
        shared_ledger.hold(entries, metadata=metadata, idempotency_key="h"),
    ):
        refusal = await refused(call)
        assert refusal.code == "malformed"
        assert refusal.field is not None
        assert refusal.field.startswith("metadata")
    assert await head(shared_ledger) == USUAL_RECORDS


async def test_metadata_comes_back_as_it_was(ledger: api.Ledger) -> None:
    """Any Unicode, quotes, markup and controls survive, at the full size that is allowed."""
    metadata = {f"{number:02}" + "k" * 62: "v" * 1_024 for number in range(60)}
    metadata |= {
        "": "empty key",
        "<&>\"'\\": "\u2028\u2029\x7f\x01\t\r\n",
        "\U0001f6b2": "é e\u0301",
    }
    record = await ledger.post_transaction(
        [api.debit("cash", 1), api.credit("wallets:a", 1)],
        metadata=metadata,
        reference="\U0001f6b2 \\N \\. \t 'x'",
        idempotency_key="\\N",
    )
    assert (record.metadata, record.reference) == (metadata, "\U0001f6b2 \\N \\. \t 'x'")
    assert await ledger.transaction(record.position) == record
    assert (await ledger.verify()).holds


@pytest.mark.parametrize("reference", ["", "x" * 129, "a\0", "\ud800", 5, ["x"]], ids=ascii)
async def test_what_is_no_reference_is_malformed(shared_ledger: api.Ledger, reference: Any) -> None:
    """A reference is a text of 1 to 128 characters without NUL."""
    refusal = await refused(
        shared_ledger.transfer(
            debit_account="cash",
            credit_account="wallets:a",
            amount_minor=1,
            reference=reference,
            idempotency_key="t",
        )
    )
    assert (refusal.code, refusal.field) == ("malformed", "reference")
