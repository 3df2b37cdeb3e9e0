"""The one order of layers, and layers that have no test of their own elsewhere."""

import asyncio
import random
from itertools import permutations

import pytest
from anyio.lowlevel import checkpoint
from tests.support.routing import VirtualClock, soon

from tandem.resilience.breaker import BreakerSettings, CircuitBreaker
from tandem.resilience.budget import RetryBudget
from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import DeadlineExceeded, Rejected, RejectReason
from tandem.resilience.gcra import LocalRateLimit, Plan
from tandem.resilience.hedge import HedgeDelay, HedgeSettings
from tandem.resilience.hold_off import HoldOff
from tandem.resilience.layers import (
    NO_RETRY,
    AttemptTimeout,
    Bounded,
    Coalesced,
    Guarded,
    Hedged,
    HeldOff,
    Observed,
    Paced,
    Reserved,
    Retry,
    Sized,
    Throttled,
)
from tandem.resilience.limiter import GradientLimiter
from tandem.resilience.outcome import Outcome
from tandem.resilience.pipeline import Layer, Pipeline
from tandem.resilience.single_flight import SingleFlight
from tandem.resilience.throttle import AdaptiveThrottle

pytestmark = pytest.mark.anyio

_ORDER = (
    "Bounded",
    "Coalesced",
    "Reserved",
    "Retry",
    "Hedged",
    "HeldOff",
    "Throttled",
    "Guarded",
    "Sized",
    "Paced",
    "AttemptTimeout",
)


def _layers(clock: VirtualClock) -> tuple[Layer, ...]:
    chance, budget = random.Random(1).random, RetryBudget()
    return (
        Bounded(),
        Coalesced(SingleFlight(), lambda: "key", 60_000),
        Reserved(LocalRateLimit(Plan(10, 1.0, 10), clock), "plan", lambda: 1.0),
        Retry(lambda _error: NO_RETRY, budget, chance),
        Hedged(HedgeDelay(), budget, lambda: True, clock),
        HeldOff(HoldOff(), lambda _error: None, clock),
        Throttled(AdaptiveThrottle(chance), _judge, clock),
        Guarded(CircuitBreaker(BreakerSettings(10.0, 10, 0.5), chance), _judge, clock),
        Sized(GradientLimiter(), _judge, clock),
        Paced(LocalRateLimit(Plan(1e9, 1.0, 1e9), clock), "requests"),
        AttemptTimeout(60_000),
    )


def _judge(error: Exception) -> Outcome:
    return Outcome.NEUTRAL if isinstance(error, Rejected) else Outcome.FAILURE


def test_every_part_has_its_place() -> None:
    """The order of the house, the outermost first, as a test can read it."""
    assert Pipeline(_layers(VirtualClock())).names() == _ORDER


def test_no_two_layers_can_change_places() -> None:
    """Any other order, and two layers of one kind, are mistakes that are told at once."""
    layers = _layers(VirtualClock())
    for outer, inner in permutations(range(len(layers)), 2):
        if outer < inner:
            Pipeline((layers[outer], layers[inner]))
        else:
            with pytest.raises(ValueError, match="order of their places"):
                Pipeline((layers[outer], layers[inner]))
    with pytest.raises(ValueError, match="order of their places"):
        Pipeline((layers[3], layers[3]))


def test_observers_stand_anywhere() -> None:
    """What only looks has no place to keep."""
    layers, watch = _layers(VirtualClock()), Observed(lambda _raised, _seconds: None, lambda: 0.0)
    watched: list[Layer] = [watch]
    for layer in layers:
        watched += [layer, watch]
    assert len(Pipeline(tuple(watched)).names()) == 23


async def test_a_call_goes_through_all_layers() -> None:
    """All parts together make a plain call, and give back everything that they held."""
    layers = _layers(VirtualClock())
    sized = layers[8]
    assert isinstance(sized, Sized)

    async def answers(_deadline: Deadline) -> str:
        assert sized.limiter.in_flight == 1
        return "ok"

    assert await Pipeline(layers).run(answers, soon()) == "ok"
    assert sized.limiter.in_flight == 0


async def test_ten_thousand_cancelled_calls_leave_nothing_behind() -> None:
    """Cancelled anywhere in the whole pipeline: no task, no slot, and the next calls succeed."""
    clock, chance = VirtualClock(), random.Random(3)
    flights: SingleFlight[object, object] = SingleFlight()
    number = iter(range(10**9))
    limit = LocalRateLimit(Plan(1e9, 1.0, 1e9), clock)
    at_once = HedgeDelay(HedgeSettings(delay_s_min=0.0, delay_s_max=0.0))
    rest = _layers(clock)
    layers: tuple[Layer, ...] = (
        Bounded(),
        Coalesced(flights, lambda: next(number) % 500, 60_000),
        Reserved(limit, "plan", lambda: 1.0),
        rest[3],
        Hedged(at_once, RetryBudget(1e9), lambda: True, clock),
        *rest[5:],
    )
    sized = layers[8]
    assert isinstance(sized, Sized)
    pipeline, before = Pipeline(layers), asyncio.all_tasks()

    async def answers(_deadline: Deadline) -> str:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        return "ok"

    for _ in range(500):
        calls = [asyncio.create_task(pipeline.run(answers, soon(60_000))) for _ in range(20)]
        for call in calls:
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        while asyncio.all_tasks() != before:
            await checkpoint()
    assert (sized.limiter.in_flight, len(flights)) == (0, 0)
    assert [await pipeline.run(answers, soon(60_000)) for _ in range(100)] == ["ok"] * 100


async def test_the_whole_call_ends_at_its_deadline() -> None:
    """Whatever it does; a TimeoutError of somebody else's is not renamed."""

    async def never(_deadline: Deadline) -> None:
        await asyncio.Event().wait()

    async def theirs(_deadline: Deadline) -> None:
        raise TimeoutError("theirs")

    with pytest.raises(DeadlineExceeded):
        await Bounded().run(never, soon(20))
    with pytest.raises(TimeoutError, match="theirs"):
        await Bounded().run(theirs, soon())


async def test_shared_work_has_its_own_time() -> None:
    """A first caller with little time left does not shorten it for the others."""
    clock = VirtualClock()
    layer = Coalesced(SingleFlight(), lambda: "key", 2_000)

    async def remaining(deadline: Deadline) -> float:
        await asyncio.sleep(0)
        return deadline.remaining_s()

    first = layer.run(remaining, Deadline.after_ms(100, clock))
    second = layer.run(remaining, Deadline.after_ms(1_500, clock))
    assert set(await asyncio.gather(first, second)) == {2.0}


async def test_the_throttle_is_told_how_calls_end() -> None:
    """Failures raise its probability; a call that is rejected further in leaves no trace."""
    clock = VirtualClock()
    throttle = AdaptiveThrottle(lambda: 0.5, allowance=0.0)
    layer = Throttled(throttle, _judge, clock)

    async def rejects(_deadline: Deadline) -> None:
        raise Rejected(RejectReason.CONCURRENCY)

    async def fails(_deadline: Deadline) -> None:
        raise ConnectionError("down")

    with pytest.raises(Rejected):
        await layer.run(rejects, soon())
    assert throttle.rejection_probability(clock()) == 0
    with pytest.raises(ConnectionError):
        await layer.run(fails, soon())
    assert throttle.rejection_probability(clock()) == 0.5
