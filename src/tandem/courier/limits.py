"""Every bound of the courier, in one place."""

from typing import Final

# Routes worth pricing. Beyond them a route is refused, never priced by a wrapped number.
MAX_DISTANCE_M: Final = 1_000_000
MAX_ASCENT_M: Final = 50_000

# A hold that nobody captures gives the money back by itself.
HOLD_LIFETIME_S: Final = 4 * 3_600

# Calls.
QUOTE_DEADLINE_MS: Final = 4_000
ROUTING_TIMEOUT_MS: Final = 10_000
SEARCH_PAGE_SIZE: Final = 1_000
MAX_SEARCH_PAGES: Final = 100

# A day.
MAX_DELIVERIES: Final = 10_000
MAX_TRIP_DRAWS: Final = 200
MIN_STRAIGHT_LINE_M: Final = 400
CONCURRENT_CUSTOMERS: Final = 8
MAX_RECOVERY_PROBES: Final = 200
LIVE_PROBES_WANTED: Final = 3
RECOVERY_PROBE_INTERVAL_MS: Final = 200

# The demo.
SWEEP_TIMEOUT_S: Final = 10.0
MEMORY_SAMPLE_INTERVAL_S: Final = 1.0
ADMIN_TIMEOUT_S: Final = 5.0
PLAIN_PROGRESS_EVERY: Final = 25
