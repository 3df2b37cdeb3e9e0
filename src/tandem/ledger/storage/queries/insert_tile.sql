INSERT INTO ledger.tile (ledger_id, level, tile_index, hashes)
VALUES (%(ledger_id)s, %(level)s, %(tile_index)s, %(hashes)s)
