"""Feature flags from a file that is watched, behind OpenFeature's API.

The file is JSON: `{"flags": {name: value}, "tenants": {tenant: {name: value}}}`. It is read and
checked whole; where it is broken the last good one stays in force, and says so. Replace it by a
rename, so that nobody ever sees half of it.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from prometheus_client import CollectorRegistry, Gauge
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tandem.platform.errors import SettingsError
from tandem.platform.limits import FLAGS_FILE_BYTES_MAX, FLAGS_POLL_S, FLAGS_TENANTS_MAX

type Check = Callable[[Mapping[str, JsonValue]], object]
"""Raises ValueError where flags make no sense together."""

_log: Final = logging.getLogger(__name__)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    flags: dict[str, JsonValue] = {}
    tenants: dict[str, dict[str, JsonValue]] = Field(default={}, max_length=FLAGS_TENANTS_MAX)


class FlagFile(AbstractProvider):
    """An OpenFeature provider over a file; the targeting key of a context is the tenant.

    `check` is asked about the flags of everybody and of each tenant. Raises SettingsError where the
    file cannot be read or makes no sense at the start.
    """

    def __init__(self, path: Path, check: Check, registry: CollectorRegistry) -> None:
        super().__init__()
        self._path = path
        self._check = check
        self._text = self._read()
        self._document = self._parsed(self._text)
        self._fault = Gauge(
            "tandem_flags_broken",
            "1 while the file of flags is broken and the last good one is in force",
            registry=registry,
        )

    def get_metadata(self) -> Metadata:
        """Name this provider."""
        return Metadata("tandem flag file")

    def reload(self) -> bool:
        """Take a changed file into force; return whether that was done."""
        try:
            text = self._read()
            if text == self._text:
                self._fault.set(0)
                return False
            self._document = self._parsed(text)
        except SettingsError as error:
            self._fault.set(1)
            _log.error("flags: %s; the last good ones stay in force", error)
            return False
        self._text = text
        self._fault.set(0)
        _log.warning("flags: %s is in force", self._path.name)
        return True

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(FLAGS_POLL_S)
            await asyncio.to_thread(self.reload)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Resolve a flag that is on or off."""
        return self._resolved(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Resolve a flag that is a text."""
        return self._resolved(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Resolve a flag that is a whole number."""
        return self._resolved(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Resolve a flag that is a number."""
        return self._resolved(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Resolve a flag that is a list or an object."""
        return self._resolved(flag_key, default_value, evaluation_context)

    def _resolved(
        self, name: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        document = self._document
        own = document.tenants.get(context.targeting_key or "", {}) if context else {}
        if name in own:
            return FlagResolutionDetails(own[name], reason=Reason.TARGETING_MATCH)
        if name in document.flags:
            return FlagResolutionDetails(document.flags[name], reason=Reason.STATIC)
        return FlagResolutionDetails(default, reason=Reason.DEFAULT)

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                text = file.read(FLAGS_FILE_BYTES_MAX + 1)
        except OSError as error:
            raise SettingsError(f"{self._path}: {error.strerror}") from error
        if len(text) > FLAGS_FILE_BYTES_MAX:
            raise SettingsError(f"{self._path} has more than {FLAGS_FILE_BYTES_MAX} bytes")
        return text

    def _parsed(self, text: bytes) -> _Document:
        try:
            document = _Document.model_validate(json.loads(text))
            for own in ({}, *document.tenants.values()):
                self._check({**document.flags, **own})
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise SettingsError(f"{self._path}: {where}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{self._path}: {error}") from error
        return document
