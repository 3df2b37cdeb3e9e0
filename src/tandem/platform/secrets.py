"""Secrets from a file that is watched, so that they are changed without a restart.

The file is JSON, and for nobody but its owner: `{"bikemap.client_secret": ["new", "old"], …}`. Each
has at most two values that are live, the newest first: what is new works before what is old ends.
"""

import json
import stat
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Final

from prometheus_client import CollectorRegistry, Gauge
from pydantic import Field, SecretStr, TypeAdapter, ValidationError

from tandem.platform.errors import SettingsError
from tandem.platform.limits import SECRET_CHARS_MAX, SECRETS_LIVE_MAX
from tandem.platform.telemetry import hide
from tandem.platform.watched_file import WatchedFile

type LiveSecrets = Callable[[], Sequence[SecretStr]]
"""Gives the values of a secret that are live now, the newest first."""

_FILE: Final = TypeAdapter(
    dict[
        str,
        Annotated[
            tuple[Annotated[SecretStr, Field(min_length=1, max_length=SECRET_CHARS_MAX)], ...],
            Field(min_length=1, max_length=SECRETS_LIVE_MAX),
        ],
    ]
)
_FOR_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def live(*values: str) -> LiveSecrets:
    """Give secrets that never change, the newest first; no log line has them from now on."""
    secrets = tuple(SecretStr(value) for value in values)
    hide(values)
    return lambda: secrets


class SecretsFile:
    """The file; `names` are the secrets that it may have.

    Raises SettingsError where it is broken at the start, or others may read it.
    """

    def __init__(self, path: Path, names: Collection[str], registry: CollectorRegistry) -> None:
        self._path = path
        self._names = names
        broken = Gauge(
            "tandem_secrets_broken",
            "1 while the file of secrets is broken and the last good ones are in force",
            registry=registry,
        )
        self.file: Final = WatchedFile(path, self._parsed, broken)

    def has(self, name: str) -> bool:
        """Tell whether the file has a secret."""
        return name in self.file.current

    def live(self, name: str) -> LiveSecrets:
        """Give a secret as the file has it at any time; none where it has it no more."""
        return lambda: self.file.current.get(name, ())

    def _parsed(self, text: bytes) -> dict[str, tuple[SecretStr, ...]]:
        _check_mode(self._path)
        try:
            secrets = _FILE.validate_python(json.loads(text))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise ValueError(f"{where}: {first['msg']}") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"no JSON, line {error.lineno} column {error.colno}") from None
        unknown = sorted(secrets.keys() - set(self._names))
        if unknown:
            raise ValueError(f"{unknown[0]} is no secret of ours: {', '.join(self._names)}")
        hide(value.get_secret_value() for values in secrets.values() for value in values)
        return secrets


def _check_mode(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    if mode & _FOR_OTHERS:
        raise ValueError("others than its owner may use it (chmod 600)")
