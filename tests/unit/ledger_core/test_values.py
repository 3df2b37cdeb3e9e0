"""Small values of the core: amounts and limits at their bounds, balances, accounts, refusals."""

from dataclasses import replace
from typing import Final

import pytest

from tandem.ledger.core import intake
from tandem.ledger.core.accounts import (
    Account,
    AccountClass,
    AccountStatus,
    is_address,
    parse_asset,
)
from tandem.ledger.core.amounts import parse_amount, parse_limit
from tandem.ledger.core.canonical import decode, encode, fingerprint
from tandem.ledger.core.commands import Command
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import Balance, Record, after
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_OVER: Final = Refusal(RefusalCode.AMOUNT_OVERFLOW, "an amount is at most 2^127-1", "amount_minor")


class _Minor(int):
    """An integer of a caller's own type."""


def test_amounts_and_limits_reach_their_bounds() -> None:
    """And a text of any length is refused by its length, never converted."""
    assert parse_amount(1) == parse_amount("1") == parse_amount(_Minor(1)) == 1
    assert parse_amount(MAX_AMOUNT_MINOR) == parse_amount(str(MAX_AMOUNT_MINOR)) == MAX_AMOUNT_MINOR
    assert type(parse_amount(_Minor(1))) is int
    assert parse_amount("9" * 5_000) == _OVER  # Python itself refuses to read so many digits
    assert parse_amount(MAX_AMOUNT_MINOR + 1) == _OVER
    for bound in (MAX_AMOUNT_MINOR, -MAX_AMOUNT_MINOR, 0):
        assert parse_limit(bound, "x") == parse_limit(str(bound), "x") == bound
    assert parse_limit(None, "x") is None
    assert parse_limit("9" * 5_000, "x") == Refusal(
        RefusalCode.MALFORMED, "x is an integer in the minor unit", "x"
    )


def test_balances_are_positive_on_the_normal_side() -> None:
    """Pending outflow is not available; pending inflow counts for nothing."""
    balance = Balance(100, 30, 5, 7)
    assert balance.available(debit_normal=True) == 63
    assert balance.available(debit_normal=False) == -75
    assert balance.posted(debit_normal=True) == 70
    assert balance.posted(debit_normal=False) == -70


@pytest.mark.parametrize(("effect", "totals"), [
    (Effect.POST_DEBIT, (13, 20, 30, 40)),
    (Effect.POST_CREDIT, (10, 23, 30, 40)),
    (Effect.HOLD_DEBIT, (10, 20, 33, 40)),
    (Effect.HOLD_CREDIT, (10, 20, 30, 43)),
    (Effect.CAPTURE_DEBIT, (13, 20, 27, 40)),
    (Effect.CAPTURE_CREDIT, (10, 23, 30, 37)),
    (Effect.RELEASE_DEBIT, (10, 20, 27, 40)),
    (Effect.RELEASE_CREDIT, (10, 20, 30, 37)),
])  # fmt: skip
def test_what_an_effect_does_to_the_totals(effect: Effect, totals: tuple[int, ...]) -> None:
    """Captures move from pending to posted, releases only give back."""
    assert after(Balance(10, 20, 30, 40), effect, 3) == Balance(*totals)


_ACCOUNT: Final = Account(
    1, "a", "EUR/2", AccountClass.EQUITY, False, None, None, AccountStatus.OPEN, 2, 3
)


def test_an_account_knows_whether_it_has_a_bound() -> None:
    """Zero is one; it is no part of what accounts are compared by."""
    assert not replace(_ACCOUNT).limited
    assert replace(_ACCOUNT, min_balance_minor=0).limited
    assert replace(_ACCOUNT, max_balance_minor=0).limited
    normal = [one.value for one in AccountClass if one.debit_normal]
    assert normal == ["asset", "expense"]


def test_an_account_without_metadata_is_read_back_with_none() -> None:
    """An empty object, not the lack of one."""
    record = Record(2, 3, RecordKind.OPEN_ACCOUNT, None, None, account=_ACCOUNT)
    body = encode(record)
    assert "metadata" not in body
    read = decode(body).account
    assert read is not None
    assert read.metadata == {}


def test_addresses_and_assets_at_their_bounds() -> None:
    """128 characters; 16 of a code; a scale of 18."""
    assert is_address("a" * 128)
    assert not is_address("a" * 129)
    assert not is_address(5)
    assert parse_asset("A" * 16 + "/18") == ("A" * 16, 18)
    assert parse_asset("EUR/0") == ("EUR", 0)
    for wrong in ("A" * 17 + "/0", "EUR/19", "EUR/02", "EUR", None, 5):
        assert parse_asset(wrong) is None


def test_a_refusal_that_is_raised_says_what_it_says() -> None:
    """Code and words; whether it is an old one is told too."""
    first, again = Refused(_OVER), Refused(_OVER, replayed=True)
    assert str(first) == str(again) == "amount_overflow: an amount is at most 2^127-1"
    assert (first.refusal, first.code) == (_OVER, RefusalCode.AMOUNT_OVERFLOW)
    assert (first.replayed, again.replayed) == (False, True)


def test_the_effective_time_is_part_of_what_is_asked() -> None:
    """Of captures and reversals too, to which it came later."""
    captures = [intake.capture("k", 1, effective_at_us=at_us) for at_us in (None, 1, 2)]
    reversals = [intake.reverse("k", 1, effective_at_us=at) for at in (None, 1, "original")]
    asked: list[Command] = [*captures, *reversals]
    assert len({fingerprint(command) for command in asked}) == 6
