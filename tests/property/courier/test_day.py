"""The plan of a day is a function of points and seed, and a day one can run."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tandem.courier.day import Phase, plan_day, points_needed
from tandem.courier.limits import MIN_STRAIGHT_LINE_M
from tandem.platform.engine.geography import Place, distance_m

STARTED_AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def grid(count: int) -> list[Place]:
    """Lay points out in Helsinki, a few hundred metres apart."""
    return [
        Place(lon=24.93 + 0.004 * (index % 6), lat=60.16 + 0.002 * (index // 6))
        for index in range(count)
    ]


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_same_seed_same_day(seed: int, deliveries: int) -> None:
    """Planning twice gives equal plans."""
    points = grid(points_needed(deliveries))
    first = plan_day(points, seed=seed, deliveries=deliveries, started_at=STARTED_AT)
    assert first == plan_day(points, seed=seed, deliveries=deliveries, started_at=STARTED_AT)


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_day_has_what_was_asked_for(seed: int, deliveries: int) -> None:
    """Every delivery is there once, by known people, on a trip of its own that goes somewhere."""
    points = grid(points_needed(deliveries))
    plan = plan_day(points, seed=seed, deliveries=deliveries, started_at=STARTED_AT)
    orders = [planned.order for planned in plan.deliveries]
    assert [planned.index for planned in plan.deliveries] == list(range(deliveries))
    assert len({order.delivery_id for order in orders}) == deliveries
    assert {order.customer for order in orders} <= {it.number for it in plan.customers}
    assert all(0 <= order.courier < plan.couriers for order in orders)
    assert len({(order.pickup, order.dropoff) for order in orders}) == deliveries
    assert all(
        distance_m(
            Place(order.pickup.lon, order.pickup.lat), Place(order.dropoff.lon, order.dropoff.lat)
        )
        >= MIN_STRAIGHT_LINE_M
        for order in orders
    )


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_phases_are_in_order_and_cover_the_day(seed: int, deliveries: int) -> None:
    """Calm, outage, recovered: in this order by index, nothing left out."""
    points = grid(points_needed(deliveries))
    plan = plan_day(points, seed=seed, deliveries=deliveries, started_at=STARTED_AT)
    assert tuple(planned for phase in Phase for planned in plan.of(phase)) == plan.deliveries
