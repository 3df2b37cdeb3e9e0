"""The order of providers as OpenFeature's flags have it, for the tenant of the call."""

from collections.abc import Mapping, Sequence
from typing import Final

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from pydantic import JsonValue

from tandem.resilience.caller import Caller
from tandem.routing.change.plan import RoutingFlags, planned
from tandem.routing.domain.request import Request

_ORDER: Final = "routing.order"
_KILLED: Final = "routing.killed"
_TRIAL: Final = "routing.trial"
_TRIAL_SHARE: Final = "routing.trial_share"


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
        client, context = self._client, EvaluationContext(targeting_key=caller.tenant)
        flags = RoutingFlags.model_validate(
            {
                _ORDER: client.get_object_value(_ORDER, [], context),
                _KILLED: client.get_object_value(_KILLED, [], context),
                _TRIAL: client.get_string_value(_TRIAL, "", context),
                _TRIAL_SHARE: client.get_float_value(_TRIAL_SHARE, 0.0, context),
            }
        )
        return planned(flags, self._known, request.operation, request.key())
