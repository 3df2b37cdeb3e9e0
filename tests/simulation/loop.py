"""An event loop without a machine under it: virtual time, and an order drawn from a seed.

Nothing here waits. Whenever all tasks wait for something, time jumps to the next timer; of what is
ready any callback may be next. One seed is one interleaving, whatever the machine does meanwhile.
There are no sockets, threads or processes: who asks for them gets `NotImplementedError`.
"""

import asyncio
import heapq
import random
from asyncio import AbstractEventLoop, Future, Handle, Task, TimerHandle
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from math import ceil
from typing import Any, Final

# Far more than any simulation needs; a loop that turns in circles is found out by it.
MAX_STEPS: Final = 2_000_000

type Tasks = dict[Task[Any], None]

# The tasks of a simulated process: whatever its tasks start belongs to it too.
owner: Final[ContextVar[Tasks | None]] = ContextVar("owner", default=None)


class Stuck(Exception):  # noqa: N818 - it names what happened
    """Nothing can ever happen again, or too much happens without an end."""


class VirtualLoop(AbstractEventLoop):
    """Runs callbacks in a seeded order, and time only when there is nothing else to do."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._ready: list[Handle] = []
        self._timers: list[tuple[int, int, TimerHandle]] = []
        self._numbered = 0
        self._running = False
        self.elapsed_us = 0
        self.steps = 0
        self.faults: list[str] = []

    # -- time ----------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.elapsed_us / 1e6

    def call_at[*A](
        self,
        when: float,
        callback: Callable[[*A], object],
        *args: *A,
        context: Context | None = None,
    ) -> TimerHandle:
        """Call at a virtual time; never before it."""
        self._numbered += 1
        handle = TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (ceil(when * 1e6), self._numbered, handle))
        return handle

    def call_later[*A](
        self,
        delay: float,
        callback: Callable[[*A], object],
        *args: *A,
        context: Context | None = None,
    ) -> TimerHandle:
        """Call after so many virtual seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Nothing to do: a cancelled timer is skipped when its time comes."""

    async def pass_us(self, delay_us: int) -> None:
        """Let virtual time pass."""
        passed = self.create_future()
        self.call_later(delay_us / 1e6, _wake, passed)
        await passed

    # -- callbacks and tasks ---------------------------------------------------------------------

    def call_soon[*A](
        self, callback: Callable[[*A], object], *args: *A, context: Context | None = None
    ) -> Handle:
        """Call when it is its turn."""
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def create_future(self) -> Future[Any]:
        """Make a future."""
        return Future(loop=self)

    def create_task[T](
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> Task[T]:
        """Start a task; it belongs to whoever started it."""
        context = copy_context() if context is None else context
        task: Task[T] = Task(coro, loop=self, name=name, context=context, **options)
        tasks = context.get(owner)
        if tasks is not None:
            tasks[task] = None
            task.add_done_callback(lambda done: tasks.pop(done, None))
        return task

    def get_debug(self) -> bool:
        """No: traces of tasks would differ from run to run."""
        return False

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self._running

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught; a simulation that has some has failed."""
        self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    # -- running -------------------------------------------------------------------------------

    def run[T](self, main: Coroutine[Any, Any, T]) -> T:
        """Run to the end of a coroutine. Raises `Stuck` where it would not come to one."""
        self._running = True
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(main)
            while not task.done():
                self._step()
            return task.result()
        finally:
            asyncio._set_running_loop(None)
            self._running = False

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Stuck(f"no end after {MAX_STEPS} steps")
        if not self._ready:
            self._jump()
            return
        index = int(self._chance.random() * len(self._ready))
        handle, self._ready[index] = self._ready[index], self._ready[-1]
        self._ready.pop()
        if not handle.cancelled():
            handle._run()

    def _jump(self) -> None:
        """Move time to the next timer, and make ready whatever is due then."""
        if not self._timers:
            raise Stuck("every task waits for another")
        self.elapsed_us = max(self.elapsed_us, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self.elapsed_us:
            self._ready.append(heapq.heappop(self._timers)[2])


def _wake(waiting: Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
