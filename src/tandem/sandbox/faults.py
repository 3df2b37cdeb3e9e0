"""Which requests go wrong, and how. Pure: the same rules, seed and order give the same faults."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tandem.sandbox import limits

ANY_ENDPOINT = "*"


class FaultKind(StrEnum):
    """The ways in which a request can go wrong."""

    STATUS = "status"
    LATENCY = "latency"
    DRIP = "drip"
    TRUNCATE = "truncate"
    HTML = "html"
    BLACKHOLE = "blackhole"


class FaultRule(BaseModel):
    """A share of the requests to an endpoint (its path, or `*`) that go wrong in one way.

    `status` belongs to `status` (default 503) and `html` (502); `latency_ms` to `latency`
    (before the answer) and `drip` (between chunks of `chunk_bytes`); `retry_after_s` to `status`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = ANY_ENDPOINT
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    kind: FaultKind
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    latency_ms: Annotated[int, Field(ge=0, le=limits.FAULT_LATENCY_MS_MAX)] | None = None
    chunk_bytes: Annotated[int, Field(ge=1, le=limits.FAULT_DRIP_CHUNK_BYTES_MAX)] = 16
    retry_after_s: Annotated[int, Field(ge=0, le=86_400)] | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind in {FaultKind.LATENCY, FaultKind.DRIP} and self.latency_ms is None:
            raise ValueError(f"{self.kind} needs latency_ms")
        return self


class FaultPlan(BaseModel):
    """Rules, of which the first that hits decides, and the seed of their shares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[list[FaultRule], Field(max_length=limits.FAULT_RULES_MAX)] = []
    seed: int | None = None


@dataclass(slots=True)
class Faults:
    """The plan in force and how many requests each endpoint has seen under it."""

    default_seed: int
    plan: FaultPlan
    _seen: dict[str, int]

    def __init__(self, default_seed: int) -> None:
        self.default_seed = default_seed
        self.replace(FaultPlan())

    def replace(self, plan: FaultPlan) -> None:
        """Put a plan in force; counting starts again, so a repeated plan repeats its faults."""
        self.plan = plan
        self._seen = {}

    def decide(self, endpoint: str) -> FaultRule | None:
        """Return the rule that hits the next request to an endpoint, if one does."""
        if not self.plan.rules:
            return None
        number = self._seen.get(endpoint, 0)
        self._seen[endpoint] = number + 1
        seed = self.default_seed if self.plan.seed is None else self.plan.seed
        for index, rule in enumerate(self.plan.rules):
            concerns = rule.endpoint in {ANY_ENDPOINT, endpoint}
            if concerns and _uniform(seed, index, endpoint, number) < rule.share:
                return rule
        return None


def _uniform(seed: int, rule_index: int, endpoint: str, number: int) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    text = f"{seed}/{rule_index}/{endpoint}/{number}"
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
