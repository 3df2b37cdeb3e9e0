-- Holds that may be open, from the last record's time on: every hold that expired before it was
-- written down before it, unless the last record is itself such a line.
WITH edge AS (
    SELECT CASE WHEN kind = 7 THEN expires_at_us ELSE recorded_at_us END AS time_us
    FROM ledger.record
    WHERE ledger_id = %(ledger_id)s
    ORDER BY seq DESC
    LIMIT 1
)
SELECT hold.expires_at_us, hold.seq
FROM ledger.record AS hold, edge
WHERE hold.ledger_id = %(ledger_id)s
    AND hold.kind = 4
    AND hold.expires_at_us >= edge.time_us
    AND (hold.expires_at_us, hold.seq) > (%(expires_at_us)s::bigint, %(position)s::bigint)
ORDER BY hold.expires_at_us, hold.seq
LIMIT %(limit)s
