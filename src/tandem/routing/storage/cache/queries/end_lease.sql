-- Give the lease of a key back.
DELETE FROM routing_cache.lease WHERE key = %(key)s AND holder = %(holder)s
