SELECT record.body
FROM (
    SELECT DISTINCT entry.seq
    FROM ledger.entry
    WHERE entry.ledger_id = %(ledger_id)s
        AND entry.account_no = %(number)s
        AND entry.seq > %(after)s
    ORDER BY entry.seq
) AS touched
JOIN ledger.record
    ON record.ledger_id = %(ledger_id)s AND record.seq = touched.seq
WHERE %(kind)s::smallint IS NULL OR record.kind = %(kind)s
ORDER BY touched.seq
LIMIT %(limit)s
