"""The life of a delivery: what may follow what."""

from itertools import product

import pytest

from tandem.courier.delivery import FINAL, TRANSITIONS, State, Step, advance, idempotency_key
from tandem.courier.errors import IllegalTransition


def test_every_pair_is_either_in_the_table_or_refused() -> None:
    """No state takes a step that the table does not name."""
    for state, step in product(State, Step):
        if (state, step) in TRANSITIONS:
            assert advance(state, step) is TRANSITIONS[state, step]
        else:
            with pytest.raises(IllegalTransition):
                advance(state, step)


def test_final_states_lead_nowhere_and_all_others_lead_on() -> None:
    """Exactly the final states have no way out."""
    assert {state for state, _ in TRANSITIONS} == set(State) - FINAL


def test_every_state_can_be_reached() -> None:
    """Each state but the first is the end of some step."""
    assert set(TRANSITIONS.values()) == set(State) - {State.REQUESTED}


def test_keys_differ_by_delivery_and_by_step() -> None:
    """No two steps share an idempotency key, and a step always has the same one."""
    keys = {idempotency_key(delivery, step) for delivery, step in product(("7", "8"), Step)}
    assert len(keys) == 2 * len(Step)
    assert idempotency_key("7", Step.HOLD) == "delivery:7:hold"
