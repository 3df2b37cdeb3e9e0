"""What ties records: holds and their ends, reversals and originals, batches and members."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from tandem.ledger.core.kinds import POSTING, REVERSIBLE, Direction, Effect, RecordKind
from tandem.ledger.core.parents import Parent, found, grown
from tandem.ledger.core.records import Record

type Side = tuple[str, Direction]

_POSTS: Final = frozenset({Effect.POST_DEBIT, Effect.POST_CREDIT})
_HOLDS: Final = frozenset({Effect.HOLD_DEBIT, Effect.HOLD_CREDIT})
_RELEASES: Final = frozenset({Effect.RELEASE_DEBIT, Effect.RELEASE_CREDIT})
# What entries a record of a kind may have; of every other kind it has none.
_MAY: Final[Mapping[RecordKind, frozenset[Effect]]] = {
    RecordKind.TRANSACTION: _POSTS,
    RecordKind.REVERSAL: _POSTS,
    RecordKind.HOLD: _HOLDS,
    RecordKind.CAPTURE: POSTING | _RELEASES,
    RecordKind.RELEASE: _RELEASES,
    RecordKind.EXPIRY: _RELEASES,
}
_MOVES: Final = _MAY.keys() - {RecordKind.RELEASE, RecordKind.EXPIRY}
_ENDS: Final = frozenset({RecordKind.CAPTURE, RecordKind.RELEASE, RecordKind.EXPIRY})


class Ties:
    """Follows records in order. Keeps open holds, and what was reversed of which transaction."""

    def __init__(self) -> None:
        self.members = 0  # how many of the next records belong to an atomic batch
        self.reversed: dict[int, defaultdict[Side, int]] = {}
        self._holds: dict[int, Parent] = {}

    def take(self, record: Record) -> Iterator[str]:
        """Take the next record in, and say what does not fit."""
        may = _MAY.get(record.kind, frozenset())
        # A hold of which all is captured, and more could be, ends without any.
        lacking = not record.entries and record.kind in _MOVES
        if lacking or any(entry.effect not in may for entry in record.entries):
            yield f"a {record.kind} has no such entries"
        yield from self._follow_batch(record)
        if record.kind in _ENDS:
            yield from self._end(record)
        elif record.kind is RecordKind.REVERSAL:
            yield from self._reverse(record)
        elif record.parent is not None:
            yield f"a {record.kind} has no parent"
        elif record.kind is RecordKind.HOLD:
            hold = found(record)
            assert hold is not None
            self._holds[record.position] = hold

    def _follow_batch(self, record: Record) -> Iterator[str]:
        keyless = record.kind is RecordKind.EXPIRY
        if self.members:
            self.members -= 1
            if keyless or record.key is not None or record.commands is not None:
                yield "it stands among the members of an atomic batch"
        elif keyless != (record.key is None):
            yield "an expiry has no key, and every other record has one"
        if record.commands is not None:
            self.members = record.commands

    def _end(self, record: Record) -> Iterator[str]:
        hold = None if record.parent is None else self._holds.get(record.parent)
        if hold is None:
            yield f"hold {record.parent} is not open"
            return
        expired = hold.expires_at_us is not None and hold.expires_at_us <= record.recorded_at_us
        if expired != (record.kind is RecordKind.EXPIRY):
            yield f"hold {hold.position} had {'' if expired else 'not '}expired"
        hold = grown(hold, record)
        left = [leg.remaining_minor for leg in hold.legs]
        if min(left) < 0:
            yield f"hold {hold.position} is overdrawn"
        if hold.captured_minor > max(hold.capture_limit_minor, 0):
            yield f"hold {hold.position} is captured beyond its limit"
        if hold.open:
            self._holds[hold.position] = hold
            return
        del self._holds[hold.position]
        if any(left):
            yield f"hold {hold.position} ends with something left"

    def _reverse(self, record: Record) -> Iterator[str]:
        if record.parent is None or record.parent >= record.position:
            yield "it reverses nothing that came before"
            return
        taken = self.reversed.setdefault(record.parent, defaultdict(int))
        for entry in record.entries:
            taken[entry.address, entry.effect.direction.opposite] += entry.amount_minor

    def over_reversed(self, original: Record) -> Iterator[str]:
        """Say where more was reversed of a record than it had moved."""
        if original.kind not in REVERSIBLE:
            yield f"it is a {original.kind}, and was reversed"
            return
        parent = found(original)
        assert parent is not None
        moved = {(leg.address, leg.direction): leg.amount_minor for leg in parent.legs}
        for (address, direction), amount_minor in sorted(self.reversed[original.position].items()):
            if amount_minor > moved.get((address, direction), 0):
                yield f"more than its {direction} of {address} was reversed"

    def pending(self) -> Mapping[Side, int]:
        """What open holds reserve, by account and side."""
        sums: defaultdict[Side, int] = defaultdict(int)
        for hold in self._holds.values():
            for leg in hold.legs:
                sums[leg.address, leg.direction] += leg.remaining_minor
        return sums
