"""Hypothesis for checks that wait: examples drawn in a thread, checked on the loop."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from anyio import from_thread, to_thread
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

EXAMPLES: Final = 60


async def each[T](
    drawn: SearchStrategy[T], check: Callable[[T], Coroutine[Any, Any, None]]
) -> None:
    """Check drawn examples one by one; what fails is shrunk and told as ever."""

    @settings(max_examples=EXAMPLES)
    @given(drawn)
    def run(value: T) -> None:
        from_thread.run(check, value)

    await to_thread.run_sync(run)
