"""Every bound of the platform, in one place."""

from typing import Final

# The embedded PostgreSQL server.
POSTGRES_START_TIMEOUT_S: Final = 60.0
POSTGRES_START_ATTEMPTS: Final = 3
POSTGRES_STOP_TIMEOUT_S: Final = 30.0
POSTGRES_GATE_TIMEOUT_S: Final = 120.0
POSTGRES_POLL_S: Final = 0.02
POSTGRES_LOG_BYTES_MAX: Final = 16 * 1024 * 1024
POSTGRES_MAX_CONNECTIONS: Final = 100
# A Unix socket's address holds 104 bytes on macOS and 108 on Linux, the final zero included.
SOCKET_PATH_BYTES_MAX: Final = 103

# File locks.
FILE_LOCK_POLL_S: Final = 0.02

# Database connections.
CONNECT_TIMEOUT_S: Final = 10
ACQUIRE_TIMEOUT_S: Final = 5.0
ACQUIRE_WAITERS_MAX: Final = 1_000
POOL_OPEN_TIMEOUT_S: Final = 30.0
POOL_CLOSE_TIMEOUT_S: Final = 5.0
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 60_000
STATEMENT_TIMEOUT_MS: Final = 120_000
KEEPALIVES_IDLE_S: Final = 10
KEEPALIVES_INTERVAL_S: Final = 5
KEEPALIVES_COUNT: Final = 3
TCP_USER_TIMEOUT_MS: Final = 20_000
MIGRATION_LOCK_TIMEOUT_MS: Final = 60_000

# HTTP.
REQUEST_BODY_BYTES_MAX: Final = 8 * 1024 * 1024
REQUEST_ID_CHARS_MAX: Final = 64
PROBLEM_FAULTS_MAX: Final = 20
PROBLEM_FIELD_CHARS_MAX: Final = 256
READY_CHECK_TIMEOUT_S: Final = 2.0
HTTP_BACKLOG: Final = 1_024
HTTP_CONCURRENT_REQUESTS_MAX: Final = 1_024
HTTP_DRAIN_TIMEOUT_S: Final = 20.0
HTTP_CUT_OFF_TIMEOUT_S: Final = 2.0
HTTP_LISTEN_TIMEOUT_S: Final = 10.0

# API keys.
KEY_NAME_CHARS_MAX: Final = 64
KEY_TOKEN_CHARS_MAX: Final = 128
KEY_CACHE_TTL_S: Final = 5.0
KEY_CACHE_ENTRIES_MAX: Final = 1_024
KEY_POOL_CONNECTIONS_MAX: Final = 2

# Child processes.
PROCESS_START_TIMEOUT_S: Final = 120.0
PROCESS_STOP_TIMEOUT_S: Final = 30.0
PROCESS_KILL_TIMEOUT_S: Final = 5.0
PROCESS_POLL_S: Final = 0.02
PROCESS_PROBE_TIMEOUT_S: Final = 2.0
PROCESS_LOG_TAIL_LINES: Final = 20
PROCESS_LOG_TAIL_BYTES: Final = 64 * 1024

# Webhooks: secrets, addresses, and one attempt to send one message.
WEBHOOK_URL_CHARS_MAX: Final = 2_048
WEBHOOK_SECRET_BYTES_MIN: Final = 24
WEBHOOK_SECRET_BYTES_MAX: Final = 64
WEBHOOK_TOLERANCE_S: Final = 300
WEBHOOK_TIMEOUT_MS: Final = 10_000
WEBHOOK_ANSWER_BYTES_MAX: Final = 16_384

# Background jobs. A worker that was killed is noticed after the stalled time.
JOB_CONNECTIONS_MAX: Final = 4
JOB_POLL_S: Final = 1.0
JOB_HEARTBEAT_S: Final = 1.0
JOB_STALLED_S: Final = 5.0
JOB_STOP_TIMEOUT_S: Final = 15.0
JOB_RESTART_PAUSE_S: Final = 1.0

# Rate limits that processes share: for how long a process may keep a slice of credits, and how
# much all processes' slices are together: of the burst, and no more than flows in in a while, for
# what a process keeps and does not use is nobody's.
RATE_LEASE_S: Final = 0.25
RATE_SLICE_SHARE: Final = 0.5
RATE_SLICE_S: Final = 10.0
# The database gets so long to grant a slice; one that took longer is left alone for a while.
RATE_ASK_TIMEOUT_S: Final = 0.5
RATE_ALONE_S: Final = 5.0
RATE_POOL_CONNECTIONS_MAX: Final = 4

# Flags: the file is small, and looked at so often.
WATCHED_FILE_BYTES_MAX: Final = 256 * 1024
WATCHED_FILE_POLL_S: Final = 2.0
FLAGS_TENANTS_MAX: Final = 1_000
# One that is live, and one that takes its place.
SECRETS_LIVE_MAX: Final = 2
SECRET_CHARS_MAX: Final = 1_000
# What is shorter is no secret, and would be cut out of innocent texts.
SECRET_HIDDEN_CHARS_MIN: Final = 8
SECRETS_HIDDEN_MAX: Final = 1_000
