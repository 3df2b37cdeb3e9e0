"""The short way of deciding a transfer is the long way, or it stands aside."""

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from tandem.ledger.core import intake
from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.canonical import encode_with_columns
from tandem.ledger.core.commands import Command, Post, Transfer
from tandem.ledger.core.decide import decide
from tandem.ledger.core.decide.transfer import Written, write_transfers
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import Balance
from tandem.ledger.core.state import State

_ADDRESSES = ("a", "b:1", "c_2", "d-3")
_totals = st.one_of(st.integers(0, 1_000), st.integers(MAX_AMOUNT_MINOR - 50, MAX_AMOUNT_MINOR))
_amounts = st.one_of(st.integers(1, 100), st.integers(MAX_AMOUNT_MINOR - 50, MAX_AMOUNT_MINOR))


@st.composite
def _accounts(draw: st.DrawFn, address: str, number: int) -> Account:
    account_class = draw(st.sampled_from(AccountClass))
    return Account(
        number=number,
        address=address,
        asset=draw(st.sampled_from(["EUR/2", "EUR/2", "EUR/2", "USD/2"])),
        account_class=account_class,
        debit_normal=account_class.debit_normal,
        min_balance_minor=draw(st.sampled_from([None, None, None, 0])),
        max_balance_minor=draw(st.sampled_from([None, None, None, 500])),
        status=draw(st.sampled_from([AccountStatus.OPEN] * 4 + [AccountStatus.FROZEN])),
        opened_position=1,
        opened_at_us=1,
    )


@st.composite
def _states(draw: st.DrawFn) -> State:
    state = State(position=41, recorded_at_us=1_000, next_account_number=9)
    if draw(st.booleans()):
        state.parents[42] = None  # somebody asked for what was not there yet
    for number, address in enumerate(_ADDRESSES, start=1):
        state.accounts[address] = draw(st.none() | _accounts(address, number))
        state.balances[address] = Balance(*draw(st.tuples(*[_totals] * 4)))
    return state


@st.composite
def _posts(draw: st.DrawFn) -> Post | Transfer:
    entries = [
        (
            draw(st.sampled_from(_ADDRESSES)),
            direction,
            draw(_amounts),
            draw(st.sampled_from([None, None, None, "EUR/2"])),
        )
        for direction in draw(st.permutations(["debit", "credit"]))
    ]
    if draw(st.booleans()):
        entries[1] = (entries[1][0], entries[1][1], entries[0][2], entries[1][3])
    reference = draw(st.sampled_from([None, None, "r"]))
    metadata = draw(st.sampled_from([None, None, {"k": "v"}]))
    key = draw(st.sampled_from([None, 'k"1', "k\\2", "k3", "k4", "k5"]))
    when_us = draw(st.sampled_from([None, None, None, 7]))
    if draw(st.booleans()):
        return intake.post(key, entries, reference, metadata, when_us)
    (debited, _, amount_minor, asset), (credited, *_) = entries
    return intake.transfer(
        key, debited, credited, amount_minor, asset, reference, metadata, when_us
    )


def _the_long_way(state: State, command: Post | Transfer, now_us: int, onto: Written) -> None:
    (record,) = decide(state, command, now_us)  # type: ignore[misc]  # it decided, so no refusal
    body, columns = encode_with_columns(record)
    onto.records.append(record)
    onto.bodies.append(body)
    for leg, (entry, column) in enumerate(zip(record.entries, columns, strict=True)):
        account = state.accounts[entry.address]
        assert account is not None
        onto.entry_lines.append(f"{account.number},{record.position},{leg},{column}")
    state.apply(record)


@given(_states(), st.lists(_posts(), max_size=8), st.integers(2_000, 2_010))
def test_same_records_texts_and_state(
    state: State, posts: list[Post | Transfer], last_us: int
) -> None:
    """What the short way writes of a run is what deciding, encoding and applying each would."""
    other, written, expected = deepcopy(state), Written([], [], []), Written([], [], [])
    count = write_transfers(state, posts, 2_000, last_us, written)
    for number, command in enumerate(posts[:count]):
        _the_long_way(other, command, 2_000 + number, expected)
    assert written == expected
    for name in State.__slots__:
        assert getattr(state, name) == getattr(other, name), name
    assert all(record.recorded_at_us <= last_us for record in written.records)


def test_usual_transfer_goes_the_short_way() -> None:
    """A plain transfer between open accounts is decided, not left aside."""
    state = State(position=41, recorded_at_us=1_000, next_account_number=3)
    for number, address in ((1, "a"), (2, "b")):
        state.accounts[address] = Account(
            number,
            address,
            "EUR/2",
            AccountClass.ASSET,
            True,
            None,
            None,
            AccountStatus.OPEN,
            1,
            1,
        )
        state.balances[address] = Balance(0, 0, 0, 0)
    transfers = [intake.transfer(f"k{number}", "a", "b", 5) for number in range(3)]
    entries = [("a", "debit", 5, None), ("b", "credit", 5, None)]
    usual: list[Command] = [*transfers, intake.post("k3", entries)]
    assert write_transfers(state, usual, 2_000, 3_000, Written([], [], [])) == 4
