"""How many examples a property test gets."""

from typing import Final

from hypothesis import settings

# Thousands of mutants each run these tests; what few examples miss, tables of cases state.
_OF_A_MUTANT: Final = 10


def examples(count: int) -> settings:
    """So many examples; under the profile `mutation` no more than a few."""
    mutated = settings.get_current_profile_name() == "mutation"
    return settings(max_examples=min(count, _OF_A_MUTANT) if mutated else count)
