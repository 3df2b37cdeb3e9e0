"""The simulated world: processes over one database, their clocks, the weather, the trace."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, Final, cast

from tests.simulation.history import History, Known
from tests.simulation.loop import Tasks, VirtualLoop, owner
from tests.simulation.plan import Fate, Plan, Weather
from tests.simulation.store import Database, ProcessStore
from tests.support.clock import START

from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.port import LedgerStore
from tandem.ledger.times import to_us

LEDGER: Final = "simulated"
_START_US: Final = to_us(START, "start")
_STEP_US: Final = (20_000, 1_500_000, 40_000_000)  # the last is more than the database allows


class Gone(Exception):  # noqa: N818 - it names what happened
    """The process died, or did not answer in time: what became of the call is not known."""


class World:
    """Everything of one run that is not a client."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.plan = plan
        self.loop = VirtualLoop(random.Random(f"order {seed}"))  # type: ignore[abstract]  # no sockets, no threads
        self.chance = random.Random(f"weather {seed}")
        self.network_chance = random.Random(f"network {seed}")
        self.history = History()
        self.known = Known()
        self.lines: list[str] = []
        self.stormy = plan.storm_us > 0
        self.database = Database(self.loop, self.now_us)
        self.processes = [Process(self, f"p{number}") for number in range(plan.processes)]

    def now_us(self) -> int:
        """The true time, in microseconds since 1970."""
        return _START_US + self.loop.elapsed_us

    def trace(self, text: str) -> None:
        """Note an event with its virtual time."""
        self.lines.append(f"{self.loop.elapsed_us / 1e6:.6f} {text}")

    def digest(self) -> str:
        """Digest the trace: the same for the same seed."""
        return sha256("\n".join(self.lines).encode()).hexdigest()

    @property
    def log_length(self) -> int:
        """How many records there are, committed."""
        return len(self.bodies)

    @property
    def bodies(self) -> list[str]:
        """The canonical texts of the log."""
        return self.database.memory._logs[LEDGER].bodies

    # -- weather -------------------------------------------------------------------------------

    async def weather(self) -> None:
        """Let faults come and go until the storm is over; then mend everything."""
        while self.loop.elapsed_us < self.plan.storm_us:
            pause_us = self.chance.expovariate(1 / self.plan.weather_pause_us)
            await self.loop.pass_us(int(pause_us))
            await self._change(self.chance.choice(self.plan.weather))
        self.stormy = False
        self.database.disk_full = False
        for process in self.processes:
            process.unreachable_until_us = process.stalled_until_us = process.offset_us = 0
        self.trace("the storm is over")

    async def _change(self, weather: Weather) -> None:
        process = self.chance.choice(self.processes)
        lasting_us = int(self.chance.expovariate(1 / 600_000))
        if weather is not Weather.CALM:
            self.trace(f"{weather} {process.name} {lasting_us}")
        match weather:
            case Weather.CRASH:
                process.crash()
                await self.loop.pass_us(lasting_us // 4)
                process.start()
            case Weather.RESTART:
                await process.stop()
                process.start()
            case Weather.PARTITION:
                process.unreachable_until_us = self.loop.elapsed_us + lasting_us
            case Weather.STALL:
                process.stalled_until_us = self.loop.elapsed_us + lasting_us
            case Weather.CLOCK_STEP:
                step_us = self.chance.choice(_STEP_US)
                process.offset_us = self.chance.randint(-step_us, step_us)
            case Weather.DISK_FULL:
                self.database.disk_full = True
                await self.loop.pass_us(lasting_us)
                self.database.disk_full = False
            case Weather.CALM:
                pass


class Process:
    """One process with a ledger service: its clock, its network, its tasks, its death."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.offset_us = 0
        self.unreachable_until_us = 0
        self.stalled_until_us = 0
        self._world = world
        self._lives: list[Tasks] = []
        self._tasks: Tasks = {}
        self._died: asyncio.Future[None] | None = None
        self._service: LedgerService | None = None

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with an empty memory."""
        world = self._world
        store = ProcessStore(world.database, Wire(world, self))
        self._service = LedgerService(cast("LedgerStore", store), self.clock_us)
        self._died = world.loop.create_future()
        self._tasks = {}
        self._lives.append(self._tasks)

    def crash(self) -> None:
        """Die at once: no task goes on, nobody hears of anything any more."""
        if self._died is None or self._died.done():
            return
        self._died.set_result(None)
        self._service = None
        for task in list(self._tasks):
            task.cancel()

    async def stop(self) -> None:
        """Stop in order: write what is queued, take no more."""
        if self._service is not None:
            closing = self._started(self._service.close())
            await asyncio.wait([closing])
        self.crash()

    @property
    def left_over(self) -> int:
        """How many tasks live that should not, once the process is stopped."""
        return sum(map(len, self._lives))

    # -- what lies around it -------------------------------------------------------------------

    def clock_us(self) -> int:
        """The time by the clock of this process."""
        return self._world.now_us() + self.offset_us

    # -- calls ---------------------------------------------------------------------------------

    def _started[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        token = owner.set(self._tasks)
        try:
            return self._world.loop.create_task(work)
        finally:
            owner.reset(token)

    async def call[T](
        self, work: Callable[[LocalLedger, Callable[[], int]], Coroutine[Any, Any, T]]
    ) -> T:
        """Do something with this process's ledger. Raises `Gone`; and whatever the ledger does."""
        if self._service is None or self._died is None:
            raise Gone(f"{self.name} is down")
        service, died = self._service, self._died

        async def served() -> T:
            return await work(await service.ledger(LEDGER), self.clock_us)

        task = self._started(served())
        task.add_done_callback(_heard)
        waiting: list[asyncio.Future[Any]] = [task, died]
        patience_s = self._world.plan.patience_us / 1e6
        await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if died.done():
            task.cancel()
            raise Gone(f"{self.name} died")
        if not task.done():
            task.cancel()
            raise Gone(f"{self.name} did not answer")
        return task.result()


def _heard(task: asyncio.Task[Any]) -> None:
    """Take note of how a call ended that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


class Wire:
    """The network between one life of a process and the database."""

    def __init__(self, world: World, process: Process) -> None:
        self.loop = world.loop
        self._world = world
        self._process = process
        self._chance = world.network_chance

    def latency_us(self) -> int:
        """Draw how long one way takes; longer while the process is stalled."""
        plan = self._world.plan
        stalled_us = max(0, self._process.stalled_until_us - self.loop.elapsed_us)
        slow = self._world.stormy and self._chance.random() < plan.slow_chance
        return stalled_us + int(plan.latency_us * self._chance.uniform(0.1, 50 if slow else 1))

    def reachable(self) -> bool:
        """Tell whether a question comes through."""
        if self.loop.elapsed_us < self._process.unreachable_until_us:
            return False
        plan = self._world.plan
        return not (self._world.stormy and self._chance.random() < plan.read_fault_chance)

    def fate(self) -> Fate:
        """Draw what becomes of an append."""
        if self._world.stormy:
            draw = self._chance.random()
            for fate, share in self._world.plan.fates.items():
                draw -= share
                if draw < 0:
                    return fate
        return Fate.FINE

    def trace(self, text: str) -> None:
        """Note an event."""
        self._world.trace(f"{self._process.name} {text}")
