"""The short way of deciding a transfer is the long way, or it stands aside."""

from hypothesis import given
from hypothesis import strategies as st

from tandem.ledger.core import intake
from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.canonical import encode_with_columns
from tandem.ledger.core.commands import Post
from tandem.ledger.core.decide import decide
from tandem.ledger.core.decide.transfer import written_transfer
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
    for number, address in enumerate(_ADDRESSES, start=1):
        state.accounts[address] = draw(st.none() | _accounts(address, number))
        state.balances[address] = Balance(*draw(st.tuples(*[_totals] * 4)))
    return state


@st.composite
def _posts(draw: st.DrawFn) -> Post:
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
    return intake.post(draw(st.sampled_from(['k"1', "k\\2"])), entries, reference, metadata)


@given(_states(), _posts())
def test_same_record_and_text(state: State, command: Post) -> None:
    """What the short way writes is what the general decision and encoding write."""
    written = written_transfer(state, command, 2_000)
    if written is None:
        return
    (record,) = decide(state, command, 2_000)  # type: ignore[misc]  # it decided, so no refusal
    body, columns = encode_with_columns(record)
    assert written.record == record
    assert written.body == body
    numbers = [account.number for entry in record.entries if (account := state.accounts[entry[0]])]
    assert list(written.entry_lines) == [
        f"{number},42,{leg},{column}"
        for leg, (number, column) in enumerate(zip(numbers, columns, strict=True))
    ]


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
    assert written_transfer(state, intake.transfer("k", "a", "b", 5), 2_000) is not None
