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

# The breaker. At 60 % failing a row of so many begins once in two thousand calls.
BREAKER_FAILURES_IN_ROW: Final = 15
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

# The concurrency limiter: Netflix's defaults for Gradient2 but for the least limit (there 20), at
# which a small provider queues already. After so long a slow time the round trip is measured there.
LIMITER_INITIAL: Final = 20
LIMITER_MIN: Final = 10
LIMITER_MAX: Final = 200
LIMITER_TOLERANCE: Final = 1.5
LIMITER_SMOOTHING: Final = 0.2
LIMITER_BACKOFF: Final = 0.9
LIMITER_GRADIENT_MIN: Final = 0.5
LIMITER_GROWTH: Final = 4.0
LIMITER_LONG_SAMPLES: Final = 600
LIMITER_SHORT_SAMPLES: Final = 10
LIMITER_RECOVERY_RATIO: Final = 2.0
LIMITER_RECOVERY: Final = 0.95
LIMITER_PROBE_AFTER_S: Final = 30.0
LIMITER_ROUND_TRIP_S_MIN: Final = 1e-6
# Who gets the slots: a tenth for batch calls; to each tenant what it used in the last epochs.
LIMITER_BATCH_SHARE: Final = 0.1
TENANT_EPOCH_S: Final = 5.0
TENANTS_MAX: Final = 4_096

# Rate limits. A share of the burst that is a matter of floating point; the longest debt.
RATE_SLACK: Final = 1e-9
RATE_KEYS_MAX: Final = 4_096
DEBT_S_MAX: Final = 3_600.0

# Hedging.
HEDGE_QUANTILE: Final = 0.95
HEDGE_DELAY_S_MIN: Final = 0.01
HEDGE_DELAY_S_MAX: Final = 1.0
HEDGE_SAMPLES_MIN: Final = 20
HEDGE_SAMPLES_MAX: Final = 200
