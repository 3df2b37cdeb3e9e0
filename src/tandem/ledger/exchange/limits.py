"""Every bound of import and export, in one place."""

from typing import Final

# Import. A transaction of the most entries with the most metadata fits a line of JSON.
MAX_LINE_BYTES: Final = 2 * 1024 * 1024
MAX_LINES_PER_ROW: Final = 1_000
MAX_COLUMNS: Final = 256
MAX_NAME_CHARS: Final = 96
DERIVED_NAME_DIGITS: Final = 16
DIGEST_CHUNK_BYTES: Final = 1024 * 1024
# A batch stays far below what the API takes in one body (8 MiB), however its lines are written.
MAX_COMMANDS_PER_BATCH: Final = 1_000
MAX_ENTRIES_PER_BATCH: Final = 10_000
MAX_LINE_BYTES_PER_BATCH: Final = 1024 * 1024

# Export.
RECORDS_PER_PAGE: Final = 500
ROWS_PER_GROUP: Final = 20_000
