"""What the readers of commands read: every field in its place, and every bound to the last one."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tandem.ledger.core import intake, limits
from tandem.ledger.core.accounts import AccountClass, AccountStatus
from tandem.ledger.core.commands import (
    NO_METADATA,
    ORIGINAL,
    AtomicBatch,
    Capture,
    ClosePeriod,
    Command,
    Limit,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    RequestedEntry,
    Reverse,
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.kinds import Direction
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_D, _C = Direction.DEBIT, Direction.CREDIT
_RAW: Final[list[tuple[Any, Any, Any, Any]]] = [
    ("a", "debit", "5", None), ("b", "credit", 6, "EUR/2"),
]  # fmt: skip
_READ: Final = (RequestedEntry("a", _D, 5, None), RequestedEntry("b", _C, 6, "EUR/2"))
_M: Final = {"m": "n"}
_MOST: Final = limits.MAX_AMOUNT_MINOR


@pytest.mark.parametrize(("read", "command"), [
    (lambda: intake.open_account("k", "a", "EUR/2", "income", -3, "4", _M),
     OpenAccount("k", "a", "EUR/2", AccountClass.INCOME, -3, 4, _M)),
    (lambda: intake.open_account("k", "a", "EUR/2", "asset", 4, 4),
     OpenAccount("k", "a", "EUR/2", AccountClass.ASSET, 4, 4, NO_METADATA)),
    (lambda: intake.open_account("k", "a", "EUR/2", "asset", None, 4),
     OpenAccount("k", "a", "EUR/2", AccountClass.ASSET, None, 4, NO_METADATA)),
    (lambda: intake.open_account("k", "a", "EUR/2", "asset", 4),
     OpenAccount("k", "a", "EUR/2", AccountClass.ASSET, 4, None, NO_METADATA)),
    (lambda: intake.update_account("k", "a"), UpdateAccount("k", "a", None, None, None, None)),
    (lambda: intake.update_account("k", "a", "frozen", 1, "none", _M),
     UpdateAccount("k", "a", AccountStatus.FROZEN, Limit(1), Limit(None), _M)),
    (lambda: intake.update_account("k", "a", None, "none", "-2", {}),
     UpdateAccount("k", "a", None, Limit(None), Limit(-2), NO_METADATA)),
    (lambda: intake.transfer("k", "a", "b", 5),
     Transfer("k", "a", "b", 5, None, None, NO_METADATA)),
    (lambda: intake.transfer("k", "a", "b", 1, "EUR/2", "r", _M, 9),
     Transfer("k", "a", "b", 1, "EUR/2", "r", _M, 9)),
    (lambda: intake.transfer(None, "a", "b", str(_MOST)),
     Transfer(None, "a", "b", _MOST, None, None, NO_METADATA)),
    (lambda: intake.transfer("", "a", "b", _MOST),
     Transfer(None, "a", "b", _MOST, None, None, NO_METADATA)),
    (lambda: intake.post("k", _RAW), Post("k", _READ, None, NO_METADATA)),
    (lambda: intake.post("k", _RAW, "r", _M, 9), Post("k", _READ, "r", _M, 9)),
    (lambda: intake.place_hold("k", _RAW), PlaceHold("k", _READ, None, None, None, NO_METADATA)),
    (lambda: intake.place_hold("k", _RAW, 9, "7", "r", _M), PlaceHold("k", _READ, 9, 7, "r", _M)),
    (lambda: intake.capture("k", 3), Capture("k", 3, None, None, False, NO_METADATA)),
    (lambda: intake.capture("k", 3, "5", None, True, _M, 9), Capture("k", 3, 5, None, True, _M, 9)),
    (lambda: intake.capture("k", 3, None, _RAW[:1]),
     Capture("k", 3, None, _READ[:1], False, NO_METADATA)),
    (lambda: intake.release("k", 3), Release("k", 3, None, None, NO_METADATA)),
    (lambda: intake.release("k", 3, 5, None, _M), Release("k", 3, 5, None, _M)),
    (lambda: intake.release("k", 3, None, _RAW), Release("k", 3, None, _READ, NO_METADATA)),
    (lambda: intake.reverse("k", 3), Reverse("k", 3, None, None, False, None, NO_METADATA)),
    (lambda: intake.reverse("k", 3, 5, None, True, "r", _M, 9),
     Reverse("k", 3, 5, None, True, "r", _M, 9)),
    (lambda: intake.reverse("k", 3, None, _RAW, False, None, None, "original"),
     Reverse("k", 3, None, _READ, False, None, NO_METADATA, ORIGINAL)),
    (lambda: intake.close_period("k", 9), ClosePeriod("k", 9, NO_METADATA)),
    (lambda: intake.close_period(None, 9, _M), ClosePeriod(None, 9, _M)),
    (lambda: intake.atomic_batch("k", [intake.release(None, 3), intake.capture("", 4)]),
     AtomicBatch("k", (Release(None, 3, None, None, NO_METADATA),
                       Capture(None, 4, None, None, False, NO_METADATA)))),
])  # fmt: skip
def test_every_field_is_read_where_it_belongs(
    read: Callable[[], Command], command: Command
) -> None:
    """Amounts become integers, names members, and what is left out its default."""
    assert read() == command
    assert type(read()) is type(command)


def _same[T](read: Callable[..., T], value: T, *rest: object) -> None:
    assert read(value, *rest) == value


def test_the_last_that_is_taken() -> None:
    """Each bound itself is within."""
    _same(intake.position, 1, "hold")
    _same(intake.position, 2**63 - 1, "hold")
    _same(intake.time, 0, "at")
    _same(intake.time, limits.MAX_TIME_US, "at")
    _same(intake.text, "abc", "reference", 3)
    _same(intake.text, "", "reference", 0)
    most = {f"{n:064}": "v" * 1_024 for n in range(64)}
    assert intake.metadata(most) == most
    assert intake.metadata({}) is NO_METADATA
    assert list(intake.metadata({"b": "1", "a": "2"}).items()) == [("a", "2"), ("b", "1")]
    assert len(intake.post("k", _RAW * 500).entries) == limits.MAX_ENTRIES_PER_TRANSACTION
    batch = intake.atomic_batch("k", [intake.release(None, 1)] * 1_000)
    assert len(batch.commands) == limits.MAX_COMMANDS_PER_ATOMIC_BATCH
    assert intake.post("k", _RAW, "r" * 128).reference == "r" * 128
    assert intake.amount("7") == 7


def test_entries_are_read_no_further_than_needed() -> None:
    """One past the most is enough to refuse: what follows is not even looked at."""
    values = iter(_RAW * 600)
    with pytest.raises(Refused):
        intake.post("k", values)
    assert len(list(values)) == 199


def test_which_time_orders_a_statement() -> None:
    """The effective one, or the recorded one."""
    assert intake.time_basis("effective") is True
    assert intake.time_basis("recorded") is False


_INT: Final = "an amount is an integer"
_LEAST: Final = "an amount is at least 1"
_M_: Final = RefusalCode.MALFORMED
_I: Final = RefusalCode.AMOUNT_INVALID
_TIME: Final = "{} is a time between 1970 and 9999"
_EUR: Final = "an asset is written CODE/scale, as EUR/2"


@pytest.mark.parametrize(("read", "refusal"), [
    (lambda: intake.time(-1, "at"), Refusal(_M_, _TIME.format("at"), "at")),
    (lambda: intake.time(limits.MAX_TIME_US + 1, "at"), Refusal(_M_, _TIME.format("at"), "at")),
    (lambda: intake.time("1", "at"), Refusal(_M_, _TIME.format("at"), "at")),
    (lambda: intake.transfer("k", "a", "b", 1, effective_at_us=-1),
     Refusal(_M_, _TIME.format("effective_at"), "effective_at")),
    (lambda: intake.transfer("k", "a", "b", 1, None, ""),
     Refusal(_M_, "a reference is not empty", "reference")),
    (lambda: intake.transfer("k", "a", "b", 1, None, None, []),
     Refusal(_M_, "metadata is an object of texts", "metadata")),
    (lambda: intake.transfer("k k", "a", "b", 1),
     Refusal(_M_, "a key is 1 to 128 visible ASCII characters", "idempotency_key")),
    (lambda: intake.transfer("k", "a", "b", True),
     Refusal(_I, "an amount is an integer, not a boolean", "amount_minor")),
    (lambda: intake.post("k", _RAW, None, None, -1),
     Refusal(_M_, _TIME.format("effective_at"), "effective_at")),
    (lambda: intake.capture("k", 3, effective_at_us=-1),
     Refusal(_M_, _TIME.format("effective_at"), "effective_at")),
    (lambda: intake.reverse("k", 3, effective_at_us="Original"),
     Refusal(_M_, _TIME.format("effective_at"), "effective_at")),
    (lambda: intake.close_period("k", -1), Refusal(_M_, _TIME.format("through"), "through")),
    (lambda: intake.close_period("k k", 1),
     Refusal(_M_, "a key is 1 to 128 visible ASCII characters", "idempotency_key")),
    (lambda: intake.time_basis("Recorded"), Refusal(_M_, "'Recorded' is not a known by", "by")),
    (lambda: intake.time_basis(None), Refusal(_M_, "NoneType is not a known by", "by")),
    (lambda: intake.amount(0), Refusal(_I, _LEAST, "amount_minor")),
    (lambda: intake.amount(0, "most", 3), Refusal(_I, _LEAST, "most", 3)),
    (lambda: intake.address("a b", "debit_account"),
     Refusal(_M_, "an address is segments of letters, digits, _ and - joined by :, "
             "at most 128 characters", "debit_account")),
    (lambda: intake.post("k", [_RAW[0], ("b", _C, 1, "EUR")]), Refusal(_M_, _EUR, "asset", 1)),
    (lambda: intake.post("k", []),
     Refusal(_M_, "a transaction has two or more entries", "entries")),
    (lambda: intake.metadata({"k": 5}),
     Refusal(_M_, "metadata is a text of at most 1024 characters", "metadata")),
    (lambda: intake.atomic_batch("k", [intake.release(None, 1), intake.release("j", 1)]),
     Refusal(_M_, "a command of an atomic batch has no key; the batch has",
             "idempotency_key", 1)),
    (lambda: intake.atomic_batch(None, [intake.release(None, 1)]),
     Refusal(RefusalCode.IDEMPOTENCY_KEY_MISSING, "every write carries an idempotency key",
             "idempotency_key")),
])  # fmt: skip
def test_one_past_the_bound_is_refused(read: Callable[[], object], refusal: Refusal) -> None:
    """The code, the words, the field and the entry."""
    with pytest.raises(Refused) as refused:
        read()
    assert refused.value.refusal == refusal


@pytest.mark.parametrize(("raw", "refusal"), [
    ([("a", "debit", 0, None), ("b", "credit", None, None)],
     Refusal(_M_, _INT, "amount_minor", 1)),
    ([("a", "debit", 0, None), ("b", "credit", _MOST + 1, None)],
     Refusal(_I, _LEAST, "amount_minor", 0)),
    ([("a", "debit", 0, None), ("b", "credit", 1, "EUR")], Refusal(_M_, _EUR, "asset", 1)),
])  # fmt: skip
def test_of_several_wrongs_the_first_in_order_is_told(
    raw: list[tuple[Any, Any, Any, Any]], refusal: Refusal
) -> None:
    """Shape before amounts, a malformed amount before an invalid one, then entry by entry."""
    with pytest.raises(Refused) as refused:
        intake.post("k", raw)
    assert refused.value.refusal == refusal


def test_a_limit_of_a_hold_is_an_amount_of_its_own() -> None:
    """It is told by its own field, without an entry, and after the entries'."""
    with pytest.raises(Refused) as refused:
        intake.place_hold("k", _RAW, None, 0)
    assert refused.value.refusal == Refusal(_I, _LEAST, "capture_limit_minor")
    wrong = [("a", "debit", 0, None), ("b", "credit", 1, None)]
    with pytest.raises(Refused) as refused:
        intake.place_hold("k", wrong, None, 0)
    assert refused.value.refusal == Refusal(_I, _LEAST, "amount_minor", 0)


def test_limits_of_an_account_are_told_in_order() -> None:
    """What is malformed first, then the lower one."""
    over = _MOST + 1
    cases: list[tuple[object, object, str, RefusalCode]] = [
        (over, "x", "max_balance_minor", _M_),
        (over, over, "min_balance_minor", RefusalCode.AMOUNT_OVERFLOW),
        ("x", "x", "min_balance_minor", _M_),
        (None, over, "max_balance_minor", RefusalCode.AMOUNT_OVERFLOW),
    ]
    for low, high, field, code in cases:
        for read in (
            lambda low=low, high=high: intake.open_account("k", "a", "EUR/2", "asset", low, high),
            lambda low=low, high=high: intake.update_account("k", "a", None, low, high),
        ):
            with pytest.raises(Refused) as refused:
                read()
            assert (refused.value.refusal.field, refused.value.code) == (field, code)
