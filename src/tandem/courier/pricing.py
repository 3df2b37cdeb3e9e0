"""What a delivery costs and who gets it: whole minor units, no floats, no remainder lost.

Lengths become whole metres first; the price is then one exact sum, rounded once.
"""

import math
from dataclasses import dataclass
from typing import Final

from tandem.courier.errors import UnpricedRoute
from tandem.courier.limits import MAX_ASCENT_M, MAX_DISTANCE_M

ASSET: Final = "EUR/2"
_METRES_PER_KM: Final = 1_000
_PERMILLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Split:
    """A price cut in two; the parts always add up to it."""

    courier_minor: int
    platform_minor: int

    @property
    def price_minor(self) -> int:
        """The whole that was cut."""
        return self.courier_minor + self.platform_minor


@dataclass(frozen=True, slots=True)
class Tariff:
    """Base fee, fee per kilometre and per metre climbed, and the courier's share of the price.

    The smallest price, `base_minor`, must leave at least one minor unit to each side: the ledger
    takes no entry of zero.
    """

    base_minor: int = 290
    per_km_minor: int = 85
    per_climbed_metre_minor: int = 3
    courier_share_permille: int = 800

    def __post_init__(self) -> None:
        """Refuse a tariff that could give a negative fee or an empty share."""
        if min(self.base_minor, self.per_km_minor, self.per_climbed_metre_minor) < 0:
            raise ValueError("a fee is never negative")
        if not 0 < self.courier_share_permille < _PERMILLE:
            raise ValueError("the courier's share lies between 0 and 1000 permille, both excluded")
        smallest = split(self.base_minor, self)
        if min(smallest.courier_minor, smallest.platform_minor) < 1:
            raise ValueError("the base fee is too small to share")


def whole_metres(length_m: float, limit_m: int) -> int:
    """Round a measured length to the nearest metre, halves up.

    Raises:
        UnpricedRoute: the length is not a number, negative, or beyond `limit_m`.
    """
    if not math.isfinite(length_m) or not 0 <= length_m <= limit_m:
        raise UnpricedRoute(f"a length of {length_m} m is not one to price")
    return math.floor(length_m + 0.5)


def price_minor(distance_m: int, ascent_m: int, tariff: Tariff) -> int:
    """Price a ride, in minor units; a begun minor unit counts as whole.

    Raises:
        UnpricedRoute: a length is negative or beyond its limit.
    """
    if not 0 <= distance_m <= MAX_DISTANCE_M or not 0 <= ascent_m <= MAX_ASCENT_M:
        raise UnpricedRoute(f"{distance_m} m with {ascent_m} m of climb is not a ride to price")
    distance_fee = -(-distance_m * tariff.per_km_minor // _METRES_PER_KM)
    return tariff.base_minor + distance_fee + ascent_m * tariff.per_climbed_metre_minor


def split(amount_minor: int, tariff: Tariff) -> Split:
    """Cut a price: the courier's share rounded down, the platform takes the rest."""
    courier_minor = amount_minor * tariff.courier_share_permille // _PERMILLE
    return Split(courier_minor, amount_minor - courier_minor)
