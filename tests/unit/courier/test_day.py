"""The plan of a day by example, and the days that cannot be planned."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from tandem.courier.day import Fate, Phase, plan_day
from tandem.courier.limits import MAX_DELIVERIES
from tandem.platform.engine.geography import Place

STARTED_AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
POINTS = [
    Place(lon=24.93 + 0.004 * (index % 6), lat=60.16 + 0.002 * (index // 6)) for index in range(60)
]


def test_day_of_three_hundred_has_every_kind_of_delivery() -> None:
    """A full day has its share of cancellations, refunds, poor customers and outage."""
    plan = plan_day(POINTS, seed=1, deliveries=300, started_at=STARTED_AT)
    assert Counter(planned.fate for planned in plan.deliveries) == {
        Fate.DELIVER: 240,
        Fate.CANCEL: 36,
        Fate.REFUND: 24,
    }
    assert [len(plan.of(phase)) for phase in Phase] == [120, 60, 120]
    assert sum(customer.funds_minor < 1_000 for customer in plan.customers) == 12


def test_another_seed_is_another_day() -> None:
    """The seed matters."""
    days = {
        plan_day(POINTS, seed=seed, deliveries=30, started_at=STARTED_AT).deliveries
        for seed in range(3)
    }
    assert len(days) == 3


@pytest.mark.parametrize("deliveries", [0, -1, MAX_DELIVERIES + 1])
def test_days_out_of_bounds_are_refused(deliveries: int) -> None:
    """A day has at least one delivery and not more than the limit."""
    with pytest.raises(ValueError, match="a day has"):
        plan_day(POINTS, seed=1, deliveries=deliveries, started_at=STARTED_AT)


@pytest.mark.parametrize("points", [POINTS[:1], [POINTS[0]] * 12, POINTS[::6][:2]])
def test_too_few_points_are_refused(points: list[Place]) -> None:
    """Without enough separated pairs there is an error, not an endless search."""
    with pytest.raises(ValueError, match="too few or too close"):
        plan_day(points, seed=1, deliveries=30, started_at=STARTED_AT)
