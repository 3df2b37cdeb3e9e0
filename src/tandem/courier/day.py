"""The plan of a day: which deliveries, for whom, and what becomes of them. Pure: points and a seed.

Running the day is in `dispatch`. The outage is placed by delivery number, never by the clock, so
that two days with one seed price the same deliveries by the same provider.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Final

from tandem.courier.delivery import Order
from tandem.courier.limits import (
    MAX_DELIVERIES,
    MAX_RECOVERY_PROBES,
    MAX_TRIP_DRAWS,
    MIN_STRAIGHT_LINE_M,
)
from tandem.platform.engine.geography import Place, distance_m
from tandem.routing.client import Coordinate

_DELIVERIES_PER_CUSTOMER: Final = 5
_DELIVERIES_PER_COURIER: Final = 15
_POOR_PERCENT: Final = 20
_CANCELLED_PERCENT: Final = 12
_REFUNDED_PERCENT: Final = 8
_FUNDS_MINOR: Final = 50_000
_POOR_FUNDS_MINOR: Final = 1_000
_CALM_PERCENT: Final = 40
_OUTAGE_PERCENT: Final = 20


class Phase(StrEnum):
    """A stretch of the day: all well, the provider down, all well again."""

    CALM = "calm"
    OUTAGE = "outage"
    RECOVERED = "recovered"


class Fate(StrEnum):
    """What becomes of a delivery whose customer can pay."""

    DELIVER = "deliver"
    CANCEL = "cancel"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer and the deposit that opens the wallet."""

    number: int
    funds_minor: int


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One delivery of the day, in its place."""

    index: int
    phase: Phase
    fate: Fate
    order: Order


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Everything that will be asked for in a day; couriers are numbered from zero.

    `spare_trips` are no delivery's: probes may use them without warming a cache for one.
    """

    customers: tuple[Customer, ...]
    couriers: int
    deliveries: tuple[PlannedDelivery, ...]
    spare_trips: tuple[tuple[Coordinate, Coordinate], ...]

    def of(self, phase: Phase) -> tuple[PlannedDelivery, ...]:
        """List the deliveries of a phase, in order."""
        return tuple(planned for planned in self.deliveries if planned.phase is phase)


def points_needed(deliveries: int) -> int:
    """How many points give a day enough distinct, well separated pairs."""
    return 2 * math.isqrt(deliveries + MAX_RECOVERY_PROBES) + 10


def plan_day(
    points: Sequence[Place], *, seed: int, deliveries: int, started_at: datetime
) -> DayPlan:
    """Plan a day of deliveries between the points; the same arguments give the same day.

    Raises:
        ValueError: the number of deliveries is out of bounds, or the points are too few or close.
    """
    if not 1 <= deliveries <= MAX_DELIVERIES:
        raise ValueError(f"a day has 1 to {MAX_DELIVERIES} deliveries")
    draw = Random(seed)  # noqa: S311 - a reproducible day is wanted, not secrecy
    customers = _customers(draw, max(1, deliveries // _DELIVERIES_PER_CUSTOMER))
    couriers = max(1, deliveries // _DELIVERIES_PER_COURIER)
    buyers = [index % len(customers) for index in range(deliveries)]
    draw.shuffle(buyers)
    fates = _fates(draw, buyers, customers)
    trips = _trips(draw, points, deliveries + MAX_RECOVERY_PROBES)
    planned = [
        PlannedDelivery(
            index=index,
            phase=_phase(index, deliveries),
            fate=fates[index],
            order=Order(
                delivery_id=f"{seed}-{index:05d}",
                customer=buyers[index],
                courier=draw.randrange(couriers),
                pickup=trips[index][0],
                dropoff=trips[index][1],
                requested_at=started_at,
            ),
        )
        for index in range(deliveries)
    ]
    return DayPlan(customers, couriers, tuple(planned), tuple(trips[deliveries:]))


def _customers(draw: Random, count: int) -> tuple[Customer, ...]:
    """Give every customer a deposit; a fixed share of them gets too little for the day."""
    poor = set(draw.sample(range(count), max(1, count * _POOR_PERCENT // 100)))
    return tuple(
        Customer(number, draw.randrange(_POOR_FUNDS_MINOR) if number in poor else _FUNDS_MINOR)
        for number in range(count)
    )


def _fates(draw: Random, buyers: Sequence[int], customers: Sequence[Customer]) -> list[Fate]:
    """Share the fates out in fixed proportion, among deliveries whose customer can pay."""
    fates = [Fate.DELIVER] * len(buyers)
    payable = [
        index for index, buyer in enumerate(buyers) if customers[buyer].funds_minor == _FUNDS_MINOR
    ]
    draw.shuffle(payable)
    cancelled = max(1, len(buyers) * _CANCELLED_PERCENT // 100)
    refunded = max(1, len(buyers) * _REFUNDED_PERCENT // 100)
    for index in payable[:cancelled]:
        fates[index] = Fate.CANCEL
    for index in payable[cancelled : cancelled + refunded]:
        fates[index] = Fate.REFUND
    return fates


def _trips(
    draw: Random, points: Sequence[Place], count: int
) -> list[tuple[Coordinate, Coordinate]]:
    """Draw distinct trips: a trip met twice would be answered by the gateway's cache."""
    places = [Coordinate(lon=point.lon, lat=point.lat) for point in points]
    taken: set[tuple[int, int]] = set()
    trips: list[tuple[Coordinate, Coordinate]] = []
    while len(trips) < count:
        start, end = _trip(draw, points, taken)
        taken.add((start, end))
        trips.append((places[start], places[end]))
    return trips


def _trip(draw: Random, points: Sequence[Place], taken: set[tuple[int, int]]) -> tuple[int, int]:
    for _ in range(MAX_TRIP_DRAWS):
        trip = (draw.randrange(len(points)), draw.randrange(len(points)))
        far = distance_m(points[trip[0]], points[trip[1]]) >= MIN_STRAIGHT_LINE_M
        if far and trip not in taken:
            return trip
    raise ValueError(f"{len(points)} points are too few or too close for so many deliveries")


def _phase(index: int, deliveries: int) -> Phase:
    if index * 100 < deliveries * _CALM_PERCENT:
        return Phase.CALM
    if index * 100 < deliveries * (_CALM_PERCENT + _OUTAGE_PERCENT):
        return Phase.OUTAGE
    return Phase.RECOVERED
