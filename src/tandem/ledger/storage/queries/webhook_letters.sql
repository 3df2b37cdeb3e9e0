SELECT seq, attempts, error, died_at_us, resending
FROM ledger.dead_letter
WHERE ledger_id = %(ledger_id)s AND name = %(name)s AND seq > %(after)s
    AND (resending OR NOT %(resending)s)
ORDER BY seq
LIMIT %(limit)s
