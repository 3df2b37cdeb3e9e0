-- Latest entry of every account up to a position, summed per asset.
SELECT h.seq, a.asset, count(*) AS accounts,
    coalesce(sum(e.posted_debits), 0), coalesce(sum(e.posted_credits), 0),
    coalesce(sum(e.pending_debits), 0), coalesce(sum(e.pending_credits), 0)
FROM (
    SELECT ledger_id, coalesce(%(position)s::bigint, seq) AS seq
    FROM ledger.head
    WHERE ledger_id = %(ledger_id)s
) AS h
LEFT JOIN ledger.account AS a ON a.ledger_id = h.ledger_id AND a.opened_seq <= h.seq
LEFT JOIN LATERAL (
    SELECT posted_debits, posted_credits, pending_debits, pending_credits
    FROM ledger.entry
    WHERE entry.ledger_id = a.ledger_id AND entry.account_no = a.account_no AND entry.seq <= h.seq
    ORDER BY seq DESC, leg DESC
    LIMIT 1
) AS e ON true
GROUP BY h.seq, a.asset
ORDER BY a.asset
