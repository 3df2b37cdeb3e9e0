"""The life of a delivery: states, the steps between them, and nothing that acts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tandem.courier.errors import IllegalTransition
from tandem.courier.limits import HOLD_LIFETIME_S
from tandem.courier.pricing import Split
from tandem.routing.client import Coordinate


class State(StrEnum):
    """Where a delivery stands; refused, cancelled and refunded are final."""

    REQUESTED = "requested"
    QUOTED = "quoted"
    HELD = "held"
    RIDING = "riding"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    REFUNDED = "refunded"


class Step(StrEnum):
    """What may happen to a delivery; a step's name is part of its idempotency key."""

    QUOTE = "quote"
    HOLD = "hold"
    DECLINE = "decline"
    RIDE = "ride"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.REQUESTED, Step.QUOTE): State.QUOTED,
    (State.REQUESTED, Step.DECLINE): State.REFUSED,
    (State.QUOTED, Step.HOLD): State.HELD,
    (State.QUOTED, Step.DECLINE): State.REFUSED,
    (State.HELD, Step.RIDE): State.RIDING,
    (State.HELD, Step.RELEASE): State.CANCELLED,
    (State.RIDING, Step.CAPTURE): State.DELIVERED,
    (State.RIDING, Step.RELEASE): State.CANCELLED,
    (State.DELIVERED, Step.REFUND): State.REFUNDED,
}
FINAL: Final = frozenset({State.CANCELLED, State.REFUSED, State.REFUNDED})


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer asked for; it does not change, so a step made from it can be repeated."""

    delivery_id: str
    customer: int
    courier: int
    pickup: Coordinate
    dropoff: Coordinate
    requested_at: datetime

    @property
    def hold_expires_at(self) -> datetime:
        """When an uncaptured hold gives the money back: fixed by the order, not by the clock."""
        return self.requested_at + timedelta(seconds=HOLD_LIFETIME_S)


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and the route it was made from; lengths in whole metres."""

    distance_m: int
    ascent_m: int
    provider: str
    freshness: str
    degraded: bool
    split: Split


@dataclass(frozen=True, slots=True)
class Held:
    """Money reserved: the hold's position in the ledger and the quote that it binds."""

    position: int
    quote: Quote


def advance(state: State, step: Step) -> State:
    """Take a step.

    Raises:
        IllegalTransition: the state does not allow it.
    """
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise IllegalTransition(f"a delivery that is {state} cannot {step}") from None


def idempotency_key(delivery_id: str, step: Step) -> str:
    """Name a step of a delivery for the ledger: the same step always has the same key."""
    return f"delivery:{delivery_id}:{step}"
