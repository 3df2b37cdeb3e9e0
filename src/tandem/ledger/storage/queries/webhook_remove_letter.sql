DELETE FROM ledger.dead_letter
WHERE ledger_id = %(ledger_id)s AND name = %(name)s AND seq = %(position)s
