"""Prices lose nothing: every split adds up, and rounding goes the stated way."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tandem.courier.limits import MAX_ASCENT_M, MAX_DISTANCE_M
from tandem.courier.pricing import Tariff, price_minor, split, whole_metres

tariffs = st.builds(
    Tariff,
    base_minor=st.integers(1_000, 100_000),
    per_km_minor=st.integers(0, 10_000),
    per_climbed_metre_minor=st.integers(0, 1_000),
    courier_share_permille=st.integers(1, 999),
)
distances_m = st.integers(0, MAX_DISTANCE_M)
ascents_m = st.integers(0, MAX_ASCENT_M)


@given(tariffs, distances_m, ascents_m)
def test_split_conserves_the_price(tariff: Tariff, distance_m: int, ascent_m: int) -> None:
    """Courier and platform together get the price, and each of them gets something."""
    price = price_minor(distance_m, ascent_m, tariff)
    parts = split(price, tariff)
    assert parts.courier_minor + parts.platform_minor == price == parts.price_minor
    assert parts.courier_minor >= 1
    assert parts.platform_minor >= 1


@given(tariffs, distances_m, ascents_m)
def test_courier_share_is_rounded_down(tariff: Tariff, distance_m: int, ascent_m: int) -> None:
    """The courier's part is the largest whole amount not above the exact share."""
    price = price_minor(distance_m, ascent_m, tariff)
    exact = Fraction(price * tariff.courier_share_permille, 1000)
    assert 0 <= exact - split(price, tariff).courier_minor < 1


@given(tariffs, distances_m, ascents_m)
def test_price_is_the_exact_sum_rounded_up_once(
    tariff: Tariff, distance_m: int, ascent_m: int
) -> None:
    """The price is the exact sum of the fees, rounded up by less than one minor unit."""
    exact = (
        tariff.base_minor
        + Fraction(distance_m * tariff.per_km_minor, 1000)
        + ascent_m * tariff.per_climbed_metre_minor
    )
    assert 0 <= price_minor(distance_m, ascent_m, tariff) - exact < 1


@given(tariffs, st.tuples(distances_m, distances_m), st.tuples(ascents_m, ascents_m))
def test_longer_and_steeper_never_costs_less(
    tariff: Tariff, distances: tuple[int, int], ascents: tuple[int, int]
) -> None:
    """The price grows, or stays, with distance and with climb."""
    shorter = price_minor(min(distances), min(ascents), tariff)
    assert shorter <= price_minor(max(distances), max(ascents), tariff)


@given(st.floats(0, MAX_DISTANCE_M))
def test_whole_metres_is_the_nearest_metre(length_m: float) -> None:
    """Rounding moves a length by half a metre at most."""
    assert abs(Fraction(length_m) - whole_metres(length_m, MAX_DISTANCE_M)) <= Fraction(1, 2)
