-- Forget what is over, the oldest beyond the bound, leases and purges that nobody needs any more.
WITH over AS (
    SELECT key FROM routing_cache.entry
    WHERE keep_until <= to_timestamp(%(now_s)s)
    ORDER BY keep_until
    LIMIT %(batch)s
), excess AS (
    SELECT key FROM routing_cache.entry
    ORDER BY keep_until
    LIMIT least(
        %(batch)s,
        greatest(0, (SELECT count(*) FROM routing_cache.entry) - %(entries_max)s)
    )
), leases AS (
    DELETE FROM routing_cache.lease WHERE until <= to_timestamp(%(now_s)s)
), purges AS (
    DELETE FROM routing_cache.purge
    WHERE purged_at <= now() - make_interval(secs => %(purges_kept_s)s)
), gone AS (
    DELETE FROM routing_cache.entry
    WHERE key IN (SELECT key FROM over UNION SELECT key FROM excess)
    RETURNING 1
)
SELECT count(*) FROM gone
