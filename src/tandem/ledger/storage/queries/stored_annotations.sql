SELECT term, seq
FROM ledger.annotation
WHERE ledger_id = %(ledger_id)s AND (term, seq) > (%(term)s::uuid, %(seq)s::bigint)
ORDER BY term, seq
LIMIT %(limit)s
