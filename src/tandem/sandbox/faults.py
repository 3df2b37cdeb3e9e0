"""Which requests go wrong, and how. The same rules, seed and order give the same faults."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tandem.sandbox import limits

ANY_ENDPOINT = "*"
_MS_PER_S: Final = 1_000

type Clock = Callable[[], float]
"""Tells monotonic seconds."""


class FaultKind(StrEnum):
    """The ways in which a request can go wrong."""

    STATUS = "status"
    LATENCY = "latency"
    DRIP = "drip"
    TRUNCATE = "truncate"
    HTML = "html"
    BLACKHOLE = "blackhole"
    RESET = "reset"
    REDIRECT = "redirect"
    EMPTY = "empty"
    ERROR_BODY = "error_body"
    BOMB = "bomb"
    HUGE = "huge"
    NESTED = "nested"
    NAN = "nan"
    DRIFT = "drift"
    UNITS = "units"
    SWAP = "swap"
    CREDITS = "credits"


class FaultRule(BaseModel):
    """A share of the requests to an endpoint (its path, or `*`) that go wrong in one way.

    `status` belongs to `status` (default 503) and `html` (502); `latency_ms` to `latency`
    (before the answer, and up to `jitter_ms` more) and `drip` (between chunks of `chunk_bytes`);
    `retry_after_s` to `status`; `location` to `redirect`; `factor` to `drift`, by which distances
    grow; `body_bytes` to `bomb` and `huge`; `credits` to what `credits` says is left. With `on_s`
    and `off_s` a rule is in force for so long, then not, and again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = ANY_ENDPOINT
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    kind: FaultKind
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    latency_ms: Annotated[int, Field(ge=0, le=limits.FAULT_LATENCY_MS_MAX)] | None = None
    chunk_bytes: Annotated[int, Field(ge=1, le=limits.FAULT_DRIP_CHUNK_BYTES_MAX)] = 16
    retry_after_s: Annotated[int, Field(ge=0, le=86_400)] | None = None
    jitter_ms: Annotated[int, Field(ge=0, le=limits.FAULT_LATENCY_MS_MAX)] = 0
    location: Annotated[str, Field(max_length=limits.HEADER_CHARS_MAX)] | None = None
    factor: Annotated[float, Field(gt=0, le=1_000)] = 1.03
    body_bytes: Annotated[int, Field(ge=1, le=limits.FAULT_BODY_BYTES_MAX)] = 100 * 1024 * 1024
    credits: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    on_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    off_s: Annotated[float, Field(gt=0, le=86_400)] | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind in {FaultKind.LATENCY, FaultKind.DRIP} and self.latency_ms is None:
            raise ValueError(f"{self.kind} needs latency_ms")
        if self.kind is FaultKind.REDIRECT and self.location is None:
            raise ValueError("redirect needs location")
        if (self.on_s is None) != (self.off_s is None):
            raise ValueError("on_s and off_s go together")
        return self

    def is_on(self, since_s: float) -> bool:
        """Tell whether the rule is in force so long after it was made."""
        if self.on_s is None or self.off_s is None:
            return True
        return since_s % (self.on_s + self.off_s) < self.on_s


class FaultPlan(BaseModel):
    """Rules, of which the first that hits decides, and the seed of their shares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[list[FaultRule], Field(max_length=limits.FAULT_RULES_MAX)] = []
    seed: int | None = None


class Hit(NamedTuple):
    """A rule, and a number in [0, 1) that is this request's own."""

    rule: FaultRule
    chance: float

    @property
    def pause_s(self) -> float:
        """For how long it makes one wait."""
        return ((self.rule.latency_ms or 0) + self.chance * self.rule.jitter_ms) / _MS_PER_S


@dataclass(slots=True)
class Faults:
    """The plan in force and how many requests each endpoint has seen under it."""

    default_seed: int
    clock: Clock
    plan: FaultPlan
    _seen: dict[str, int]
    _since_s: float

    def __init__(self, default_seed: int, clock: Clock) -> None:
        self.default_seed = default_seed
        self.clock = clock
        self.replace(FaultPlan())

    def replace(self, plan: FaultPlan) -> None:
        """Put a plan in force; counting starts again, so a repeated plan repeats its faults."""
        self.plan = plan
        self._seen = {}
        self._since_s = self.clock()

    def decide(self, endpoint: str) -> Hit | None:
        """Return the rule that hits the next request to an endpoint, if one does."""
        if not self.plan.rules:
            return None
        number = self._seen.get(endpoint, 0)
        self._seen[endpoint] = number + 1
        since_s = self.clock() - self._since_s
        seed = self.default_seed if self.plan.seed is None else self.plan.seed
        for index, rule in enumerate(self.plan.rules):
            concerns = rule.endpoint in {ANY_ENDPOINT, endpoint} and rule.is_on(since_s)
            chance = _uniform(seed, index, endpoint, number)
            if concerns and chance < rule.share:
                return Hit(rule, chance / rule.share)
        return None


def _uniform(seed: int, rule_index: int, endpoint: str, number: int) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    text = f"{seed}/{rule_index}/{endpoint}/{number}"
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
