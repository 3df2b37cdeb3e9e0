SELECT term, address, seq
FROM ledger.account_annotation
WHERE ledger_id = %(ledger_id)s AND (term, address) > (%(term)s::uuid, %(address)s::text)
ORDER BY term, address
LIMIT %(limit)s
