SELECT body FROM ledger.record
WHERE ledger_id = %(ledger_id)s AND seq > %(after)s
ORDER BY seq
LIMIT %(limit)s
