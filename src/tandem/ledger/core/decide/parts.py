"""Which part of a parent a capture, release or reversal means."""

from typing import NamedTuple

from tandem.ledger.core.commands import RequestedEntry
from tandem.ledger.core.kinds import Direction
from tandem.ledger.core.parents import Leg, Parent
from tandem.ledger.core.refusals import Refusal, RefusalCode


class Part(NamedTuple):
    """How much of one leg is meant."""

    leg: Leg
    amount_minor: int
    asset: str | None

    @property
    def covered_minor(self) -> int:
        """What the leg still has of it."""
        return min(self.amount_minor, self.leg.remaining_minor)

    @property
    def excess_minor(self) -> int:
        """What it asks above that."""
        return self.amount_minor - self.covered_minor


def parts(
    parent: Parent,
    amount_minor: int | None,
    entries: tuple[RequestedEntry, ...] | None,
    exceeded: RefusalCode,
) -> tuple[Part, ...] | Refusal:
    """Resolve all that remains (neither given), an amount of a two-leg parent, or named entries."""
    if entries is not None:
        return _named(parent, entries, exceeded)
    if amount_minor is None:
        return tuple(
            Part(leg, leg.remaining_minor, None) for leg in parent.legs if leg.remaining_minor
        )
    if len(parent.legs) != 2:  # noqa: PLR2004 - a debit and a credit
        detail = "an amount says which part only of two entries; name the entries"
        return Refusal(RefusalCode.MALFORMED, detail, "amount_minor")
    return tuple(Part(leg, amount_minor, None) for leg in parent.legs)


def _named(
    parent: Parent, entries: tuple[RequestedEntry, ...], exceeded: RefusalCode
) -> tuple[Part, ...] | Refusal:
    legs = {(leg.address, leg.direction): leg for leg in parent.legs}
    wanted: dict[tuple[str, Direction], tuple[int, str | None]] = {}
    for index, entry in enumerate(entries):
        side = (entry.address, entry.direction)
        if side not in legs:
            detail = f"{parent.position} has no {entry.direction} of {entry.address}"
            return Refusal(exceeded, detail, "entries", index)
        amount_minor, asset = wanted.get(side, (0, None))
        wanted[side] = (amount_minor + entry.amount_minor, entry.asset or asset)
    return tuple(Part(legs[side], *meant) for side, meant in wanted.items())
