"""Routing tiles: built once for an extract, a terrain and an engine version, then reused.

A tile set is built beside its place and renamed into it when it is whole, so a half-built one is
never seen. Its name is a stamp of everything that went into it.
"""

import hashlib
import json
import os
import runpy
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tandem.platform.engine import limits
from tandem.platform.engine.errors import TilesError
from tandem.platform.engine.extract import obtain_extract
from tandem.platform.engine.terrain import write_terrain
from tandem.platform.file_lock import exclusive

# Raise it whenever terrain or tiles come out differently for the same inputs.
_RECIPE: Final = 1
_LOG_TAIL_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True)
class TileSet:
    """A whole tile set: routing tiles and the elevation tile they were built with."""

    directory: Path
    stamp: str
    terrain_seed: int

    @property
    def tiles(self) -> Path:
        """The folder of the routing tiles."""
        return self.directory / "tiles"

    @property
    def elevation(self) -> Path:
        """The folder of the elevation tile."""
        return self.directory / "elevation"


def prepare_engine(directory: Path, *, terrain_seed: int = limits.TERRAIN_DEFAULT_SEED) -> TileSet:
    """Return the tile set kept in `directory`, making what is missing: extract, terrain, tiles.

    The first call takes a download and about two seconds; later ones a few milliseconds. Several
    processes may call it at once for one directory: one builds, the others wait for it.

    Raises:
        ExtractError: The map extract cannot be had.
        TilesError: The tiles could not be built.
    """
    stamp = _stamp(terrain_seed)
    done = TileSet(directory.resolve() / f"helsinki-{stamp}", stamp, terrain_seed)
    if done.directory.is_dir():
        return done
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(directory / "build.lock", timeout_s=limits.BUILD_LOCK_TIMEOUT_S):
            if not done.directory.is_dir():
                _build(obtain_extract(directory), done)
    except TimeoutError as error:
        raise TilesError(f"waited too long for another build of the tiles: {error}") from error
    return done


def executable(name: str) -> Path:
    """Return the path of one of the engine's programs, as the installed wheel has them.

    Raises:
        TilesError: The engine is not installed.
    """
    # The wheel's console scripts are Python wrappers; a child to be stopped must be the program.
    return _package() / "bin" / name


def base_config(tiles: TileSet) -> dict[str, Any]:
    """Return the engine's configuration for a tile set, without where to listen."""
    # Run by path: importing the package would load the whole engine into this process, 16 MB.
    defaults = runpy.run_path(str(_package() / "valhalla_build_config.py"))["config"]
    config = _without_optional(defaults)
    config["logging"] = {"type": ""}
    config["mjolnir"] |= {
        "tile_dir": str(tiles.tiles),
        "max_cache_size": limits.TILE_CACHE_BYTES_MAX,
        "id_table_size": limits.TILE_CACHE_BYTES_MAX,
        "concurrency": limits.BUILD_THREADS,
    }
    # What this map does not come with; an empty path is how the engine is told so.
    absent = ("tile_extract", "traffic_extract", "admin", "landmarks", "timezone")
    config["mjolnir"] |= dict.fromkeys((*absent, "transit_dir", "transit_feeds_dir"), "")
    config["additional_data"] = {"elevation": str(tiles.elevation)}
    for name in config["thor"]:
        if name.startswith("max_reserved_labels_count"):
            config["thor"][name] = limits.RESERVED_LABELS_MAX
    config["service_limits"]["bicycle"] |= {
        "max_distance": float(limits.ROUTE_LENGTH_M_MAX),
        "max_locations": limits.LOCATIONS_MAX,
    }
    config["service_limits"]["max_alternates"] = limits.ALTERNATES_MAX
    config["service_limits"]["status"]["allow_verbose"] = True
    return config


def _package() -> Path:
    spec = find_spec("valhalla")
    if spec is None or spec.origin is None:
        raise TilesError("the routing engine (pyvalhalla) is not installed")
    return Path(spec.origin).parent


def _without_optional(node: dict[str, Any]) -> dict[str, Any]:
    """Drop the engine's markers for settings that have no default."""
    return {
        name: _without_optional(value) if isinstance(value, dict) else value
        for name, value in node.items()
        if type(value).__name__ != "Optional"
    }


def _stamp(terrain_seed: int) -> str:
    parts = (_RECIPE, limits.EXTRACT_SHA256, terrain_seed, version("pyvalhalla"))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _build(extract: Path, done: TileSet) -> None:
    # Only one builder holds the lock, so other drafts were left by builders that died.
    for left_over in done.directory.parent.glob("*.building-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    draft_directory = done.directory.with_name(f"{done.directory.name}.building-{os.getpid()}")
    draft = TileSet(draft_directory, done.stamp, done.terrain_seed)
    draft.tiles.mkdir(parents=True)
    write_terrain(draft.elevation, draft.terrain_seed)
    config = draft.directory / "build.json"
    config.write_text(json.dumps(base_config(draft)))
    _run(["valhalla_build_tiles", "-c", str(config), str(extract)], draft.directory / "build.log")
    if not any(draft.tiles.rglob("*.gph")):
        raise TilesError("the tile builder ended well but left no tiles")
    draft.directory.rename(done.directory)


def _run(command: list[str], log: Path) -> None:
    program, *arguments = command
    with log.open("wb") as output:
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command, no shell
                [str(executable(program)), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limits.BUILD_TIMEOUT_S,
                env=dict(os.environ, LC_ALL="C"),
                check=False,
            )
        except OSError as error:
            raise TilesError(f"{program} cannot be run: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise TilesError(
                f"{program} took longer than {limits.BUILD_TIMEOUT_S:.0f} s"
            ) from error
    if done.returncode != 0:
        tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARS:]
        raise TilesError(f"{program} failed with code {done.returncode}:\n{tail}")
