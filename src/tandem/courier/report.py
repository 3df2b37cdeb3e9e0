"""What a day came to: counts, lengths, shares, and one digest to compare two days by."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tandem.courier.delivery import Quote, State

_DIGEST_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery ended; `reason` is the code of a refusal, `quote` the price it was offered."""

    index: int
    state: State
    reason: str | None
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class Tally:
    """A day in numbers. Lengths are of the rides that took place, quotes of all that were priced.

    `earned_minor` is what the delivered, unrefunded rides brought.
    """

    by_state: Mapping[State, int]
    by_provider: Mapping[str, int]
    quotes: int
    degraded_quotes: int
    distance_m: int
    ascent_m: int
    earned_minor: int


_RIDDEN: Final = frozenset({State.DELIVERED, State.REFUNDED})


def tally(outcomes: Sequence[Outcome]) -> Tally:
    """Add a day up."""
    quotes = [outcome.quote for outcome in outcomes if outcome.quote is not None]
    ridden = [
        outcome.quote
        for outcome in outcomes
        if outcome.quote is not None and outcome.state in _RIDDEN
    ]
    return Tally(
        by_state=Counter(outcome.state for outcome in outcomes),
        by_provider=Counter(quote.provider for quote in quotes),
        quotes=len(quotes),
        degraded_quotes=sum(quote.degraded for quote in quotes),
        distance_m=sum(quote.distance_m for quote in ridden),
        ascent_m=sum(quote.ascent_m for quote in ridden),
        earned_minor=sum(
            outcome.quote.split.price_minor
            for outcome in outcomes
            if outcome.quote is not None and outcome.state is State.DELIVERED
        ),
    )


def digest(outcomes: Iterable[Outcome], balances_minor: Mapping[str, int]) -> str:
    """Condense outcomes, prices and final balances, in their own order, to 16 hex digits."""
    lines = [
        f"{outcome.index} {outcome.state} {outcome.reason or '-'} "
        f"{outcome.quote.split.price_minor if outcome.quote else '-'}"
        for outcome in sorted(outcomes, key=lambda outcome: outcome.index)
    ]
    lines += [f"{account} {amount}" for account, amount in sorted(balances_minor.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_DIGEST_CHARS]
