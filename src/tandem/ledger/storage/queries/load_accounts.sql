-- Accounts and their balances: the latest entry of each, one index probe.
SELECT a.address, a.account_no, a.asset, a.account_class, a.min_balance_minor,
    a.max_balance_minor, a.status, a.opened_seq, a.opened_at_us, a.metadata,
    e.posted_debits, e.posted_credits, e.pending_debits, e.pending_credits
FROM ledger.account AS a
LEFT JOIN LATERAL (
    SELECT posted_debits, posted_credits, pending_debits, pending_credits
    FROM ledger.entry
    WHERE entry.ledger_id = a.ledger_id AND entry.account_no = a.account_no
    ORDER BY seq DESC, leg DESC
    LIMIT 1
) AS e ON true
WHERE a.ledger_id = %(ledger_id)s AND a.address = ANY (%(addresses)s)
