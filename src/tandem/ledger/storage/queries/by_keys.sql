SELECT body FROM ledger.record
WHERE ledger_id = %(ledger_id)s AND idempotency_key = ANY (%(keys)s)
