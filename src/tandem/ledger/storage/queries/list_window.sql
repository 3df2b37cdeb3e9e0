-- A stretch of the log, looked through record by record.
SELECT record.seq, record.body
FROM ledger.record
WHERE record.ledger_id = %(ledger_id)s
    AND record.seq BETWEEN %(first)s AND %(last)s
    {filters}
ORDER BY record.seq {order}
LIMIT %(limit)s
