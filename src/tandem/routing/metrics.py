"""What the gateway counts, on a registry that the caller owns."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tandem.resilience.limiter import GradientLimiter

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _gauge(registry: CollectorRegistry, name: str, text: str) -> Gauge:
    return Gauge(name, text, ("provider", "operation"), registry=registry)


class RoutingMetrics:
    """The gateway's series. Providers, outcomes and codes are closed sets, so labels are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "tandem_routing_attempts",
            "Calls made to a provider",
            ("provider", "operation", "outcome"),
            registry=registry,
        )
        self.attempt_duration_s = Histogram(
            "tandem_routing_attempt_duration_seconds",
            "Time of a call to a provider",
            ("provider", "operation"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.retries = Counter(
            "tandem_routing_retries",
            "Retries that the budget paid for",
            ("provider", "operation"),
            registry=registry,
        )
        self.rejections = Counter(
            "tandem_routing_local_rejections",
            "Calls that were not made: breaker, concurrency limit, hold-off or negative cache",
            ("provider", "reason"),
            registry=registry,
        )
        self.results = Counter(
            "tandem_routing_results",
            "Routes given to callers",
            ("provider", "freshness", "degraded"),
            registry=registry,
        )
        self.refusals = Counter(
            "tandem_routing_refusals",
            "Callers that got no route",
            ("code",),
            registry=registry,
        )
        self.refreshes = Counter(
            "tandem_routing_refreshes",
            "Answers fetched anew while old ones were shown",
            ("outcome",),
            registry=registry,
        )
        self.hedges = Counter(
            "tandem_routing_hedges",
            "Second attempts beside a slow first one",
            ("provider", "operation"),
            registry=registry,
        )
        self._in_flight_limit = _gauge(
            registry, "tandem_routing_in_flight_limit", "How many calls may be in flight"
        )
        self._in_flight = _gauge(
            registry, "tandem_routing_in_flight", "How many calls are in flight"
        )
        self._breaker = _gauge(
            registry, "tandem_routing_breaker_state", "0 closed, 1 half open, 2 open"
        )

    def watch_limiter(self, provider: str, operation: str, limiter: GradientLimiter) -> None:
        """Show how many calls may be in flight, and how many are, read when the metrics are."""
        self._in_flight_limit.labels(provider, operation).set_function(lambda: limiter.limit)
        self._in_flight.labels(provider, operation).set_function(lambda: limiter.in_flight)

    def watch_breaker(self, provider: str, operation: str, level: Callable[[], float]) -> None:
        """Show a breaker's state, read when the metrics are."""
        self._breaker.labels(provider, operation).set_function(level)
