SELECT seq, recorded_at_us, kind, idempotency_key, parent_seq, expires_at_us, body
FROM ledger.record
WHERE ledger_id = %(ledger_id)s AND seq > %(after)s
ORDER BY seq
LIMIT %(limit)s
