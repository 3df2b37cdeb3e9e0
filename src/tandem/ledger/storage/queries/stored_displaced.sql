SELECT account_no, seq, leg, effective_at_us, effect, amount_minor
FROM ledger.displaced
WHERE ledger_id = %(ledger_id)s
    AND (account_no, seq, leg) > (%(account_no)s, %(seq)s, %(leg)s)
ORDER BY account_no, seq, leg
LIMIT %(limit)s
