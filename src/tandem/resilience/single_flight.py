"""One call for all who want the same thing at the same time.

absent --(first caller)--> flying --(result or error)--> absent, and every waiter has it
flying --(another caller)--> flying       flying --(the last waiter gives up)--> absent, cancelled

The work belongs to no caller: whoever began it may give up, and it goes on for the others. Each
waiter gets an error of its own, as one that is raised in many tasks gathers all their tracebacks.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from tandem.resilience.errors import WorkCancelled
from tandem.resilience.limits import FLIGHTS_MAX


@dataclass(slots=True)
class _Flight[V]:
    task: asyncio.Task[V]
    waiters: int = 0


class SingleFlight[K: Hashable, V]:
    """Shares calls by key; beyond `flights_max` of them a call is made unshared."""

    def __init__(self, flights_max: int = FLIGHTS_MAX) -> None:
        self._flights_max = flights_max
        self._flights: dict[K, _Flight[V]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Return what `work` returns, or what the one that is under way for this key does.

        Raises whatever the work raises, in a copy where it can be copied.
        """
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= self._flights_max:
                return await work()
            flight = self._begin(key, work)
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        except Exception as error:  # noqa: BLE001 - every caller gets one
            raise _own(error) from error.__cause__
        except asyncio.CancelledError:
            if flight.task.cancelled() and not _is_being_cancelled():
                raise WorkCancelled from None
            raise
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                self._end(key, flight)
                flight.task.cancel()

    def _begin(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> _Flight[V]:
        flight = _Flight(asyncio.create_task(work()))
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _task: self._end(key, flight))
        return flight

    def _end(self, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


def _own[E: Exception](error: E) -> E:
    """Return an equal error without the tracebacks of others.

    Its `__init__` is not called: it may take other arguments than it passed on.
    """
    try:
        twin = type(error).__new__(type(error), *error.args)
        twin.__dict__.update(error.__dict__)
    except Exception:  # noqa: BLE001 - an error that cannot be copied is raised as it is
        return error
    return twin


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
