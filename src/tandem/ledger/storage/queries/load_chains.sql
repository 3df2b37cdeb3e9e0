-- Parents and their children, each parent before its children, in order.
SELECT coalesce(parent_seq, seq) AS chain, body
FROM (
    SELECT seq, NULL::bigint AS parent_seq, body
    FROM ledger.record
    WHERE ledger_id = %(ledger_id)s AND seq = ANY (%(parents)s)
    UNION ALL
    SELECT seq, parent_seq, body
    FROM ledger.record
    WHERE ledger_id = %(ledger_id)s AND parent_seq = ANY (%(parents)s)
) AS chains
ORDER BY chain, seq
