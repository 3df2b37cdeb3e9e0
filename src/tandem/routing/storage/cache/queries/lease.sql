-- Become the one process that fetches a key, unless another is at it.
INSERT INTO routing_cache.lease (key, holder, until)
VALUES (%(key)s, %(holder)s, to_timestamp(%(until_s)s))
ON CONFLICT (key) DO UPDATE
SET holder = excluded.holder, until = excluded.until
WHERE lease.until <= to_timestamp(%(now_s)s) OR lease.holder = excluded.holder
RETURNING 1
