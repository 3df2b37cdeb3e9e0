"""Layers in their order around a call: a tuple, the outermost first."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tandem.resilience.deadline import Deadline

type Call[T] = Callable[[Deadline], Awaitable[T]]
"""Something asynchronous that is told until when its result is wanted."""


class Layer(Protocol):
    """Wraps a call: may refuse it, repeat it, give it less time, or only look."""

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call, or not."""
        ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The layers of one kind of call; itself a layer."""

    layers: tuple[Layer, ...]

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call through all layers."""
        for layer in reversed(self.layers):
            call = _wrapped(layer, call)
        return await call(deadline)


def _wrapped[T](layer: Layer, call: Call[T]) -> Call[T]:
    async def wrapped(deadline: Deadline) -> T:
        return await layer.run(call, deadline)

    return wrapped
