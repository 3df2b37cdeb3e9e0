"""Prices by example, and the routes and tariffs that get none."""

import math

import pytest

from tandem.courier.errors import UnpricedRoute
from tandem.courier.limits import MAX_ASCENT_M, MAX_DISTANCE_M
from tandem.courier.pricing import Split, Tariff, price_minor, split, whole_metres

TARIFF = Tariff(
    base_minor=290, per_km_minor=85, per_climbed_metre_minor=3, courier_share_permille=800
)


@pytest.mark.parametrize(
    ("distance_m", "ascent_m", "expected_minor"),
    [(0, 0, 290), (1, 0, 291), (1_000, 0, 375), (1_001, 0, 376), (4_200, 31, 290 + 357 + 93)],
)
def test_price_is_base_plus_distance_plus_climb(
    distance_m: int, ascent_m: int, expected_minor: int
) -> None:
    """Fees add up as the tariff says; a begun cent of the distance fee counts."""
    assert price_minor(distance_m, ascent_m, TARIFF) == expected_minor


def test_odd_cent_goes_to_the_platform() -> None:
    """Of 7.41 the courier gets 5.92 (592.8 rounded down), the platform 1.49."""
    assert split(741, TARIFF) == Split(courier_minor=592, platform_minor=149)


@pytest.mark.parametrize("length_m", [math.nan, math.inf, -math.inf, -0.6, MAX_DISTANCE_M + 1])
def test_impossible_lengths_are_not_priced(length_m: float) -> None:
    """A length that is no length stops the quote instead of becoming money."""
    with pytest.raises(UnpricedRoute):
        whole_metres(length_m, MAX_DISTANCE_M)


@pytest.mark.parametrize(
    ("distance_m", "ascent_m"), [(-1, 0), (0, -1), (MAX_DISTANCE_M + 1, 0), (0, MAX_ASCENT_M + 1)]
)
def test_rides_out_of_bounds_are_not_priced(distance_m: int, ascent_m: int) -> None:
    """The price itself refuses what lies outside the limits."""
    with pytest.raises(UnpricedRoute):
        price_minor(distance_m, ascent_m, TARIFF)


@pytest.mark.parametrize(
    "changed",
    [
        {"per_km_minor": -1},
        {"courier_share_permille": 0},
        {"courier_share_permille": 1_000},
        {"base_minor": 1},
    ],
)
def test_tariffs_that_cannot_be_shared_are_refused(changed: dict[str, int]) -> None:
    """A tariff under which a side could get nothing is not made."""
    with pytest.raises(ValueError, match=r"fee|share"):
        Tariff(**changed)
