"""Every limit and default of the resilience package, in one place."""

from typing import Final

# The retry budget: a burst of this many, and then one retry for every ten successes.
BUDGET_TOKENS_MAX: Final = 10.0
BUDGET_TOKENS_PER_SUCCESS: Final = 0.1

# Backoff between attempts.
BACKOFF_BASE_S: Final = 0.05
BACKOFF_CAP_S: Final = 0.5
BACKOFF_DOUBLINGS_MAX: Final = 16

# What a server may wish of us in a header.
WISH_S_MAX: Final = 3_600.0
HEADER_CHARS_MAX: Final = 64
RATE_LIMIT_FIELD_CHARS_MAX: Final = 1_024

# Rolling windows.
WINDOW_BUCKETS: Final = 10

# The breaker. At 30 % failing, ten failures in a row are six in a million.
BREAKER_FAILURES_IN_ROW: Final = 10
BREAK_FIRST_S: Final = 1.0
BREAK_CAP_S: Final = 8.0
# A break lasts at least this share of its full length; the rest is chance, so that many processes
# do not probe at once.
BREAK_SHARE_MIN: Final = 0.75

# The longest that a provider can tell us to stay away.
HOLD_OFF_S_MAX: Final = 86_400.0

# Different things that may be under way at once and still be shared.
FLIGHTS_MAX: Final = 4_096

# The adaptive throttle: Google's multiplier and window; as many calls without an answer as the
# concurrency limiter lets through at first.
THROTTLE_MULTIPLIER: Final = 2.0
THROTTLE_WINDOW_S: Final = 120.0
THROTTLE_ALLOWANCE: Final = 20.0
