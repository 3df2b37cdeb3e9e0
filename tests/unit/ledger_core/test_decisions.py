"""What decisions write, field by field, and where exactly they turn from yes to no."""

from typing import Any, Final

import pytest
from tests.property.ledger_core.test_decide import Book

from tandem.ledger.core import intake
from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.canonical import fingerprint
from tandem.ledger.core.commands import Command, SingleCommand
from tandem.ledger.core.decide import Replay, decide, expire
from tandem.ledger.core.decide.decide import answer_again
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.parents import fold
from tandem.ledger.core.records import ZERO, Balance, Entry, Record
from tandem.ledger.core.refusals import Refusal, RefusalCode

_M: Final = {"m": "n"}
type _Raw = tuple[Any, Any, Any, Any]


def _pair(payer: str, payee: str, amount: int, asset: str | None = None) -> list[_Raw]:
    return [(payer, "debit", amount, asset), (payee, "credit", amount, asset)]


def _decided(book: Book, command: Command, now_us: int = 0) -> tuple[Record, ...]:
    outcome = decide(book.state, command, max(now_us, book.state.recorded_at_us + 1))
    assert isinstance(outcome, tuple)
    assert all(isinstance(record, Record) for record in outcome)
    return outcome


def _refusal(book: Book, command: Command, now_us: int = 0) -> Refusal | None:
    """What it is told, without taking it in."""
    return _decided(book, command, now_us)[0].refusal


# -- accounts ------------------------------------------------------------------------------------


@pytest.fixture
def book() -> Book:
    """Accounts without money."""
    return Book()


def test_an_account_is_opened_as_asked(book: Book) -> None:
    """Everything of it stands in the record, and the next one has the next number."""
    book.state.accounts.update({"x": None, "y": None})
    book.state.assets["NOK"] = None
    command = intake.open_account("k", "x", "EUR/2", "income", -3, 4, _M)
    number, position = book.state.next_account_number, book.state.position + 1
    record = book.made(command, 1_000)
    account = Account(
        number, "x", "EUR/2", AccountClass.INCOME, False, -3, 4, AccountStatus.OPEN,
        position, 1_000, _M,
    )  # fmt: skip
    assert record == Record(
        position, 1_000, RecordKind.OPEN_ACCOUNT, "k", fingerprint(command), account=account
    )
    assert book.state.balances["x"] == ZERO
    second = book.made(intake.open_account(None, "y", "NOK/3", "expense"), 1_001)
    assert second.account is not None
    assert (second.account.number, second.account.debit_normal) == (number + 1, True)
    assert second.fingerprint is None
    assert book.state.assets["NOK"] == 3


def test_what_an_update_does_not_name_stays(book: Book) -> None:
    """Each field changes alone; "none" lifts a limit; metadata is replaced as a whole."""
    book.state.accounts["x"] = None
    before = book.made(intake.open_account(None, "x", "EUR/2", "income", 1, 9, _M)).account
    assert before is not None
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}),
        ({"status": "frozen"}, {"status": AccountStatus.FROZEN}),
        ({"status": "open"}, {"status": AccountStatus.OPEN}),
        ({"min_balance_minor": 9}, {"min_balance_minor": 9}),
        ({"max_balance_minor": "none"}, {"max_balance_minor": None}),
        ({"min_balance_minor": "none"}, {"min_balance_minor": None}),
        ({"max_balance_minor": 0}, {"max_balance_minor": 0}),
        ({"min_balance_minor": 0}, {"min_balance_minor": 0}),
        ({"metadata_": {}}, {"metadata": {}}),
        ({"metadata_": {"o": "p"}}, {"metadata": {"o": "p"}}),
        ({"status": "closed"}, {"status": AccountStatus.CLOSED}),
    ]
    expected = {name: getattr(before, name) for name in Account.__slots__ if name != "limited"}
    for asked, changed in steps:
        command = intake.update_account("k" if not asked else None, "x", **asked)
        position = book.state.position + 1
        record = book.made(command)
        expected |= changed
        assert record.account is not None
        assert {name: getattr(record.account, name) for name in expected} == expected
        assert (record.kind, record.position) == (RecordKind.UPDATE_ACCOUNT, position)
        assert record.fingerprint == (fingerprint(command) if not asked else None)
        assert book.state.accounts["x"] == record.account


def test_only_an_empty_account_is_closed(book: Book) -> None:
    """Equal totals are none; pending ones on either side are some."""
    close = intake.update_account(None, "b", "closed")
    for totals, closes in (
        (Balance(0, 0, 0, 0), True),
        (Balance(7, 7, 0, 0), True),
        (Balance(7, 6, 0, 0), False),
        (Balance(6, 7, 0, 0), False),
        (Balance(7, 7, 1, 0), False),
        (Balance(7, 7, 0, 1), False),
    ):
        book.state.balances["b"] = totals
        assert (_refusal(book, close) is None) is closes
    # Only closing asks for it.
    assert _refusal(book, intake.update_account(None, "b", "frozen")) is None


def test_an_asset_has_one_scale(book: Book) -> None:
    """The scale that is known is the scale; a new asset may have any."""
    for address in ("x", "y"):
        book.state.accounts[address] = None
    assert _refusal(book, intake.open_account(None, "x", "EUR/2", "asset")) is None
    assert _refusal(book, intake.open_account(None, "x", "EUR/1", "asset")) == Refusal(
        RefusalCode.ASSET_MISMATCH, "EUR has scale 2 in this ledger", "asset"
    )
    book.state.assets["NOK"] = None
    assert _refusal(book, intake.open_account(None, "x", "NOK/0", "asset")) is None


# -- money ---------------------------------------------------------------------------------------


def test_a_transaction_is_written_as_asked(book: Book) -> None:
    """It has a fingerprint only where assets are named; the rest can be read off the entries."""
    plain = intake.post("k", _pair("cash", "a", 5), "r", _M, 7)
    named = intake.post("l", _pair("cash", "a", 5, "EUR/2"))
    position = book.state.position + 1
    entries = (
        Entry("cash", Effect.POST_DEBIT, 5, Balance(5, 0, 0, 0)),
        Entry("a", Effect.POST_CREDIT, 5, Balance(0, 5, 0, 0)),
    )
    (record,) = _decided(book, plain, 1_000)
    assert record == Record(
        position, 1_000, RecordKind.TRANSACTION, "k", None, entries, None, "r", _M,
        effective_at_us=7,
    )  # fmt: skip
    (record,) = _decided(book, named, 1_000)
    assert record == Record(
        position, 1_000, RecordKind.TRANSACTION, "l", fingerprint(named), entries
    )


def test_a_limit_holds_to_the_unit(book: Book) -> None:
    """Exactly the bound passes, one more does not; an account past it may only come nearer."""
    book.made(intake.post(None, _pair("cash", "a", 100)))
    book.made(intake.post(None, _pair("cash", "b", 200)))
    assert _refusal(book, intake.post(None, _pair("a", "cash", 100))) is None
    assert _refusal(book, intake.post(None, _pair("a", "cash", 101))) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "a has 100 available", "account", 0, 100
    )
    assert _refusal(book, intake.post(None, _pair("cash", "b", 1))) == Refusal(
        RefusalCode.LIMIT_EXCEEDED, "b may hold at most 200", "account", 1
    )
    book.made(intake.update_account(None, "a", None, 150))
    book.made(intake.update_account(None, "b", None, None, 150))
    # Past a new bound: out of the one and into the other is refused, the other way is not.
    assert _refusal(book, intake.post(None, _pair("a", "b", 1))) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "a has 0 available", "account", 0, 0
    )
    assert _refusal(book, intake.post(None, _pair("b", "a", 1))) is None
    assert _refusal(book, intake.post(None, _pair("cash", "a", 1))) is None
    assert _refusal(book, intake.post(None, _pair("b", "cash", 1))) is None


def test_limits_of_a_debit_normal_account(book: Book) -> None:
    """Debits fill it and credits empty it: the other side of the same bounds."""
    book.made(intake.update_account(None, "c", None, 0))
    book.made(intake.post(None, _pair("c", "cash", 100)))
    assert _refusal(book, intake.post(None, _pair("c", "cash", 1))) == Refusal(
        RefusalCode.LIMIT_EXCEEDED, "c may hold at most 100", "account", 0
    )
    assert _refusal(book, intake.post(None, _pair("cash", "c", 100))) is None
    assert _refusal(book, intake.post(None, _pair("cash", "c", 101))) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "c has 100 available", "account", 1, 100
    )
    book.made(intake.update_account(None, "c", None, 150, "none"))
    assert _refusal(book, intake.post(None, _pair("c", "cash", 1))) is None
    assert _refusal(book, intake.post(None, _pair("cash", "c", 1))) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "c has 0 available", "account", 1, 0
    )
    book.made(intake.update_account(None, "c", None, "none", 50))
    assert _refusal(book, intake.post(None, _pair("cash", "c", 1))) is None


def test_limits_are_of_the_whole_transaction(book: Book) -> None:
    """What an account gets in a later entry it may spend in an earlier one."""
    through = [*_pair("a", "b", 5), *_pair("cash", "a", 5)]
    assert _refusal(book, intake.post(None, through)) is None
    short = [*_pair("a", "b", 6), *_pair("cash", "a", 5)]
    assert _refusal(book, intake.post(None, [*short])) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "a has 0 available", "account", 0, 0
    )
    # The index is of the entry, among several and in another asset too.
    mixed = [*_pair("sek", "sek:a", 1), *_pair("a", "cash", 1)]
    assert _refusal(book, intake.post(None, mixed)) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "a has 0 available", "account", 2, 0
    )


def test_held_money_is_not_available_and_awaited_money_is_not_there(book: Book) -> None:
    """Pending outflow counts against the least balance, pending inflow against nothing."""
    book.made(intake.post(None, _pair("cash", "a", 10)))
    hold = book.made(intake.place_hold(None, _pair("a", "c", 4)))
    assert _refusal(book, intake.post(None, _pair("a", "cash", 6))) is None
    assert _refusal(book, intake.post(None, _pair("a", "cash", 7))) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "a has 6 available", "account", 0, 6
    )
    assert book.state.balances["a"] == Balance(0, 10, 4, 0)
    assert book.state.balances["c"] == Balance(0, 0, 0, 4)
    assert hold.effective_at_us is None


def test_totals_may_reach_the_greatest_amount(book: Book) -> None:
    """In one asset and in several; the entry that would pass it is named."""
    book.state.balances["cash"] = Balance(MAX_AMOUNT_MINOR - 5, 0, 0, 0)
    for rest in ([], _pair("sek", "sek:a", 1)):
        fits = intake.post(None, [*rest, *_pair("cash", "a", 5)])
        assert _refusal(book, fits) is None
        over = intake.post(None, [*rest, *_pair("cash", "a", 6)])
        assert _refusal(book, over) == Refusal(
            RefusalCode.AMOUNT_OVERFLOW,
            "a running total of cash would pass 2^127-1",
            "amount_minor",
            len(rest),
        )


def test_pending_totals_may_reach_the_greatest_amount(book: Book) -> None:
    """Of each side by itself, as posted ones."""
    book.made(intake.place_hold(None, _pair("cash", "c", MAX_AMOUNT_MINOR - 5)))
    for payer, payee in (("cash", "b"), ("b", "c")):
        book.made(intake.update_account(None, "b", None, "none", "none"))
        assert _refusal(book, intake.place_hold(None, _pair(payer, payee, 5))) is None
        told = _refusal(book, intake.place_hold(None, _pair(payer, payee, 6)))
        assert told is not None
        assert told.code is RefusalCode.AMOUNT_OVERFLOW


def test_several_assets_in_one_transaction(book: Book) -> None:
    """Each balances by itself; the totals of an account run on from entry to entry."""
    entries = [*_pair("sek", "sek:a", 3), *_pair("cash", "a", 4), *_pair("cash", "a", 5)]
    record = book.made(intake.post(None, entries))
    assert record.entries == (
        Entry("sek", Effect.POST_DEBIT, 3, Balance(3, 0, 0, 0)),
        Entry("sek:a", Effect.POST_CREDIT, 3, Balance(0, 3, 0, 0)),
        Entry("cash", Effect.POST_DEBIT, 4, Balance(4, 0, 0, 0)),
        Entry("a", Effect.POST_CREDIT, 4, Balance(0, 4, 0, 0)),
        Entry("cash", Effect.POST_DEBIT, 5, Balance(9, 0, 0, 0)),
        Entry("a", Effect.POST_CREDIT, 5, Balance(0, 9, 0, 0)),
    )
    uneven = [("cash", "debit", 3, None), ("a", "credit", 1, None), ("sek", "debit", 2, None)]
    assert _refusal(book, intake.post(None, uneven)) == Refusal(
        RefusalCode.UNBALANCED, "debits exceed credits in EUR/2 by 2, SEK/2 by 2", "entries"
    )
    half = [*_pair("cash", "a", 1), ("sek", "debit", 2, None)]
    assert _refusal(book, intake.post(None, half)) == Refusal(
        RefusalCode.UNBALANCED, "debits exceed credits in SEK/2 by 2", "entries"
    )


def test_which_account_is_missing(book: Book) -> None:
    """The first one is named, by its entry."""
    for address in ("nobody", "none"):
        book.state.accounts[address] = None
    for entries, address, index in (
        (_pair("nobody", "none", 1), "nobody", 0),
        (_pair("a", "none", 1), "none", 1),
    ):
        assert _refusal(book, intake.post(None, entries)) == Refusal(
            RefusalCode.ACCOUNT_NOT_FOUND, f"no account {address}", "account", index
        )


# -- frozen accounts -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", [("a", "cash"), ("cash", "a"), ("c", "cash"), ("cash", "c")])
def test_a_freeze_lets_out_what_was_reserved(book: Book, way: tuple[str, str]) -> None:
    """Captured outflow and releases pass a frozen account; captured inflow and anything new not."""
    payer, payee = way
    if payer == "a":
        book.made(intake.post(None, _pair("cash", "a", 50)))
    hold = book.made(intake.place_hold(None, _pair(payer, payee, 5)))
    address = payer if payer != "cash" else payee
    book.made(intake.update_account(None, address, "frozen"))
    account = book.state.accounts[address]
    assert account is not None
    index = 0 if payer == address else 1
    told = Refusal(RefusalCode.ACCOUNT_FROZEN, f"{address} is frozen", "account", index)
    # Debits take out of a credit-normal account, and credits out of a debit-normal one.
    outflow = account.debit_normal == (index == 1)
    captured = _refusal(book, intake.capture(None, hold.position))
    assert captured == (None if outflow else told)
    assert _refusal(book, intake.release(None, hold.position)) is None
    assert _refusal(book, intake.post(None, _pair(payer, payee, 1))) == told
    assert _refusal(book, intake.place_hold(None, _pair(payer, payee, 1))) == told


def test_a_reserved_entry_hides_no_frozen_one(book: Book) -> None:
    """What may leave the one frozen account may still not come into the other."""
    book.made(intake.post(None, _pair("cash", "a", 9)))
    hold = book.made(intake.place_hold(None, _pair("a", "b", 5))).position
    book.made(intake.update_account(None, "a", "frozen"))
    assert _refusal(book, intake.capture(None, hold)) is None
    book.made(intake.update_account(None, "b", "frozen"))
    assert _refusal(book, intake.capture(None, hold)) == Refusal(
        RefusalCode.ACCOUNT_FROZEN, "b is frozen", "account", 1
    )


# -- holds ---------------------------------------------------------------------------------------


def test_holds_and_what_follows_them_are_written_as_asked(book: Book) -> None:
    """Each record names its parent, and says what was asked of it."""
    book.made(intake.post(None, _pair("cash", "a", 50)))
    hold = intake.place_hold("h", _pair("a", "b", 9), 2_000_000, 12, "r", _M)
    capture = intake.capture("c", book.state.position + 1, 4, None, False, _M)
    final = intake.capture("f", book.state.position + 1, 1, None, True)
    at = book.state.position + 1
    commands: list[tuple[SingleCommand, RecordKind, dict[str, Any]]] = [
        (hold, RecordKind.HOLD,
         {"reference": "r", "metadata": _M, "expires_at_us": 2_000_000,
          "capture_limit_minor": 12}),
        (capture, RecordKind.CAPTURE, {"parent": at, "metadata": _M}),
        (intake.release("l", at, 2, None, _M), RecordKind.RELEASE, {"parent": at, "metadata": _M}),
        (final, RecordKind.CAPTURE, {"parent": at, "final": True}),
        (intake.reverse("v", at + 1, 3, None, True, "s", _M), RecordKind.REVERSAL,
         {"parent": at + 1, "reference": "s", "metadata": _M, "override_limits": True}),
    ]  # fmt: skip
    for command, kind, fields in commands:
        position, now_us = book.state.position + 1, book.state.recorded_at_us + 7
        record = book.made(command, now_us)
        digest = fingerprint(command)
        entries = record.entries
        assert record == Record(position, now_us, kind, command.key, digest, entries, **fields)
    _, captured, released, ended, reversed_ = book.log[-5:]
    assert [entry[:3] for entry in captured.entries] == [
        ("a", Effect.CAPTURE_DEBIT, 4), ("b", Effect.CAPTURE_CREDIT, 4)
    ]  # fmt: skip
    assert [entry[:3] for entry in released.entries] == [
        ("a", Effect.RELEASE_DEBIT, 2), ("b", Effect.RELEASE_CREDIT, 2)
    ]  # fmt: skip
    assert [entry[:3] for entry in ended.entries] == [
        ("a", Effect.CAPTURE_DEBIT, 1), ("b", Effect.CAPTURE_CREDIT, 1),
        ("a", Effect.RELEASE_DEBIT, 2), ("b", Effect.RELEASE_CREDIT, 2),
    ]  # fmt: skip
    assert [entry[:3] for entry in reversed_.entries] == [
        ("a", Effect.POST_CREDIT, 3), ("b", Effect.POST_DEBIT, 3)
    ]  # fmt: skip


def test_a_limit_is_at_least_what_is_debited(book: Book) -> None:
    """Told before the entries turn out uneven; credits do not count; assets without one may mix."""
    for debit, credit, code in (
        (5, 3, RefusalCode.MALFORMED), (3, 5, RefusalCode.UNBALANCED), (4, 4, None)
    ):  # fmt: skip
        raw = [("cash", "debit", debit, None), ("c", "credit", credit, None)]
        told = _refusal(book, intake.place_hold(None, raw, None, 4))
        assert (told and told.code) == code
    two = [*_pair("cash", "c", 5), *_pair("sek", "sek:a", 5)]
    assert _refusal(book, intake.place_hold(None, two)) is None


def test_one_side_named_twice_is_the_sum(book: Book) -> None:
    """Of a capture as of everything: entries of one side of one account add up."""
    hold = book.made(intake.place_hold(None, _pair("cash", "c", 9)))
    twice = [("cash", "debit", 2, "EUR/2"), ("cash", "debit", 3, None), ("c", "credit", 5, None)]
    record = book.made(intake.capture(None, hold.position, None, twice))
    assert [entry[:3] for entry in record.entries] == [
        ("cash", Effect.CAPTURE_DEBIT, 5), ("c", Effect.CAPTURE_CREDIT, 5)
    ]  # fmt: skip
    # Where one of them names another asset, that counts for the sum.
    wrong = [("cash", "debit", 2, "SEK/2"), ("cash", "debit", 2, None), ("c", "credit", 4, None)]
    told = _refusal(book, intake.capture(None, hold.position, None, wrong))
    assert told is not None
    assert told.code is RefusalCode.ASSET_MISMATCH


def test_what_a_capture_above_the_hold_may_not_do(book: Book) -> None:
    """Take all of nothing, more than the limit, or leave what does not balance."""
    spent = book.made(intake.place_hold(None, _pair("cash", "c", 4), None, 6)).position
    book.made(intake.capture(None, spent, 4))
    exceeded = RefusalCode.CAPTURE_EXCEEDS_HOLD
    assert _refusal(book, intake.capture(None, spent)) == Refusal(
        exceeded, f"nothing of hold {spent} is left", "hold"
    )
    assert _refusal(book, intake.capture(None, spent, 2)) is None
    assert _refusal(book, intake.capture(None, spent, 3)) == Refusal(
        exceeded, f"hold {spent} can capture 2 more", "amount_minor"
    )
    raw = [("cash", "debit", 4, None), ("b", "credit", 2, None), ("c", "credit", 2, None)]
    hold = book.made(intake.place_hold(None, raw, None, 10)).position
    uneven = [("cash", "debit", 5, None), ("b", "credit", 5, None)]
    assert _refusal(book, intake.capture(None, hold, None, uneven)) == Refusal(
        exceeded,
        f"what hold {hold} covers of the debits and of the credits differs",
        "entries",
    )
    other = [("cash", "debit", 1, None), ("a", "credit", 1, None)]
    for ask in (intake.capture(None, hold, None, other), intake.release(None, hold, None, other)):
        assert _refusal(book, ask) == Refusal(exceeded, f"{hold} has no credit of a", "entries", 1)
    even = [("cash", "debit", 6, None), ("b", "credit", 3, None), ("c", "credit", 3, None)]
    assert _refusal(book, intake.capture(None, hold, None, even)) is None


def test_a_reversal_may_override_limits(book: Book) -> None:
    """Only where it is asked to."""
    paid = book.made(intake.post(None, _pair("cash", "a", 9))).position
    book.made(intake.post(None, _pair("a", "cash", 9)))
    assert _refusal(book, intake.reverse(None, paid)) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "a has 0 available", "account", 1, 0
    )
    assert _refusal(book, intake.reverse(None, paid, None, None, True)) is None
    # So of several assets.
    both = [*_pair("cash", "a", 9), *_pair("sek", "sek:a", 9)]
    mixed = book.made(intake.post(None, both)).position
    book.made(intake.post(None, _pair("sek:a", "sek", 9)))
    assert _refusal(book, intake.reverse(None, mixed)) == Refusal(
        RefusalCode.INSUFFICIENT_FUNDS, "sek:a has 0 available", "account", 3, 0
    )
    assert _refusal(book, intake.reverse(None, mixed, None, None, True)) is None


def test_a_hold_expires_to_the_microsecond(book: Book) -> None:
    """Until then it can be captured and is no expiry; from then on the other way round."""
    book.made(intake.post(None, _pair("cash", "a", 50)))
    hold = book.made(intake.place_hold("h", _pair("a", "b", 9), 2_000))
    late = "a hold expires in the future"
    assert _refusal(book, intake.place_hold(None, _pair("a", "b", 1), 1_000), 999) is None
    assert _refusal(book, intake.place_hold(None, _pair("a", "b", 1), 1_000), 1_000) == Refusal(
        RefusalCode.MALFORMED, late, "expires_at"
    )
    for ask in (intake.capture(None, hold.position), intake.release(None, hold.position)):
        assert _refusal(book, ask, 1_999) is None
        assert _refusal(book, ask, 2_000) == Refusal(
            RefusalCode.HOLD_NOT_OPEN, f"hold {hold.position} is expired", "hold",
            hold_status="expired",
        )  # fmt: skip
    assert expire(book.state, hold.position, 1_999) is None
    entries = (
        Entry("a", Effect.RELEASE_DEBIT, 9, Balance(0, 50, 0, 0)),
        Entry("b", Effect.RELEASE_CREDIT, 9, Balance(0, 0, 0, 0)),
    )
    expiry = expire(book.state, hold.position, 2_000)
    assert expiry == Record(
        hold.position + 1, 2_000, RecordKind.EXPIRY, None, None, entries, hold.position,
        expires_at_us=2_000,
    )  # fmt: skip
    book.take(expiry)
    assert expire(book.state, hold.position, 3_000) is None


def test_only_a_hold_with_an_end_expires(book: Book) -> None:
    """One without, a transaction, and nothing at all never do."""
    hold = book.made(intake.place_hold(None, _pair("cash", "c", 9)))
    paid = book.made(intake.post(None, _pair("cash", "c", 1)))
    for position in (hold.position, paid.position, 999):
        assert expire(book.state, position, 10**15) is None


# -- keys and batches ----------------------------------------------------------------------------


def test_a_key_answers_for_its_command_only(book: Book) -> None:
    """The same command is a replay of its record, another one is refused and not written."""
    command = intake.post("k", _pair("cash", "a", 5), "r", _M, 7)
    record = book.made(command)
    now_us = book.state.recorded_at_us + 1
    assert decide(book.state, command, now_us) == Replay(record)
    for near in ((None, _M, 7), ("r", None, 7), ("r", _M, None)):
        again = decide(book.state, intake.post("k", _pair("cash", "a", 5), *near), now_us)
        assert isinstance(again, Refusal)
    other = intake.post("k", _pair("cash", "a", 6))
    told = Refusal(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        f"the key belongs to another command, at position {record.position}",
        "idempotency_key",
    )
    assert decide(book.state, other, now_us) == told
    assert answer_again(record, other) == told


def test_a_refusal_is_written_and_answers_again(book: Book) -> None:
    """With the key and the fingerprint of what was asked."""
    command = intake.post("k", _pair("a", "cash", 5))
    (record,) = _decided(book, command, 1_000)
    told = Refusal(RefusalCode.INSUFFICIENT_FUNDS, "a has 0 available", "account", 0, 0)
    assert record == Record(
        book.state.position + 1, 1_000, RecordKind.REFUSAL, "k", fingerprint(command), refusal=told
    )
    book.take(record)
    assert decide(book.state, command, 1_001) == Replay(record)


def test_a_batch_is_its_own_record_and_one_of_each(book: Book) -> None:
    """Positions and times count up from it; the children have no keys."""
    first, second = intake.post(None, _pair("cash", "a", 5)), intake.post(None, _pair("a", "b", 5))
    batch = intake.atomic_batch("k", [first, second])
    at = book.state.position + 1
    records = _decided(book, batch, 1_000)
    assert records[0] == Record(at, 1_000, RecordKind.BATCH, "k", fingerprint(batch), commands=2)
    assert [(one.position, one.recorded_at_us, one.key) for one in records[1:]] == [
        (at + 1, 1_001, None), (at + 2, 1_002, None)
    ]  # fmt: skip
    # The state it was decided on is as it was.
    assert (book.state.position, book.state.balances["a"]) == (at - 1, ZERO)


def test_a_batch_is_refused_by_its_first_wrong_command(book: Book) -> None:
    """Which command, which of its fields, and all that its own refusal says."""
    good = intake.post(None, _pair("cash", "a", 5))
    position = book.made(intake.place_hold(None, _pair("cash", "c", 9))).position
    book.made(intake.release(None, position))
    cases: list[tuple[SingleCommand, Refusal]] = [
        (intake.post(None, _pair("a", "cash", 6)),
         Refusal(RefusalCode.INSUFFICIENT_FUNDS, "command 1: a has 5 available",
                 "commands[1].account", 0, 5)),
        (intake.capture(None, position),
         Refusal(RefusalCode.HOLD_NOT_OPEN, f"command 1: hold {position} is released",
                 "commands[1].hold", hold_status="released")),
        (intake.place_hold(None, _pair("cash", "c", 9), 1_003),
         Refusal(RefusalCode.MALFORMED, "command 1: a hold expires in the future",
                 "commands[1].expires_at")),
    ]  # fmt: skip
    for wrong, told in cases:
        batch = intake.atomic_batch("k", [good, wrong, good])
        (record,) = _decided(book, batch, 1_000)
        assert record == Record(
            book.state.position + 1, 1_000, RecordKind.REFUSAL, "k", fingerprint(batch),
            refusal=told,
        )  # fmt: skip
    # After the last record of the batch, and not before, a hold of it may expire.
    lasting = intake.place_hold(None, _pair("cash", "c", 9), 1_004)
    assert len(_decided(book, intake.atomic_batch("k", [good, lasting, good]), 1_000)) == 4


def test_nothing_folds_into_no_parent() -> None:
    """Neither no record, nor one that begins none, whatever comes after."""
    opened = Record(1, 1, RecordKind.OPEN_ACCOUNT, None, None)
    assert fold([]) is None
    assert fold([opened, opened]) is None
