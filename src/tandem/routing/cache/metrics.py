"""What the cache counts, on a registry that the caller owns."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class CacheMetrics:
    """The cache's series; tiers, outcomes and reasons are closed sets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lookups = Counter(
            "tandem_routing_cache_lookups",
            "Looks into the cache: fresh, revalidate, on_error or miss, by the tier that knew",
            ("tier", "outcome"),
            registry=registry,
        )
        self.dropped = Counter(
            "tandem_routing_cache_dropped",
            "Entries that the shared tier did not take: queue full, too large, or unavailable",
            ("reason",),
            registry=registry,
        )
        self.purged = Counter(
            "tandem_routing_cache_purged",
            "Entries forgotten because their area was purged",
            ("tier",),
            registry=registry,
        )
        self.store_faults = Counter(
            "tandem_routing_cache_store_faults",
            "Times that the shared tier was slow or not there",
            registry=registry,
        )
        self.entries = Gauge(
            "tandem_routing_cache_entries", "Entries in this process's memory", registry=registry
        )
