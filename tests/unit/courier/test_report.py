"""The sums of a day and the digest that compares two days."""

from dataclasses import replace

from tandem.courier.delivery import Quote, State
from tandem.courier.pricing import Split
from tandem.courier.report import Outcome, digest, tally

QUOTE = Quote(
    distance_m=1_200,
    ascent_m=14,
    provider="bikemap",
    freshness="live",
    degraded=False,
    split=Split(courier_minor=347, platform_minor=87),
)
DEGRADED = replace(QUOTE, provider="valhalla", degraded=True)
OUTCOMES = [
    Outcome(0, State.DELIVERED, None, QUOTE),
    Outcome(1, State.REFUNDED, None, DEGRADED),
    Outcome(2, State.CANCELLED, None, QUOTE),
    Outcome(3, State.REFUSED, "insufficient_funds", QUOTE),
    Outcome(4, State.REFUSED, "no_route", None),
]
BALANCES = {"couriers:0:earnings": 347, "platform:revenue": 87}


def test_only_ridden_deliveries_count_for_distance_and_money() -> None:
    """A cancelled or refused delivery is counted, but nobody rode it and nobody earned by it."""
    total = tally(OUTCOMES)
    assert dict(total.by_state) == {
        State.DELIVERED: 1,
        State.REFUNDED: 1,
        State.CANCELLED: 1,
        State.REFUSED: 2,
    }
    assert (total.distance_m, total.ascent_m, total.earned_minor) == (2_400, 28, 434)
    assert dict(total.by_provider) == {"bikemap": 3, "valhalla": 1}
    assert (total.quotes, total.degraded_quotes) == (4, 1)


def test_digest_does_not_depend_on_the_order_of_finishing() -> None:
    """Two runs that finish in another order but with the same outcomes agree."""
    assert digest(reversed(OUTCOMES), dict(reversed(BALANCES.items()))) == digest(
        OUTCOMES, BALANCES
    )


def test_digest_sees_an_outcome_a_price_and_a_balance() -> None:
    """Changing any one of them changes the digest."""
    other_price = replace(QUOTE, split=Split(347, 88))
    changed = [
        digest([replace(OUTCOMES[0], state=State.CANCELLED), *OUTCOMES[1:]], BALANCES),
        digest([replace(OUTCOMES[0], quote=other_price), *OUTCOMES[1:]], BALANCES),
        digest(OUTCOMES, {**BALANCES, "platform:revenue": 88}),
    ]
    assert len({digest(OUTCOMES, BALANCES), *changed}) == 4
