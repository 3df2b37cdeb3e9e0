"""Who is asked is a pure function of flags, and shares only ever take in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.routing.change.flags import check_flags
from tandem.routing.change.plan import RoutingFlags, is_within, planned
from tandem.routing.domain.operation import Operation

_KNOWN = ("bikemap", "bikemap_v1", "graphhopper", "valhalla")
_SHARES = st.floats(0, 1)


@given(_SHARES, _SHARES, st.integers())
def test_a_growing_share_puts_nobody_out(one: float, other: float, key: int) -> None:
    """Whoever is in a share is in every greater one."""
    less, more = sorted((one, other))
    assert is_within(more, "trial", key) or not is_within(less, "trial", key)
    assert is_within(1.0, "trial", key)
    assert not is_within(0.0, "trial", key)


def test_a_share_is_a_share() -> None:
    """Of 20,000 keys a tenth is in a tenth, within four standard deviations."""
    inside = sum(is_within(0.1, "bikemap_v1", key) for key in range(20_000))
    assert abs(inside - 2_000) < 4 * (20_000 * 0.1 * 0.9) ** 0.5


@given(
    st.lists(st.sampled_from((*_KNOWN, "nobody")), unique=True),
    st.frozensets(st.sampled_from((*_KNOWN, "bikemap.matrix", "valhalla.route"))),
    st.sampled_from(("", *_KNOWN)),
    _SHARES,
    st.sampled_from(Operation),
    st.integers(),
)
def test_only_the_known_and_living_are_asked_and_once(
    order: list[str],
    killed: frozenset[str],
    trial: str,
    share: float,
    operation: Operation,
    key: int,
) -> None:
    """Nobody twice, nobody unknown, nobody killed; the same question the same way again."""
    flags = RoutingFlags(order=tuple(order), killed=killed, trial=trial, trial_share=share)
    asked = planned(flags, _KNOWN, operation, key)
    assert len(set(asked)) == len(asked)
    assert set(asked) <= set(_KNOWN) - killed
    assert all(f"{name}.{operation.value}" not in killed for name in asked)
    assert planned(flags, _KNOWN, operation, key) == asked


def test_without_flags_the_usual_order() -> None:
    """Nothing set changes nothing."""
    assert planned(RoutingFlags(), _KNOWN, Operation.ROUTE, 1) == _KNOWN


@pytest.mark.parametrize(
    "flags",
    [
        {"routing.trial_share": 1.5},
        {"routing.order": "bikemap"},
        {"routing.killed": [1]},
        {"routing.kiled": []},
    ],
)
def test_what_makes_no_sense_is_refused(flags: dict[str, object]) -> None:
    """A slip of the pen is no flag."""
    with pytest.raises(ValueError, match="routing"):
        check_flags(flags)  # type: ignore[arg-type]  # by design
