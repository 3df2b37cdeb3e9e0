"""What the gateway counts, on a registry that the caller owns."""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tandem.resilience.limiter import GradientLimiter

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


_LABELS = ("provider", "operation")


def _gauge(
    registry: CollectorRegistry, name: str, text: str, labels: Sequence[str] = _LABELS
) -> Gauge:
    return Gauge(name, text, labels, registry=registry)


def _counter(
    registry: CollectorRegistry, name: str, text: str, labels: Sequence[str] = _LABELS
) -> Counter:
    return Counter(name, text, labels, registry=registry)


def _credits(registry: CollectorRegistry) -> tuple[Counter, Gauge]:
    spent = Counter(
        "tandem_routing_credits",
        "Credits that calls to a provider cost: what it said, else our estimate",
        ("provider",),
        registry=registry,
    )
    left = Gauge(
        "tandem_routing_credits_left",
        "Credits that a provider's last answer said are left",
        ("provider",),
        registry=registry,
    )
    return spent, left


class RoutingMetrics:
    """The gateway's series. Providers, outcomes and codes are closed sets, so labels are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = _counter(
            registry,
            "tandem_routing_attempts",
            "Calls made to a provider",
            ("provider", "operation", "outcome"),
        )
        self.attempt_duration_s = Histogram(
            "tandem_routing_attempt_duration_seconds",
            "Time of a call to a provider",
            ("provider", "operation"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.retries = _counter(
            registry, "tandem_routing_retries", "Retries that the budget paid for"
        )
        self.rejections = _counter(
            registry,
            "tandem_routing_local_rejections",
            "Calls that were not made: plan, breaker, throttle, limit, hold-off or negative cache",
            ("provider", "reason"),
        )
        self.results = _counter(
            registry,
            "tandem_routing_results",
            "Routes given to callers",
            ("provider", "freshness", "degraded"),
        )
        self.refusals = _counter(
            registry, "tandem_routing_refusals", "Callers that got no route", ("code",)
        )
        self.refreshes = _counter(
            registry,
            "tandem_routing_refreshes",
            "Answers fetched anew while old ones were shown",
            ("outcome",),
        )
        self.hedges = _counter(
            registry, "tandem_routing_hedges", "Second attempts beside a slow first one"
        )
        self.credits, self.credits_left = _credits(registry)
        self._in_flight_limit = _gauge(
            registry, "tandem_routing_in_flight_limit", "How many calls may be in flight"
        )
        self._in_flight = _gauge(
            registry, "tandem_routing_in_flight", "How many calls are in flight"
        )
        self._breaker = _gauge(
            registry, "tandem_routing_breaker_state", "0 closed, 1 half open, 2 open"
        )

        self._credentials_refused = _gauge(
            registry,
            "tandem_routing_credentials_refused",
            "How many of a provider's live credentials it refused lately",
            ("provider",),
        )

    def watch_credentials(self, provider: str, refused: Callable[[], int]) -> None:
        """Show how many credentials are refused, read when the metrics are."""
        self._credentials_refused.labels(provider).set_function(refused)

    def watch_limiter(self, provider: str, operation: str, limiter: GradientLimiter) -> None:
        """Show how many calls may be in flight, and how many are, read when the metrics are."""
        self._in_flight_limit.labels(provider, operation).set_function(lambda: limiter.limit)
        self._in_flight.labels(provider, operation).set_function(lambda: limiter.in_flight)

    def watch_breaker(self, provider: str, operation: str, level: Callable[[], float]) -> None:
        """Show a breaker's state, read when the metrics are."""
        self._breaker.labels(provider, operation).set_function(level)
