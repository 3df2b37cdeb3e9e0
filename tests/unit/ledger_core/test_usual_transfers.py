"""Which transfers go the short way, and to the unit and the microsecond how far it goes."""

from dataclasses import replace
from typing import Any, Final

import pytest

from tandem.ledger.core import intake
from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.commands import Command
from tandem.ledger.core.decide.transfer import Written, write_transfers
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import ZERO, Balance, Entry, Record
from tandem.ledger.core.state import State

_OPENED: Final = Account(
    1, "a", "EUR/2", AccountClass.ASSET, True, None, None, AccountStatus.OPEN, 1, 1
)
_M: Final = {"m": "n"}
type _Raw = list[tuple[Any, Any, Any, Any]]


def _state(**changed: Any) -> State:
    """Two open accounts, at position 41."""
    state = State(41, 1_000, 9)
    for number, address in ((3, "a"), (7, "b")):
        account = replace(_OPENED, number=number, address=address)
        state.accounts[address] = replace(account, **changed.get(address, {}))
        state.balances[address] = ZERO
    return state


def _written(state: State, *commands: Command, last_us: int = 9_999) -> tuple[int, Written]:
    onto = Written([], [], [])
    return write_transfers(state, commands, 2_000, last_us, onto), onto


def test_a_usual_transfer_to_the_byte() -> None:
    """Record, text, columns and state of a run of two, in order."""
    state = _state()
    state.balances["a"], state.balances["b"] = Balance(1, 2, 3, 4), Balance(5, 6, 7, 8)
    state.parents[43] = None  # somebody asked for what was not there yet
    count, onto = _written(
        state, intake.transfer('k"1', "a", "b", 10), intake.transfer("k2", "b", "a", 1)
    )
    first = Record(
        42, 2_000, RecordKind.TRANSACTION, 'k"1', None,
        (Entry("a", Effect.POST_DEBIT, 10, Balance(11, 2, 3, 4)),
         Entry("b", Effect.POST_CREDIT, 10, Balance(5, 16, 7, 8))),
    )  # fmt: skip
    second = Record(
        43, 2_001, RecordKind.TRANSACTION, "k2", None,
        (Entry("b", Effect.POST_DEBIT, 1, Balance(6, 16, 7, 8)),
         Entry("a", Effect.POST_CREDIT, 1, Balance(11, 3, 3, 4))),
    )  # fmt: skip
    assert (count, onto.records) == (2, [first, second])
    assert onto.bodies == [
        (
            '{"v":1,"position":42,"recorded_at_us":2000,"kind":"transaction","key":"k\\"1",'
            '"entries":[["a",1,10,11,2,3,4],["b",2,10,5,16,7,8]]}'
        ),
        (
            '{"v":1,"position":43,"recorded_at_us":2001,"kind":"transaction","key":"k2",'
            '"entries":[["b",1,1,6,16,7,8],["a",2,1,11,3,3,4]]}'
        ),
    ]
    assert onto.entry_lines == [
        "3,42,0,1,10,11,2,3,4", "7,42,1,2,10,5,16,7,8",
        "7,43,0,1,1,6,16,7,8", "3,43,1,2,1,11,3,3,4",
    ]  # fmt: skip
    assert (state.position, state.recorded_at_us) == (43, 2_001)
    assert state.balances == {"a": Balance(11, 3, 3, 4), "b": Balance(6, 16, 7, 8)}
    assert state.keys == {'k"1': first, "k2": second}
    assert state.parents == {43: second}


def _post(raw: _Raw) -> Command:
    return intake.post("k", raw)


@pytest.mark.parametrize("command", [
    intake.release("k", 3),
    intake.transfer(None, "a", "b", 5),
    intake.transfer("used", "a", "b", 5),
    intake.transfer("k", "a", "b", 5, "EUR/2"),
    intake.transfer("k", "a", "b", 5, None, "r"),
    intake.transfer("k", "a", "b", 5, None, None, _M),
    intake.transfer("k", "a", "b", 5, None, None, None, 9),
    intake.transfer("k", "a", "a", 5),
    intake.transfer("k", "a", "nobody", 5),
    intake.transfer("k", "nobody", "b", 5),
    intake.transfer("k", "a", "unknown", 5),
    _post([("a", "debit", 5, "EUR/2"), ("b", "credit", 5, None)]),
    _post([("a", "debit", 5, None), ("b", "credit", 5, "EUR/2")]),
    _post([("a", "credit", 5, None), ("b", "debit", 5, None)]),
    _post([("a", "debit", 5, None), ("b", "debit", 5, None)]),
    _post([("a", "credit", 5, None), ("b", "credit", 5, None)]),
    _post([("a", "debit", 5, None), ("b", "credit", 6, None)]),
    _post([("a", "debit", 5, None), ("b", "credit", 4, None), ("b", "credit", 1, None)]),
])  # fmt: skip
def test_whatever_is_unusual_ends_the_run(command: Command) -> None:
    """What came before it is written, it and what comes after are not touched."""
    usual = [intake.transfer(key, "a", "b", 1) for key in ("before", "after")]
    state = _state()
    state.accounts["nobody"] = None
    state.keys["used"] = Record(1, 1, RecordKind.BATCH, "used", None)
    assert _written(state, usual[0], command, usual[1])[0] == 1
    assert (state.position, state.recorded_at_us) == (42, 2_000)
    assert list(state.keys) == ["used", "before"]
    assert state.balances == {"a": Balance(1, 0, 0, 0), "b": Balance(0, 1, 0, 0)}


@pytest.mark.parametrize("changed", [
    {address: change}
    for address in ("a", "b")
    for change in (
        {"status": AccountStatus.FROZEN},
        {"status": AccountStatus.CLOSED},
        {"asset": "SEK/2"},
    )
])  # fmt: skip
def test_accounts_that_need_a_closer_look(changed: dict[str, Any]) -> None:
    """One of the two is enough; nothing at all is changed."""
    state = _state(**changed)
    count, onto = _written(state, intake.transfer("k", "a", "b", 1))
    assert (count, onto) == (0, Written([], [], []))
    assert (state.position, state.recorded_at_us, state.keys) == (41, 1_000, {})


@pytest.mark.parametrize(("address", "limits", "passes"), [
    ("a", {"max_balance_minor": 0}, 0),
    ("a", {"max_balance_minor": 1}, 1),
    ("a", {"min_balance_minor": 9}, 1),  # it is below, and recovers
    ("a", {"min_balance_minor": 9, "max_balance_minor": 0}, 0),
    ("b", {"min_balance_minor": 0}, 0),
    ("b", {"min_balance_minor": -1}, 1),
    ("b", {"max_balance_minor": -9}, 1),  # it is above, and recovers
])  # fmt: skip
def test_limits_are_kept(address: str, limits: dict[str, int], passes: int) -> None:
    """Of assets, to which debits give and of which credits take: what they forbid is left aside."""
    state = _state(**{address: limits})
    assert _written(state, intake.transfer("k", "a", "b", 1))[0] == passes
    assert (state.position, len(state.keys)) == (41 + passes, passes)
    assert state.balances["a"].posted_debits == state.balances["b"].posted_credits == passes


def test_totals_reach_the_greatest_amount() -> None:
    """Exactly it passes; one more, on either side, is left to those who can refuse it."""
    most = MAX_AMOUNT_MINOR
    for debits, credits_, passes in (
        (most - 5, 0, True), (most - 4, 0, False), (0, most - 5, True), (0, most - 4, False)
    ):  # fmt: skip
        state = _state()
        state.balances["a"] = Balance(debits, 0, 0, 0)
        state.balances["b"] = Balance(0, credits_, 0, 0)
        assert _written(state, intake.transfer("k", "a", "b", 5))[0] == passes
        assert state.balances["a"].posted_debits == debits + 5 * passes


@pytest.mark.parametrize(("last_us", "count"), [(1_999, 0), (2_000, 1), (2_001, 2), (2_009, 3)])
def test_a_run_ends_with_its_time(last_us: int, count: int) -> None:
    """One microsecond each, from the first to the last."""
    state = _state()
    run = [intake.transfer(f"k{number}", "a", "b", 1) for number in range(3)]
    assert _written(state, *run, last_us=last_us)[0] == count
    assert state.position == 41 + count
    assert state.recorded_at_us == (1_999 + count if count else 1_000)
