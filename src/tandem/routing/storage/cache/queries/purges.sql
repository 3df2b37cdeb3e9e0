-- Areas that were purged after one that is known, in order.
SELECT id, (area[1])[0], (area[1])[1], (area[0])[0], (area[0])[1]
FROM routing_cache.purge
WHERE id > %(after)s
ORDER BY id
LIMIT %(limit)s
