SELECT level, tile_index, hashes
FROM ledger.tile
WHERE ledger_id = %(ledger_id)s
    AND (level, tile_index) > (%(level)s::smallint, %(tile_index)s::bigint)
ORDER BY level, tile_index
LIMIT %(limit)s
