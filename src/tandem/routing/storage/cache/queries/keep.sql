-- Keep an entry, unless a newer one of that key, or a purge of its place, came first.
INSERT INTO routing_cache.entry
    (key, area, stored_at, fresh_until, revalidate_until, keep_until, value)
SELECT %(key)s, %(area)s::box,
       to_timestamp(%(stored_s)s), to_timestamp(%(fresh_until_s)s),
       to_timestamp(%(revalidate_until_s)s), to_timestamp(%(keep_until_s)s), %(value)s
WHERE NOT EXISTS (
    SELECT FROM routing_cache.purge
    WHERE id > %(purges_seen)s AND area && %(area)s::box
)
ON CONFLICT (key) DO UPDATE
SET area = excluded.area,
    stored_at = excluded.stored_at,
    fresh_until = excluded.fresh_until,
    revalidate_until = excluded.revalidate_until,
    keep_until = excluded.keep_until,
    value = excluded.value
WHERE entry.stored_at <= excluded.stored_at
