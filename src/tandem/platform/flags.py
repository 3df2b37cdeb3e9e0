"""Feature flags from a file that is watched, behind OpenFeature's API.

The file is JSON: `{"flags": {name: value}, "tenants": {tenant: {name: value}}}`. It is read and
checked whole.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from prometheus_client import CollectorRegistry, Gauge
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tandem.platform.limits import FLAGS_TENANTS_MAX
from tandem.platform.watched_file import WatchedFile

type Check = Callable[[Mapping[str, JsonValue]], object]
"""Raises ValueError where flags make no sense together."""


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
        self._check = check
        broken = Gauge(
            "tandem_flags_broken",
            "1 while the file of flags is broken and the last good one is in force",
            registry=registry,
        )
        self.file: Final = WatchedFile(path, self._parsed, broken)

    def get_metadata(self) -> Metadata:
        """Name this provider."""
        return Metadata("tandem flag file")

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
        document = self.file.current
        own = document.tenants.get(context.targeting_key or "", {}) if context else {}
        if name in own:
            return FlagResolutionDetails(own[name], reason=Reason.TARGETING_MATCH)
        if name in document.flags:
            return FlagResolutionDetails(document.flags[name], reason=Reason.STATIC)
        return FlagResolutionDetails(default, reason=Reason.DEFAULT)

    def _parsed(self, text: bytes) -> _Document:
        try:
            document = _Document.model_validate(json.loads(text))
            for own in ({}, *document.tenants.values()):
                self._check({**document.flags, **own})
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise ValueError(f"{where}: {first['msg']}") from error
        return document
