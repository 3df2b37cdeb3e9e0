"""The asynchronous wrappers: each holds a state machine and keeps it told."""

from tandem.resilience.layers.judged import Guarded, HeldOff, Judge, Throttled
from tandem.resilience.layers.limited import Limited, Sized
from tandem.resilience.layers.reserved import Paced, Reserved
from tandem.resilience.layers.retry import NO_RETRY, Advice, Retry
from tandem.resilience.layers.shared import Coalesced, Hedged
from tandem.resilience.layers.timing import AttemptTimeout, Bounded, Observed

__all__ = [
    "NO_RETRY",
    "Advice",
    "AttemptTimeout",
    "Bounded",
    "Coalesced",
    "Guarded",
    "Hedged",
    "HeldOff",
    "Judge",
    "Limited",
    "Observed",
    "Paced",
    "Reserved",
    "Retry",
    "Sized",
    "Throttled",
]
