"""The reference page of the errors says what their traits are."""

from collections.abc import Iterator
from pathlib import Path

from tandem.routing.domain.errors import (
    FallOver,
    ProviderError,
    Refusal,
    Retry,
    RoutingError,
    Traits,
)

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "routing-errors.md"
_RETRY = {
    Retry.NEVER: "no",
    Retry.IF_IN_TIME: "if it fits the deadline",
    Retry.ONCE: "once",
    Retry.BUDGETED: "within the budget",
}
_FALL_OVER = {
    FallOver.NEVER: "no",
    FallOver.IF_WIDER: "if it covers more",
    FallOver.ALWAYS: "yes",
}


def _leaves(error: type[RoutingError]) -> Iterator[type[RoutingError]]:
    for each in error.__subclasses__():
        if each not in {Refusal, ProviderError} and each.__module__ == RoutingError.__module__:
            yield each
        yield from _leaves(each)


def _cells(traits: Traits) -> list[str]:
    return [
        _RETRY[traits.retry],
        "yes" if traits.trips_breaker else "no",
        _FALL_OVER[traits.fall_over],
        f"{traits.negative_s:g} s" if traits.negative_s else "no",
        f"{traits.hold_off_s:g} s" if traits.hold_off_s else "no",
    ]


def test_the_table_is_true() -> None:
    """Each error has a row, and each row the traits of its error."""
    lines = _PAGE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "| `" in line]
    table = {row[0].strip("`"): row[2:] for row in rows}
    assert table == {error.code: _cells(error.traits) for error in _leaves(RoutingError)}
