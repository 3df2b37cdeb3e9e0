"""Journals: beancount and hledger read them without a fault, to the balances of the ledger."""

import csv
import decimal
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import anyio
import pytest
from beancount import loader
from beancount.core import account as beancount_names
from beancount.core import amount as beancount_amounts
from beancount.core import data, realization
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.clock import VirtualClock
from tests.support.doors import in_process
from tests.support.exchange import export_bytes

from tandem.ledger import commands
from tandem.ledger.api import AccountClass, Ledger, credit, debit
from tandem.ledger.core.accounts import parse_asset
from tandem.ledger.exchange.exporting import Format
from tandem.ledger.exchange.names import (
    beancount_account,
    beancount_address,
    beancount_code,
    beancount_commodity,
    hledger_account,
    hledger_commodity,
)
from tandem.ledger.storage.memory import MemoryStore

# What beancount and hledger count with; the largest amount has 39 digits.
_DIGITS = 80
_HLEDGER = shutil.which("hledger")
_HLEDGER_TIMEOUT_S = 60.0

_segments = st.text("axuAXZ09_-", min_size=1, max_size=5) | st.sampled_from(["X-x", "-u", "x-u"])
_addresses = st.lists(_segments, min_size=1, max_size=3).map(":".join)
_codes = st.sampled_from(["EUR", "A", "A_", "TRUE", "NULL", "X_1", "X", "E__"]) | st.from_regex(
    r"[A-Z][A-Z0-9_]{0,15}", fullmatch=True
)
_classes = st.sampled_from(AccountClass)
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_notes = _texts | st.sampled_from(['"', "\\", "a; b", "date:x", "[2020-01-99]", "a\n  b", "x\r\n*"])


@given(st.sets(st.tuples(_addresses, _classes), min_size=2, max_size=8))
@example({("a_b", AccountClass.ASSET), ("a-ub", AccountClass.ASSET)})
@example({("Cash", AccountClass.ASSET), ("cash", AccountClass.ASSET)})
@example({("x-xa", AccountClass.ASSET), ("X-xa", AccountClass.ASSET), ("a", AccountClass.ASSET)})
def test_names_of_accounts_are_valid_and_apart(pairs: set[tuple[str, AccountClass]]) -> None:
    """Two accounts never get one name, and each name tells whose it is."""
    names = {beancount_account(*pair): pair for pair in pairs}
    assert len(names) == len(pairs)
    for name, pair in names.items():
        assert beancount_names.is_valid(name)
        assert re.fullmatch(r"[A-Z][a-z]+(:[A-Z0-9][A-Za-z0-9-]*)+", name)
        assert beancount_address(name) == pair
    assert len({hledger_account(*pair) for pair in pairs}) == len(pairs)


@given(st.sets(_codes, min_size=2, max_size=8))
def test_names_of_commodities_are_valid_and_apart(codes: set[str]) -> None:
    """Beancount's own pattern, two characters or more, none of its words."""
    names = {beancount_commodity(code): code for code in codes}
    assert len(names) == len(codes)
    for name, code in names.items():
        assert 2 <= len(name) <= 24
        assert re.fullmatch(beancount_amounts.CURRENCY_RE, name)
        assert name not in {"TRUE", "FALSE", "NULL"}
        assert beancount_code(name) == code
    assert len({hledger_commodity(code) for code in codes}) == len(codes)


class _Plan(NamedTuple):
    """A small ledger: accounts (address, class, index of asset) and moves between them."""

    assets: Sequence[str]
    accounts: Sequence[tuple[str, AccountClass, int]]
    moves: Sequence[tuple[int, int, int, str, str, str]]


@st.composite
def _plans(draw: st.DrawFn) -> _Plan:
    codes = draw(st.lists(_codes, min_size=1, max_size=3, unique=True))
    assets = [f"{code}/{draw(st.sampled_from([0, 1, 2, 18]))}" for code in codes]
    addresses = draw(st.lists(_addresses, min_size=2, max_size=6, unique=True))
    # Accounts below accounts: beancount adds them up.
    addresses += [f"{addresses[0]}:{name}" for name in ("b", "c")]
    accounts = [
        (address, draw(_classes), draw(st.integers(0, len(assets) - 1)))
        for address in dict.fromkeys(addresses)
        if len(address) <= 128
    ]
    indexes = st.integers(0, len(accounts) - 1)
    amounts = st.integers(1, 10_000) | st.sampled_from([1, 10**18, 2**120])
    how = st.sampled_from(["post", "self", "hold", "capture", "reverse", "part"])
    moves = st.lists(st.tuples(indexes, indexes, amounts, how, _notes, _notes), max_size=8)
    return _Plan(assets, accounts, draw(moves))


async def _played(ledger: Ledger, plan: _Plan) -> None:
    await ledger.submit_batch(
        [
            commands.open_account(
                address,
                asset=plan.assets[index],
                account_class=account_class,
                idempotency_key=f"open-{address}",
            )
            for address, account_class, index in plan.accounts
        ]
    )
    for number, (source, target, amount_minor, how, reference, note) in enumerate(plan.moves):
        debited = plan.accounts[source]
        of_asset = [account for account in plan.accounts if account[2] == debited[2]]
        credited = debited if how == "self" else of_asset[target % len(of_asset)]
        entries = [debit(debited[0], amount_minor), credit(credited[0], amount_minor)]
        other = plan.accounts[target]
        entries += [debit(other[0], 7), credit(other[0], 7)]
        told: dict[str, Any] = {
            "reference": reference or None,
            "metadata": {note: note},
        }
        key = f"move-{number}"
        if how in ("hold", "capture", "part"):
            held = await ledger.hold(entries, **told, idempotency_key=key)
            if how != "hold":
                part = entries[:2] if how == "part" else None
                await ledger.capture(held.position, entries=part, idempotency_key=f"{key}-take")
        else:
            posted = await ledger.post_transaction(entries, **told, idempotency_key=key)
            if how == "reverse":
                await ledger.reverse(posted.position, idempotency_key=f"{key}-back")


class _Books(NamedTuple):
    text: str
    nets: Mapping[tuple[str, AccountClass], tuple[Decimal, str]]


async def _books(plan: _Plan, format_: Format) -> _Books:
    """Play a plan; give its journal, and each account's debits less credits, with its code."""
    clock = VirtualClock()
    nets = {}
    async with in_process(MemoryStore(clock), clock) as local:
        await _played(local, plan)
        for address, account_class, index in plan.accounts:
            held = await local.balance(address)
            asset = parse_asset(plan.assets[index])
            assert asset is not None
            net_minor = held.posted_debits_minor - held.posted_credits_minor
            nets[address, account_class] = (Decimal(net_minor).scaleb(-asset[1]), asset[0])
        return _Books((await export_bytes(local, format_)).decode(), nets)


def _made(plan: _Plan, format_: Format) -> _Books:
    with decimal.localcontext(prec=_DIGITS):
        made: Callable[[], Any] = lambda: _books(plan, format_)  # noqa: E731 - anyio calls it
        books: _Books = anyio.run(made)
        return books


@settings(max_examples=20)
@given(_plans())
def test_beancount_reads_every_journal(plan: _Plan) -> None:
    """Without an error, its own balance checks included; every account's balance is ours."""
    books = _made(plan, Format.BEANCOUNT)
    with decimal.localcontext(prec=_DIGITS):
        entries, errors, _ = loader.load_string(books.text)
        assert errors == [], books.text
        opened = {entry.account for entry in entries if isinstance(entry, data.Open)}
        asserted = [entry for entry in entries if isinstance(entry, data.Balance)]
        assert len(opened) == len(asserted) == len(books.nets)
        root = realization.realize(entries)  # type: ignore[no-untyped-call]  # beancount has no types
        for (address, account_class), (net, code) in books.nets.items():
            name = beancount_account(address, account_class)
            assert name in opened
            account = realization.get(root, name)  # type: ignore[no-untyped-call]  # as above
            inventory = account.balance
            held = inventory.get_currency_units(beancount_commodity(code)).number
            assert held == net, (name, books.text)
            assert len(inventory) == (1 if net else 0)


def _hledger(text: str, *arguments: str) -> str:
    assert _HLEDGER is not None
    run = subprocess.run(
        [_HLEDGER, "-f", "-", *arguments],
        input=text.encode(),
        capture_output=True,
        check=False,
        timeout=_HLEDGER_TIMEOUT_S,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert run.returncode == 0, run.stderr.decode() + text
    return run.stdout.decode()


@pytest.mark.skipif(_HLEDGER is None, reason="hledger is not installed")
@settings(max_examples=10)
@given(_plans())
def test_hledger_reads_every_journal(plan: _Plan) -> None:
    """Its strict check passes, assertions included; every account's balance is ours."""
    books = _made(plan, Format.HLEDGER)
    if not books.nets:
        return
    _hledger(books.text, "check", "accounts", "commodities", "assertions")
    listed = _hledger(books.text, "balance", "--flat", "-E", "-O", "csv", "--no-total", "-N")
    found = {row["account"]: row["balance"] for row in csv.DictReader(io.StringIO(listed))}
    for (address, account_class), (net, code) in books.nets.items():
        told = found[hledger_account(address, account_class)]
        number = re.match(r"-?[0-9]+\.?[0-9]*", told)
        assert number is not None, told
        assert Decimal(number[0]) == net, (told, books.text)
        assert net == 0 or told.rpartition(" ")[2].strip('"') == code, told
