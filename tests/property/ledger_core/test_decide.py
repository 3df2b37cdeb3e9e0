"""Laws of decisions: what is conserved, what is restored, and what no order of entries changes."""

from collections.abc import Sequence
from itertools import permutations
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from tandem.ledger.core.accounts import AccountClass
from tandem.ledger.core.commands import (
    NO_METADATA,
    AtomicBatch,
    Capture,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    RequestedEntry,
    Reverse,
    SingleCommand,
)
from tandem.ledger.core.decide import Replay, decide, expire
from tandem.ledger.core.kinds import Direction
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.parents import Parent, fold, grown
from tandem.ledger.core.records import Balance, Record
from tandem.ledger.core.refusals import Refusal
from tandem.ledger.core.state import State

_DEBIT, _CREDIT = Direction.DEBIT, Direction.CREDIT
# Address, asset, class, least and greatest balance.
_ACCOUNTS: Final = (
    ("cash", "EUR/2", AccountClass.ASSET, None, None),
    ("a", "EUR/2", AccountClass.LIABILITY, 0, None),
    ("b", "EUR/2", AccountClass.LIABILITY, -50, 200),
    ("c", "EUR/2", AccountClass.EXPENSE, None, 100),
    ("sek", "SEK/2", AccountClass.ASSET, None, None),
    ("sek:a", "SEK/2", AccountClass.LIABILITY, 0, None),
)
_EURO: Final = ("cash", "a", "b", "c")


class Book:
    """A state with accounts, everything that is ever needed loaded, and its log."""

    def __init__(self) -> None:
        self.state = State()
        self.log: list[Record] = []
        self.state.assets = dict.fromkeys(("EUR", "SEK"))
        self.state.parents = _Parents(self.log)
        for address, asset, kind, low, high in _ACCOUNTS:
            self.state.accounts[address] = None
            command = OpenAccount(None, address, asset, kind, low, high, NO_METADATA)
            assert not isinstance(self.do(command), Refusal)

    def do(self, command: SingleCommand | AtomicBatch, now_us: int = 0) -> Record | Refusal:
        """Decide and apply; give the answering record, or what it refused."""
        outcome = decide(self.state, command, max(now_us, self.state.recorded_at_us + 1))
        assert not isinstance(outcome, Replay | Refusal)
        for record in outcome:
            self.take(record)
        return outcome[0].refusal or outcome[0]

    def take(self, record: Record) -> None:
        """Apply a record."""
        self.state.apply(record)
        self.log.append(record)

    def made(self, command: SingleCommand, now_us: int = 0) -> Record:
        """Decide what must take effect."""
        record = self.do(command, now_us)
        assert isinstance(record, Record), record
        return record

    def balances(self) -> dict[str, Balance]:
        """Every account's totals."""
        return dict(self.state.balances)

    def nets(self) -> dict[str, int]:
        """Posted debits less posted credits of every account."""
        return {name: held[0] - held[1] for name, held in self.state.balances.items()}

    def check(self) -> None:
        """Assert what always holds."""
        for asset in ("EUR/2", "SEK/2"):
            of_asset = [
                held
                for name, held in self.state.balances.items()
                if (account := self.state.accounts[name]) is not None and account.asset == asset
            ]
            sums = [sum(column) for column in zip(*of_asset, strict=True)]
            assert (sums[0], sums[2]) == (sums[1], sums[3])
        assert all(
            0 <= total <= MAX_AMOUNT_MINOR for held in self.balances().values() for total in held
        )


class _Parents(dict[int, Parent | Record | None]):
    """Parents that are loaded from the log when they are asked for."""

    def __init__(self, log: Sequence[Record]) -> None:
        super().__init__()
        self._log = log

    def __missing__(self, position: int) -> Parent | None:
        chain = [one for one in self._log if position in (one.position, one.parent)]
        self[position] = parent = fold(chain) if chain and chain[0].position == position else None
        return parent


def _post(entries: Sequence[RequestedEntry]) -> Post:
    return Post(None, tuple(entries), None, NO_METADATA)


def _hold(
    entries: Sequence[RequestedEntry], expires_at_us: int | None = None, limit: int | None = None
) -> PlaceHold:
    return PlaceHold(None, tuple(entries), expires_at_us, limit, None, NO_METADATA)


def _capture(hold: Record, amount: int | None = None, *, final: bool = False) -> Capture:
    return Capture(None, hold.position, amount, None, final, NO_METADATA)


def _release(hold: Record, amount: int | None = None) -> Release:
    return Release(None, hold.position, amount, None, NO_METADATA)


def _reverse(record: Record, amount: int | None = None, *, override: bool = False) -> Reverse:
    return Reverse(None, record.position, amount, None, override, None, NO_METADATA)


def _pair(payer: str, payee: str, amount: int) -> list[RequestedEntry]:
    return [RequestedEntry(payer, _DEBIT, amount), RequestedEntry(payee, _CREDIT, amount)]


_pairs = st.builds(
    _pair, st.sampled_from(_EURO), st.sampled_from(_EURO), st.integers(1, 60)
) | st.builds(_pair, st.just("sek"), st.just("sek:a"), st.integers(1, 60))
_balanced = st.lists(_pairs, min_size=1, max_size=3).map(
    lambda pairs: [entry for pair in pairs for entry in pair]
)
_funding = st.lists(st.sampled_from([("a", 100), ("b", 100), ("sek:a", 50)]), max_size=4)


def _funded(funding: Sequence[tuple[str, int]]) -> Book:
    book = Book()
    for address, amount in funding:
        book.do(_post(_pair("sek" if address.startswith("sek") else "cash", address, amount)))
    return book


@examples(60)
@given(_funding, st.lists(st.tuples(st.integers(0, 6), st.integers(1, 80), _balanced), max_size=25))
def test_nothing_is_made_or_lost(
    funding: list[tuple[str, int]], steps: list[tuple[int, int, list[RequestedEntry]]]
) -> None:
    """Whatever is asked, debits equal credits per asset, posted and pending; no limit is passed."""
    book = _funded(funding)
    for kind, amount, entries in steps:
        at = Record(amount % (book.state.position + 2), 0, None, None, None)  # type: ignore[arg-type]  # only its position
        before = book.balances()
        outcome = book.do(
            (
                _post(entries),
                _hold(entries),
                _capture(at, amount),
                _capture(at, final=True),
                _release(at, amount),
                _reverse(at),
                AtomicBatch(None, (_post(entries), _hold(entries), _reverse(at))),
            )[kind]
        )
        if isinstance(outcome, Refusal):
            assert book.balances() == before
        book.check()
    for address, _, of_class, low, _ in _ACCOUNTS:
        if low is not None:
            assert book.state.balances[address].available(debit_normal=of_class.debit_normal) >= low


@examples(60)
@given(_funding, _balanced.filter(lambda entries: len(entries) <= 4), st.booleans())
def test_no_order_of_entries_matters(
    funding: list[tuple[str, int]], entries: list[RequestedEntry], held: bool
) -> None:
    """In whatever order they come, the same entries pass or not, and leave the same totals."""
    outcomes = set()
    for order in permutations(entries):
        book = _funded(funding)
        outcome = book.do(_hold(order) if held else _post(order))
        passed = not isinstance(outcome, Refusal)
        outcomes.add((passed, tuple(sorted(book.balances().items()))))
    assert len(outcomes) == 1


@examples(50)
@given(st.integers(1, MAX_AMOUNT_MINOR), st.integers(1, MAX_AMOUNT_MINOR))
def test_totals_stop_at_the_greatest_amount(one: int, two: int) -> None:
    """Two amounts pass exactly where their sum does, posted or held."""
    for command in (_post, _hold):
        book = Book()
        book.made(command(_pair("cash", "a", one)))
        outcome = book.do(command(_pair("cash", "a", two)))
        if one + two <= MAX_AMOUNT_MINOR:
            assert isinstance(outcome, Record)
        else:
            assert isinstance(outcome, Refusal)
            assert (outcome.code, outcome.index) == ("amount_overflow", 0)
        book.check()


@examples(50)
@given(_funding, _balanced)
def test_a_reversal_of_the_whole_restores_the_nets(
    funding: list[tuple[str, int]], entries: list[RequestedEntry]
) -> None:
    """Every account's net is what it was, and a second reversal finds nothing."""
    book = _funded(funding)
    before = book.nets()
    posted = book.do(_post(entries))
    if isinstance(posted, Refusal):
        return
    book.made(_reverse(posted, override=True))
    assert book.nets() == before
    again = book.do(_reverse(posted))
    assert isinstance(again, Refusal)
    assert again.code == "already_reversed"


@examples(50)
@given(_funding, _balanced, st.booleans())
def test_a_hold_that_ends_unused_leaves_no_trace(
    funding: list[tuple[str, int]], entries: list[RequestedEntry], expires: bool
) -> None:
    """Released or expired, all four totals of every account are what they were."""
    book = _funded(funding)
    before = book.balances()
    expires_at_us = 1_000_000 if expires else None
    hold = book.do(_hold(entries, expires_at_us))
    if isinstance(hold, Refusal):
        return
    if expires:
        assert expire(book.state, hold.position, 999_999) is None
        expiry = expire(book.state, hold.position, 1_000_000)
        assert expiry is not None
        book.take(expiry)
    else:
        book.made(_release(hold))
    assert book.balances() == before
    assert expire(book.state, hold.position, 2_000_000) is None


@examples(50)
@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=8),
    st.booleans(),
)
def test_parts_of_a_hold_add_up(held: int, parts: list[tuple[bool, int]], final: bool) -> None:
    """What is captured, released and left is what was held; at the end nothing is pending."""
    book = _funded([("a", 100)])
    hold = book.made(_hold(_pair("a", "b", held)))
    captured = released = 0
    for capture, amount in parts:
        outcome = book.do(_capture(hold, amount) if capture else _release(hold, amount))
        fits = amount <= held - captured - released
        assert fits == isinstance(outcome, Record)
        if fits and capture:
            captured += amount
        elif fits:
            released += amount
        parent = book.state.parent(hold.position)
        assert parent is not None
        assert parent.remaining_minor == held - captured - released
        assert parent.captured_minor == captured
        book.check()
    left = held - captured - released
    if left and final:
        book.made(_capture(hold, 1, final=True))
        captured += 1
    elif left:
        book.made(_release(hold))
    totals = book.state.balances
    assert totals["a"] == Balance(captured, 100, 0, 0)
    assert totals["b"] == Balance(0, captured, 0, 0)
    parent = book.state.parent(hold.position)
    assert parent is not None
    assert not parent.open


@examples(50)
@given(st.integers(1, 50), st.integers(0, 30), st.lists(st.integers(1, 40), max_size=6))
def test_captures_stay_within_the_limit(held: int, above: int, amounts: list[int]) -> None:
    """With a limit above the amount, the sum of captures may reach it and not pass it."""
    book = _funded([("a", 100)])
    limit = held + above
    hold = book.made(_hold(_pair("a", "b", held), limit=limit))
    captured = 0
    for amount in amounts:
        outcome = book.do(_capture(hold, amount))
        assert isinstance(outcome, Record) == (captured + amount <= limit)
        captured += amount if isinstance(outcome, Record) else 0
        book.check()
    assert book.state.balances["b"].posted_credits == captured
    assert book.state.balances["a"].pending_debits == max(held - captured, 0)


@examples(50)
@given(_funding, _balanced, st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=8))
def test_a_parent_is_the_fold_of_its_records(
    funding: list[tuple[str, int]],
    entries: list[RequestedEntry],
    children: list[tuple[int, int]],
) -> None:
    """Grown record by record or folded at once, loaded late or never away: it is the same."""
    book = _funded(funding)
    for parent in (book.do(_post(entries)), book.do(_hold(entries, limit=None))):
        if isinstance(parent, Refusal):
            continue
        for kind, amount in children:
            book.do((_capture(parent, amount), _release(parent), _reverse(parent, amount))[kind])
        chain = [parent, *(record for record in book.log if record.parent == parent.position)]
        assert fold(chain) == book.state.parent(parent.position)
        for cut in range(1, len(chain)):
            early = fold(chain[:cut])
            assert early is not None
            for child in chain[cut:]:
                early = grown(early, child)
            assert early == fold(chain)


@examples(50)
@given(_funding, st.lists(_balanced, min_size=1, max_size=4))
def test_an_atomic_batch_is_its_commands_or_nothing(
    funding: list[tuple[str, int]], drafts: list[list[RequestedEntry]]
) -> None:
    """Where every command passes one by one so does the batch, with the same totals; else none."""
    single, whole = _funded(funding), _funded(funding)
    before = whole.balances()
    outcomes = [single.do(_post(entries)) for entries in drafts]
    batch = whole.do(AtomicBatch(None, tuple(map(_post, drafts))))
    if any(isinstance(outcome, Refusal) for outcome in outcomes):
        assert isinstance(batch, Refusal)
        first = next(outcome for outcome in outcomes if isinstance(outcome, Refusal))
        assert (batch.code, batch.index) == (first.code, first.index)
        assert whole.balances() == before
    else:
        assert whole.balances() == single.balances()
