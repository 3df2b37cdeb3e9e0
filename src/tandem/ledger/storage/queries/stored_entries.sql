-- Entry rows in the order of their key, a page at a time.
SELECT account_no, seq, leg, effect, amount_minor,
    posted_debits, posted_credits, pending_debits, pending_credits
FROM ledger.entry
WHERE ledger_id = %(ledger_id)s
    AND (account_no, seq, leg) > (%(account_no)s, %(seq)s, %(leg)s)
ORDER BY account_no, seq, leg
LIMIT %(limit)s
