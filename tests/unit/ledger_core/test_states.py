"""What a state takes in, what a fork of it leaves alone, and what a command needs loaded."""

from typing import Any, Final

import pytest
from tests.property.ledger_core.test_decide import Book

from tandem.ledger.core import intake
from tandem.ledger.core.commands import Command
from tandem.ledger.core.decide import decide
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.records import Record
from tandem.ledger.core.state import Needs, State, needs

_PAIR: Final[list[tuple[Any, Any, Any, Any]]] = [
    ("a", "debit", 1, None), ("b", "credit", 1, None),
]  # fmt: skip


@pytest.fixture
def book() -> Book:
    """Accounts without money."""
    return Book()


def test_a_fork_keeps_what_is_below_it_as_it_was(book: Book) -> None:
    """Reads fall through, writes stay; what is in neither is missing."""
    hold = book.made(intake.place_hold("h", [("cash", "debit", 9, None), ("c", "credit", 9, None)]))
    state = book.state
    fork = state.fork()
    assert (fork.position, fork.recorded_at_us, fork.next_account_number) == (
        state.position, state.recorded_at_us, state.next_account_number,
    )  # fmt: skip
    assert fork.accounts["cash"] == state.accounts["cash"]
    assert fork.keys["h"] == hold
    assert "h" in fork.keys
    assert "other" not in fork.keys
    with pytest.raises(KeyError):
        fork.keys["other"]
    assert hold.position in fork.parents
    assert fork.assets["EUR"] == 2
    before = dict(state.balances)
    raw = [("cash", "debit", 1, None), ("c", "credit", 1, None)]
    outcome = decide(state, intake.post("p", raw), state.recorded_at_us + 1)
    assert isinstance(outcome, tuple)
    (record,) = outcome
    fork.apply(record)
    assert fork.balances["c"] != before["c"]
    assert "p" in fork.keys
    assert (dict(state.balances), "p" in state.keys) == (before, False)


def test_a_new_state_is_of_an_empty_ledger() -> None:
    """Nothing recorded, no account numbered, no asset known, no plain record kept as a parent."""
    state = State()
    assert (state.position, state.recorded_at_us, state.next_account_number) == (0, 0, 1)
    assert state.assets == {}
    state.apply(Record(1, 1, RecordKind.TRANSACTION, None, None))
    assert state.parents == {}
    with pytest.raises(AssertionError):
        decide(state, intake.release("k", 1), 1)


def test_positions_and_times_only_go_on() -> None:
    """A gap, a repeat or a time that stands still is a broken log."""
    state = State(5, 100)
    for position, time_us in ((5, 101), (7, 101), (6, 100), (6, 99)):
        with pytest.raises(AssertionError):
            state.apply(Record(position, time_us, RecordKind.BATCH, None, None))
    state.apply(Record(6, 101, RecordKind.BATCH, "k", None, commands=1))
    assert (state.position, state.recorded_at_us) == (6, 101)
    assert state.keys["k"].position == 6


def test_what_a_command_needs() -> None:
    """Accounts of its entries, its parent, its asset; of a batch all of them."""
    pair = _PAIR
    cases: list[tuple[Command, Needs]] = [
        (intake.post("k", pair), Needs({"a", "b"}, set(), set())),
        (intake.place_hold("k", pair), Needs({"a", "b"}, set(), set())),
        (intake.open_account("k", "a", "EUR/2", "asset"), Needs({"a"}, set(), {"EUR"})),
        (intake.update_account("k", "a"), Needs({"a"}, set(), set())),
        (intake.capture("k", 3), Needs(set(), {3}, set())),
        (intake.release("k", 4), Needs(set(), {4}, set())),
        (intake.reverse("k", 5), Needs(set(), {5}, set())),
        (intake.close_period("k", 5), Needs(set(), set(), set())),
        (intake.atomic_batch("k", [
            intake.post(None, pair), intake.capture(None, 3),
            intake.open_account(None, "c", "SEK/0", "asset")]),
         Needs({"a", "b", "c"}, {3}, {"SEK"})),
    ]  # fmt: skip
    for command, expected in cases:
        found = Needs(set(), set(), set())
        needs(command, found)
        assert found == expected, command
