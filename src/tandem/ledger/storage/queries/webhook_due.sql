SELECT one.ledger_id, one.name
FROM ledger.subscription AS one
JOIN ledger.head USING (ledger_id)
WHERE one.active AND (
    (one.next_attempt_at_us <= %(now_us)s AND one.position < head.seq)
    OR EXISTS (
        SELECT FROM ledger.dead_letter AS letter
        WHERE letter.ledger_id = one.ledger_id AND letter.name = one.name AND letter.resending
    )
)
ORDER BY one.ledger_id, one.name
LIMIT %(limit)s
