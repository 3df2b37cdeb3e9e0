"""Who is asked for a request, in which order. Pure."""

import hashlib
from collections.abc import Collection, Hashable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from tandem.routing.domain.operation import Operation

_BUCKETS = 2**64


class RoutingFlags(BaseModel):
    """What flags may say of routing.

    `order`: the providers to ask, the first first. `killed`: providers, or single operations of one
    (`bikemap.matrix`), that are not asked. `trial`: the provider that `trial_share` of the requests
    ask before all others: how another version is tried, or an old one kept, for some. `shadow`: the
    provider that `shadow_share` of the requests are also put to, after they were answered.
    `provider_jobs`: whether jobs may be handed over to a provider that has jobs of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    order: Annotated[tuple[str, ...], Field(alias="routing.order", max_length=10)] = ()
    killed: Annotated[frozenset[str], Field(alias="routing.killed", max_length=50)] = frozenset()
    trial: Annotated[str, Field(alias="routing.trial")] = ""
    trial_share: Annotated[float, Field(alias="routing.trial_share", ge=0, le=1)] = 0.0
    shadow: Annotated[str, Field(alias="routing.shadow")] = ""
    shadow_share: Annotated[float, Field(alias="routing.shadow_share", ge=0, le=1)] = 0.0
    provider_jobs: Annotated[StrictBool, Field(alias="routing.provider_jobs")] = True


def planned(
    flags: RoutingFlags, known: Sequence[str], operation: Operation, key: Hashable
) -> tuple[str, ...]:
    """Return who is asked; `known` are all providers in their usual order."""
    order = [name for name in flags.order or known if name in known]
    if flags.trial in known and is_within(flags.trial_share, flags.trial, key):
        order = [flags.trial, *(name for name in order if name != flags.trial)]
    return tuple(name for name in order if not _is_killed(flags.killed, name, operation))


def shadowed(flags: RoutingFlags, operation: Operation, key: Hashable) -> str | None:
    """Return who is asked in the shadow, if anybody."""
    is_asked = is_within(flags.shadow_share, f"shadow {flags.shadow}", key)
    if not flags.shadow or not is_asked or _is_killed(flags.killed, flags.shadow, operation):
        return None
    return flags.shadow


def hands_over(flags: RoutingFlags, name: str, operation: Operation) -> bool:
    """Tell whether a provider may be given jobs of an operation; not one that is not asked."""
    return flags.provider_jobs and not _is_killed(flags.killed, name, operation)


def is_within(share: float, name: str, key: Hashable) -> bool:
    """Tell whether a key is in the share that a trial has.

    A key's place depends on nothing but the trial and itself: it stays where it is, and a share
    that grows takes keys in and puts none out.
    """
    digest = hashlib.sha256(f"{name}\0{key!r}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * _BUCKETS


def _is_killed(killed: Collection[str], name: str, operation: Operation) -> bool:
    return name in killed or f"{name}.{operation.value}" in killed
