"""Reversals: mirrored entries, linked to the original, several until the whole is reversed."""

from tandem.ledger.core.commands import Reverse
from tandem.ledger.core.decide.entries import direction_effect, irregular, settle
from tandem.ledger.core.decide.parts import parts
from tandem.ledger.core.records import Entry
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State


def reversed_(state: State, command: Reverse) -> tuple[Entry, ...] | Refusal:
    """Return the mirrored entries, or refuse."""
    original = state.parent(command.transaction)
    if original is None or original.status is not None:
        detail = f"{command.transaction} is no posted transaction"
        return Refusal(RefusalCode.TRANSACTION_NOT_FOUND, detail, "transaction")
    if not any(leg.remaining_minor for leg in original.legs):
        detail = f"{command.transaction} is already reversed in whole"
        return Refusal(RefusalCode.ALREADY_REVERSED, detail, "transaction")
    code = RefusalCode.REVERSAL_EXCEEDS_ORIGINAL
    meant = parts(original, command.amount_minor, command.entries, code)
    if isinstance(meant, Refusal):
        return meant
    legs = [
        (
            part.leg.address,
            direction_effect("post", part.leg.direction.opposite),
            part.amount_minor,
            part.asset,
        )
        for part in meant
    ]
    if any(part.excess_minor for part in meant):
        detail = f"{command.transaction} has less left to reverse"
        return irregular(state, legs) or Refusal(code, detail, "amount_minor")
    return settle(state, legs, override_limits=command.override_limits)
