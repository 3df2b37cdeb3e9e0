-- One list of positions, in order; a record may stand in it several times.
SELECT listed.seq, (
    SELECT record.body FROM ledger.record
    WHERE record.ledger_id = %(ledger_id)s AND record.seq = listed.seq
) AS body
FROM (
    SELECT DISTINCT seq
    FROM {rows}
        AND seq BETWEEN %(first)s AND %(last)s
    ORDER BY seq {order}
    LIMIT %(limit)s
) AS listed
ORDER BY listed.seq {order}
