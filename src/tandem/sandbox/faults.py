"""Which requests go wrong, and how. The same rules, seed and order give the same faults."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tandem.sandbox import limits

ANY_ENDPOINT: Final = "*"
_OTHER_PATHS: Final = "other"
_MS_PER_S: Final = 1_000

type Clock = Callable[[], float]
"""Tells monotonic seconds."""


class FaultKind(StrEnum):
    """The ways in which a request can go wrong."""

    STATUS = "status"
    LATENCY = "latency"
    DRIP = "drip"
    TRUNCATE = "truncate"
    TRUNCATE_UNSEEN = "truncate_unseen"
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


type _Status = Annotated[int, Field(ge=200, le=599)]


class FaultRule(BaseModel):
    """A share of the requests to an endpoint that go wrong in one way.

    `endpoint` is a path, or how paths begin before a final `*`. `latency_ms`, and up to `jitter_ms`
    more, are waited before the answer, whatever is wrong with it, and by `drip` between chunks of
    `chunk_bytes` instead. `status` belongs to `status` (default 503), `html` (502) and `redirect`
    (307); so does `status_mix`, weights by status; `retry_after_s` to `status`; `location` to
    `redirect`; `factor` to `drift`, by which distances grow; `body_bytes` to `bomb` and `huge`;
    `credits` to what `credits` says is left. With `on_s` and `off_s` a rule is in force for so
    long, then not, and again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = ANY_ENDPOINT
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    kind: FaultKind
    status: _Status | None = None
    status_mix: Annotated[
        Mapping[_Status, Annotated[float, Field(gt=0, le=1e6)]] | None,
        Field(min_length=1, max_length=limits.FAULT_STATUSES_MAX),
    ] = None
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

    def concerns(self, path: str) -> bool:
        """Tell whether the rule is about a path."""
        if self.endpoint.endswith(ANY_ENDPOINT):
            return path.startswith(self.endpoint.removesuffix(ANY_ENDPOINT))
        return path == self.endpoint

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

    def status(self, default: int) -> int:
        """Which status it answers with."""
        statuses = sorted((self.rule.status_mix or {}).items())
        left = self.chance * sum(weight for _, weight in statuses)
        for status, weight in statuses:
            left -= weight
            if left < 0:
                return status
        # Rounding may leave a hair of the last one.
        return statuses[-1][0] if statuses else self.rule.status or default


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

    def decide(self, path: str) -> Hit | None:
        """Return the rule that hits the next request to a path, if one does."""
        if not self.plan.rules:
            return None
        # Callers choose the paths, and must not fill the memory with them.
        has_room = len(self._seen) < limits.FAULT_PATHS_MAX
        name = path if path in self._seen or has_room else _OTHER_PATHS
        number = self._seen.get(name, 0)
        self._seen[name] = number + 1
        since_s = self.clock() - self._since_s
        seed = self.default_seed if self.plan.seed is None else self.plan.seed
        for index, rule in enumerate(self.plan.rules):
            concerns = rule.concerns(path) and rule.is_on(since_s)
            chance = _uniform(seed, index, name, number)
            if concerns and chance < rule.share:
                return Hit(rule, chance / rule.share)
        return None


def _uniform(seed: int, rule_index: int, endpoint: str, number: int) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    text = f"{seed}/{rule_index}/{endpoint}/{number}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
