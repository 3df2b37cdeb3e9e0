SELECT body FROM ledger.record
WHERE ledger_id = %(ledger_id)s
    AND seq > %(after)s
    AND (%(kind)s::smallint IS NULL OR kind = %(kind)s)
ORDER BY seq
LIMIT %(limit)s
