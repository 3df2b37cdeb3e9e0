INSERT INTO ledger.tile (ledger_id, level, index, hashes)
VALUES (%(ledger_id)s, %(level)s, %(index)s, %(hashes)s)
