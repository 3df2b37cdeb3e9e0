"""Every bound of the ledger, in one place. Reaching one is a named refusal, never a surprise."""

from typing import Final

# Amounts and running totals. 2^127-1 leaves a sign bit in 128 and fits numeric(39,0).
MAX_AMOUNT_MINOR: Final = 2**127 - 1
MAX_AMOUNT_DIGITS: Final = len(str(MAX_AMOUNT_MINOR))
MAX_ASSET_SCALE: Final = 18

# Shapes of commands.
MAX_ENTRIES_PER_TRANSACTION: Final = 1_000
MAX_COMMANDS_PER_BATCH: Final = 10_000
MAX_COMMANDS_PER_ATOMIC_BATCH: Final = 1_000
MAX_ENTRIES_PER_BATCH: Final = 40_000
MAX_ADDRESS_CHARS: Final = 128
CACHED_ADDRESSES: Final = 65_536
MAX_IDEMPOTENCY_KEY_CHARS: Final = 128
MAX_REFERENCE_CHARS: Final = 128
MAX_METADATA_KEYS: Final = 64
MAX_METADATA_KEY_CHARS: Final = 64
MAX_METADATA_VALUE_CHARS: Final = 1_024
MAX_LEDGER_NAME_CHARS: Final = 63

# Microseconds since 1970: 0001-01-01 .. 9999-12-31, what RFC 3339 can write.
MIN_TIME_US: Final = 0
MAX_TIME_US: Final = 253_402_300_799_999_999
# Before the first time there is: no period is closed.
NOTHING_CLOSED_US: Final = MIN_TIME_US - 1
MAX_CLOCK_SKEW_US: Final = 30_000_000

# The writer.
# A command weighs one, plus one for every two entries it names.
PROMPT_WEIGHT: Final = 2_000
MAX_QUEUED_WEIGHT: Final = 60_000
MAX_WEIGHT_PER_APPEND: Final = 20_000
MAX_APPEND_ATTEMPTS: Final = 12
MAX_EXPIRIES_PER_APPEND: Final = 2_000
MAX_FOLLOWED_RECORDS: Final = 20_000
EXPIRY_WINDOW_HOLDS: Final = 10_000
CACHED_ACCOUNTS: Final = 200_000
CACHED_PARENTS: Final = 20_000
CACHED_KEYS: Final = 20_000
DECIDE_CHUNK_COMMANDS: Final = 100
EXPIRY_LOOKAHEAD_US: Final = 1_000_000
CONTENDED_APPENDS: Final = 8
RETRY_PAUSE_MS: Final = 50
DRAIN_TIMEOUT_MS: Final = 30_000

# Reads and the wire.
MAX_PAGE_SIZE: Final = 1_000
MAX_CURSOR_CHARS: Final = 1_024
DEFAULT_PAGE_SIZE: Final = 100
MAX_POSITION: Final = 2**63 - 1
# Percent-encoded, this is what fits a URL.
MAX_FILTER_PAIRS: Final = 8
MAX_FILTER_CHARS: Final = 4_096
# What one page of a listing looks at, whatever it finds; the next page goes on from there.
MAX_LISTING_WINDOW_RECORDS: Final = 10_000
MAX_LISTING_PROBES: Final = 10_000
MAX_MERGED_ACCOUNTS: Final = 100
MAX_PROBED_ACCOUNTS: Final = 16
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_LEDGERS_PER_PROCESS: Final = 256
READ_POOL_SIZE: Final = 8
WRITE_POOL_SIZE: Final = 8

# Proofs.
CACHED_TILE_ROOTS: Final = 4_096
MAX_NOTE_CHARS: Final = 65_536
MAX_NOTE_SIGNATURES: Final = 16
MAX_TILE_LEVEL: Final = 7  # 256 to the power of eight: more than positions can count
MAX_BUNDLED_RECORD_BYTES: Final = 65_535  # the length before it has two bytes
MAX_BUNDLE_LINE_BYTES: Final = 4 * 1024 * 1024  # the largest record there can be is a quarter

# The change feed. A stream that sends nothing sends a heartbeat; a consumer that takes nothing for
# the stall time is cut off, and resumes from its position.
FEED_POLL_MS: Final = 100
FEED_PAGE_SIZE: Final = 200
MAX_FEED_WAIT_MS: Final = 20_000
MAX_FEED_STREAMS: Final = 256
FEED_HEARTBEAT_MS: Final = 10_000
FEED_STALL_MS: Final = 30_000
FEED_RETRY_MS: Final = 1_000
FOLLOW_ATTEMPTS: Final = 100

# Webhooks. Fifteen attempts with full jitter take about two hours in the mean.
MAX_WEBHOOKS_PER_LEDGER: Final = 32
FRESH_WEBHOOK_SECRET_BYTES: Final = 32
WEBHOOK_SECRETS: Final = 2
WEBHOOK_ATTEMPTS: Final = 15
WEBHOOK_FIRST_PAUSE_S: Final = 1.0
WEBHOOK_LONGEST_PAUSE_S: Final = 3_600.0
DEAD_LETTERS_TO_PAUSE: Final = 3
WEBHOOK_PAGE_SIZE: Final = 100
WEBHOOK_RECORDS_PER_JOB: Final = 1_000
WEBHOOK_CONCURRENCY: Final = 16
WEBHOOK_POLL_MS: Final = 250
MAX_WEBHOOKS_DUE: Final = 1_000
