"""Calls of an asynchronous client for synchronous code."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Protocol


class Runs[C](Protocol):
    """Runs coroutines of an asynchronous client `C`."""

    def run[R](self, call: Callable[[C], Coroutine[Any, Any, R]]) -> R:
        """Run one and wait for it."""
        ...


class Waits(Protocol):
    """Runs any coroutine and waits for it."""

    def __call__[R](self, call: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Run what `call` makes."""
        ...


def blocking[C, **P, R](
    method: Callable[Concatenate[C, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Runs[C], P], R]:
    """Make the method of a synchronous client that does what an asynchronous client's does."""

    @wraps(method)
    def call(self: Runs[C], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(lambda client: method(client, *args, **kwargs))

    return call
