"""What a reader must see, summed from the reference's lines; and what a ledger shows."""

from collections import Counter
from dataclasses import astuple
from typing import Any

from tests.property.ledger.deeds import Line
from tests.property.ledger.reference import Reference

from tandem.ledger.api import Refused
from tandem.ledger.core.commands import AtomicBatch, Command
from tandem.ledger.core.records import Record
from tandem.ledger.local import LocalLedger
from tandem.ledger.times import from_us

type Seen = tuple[Any, ...]
type Sums = Counter[tuple[str, str, str]]  # address, "posted" or "pending", direction


def sums(lines: list[Line]) -> Sums:
    """Sum every entry of a log."""
    total: Sums = Counter()
    for line in lines:
        for address, verb, direction, amount_minor, _ in line.postings:
            if verb in ("post", "capture"):
                total[address, "posted", direction] += amount_minor
            if verb == "hold":
                total[address, "pending", direction] += amount_minor
            if verb in ("capture", "release"):
                total[address, "pending", direction] -= amount_minor
    return total


def overdue(reference: Reference, position: int, time_us: int) -> Sums:
    """Sum what holds still reserve at a position that have expired by a time."""
    total: Sums = Counter()
    for hold, deed in reference.state.deeds.items():
        if deed.status is None or hold > position or (deed.expires_us or time_us + 1) > time_us:
            continue
        own = [line for line in reference.lines[:position] if hold in (line.position, line.parent)]
        total.update(sums(own))
    return Counter({side: left for side, left in total.items() if side[1] == "pending"})


def balance(
    reference: Reference, address: str, at_position: int | None, at_time_us: int | None
) -> Seen:
    """What a balance must be, or the code of its refusal."""
    position, time_us = reference.position, reference.clock_us
    if at_position is not None:
        if at_position > position:
            return ("malformed",)
        position, time_us = at_position, reference.lines[at_position - 1].time_us
    elif at_time_us is not None:
        if at_time_us > max(reference.clock_us, reference.head_us()):
            return ("malformed",)
        reference.closed_us = max(reference.closed_us, at_time_us)
        position = sum(line.time_us <= at_time_us for line in reference.lines)
        time_us = at_time_us
    book = reference.state.books.get(address)
    if book is None or book.opened > position:
        return ("account_not_found",)
    total = sums(reference.lines[:position])
    total.subtract(overdue(reference, position, time_us))
    posted = [total[address, "posted", side] for side in ("debit", "credit")]
    pending = [total[address, "pending", side] for side in ("debit", "credit")]
    held = posted[0] - posted[1] if book.debit_normal else posted[1] - posted[0]
    free = held - pending[1 if book.debit_normal else 0]
    return (address, book.asset, position, held, free, *posted, *pending)


async def shown_balance(
    ledger: LocalLedger, address: str, at_position: int | None, at_time_us: int | None
) -> Seen:
    """What a ledger says of the same."""
    at_time = None if at_time_us is None else from_us(at_time_us)
    try:
        return astuple(await ledger.balance(address, at_position=at_position, at_time=at_time))
    except Refused as refused:
        return (refused.code.value,)


def hold(reference: Reference, position: int) -> Seen:
    """What a hold must look like: status, held, captured, remaining, limit."""
    deed = reference.state.deeds.get(position)
    if deed is None or deed.status is None:
        return ("hold_not_found",)
    expired = deed.expires_us is not None and deed.expires_us <= reference.clock_us
    if deed.status == "open" and expired:
        return ("expired", deed.held, deed.captured, 0, deed.limit)
    return (deed.status, deed.held, deed.captured, deed.left_minor(), deed.limit)


async def shown_hold(ledger: LocalLedger, position: int) -> Seen:
    """What a ledger says of the same."""
    try:
        seen = await ledger.hold_state(position)
    except Refused as refused:
        return (refused.code.value,)
    return (
        seen.status.value,
        seen.held_minor,
        seen.captured_minor,
        seen.remaining_minor,
        seen.capture_limit_minor,
    )


def trial_balance(reference: Reference, at_position: int) -> Seen:
    """What the totals of every asset must be."""
    total = sums(reference.lines[:at_position])
    rows = []
    books = {
        address: book
        for address, book in reference.state.books.items()
        if book.opened <= at_position
    }
    for asset in sorted({book.asset for book in books.values()}):
        addresses = [address for address, book in books.items() if book.asset == asset]
        columns = (
            sum(total[address, kind, side] for address in addresses)
            for kind in ("posted", "pending")
            for side in ("debit", "credit")
        )
        rows.append((asset, len(addresses), *columns, 0))
    return (at_position, tuple(rows))


async def shown_trial_balance(ledger: LocalLedger, at_position: int | None) -> Seen:
    """What a ledger says of the same."""
    seen = await ledger.trial_balance(at_position=at_position)
    return (seen.position, tuple(astuple(line) for line in seen.lines))


async def outcome(ledger: LocalLedger, command: Command) -> Seen:
    """What a ledger answers to one command."""
    try:
        if isinstance(command, AtomicBatch):
            receipts = await ledger.submit_batch(
                command.commands, mode="atomic", idempotency_key=command.key
            )
            position = receipts[0].position
            assert position is not None
            return (position - 1, None, receipts[0].replayed, receipts)
        record = await ledger.execute(command)
    except Refused as refused:
        return (None, refused.code.value, refused.replayed, refused.refusal)
    return (record.position, None, record.replayed, record)


def as_line(record: Record) -> Line:
    """A record of the log as the reference writes it; the order of its entries left out."""
    postings = [
        (entry.address, entry.effect.verb, entry.effect.direction.value, entry.amount_minor)
        for entry in record.entries
    ]
    return Line(
        record.position,
        record.recorded_at_us,
        record.kind.value,
        record.key,
        record.parent,
        None if record.refusal is None else record.refusal.code.value,
        tuple(sorted(postings)),  # type: ignore[arg-type]  # compared, not used
    )
