-- The last entry of an account up to a position: one index probe.
SELECT seq, leg
FROM ledger.entry
WHERE ledger_id = %(ledger_id)s AND account_no = %(number)s AND seq <= %(position)s
ORDER BY seq DESC, leg DESC
LIMIT 1
