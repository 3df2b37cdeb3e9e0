-- The last purge so far; those before it concern nobody who starts now.
SELECT coalesce(max(id), 0) FROM routing_cache.purge
