"""A retry budget: retries are paid for by successes, so an outage cannot multiply the load."""

from tandem.resilience.limits import BUDGET_TOKENS_MAX, BUDGET_TOKENS_PER_SUCCESS


class RetryBudget:
    """A bucket of tokens: one for a retry, a fraction back for each success.

    It starts full. Over n calls no more than `tokens_max + per_success * n` retries are granted.
    """

    def __init__(
        self,
        tokens_max: float = BUDGET_TOKENS_MAX,
        per_success: float = BUDGET_TOKENS_PER_SUCCESS,
    ) -> None:
        self._tokens_max = tokens_max
        self._per_success = per_success
        self._tokens = tokens_max

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._tokens

    def earn(self) -> None:
        """Note a success."""
        self._tokens = min(self._tokens_max, self._tokens + self._per_success)

    def spend(self) -> bool:
        """Take a token for a retry; False, and nothing taken, where there is none."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
