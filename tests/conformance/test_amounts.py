"""Amounts: integers in minor units, 1 to 2^127-1; everything else is refused by name."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import pytest
from tests.support.doors import USUAL_RECORDS, Wire, available, code_of, fund, head, refused

from tandem.ledger import api

pytestmark = pytest.mark.anyio

MOST: Final = 2**127 - 1

# What a caller of the SDK may hand over, and what it is called.
REFUSED: Final[list[tuple[Any, str]]] = [
    (0, "amount_invalid"),
    (-1, "amount_invalid"),
    (-(2**127), "amount_invalid"),
    ("0", "amount_invalid"),
    ("-0", "amount_invalid"),
    ("-5", "amount_invalid"),
    (1.0, "amount_invalid"),
    (0.5, "amount_invalid"),
    (1e3, "amount_invalid"),
    ("1.0", "amount_invalid"),
    ("1.5", "amount_invalid"),
    ("1e3", "amount_invalid"),
    ("1E+3", "amount_invalid"),
    (float("nan"), "amount_invalid"),
    (float("inf"), "amount_invalid"),
    (float("-inf"), "amount_invalid"),
    ("NaN", "amount_invalid"),
    ("Infinity", "amount_invalid"),
    ("-inf", "amount_invalid"),
    (True, "amount_invalid"),
    (False, "amount_invalid"),
    (Decimal(5), "amount_invalid"),
    (Decimal("1.5"), "amount_invalid"),
    (Fraction(3, 2), "amount_invalid"),
    (MOST + 1, "amount_overflow"),
    (10**4_000, "amount_overflow"),
    (str(MOST + 1), "amount_overflow"),
    ("9" * 39, "amount_overflow"),
    ("9" * 100_000, "amount_overflow"),
    (None, "malformed"),
    ("", "malformed"),
    ("01", "malformed"),
    ("007", "malformed"),
    ("-01", "malformed"),
    ("+5", "malformed"),
    (" 5", "malformed"),
    ("5 ", "malformed"),
    ("5\n", "malformed"),
    ("5\0", "malformed"),
    ("\u0663", "malformed"),
    ("\uff15", "malformed"),
    ("1\u0663", "malformed"),
    ("1_000", "malformed"),
    ("1,000", "malformed"),
    ("1 000", "malformed"),
    (".5", "malformed"),
    ("5.", "malformed"),
    ("0x10", "malformed"),
    ("five", "malformed"),
    ("\ud800", "malformed"),
    ("1." + "0" * 1_000, "malformed"),
    ([], "malformed"),
    ([5], "malformed"),
    ({}, "malformed"),
    ({"amount": 5}, "malformed"),
    (b"5", "malformed"),
]


def _name(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "int-huge"
    return f"{type(value).__name__}-{ascii(value)[:24]}"


@pytest.mark.parametrize(("amount", "code"), REFUSED, ids=map(_name, [v for v, _ in REFUSED]))
async def test_what_is_no_amount_is_refused_and_writes_nothing(
    shared_ledger: api.Ledger, amount: Any, code: str
) -> None:
    """Through every door the same value has the same name, and the log does not grow."""
    refusal = await refused(fund(shared_ledger, "wallets:a", amount))
    assert refusal.code == code
    assert refusal.field == "amount_minor" or isinstance(amount, bytes)
    refusal = await refused(
        shared_ledger.post_transaction(
            [api.debit("cash", 1), api.credit("wallets:a", amount)], idempotency_key="entries"
        )
    )
    assert refusal.code == code
    assert await head(shared_ledger) == USUAL_RECORDS


@pytest.mark.parametrize("amount", [1, "1", 250, "250", MOST, str(MOST)], ids=str)
async def test_integers_and_their_digits_are_amounts(ledger: api.Ledger, amount: Any) -> None:
    """From the least to the greatest an amount goes in and comes back as the same integer."""
    record = await fund(ledger, "wallets:a", amount)
    assert [entry.amount_minor for entry in record.entries] == [int(amount)] * 2
    assert await available(ledger, "wallets:a") == int(amount)
    assert await ledger.transaction(record.position) == record


_EVERYWHERE: Final[dict[Any, str]] = {
    0: "amount_invalid",
    -1: "amount_invalid",
    1.5: "amount_invalid",
    "1.5": "amount_invalid",
    "1e3": "amount_invalid",
    MOST + 1: "amount_overflow",
    "01": "malformed",
    "\u0663": "malformed",
    " 5": "malformed",
}

type _Site = Callable[[api.Ledger, Any, api.Record], Awaitable[Any]]

_SITES: Final[dict[str, _Site]] = {
    "hold": lambda ledger, bad, _: ledger.hold(
        [api.debit("wallets:a", bad), api.credit("wallets:b", 1)], idempotency_key="x"
    ),
    "capture_limit": lambda ledger, bad, _: ledger.hold(
        [api.debit("wallets:a", 1), api.credit("wallets:b", 1)],
        capture_limit_minor=bad,
        idempotency_key="x",
    ),
    "capture": lambda ledger, bad, hold: ledger.capture(
        hold.position, amount_minor=bad, idempotency_key="x"
    ),
    "capture_entries": lambda ledger, bad, hold: ledger.capture(
        hold.position,
        entries=[api.debit("wallets:a", 1), api.credit("wallets:b", bad)],
        idempotency_key="x",
    ),
    "release": lambda ledger, bad, hold: ledger.release(
        hold.position, amount_minor=bad, idempotency_key="x"
    ),
    "reverse": lambda ledger, bad, hold: ledger.reverse(
        hold.position - 1, amount_minor=bad, idempotency_key="x"
    ),
}


async def test_every_amount_is_read_alike(ledger: api.Ledger) -> None:
    """Wherever a command has an amount, it is refused by the same name and nothing is written."""
    await fund(ledger, "wallets:a", 10)
    hold = await ledger.hold(
        [api.debit("wallets:a", 5), api.credit("wallets:b", 5)], idempotency_key="hold"
    )
    for site, write in _SITES.items():
        for amount, code in _EVERYWHERE.items():
            refusal = await refused(write(ledger, amount, hold))
            assert (site, amount, refusal.code) == (site, amount, code)
    assert await head(ledger) == hold.position


@pytest.mark.parametrize("field", ["min_balance_minor", "max_balance_minor"])
@pytest.mark.parametrize(
    ("limit", "code"),
    [(1.5, "malformed"), (True, "malformed"), ("01", "malformed"), ("-0", "malformed"),
     (" 5", "malformed"), ("\u0663", "malformed"), ("1e3", "malformed"), ([], "malformed"),
     (float("nan"), "malformed"), ("9" * 1_000, "malformed"),
     (2**127, "amount_overflow"), (-(2**127), "amount_overflow"),
     (str(2**127), "amount_overflow")],
    ids=_name,
)  # fmt: skip
async def test_limits_are_signed_integers(
    shared_ledger: api.Ledger, field: str, limit: Any, code: str
) -> None:
    """A limit may be zero or negative, and is otherwise as strict as an amount."""
    options = {field: limit}
    opening = shared_ledger.open_account(
        "x", asset="EUR/2", account_class="liability", idempotency_key="open", **options
    )
    assert (await refused(opening)).code == code
    updating = shared_ledger.update_account("wallets:a", idempotency_key="update", **options)
    assert (await refused(updating)).code == code
    assert await head(shared_ledger) == USUAL_RECORDS


async def test_limits_go_as_far_as_amounts(ledger: api.Ledger) -> None:
    """The widest limits are taken, as integers or digits, and read back exactly."""
    account = await ledger.open_account(
        "x",
        asset="EUR/2",
        account_class="liability",
        min_balance_minor=-MOST,
        max_balance_minor=MOST,
        idempotency_key="open",
    )
    assert (account.min_balance_minor, account.max_balance_minor) == (-MOST, MOST)
    assert await ledger.account("x") == account


async def test_no_running_total_passes_the_greatest_amount(ledger: api.Ledger) -> None:
    """A total may reach 2^127-1 and not pass it, be it posted or pending; the entry is named."""
    await fund(ledger, "wallets:a", MOST)
    refusal = await refused(fund(ledger, "wallets:b", 1))
    assert (refusal.code, refusal.index) == ("amount_overflow", 0)
    refusal = await refused(
        ledger.transfer(
            debit_account="wallets:b",
            credit_account="wallets:a",
            amount_minor=1,
            idempotency_key="into",
        )
    )
    assert (refusal.code, refusal.index) == ("amount_overflow", 1)
    moved = await ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=MOST,
        idempotency_key="all",
    )
    assert [entry.posted_debits_minor for entry in moved.entries] == [MOST, 0]
    entries = [api.debit("wallets:b", MOST), api.credit("cash", MOST)]
    await ledger.hold(entries, idempotency_key="hold")
    refusal = await refused(
        ledger.hold([api.debit("wallets:b", 1), api.credit("cash", 1)], idempotency_key="more")
    )
    assert (refusal.code, refusal.index) == ("amount_overflow", 0)


# The same as bytes of JSON, where a number has more spellings than Python gives it.
_ON_THE_WIRE: Final = [
    ("0", "amount_invalid"),
    ("-0", "amount_invalid"),
    ("-1", "amount_invalid"),
    ("1.0", "amount_invalid"),
    ("5.0", "amount_invalid"),
    ("1e3", "amount_invalid"),
    ("1E3", "amount_invalid"),
    ("1e400", "amount_invalid"),
    ("-1e400", "amount_invalid"),
    ("NaN", "amount_invalid"),
    ("Infinity", "amount_invalid"),
    ("-Infinity", "amount_invalid"),
    ("true", "amount_invalid"),
    ("false", "amount_invalid"),
    ('"NaN"', "amount_invalid"),
    ('"1.0"', "amount_invalid"),
    (str(MOST + 1), "amount_overflow"),
    ("9" * 4_000, "amount_overflow"),
    (f'"{MOST + 1}"', "amount_overflow"),
    (f'"{"9" * 200_000}"', "amount_overflow"),
    ("9" * 5_000, "malformed"),
    ("null", "malformed"),
    ("[]", "malformed"),
    ("[1]", "malformed"),
    ("{}", "malformed"),
    ('""', "malformed"),
    ('"01"', "malformed"),
    ("01", "malformed"),
    ("+1", "malformed"),
    (".5", "malformed"),
    ('" 5"', "malformed"),
    ('"5\\n"', "malformed"),
    ('"\\u0000"', "malformed"),
    ('"\\u0663"', "malformed"),
    ('"\u0663"', "malformed"),
    ('"\\ud800"', "malformed"),
    ("0x10", "malformed"),
    ("nan", "malformed"),
    ("", "malformed"),
]


@pytest.mark.parametrize(("written", "code"), _ON_THE_WIRE, ids=[w[:24] for w, _ in _ON_THE_WIRE])
async def test_amounts_on_the_wire(shared_wire: Wire, written: str, code: str) -> None:
    """Each JSON spelling gets its name and status, alone, among entries and in batches."""
    accounts = '"debit_account":"cash","credit_account":"wallets:a"'
    transfer = f'{{{accounts},"amount_minor":{written}}}'
    assert code_of(await shared_wire.post("/transfers", transfer)) == code
    entries = (
        '{"entries":[{"account":"cash","direction":"debit","amount_minor":1},'
        f'{{"account":"wallets:a","direction":"credit","amount_minor":{written}}}]}}'
    )
    answer = await shared_wire.post("/transactions", entries)
    assert code_of(answer) == code
    assert answer.json().get("index", 1) == 1
    command = f'{{"kind":"transfer",{accounts},"amount_minor":{written}}}'
    atomic = f'{{"mode":"atomic","commands":[{command}]}}'
    assert code_of(await shared_wire.post("/batches", atomic)) == code
    keyed = command.replace("{", '{"idempotency_key":"k",', 1)
    answer = await shared_wire.post("/batches", f'{{"commands":[{keyed}]}}')
    if answer.status_code == 200:
        (receipt,) = answer.json()["receipts"]
        assert receipt["refusal"]["code"] == code
    else:
        assert code_of(answer) == code
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_a_missing_amount_is_malformed(shared_wire: Wire) -> None:
    """Leaving an amount out is no way to move everything."""
    body = {"debit_account": "cash", "credit_account": "wallets:a"}
    answer = await shared_wire.post("/transfers", body)
    assert (code_of(answer), answer.json()["field"]) == ("malformed", "amount_minor")
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_amounts_come_out_as_digits(wire: Wire) -> None:
    """In answers every amount is a string of digits, so that no JSON reader rounds it."""
    body = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": MOST}
    answer = await wire.post("/transfers", body)
    assert answer.status_code == 201
    entry = answer.json()["entries"][1]
    assert entry["amount_minor"] == entry["posted_credits_minor"] == str(MOST)
    balance = (await wire.get("/accounts/wallets:a/balance")).json()
    assert (balance["available_minor"], balance["posted_debits_minor"]) == (str(MOST), "0")
