"""The one entry: a command against a state at a time."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from tandem.ledger.core.canonical import fingerprint
from tandem.ledger.core.commands import (
    AtomicBatch,
    Capture,
    Command,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    Reverse,
    SingleCommand,
    UpdateAccount,
)
from tandem.ledger.core.decide.accounts import opened, updated
from tandem.ledger.core.decide.entries import settle
from tandem.ledger.core.decide.holds import captured, expired, held, released
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
type Outcome = Sequence[Record] | Replay | Refusal


def decide(state: State, command: Command, now_us: int) -> Outcome:
    """Decide a command at a time; the state is read, never changed.

    Whatever the state says no to becomes a refusal record, so that it stays no when the key comes
    again. `now_us` is strictly after the state's last recorded time.
    """
    assert now_us > state.recorded_at_us
    key, digest = command.key, fingerprint(command)
    if key is not None and key in state.keys:
        return answer_again(state.keys[key], digest)
    if type(command) is AtomicBatch:
        return _decide_batch(state, command, digest, now_us)
    decided = _records(state, cast("SingleCommand", command), digest, now_us)
    if isinstance(decided, Refusal):
        return (_refused(state, key, digest, now_us, decided),)
    return (decided,)


def answer_again(earlier: Record, digest: str) -> Replay | Refusal:
    """Answer a key that was used: the first outcome for the same command, refused for another."""
    if earlier.fingerprint == digest:
        return Replay(earlier)
    return Refusal(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        f"the key belongs to another command, at position {earlier.position}",
        "idempotency_key",
    )


def _refused(
    state: State, key: str | None, digest: str | None, now_us: int, refusal: Refusal
) -> Record:
    return Record(state.position + 1, now_us, RecordKind.REFUSAL, key, digest, refusal=refusal)


def _records(
    state: State, command: SingleCommand, digest: str | None, now_us: int
) -> Record | Refusal:
    match command:
        case Post():
            return _posted(state, command, digest, now_us)
        case OpenAccount() | UpdateAccount():
            return _account(state, command, digest, now_us)
        case _:
            return _linked(state, command, digest, now_us)


_DEBIT, _CREDIT = Effect.POST_DEBIT, Effect.POST_CREDIT


def _posted(state: State, command: Post, digest: str | None, now_us: int) -> Record | Refusal:
    entries = settle(
        state,
        [
            (address, _DEBIT if direction is Direction.DEBIT else _CREDIT, amount_minor, asset)
            for address, direction, amount_minor, asset in command.entries
        ],
    )
    if isinstance(entries, Refusal):
        return entries
    return Record(
        state.position + 1,
        now_us,
        RecordKind.TRANSACTION,
        command.key,
        digest,
        entries,
        None,
        command.reference,
        command.metadata,
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
    )


def _decide_batch(state: State, command: AtomicBatch, digest: str, now_us: int) -> Sequence[Record]:
    """Decide all on a fork: the batch's own record first, then one each, or one refusal."""
    head = Record(
        state.position + 1,
        now_us,
        RecordKind.BATCH,
        command.key,
        digest,
        commands=len(command.commands),
    )
    fork = state.fork()
    fork.apply(head)
    records = [head]
    for index, single in enumerate(command.commands):
        decided = _records(fork, single, None, now_us + 1 + index)
        if isinstance(decided, Refusal):
            refusal = Refusal(
                decided.code,
                f"command {index}: {decided.detail}",
                f"commands[{index}]" + (f".{decided.field}" if decided.field else ""),
                decided.index,
                decided.available_minor,
                decided.hold_status,
            )
            return (_refused(state, command.key, digest, now_us, refusal),)
        fork.apply(decided)
        records.append(decided)
    return records


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
