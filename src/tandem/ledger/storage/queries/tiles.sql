SELECT hashes FROM ledger.tile
WHERE ledger_id = %(ledger_id)s AND level = %(level)s AND tile_index >= %(first_index)s
ORDER BY tile_index
LIMIT %(limit)s
