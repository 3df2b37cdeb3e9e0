"""Effective time: the business date of what is posted, and the periods that are closed to it."""

from tandem.ledger.core.commands import ORIGINAL, Capture, ClosePeriod, Reverse
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State


def too_early(state: State, effective_at_us: int | None) -> Refusal | None:
    """Refuse an effective time within a closed period; none is the recorded time, which never is.

    A period is closed only after its end, and recorded times increase.
    """
    if effective_at_us is None or effective_at_us > state.closed_through_us:
        return None
    return Refusal(
        RefusalCode.PERIOD_CLOSED, "the effective time is in a closed period", "effective_at"
    )


def effective_at(state: State, command: Capture | Reverse) -> int | None:
    """Tell when a capture or reversal takes effect; None is its recorded time."""
    asked = command.effective_at_us
    if asked != ORIGINAL:
        return asked
    assert isinstance(command, Reverse)
    original = state.parent(command.transaction)
    assert original is not None
    return original.effective_us


def closed_period(
    state: State, command: ClosePeriod, digest: str | None, now_us: int
) -> Record | Refusal:
    """Close everything up to a time, or refuse: what is not over, or closed already."""
    if command.through_us >= now_us:
        return Refusal(RefusalCode.MALFORMED, "a period that is closed has ended", "through")
    if command.through_us <= state.closed_through_us:
        detail = "the ledger is closed through that time already"
        return Refusal(RefusalCode.PERIOD_CLOSED, detail, "through")
    return Record(
        state.position + 1,
        now_us,
        RecordKind.CLOSE_PERIOD,
        command.key,
        digest,
        metadata=command.metadata,
        closed_through_us=command.through_us,
    )
