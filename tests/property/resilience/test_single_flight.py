"""Shared calls whose callers come and go in any order."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.examples import examples

from tandem.resilience.single_flight import SingleFlight

_KEYS = ("a", "b", "c")
_TURNS = 6
"""Turns of the loop after which everything that can happen has happened."""


@dataclass(slots=True, eq=False)
class _Run:
    """One piece of work, its callers, and how it is let go."""

    end: asyncio.Future[int]
    callers: list[asyncio.Task[int]] = field(default_factory=list)
    was_cancelled: bool = False


class FlightMachine(RuleBasedStateMachine):
    """Callers join and give up, and work ends well or badly, by key."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.flights: SingleFlight[str, int] = SingleFlight()
        self.running: dict[str, _Run] = {}
        self.number = 0

    @rule(key=st.sampled_from(_KEYS), count=st.integers(1, 4))
    def join(self, key: str, count: int) -> None:
        """Callers come; only where there is no work under way does it begin."""
        for _ in range(count):
            task = self.loop.create_task(self.flights.run(key, lambda: self._work(key)))
            self._turn()
            self.running[key].callers.append(task)

    @precondition(lambda self: bool(self.running))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """One caller goes; only the last one ends the work."""
        key = data.draw(st.sampled_from(sorted(self.running)))
        run = self.running[key]
        caller = run.callers.pop(data.draw(st.integers(0, len(run.callers) - 1)))
        caller.cancel()
        self._turn()
        assert caller.cancelled()
        assert run.was_cancelled == (not run.callers)
        if not run.callers:
            del self.running[key]

    @precondition(lambda self: bool(self.running))
    @rule(data=st.data(), is_good=st.booleans())
    def finish(self, data: st.DataObject, is_good: bool) -> None:
        """The work ends, and every caller who is still there has its end."""
        key = data.draw(st.sampled_from(sorted(self.running)))
        run = self.running.pop(key)
        self.number += 1
        if is_good:
            run.end.set_result(self.number)
        else:
            run.end.set_exception(LookupError(str(self.number)))
        self._turn()
        errors = [caller.exception() for caller in run.callers]
        if is_good:
            assert {caller.result() for caller in run.callers} == {self.number}
        else:
            assert {str(error) for error in errors} == {str(self.number)}
            assert len({id(error) for error in errors}) == len(errors)

    @invariant()
    def one_flight_for_each_key(self) -> None:
        """What is under way is what somebody waits for."""
        assert len(self.flights) == len(self.running)
        assert len(asyncio.all_tasks(self.loop)) == sum(
            1 + len(run.callers) for run in self.running.values()
        )

    def teardown(self) -> None:
        """Let everything end."""
        for run in self.running.values():
            run.end.set_result(0)
        self._turn()
        self.loop.close()

    async def _work(self, key: str) -> int:
        assert key not in self.running
        run = self.running[key] = _Run(self.loop.create_future())
        try:
            return await run.end
        except asyncio.CancelledError:
            run.was_cancelled = True
            raise

    def _turn(self) -> None:
        async def turns() -> None:
            for _ in range(_TURNS):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())


TestFlights = FlightMachine.TestCase
TestFlights.settings = examples(30)
