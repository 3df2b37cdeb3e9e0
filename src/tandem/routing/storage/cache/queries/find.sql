-- What is kept under a key, if it may be used for anything still.
SELECT extract(epoch FROM stored_at)::float8,
       extract(epoch FROM fresh_until)::float8,
       extract(epoch FROM revalidate_until)::float8,
       extract(epoch FROM keep_until)::float8,
       value
FROM routing_cache.entry
WHERE key = %(key)s AND keep_until > to_timestamp(%(now_s)s)
