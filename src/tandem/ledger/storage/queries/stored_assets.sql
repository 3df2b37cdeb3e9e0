SELECT code, scale
FROM ledger.asset
WHERE ledger_id = %(ledger_id)s AND code > %(code)s
ORDER BY code
LIMIT %(limit)s
