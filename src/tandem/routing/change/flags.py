"""The order of providers as OpenFeature's flags have it, for the tenant of the call."""

from collections.abc import Mapping, Sequence
from typing import Final

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from pydantic import JsonValue

from tandem.resilience.caller import Caller
from tandem.routing.change.plan import RoutingFlags, hands_over, planned, shadowed
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import Request

_DEFAULTS: Final = {
    alias: field.get_default()
    for field in RoutingFlags.model_fields.values()
    if (alias := field.alias) is not None
}


def check_flags(flags: Mapping[str, JsonValue]) -> RoutingFlags:
    """Read flags strictly; raises ValueError where one is unknown or cannot be."""
    return RoutingFlags.model_validate(flags)


class FlaggedOrder:
    """Chooses the providers for a request; `known` are all of them in their usual order."""

    def __init__(self, client: OpenFeatureClient, known: Sequence[str]) -> None:
        self._client = client
        self._known = tuple(known)

    def __call__(self, request: Request, caller: Caller) -> tuple[str, ...]:
        """Return their names, the first first."""
        flags = _flags(self._client, caller)
        return planned(flags, self._known, request.operation, request.key())


class FlaggedShadow:
    """Chooses who is asked in the shadow of a request."""

    def __init__(self, client: OpenFeatureClient) -> None:
        self._client = client

    def __call__(self, request: Request, caller: Caller) -> str | None:
        """Return its name, or None."""
        return shadowed(_flags(self._client, caller), request.operation, request.key())


class FlaggedJobs:
    """Says whether a provider's own jobs may compute those of a tenant."""

    def __init__(self, client: OpenFeatureClient, provider: str) -> None:
        self._client = client
        self._provider = provider

    def __call__(self, operation: Operation, tenant: str) -> bool:
        """Tell it of jobs of an operation."""
        flags = _flags(self._client, Caller(tenant=tenant))
        return hands_over(flags, self._provider, operation)


def _flags(client: OpenFeatureClient, caller: Caller) -> RoutingFlags:
    """Resolve every flag for a tenant."""
    context = EvaluationContext(targeting_key=caller.tenant)
    return RoutingFlags.model_validate(
        {name: _resolved(client, name, default, context) for name, default in _DEFAULTS.items()}
    )


def _resolved(
    client: OpenFeatureClient, name: str, default: object, context: EvaluationContext
) -> object:
    match default:
        case bool():
            return client.get_boolean_value(name, default, context)
        case str():
            return client.get_string_value(name, default, context)
        case float():
            return client.get_float_value(name, default, context)
        case _:
            return client.get_object_value(name, [], context)
