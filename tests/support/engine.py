"""A real routing engine for each test process, on tiles that are built once and kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.platform.engine.engine import ValhallaEngine
from tandem.platform.engine.tiles import TileSet, prepare_engine

_ENGINE_DIRECTORY = Path(__file__).parents[2] / ".tandem" / "engine"


@pytest.fixture(scope="session")
def engine_tiles() -> TileSet:
    """Give the tile set of the repository's cache; the first run ever downloads and builds it."""
    return prepare_engine(_ENGINE_DIRECTORY)


@pytest.fixture(scope="session")
def valhalla_url(engine_tiles: TileSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a running engine, one for each test process."""
    with ValhallaEngine(engine_tiles, tmp_path_factory.mktemp("valhalla")) as engine:
        yield engine.url
