"""Parents: holds and posted transactions, and what their later records have left of them.

The state of a parent is the fold of its own record and its children's, in order. Nothing else is
stored of it, so nothing can disagree with the log.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tandem.ledger.core.kinds import REVERSIBLE, Direction, Effect, HoldStatus, RecordKind
from tandem.ledger.core.records import Record


class Leg(NamedTuple):
    """All that one parent moves on one side of one account, and how much of it is left."""

    address: str
    direction: Direction
    amount_minor: int
    remaining_minor: int


class Parent(NamedTuple):
    """A hold or a posted transaction.

    Of a hold `status` is set, and what remains is uncaptured. Of a transaction `status` is None,
    and what remains is not reversed.
    """

    position: int
    legs: tuple[Leg, ...]
    status: HoldStatus | None
    held_minor: int
    captured_minor: int
    capture_limit_minor: int
    expires_at_us: int | None
    effective_us: int

    @property
    def remaining_minor(self) -> int:
        """What remains on the debit side."""
        return sum(leg.remaining_minor for leg in self.legs if leg.direction is Direction.DEBIT)

    @property
    def open(self) -> bool:
        """True for a hold that can still be captured or released."""
        return self.status is HoldStatus.OPEN


def found(record: Record) -> Parent | None:
    """Make the parent that a record begins, or None where the record cannot have children."""
    if record.kind is RecordKind.HOLD:
        held = _sum(record, (Effect.HOLD_DEBIT,))
        limit = record.capture_limit_minor
        return Parent(
            record.position,
            _legs(record),
            HoldStatus.OPEN,
            held,
            0,
            held if limit is None else limit,
            record.expires_at_us,
            record.effective_us,
        )
    if record.kind in REVERSIBLE:
        return Parent(record.position, _legs(record), None, 0, 0, 0, None, record.effective_us)
    return None


def grown(parent: Parent, child: Record) -> Parent:
    """Return the parent after one more of its children."""
    if parent.status is None:
        return parent._replace(legs=_reduced(parent.legs, child, mirrored=True))
    legs = _reduced(parent.legs, child, mirrored=False)
    captured = parent.captured_minor + _sum(child, (Effect.CAPTURE_DEBIT, Effect.POST_DEBIT))
    grown = parent._replace(legs=legs, captured_minor=captured)
    return grown._replace(status=_status(grown, child))


def fold(records: Iterable[Record]) -> Parent | None:
    """Fold a parent's record and then its children's; None where the first begins no parent."""
    parent: Parent | None = None
    for number, record in enumerate(records):
        if number == 0:
            parent = found(record)
        elif parent is not None:
            parent = grown(parent, record)
    return parent


def _status(hold: Parent, child: Record) -> HoldStatus:
    if child.kind is RecordKind.EXPIRY:
        return HoldStatus.EXPIRED
    nothing_left = all(leg.remaining_minor == 0 for leg in hold.legs)
    if child.kind is RecordKind.RELEASE:
        return HoldStatus.RELEASED if nothing_left else HoldStatus.OPEN
    # Only a limit above the amount leaves something to capture where nothing is reserved any more.
    no_headroom = hold.capture_limit_minor <= max(hold.held_minor, hold.captured_minor)
    return HoldStatus.CAPTURED if child.final or (nothing_left and no_headroom) else HoldStatus.OPEN


def _sum(record: Record, effects: tuple[Effect, ...]) -> int:
    return sum(entry.amount_minor for entry in record.entries if entry.effect in effects)


def _legs(record: Record) -> tuple[Leg, ...]:
    totals: dict[tuple[str, Direction], int] = {}
    for entry in record.entries:
        if entry.effect < Effect.RELEASE_DEBIT:
            side = (entry.address, entry.effect.direction)
            totals[side] = totals.get(side, 0) + entry.amount_minor
    return tuple(Leg(*side, total, total) for side, total in totals.items())


def _reduced(legs: tuple[Leg, ...], child: Record, *, mirrored: bool) -> tuple[Leg, ...]:
    """Take what a child captured, released or reversed from what remains of the legs."""
    taken: dict[tuple[str, Direction], int] = {}
    for entry in child.entries:
        direction = entry.effect.direction
        if mirrored:
            direction = direction.opposite
        elif entry.effect in (Effect.POST_DEBIT, Effect.POST_CREDIT):
            continue  # the part of a capture above the hold was never reserved
        side = (entry.address, direction)
        taken[side] = taken.get(side, 0) + entry.amount_minor
    return tuple(
        leg._replace(remaining_minor=leg.remaining_minor - taken.get(leg[:2], 0)) for leg in legs
    )
