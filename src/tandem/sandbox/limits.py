"""Every limit and fixed fact of the sandbox, in one place."""

from typing import Final

API_VERSION: Final = "2026-09-01"

# Requests.
BODY_BYTES_MAX: Final = 256 * 1024
HEADER_CHARS_MAX: Final = 256
WAYPOINTS_MIN: Final = 2
WAYPOINTS_MAX: Final = 50
ALTERNATIVES_MAX: Final = 3
ROUTE_GREAT_CIRCLE_M_MAX: Final = 50_000.0
SNAP_RADIUS_M_DEFAULT: Final = 350.0
SNAP_RADIUS_M_MAX: Final = 1_000.0
MATRIX_SIDE_MAX: Final = 50
MATRIX_SIDE_BIG: Final = 20
CONTOURS_MAX: Final = 4
CONTOUR_S_MAX: Final = 7_200.0
CONTOUR_M_MAX: Final = 50_000.0
SNAP_POINTS_MAX: Final = 100
ELEVATION_POINTS_MAX: Final = 2_000
SNAP_DISTANCE_M_WARN: Final = 50.0
COVERAGE_MARGIN_DEGREES: Final = 0.0005
PROBLEM_ERRORS_MAX: Final = 20
TRACK_POINTS_MAX: Final = 1_000

# Heights that differ by less are the terrain's rounding, and no climb.
CLIMB_NOISE_M: Final = 1.0

# The engine behind.
COMPUTE_TIMEOUT_S: Final = 5.0
COMPUTES_MAX: Final = 16
ENGINE_CONNECTIONS_MAX: Final = 16
OVERLOADED_RETRY_S: Final = 1
MAINTENANCE_RETRY_S: Final = 5

# Clients and tokens.
CLIENTS_MAX: Final = 100
SECRETS_PER_CLIENT_MAX: Final = 2
SECRET_CHARS_MIN: Final = 16
TOKEN_LIFETIME_S: Final = 3_600
TOKENS_PER_CLIENT_MAX: Final = 1_000

# What successful answers cost, in credits.
CREDITS_PER_ROUTE: Final = 1
VIAS_PER_CREDIT: Final = 10
CREDITS_FOR_ALTERNATIVES: Final = 2
CREDITS_PER_POLL_V1: Final = 0.05
TRACK_POINTS_PER_CREDIT: Final = 100
CREDIT_WINDOW_S: Final = 86_400

# Jobs: in memory, for all clients together; a client may have so many open.
JOB_ITEMS_MAX: Final = 10_000
JOB_BODY_BYTES_MAX: Final = 16 * 1024 * 1024
JOBS_OPEN_MAX: Final = 20
JOBS_KEPT_MAX: Final = 200
JOB_PAGE_ITEMS: Final = 100
IDEMPOTENCY_S: Final = 86_400
IDEMPOTENCY_KEY_CHARS_MAX: Final = 255
RESULTS_KEPT_S: Final = 86_400
CURSOR_CHARS_MAX: Final = 12
POLL_HINT_S: Final = 1
CALLBACK_URL_CHARS_MAX: Final = 2_000
# Eight tries of a message, over about a day.
MESSAGE_WAITS_S: Final = (0, 5, 60, 300, 1_800, 7_200, 28_800, 43_200)
MESSAGES_MAX: Final = 1_000
MESSAGE_CONNECTIONS_MAX: Final = 4

# Routes that can be asked for again by their id, for each client.
ROUTES_KEPT_MAX: Final = 1_000
ROUTES_PAGE_DEFAULT: Final = 20
ROUTES_PAGE_MAX: Final = 100

# Faults.
FAULT_RULES_MAX: Final = 50
FAULT_LATENCY_MS_MAX: Final = 60_000
FAULT_DRIP_CHUNK_BYTES_MAX: Final = 65_536
FAULT_STATUSES_MAX: Final = 20
FAULT_PATHS_MAX: Final = 10_000
FAULT_BODY_BYTES_MAX: Final = 1024 * 1024 * 1024
NESTING: Final = 200_000
# A stalled answer holds its connection for so long, unless the caller hangs up before.
BLACKHOLE_S_MAX: Final = 60.0

# The server: a stalled answer must not keep the process from ending.
SERVER_DRAIN_TIMEOUT_S: Final = 2.0
