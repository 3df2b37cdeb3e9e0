"""The one entry: a command against a state at a time."""

from typing import NamedTuple, cast

from tandem.ledger.core.canonical import fingerprint, recorded_fingerprint
from tandem.ledger.core.commands import (
    AtomicBatch,
    Capture,
    ClosePeriod,
    Command,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    Reverse,
    SingleCommand,
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.decide.accounts import opened, updated
from tandem.ledger.core.decide.effective import closed_period, effective_at, too_early
from tandem.ledger.core.decide.entries import Leg, settle
from tandem.ledger.core.decide.holds import captured, expired, expires_by, held, released
from tandem.ledger.core.decide.reversals import reversed_
from tandem.ledger.core.kinds import Direction, Effect, RecordKind
from tandem.ledger.core.records import Entry, Record
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State


class Replay(NamedTuple):
    """The command was decided before; this is its record."""

    record: Record


# New records (the first answers the command), the first outcome again, or a refusal that is not
# written because the key belongs to another command.
type Outcome = tuple[Record, ...] | Replay | Refusal


def decide(state: State, command: Command, now_us: int) -> Outcome:
    """Decide a command at a time; the state is read, never changed.

    Whatever the state says no to becomes a refusal record, so that it stays no when the key comes
    again. `now_us` is strictly after the state's last recorded time. Raises KeyError where the
    state does not hold what the decision needs.
    """
    assert now_us > state.recorded_at_us
    key = command.key
    if key is not None and key in state.keys:
        return answer_again(state.keys[key], command)
    if type(command) is AtomicBatch:
        return _decide_batch(state, command, now_us)
    decided = _records(state, cast("SingleCommand", command), now_us)
    if isinstance(decided, Refusal):
        return (_refused(state, command, now_us, decided),)
    return (decided,)


def answer_again(earlier: Record, command: Command) -> Replay | Refusal:
    """Answer a key that was used: the first outcome for the same command, refused for another."""
    if recorded_fingerprint(earlier) == fingerprint(command):
        return Replay(earlier)
    return Refusal(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        f"the key belongs to another command, at position {earlier.position}",
        "idempotency_key",
    )


def _refused(state: State, command: Command, now_us: int, refusal: Refusal) -> Record:
    return Record(
        state.position + 1,
        now_us,
        RecordKind.REFUSAL,
        command.key,
        fingerprint(command),
        refusal=refusal,
    )


def _records(state: State, command: SingleCommand, now_us: int) -> Record | Refusal:
    if isinstance(command, Transfer | Post):
        return _posted(state, command, now_us)
    digest = None if command.key is None else fingerprint(command)
    match command:
        case OpenAccount() | UpdateAccount():
            return _account(state, command, digest, now_us)
        case ClosePeriod():
            return closed_period(state, command, digest, now_us)
        case Transfer() | Post():
            raise AssertionError("posts are decided above")
        case _:
            return _linked(state, command, digest, now_us)


_DEBIT, _CREDIT = Effect.POST_DEBIT, Effect.POST_CREDIT


def _posted(state: State, command: Transfer | Post, now_us: int) -> Record | Refusal:
    legs: list[Leg] = []
    plain = True
    for address, direction, amount_minor, asset in command.entries:
        effect = _DEBIT if direction is Direction.DEBIT else _CREDIT
        legs.append((address, effect, amount_minor, asset))
        if asset is not None:
            plain = False
    entries = settle(state, legs)
    if isinstance(entries, Refusal):
        return entries
    refusal = too_early(state, command.effective_at_us)
    if refusal is not None:
        return refusal
    return Record(
        state.position + 1,
        now_us,
        RecordKind.TRANSACTION,
        command.key,
        # What was asked can be read off what was posted, unless assets were named.
        None if plain else fingerprint(command),
        entries,
        None,
        command.reference,
        command.metadata,
        effective_at_us=command.effective_at_us,
    )


def _account(
    state: State, command: OpenAccount | UpdateAccount, digest: str | None, now_us: int
) -> Record | Refusal:
    if isinstance(command, OpenAccount):
        kind, account = RecordKind.OPEN_ACCOUNT, opened(state, command, now_us)
    else:
        kind, account = RecordKind.UPDATE_ACCOUNT, updated(state, command)
    if isinstance(account, Refusal):
        return account
    return Record(state.position + 1, now_us, kind, command.key, digest, account=account)


def _linked(
    state: State,
    command: PlaceHold | Capture | Release | Reverse,
    digest: str | None,
    now_us: int,
) -> Record | Refusal:
    parent: int | None = None
    effective_at_us: int | None = None
    entries: tuple[Entry, ...] | Refusal
    match command:
        case PlaceHold():
            kind, entries = RecordKind.HOLD, held(state, command, now_us)
        case Capture():
            kind, parent = RecordKind.CAPTURE, command.hold
            entries = captured(state, command, now_us)
        case Release():
            kind, parent = RecordKind.RELEASE, command.hold
            entries = released(state, command, now_us)
        case Reverse():
            kind, parent = RecordKind.REVERSAL, command.transaction
            entries = reversed_(state, command)
    if isinstance(entries, Refusal):
        return entries
    if isinstance(command, Capture | Reverse):
        effective_at_us = effective_at(state, command)
        refusal = too_early(state, effective_at_us)
        if refusal is not None:
            return refusal
    return Record(
        state.position + 1,
        now_us,
        kind,
        command.key,
        digest,
        entries,
        parent,
        getattr(command, "reference", None),
        command.metadata,
        getattr(command, "expires_at_us", None),
        getattr(command, "capture_limit_minor", None),
        getattr(command, "final", False),
        getattr(command, "override_limits", False),
        effective_at_us=effective_at_us,
    )


def _decide_batch(state: State, command: AtomicBatch, now_us: int) -> tuple[Record, ...]:
    """Decide all on a fork: the batch's own record first, then one each, or one refusal."""
    head = Record(
        state.position + 1,
        now_us,
        RecordKind.BATCH,
        command.key,
        fingerprint(command),
        commands=len(command.commands),
    )
    fork = state.fork()
    fork.apply(head)
    records = [head]
    last_us = now_us + len(command.commands)
    for index, single in enumerate(command.commands):
        # No record may follow a hold that has expired and is not written down as such.
        too_late = expires_by(single, last_us) if type(single) is PlaceHold else None
        decided = too_late or _records(fork, single, now_us + 1 + index)
        if isinstance(decided, Refusal):
            refusal = Refusal(
                decided.code,
                f"command {index}: {decided.detail}",
                f"commands[{index}].{decided.field}",
                decided.index,
                decided.available_minor,
                decided.hold_status,
            )
            return (_refused(state, command, now_us, refusal),)
        fork.apply(decided)
        records.append(decided)
    return tuple(records)


def expire(state: State, position: int, now_us: int) -> Record | None:
    """Write down that a hold has expired, or None where it is no longer an open hold that has."""
    hold = state.parent(position)
    if hold is None or not hold.open or hold.expires_at_us is None or hold.expires_at_us > now_us:
        return None
    return Record(
        state.position + 1,
        now_us,
        RecordKind.EXPIRY,
        None,
        None,
        expired(state, hold),
        hold.position,
        expires_at_us=hold.expires_at_us,
    )
