"""How many items are worked on at once."""

import asyncio

import pytest

from tandem.routing.jobs.pace import Pace
from tandem.routing.limits import JOB_IN_FLIGHT, JOB_IN_FLIGHT_MAX

pytestmark = pytest.mark.anyio


async def test_it_grows_by_one_a_round_and_halves() -> None:
    """As TCP does; never below one, never past the bound."""
    pace = Pace()
    assert pace.limit == JOB_IN_FLIGHT
    for _ in range(JOB_IN_FLIGHT + 1):
        async with pace.place() as learn:
            learn(True)
    assert pace.limit == JOB_IN_FLIGHT + 1
    for _ in range(JOB_IN_FLIGHT_MAX**2):
        async with pace.place() as learn:
            learn(True)
    assert pace.limit == JOB_IN_FLIGHT_MAX
    for _ in range(10):
        async with pace.place() as learn:
            learn(False)
    assert pace.limit == 1


async def test_no_more_than_the_limit_are_in_flight() -> None:
    """The others wait; one that is cancelled or fails gives its place back."""
    pace, in_flight, most = Pace(), 0, 0

    async def work(number: int) -> None:
        nonlocal in_flight, most
        async with pace.place():
            in_flight += 1
            most = max(most, in_flight)
            try:
                await asyncio.sleep(0)
                if number % 3 == 0:
                    raise ValueError
            finally:
                in_flight -= 1

    tasks = [asyncio.create_task(work(number)) for number in range(50)]
    await asyncio.sleep(0)
    for task in tasks[1::7]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (in_flight, most) == (0, JOB_IN_FLIGHT)
    async with asyncio.timeout(1), pace.place():
        pass
