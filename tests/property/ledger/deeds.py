"""What the reference ledger is made of: accounts, holds and transactions, and their entries."""

from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from tandem.ledger.core.commands import RequestedEntry

LARGEST_MINOR = 2**127 - 1
DEBIT_NORMAL = ("asset", "expense")

type Side = tuple[str, str]  # address, "debit" or "credit"
type Meant = dict[Side, tuple[int, str | None]]  # how much of a side, and the asset it must be


class Posting(NamedTuple):
    """One entry: the verb is post, hold, capture or release."""

    address: str
    verb: str
    direction: str
    amount_minor: int
    asset: str | None = None


class Line(NamedTuple):
    """One record that must be in the log."""

    position: int
    time_us: int
    kind: str
    key: str | None
    parent: int | None
    code: str | None
    postings: tuple[Posting, ...]


class Told(NamedTuple):
    """What a caller must be told: the position of its record, a refusal's code, replayed or not."""

    position: int | None
    code: str | None
    replayed: bool


class Refuse(Exception):  # noqa: N818 - an answer
    """A command is refused with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Book:
    """An account and its four totals."""

    asset: str
    debit_normal: bool
    low: int | None
    high: int | None
    opened: int
    status: str = "open"
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)

    def posted(self) -> int:
        """What it holds, on its normal side."""
        net = self.totals["posted", "debit"] - self.totals["posted", "credit"]
        return net if self.debit_normal else -net

    def available(self) -> int:
        """What of it is not reserved."""
        outflow = "credit" if self.debit_normal else "debit"
        return self.posted() - self.totals["pending", outflow]

    def take(self, posting: Posting) -> None:
        """Add an entry to the totals."""
        side, amount = posting.direction, posting.amount_minor
        if posting.verb in ("post", "capture"):
            self.totals["posted", side] += amount
        if posting.verb == "hold":
            self.totals["pending", side] += amount
        if posting.verb in ("capture", "release"):
            self.totals["pending", side] -= amount


@dataclass
class Deed:
    """A hold (it has a status) or a posted transaction, and what is left of each side."""

    left: dict[Side, int]
    status: str | None = None
    held: int = 0
    captured: int = 0
    limit: int = 0
    expires_us: int | None = None

    def left_minor(self) -> int:
        """What is left on the debit side."""
        return sum(amount for (_, side), amount in self.left.items() if side == "debit")


@dataclass
class State:
    """Everything that a refused atomic batch must leave as it was."""

    books: dict[str, Book] = field(default_factory=dict)
    deeds: dict[int, Deed] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def copy(self) -> "State":
        """Copy what changes; lines never do."""
        return State(
            deepcopy(self.books), deepcopy(self.deeds), dict(self.scales), list(self.lines)
        )


def signed(posting: Posting) -> int:
    """What an entry adds to debits less credits."""
    return posting.amount_minor if posting.direction == "debit" else -posting.amount_minor


def captured_parts(deed: Deed, meant: Meant) -> tuple[list[Posting], list[Posting]]:
    """What a capture posts, and what of that the hold covers."""
    posted, covered = [], []
    for side, (amount, asset) in meant.items():
        inside = min(amount, deed.left[side])
        if inside:
            covered.append(Posting(side[0], "capture", side[1], inside, asset))
        if amount > inside:
            posted.append(Posting(side[0], "post", side[1], amount - inside, asset))
    return covered + posted, covered


def exceeds(deed: Deed, meant: Meant) -> bool:
    """Tell whether more of a side is meant than is left of it."""
    return any(amount > deed.left[side] for side, (amount, _) in meant.items())


def other_side(direction: str) -> str:
    """Return the other side."""
    return "credit" if direction == "debit" else "debit"


def asked_postings(entries: Iterable[RequestedEntry], verb: str) -> list[Posting]:
    """Return the entries that a command asks for, with one verb."""
    return [
        Posting(entry.address, verb, entry.direction.value, entry.amount_minor, entry.asset)
        for entry in entries
    ]


def sides(postings: Iterable[Posting]) -> dict[Side, int]:
    """Sum entries by account and side."""
    sums: Counter[Side] = Counter()
    for one in postings:
        sums[one.address, one.direction] += one.amount_minor
    return dict(sums)


def all_left(deed: Deed, verb: str) -> list[Posting]:
    """Return entries for all that is left."""
    return [Posting(*(side[0], verb, side[1]), left) for side, left in deed.left.items() if left]


def meant_parts(
    deed: Deed, amount: int | None, entries: tuple[RequestedEntry, ...] | None, exceeded: str
) -> Meant:
    """Which part is meant: all that is left, an amount of two sides, or named entries."""
    if entries is None and amount is None:
        return {side: (left, None) for side, left in deed.left.items() if left}
    if entries is None:
        if len(deed.left) != 2:
            raise Refuse("malformed")
        return {side: (cast("int", amount), None) for side in deed.left}
    meant: Meant = {}
    for entry in entries:
        side = (entry.address, entry.direction.value)
        if side not in deed.left:
            raise Refuse(exceeded)
        so_far, asset = meant.get(side, (0, None))
        meant[side] = (so_far + entry.amount_minor, entry.asset or asset)
    return meant


def moved_parts(meant: Meant, verb: str = "post") -> list[Posting]:
    """Return entries for what is meant."""
    return [
        Posting(address, verb, direction, amount, asset)
        for (address, direction), (amount, asset) in meant.items()
    ]
