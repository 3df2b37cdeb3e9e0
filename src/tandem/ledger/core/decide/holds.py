"""Holds: placing, capturing, releasing and expiring them."""

from tandem.ledger.core.commands import Capture, PlaceHold, Release
from tandem.ledger.core.decide.entries import Leg, direction_effect, irregular, settle
from tandem.ledger.core.decide.parts import Part, parts
from tandem.ledger.core.kinds import Direction, HoldStatus
from tandem.ledger.core.parents import Parent
from tandem.ledger.core.records import Entry
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State

_EXCEEDED = RefusalCode.CAPTURE_EXCEEDS_HOLD


def held(state: State, command: PlaceHold, now_us: int) -> tuple[Entry, ...] | Refusal:
    """Return the entries that reserve, or refuse."""
    too_late = expires_by(command, now_us)
    if too_late is not None:
        return too_late
    limit = command.capture_limit_minor
    reserved = sum(
        asked.amount_minor for asked in command.entries if asked.direction is Direction.DEBIT
    )
    if limit is not None and limit < reserved:
        detail = "a capture limit is at least the amount held"
        return Refusal(RefusalCode.MALFORMED, detail, "capture_limit_minor")
    legs = [
        (address, direction_effect("hold", direction), amount_minor, asset)
        for address, direction, amount_minor, asset in command.entries
    ]
    refusal = None if limit is None else _limit_of_one_asset(state, legs)
    return refusal or settle(state, legs)


def _limit_of_one_asset(state: State, legs: list[Leg]) -> Refusal | None:
    """Refuse a capture limit over several assets, but for what comes first in precedence."""
    accounts = (state.accounts[leg[0]] for leg in legs)
    if len({account.asset for account in accounts if account is not None}) < 2:  # noqa: PLR2004 - several
        return None
    refusal = irregular(state, legs)
    if refusal is not None and refusal.code is not RefusalCode.UNBALANCED:
        return refusal
    detail = "a capture limit needs entries of one asset"
    return Refusal(RefusalCode.ASSET_MISMATCH, detail, "capture_limit_minor")


def expires_by(command: PlaceHold, time_us: int) -> Refusal | None:
    """Refuse a hold that would have expired by a time."""
    if command.expires_at_us is None or command.expires_at_us > time_us:
        return None
    return Refusal(RefusalCode.MALFORMED, "a hold expires in the future", "expires_at")


def open_hold(state: State, position: int, now_us: int) -> Parent | Refusal:
    """Return the hold if it can still be captured or released at this time, or refuse."""
    hold = state.parent(position)
    if hold is None or hold.status is None:
        return Refusal(RefusalCode.HOLD_NOT_FOUND, f"{position} is no hold", "hold")
    status = hold.status
    if hold.open and hold.expires_at_us is not None and hold.expires_at_us <= now_us:
        # By time, not by the sweeper: an expiry that nobody wrote down yet counts all the same.
        status = HoldStatus.EXPIRED
    if status is not HoldStatus.OPEN:
        detail = f"hold {position} is {status}"
        return Refusal(RefusalCode.HOLD_NOT_OPEN, detail, "hold", hold_status=status.value)
    return hold


def captured(state: State, command: Capture, now_us: int) -> tuple[Entry, ...] | Refusal:
    """Return the entries that post a hold, and release its rest if final, or refuse."""
    hold = open_hold(state, command.hold, now_us)
    if isinstance(hold, Refusal):
        return hold
    meant = parts(hold, command.amount_minor, command.entries, _EXCEEDED)
    if isinstance(meant, Refusal):
        return meant
    legs = [
        (part.leg.address, direction_effect(verb, part.leg.direction), amount_minor, part.asset)
        for part in meant
        for verb, amount_minor in (("capture", part.covered_minor), ("post", part.excess_minor))
        if amount_minor
    ]
    exceeded = _beyond(hold, meant)
    if command.final or exceeded is not None:
        # What is posted agrees by itself, not only together with what is then released.
        refusal = irregular(state, legs) or exceeded
        if refusal is not None:
            return refusal
        legs += _rest(hold, meant)
    return settle(state, legs)


def _beyond(hold: Parent, meant: tuple[Part, ...]) -> Refusal | None:
    if not meant:
        return Refusal(_EXCEEDED, f"nothing of hold {hold.position} is left", "hold")
    asked = sum(part.amount_minor for part in meant if part.leg.direction is Direction.DEBIT)
    above_entry = any(part.excess_minor for part in meant)
    if above_entry and hold.capture_limit_minor == hold.held_minor:
        return Refusal(_EXCEEDED, f"hold {hold.position} has less left of an entry", "amount_minor")
    if above_entry and _uneven(meant):
        # What stays reserved must balance, or it could never be released.
        detail = f"what hold {hold.position} covers of the debits and of the credits differs"
        return Refusal(_EXCEEDED, detail, "entries")
    if hold.captured_minor + asked > hold.capture_limit_minor:
        left = hold.capture_limit_minor - hold.captured_minor
        return Refusal(_EXCEEDED, f"hold {hold.position} can capture {left} more", "amount_minor")
    return None


def _uneven(meant: tuple[Part, ...]) -> bool:
    debits = (part.covered_minor for part in meant if part.leg.direction is Direction.DEBIT)
    credits_ = (part.covered_minor for part in meant if part.leg.direction is Direction.CREDIT)
    return sum(debits) != sum(credits_)


def _rest(hold: Parent, meant: tuple[Part, ...]) -> list[Leg]:
    taken = {part.leg: part.covered_minor for part in meant}
    return [
        (leg.address, direction_effect("release", leg.direction), left, None)
        for leg in hold.legs
        if (left := leg.remaining_minor - taken.get(leg, 0))
    ]


def released(state: State, command: Release, now_us: int) -> tuple[Entry, ...] | Refusal:
    """Return the entries that give back all or part of a hold, or refuse."""
    hold = open_hold(state, command.hold, now_us)
    if isinstance(hold, Refusal):
        return hold
    meant = parts(hold, command.amount_minor, command.entries, _EXCEEDED)
    if isinstance(meant, Refusal):
        return meant
    legs = [
        (
            part.leg.address,
            direction_effect("release", part.leg.direction),
            part.amount_minor,
            part.asset,
        )
        for part in meant
    ]
    if any(part.excess_minor for part in meant):
        exceeded = Refusal(_EXCEEDED, f"hold {hold.position} reserves less", "amount_minor")
        return irregular(state, legs) or exceeded
    return settle(state, legs)


def expired(state: State, hold: Parent) -> tuple[Entry, ...]:
    """Return the entries that give back what an expired hold still reserves."""
    entries = settle(state, _rest(hold, ()))
    assert not isinstance(entries, Refusal), entries
    return entries
