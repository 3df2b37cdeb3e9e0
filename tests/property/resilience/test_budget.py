"""How much load retries add: in an outage, and where a share of the calls fails."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.support.routing import VirtualClock

from tandem.resilience.budget import RetryBudget
from tandem.resilience.deadline import Deadline
from tandem.resilience.layers import Advice, Retry

pytestmark = pytest.mark.anyio

_CALLS = 600
"""A minute at ten calls a second."""


class _Down(Exception):  # noqa: N818 - a test's own word
    """The other side failed."""


async def _attempts_of_each(calls: int, fails: Callable[[int], bool]) -> list[int]:
    """Make calls of up to three attempts each on one budget; returns how many each took."""
    clock, made, total = VirtualClock(), list[int](), 0

    async def attempt(_deadline: Deadline) -> None:
        nonlocal total
        total += 1
        if fails(len(made)):
            raise _Down

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    retry = Retry(lambda _error: Advice(3), RetryBudget(), random.Random(2).random, sleep=pause)
    for _ in range(calls):
        before = total
        with suppress(_Down):
            await retry.run(attempt, Deadline.after_ms(2_000, clock))
        made.append(total - before)
    return made


async def test_an_outage_is_not_multiplied() -> None:
    """G1: after the first 35 calls at most 1.10 attempts a call; in truth, one."""
    made = await _attempts_of_each(_CALLS, lambda _number: True)
    assert sum(made[35:]) <= 1.10 * len(made[35:])
    assert sum(made) == _CALLS + 10


@pytest.mark.parametrize("seed", range(5))
async def test_a_share_of_failures_costs_little(seed: int) -> None:
    """G2: at 30 % failing, spread or in bursts, at most 1.10 attempts a call."""
    chance = random.Random(seed)
    made = await _attempts_of_each(_CALLS, lambda _number: chance.random() < 0.3)
    assert sum(made) <= 1.10 * _CALLS
    bursts = [burst for burst in range(_CALLS // 10) for _ in range(10)]
    down = set(chance.sample(range(_CALLS // 10), 18))
    made = await _attempts_of_each(_CALLS, lambda number: bursts[number] in down)
    assert sum(made) <= 1.10 * _CALLS


async def test_single_failures_are_all_retried() -> None:
    """The budget is no hindrance where it is not needed: at 5 % failing none lacks a token."""
    chance = random.Random(4)
    made = await _attempts_of_each(_CALLS, lambda _number: chance.random() < 0.05)
    assert max(made) <= 3
    assert sum(made) == pytest.approx(1.05 * _CALLS, rel=0.03)
