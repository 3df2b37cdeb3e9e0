"""For how long an answer may be used for what."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.routing.cache.lifetime import Age, Lifetime
from tandem.routing.limits import CACHE_JITTER

_SPAN = st.floats(0, 1e6)


def _begin(fresh_s: float, revalidate_s: float, on_error_s: float, chance: float) -> Lifetime:
    return Lifetime.beginning(
        1_000.0,
        fresh_s=fresh_s,
        revalidate_s=revalidate_s,
        on_error_s=on_error_s,
        chance=lambda: chance,
    )


@pytest.mark.parametrize(
    ("now_s", "age"),
    [
        (1_000, Age.FRESH),
        (1_099, Age.FRESH),
        (1_100, Age.REVALIDATE),
        (1_149, Age.REVALIDATE),
        (1_150, Age.ON_ERROR),
        (1_299, Age.ON_ERROR),
        (1_300, Age.OVER),
    ],
)
def test_ages_follow_each_other(now_s: float, age: Age) -> None:
    """Fresh, then shown while a new one comes, then only where none comes, then over."""
    assert _begin(100, 50, 200, 0.5).age(now_s) is age


@given(_SPAN, _SPAN, _SPAN, st.floats(0, 1, exclude_max=True))
def test_an_entry_never_grows_young(
    fresh_s: float, revalidate_s: float, on_error_s: float, chance: float
) -> None:
    """The ends are in order, and freshness strays no further than the jitter."""
    life = _begin(fresh_s, revalidate_s, on_error_s, chance)
    assert life.stored_s <= life.fresh_until_s <= life.revalidate_until_s <= life.keep_until_s
    assert abs(life.fresh_until_s - 1_000 - fresh_s) <= fresh_s * CACHE_JITTER + 1e-6
    assert life.age_s(0.0) == 0


def test_a_herd_does_not_end_together() -> None:
    """G9: of 10,000 entries filled in a second no tenth of the time ends twice the mean share."""
    chance = random.Random(9).random
    spread_s = 2 * CACHE_JITTER * 300
    buckets = [0] * 10
    for number in range(10_000):
        life = Lifetime.beginning(
            number / 10_000, fresh_s=300, revalidate_s=0, on_error_s=0, chance=chance
        )
        first_s = 300 * (1 - CACHE_JITTER)
        buckets[min(9, int((life.fresh_until_s - first_s) / (spread_s + 1) * 10))] += 1
    assert max(buckets) <= 2 * 10_000 / 10
