"""Every limit and fixed policy of the routing package, in one place."""

from typing import Final

# Requests.
WAYPOINTS_MIN: Final = 2
WAYPOINTS_MAX: Final = 50
ALTERNATIVES_MAX: Final = 3
MATRIX_CELLS_MAX: Final = 2_500
CONTOURS_MAX: Final = 10
CONTOUR_TIME_S_MAX: Final = 7_200.0
CONTOUR_DISTANCE_M_MAX: Final = 50_000.0
SNAP_PLACES_MAX: Final = 100
ELEVATION_PLACES_MAX: Final = 2_000
UNAVAILABLE_RETRY_AFTER_S: Final = 5
DEADLINE_MS_MIN: Final = 50
DEADLINE_MS_DEFAULT: Final = 2_000
DEADLINE_MS_MAX: Final = 30_000

# The time of one call. A provider that has others behind it may use only a share of what is left,
# so that a fallback can still answer in time; the margin is kept for building the answer.
ATTEMPT_TIMEOUT_MS: Final = 1_000
PRIMARY_TIME_SHARE: Final = 0.6
ANSWER_MARGIN_MS: Final = 25
# Who has so many times the time of the caller whose call was shared, and failed, asks once more.
MORE_TIME_RATIO: Final = 2.0
TOKEN_EXCHANGE_TIMEOUT_MS: Final = 1_000
TOKEN_EXPIRY_MARGIN_S: Final = 30.0
TOKEN_LIFETIME_S_MAX: Final = 86_400
TOKEN_CHARS_MAX: Final = 8_192

# Connections and bodies.
CONNECTIONS_MAX: Final = 32
KEEPALIVE_EXPIRY_S: Final = 15.0
# Of several addresses of one host, the next is tried after so long.
CONNECT_ADDRESS_S_MAX: Final = 0.5
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
ERROR_TEXT_CHARS_MAX: Final = 500

# Own calls that one matrix may take where the engine refuses a whole one for one pair.
MATRIX_CALLS_MAX: Final = 64

# Retries and the breaker of one provider.
ATTEMPTS_MAX: Final = 3
BREAKER_WINDOW_S: Final = 10.0
BREAKER_CALLS_MIN: Final = 20
BREAKER_FAILURE_RATIO: Final = 0.8
# How long to hold off after a refusal that says nothing, or nothing sane, about when to come back.
HOLD_OFF_RATE_LIMITED_S: Final = 1.0
HOLD_OFF_AUTH_FAILED_S: Final = 30.0
HOLD_OFF_QUOTA_EXHAUSTED_S: Final = 900.0
# A reply of 429 that asks for a longer wait than this is about the quota, whatever it says.
RATE_LIMIT_WAIT_S_MAX: Final = 60.0

# Keys of one provider that are live at once while they are changed.
# For how long a refused credential is tried after the others.
CREDENTIAL_REFUSED_S: Final = 30.0
# No plan starts anew later than this; a header that says so means something else.
RESET_S_MAX: Final = 31 * 86_400.0
# A provider's plan: the share of its credits that may come at once, unless it is set; the share of
# its requests that are made, since clocks differ; and how many seconds' worth of them come at once.
PLAN_CREDITS_AT_ONCE_SHARE: Final = 0.04
PLAN_REQUESTS_SHARE: Final = 0.99
PLAN_REQUESTS_AT_ONCE_S: Final = 0.5

# Caches. Entries are kept for the stale time and count as fresh for the fresh time.
CACHE_ENTRIES_MAX: Final = 2_048
# How far the fresh time of an entry strays, as a share, so that herds do not end together.
CACHE_JITTER: Final = 0.2
CACHE_SHARED_ENTRIES_MAX: Final = 200_000
CACHE_POOL_CONNECTIONS_MAX: Final = 4
# The shared tier gets no more of a request's time than this; after a fault it is left alone.
CACHE_STORE_TIMEOUT_MS: Final = 100
CACHE_STORE_PAUSE_S: Final = 1.0
# Writes to the shared tier that may wait; what comes beyond them is kept in memory only.
CACHE_WRITES_MAX: Final = 256
CACHE_DRAIN_TIMEOUT_S: Final = 2.0
CACHE_VALUE_BYTES_MAX: Final = 1024 * 1024
CACHE_INFLATED_BYTES_MAX: Final = 32 * 1024 * 1024
CACHE_UPKEEP_S: Final = 5.0
CACHE_SWEEP_ENTRIES_MAX: Final = 1_000
CACHE_PURGES_AT_ONCE: Final = 100
CACHE_PURGES_KEPT_S: Final = 3_600
# Answers that may be fetched anew at once while old ones are shown.
REFRESHES_MAX: Final = 32
REFRESH_TIMEOUT_MS: Final = 5_000
# One process fetches a key for all: for how long it may, and how others wait for it.
CACHE_LEASE_S: Final = 5.0
CACHE_LEASE_WAIT_SHARE: Final = 0.4
CACHE_LEASE_POLL_S: Final = 0.025
CACHE_FRESH_S: Final = 300.0
CACHE_STALE_S: Final = 86_400.0
NEGATIVE_ENTRIES_MAX: Final = 2_048
NEGATIVE_REFUSAL_S: Final = 600.0
NEGATIVE_TIMEOUT_S: Final = 60.0
# Coordinates are rounded to this many decimals in cache keys: about ten centimetres.
KEY_DECIMALS: Final = 6

# Geometry.
VERTICES_MAX: Final = 200_000
LEGS_MAX: Final = WAYPOINTS_MAX - 1
WARNINGS_MAX: Final = 20
WARNING_CHARS_MAX: Final = 200
INSTRUCTION_CHARS_MAX: Final = 500
ATTRIBUTIONS_MAX: Final = 10
ATTRIBUTION_CHARS_MAX: Final = 300

# What is farther as the crow flies is asked of nobody: a provider works on where we hang up.
CROW_DISTANCE_M_MAX: Final = 1_000_000.0

# What a believable route looks like.
SPEED_KMH_MIN: Final = 1.0
SPEED_KMH_MAX: Final = 80.0
SPEED_CHECK_DISTANCE_M_MIN: Final = 50.0
END_OFFSET_M_MAX: Final = 500.0
LENGTH_RATIO_MAX: Final = 1.25
LENGTH_SLACK_M: Final = 100.0
DISTANCE_M_MAX: Final = 2_000_000.0
CLIMB_SLACK_M: Final = 100.0
HEIGHT_M_MIN: Final = -500.0
HEIGHT_M_MAX: Final = 9_000.0
# A way is no shorter than the straight line but for what snapping moved, and rounding.
DETOUR_RATIO_MIN: Final = 0.95
POLYGONS_MAX: Final = 1_000
CLIMB_PER_METRE_MAX: Final = 0.3

# Heights that differ by less are the terrain's rounding, and no climb.
CLIMB_NOISE_M: Final = 1.0
# How far from the network a waypoint may lie.
SNAP_RADIUS_M: Final = 350.0

# The estimate: what a bicycle route is longer than the straight line, and how fast one rides it.
ESTIMATE_DETOUR_FACTOR: Final = 1.35
ESTIMATE_SPEED_KMH_TOURING: Final = 16.0
ESTIMATE_SPEED_KMH_ROAD: Final = 20.0
ESTIMATE_SPEED_KMH_MTB: Final = 14.0

# The client's patience: as a whole, and beyond the deadline that it gives to the server.
CLIENT_TIMEOUT_MS: Final = 10_000
CLIENT_GRACE_MS: Final = 500

# An attempt is made with no less time than this, and a timeout says something of the provider's
# health only if it had the fair time: impatient callers must not open the breaker for the others.
ATTEMPT_MS_MIN: Final = 50
ATTEMPT_MS_FAIR: Final = 250
# Added to a wait that a provider asked for, so that we never come a moment early.
WAIT_MARGIN_S: Final = 0.002

# Prefetching: which questions are watched, which count as hot, and how soon before they are stale.
HOT_KEYS_MAX: Final = 512
PREFETCH_EVERY_S: Final = 5.0
PREFETCH_ROUNDS_TO_FADE: Final = 60
PREFETCH_KEYS_MAX: Final = 50
PREFETCH_USES_MIN: Final = 5.0
PREFETCH_AHEAD_S: Final = 20.0
PREFETCH_BURST_CREDITS: Final = 10.0

# Background jobs. Results are kept for a day, then the job says so for a week.
JOB_ITEMS_MAX: Final = 10_000
JOB_ITEMS_QUEUED_MAX: Final = 50_000
JOBS_QUEUED_MAX: Final = 100
JOB_FULL_RETRY_S: Final = 30
JOB_KEY_CHARS_MAX: Final = 255
JOB_RESULTS_KEPT_S: Final = 86_400
JOB_REMEMBERED_S: Final = 7 * 86_400
JOB_PAGE_ITEMS: Final = 100
JOB_PAGE_ITEMS_MAX: Final = 500
JOB_PAGE_BYTES_MAX: Final = 8 * 1024 * 1024
JOB_STATUS_RETRY_S: Final = 2
JOB_DETAIL_CHARS_MAX: Final = 300
# A chunk is what one worker takes at a time; of it so many items are kept together. What finds no
# capacity is tried again at once, so often. A process begins with what a fresh limiter lends.
JOB_CHUNK_ITEMS: Final = 20
JOB_WAVE_ITEMS: Final = 5
JOB_TRIES: Final = 3
JOB_IN_FLIGHT: Final = 2
JOB_IN_FLIGHT_MAX: Final = 32
JOB_CONCURRENCY: Final = 8
JOB_DISPATCH_S: Final = 0.25
JOB_DUE_MAX: Final = 200
JOB_DUE_PER_TENANT: Final = 50
JOB_ITEM_DEADLINE_MS: Final = 10_000
JOB_ROUNDS_MAX: Final = 6
JOB_ROUND_PAUSE_S: Final = 4.0
JOB_ROUND_PAUSE_S_MAX: Final = 60.0
JOB_POOL_CONNECTIONS_MAX: Final = 4
JOB_STOP_TIMEOUT_S: Final = 10.0
# How often a server counts the jobs for its metrics.
JOB_COUNT_S: Final = 15.0
# A provider's jobs: when to look at one that says nothing, and how soon and late at the most.
JOB_POLL_S: Final = 10.0
JOB_POLL_S_MIN: Final = 0.5
JOB_POLL_S_MAX: Final = 60.0
JOB_EXCHANGE_DEADLINE_MS: Final = 20_000
JOB_SUBMIT_PAUSE_S: Final = 1.0
# While a submission is refused or not heard of, it is sent again for so long.
JOB_SUBMIT_PATIENCE_S: Final = 900.0
# After so long without an end our own gateway computes a job that a provider took. It must be far
# below the day for which the provider remembers keys.
JOB_REMOTE_PATIENCE_S: Final = 6 * 3_600.0
PROVIDER_JOB_ID_CHARS_MAX: Final = 128
PROVIDER_CURSOR_CHARS_MAX: Final = 1_024
PROVIDER_PAGE_ITEMS_MAX: Final = 10_000
# The message that a job has finished, and how the messages that come in are told apart.
JOB_CALLBACK_ATTEMPTS: Final = 8
JOB_CALLBACK_PAUSE_S: Final = 5.0
JOB_CALLBACK_PAUSE_S_MAX: Final = 6 * 3_600.0
JOB_ERROR_CHARS_MAX: Final = 200
WEBHOOK_BODY_BYTES_MAX: Final = 65_536
WEBHOOK_ID_CHARS_MAX: Final = 256
WEBHOOK_IDS_KEPT_S: Final = 3_600

# Comparing providers: how many vertices of a line are held against another's, how many shadow calls
# may wait, how long one waits so that the caller's answer leaves first, and what a report keeps.
DIFFERENCE_PLACES_MAX: Final = 50
SHADOW_QUEUE_MAX: Final = 100
SHADOW_IN_FLIGHT: Final = 2
SHADOW_DELAY_S: Final = 0.05
SHADOW_TIMEOUT_MS: Final = 5_000
SHADOW_BURST_CREDITS: Final = 20.0
REPORT_SAMPLES_MAX: Final = 1_000
REPORT_WORST_MAX: Final = 20
REPORT_PAIRS_MAX: Final = 50
REPORT_PLACES_MAX: Final = 10
# A secondary whose distances are further off than this, for more than one in twenty, is flagged.
REPORT_DISTANCE_TOLERANCE: Final = 0.15
REPORT_SAMPLES_MIN: Final = 20

# Canaries: which share of bad calls is fair, how far above it is bad, and the risks of being wrong.
CANARY_SHARE_FAIR: Final = 0.005
CANARY_SHARE_BAD_STEP: Final = 0.045
CANARY_WRONG_ALARM_RISK: Final = 0.001
CANARY_CLEAN_RISK: Final = 0.01
# What one call weighs in the share of the old version's calls that failed lately.
CANARY_RECENT_WEIGHT: Final = 0.1
# Two versions of one provider may differ by so much in a pair.
CANARY_DISTANCE_TOLERANCE: Final = 0.02
CANARY_DURATION_TOLERANCE: Final = 0.10
CANARY_LATENCY_CALLS_MIN: Final = 50
CANARY_LATENCY_RATIO_MAX: Final = 1.5
CANARY_LATENCY_SLACK_MS: Final = 50.0
CANARY_STAGE_S_MIN: Final = 60.0
# How often processes look at the state, and for how long they trust what they saw.
CANARY_EVERY_S: Final = 1.0
CANARY_STATE_TRUSTED_S: Final = 10.0
CANARY_POOL_CONNECTIONS_MAX: Final = 2
CANARY_EVENTS_SHOWN_MAX: Final = 100
CANARY_REASON_CHARS_MAX: Final = 300
