-- The account, the record it is read at, its latest entry up to it (one index probe), and the holds
-- that expired by the time asked for without having been written down by that record.
SELECT a.address, a.account_no, a.asset, a.account_class, a.min_balance_minor,
    a.max_balance_minor, a.status, a.opened_seq, a.opened_at_us, a.metadata,
    e.posted_debits, e.posted_credits, e.pending_debits, e.pending_credits,
    r.seq, r.recorded_at_us,
    ARRAY(
        SELECT hold.seq
        FROM ledger.record AS hold
        WHERE hold.ledger_id = a.ledger_id
            AND hold.kind = 4
            AND hold.expires_at_us >= r.edge_us
            AND hold.expires_at_us <= coalesce(%(now_us)s::bigint, r.recorded_at_us)
            AND hold.seq <= r.seq
            AND EXISTS (
                SELECT FROM ledger.entry
                WHERE entry.ledger_id = hold.ledger_id
                    AND entry.account_no = a.account_no
                    AND entry.seq = hold.seq
            )
    ) AS unswept
FROM ledger.head AS h
JOIN LATERAL (
    SELECT seq, recorded_at_us,
        CASE WHEN kind = 7 THEN expires_at_us ELSE recorded_at_us END AS edge_us
    FROM ledger.record
    WHERE record.ledger_id = h.ledger_id
        AND seq = coalesce(%(position)s::bigint, h.seq)
) AS r ON true
JOIN ledger.account AS a ON a.ledger_id = h.ledger_id AND a.address = %(address)s
LEFT JOIN LATERAL (
    SELECT posted_debits, posted_credits, pending_debits, pending_credits
    FROM ledger.entry
    WHERE entry.ledger_id = a.ledger_id AND entry.account_no = a.account_no AND entry.seq <= r.seq
    ORDER BY seq DESC, leg DESC
    LIMIT 1
) AS e ON true
WHERE h.ledger_id = %(ledger_id)s AND a.opened_seq <= r.seq
