"""Layers in their order around a call: a tuple, the outermost first."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Protocol

from tandem.resilience.deadline import Deadline

type Call[T] = Callable[[Deadline], Awaitable[T]]
"""Something asynchronous that is told until when its result is wanted."""


class Place(IntEnum):
    """Where a layer stands, the outermost first; each for what those inside it do.

    Credits are reserved once for all attempts. What stands below `RETRY` is asked for every
    attempt. The throttle and the breaker stand outside the limit, so that what they reject takes no
    slot, nor one of the requests that a plan allows; the attempt's time begins when it has both.
    """

    DEADLINE = 1
    SINGLE_FLIGHT = 2
    QUOTA = 3
    RETRY = 4
    HEDGE = 5
    HOLD_OFF = 6
    THROTTLE = 7
    BREAKER = 8
    CONCURRENCY = 9
    PACE = 10
    ATTEMPT_TIMEOUT = 11


class Layer(Protocol):
    """Wraps a call: may refuse it, repeat it, give it less time, or only look."""

    @property
    def place(self) -> Place | None:
        """Where it stands; None for what only looks, and may stand anywhere."""
        ...

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call, or not."""
        ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The layers of one kind of call; raises ValueError for layers in any other order."""

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        places = [place for place in (layer.place for layer in self.layers) if place is not None]
        if any(outer >= inner for outer, inner in pairwise(places)):
            names = ", ".join(place.name.lower() for place in places)
            raise ValueError(f"layers stand in the order of their places, not {names}")

    def names(self) -> tuple[str, ...]:
        """Return the kind of each layer, the outermost first."""
        return tuple(type(layer).__name__ for layer in self.layers)

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call through all layers."""
        for layer in reversed(self.layers):
            call = _wrapped(layer, call)
        return await call(deadline)


def _wrapped[T](layer: Layer, call: Call[T]) -> Call[T]:
    async def wrapped(deadline: Deadline) -> T:
        return await layer.run(call, deadline)

    return wrapped
