"""Rate limits that processes share through the database: `reserve` credits, `settle` their cost."""

from tandem.platform.rate_limit.leased import LeasedRateLimit
from tandem.platform.rate_limit.opening import open_rate_limits
from tandem.platform.rate_limit.shared import ROLE, SharedRateLimit, migrate_rate_limit

__all__ = [
    "ROLE",
    "LeasedRateLimit",
    "SharedRateLimit",
    "migrate_rate_limit",
    "open_rate_limits",
]
